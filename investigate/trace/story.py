"""The whole life of one event: its hops, and what they say about it in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from investigate.analysis.stages import stages
from investigate.checks import book
from investigate.evidence import Evidence
from investigate.ledger import STATIONS
from investigate.ledger.objections import objections_of, possible
from investigate.ledger.stations import ABSENT, DENIED, EXPIRED, PENDING, PRESENT, TOLD_BY, UNKNOWN
from investigate.trace.channels import channels_of
from investigate.trace.facts import MOST, Facts, Row, facts_of
from investigate.trace.focus import event_named, focus
from investigate.trace.hops import ERROR, INGEST, SPAN, Hop, hops_of

NOT_SAMPLED = "no X-Ray trace of its requests was captured; the hops are joined by ids in the lines"

# The lists of a story's facts, as a person calls what is in them.
_KINDS = {
    "attempts": "requests to ingest", "arrived_in": "attempts that died without a word",
    "gate": "rows of the gate", "objects": "writes of raw objects", "rows": "rows of the event",
    "replays": "replays that sent it", "left_out": "replays that left it out",
    "messages": "messages", "dead_letters": "dead letters", "loads": "loads by the processor",
    "failures": "errors of its requests", "versions": "versions that count it",
    "spans": "spans of its traces",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Story:
    """One event: `cells` says what each station shows, `hops` what happened, in order of time.

    `divergence`, `code` and `reason` name the first break, None where none is known; `further` are
    the checks that name a later break of the same event. `errors` are the hops that went wrong, the
    first being the candidate cause. `effects` counts what should have happened once. `guard` says
    what the idempotency guard did, `finished` how far the event came, `told` which channel tells
    somebody of a failure. `gaps` are what this evidence cannot say.
    """

    event_id: str
    who: Row
    cells: Mapping[str, str]
    divergence: str | None
    code: str | None
    reason: str | None
    further: Sequence[str]
    hops: Sequence[Hop]
    effects: Mapping[str, int]
    guard: str
    finished: str
    told: Sequence[str]
    gaps: Sequence[str]

    @property
    def errors(self) -> list[Hop]:
        """What went wrong, in order of time."""
        return [hop for hop in self.hops if hop.status == ERROR]

    @property
    def advice(self) -> tuple[str, str]:
        """What to do and what to leave alone, in the words of the check that names the break."""
        known = book[self.code] if self.code else None
        return (known.advice, known.avoid) if known else ("", "")

    @property
    def digests(self) -> list[tuple[str, str]]:
        """The payload's hash at each hop that has one, where it differs from the hop before."""
        found: list[tuple[str, str]] = []
        for hop in self.hops:
            if hop.digest and (not found or found[-1][1] != hop.digest):
                found.append((hop.station, hop.digest))
        return found


def story_of(evidence: Evidence, asked: str) -> Story:
    """Return the story of the event that has this id, or whose id begins so; raise `UsageError`
    with the nearest ids if there is none. What other events make of a case plays no part, so that
    its size does not matter."""
    event_id = event_named(evidence, asked)
    part = focus(evidence, event_id)
    known = stages(part)
    (stage,) = evidence.engine.rows(known.filter(known.event_id == event_id))
    return story_from(part, facts_of(part, event_id, possible(stage)))


def story_from(evidence: Evidence, facts: Facts) -> Story:
    """Return the story that these facts of a focused evidence tell."""
    entry = facts.ledger
    cells = {station: str(entry.get(station, UNKNOWN)) for station in STATIONS}
    hops = hops_of(facts)
    return Story(
        facts.event_id,
        {name: entry.get(name) for name in ("entity_id", "source", "event_time_utc", "day")},
        cells, entry.get("divergence"), entry.get("code"), entry.get("reason"),
        _further(evidence, facts), hops, effects_of(facts),
        _guard(facts, cells), _finished(facts, cells), channels_of(evidence),
        _gaps(evidence, facts, cells),
    )  # fmt: skip


def _further(evidence: Evidence, facts: Facts) -> list[str]:
    """The checks that object to the event as well, in the order of the stations."""
    rows = objections_of(evidence, facts.codes)
    own = evidence.engine.rows(rows.filter(rows.event_id == facts.event_id).order_by("rank"))
    return [row["code"] for row in own if row["code"] != facts.ledger.get("code")]


def effects_of(facts: Facts) -> dict[str, int]:
    """Return how often each thing happened that should happen once; requests of which the answer
    is unknown are named only where there are some."""
    answers = [row["answer"] for row in facts.attempts]
    accepted = facts.totals.get("accepted", answers.count(facts.design.accepted))
    refused = facts.totals.get("refused", answers.count(facts.design.duplicate))
    unknown = _number(facts, "attempts") - accepted - refused
    keys = {row["s3_key"] for row in facts.objects}
    most = max((row["times"] for row in facts.versions), default=0)
    return {
        "requests that ingest accepted": accepted,
        "requests that ingest refused": refused,
        **({"requests whose answer is unknown": unknown} if unknown else {}),
        "raw objects": facts.totals.get("keys", len(keys)),
        "rows": _number(facts, "rows"),
        "replays that sent it": _number(facts, "replays"),
        "messages waiting": _number(facts, "messages"),
        "loads by the processor": _number(facts, "loads"),
        "versions that count it": _number(facts, "versions"),
        "most counts in one version": facts.totals.get("times", most),
    }


def _number(facts: Facts, kind: str) -> int:
    """How many there are of a kind, listed or not."""
    return facts.totals.get(kind, len(getattr(facts, kind)))


def what_is_cut(facts: Facts) -> list[str]:
    """Return in words of which kinds of hops the story shows the first only."""
    return [
        f"only the first {MOST} of {facts.totals[kind]:,} {words} are shown"
        for kind, words in _KINDS.items()
        if kind in facts.totals
    ]


def _guard(facts: Facts, cells: Mapping[str, str]) -> str:
    """What the guard against repetitions did, told apart from what it is blamed for."""
    effects = effects_of(facts)
    refused = effects["requests that ingest refused"]
    marked = [row for row in facts.rows if row["status"] == facts.design.duplicate]
    again = facts.totals.get("marked", len(marked))
    if effects["requests that ingest accepted"] > 1 or effects["raw objects"] > 1:
        return "the guard failed: the event was accepted more than once"
    if effects["most counts in one version"] > 1:
        return "no guard stands behind the queue: one version counts the event more than once"
    if not (refused or again):
        return "the guard was not tried: no repetition is known"
    if cells["raw"] == ABSENT:
        return "the guard refused what was never stored, so no repetition can heal it"
    if cells["raw"] != PRESENT:
        return "the guard refused a repetition; whether the event is stored cannot be told"
    return "the guard worked: a repetition was refused, and the event is stored"


def _finished(facts: Facts, cells: Mapping[str, str]) -> str:
    accepted = effects_of(facts)["requests that ingest accepted"]
    was = "accepted" if accepted or cells["dedupe"] == PRESENT else "known"
    if cells["aggregates"] == PRESENT:
        return f"{was} and finished: a version of its day counts it"
    if cells["aggregates"] == ABSENT:
        return f"{was} and never finished: no version of its day counts it"
    if cells["aggregates"] == PENDING:
        return f"{was} and not finished yet"
    return f"{was}; whether it was finished cannot be told"


def _gaps(evidence: Evidence, facts: Facts, cells: Mapping[str, str]) -> list[str]:
    """What would settle each cell that this evidence leaves open."""
    words = {UNKNOWN: "is not known", DENIED: "was denied", EXPIRED: "cannot be told any more"}
    said = []
    for station, cell in cells.items():
        if cell in words:
            table = TOLD_BY[station]
            why = "" if evidence.is_whole(table) else f" ({evidence.capture_gap(table)})"
            would = "told of it, and has expired" if cell == EXPIRED else "would tell"
            said.append(f"{station} {words[cell]}: {table} {would}{why}")
    if not facts.spans and (facts.attempts or facts.loads):
        said.append(NOT_SAMPLED)
    return said + what_is_cut(facts)


def document(story: Story, case: str) -> dict[str, Any]:
    """Return a story as plain values, in a fixed order."""
    advice, avoid = story.advice
    return {
        "schema": "investigate.trace/1",
        "case": case,
        "event_id": story.event_id,
        **{name: _plain(value) for name, value in story.who.items()},
        "finished": story.finished,
        "divergence": story.divergence,
        "code": story.code,
        "reason": story.reason,
        "further": list(story.further),
        "advice": advice,
        "avoid": avoid,
        "stations": dict(story.cells),
        "hops": [_hop(hop) for hop in story.hops],
        "errors": [{**_hop(hop), "role": _role(n)} for n, hop in enumerate(story.errors)],
        "effects": dict(story.effects),
        "guard": story.guard,
        "digests": [{"station": at, "payload_sha": sha} for at, sha in story.digests],
        "told_by": list(story.told),
        "gaps": list(story.gaps),
    }


def _role(place: int) -> str:
    return "candidate cause" if place == 0 else "later"


def _hop(hop: Hop) -> dict[str, Any]:
    return {
        "at": _plain(hop.at), "ended": _plain(hop.ended), "station": hop.station, "what": hop.what,
        "status": hop.status, "joined_by": hop.joined_by, "join_id": hop.join_id,
        "proves": hop.proves, "told_by": hop.told_by, "payload_sha": hop.digest,
    }  # fmt: skip


def _plain(value: Any) -> Any:
    return f"{value.isoformat()}Z" if hasattr(value, "isoformat") else value


__all__ = ["INGEST", "SPAN", "Story", "document", "story_from", "story_of"]
