"""One id that stands for two events (D5): each of them came when it did."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from investigate import pipeline
from investigate.analysis.arrivals import with_arrival
from investigate.model import Outcome
from investigate.pipeline import REFERENCE
from tests.builders import (
    Event,
    aggregate_row,
    at,
    dedupe_row,
    event_row,
    evidence_of,
    finding_of,
    function_row,
    invocation_row,
    log_line,
    queue_row,
    raw_row,
)

A, B, C, X = (Event(name, at(n + 1)) for n, name in enumerate("abcx"))
FROM, TO = "2026-03-10T00:00:00Z", "2026-03-11T00:00:00Z"


def reused(event: Event, when: datetime, arrived: datetime) -> dict[str, Any]:
    """The row of another event that was refused under the same id."""
    text = pipeline.format_time(when)
    return event_row(
        event, sk=REFERENCE.event_sk(text, event.id), event_time=text, event_time_utc=when,
        ingest_time=pipeline.format_time(arrived), ingest_time_utc=arrived, status="DUPLICATE",
        payload_sha=pipeline.payload_sha({"other": 1}), s3_key=f"raw/event_id={event.id}.json",
    )  # fmt: skip


def a_case(folder, events, *more, loaded=(), versions=(), scanned=4):
    lines = [
        log_line("replay_enqueued", at(30), "p1", entity_id="e1", start=FROM, end=TO,
                 scanned=scanned, sent=scanned),
        log_line("processor_start", at(30.01), "q1", records=len(loaded)),
        *(log_line("processor_record_loaded", at(30.01), "q1", event_id=event.id, entity_id="e1",
                   event_time=event.body["event_time"]) for event in loaded),
    ]  # fmt: skip
    return evidence_of(
        folder,
        events=[*map(event_row, events), *more],
        raw=[raw_row(event) for event in events],
        dedupe=[dedupe_row(event) for event in events],
        log_lines=lines,
        functions=[function_row(role) for role in ("ingest", "replay", "processor")],
        invocations=[
            invocation_row("p1", at(30), function="replay"),
            invocation_row("q1", at(30.01)),
        ],
        aggregates=list(versions), messages=[], queue_state=[queue_row()], dead_letters=[],
    )  # fmt: skip


def keys(code, evidence):
    finding = finding_of(code, evidence)
    assert finding.outcome in (Outcome.FOUND, Outcome.PASSED), finding.reason
    return list(finding.keys)


@pytest.mark.parametrize("more", [(), (reused(A, at(1.5), at(40)),)], ids=["alone", "reused"])
def test_a_row_that_came_after_a_replay_hides_no_lost_event(tmp_path, more):
    versions = [aggregate_row([A, B, C], at(30.02))]
    evidence = a_case(tmp_path, [A, B, C, X], *more, loaded=[A, B, C], versions=versions)
    assert keys("sqs/lost", evidence) == [X.id]
    assert keys("replay/truncated", evidence) == []


def test_a_row_that_came_after_a_version_makes_its_day_stale_and_not_partial(tmp_path):
    before = Event("a", at(-20))
    late = reused(before, at(5), at(40))
    versions = [aggregate_row([B, C], at(30.02))]
    evidence = a_case(tmp_path, [B, C, before], late, versions=versions, scanned=2)
    assert keys("aggregates/partial", evidence) == []
    assert keys("aggregates/stale", evidence) == [f"e1 {B.day}"]


def test_the_arrival_is_that_of_the_event_where_its_time_is_known_and_else_of_the_id(tmp_path):
    late = reused(A, at(5), at(40))
    undated = event_row(B, event_time_utc=None, ingest_time_utc=at(0.5))
    evidence = evidence_of(tmp_path, events=[event_row(A), late, undated], dedupe=[dedupe_row(B)])
    rows = evidence.engine.rows(with_arrival(evidence, evidence["events"]))
    told = {(row["event_id"], row["event_time_utc"] is None, row["s3_key"]): row for row in rows}
    assert [row["arrived_utc"] for row in told.values() if row["s3_key"] == A.s3_key] == [
        A.ingested.replace(tzinfo=None)
    ]
    assert [row["arrived_utc"] for row in told.values() if row["s3_key"] == late["s3_key"]] == [
        at(40).replace(tzinfo=None)
    ]
    assert [row["arrived_utc"] for row in told.values() if row["event_id"] == B.id] == [
        at(0.5).replace(tzinfo=None)
    ]
