"""Faults of rows: written by others, changed by hand, or lost from the gate."""

from __future__ import annotations

from typing import Any

from investigate.layouts import Layout
from investigate.pipeline import Design
from investigate.sandbox.faults.registry import fault, with_in_raw_key
from investigate.sandbox.stories import Plot, Sent, Story, at, event_row


def _undated_index(design: Design) -> str:
    dated = "day" in Layout(design.gsi1pk_layout).names
    return "" if dated else "its lag index has no day in its partition key"


@fault("other-writer")
def other_writer(plot: Plot) -> Story:
    """A batch job writes rows of its own, without S3 references."""
    yield from plot.usual(10, 8, 2)
    yield at(10, "08:40")
    with_id = _foreign_row(plot, "2026-03-10T08:37:00Z", "job-1")
    plot.sandbox.put_item("events", with_id)
    without_id = _foreign_row(plot, "2026-03-10T08:38:00Z", "job-2")
    del without_id["event_id"]
    plot.sandbox.put_item("events", without_id)
    plot.truth.add("events/unreplayable", with_id["event_id"], without_id["SK"])


@fault("unknown-status")
def unknown_status(plot: Plot) -> Story:
    """A row carries a status that the pipeline does not know."""
    changed, *_ = yield from plot.usual(10, 19, 3)
    yield at(10, "21:20")
    _change(plot, changed, status="REJECTED")
    plot.truth.add("events/unknown-status", changed.sk)
    yield at(11, "02:44")
    plot.process(10, "complete")


@fault("index-key-mismatch", unfit=_undated_index)
def index_key_mismatch(plot: Plot) -> Story:
    """A row stands under the wrong day of the lag index."""
    changed, *_ = yield from plot.usual(11, 19, 3)
    yield at(11, "21:30")
    row = event_row(plot, changed)
    _change(plot, changed, GSI1PK=row["GSI1PK"].replace("2026-03-11", "2026-03-12"))
    plot.truth.add("events/key-mismatch", changed.sk)
    yield at(12, "02:46")
    plot.process(11, "complete")


@fault("dedupe-row-lost")
def dedupe_row_lost(plot: Plot) -> Story:
    """Rows vanish from the gate: a repetition would be accepted again."""
    lost, *_ = yield from plot.usual(11, 20, 3)
    yield at(12, "09:50")
    plot.sandbox.delete_item("dedupe", {"event_id": lost.event_id})
    plot.truth.add("dedupe/missing", lost.event_id)


@fault("reaccepted", unfit=with_in_raw_key("ingest_date"))
def reaccepted(plot: Plot) -> Story:
    """The gate forgot an event, and the next day it is accepted once more (D4)."""
    again, *_ = yield from plot.usual(10, 20, 3)
    yield at(10, "23:00")
    plot.sandbox.delete_item("dedupe", {"event_id": again.event_id})
    yield at(11, "02:48")
    plot.process(10, "complete")
    yield at(11, "10:00")
    plot.send(again.request)
    plot.truth.add("dedupe/reaccepted", again.event_id)
    plot.truth.add("raw/duplicate-objects", again.event_id)


def _change(plot: Plot, sent: Sent, **changes: Any) -> None:
    plot.sandbox.put_item("events", {**event_row(plot, sent), **changes})


def _foreign_row(plot: Plot, event_time: str, event_id: str) -> dict[str, Any]:
    return {
        "PK": plot.design.event_pk(plot.name),
        "SK": plot.design.event_sk(event_time, event_id),
        "event_id": event_id,
        "source": plot.name,
        "event_type": "import",
        "entity_id": plot.name,
        "event_time": event_time,
        "ingest_time": "2026-03-10T08:40:00Z",
        "status": plot.design.accepted,
    }
