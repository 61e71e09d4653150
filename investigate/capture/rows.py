"""The DynamoDB tables: every row of EventsTable, DedupeTable and AggregatesTable."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from investigate.capture.source import Captured, Row, Source, not_configured
from investigate.capture.values import moment, number, plain, text, whole
from investigate.case import Coverage

_VERSION = re.compile(r"DAY#(?P<day>.*)#VER#(?P<version>[0-9]+)")


def read_events(source: Source) -> list[Captured]:
    """Return the table `events`."""
    return [_scan(source, "events", source.names.events_table, event)]


def read_dedupe(source: Source) -> list[Captured]:
    """Return the table `dedupe`, rows that have expired but are still there included."""
    return [_scan(source, "dedupe", source.names.dedupe_table, dedupe)]


def read_aggregates(source: Source) -> list[Captured]:
    """Return the table `aggregates`."""
    return [_scan(source, "aggregates", source.names.aggregates_table, aggregate)]


def event(item: Row) -> Row:
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


def dedupe(item: Row) -> Row:
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


def aggregate(item: Row) -> Row:
    """Return a row of AggregatesTable as a row of `aggregates`; the version stands in its key."""
    keys = _keys(item)
    match = _VERSION.fullmatch(keys["sk"] or "")
    samples = item.get("sample_event_ids")
    return {
        **keys,
        **_texts(item, "entity_id", "metric_name", "inputs_hash", "computed_at"),
        "day": text(item.get("day")) or (match and match["day"]),
        "version": whole(match["version"]) if match else whole(item.get("version")),
        "value": number(item.get("value")),
        "input_count": whole(item.get("input_count")),
        "sample_event_ids": [text(one) for one in samples] if isinstance(samples, list) else None,
        "computed_at_utc": moment(item.get("computed_at")),
    }


def _scan(source: Source, table: str, name: str | None, convert: Callable[[Row], Row]) -> Captured:
    if not name:
        return Captured(table, not_configured(f"{table} table"))
    return Captured(table, Coverage("captured"), [convert(item) for item in _items(source, name)])


def _items(source: Source, name: str) -> Iterator[Row]:
    for page in source.connection.pages("dynamodb", "Scan", TableName=name):
        for item in page.get("Items", []):
            yield {attribute: plain(value) for attribute, value in item.items()}


def _keys(item: Row) -> dict[str, str | None]:
    return {"pk": text(_either(item, "PK")), "sk": text(_either(item, "SK"))}


def _either(item: Row, name: str) -> Any:
    return item.get(name, item.get(name.lower()))


def _texts(item: Row, *names: str) -> dict[str, str | None]:
    return {name: text(item.get(name)) for name in names}
