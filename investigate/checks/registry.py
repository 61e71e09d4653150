"""The book of checks: a decorator that registers a question, and the one way to get its answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import ibis.expr.types as ir

from investigate.analysis.identities import with_owners
from investigate.errors import AccessError, InvestigationError, NotEvaluable, UsageError
from investigate.evidence import SCOPED_BY, Evidence
from investigate.model import Finding, Outcome, Severity, Step
from investigate.pipeline import REFERENCE, Design
from investigate.wording import worded

MAX_KEYS = 10_000
# Codes that are not named after the step they belong to.
_ELSEWHERE = {
    "dedupe": Step.EVENTS,
    **dict.fromkeys(("logs", "metrics", "access"), Step.CONFIGURATION),
}
OF_SCOPE = "of the capture's scope "


@dataclass(frozen=True, slots=True)
class PartialRows:
    """Offending rows from evidence that does not show everything: none found is not a pass."""

    rows: ir.Table
    reason: str


Question = Callable[[Evidence], ir.Table | PartialRows]


@dataclass(frozen=True, slots=True)
class Check:
    """One question asked of a case. `needs` must be captured; of `whole` every row must be listed,
    because the check concludes something from a row's absence there; of `either` one must be
    captured, and without the others the answer is partial. Which of `reads` it can do without, and
    what could not be looked into, is for the check to say (`PartialRows`). `ownerless`: its rows
    may lack the entity or time of their event, which the stores then tell."""

    code: str
    severity: Severity
    key: str
    question: str
    found: str
    advice: str
    avoid: str
    needs: tuple[str, ...]
    whole: tuple[str, ...]
    ask: Question
    either: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    ownerless: bool = False

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables that the check looks at, each once."""
        return tuple(dict.fromkeys((*self.needs, *self.whole, *self.either, *self.reads)))

    @property
    def step(self) -> Step:
        """The step or chapter the check belongs to, from the first part of its code."""
        group = self.code.split("/")[0]
        return _ELSEWHERE.get(group) or Step(group)


class Book:
    """Checks in the order in which they were declared; two of one code are refused."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}

    def check(
        self,
        code: str,
        severity: Severity,
        *,
        key: str,
        found: str,
        advice: str,
        avoid: str,
        needs: tuple[str, ...] = (),
        whole: tuple[str, ...] = (),
        either: tuple[str, ...] = (),
        reads: tuple[str, ...] = (),
        ownerless: bool = False,
    ) -> Callable[[Question], Question]:
        """Register a function as a check; its docstring's first paragraph is the question.

        The function returns the offending rows as an Ibis table with a text column `key`; further
        columns are for the reader, and `event_time_utc`, `day` and `entity_id` put a row in or out
        of the scope (see `Evidence.in_scope`). `found` is a sentence with `{count}` in it, and
        `{s}` after a noun, `{_s}` after a verb, `{are}`, `{were}`, `{have}` and `{their}` where a
        word follows the number.
        """
        if not (needs or whole or either or reads):
            raise ValueError(f"{code}: a check reads at least one table")

        def register(ask: Question) -> Question:
            if code in self._checks:
                raise ValueError(f"two checks have the code {code!r}")
            question = (ask.__doc__ or "").strip().split("\n\n")[0]
            question = " ".join(question.split())
            if not question.endswith("?"):
                raise ValueError(f"{code}: the docstring must open with a question")
            self._checks[code] = Check(
                code, severity, key, question, found, advice, avoid, needs, whole, ask, either,
                reads, ownerless,
            )  # fmt: skip
            return ask

        return register

    def __iter__(self) -> Iterator[Check]:
        return iter(sorted(self._checks.values(), key=_place))

    def __getitem__(self, code: str) -> Check:
        if code not in self._checks:
            raise UsageError.unknown(
                "check", code, self._checks, hint="list them: investigate checks"
            )
        return self._checks[code]

    def of(self, step: Step) -> list[Check]:
        """The checks of one step, in the order of declaration."""
        return [check for check in self if check.step is step]


def _place(check: Check) -> tuple[int, bool]:
    """Checks stand by step, and within it those named after the step come first."""
    return list(Step).index(check.step), not check.code.startswith(f"{check.step.value}/")


_ONE = {"s": "", "_s": "s", "are": "is", "were": "was", "have": "has", "their": "its"}
_MANY = {"s": "s", "_s": "", "are": "are", "were": "were", "have": "have", "their": "their"}

book = Book()
check = book.check


def offending_rows(check: Check, evidence: Evidence) -> PartialRows:
    """Return the rows in scope that a check objects to, and why their absence would prove nothing
    (an empty reason: it would). Raise `NotEvaluable` where the evidence cannot tell."""
    found = _objections(check, evidence)
    return PartialRows(evidence.in_scope(found.rows), found.reason)


def rows_of(evidence: Evidence, code: str) -> ir.Table:
    """Return the offending rows of a check in scope, for what counts what the finding does. Raise
    `NotEvaluable` where the evidence cannot tell."""
    return offending_rows(book[code], evidence).rows


def _objections(check: Check, evidence: Evidence) -> PartialRows:
    """The offending rows in the scope and out of it, asked for once: for the keys, for the rows to
    show and for the ledger."""
    found: PartialRows = evidence.fact(f"rows of {check.code}", lambda known: _ask(check, known))
    return found


def _ask(check: Check, evidence: Evidence) -> PartialRows:
    tables = tuple(dict.fromkeys((*check.needs, *check.whole)))
    evidence.require(tables)
    evidence.require_one(check.either)
    lacking = evidence.absence_gaps(check.whole)
    if lacking:
        raise NotEvaluable("absence proves nothing in " + "; ".join(lacking))
    answer = check.ask(evidence)
    rows, reasons = (
        (answer.rows, [answer.reason]) if isinstance(answer, PartialRows) else (answer, [])
    )
    if check.ownerless:
        rows, unknown = with_owners(
            evidence, rows, "event_id" if "event_id" in rows.columns else "key"
        )
        reasons.append(unknown)
    reasons += evidence.gaps((*tables, *check.either))
    told = dict.fromkeys(reason for reason in reasons if reason)
    return PartialRows(rows, "; ".join(told))


def answer(check: Check, evidence: Evidence) -> Finding:
    """Return a check's finding; a lack of evidence is `not-evaluated`, a failed query `error`."""
    check = _in_words_of(check, evidence.design)
    try:
        rows = _objections(check, evidence)
        count, keys = _keys(rows.rows, evidence)
    except NotEvaluable as unknown:
        return _without_answer(check, Outcome.NOT_EVALUATED, unknown.message)
    except AccessError:
        raise  # evidence in place that is not there or not what the case says: no answer is right
    except InvestigationError as failed:
        told = f"{failed.message}; {failed.hint}" if failed.hint else failed.message
        return _without_answer(check, Outcome.ERROR, told)
    outcome, reason = outcome_of(count, rows.reason)
    if outcome is Outcome.NOT_EVALUATED:
        return _without_answer(check, outcome, reason)
    return Finding(
        check.code,
        check.step,
        outcome,
        check.severity,
        check.question,
        _sentence(check, count, evidence),
        check.key,
        count,
        keys,
        reason=reason or None,
        advice=check.advice if count else "",
        avoid=check.avoid if count else "",
    )


def outcome_of(count: int, gap: str) -> tuple[Outcome, str]:
    """Return the outcome and its reason where so many keys were found and `gap` says what could
    not be seen: nothing found passes only where that is empty."""
    if count or not gap:
        return (Outcome.FOUND if count else Outcome.PASSED), gap
    return Outcome.NOT_EVALUATED, f"nothing found, but not all could be seen: {gap}"


def _in_words_of(check: Check, design: Design) -> Check:
    """Return a check that says what it says in the words of a pipeline."""
    if design == REFERENCE:
        return check
    question, found, advice, avoid = (
        worded(text, design, check.step)
        for text in (check.question, check.found, check.advice, check.avoid)
    )
    return replace(check, question=question, found=found, advice=advice, avoid=avoid)


def _keys(rows: ir.Table, evidence: Evidence) -> tuple[int, tuple[str, ...]]:
    # Only these columns tell which rows count; the others are for who looks at the rows.
    told = [name for name in SCOPED_BY if name in rows.columns]
    asked = evidence.in_scope(rows.select(*told, key=rows.key.fill_null("(no key)")))
    distinct = asked.select("key").distinct()
    listed = evidence.engine.rows(distinct.order_by("key").limit(MAX_KEYS + 1))
    keys = tuple(str(row["key"]) for row in listed)
    if len(keys) <= MAX_KEYS:
        return len(keys), keys
    return evidence.engine.count(distinct), keys[:MAX_KEYS]


def _sentence(check: Check, count: int, evidence: Evidence) -> str:
    if not count:
        case = evidence.case
        scoped = case.event_dates or case.scope_entities
        return f"Nothing found, with all evidence {OF_SCOPE if scoped else ''}at hand."
    return check.found.format(count=f"{count:,}", **(_ONE if count == 1 else _MANY))


def _without_answer(check: Check, outcome: Outcome, reason: str) -> Finding:
    verb = "could not be told" if outcome is Outcome.NOT_EVALUATED else "failed"
    return Finding(
        check.code, check.step, outcome, check.severity, check.question,
        f"This {verb}: {reason}.", check.key, reason=reason,
    )  # fmt: skip
