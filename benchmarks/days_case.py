"""A synthetic case of many days of 50 events, with aggregate versions of every kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from investigate import pipeline
from investigate.case import Coverage
from investigate.case_writer import CaseWriter
from investigate.model import Window
from investigate.pipeline import REFERENCE

START = datetime(2026, 3, 1, tzinfo=UTC)
DAYS = 20
EVENTS_A_DAY = 50
WINDOW = Window(START, START + timedelta(days=DAYS))
Row = dict[str, Any]


def write_case(folder: Path, events: int) -> int:
    """Write a case of at least so many events; return how many aggregate versions it has."""
    raw: list[Row] = []
    aggregates: list[Row] = []
    for number in range(-(-events // EVENTS_A_DAY)):
        day = [_event(number, position) for position in range(EVENTS_A_DAY)]
        raw += day
        aggregates += _versions(number, day)
    captured = WINDOW.end + timedelta(days=2)
    tool = {"name": "benchmark", "version": "1"}
    with CaseWriter(folder, "benchmark", WINDOW, captured, 300, tool, {}) as writer:
        whole = Coverage("captured")
        writer.add("raw", [_object(event) for event in raw], whole)
        writer.add("events", [_row(event) for event in raw], whole)
        writer.add("aggregates", aggregates, whole)
    return len(aggregates)


def _event(number: int, position: int) -> Row:
    entity = f"e{number // DAYS}"
    when = START + timedelta(days=number % DAYS, minutes=20 * position, seconds=number % 60)
    text = pipeline.format_time(when)
    sha = pipeline.sha256(f"{number} {position}")
    event_id = REFERENCE.hashed_event_id("web", "order", entity, text, sha)
    return {
        "event_id": event_id,
        "source": "web",
        "event_type": "order",
        "entity_id": entity,
        "event_time": text,
        "event_time_utc": when,
        "ingest_time": pipeline.format_time(when + timedelta(seconds=2)),
        "ingest_time_utc": when + timedelta(seconds=2),
        "payload_sha": sha,
    }


def _row(event: Row) -> Row:
    return {**event, "pk": REFERENCE.event_pk(event["entity_id"]),
            "sk": REFERENCE.event_sk(event["event_time"], event["event_id"])}  # fmt: skip


def _object(event: Row) -> Row:
    key = REFERENCE.raw_key(
        "web", "order", event["event_time"], event["ingest_time"], event["event_id"]
    )
    return {**event, "s3_key": key, "key_event_id": event["event_id"], "readable": True}


def _versions(number: int, day: Sequence[Row]) -> Iterator[Row]:
    """Five batches of ten; for some days also the whole day, a run, a doubled day, a forgery."""
    kinds = [day[at : at + 10] for at in range(0, EVENTS_A_DAY, 10)]
    for every, inputs in ((10, day), (15, day[7:31]), (40, [*day, *day])):
        if number % every == 0:
            kinds.append(list(inputs))
    for serial, inputs in enumerate(kinds):
        version = _version(day[-1]["event_time_utc"] + timedelta(hours=8, minutes=serial), inputs)
        if number % 50 == 0 and serial == 2:
            version["inputs_hash"] = pipeline.sha256("forged")
        yield version


def _version(computed: datetime, inputs: Sequence[Row]) -> Row:
    listed = sorted((row["event_time"], row["event_id"], row["payload_sha"]) for row in inputs)
    entity, day = inputs[0]["entity_id"], inputs[0]["event_time"][:10]
    version = int(computed.timestamp())
    return {
        "pk": REFERENCE.event_pk(entity),
        "sk": REFERENCE.aggregate.sk(day, version),
        "entity_id": entity,
        "day": day,
        "version": version,
        "metric_name": REFERENCE.aggregate.metric_name,
        "value": float(len(listed)),
        "inputs_hash": REFERENCE.aggregate.inputs_hash(listed),
        "input_count": len(listed),
        "sample_event_ids": [event_id for _, event_id, _ in listed[: REFERENCE.sample_ids]],
        "computed_at": pipeline.format_time(computed),
        "computed_at_utc": computed,
    }
