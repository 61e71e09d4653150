"""One small case that holds every table, and many faults: for what must be true of all checks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from investigate.tables import TABLES
from tests.builders import (
    DEAD_LETTERS_ARN,
    QUEUE_ARN,
    Event,
    aggregate_row,
    alarm_row,
    at,
    dedupe_row,
    event_row,
    function_row,
    invocation_row,
    log_line,
    mapping_row,
    message_row,
    queue_row,
    raw_row,
    unreadable_row,
)

RETRIED = timedelta(minutes=1)
GOOD = [Event(f"g{n}", at(n), entity_id=f"e{n % 3}") for n in range(24)]
FIRST, SECOND, THIRD, FOURTH, *_ = GOOD


ROLES = ("ingest", "replay", "processor")
DAY = [event for event in GOOD if event.entity_id == "e0"]  # replayed, processed and counted
WINDOW = {"start": "2026-03-10T00:00:00Z", "end": "2026-03-11T00:00:00Z"}


def healthy() -> dict[str, list[dict[str, Any]]]:
    """Every table, of a pipeline in which nothing is wrong, and set up as AWS advises."""
    tables: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
    tables |= {
        "raw": [raw_row(event) for event in GOOD],
        "events": [event_row(event) for event in GOOD],
        "dedupe": [dedupe_row(event) for event in GOOD],
        "aggregates": [aggregate_row(DAY, at(29.1))],
        "log_lines": [
            *(
                log_line("event_ingested", e.ingested, f"i-{e.name}", event_id=e.id,
                         status="ACCEPTED")
                for e in GOOD
            ),
            log_line("replay_enqueued", at(28), "p0", entity_id="e0", scanned=len(DAY),
                     sent=len(DAY), **WINDOW),
            log_line("processor_start", at(29), "w0", records=len(DAY)),
            *(
                log_line("processor_record_loaded", at(29), "w0", event_id=e.id, entity_id="e0",
                         event_time=e.body["event_time"])
                for e in DAY
            ),
            log_line("processor_aggregate_written", at(29.1), "w0", entity_id="e0", day=DAY[0].day,
                     version=int(at(29.1).timestamp()), value=float(len(DAY)),
                     inputs_hash=aggregate_row(DAY, at(29.1))["inputs_hash"]),
        ],
        "invocations": [
            *(invocation_row(f"i-{e.name}", e.ingested, function="ingest") for e in GOOD),
            invocation_row("p0", at(28), function="replay"),
            invocation_row("w0", at(29)),
        ],
    }  # fmt: skip
    return {**tables, **_settings(), "metric_points": _points()}


def _settings() -> dict[str, list[dict[str, Any]]]:
    told = {
        "handler": "handlers.run", "runtime": "python3.11", "invokers": "[]",
        "log_group_exists": True, "log_retention_days": 30,
    }  # fmt: skip
    dead = {"name": "dead-letters", "arn": DEAD_LETTERS_ARN, "role": "dead-letter"}
    watched = [
        *(("AWS/Lambda", "Errors", "FunctionName", role) for role in ROLES),
        ("PipelineInvestigationKit", "ProcessorErrorCount", "Function", "processor"),
        ("AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", "replay-queue"),
        ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", "dead-letters"),
    ]
    return {
        "functions": [function_row(role, **told) for role in ROLES],
        "queue_state": [
            queue_row(
                visibility_timeout_s=360, dead_letter_arn=DEAD_LETTERS_ARN, max_receive_count=5
            ),
            queue_row(**dead, retention_s=1_209_600),
        ],
        "mappings": [mapping_row(partial_batch_response=True)],
        "alarms": [
            alarm_row(
                f"{metric} of {name}", namespace=namespace, metric=metric,
                dimensions=json.dumps({dimension: name}),
            )
            for namespace, metric, dimension, name in watched
        ],
    }  # fmt: skip


def _points() -> list[dict[str, Any]]:
    """What CloudWatch and the functions counted: as much as the log tells."""
    counts = {"ingest": GOOD, "replay": [GOOD[0]], "processor": [GOOD[0]]}
    starts = {"replay": at(28), "processor": at(29)}
    own = {"ingest": "IngestCount", "replay": "ReplayRequestedCount",
           "processor": "ProcessorMessageCount"}  # fmt: skip
    rows = []
    for role, events in counts.items():
        moments = [starts.get(role, event.ingested) for event in events]
        for metric, value in (("Invocations", 1.0), ("Errors", 0.0), ("Throttles", 0.0)):
            rows += [_point(role, metric, value, moment) for moment in moments]
        rows += [_point(role, own[role], 1.0, moment, emf=True) for moment in moments]
    rows.append(_point("processor", "ProcessorErrorCount", 0.0, at(29), emf=True))
    return rows


def _point(
    role: str, metric: str, value: float, moment: datetime, *, emf: bool = False
) -> dict[str, Any]:
    return {
        "namespace": "PipelineInvestigationKit" if emf else "AWS/Lambda",
        "metric": metric,
        "at_utc": moment if emf else moment.replace(second=0, microsecond=0),
        "value": value,
        "dimensions": json.dumps({"Function" if emf else "FunctionName": role}),
        "origin": "emf" if emf else "cloudwatch",
    }


def troubled() -> dict[str, list[dict[str, Any]]]:
    """Every table, of a pipeline in which much is wrong."""
    tables = healthy()
    return {**tables, **_stores(tables), **_downstream(tables)}


def _stores(tables: Mapping[str, Sequence[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    lost, unknown, orphan, broken = (Event(name, at(7)) for name in ("l", "u", "o", "b"))
    risky = Event("r", at(7), source="a|b", event_type="c#d")
    skewed, late = Event("s", at(7), lag=-RETRIED), Event("t", at(7), lag=timedelta(hours=9))
    charged = [Event("x", at(8 + n / 3600), payload={"amount": 1}) for n in range(3)]
    extra = [lost, risky, skewed, late, *charged]
    raw = [raw_row(event) for event in (*extra[1:], unknown)]
    raw += [unreadable_row(broken), raw_row(FIRST, s3_key="raw/copy.json")]
    raw[0] |= {"event_id_actual": "other", "key_hour": "23", "last_modified": at(20)}
    raw.append(raw_row(THIRD.but(lag=timedelta(days=1)), payload_sha_actual="0" * 64))
    rows = [row for row in tables["events"] if row["event_id"] not in (FIRST.id, SECOND.id)]
    rows += [event_row(event) for event in (*extra, broken)]
    rows.append(event_row(FIRST.but(lag=RETRIED), status="DUPLICATE"))
    rows.append(event_row(SECOND.but(lag=timedelta(days=1)), status="DUPLICATE", gsi1sk="LAG"))
    rows.append(event_row(FOURTH, sk="TS#odd", status="?", s3_key=None, payload_sha="1" * 64))
    dedupe = [dedupe_row(FIRST, ttl_epoch=int(FIRST.when.timestamp()))]
    dedupe += [*tables["dedupe"][1:]]
    dedupe += [dedupe_row(event) for event in (*extra[:-1], unknown, orphan, broken)]
    return {"raw": [*tables["raw"], *raw], "events": rows, "dedupe": dedupe}


def _downstream(tables: Mapping[str, Sequence[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    day = [event for event in GOOD if event.entity_id == "e0"]
    window = {"start": "2026-03-10T00:00:00Z", "end": "2026-03-11T00:00:00Z"}
    lines = [
        log_line("replay_enqueued", at(29), "p1", entity_id="e0", scanned=3, sent=3, **window),
        log_line("replay_enqueued", at(29), "p2", entity_id="e9", scanned=0, sent=0, **window),
        log_line("processor_start", at(30), "w1", records=2),
        log_line("processor_record_failed", at(30), "w1", err="NoSuchKey"),
        log_line("processor_record_loaded", at(30), "w1", event_id=FIRST.id, entity_id="e0"),
    ]
    calls = [
        invocation_row("w1", at(30)),
        invocation_row("w2", at(30), status="timeout"),
        invocation_row("w3", at(30), status="out-of-memory"),
        invocation_row("w4", at(30), status="error"),
        invocation_row("p3", at(29), function="replay", status="timeout"),
        invocation_row("i9", at(7), function="ingest", status="error"),
    ]
    messages = [
        message_row(FIRST, "m1", receive_count=9),
        message_row(FIRST, "m2"),
        message_row(SECOND, "m3", well_formed=False),
    ]
    return {
        "log_lines": [*tables["log_lines"], *lines],
        "invocations": [*tables["invocations"], *calls],
        "messages": messages,
        "alarms": [alarm_row()],
        "deliveries": [
            {"arn": "rule#1", "kind": "eventbridge", "source_arn": "rule", "target_arn": "x"}
        ],
        "deployments": [
            {"resource": "processor", "kind": "function", "at_utc": at(29), "what": "updated"}
        ],
        "queue_state": [queue_row(visible=3, oldest_age_s=340_000)],
        "mappings": [mapping_row(state="Disabled", source_arn=QUEUE_ARN)],
        "aggregates": [
            aggregate_row(day[:2], at(30)),
            aggregate_row(day, at(31)),
            aggregate_row(day[:3], at(32), inputs_hash="0" * 64),
        ],
        "functions": [
            function_row("ingest"), function_row("replay", dry_run=True), function_row("processor"),
        ],
        "metric_points": [{**point, "value": 2.0} for point in tables["metric_points"]],
    }  # fmt: skip
