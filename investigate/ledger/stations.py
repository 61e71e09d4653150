"""The stations of an event's way, the words of a cell, and what breaks a story at each station."""

from __future__ import annotations

from dataclasses import dataclass

# In the order in which an event comes to them.
STATIONS = ("raw", "events", "dedupe", "replay", "queue", "processor", "aggregates")

PRESENT = "present"  # the station shows the event, or shows that it passed through
ABSENT = "absent"  # all of the station was seen, and the event is not there
DENIED = "denied"  # the capture was refused the evidence
EXPIRED = "expired"  # what would tell has outlived its lifetime
PENDING = "pending"  # it may still come: too young, waiting, or nobody asked for it yet
UNKNOWN = "unknown"  # not captured, or captured in part
CELLS = (PRESENT, ABSENT, DENIED, EXPIRED, PENDING, UNKNOWN)

# The table that tells of a station first.
TOLD_BY = {
    "raw": "raw", "events": "events", "dedupe": "dedupe", "replay": "log_lines",
    "queue": "messages", "processor": "log_lines", "aggregates": "aggregates",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Break:
    """One way in which an event's story breaks: where, the check that says so, and its words. It
    cannot hold for an event that is known to have reached one of the stages `unless`."""

    station: str
    code: str
    reason: str
    unless: tuple[str, ...] = ()


# The first of these that holds for an event is its divergence: by station, then the worst first.
BREAKS = (
    Break(
        "raw", "raw/missing", "the index points at an object, and no object has the id", ("raw",)
    ),
    Break(
        "raw",
        "dedupe/orphan",
        "ingest died behind the gate: neither an object nor a row",
        ("raw", "row"),
    ),
    Break("raw", "raw/expired", "the bucket's lifecycle took the object before the row", ("raw",)),
    Break("raw", "raw/corrupt", "the object cannot be read as an event"),
    Break("raw", "raw/payload-mismatch", "the payload is not the one that was accepted"),
    Break("raw", "raw/id-mismatch", "the ids in key, body and recipe differ"),
    Break("raw", "raw/overwritten", "the object was written again after ingest"),
    Break("raw", "raw/duplicate-objects", "the event is stored under more than one key"),
    Break(
        "events",
        "events/missing-row",
        "no row knows the object, so no replay can find it",
        ("row",),
    ),
    Break("events", "events/unreplayable", "the row lacks what a replay needs to send it"),
    Break("events", "events/payload-conflict", "row and object carry different payloads"),
    Break("events", "events/dangling-key", "the row points at a key that was never written"),
    Break("events", "events/reused-id", "the id stands on more than one row"),
    Break("dedupe", "dedupe/reaccepted", "the gate let the event in more than once"),
    Break(
        "dedupe",
        "dedupe/missing",
        "the gate has no row, and would accept the event again",
        ("dedupe",),
    ),
    Break("dedupe", "dedupe/expired-block", "a gate that had expired refused it"),
    Break(
        "replay",
        "replay/boundary",
        "a replay of its window left it out: compared as text",
        ("sent",),
    ),
    Break("replay", "replay/truncated", "a replay of its window stopped before it", ("sent",)),
    Break("replay", "replay/nothing-sent", "a replay of its window sent nothing", ("sent",)),
    Break("queue", "sqs/lost", "it was sent, and its message is nowhere", ("processed", "waiting")),
    Break(
        "processor",
        "processor/swallowed-errors",
        "the processor failed on it, unsaid",
        ("processed", "waiting"),
    ),
    Break("processor", "sqs/poison", "its message comes back again and again"),
    Break(
        "aggregates",
        "aggregates/overwritten",
        "its version was overwritten in its second",
        ("aggregated",),
    ),
    Break(
        "aggregates", "aggregates/missing", "its day was sent and has no version", ("aggregated",)
    ),
    Break("aggregates", "aggregates/partial", "no version of its day counts it", ("aggregated",)),
    Break("aggregates", "aggregates/inflated", "a version of its day counts it more than once"),
)
