"""The rows of EventsTable, all attributes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any

from benchmarks.capture.contenders.common import (
    SEGMENTS,
    Job,
    Prepared,
    Raw,
    client,
    item_line,
    wire_line,
)

_NEXT = b'"LastEvaluatedKey":'
_HEADERS = {
    "X_Amz_Target": "DynamoDB_20120810.Scan",
    "Content_Type": "application/x-amz-json-1.0",
}


def by_awswrangler(job: Job) -> Prepared:
    """One call of awswrangler, which scans as many segments at once as the others."""
    wrangler: Any = import_module("awswrangler")
    wrangler.dynamodb.read_items(job.table, allow_full_scan=True, max_items_evaluated=1)

    def work() -> Any:
        return wrangler.dynamodb.read_items(job.table, allow_full_scan=True, use_threads=SEGMENTS)

    return Prepared(work, lambda frame: map(item_line, frame.to_dict("records")))


def by_resource(job: Job) -> Prepared:
    """The table of boto3's resource, page by page: what one writes first."""
    import boto3

    table = boto3.resource("dynamodb", region_name=job.region).Table(job.table)
    table.scan(Limit=1)

    def work() -> list[Any]:
        items: list[Any] = []
        more: Any = {}
        while True:
            page = table.scan(**more)
            items += page["Items"]
            if "LastEvaluatedKey" not in page:
                return items
            more = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    return Prepared(work, lambda found: map(item_line, found))


def by_client(job: Job) -> Prepared:
    """The paginator of boto3's client; values stay as DynamoDB sends them."""
    dynamodb = client("dynamodb", job)
    dynamodb.scan(TableName=job.table, Limit=1)

    def work() -> list[Any]:
        pages = dynamodb.get_paginator("scan").paginate(TableName=job.table)
        return [item for page in pages for item in page["Items"]]

    return Prepared(work, lambda found: map(wire_line, found))


def unparsed(job: Job) -> Prepared:
    """Signed requests by the standard library; of each page only the next key is looked for."""
    connections = [Raw(job, "dynamodb") for _ in range(SEGMENTS)]
    for connection in connections:
        connection.ask("POST", "/", json.dumps({"TableName": job.table, "Limit": 1}), **_HEADERS)

    def work() -> list[bytes]:
        with ThreadPoolExecutor(SEGMENTS) as pool:
            found = pool.map(_segment, connections, range(SEGMENTS), [job.table] * SEGMENTS)
            return [page for pages in found for page in pages]

    return Prepared(work, _wire_lines)


def ours(job: Job) -> Prepared:
    """The capture of the table `events`, end to end: scanned, converted, written as a case."""
    from benchmarks.capture.contenders import own

    return own.captured(job, "events", own.item_lines)


def _segment(connection: Raw, segment: int, table: str) -> list[bytes]:
    asked: dict[str, Any] = {
        "TableName": table,
        "Segment": segment,
        "TotalSegments": SEGMENTS,
    }
    pages: list[bytes] = []
    while True:
        pages.append(connection.ask("POST", "/", json.dumps(asked), **_HEADERS))
        at = pages[-1].rfind(_NEXT)
        if at < 0:
            return pages
        tail = pages[-1][at + len(_NEXT) :].lstrip().decode()
        asked["ExclusiveStartKey"] = json.JSONDecoder().raw_decode(tail)[0]


def _wire_lines(pages: Iterable[bytes]) -> Iterable[str]:
    return (wire_line(item) for page in pages for item in json.loads(page)["Items"])
