"""Items of the DynamoDB tables as rows of `events`, `dedupe` and `aggregates`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from investigate.capture.source import Row
from investigate.capture.values import moment, number, plain, text, whole
from investigate.pipeline import Design


def event(item: Row, design: Design) -> Row:
    """Return a row of EventsTable as a row of `events`."""
    return {
        **_keys(item),
        **_texts(
            item,
            "event_id", "source", "event_type", "entity_id", "event_time", "ingest_time",
            "payload_sha", "status", "s3_bucket", "s3_key",
        ),
        "event_time_utc": moment(item.get("event_time")),
        "ingest_time_utc": moment(item.get("ingest_time")),
        "ingest_lag_ms": whole(item.get("ingest_lag_ms")),
        "gsi1pk": text(_either(item, "GSI1PK")),
        "gsi1sk": text(_either(item, "GSI1SK")),
        "attributes": json.dumps(item, sort_keys=True, ensure_ascii=False),
    }  # fmt: skip


def dedupe(item: Row, design: Design) -> Row:
    """Return a row of DedupeTable as a row of `dedupe`."""
    return {
        **_texts(
            item,
            "event_id", "first_seen_ingest_time", "entity_id", "source", "event_type", "event_time",
        ),
        "first_seen_utc": moment(item.get("first_seen_ingest_time")),
        "event_time_utc": moment(item.get("event_time")),
        "ttl_epoch": whole(item.get("ttl_epoch")),
    }  # fmt: skip


def aggregate(item: Row, design: Design) -> Row:
    """Return a row of AggregatesTable as a row of `aggregates`; the version stands in its key."""
    keys = _keys(item)
    in_key = design.aggregate.version_of(keys["sk"] or "")
    samples = item.get("sample_event_ids")
    return {
        **keys,
        **_texts(item, "entity_id", "metric_name", "inputs_hash", "computed_at"),
        "day": text(item.get("day")) or (in_key and in_key[0]),
        "version": whole(in_key[1]) if in_key else whole(item.get("version")),
        "value": number(item.get("value")),
        "input_count": whole(item.get("input_count")),
        "sample_event_ids": [text(one) for one in samples] if isinstance(samples, list) else None,
        "computed_at_utc": moment(item.get("computed_at")),
    }


def _keys(item: Row) -> dict[str, str | None]:
    return {"pk": text(_either(item, "PK")), "sk": text(_either(item, "SK"))}


def _either(item: Row, name: str) -> Any:
    return item.get(name, item.get(name.lower()))


def _texts(item: Row, *names: str) -> dict[str, str | None]:
    return {name: text(item.get(name)) for name in names}


CONVERT: Mapping[str, Callable[[Row, Design], Row]] = {
    "events": event,
    "dedupe": dedupe,
    "aggregates": aggregate,
}


def converted(table: str, items: Iterable[Mapping[str, Any]], design: Design) -> list[Row]:
    """Return items, as DynamoDB writes them, as rows of a table."""
    convert = CONVERT[table]
    return [convert({name: plain(value) for name, value in item.items()}, design) for item in items]
