"""The DynamoDB tables: scanned in segments, or, of single entities, asked for by key."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pyarrow as pa

from investigate.aws import Item, Items
from investigate.capture import exported, known_ids
from investigate.capture.columns import of_page
from investigate.capture.rows import converted
from investigate.capture.source import STEP_ROWS, Captured, Source, between, stored
from investigate.case import Coverage
from investigate.errors import AccessError
from investigate.pipeline import Design

# A scan is split into so many segments, read at the same time. More would be faster, and take
# more of what a provisioned table has for its own use.
SEGMENTS = 4
KEYS_AT_ONCE = 100  # the most that BatchGetItem takes
_WAITS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)  # seconds, before keys left unprocessed are retried

Page = tuple[Sequence[Item], Item | None]  # and the key to go on from, if there is more


def read_events(source: Source) -> list[Captured]:
    """Return the table `events`; of single entities, by a query of each."""
    return _read(source, "events", source.names.events_table, _queries)


def read_dedupe(source: Source) -> list[Captured]:
    """Return the table `dedupe`, rows that have expired but are still there included.

    Of single entities, only the rows of events that are known otherwise can be asked for.
    """
    return _read(source, "dedupe", source.names.dedupe_table, _by_known_ids)


def read_aggregates(source: Source) -> list[Captured]:
    """Return the table `aggregates`; of single entities, by a query of each."""
    return _read(source, "aggregates", source.names.aggregates_table, _queries)


Ask = Callable[[Source, str, str], Coverage]


def _read(source: Source, table: str, name: str | None, of_entities: Ask) -> list[Captured]:
    export = getattr(source.names, f"{table}_export")
    if export and source.options.in_place:
        return [exported.in_place(source, table, export, name)]
    if export:
        return [Captured(table, exported.read(source, table, export, name), kept=True)]
    if not name:
        return [Captured(table, source.lacks(f"{table} table"))]
    coverage = (
        of_entities(source, table, name) if source.options.entities else _scan(source, table, name)
    )
    return [Captured(table, coverage, kept=True)]


def _scan(source: Source, table: str, name: str) -> Coverage:
    def read_segment(segment: int) -> None:
        unit = f"{table}/{segment}"
        asked = {"TableName": name, "Segment": segment, "TotalSegments": SEGMENTS}
        _keep(source, table, unit, partial(_pages, source, "Scan", asked))

    with ThreadPoolExecutor(SEGMENTS) as pool:
        for _ in pool.map(read_segment, range(SEGMENTS)):
            pass
    return Coverage("captured", horizon=between(None, source.options.captured_at))


def _queries(source: Source, table: str, name: str) -> Coverage:
    entities = source.options.entities
    for entity in entities:
        asked = {
            "TableName": name,
            "KeyConditionExpression": "PK = :pk",
            "ExpressionAttributeValues": {":pk": {"S": source.names.design.event_pk(entity)}},
        }
        unit = f"{table}/{entity}"
        _keep(source, table, unit, partial(_pages, source, "Query", asked))
    horizon = between(None, source.options.captured_at)
    return Coverage("captured", f"entity {', '.join(entities)} only", horizon)


def _by_known_ids(source: Source, table: str, name: str) -> Coverage:
    ids = sorted(known_ids.of(source) or ())
    done = (source.draft.note(table) or {"done": 0})["done"]
    for at in range(done, len(ids), KEYS_AT_ONCE):
        rows = converted(
            table, _batch(source, name, ids[at : at + KEYS_AT_ONCE]), source.names.design
        )
        source.keep(table, {table: rows}, {"done": at + KEYS_AT_ONCE})
    whose = known_ids.in_words(ids, source.options.entities)
    reason = f"only the rows of {whose}: an event that no row of the index knows is not seen"
    horizon = between(None, source.options.captured_at)
    return Coverage("partial", reason, horizon, listed=known_ids.are_whole(source))


def _batch(source: Source, name: str, ids: Iterable[str]) -> Iterator[Mapping[str, Any]]:
    """Yield the items of some keys; what DynamoDB leaves unanswered is asked for again."""
    wanted: Mapping[str, Any] = {name: {"Keys": [{"event_id": {"S": one}} for one in ids]}}
    for wait in (*_WAITS, None):
        answer = source.connection.call(
            "dynamodb", "BatchGetItem", RequestItems=wanted, ReturnConsumedCapacity="TOTAL"
        )
        source.connection.meter.consumed(answer)
        yield from answer.get("Responses", {}).get(name, [])
        wanted = answer.get("UnprocessedKeys", {})
        if not wanted:
            return
        if wait is not None:
            time.sleep(wait)
    asked = f"dynamodb:BatchGetItem of {name}"
    raise AccessError(
        f"{asked}: keys were left unprocessed", kind="busy", code="UnprocessedKeys", asked=asked
    )


def _keep(source: Source, table: str, unit: str, pages: Callable[[Any], Iterator[Page]]) -> None:
    """Read pages from where the unit stands, and keep their rows step by step."""
    note = source.draft.note(unit) or {"after": None}
    if note.get("done"):
        return
    read: list[pa.Table] = []
    for items, after in pages(note["after"]):
        read.append(_rows(table, items, source.names.design))
        if sum(rows.num_rows for rows in read) >= STEP_ROWS or after is None:
            rows = pa.concat_tables(read)
            source.keep(unit, {table: rows}, {"after": after, "done": after is None})
            read = []


def _rows(table: str, items: Sequence[Item], design: Design) -> pa.Table:
    plain = items.columns if isinstance(items, Items) else None
    rows = None if plain is None else of_page(table, plain)
    return stored(table, converted(table, items, design)) if rows is None else rows


def _pages(
    source: Source, operation: str, asked: Mapping[str, Any], after: Mapping[str, Any] | None
) -> Iterator[Page]:
    while True:
        start = {"ExclusiveStartKey": after} if after else {}
        answer = source.connection.call(
            "dynamodb", operation, **asked, **start, ReturnConsumedCapacity="TOTAL"
        )
        source.connection.meter.consumed(answer)
        after = answer.get("LastEvaluatedKey")
        yield answer.get("Items", []), after
        if after is None:
            return
