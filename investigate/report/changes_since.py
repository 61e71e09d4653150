"""What became of each finding since the last run of an incident, and what can no longer be seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from investigate.model import Outcome, parse_time
from investigate.report.briefing import SEVERITIES, Document, Entry

NEW = "new"
PERSISTING = "persisting"
RESOLVED = "resolved"
NOT_TOLD = "no longer told"
NOT_ASKED = "not asked any more"
STATES = (NEW, PERSISTING, RESOLVED, NOT_TOLD, NOT_ASKED)
KEYS_NAMED = 20  # of those that came or went; their number is exact


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one finding, by its code. `before` and `count` are the numbers of its rows.

    `added` and `removed` say how many keys came and went, and are None where the documents do not
    hold all keys. `was` is how the check ended the last time, None if it was not asked. `reason`
    says why what went need not be gone, and of a new finding, why it need not be new; `unseen`, of
    a persisting one, why the keys that came need not be new.
    """

    code: str
    state: str
    severity: str
    key: str
    count: int
    before: int
    was: str | None
    added: int | None
    removed: int | None
    added_keys: tuple[str, ...] = ()
    removed_keys: tuple[str, ...] = ()
    reason: str | None = None
    unseen: str | None = None


@dataclass(frozen=True, slots=True)
class ChangesSince:
    """The last run of an incident, and what changed since; `unknown` says why nothing is known."""

    run: str
    place: str
    number: int
    case: str
    window: Mapping[str, str]
    captured_at: str
    changes: tuple[Change, ...] = ()
    unknown: str | None = None

    @property
    def counts(self) -> dict[str, int]:
        """How many findings came to each state."""
        counted = Counter(change.state for change in self.changes)
        return {state: counted[state] for state in STATES}

    def of_state(self, state: str) -> list[Change]:
        """Return the changes of one state, the worst first."""
        return [change for change in self.changes if change.state == state]

    def as_json(self) -> dict[str, Any]:
        """Return what stands in `run.json`."""
        return {**asdict(self), "counts": None if self.unknown else self.counts}


def compare(last: Document, now: Document, otherwise: str = "") -> tuple[Change, ...]:
    """Return what became of each finding between two findings documents, the worst first.

    A finding is resolved only if its check now passed on a question that is at least as wide; what
    is new is told with a reason if the last question was narrower. `otherwise` is a reason, besides
    what the documents themselves say, why neither run need have seen what the other one saw.
    """
    narrower = otherwise or narrower_than(last, now)
    wider = otherwise or wider_than(last, now)
    before = {entry["code"]: entry for entry in last["checks"]}
    after = {entry["code"]: entry for entry in now["checks"]}
    changes = [
        change
        for code in {**after, **before}
        for change in _changes(before.get(code), after.get(code), narrower, wider)
    ]
    return tuple(sorted(changes, key=lambda change: SEVERITIES.index(change.severity)))


def narrower_than(last: Document, now: Document) -> str:
    """Return why the second document cannot see all that the first one saw; empty if it can."""
    entities, before = now.get("entities", ()), last.get("entities", ())
    if _start(now) > _start(last) or _end(now) < _end(last):
        return "the window of this run does not hold that of the last one"
    if entities and not (before and set(before) <= set(entities)):
        return "this run asks about fewer entities than the last one"
    if _time(now, "captured_at") < _time(last, "captured_at"):
        return "the case of this run was captured before that of the last one"
    # Only what has settled is judged; what is younger may hold what the last run found.
    judged = min(_end(last), _time(last, "settled_until"))
    if _time(now, "settled_until") < judged:
        return "this run judges less of the window than the last one"
    return ""


def wider_than(last: Document, now: Document) -> str:
    """Return why the first document could not see all that the second one sees; empty if it could.

    That its case was captured earlier is no such reason: what came since then is new.
    """
    entities, before = now.get("entities", ()), last.get("entities", ())
    if _start(now) < _start(last) or _end(now) > _end(last):
        return "the window of the last run does not hold that of this one"
    if before and not (entities and set(entities) <= set(before)):
        return "the last run asked about fewer entities than this one"
    if _time(last, "settled_until") < min(_end(now), _time(now, "settled_until")):
        return "the last run judged less of the window than this one"
    return ""


def _changes(
    before: Entry | None, after: Entry | None, narrower: str, wider: str
) -> Iterator[Change]:
    if after and _found(after):
        yield (
            _persisting(before, after, narrower, wider)
            if before and _found(before)
            else _new(before, after, wider)
        )
    elif before and _found(before):
        yield _gone(before, after, narrower)


def _new(before: Entry | None, after: Entry, wider: str) -> Change:
    return Change(
        **_named(after), state=NEW, count=after["count"], before=0,
        was=before["outcome"] if before else None, added=after["count"], removed=0,
        added_keys=tuple(after["keys"][:KEYS_NAMED]), reason=wider or None,
    )  # fmt: skip


def _persisting(before: Entry, after: Entry, narrower: str, wider: str) -> Change:
    old, new = set(before["keys"]), set(after["keys"])
    added = [key for key in after["keys"] if key not in old]
    removed = [key for key in before["keys"] if key not in new]
    known = _whole(before) and _whole(after)
    # What was found on evidence with gaps may leave out keys that are still there.
    doubt = narrower or after["reason"]
    return Change(
        **_named(after), state=PERSISTING, count=after["count"], before=before["count"],
        was=before["outcome"], added=len(added) if known else None,
        removed=len(removed) if known else None,
        added_keys=tuple(added[:KEYS_NAMED]) if known else (),
        removed_keys=tuple(removed[:KEYS_NAMED]) if known else (),
        reason=doubt or None, unseen=wider or None,
    )  # fmt: skip


def _gone(before: Entry, after: Entry | None, narrower: str) -> Change:
    """What was found and is not: only a check that passed, and could see as much, resolves it."""
    state, reason = RESOLVED, ""
    if after is None:
        state, reason = NOT_ASKED, "this version has no such check"
    elif after["outcome"] != Outcome.PASSED.value:
        state, reason = NOT_TOLD, after["reason"]
    elif narrower:
        state, reason = NOT_ASKED, narrower
    resolved = state == RESOLVED
    return Change(
        **_named(before), state=state, count=0, before=before["count"], was=before["outcome"],
        added=0, removed=before["count"] if resolved else None,
        removed_keys=tuple(before["keys"][:KEYS_NAMED]) if resolved else (),
        reason=reason or None,
    )  # fmt: skip


def _named(entry: Entry) -> dict[str, Any]:
    return {name: entry[name] for name in ("code", "severity", "key")}


def _found(entry: Entry) -> bool:
    return bool(entry["outcome"] == Outcome.FOUND.value)


def _whole(entry: Entry) -> bool:
    """Whether a document holds every key of a finding."""
    return bool(entry["keys_shown"] == entry["count"])


def _start(document: Document) -> Any:
    return parse_time(document["window"]["start"])


def _end(document: Document) -> Any:
    return parse_time(document["window"]["end"])


def _time(document: Document, name: str) -> Any:
    return parse_time(document[name])
