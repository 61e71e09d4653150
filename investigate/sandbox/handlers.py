"""The three functions of the reference pipeline, defects included; D numbers as in `pipeline`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from investigate import pipeline
from investigate.sandbox.function import Context, from_item, parse_time, to_item

REQUEST_FIELDS = ("source", "event_type", "entity_id", "event_time", "payload")
RECORD_ERRORS = (
    ClientError, BotoCoreError, LookupError, ValueError, TypeError, AttributeError,
)  # fmt: skip


def ingest(event: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Accept one event, or refuse it as a duplicate; a body of `null` is not handled (D27)."""
    try:
        body = json.loads(event["body"])
    except json.JSONDecodeError:
        return _refuse(context, "invalid_json")
    if any(name not in body for name in REQUEST_FIELDS):
        return _refuse(context, "schema")
    try:
        event_time = parse_time(body["event_time"])
    except ValueError:
        return _refuse(context, "schema")
    row = _event_row(body, event_time, context)
    if not context.dry_run:  # D24: a dry run answers and counts like a real one
        _store(body, row, context)
    return _accept(row, context)


def _event_row(body: Mapping[str, Any], moment: datetime, context: Context) -> dict[str, Any]:
    now, design = context.clock.now(), context.design
    source, event_type, entity_id = (str(body[name]) for name in REQUEST_FIELDS[:3])  # D27: null
    event_time, ingest_time = pipeline.format_time(moment), pipeline.format_time(now)
    sha = pipeline.payload_sha(body["payload"])
    if body.get("idempotency_key"):
        event_id = design.keyed_event_id(source, event_type, entity_id, body["idempotency_key"])
    else:
        event_id = design.hashed_event_id(source, event_type, entity_id, event_time, sha)
    lag = max(0, (now - moment) // timedelta(milliseconds=1))  # D17: a fast clock shows no lag
    bucket, prefix = context.environment["RAW_BUCKET"], context.environment["RAW_PREFIX"]
    return {
        "PK": design.event_pk(entity_id),
        "SK": design.event_sk(event_time, event_id),
        "GSI1PK": design.event_gsi1pk(source, event_type, event_time[:10]),
        "GSI1SK": design.event_gsi1sk(lag, ingest_time, event_id),
        "event_id": event_id,
        "source": source,
        "event_type": event_type,
        "entity_id": entity_id,
        "event_time": event_time,
        "ingest_time": ingest_time,
        "ingest_lag_ms": lag,
        "payload_sha": sha,
        "status": design.accepted,
        "day": event_time[:10],
        "hour": event_time[11:13],
        "s3_bucket": bucket,
        # D2: from this request's times, even if another request wrote the object
        "s3_key": design.raw_key(source, event_type, event_time, ingest_time, event_id, prefix),
    }


def _store(body: Mapping[str, Any], row: dict[str, Any], context: Context) -> None:
    if not _first_seen(row, context):  # D3: the gate closes before the object exists
        row["status"] = context.design.duplicate
    else:
        known = {name: row[name] for name in ("event_id", "event_time", "ingest_time")}
        raw = {**body, **known, "payload_sha": row["payload_sha"]}
        context.clients.s3.put_object(  # D18: no If-None-Match
            Bucket=row["s3_bucket"],
            Key=row["s3_key"],
            Body=json.dumps(raw).encode(),
            ContentType="application/json",
        )
    context.clients.dynamodb.put_item(  # D1: a duplicate overwrites the accepted row
        TableName=context.environment["EVENTS_TABLE"], Item=to_item(row)
    )


def _first_seen(row: Mapping[str, Any], context: Context) -> bool:
    """Whether nobody has seen the event; an expired row that still exists has (D4)."""
    now = context.clock.now()
    lifetime = timedelta(days=pipeline.DEDUPE_LIFETIME_DAYS)
    names = ("event_id", "entity_id", "source", "event_type", "event_time")
    seen = {
        **{name: row[name] for name in names},
        "first_seen_ingest_time": row["ingest_time"],
        "ttl_epoch": int((now + lifetime).timestamp()),
    }
    try:
        context.clients.dynamodb.put_item(
            TableName=context.environment["DEDUPE_TABLE"],
            Item=to_item(seen),
            ConditionExpression="attribute_not_exists(event_id)",
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        return False
    return True


def _accept(row: Mapping[str, Any], context: Context) -> dict[str, Any]:
    said = {name: row[name] for name in ("event_id", "status", "s3_key")}
    context.info(
        "event_ingested",
        request_id=context.request_id,
        event_id=row["event_id"],
        status=row["status"],
        lag_ms=row["ingest_lag_ms"],
        s3_key=row["s3_key"],
    )
    counts = {
        "IngestCount": 1,
        "DuplicateCount": int(row["status"] == context.design.duplicate),
        "IngestLagMs": row["ingest_lag_ms"],
    }
    context.count(counts, Source=str(row["source"]), Type=str(row["event_type"]))
    return _answer(200, said)


def _refuse(context: Context, reason: str) -> dict[str, Any]:
    context.info("event_invalid", request_id=context.request_id, reason=reason)
    context.count({"InvalidCount": 1}, Reason=reason)
    return _answer(400, {"error": reason})


def replay(event: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Send the events of an entity and window again; bad input is not handled (D27)."""
    body = json.loads(event["body"])
    entity_id = body["entity_id"]
    start, end = (pipeline.format_time(parse_time(body[name])) for name in ("start", "end"))
    limit = int(body.get("limit") or pipeline.DEFAULT_REPLAY_LIMIT)
    include_duplicates = bool(body.get("include_duplicates", False))  # D8: "false" is true
    rows = [] if context.dry_run else _rows(entity_id, start, end, limit, context)  # D9
    sent = _send(rows, include_duplicates, context)
    counts = {"scanned": len(rows), "sent": sent}
    context.info("replay_enqueued", entity_id=entity_id, start=start, end=end, **counts)
    context.count({"ReplayRequestedCount": 1, "ReplayMessageCount": sent})  # D28: at the end only
    return _answer(200, counts)


def _rows(
    entity_id: str, start: str, end: str, limit: int, context: Context
) -> list[dict[str, Any]]:
    """Return one page of rows (D7) between the texts of two times (D6)."""
    values = {
        ":pk": context.design.event_pk(entity_id),
        ":start": context.design.replay_bound(start),
        ":end": context.design.replay_bound(end),
    }
    page = context.clients.dynamodb.query(
        TableName=context.environment["EVENTS_TABLE"],
        KeyConditionExpression="PK = :pk AND SK BETWEEN :start AND :end",
        ExpressionAttributeValues=to_item(values),
        Limit=limit,
    )
    return [from_item(item) for item in page["Items"]]


def _send(rows: list[dict[str, Any]], include_duplicates: bool, context: Context) -> int:
    """Send one message per call (D23) and return how many were sent."""
    seen: set[Any] = set()
    sent = 0
    for row in rows:
        repeated = row.get("event_id") in seen
        seen.add(row.get("event_id"))
        if repeated and not include_duplicates:
            continue
        if not all(row.get(name) for name in ("event_id", "s3_bucket", "s3_key")):
            continue
        context.clients.sqs.send_message(
            QueueUrl=context.environment["REPLAY_QUEUE_URL"],
            MessageBody=context.design.replay_message(row),
        )
        sent += 1
    return sent


def process(event: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Aggregate one batch of messages; what it returns lets the queue delete them all (D11)."""
    records = event["Records"]
    context.info("processor_start", records=len(records))
    if context.dry_run:  # D10: the messages are deleted unread
        return {"ok": True, "processed": 0, "errors": 0}
    loaded = _load(records, context)
    groups = _groups(loaded, context)  # D12: what fails from here on fails the batch
    context.info("processor_grouped", groups=len(groups))
    for (entity_id, day), events in sorted(groups.items()):
        _write_aggregate(entity_id, day, events, context)
    failed = len(records) - len(loaded)
    context.count({"ProcessorMessageCount": len(records), "ProcessorErrorCount": failed})
    return {"ok": True, "processed": len(loaded), "errors": failed}


def _load(records: list[dict[str, Any]], context: Context) -> list[dict[str, Any]]:
    loaded = []
    for record in records:
        try:
            loaded.append(_load_one(json.loads(record["body"]), context))
        except RECORD_ERRORS as error:  # D11: counted and forgotten
            context.warning("processor_record_failed", err=str(error))
    return loaded


def _load_one(message: Mapping[str, Any], context: Context) -> dict[str, Any]:
    where = {one: message[context.design.message_fields[one]] for one in ("s3_bucket", "s3_key")}
    found = context.clients.s3.get_object(Bucket=where["s3_bucket"], Key=where["s3_key"])
    raw: dict[str, Any] = json.loads(found["Body"].read().decode("utf-8"))
    names = ("event_id", "entity_id", "event_time")
    about = {name: raw.get(name) for name in names}
    context.info("processor_record_loaded", **about, **where)
    return raw


def _groups(loaded: list[dict[str, Any]], context: Context) -> dict[tuple[str, str], Inputs]:
    """Return the inputs per entity and day, of this batch alone (D13), doubles included (D15)."""
    groups: dict[tuple[str, str], Inputs] = {}
    for raw in loaded:
        day = _period(raw, context)
        inputs = (raw["event_time"], raw["event_id"], raw["payload_sha"], _share(raw, context))
        groups.setdefault((str(raw["entity_id"]), day), []).append(inputs)
    return groups


def _write_aggregate(entity_id: str, day: str, events: Inputs, context: Context) -> None:
    """Write the version of one batch: append-only, but for another one of the same period in the
    same second."""
    now, design = context.clock.now(), context.design
    version = int(now.timestamp())  # D14: two batches in one second share a key
    start = datetime.fromisoformat(day).replace(tzinfo=UTC)
    facts = {
        "entity_id": entity_id,
        "day": day,
        "version": version,
        "metric_name": design.aggregate.metric_name,
        "value": sum(share for *_, share in events),
        "input_count": len(events),
        "inputs_hash": design.aggregate.inputs_hash(one[:3] for one in events),
        "window_start": pipeline.format_time(start),
        "window_end": pipeline.format_time(start + design.aggregate.length),
    }
    keys = {"PK": design.event_pk(entity_id), "SK": design.aggregate.sk(day, version)}
    sample = [event_id for _, event_id, *_ in sorted(events)[: design.sample_ids]]
    row = {
        **keys,
        **facts,
        "computed_at": pipeline.format_time(now),
        "sample_event_ids": sample,
    }
    context.clients.dynamodb.put_item(
        TableName=context.environment["AGGREGATES_TABLE"], Item=to_item(row)
    )
    context.info("processor_aggregate_written", **facts)


def _answer(code: int, body: Mapping[str, Any]) -> dict[str, Any]:
    return {"statusCode": code, "body": json.dumps(body)}


def _period(raw: Mapping[str, Any], context: Context) -> str:
    """Return the period of the aggregates in which an event lies."""
    moment = pipeline.format_time(parse_time(raw["event_time"]))
    return context.design.aggregate.period_of(moment)


def _share(raw: Mapping[str, Any], context: Context) -> int | float:
    """Return what an event adds to the value of its aggregate."""
    return context.design.aggregate.value([raw.get("payload")])


Inputs = list[tuple[str, str, str, int | float]]  # event time, id, payload hash, share of the value
