"""The hops of one event in order of time: what happened, when, by which id, and what it proves."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from investigate.ledger.stations import TOLD_BY
from investigate.trace.facts import Facts, Row

OK, ERROR, GUARD, MISSING, WAITING = "ok", "error", "guard", "missing", "waiting"
UNKNOWN = "unknown"  # it happened, and whether it went well was not captured
INGEST, SPAN = "ingest", "x-ray"
ORDER = (INGEST, "dedupe", "raw", "events", "replay", "queue", "processor", "aggregates", SPAN)

_NEVER = datetime(9999, 12, 31)  # noqa: DTZ001 - times of the engine are UTC without a zone
# What looks like a card number or an address of a person is not shown.
_CARD = re.compile(r"\b\d(?:[ -]?\d){12,18}\b")
_MAIL = re.compile(r"\b[\w.+-]+@[\w-]+\.[\w.-]+\b")


@dataclass(frozen=True, slots=True)
class Hop:
    """One thing that happened to an event, or that should have happened and did not.

    Times are UTC without a zone, as everywhere in the engine; `at` is None where nobody knows it.
    `joined_by` is the kind of id that ties the hop to the event, `join_id` that id; `digest` the
    payload's hash as it was there; `told_by` the table.
    """

    at: datetime | None
    station: str
    what: str
    status: str
    joined_by: str
    join_id: str
    proves: str
    told_by: str
    ended: datetime | None = None
    digest: str | None = None


def hops_of(facts: Facts) -> list[Hop]:
    """Return every hop of an event in order of time; those of no known time come last."""
    found = [hop for part in _PARTS for hop in part(facts)]
    return sorted([*found, *_unseen_break(facts, found)], key=_place)


def _place(hop: Hop) -> tuple[bool, datetime, int, str]:
    return (hop.at is None, hop.at or _NEVER, ORDER.index(hop.station), hop.join_id)


def _unseen_break(facts: Facts, found: Sequence[Hop]) -> Iterator[Hop]:
    """Where the story breaks, if nothing that left a trace shows it."""
    station = facts.ledger.get("divergence")
    bad = {hop.station for hop in found if hop.status in (ERROR, MISSING)}
    if station and station not in bad:
        code = facts.ledger["code"]
        yield Hop(
            None, station, facts.ledger["reason"], MISSING, "check", code,
            f"see: investigate check CASE --rows {code}", TOLD_BY[station],
        )  # fmt: skip


def masked(text: str) -> str:
    """Return a text from a log without what looks like a card number or an e-mail address."""
    return _MAIL.sub("[address]", _CARD.sub("[card number]", text))


def _ended(row: Row) -> str:
    """How an invocation ended, in words for the end of a sentence; nothing if well or unknown."""
    if row["status"] in (None, "ok"):
        return ""
    said = masked(row["error_message"] or row["error_type"] or "")
    return f"; its invocation ended with {row['status']}{': ' + said if said else ''}"


def _attempts(facts: Facts) -> Iterator[Hop]:
    for place, row in enumerate(facts.attempts):
        status, proves = _answered(row, facts)
        yield Hop(
            row["started_utc"] or row["logged_utc"], INGEST,
            f"attempt {place + 1}: ingest answered {row['answer'] or 'nothing'}{_ended(row)}",
            status, "request_id", row["request_id"] or "", proves, "log_lines", row["ended_utc"],
        )  # fmt: skip
    for row in facts.arrived_in:
        yield Hop(
            row["started_utc"], INGEST, f"an attempt died without a word{_ended(row)}", ERROR,
            "request_id", row["request_id"], "the event arrived while this invocation ran",
            "invocations", row["ended_utc"],
        )  # fmt: skip


def _answered(row: Row, facts: Facts) -> tuple[str, str]:
    """The status of an attempt, and what it proves: an answer reaches the client only if the
    invocation that wrote it into its line ended well."""
    bad = row["status"] not in (None, "ok")
    if row["answer"] == facts.design.duplicate:
        return ERROR if bad else GUARD, "the gate refused a repetition"
    if bad:
        return ERROR, "the client had no answer from ingest"
    if row["answer"] == facts.design.accepted and row["status"]:
        return OK, "the client was told it is accepted"
    return UNKNOWN, "what the client was told is unknown"


def _gate(facts: Facts) -> Iterator[Hop]:
    for row in facts.gate:
        yield Hop(
            row["first_seen_utc"], "dedupe", "the gate took the id", OK, "event_id",
            facts.event_id, "until its row expires, the id is refused", "dedupe",
        )  # fmt: skip


def _objects(facts: Facts) -> Iterator[Hop]:
    for place, row in enumerate(facts.objects):
        what = "the object was written" if place == 0 else "another object of the id was written"
        if not row["readable"]:
            what += f", and cannot be read: {row['error'] or 'no reason recorded'}"
        status, proves = _stored(row)
        yield Hop(
            row["last_modified"], "raw", what, status, "s3_key",
            row["s3_key"], proves, "raw", digest=row["payload_sha_actual"],
        )  # fmt: skip


def _stored(row: Row) -> tuple[str, str]:
    """The status of an object, and what it proves: one that nobody could look into is no fault."""
    if not row["readable"] and row["corrupt"]:
        return ERROR, "nothing of its payload"
    accepted, actual = row["payload_sha"], row["payload_sha_actual"]
    if not row["readable"] or accepted is None or actual is None:
        return UNKNOWN, "whether its payload is as it was accepted was not captured"
    if accepted != actual:
        return ERROR, "the payload is not the one that was accepted"
    return OK, "the payload is stored as it was accepted"


def _rows(facts: Facts) -> Iterator[Hop]:
    keys = {row["s3_key"] for row in facts.objects}
    for row in facts.rows:
        again = row["status"] == facts.design.duplicate  # its key is that of the accepted row (D1)
        status, proves = _leads_to(row, keys, listed=facts.raw_listed and row["in_reach"])
        yield Hop(
            row["ingest_time_utc"], "events",
            f"the row was written{' by a repetition' if again else ''}, "
            f"status {row['status']}",
            status, "sk", row["sk"], proves, "events", digest=row["payload_sha"],
        )  # fmt: skip


def _leads_to(row: Row, keys: Collection[str], *, listed: bool) -> tuple[str, str]:
    """The status of a row, and what it proves: an object that is not among those captured is
    absent only where it would have been listed. Where the event has none at all, the row is not to
    blame."""
    if not row["s3_key"]:
        return ERROR, "no replay can send the event: its row has no key"
    if row["s3_key"] in keys:
        return OK, "a replay finds the event and its object"
    if listed:
        return ERROR if keys else OK, "a replay finds the event, and no object under its key"
    return UNKNOWN, (
        "a replay finds the event; whether an object stands under its key was not captured"
    )


def _replays(facts: Facts) -> Iterator[Hop]:
    for row in facts.replays:
        yield Hop(
            row["logged_utc"], "replay", f"a replay of {row['start']} to {row['end']} sent it", OK,
            "request_id", row["request_id"], f"a message names {row['s3_key']}", "log_lines",
        )  # fmt: skip
    for row in facts.left_out:
        yield Hop(
            row["logged_utc"], "replay",
            f"a replay of {row['start']} to {row['end']} left it out: {row['why']}", MISSING,
            "request_id", row["request_id"], "its window held the event, and no message was sent",
            "log_lines",
        )  # fmt: skip


def _messages(facts: Facts) -> Iterator[Hop]:
    for row in facts.messages:
        times = row["receive_count"] or 0
        yield Hop(
            row["sent_utc"], "queue", f"a message waits, received {times} times", WAITING,
            "message_id", row["message_id"], "processing is still to come", "messages",
        )  # fmt: skip
    for row in facts.dead_letters:
        yield Hop(
            row["last_failed_utc"], "queue",
            f"given up after {row['attempts'] or 'unknown'} attempts: "
            f"{masked(row['error_message'] or row['condition'] or 'no reason recorded')}",
            ERROR, "message_id", row["message_id"] or "", "it failed for good", "dead_letters",
        )  # fmt: skip


# By how the invocation ended, with None where nobody knows; every other end is a failure.
_BATCH: Mapping[str | None, tuple[str, str]] = {
    "ok": (OK, "its batch was processed"), None: (UNKNOWN, "how its batch ended is unknown"),
}  # fmt: skip


def _loads(facts: Facts) -> Iterator[Hop]:
    for place, row in enumerate(facts.loads):
        status, proves = _BATCH.get(row["status"], (ERROR, "its batch failed, and comes back"))
        yield Hop(
            row["started_utc"] or row["logged_utc"], "processor",
            f"load {place + 1}: the processor read its object{_ended(row)}", status,
            "request_id", row["request_id"] or "", proves, "log_lines", row["ended_utc"],
        )  # fmt: skip


def _failures(facts: Facts) -> Iterator[Hop]:
    for row in facts.failures:
        ours = row["function"] in {load["function"] for load in facts.loads}
        yield Hop(
            row["logged_utc"], "processor" if ours else INGEST,
            f"a request that handled it said: {masked(row['err'] or row['message'])}", ERROR,
            "request_id", row["request_id"], "an error of the request, perhaps of another record",
            "log_lines",
        )  # fmt: skip


def _versions(facts: Facts) -> Iterator[Hop]:
    for row in facts.versions:
        twice = row["times"] > 1
        yield Hop(
            row["computed_at_utc"], "aggregates",
            f"version {row['version']} of {row['day']} counts it"
            + (f" {row['times']} times" if twice else ""),
            ERROR if twice else OK, "sk", row["sk"],
            f"its hash is that of {row['input_count']} inputs ({row['explained_by']})",
            "aggregates", digest=row["payload_sha"],
        )  # fmt: skip


def _spans(facts: Facts) -> Iterator[Hop]:
    for row in facts.spans:
        wrong = [word for word in ("throttle", "fault", "error") if row[word]]
        yield Hop(
            row["started_utc"], SPAN, f"{row['name'] or 'a segment'}"
            + (f": {', '.join(wrong)}" if wrong else ""),
            ERROR if wrong else OK, "trace_id", row["trace_id"],
            "the service took part in it", "spans", row["ended_utc"],
        )  # fmt: skip


_PARTS = (
    _attempts, _gate, _objects, _rows, _replays, _messages, _loads, _failures, _versions, _spans,
)  # fmt: skip
