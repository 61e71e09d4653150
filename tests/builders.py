"""Tiny evidence for tests: a few events as rows of each table, and a case made from them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from investigate import pipeline
from investigate.case import Coverage, open_case
from investigate.case_writer import CaseWriter
from investigate.checks.registry import answer, book
from investigate.evidence import Evidence, Scope
from investigate.model import Finding, Window
from investigate.pipeline import REFERENCE
from investigate.settings import Thresholds
from investigate.tables import TABLES

START = datetime(2026, 3, 10, tzinfo=UTC)
END = START + timedelta(days=1)
CAPTURED = END + timedelta(days=1)
BUCKET = "raw-bucket"


def at(hours: float) -> datetime:
    """A time so many hours after the start of the window."""
    return START + timedelta(hours=hours)


@dataclass(frozen=True)
class Event:
    """One well-behaved event, and what each store holds of it."""

    name: str
    when: datetime = field(default_factory=lambda: at(6))
    lag: timedelta = timedelta(seconds=2)
    entity_id: str = "e1"
    source: str = "web"
    event_type: str = "order"
    payload: Mapping[str, Any] | None = None

    @property
    def body(self) -> dict[str, Any]:
        payload = dict(self.payload) if self.payload is not None else {"name": self.name}
        body: dict[str, Any] = {
            "source": self.source,
            "event_type": self.event_type,
            "entity_id": self.entity_id,
            "event_time": pipeline.format_time(self.when),
            "ingest_time": pipeline.format_time(self.ingested),
            "payload": payload,
            "payload_sha": pipeline.payload_sha(payload),
        }
        body["event_id"] = REFERENCE.recomputed_event_id(body)
        return body

    @property
    def ingested(self) -> datetime:
        return self.when + self.lag

    @property
    def id(self) -> str:
        return str(self.body["event_id"])

    @property
    def sha(self) -> str:
        return str(self.body["payload_sha"])

    @property
    def s3_key(self) -> str:
        body = self.body
        return REFERENCE.raw_key(
            self.source, self.event_type, body["event_time"], body["ingest_time"], self.id
        )

    @property
    def day(self) -> str:
        return self.when.date().isoformat()

    def but(self, **changes: Any) -> Event:
        return replace(self, **changes)


def raw_row(event: Event, **changes: Any) -> dict[str, Any]:
    body = event.body
    key = REFERENCE.parse_raw_key(event.s3_key)
    assert key
    row = {
        "s3_key": event.s3_key,
        "size": len(json.dumps(body)),
        "last_modified": event.ingested.replace(microsecond=0),
        "etag": pipeline.sha256(event.id)[:32],
        "key_event_id": key.event_id,
        "key_source": key.source,
        "key_event_type": key.event_type,
        "key_event_date": key.event_date,
        "key_ingest_date": key.ingest_date,
        "key_hour": key.hour,
        "readable": True,
        **{name: body[name] for name in pipeline.REQUIRED_FIELDS if name != "payload"},
        "event_time_utc": event.when,
        "ingest_time_utc": event.ingested,
        "payload_sha_actual": event.sha,
        "event_id_actual": event.id,
        "payload": pipeline.canonical_json(body["payload"]),
    }
    return {**row, **changes}


def unreadable_row(event: Event, error: str = "not-json", **changes: Any) -> dict[str, Any]:
    row = raw_row(event, readable=False, error=error)
    content = set(pipeline.REQUIRED_FIELDS) | {
        "event_time_utc", "ingest_time_utc", "payload_sha_actual", "event_id_actual",
    }  # fmt: skip
    return {**{name: value for name, value in row.items() if name not in content}, **changes}


def event_row(event: Event, **changes: Any) -> dict[str, Any]:
    body = event.body
    lag = max(0, int(event.lag.total_seconds() * 1000))
    row = {
        "pk": REFERENCE.event_pk(event.entity_id),
        "sk": REFERENCE.event_sk(body["event_time"], event.id),
        **{
            name: body[name]
            for name in (
                "event_id", "source", "event_type", "entity_id", "event_time", "ingest_time",
                "payload_sha",
            )
        },
        "event_time_utc": event.when,
        "ingest_time_utc": event.ingested,
        "ingest_lag_ms": lag,
        "status": "ACCEPTED",
        "s3_bucket": BUCKET,
        "s3_key": event.s3_key,
        "gsi1pk": REFERENCE.event_gsi1pk(event.source, event.event_type, event.day),
        "gsi1sk": REFERENCE.event_gsi1sk(lag, body["ingest_time"], event.id),
    }  # fmt: skip
    row = {**row, **changes}
    shown = {k: v for k, v in row.items() if not isinstance(v, datetime) and v is not None}
    return {**row, "attributes": json.dumps(shown, sort_keys=True)}


def dedupe_row(event: Event, **changes: Any) -> dict[str, Any]:
    lifetime = timedelta(days=pipeline.DEDUPE_LIFETIME_DAYS)
    row = {
        "event_id": event.id,
        "first_seen_ingest_time": event.body["ingest_time"],
        "first_seen_utc": event.ingested,
        "entity_id": event.entity_id,
        "source": event.source,
        "event_type": event.event_type,
        "event_time": event.body["event_time"],
        "event_time_utc": event.when,
        "ttl_epoch": int((event.ingested + lifetime).timestamp()),
    }
    return {**row, **changes}


def message_row(event: Event, message_id: str = "m1", **changes: Any) -> dict[str, Any]:
    body = json.dumps({"event_id": event.id, "s3_key": event.s3_key})
    row = {
        "message_id": message_id,
        "body": body,
        "body_sha": pipeline.sha256(body),
        "well_formed": True,
        "event_id": event.id,
        "entity_id": event.entity_id,
        "event_time": event.body["event_time"],
        "event_time_utc": event.when,
        "s3_bucket": BUCKET,
        "s3_key": event.s3_key,
        "sent_utc": at(30),
        "first_received_utc": at(47),
        "receive_count": 1,
    }
    return {**row, **changes}


def aggregate_row(
    events: Sequence[Event], computed: datetime | None = None, **changes: Any
) -> dict[str, Any]:
    """The version the processor writes for a batch of one entity and day."""
    moment = computed or at(30)
    ordered = sorted(events, key=lambda event: (event.body["event_time"], event.id))
    inputs = [(event.body["event_time"], event.id, event.sha) for event in ordered]
    first = ordered[0]
    version = int(moment.timestamp())
    row = {
        "pk": REFERENCE.event_pk(first.entity_id),
        "sk": REFERENCE.aggregate.sk(first.day, version),
        "entity_id": first.entity_id,
        "day": first.day,
        "version": version,
        "metric_name": REFERENCE.aggregate.metric_name,
        "value": float(len(ordered)),
        "inputs_hash": REFERENCE.aggregate.inputs_hash(inputs),
        "input_count": len(ordered),
        "sample_event_ids": [event.id for event in ordered[: REFERENCE.sample_ids]],
        "computed_at": pipeline.format_time(moment),
        "computed_at_utc": moment,
    }
    return {**row, **changes}


def log_line(
    message: str, logged: datetime, request_id: str = "r1", **fields: Any
) -> dict[str, Any]:
    """A structured line; the function is the role that writes such lines."""
    role = {"event": "ingest", "replay": "replay"}.get(message.split("_")[0], "processor")
    return {
        "function": role,
        "request_id": request_id,
        "logged_utc": logged,
        "level": "WARNING" if message.endswith("_failed") else "INFO",
        "message": message,
        "fields": json.dumps(fields, sort_keys=True),
        "event_id": fields.get("event_id"),
        "entity_id": fields.get("entity_id"),
    }


def invocation_row(request_id: str, started: datetime, **changes: Any) -> dict[str, Any]:
    row = {
        "function": "processor",
        "request_id": request_id,
        "started_utc": started,
        "ended_utc": started + timedelta(milliseconds=120),
        "duration_ms": 120.0,
        "billed_ms": 120,
        "memory_mb": 512,
        "max_memory_mb": 90,
        "status": "ok",
        "log_stream": "stream-1",
    }
    return {**row, **changes}


def function_row(role: str, **changes: Any) -> dict[str, Any]:
    row = {
        "name": role,
        "role": role,
        "arn": f"arn:aws:lambda:eu-west-1:123456789012:function:{role}",
        "timeout_s": 60 if role == "processor" else 30,
        "memory_mb": 512 if role == "processor" else 256,
        "log_group": f"/aws/lambda/{role}",
        "log_format": "JSON",
        "tracing": "Active",
        "dry_run": False,
        "code_sha256": "c" * 44,
        "last_modified_utc": at(-24),
    }
    return {**row, **changes}


QUEUE_ARN = "arn:aws:sqs:eu-west-1:123456789012:replay-queue"


def queue_row(**changes: Any) -> dict[str, Any]:
    row = {
        "name": "replay-queue",
        "arn": QUEUE_ARN,
        "role": "replay",
        "visible": 0,
        "not_visible": 0,
        "delayed": 0,
        "retention_s": pipeline.QUEUE_RETENTION_SECONDS,
        "visibility_timeout_s": pipeline.QUEUE_VISIBILITY_SECONDS,
    }
    return {**row, **changes}


def mapping_row(**changes: Any) -> dict[str, Any]:
    row = {
        "uuid": "11111111-2222-3333-4444-555555555555",
        "function": "processor",
        "source_arn": QUEUE_ARN,
        "state": "Enabled",
        "batch_size": REFERENCE.batch_size,
        "window_s": 0,
        "partial_batch_response": False,
        "last_result": "OK",
    }
    return {**row, **changes}


def alarm_row(name: str = "alarm", **changes: Any) -> dict[str, Any]:
    """An alarm on the errors of the processor that tells somebody of the first one."""
    row = {
        "name": name,
        "namespace": "AWS/Lambda",
        "metric": "Errors",
        "dimensions": '{"FunctionName": "processor"}',
        "actions": ["arn:aws:sns:eu-west-1:123456789012:alerts"],
        "statistic": "Sum",
        "period_s": 60,
        "threshold": 1.0,
        "comparison": "GreaterThanOrEqualToThreshold",
        "evaluation_periods": 1,
        "datapoints_to_alarm": 1,
        "treat_missing": "notBreaching",
        "actions_enabled": True,
    }
    return {**row, **changes}


DEAD_LETTERS_ARN = "arn:aws:sqs:eu-west-1:123456789012:dead-letters"


def letter_row(
    event: Event | None = None, message_id: str = "d1", **changes: Any
) -> dict[str, Any]:
    """A message that SQS moved from the replay queue, or one about no known event."""
    content = {"event_id": event.id, "s3_key": event.s3_key} if event else {"odd": message_id}
    body = json.dumps(content)
    row = {
        "channel": "sqs-redrive",
        "message_id": message_id,
        "source_arn": QUEUE_ARN,
        "queue_arn": DEAD_LETTERS_ARN,
        "body": body,
        "body_sha": pipeline.sha256(body),
        "event_id": event.id if event else None,
        "attempts": 5,
        "sent_utc": at(30),
        "expires_utc": at(30 + 14 * 24),
    }
    return {**row, **changes}


def evidence_of(
    folder: Path,
    *,
    coverage: Mapping[str, Coverage] | None = None,
    scope: Scope | None = None,
    thresholds: Thresholds | None = None,
    **tables: Sequence[Mapping[str, Any]],
) -> Evidence:
    """A case in `folder` holding exactly these tables, opened as evidence; all of them captured
    wholly unless `coverage` says otherwise."""
    known = dict(coverage or {})
    where = folder / f"case-{len(list(folder.iterdir()))}"
    writer = CaseWriter(
        where, "test", Window(START, END), CAPTURED, 300, {"name": "test", "version": "0"}, {}
    )
    with writer:
        for table in TABLES:
            if table in tables:
                writer.add(table, tables[table], known.get(table, Coverage("captured")))
            else:
                writer.leave_out(table, known.get(table, Coverage("skipped", "not in this test")))
    return Evidence(open_case(where), thresholds=thresholds or Thresholds(), scope=scope)


def with_a_lost_object(folder: Path, kept: Event, lost: Event) -> Evidence:
    """A case of two events, one of which has lost its raw object; nothing else was captured."""
    rows = [event_row(kept), event_row(lost)]
    return evidence_of(folder, raw=[raw_row(kept)], events=rows)


def finding_of(code: str, evidence: Evidence) -> Finding:
    """The answer of one check."""
    return answer(book[code], evidence)
