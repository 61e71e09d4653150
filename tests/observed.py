"""What a check looked at in a case: where all of that is the same, it says the same.

All checks of a case take seconds, nearly all of them for writing SQL. A test that changes one table
of a case asks only those checks again that looked at something that is another now
(tests/test_observed.py compares with asking all of them).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from investigate.case import Case
from investigate.checks import Check, answer, book
from investigate.evidence import Evidence
from investigate.model import Finding

# What a case says of its tables, and what it says of itself, but for its name and its costs.
OF_TABLES = ("files", "rows", "coverage", "lake", "listings")
OF_ITSELF = (
    "window", "captured_at", "settle_seconds", "pipeline", "scope_entities", "event_dates",
    "masked",
)  # fmt: skip
EVERY = "*"


@dataclass(frozen=True)
class Look:
    """One look at what a case says: whether it has a table, or what of it, or of every one."""

    at: str
    table: str
    only_whether: bool = False

    def sees(self, case: Case) -> Any:
        """Return what this look shows in a case."""
        told = getattr(case, self.at)
        if self.table == EVERY:
            return dict(told)
        return self.table in told if self.only_whether else told.get(self.table)


@dataclass
class _Noting(Mapping[str, Any]):
    """A part of a case that notes who looks at what in it."""

    at: str
    told: Mapping[str, Any]
    note: Callable[[Look], None]

    def __getitem__(self, table: str) -> Any:
        self.note(Look(self.at, table))
        return self.told[table]

    def __contains__(self, table: object) -> bool:
        self.note(Look(self.at, str(table), only_whether=True))
        return table in self.told

    def __iter__(self) -> Iterator[str]:
        self.note(Look(self.at, EVERY))
        return iter(self.told)

    def __len__(self) -> int:
        self.note(Look(self.at, EVERY))
        return len(self.told)


@dataclass
class ObservedEvidence(Evidence):
    """Evidence that knows what each question looked at; what questions share counts for each."""

    _looks: set[Look] = field(default_factory=set)
    _shared: dict[str, set[Look]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        parts = {
            at: _Noting(at, getattr(self.case, at), lambda look: self._looks.add(look))
            for at in OF_TABLES
        }
        self.case = replace(self.case, **parts)

    @contextmanager
    def looking(self) -> Iterator[set[Look]]:
        """Collect what the block looks at."""
        outer, self._looks = self._looks, set()
        try:
            yield self._looks
        finally:
            outer |= self._looks
            self._looks = outer

    def _sharing(self, name: str, find: Callable[[], Any]) -> Any:
        with self.looking() as looks:
            looks |= self._shared.get(name, set())
            try:
                return find()
            finally:
                self._shared[name] = set(looks)

    def __getitem__(self, table: str) -> Any:
        ask = super().__getitem__
        return self._sharing(f"table {table}", lambda: ask(table))

    def derived(self, name: str, build: Any) -> Any:
        ask = super().derived
        return self._sharing(f"derived {name}", lambda: ask(name, build))

    def view(self, name: str, build: Any) -> Any:
        ask = super().view
        return self._sharing(f"view {name}", lambda: ask(name, build))

    def fact(self, name: str, find: Any, *, of_whole_case: bool = False) -> Any:
        ask = super().fact
        return self._sharing(f"fact {name}", lambda: ask(name, find, of_whole_case=of_whole_case))


def differs(looks: Iterable[Look], case: Case, other: Case) -> bool:
    """Whether anything looked at in a case, or what it says of itself, is another in the other."""
    of_itself = any(getattr(case, at) != getattr(other, at) for at in OF_ITSELF)
    return of_itself or any(look.sees(case) != look.sees(other) for look in looks)


@dataclass(frozen=True)
class Observed:
    """All findings of a case, and what each check looked at to say so."""

    case: Case
    findings: Mapping[str, Finding]
    looks: Mapping[str, frozenset[Look]]

    def concerned(self, case: Case) -> list[Check]:
        """The checks that would see something else in another case than they saw in this one."""
        return [check for check in book if differs(self.looks[check.code], self.case, case)]

    def findings_of(self, case: Case) -> list[Finding]:
        """All findings of a case that differs little: what `run_checks` gives, with less work."""
        evidence = Evidence(case)
        again = {check.code: answer(check, evidence) for check in self.concerned(case)}
        return [again.get(check.code, self.findings[check.code]) for check in book]


def observed(case: Case) -> Observed:
    """Ask every check of a case, and note what it looks at."""
    evidence, findings, looks = ObservedEvidence(case), {}, {}
    for check in book:
        with evidence.looking() as seen:
            findings[check.code] = answer(check, evidence)
        looks[check.code] = frozenset(seen)
    return Observed(case, findings, looks)
