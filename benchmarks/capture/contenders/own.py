"""Investigate's own readers, through its public functions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd  # noqa: F401 - pyarrow loads it once; no contender's imports are measured
import pyarrow.parquet as pq

from benchmarks.capture.contenders.common import FIELDS, Job, Prepared, canonical
from benchmarks.capture.evidence import WINDOW
from investigate.aws import Connection, connect
from investigate.capture import CaptureOptions, capture
from investigate.settings import PipelineNames, Settings


def captured(job: Job, table: str, lines: Callable[[Path], Iterable[str]]) -> Prepared:
    """Prepare the capture of one table into a case."""
    names = PipelineNames(
        region=job.region, raw_bucket=job.bucket, raw_prefix=job.prefix, events_table=job.table
    )
    options = CaptureOptions(WINDOW, WINDOW.end + timedelta(hours=1), only=(table,))
    connection = _open(job)

    def work() -> Path:
        folder = Path(job.folder) / "case"
        capture(folder, Settings(names), connection, options)
        return folder

    return Prepared(work, lambda folder: lines(folder / table))


def listed(job: Job) -> Prepared:
    """Prepare the listing alone."""
    objects = _open(job).objects(job.bucket)

    def work() -> list[Any]:
        return [entry for page in objects.listing(job.prefix) for entry in page]

    return Prepared(work, lambda found: (entry.key for entry in found))


def body_lines(folder: Path) -> Iterable[str]:
    """Return the rows of `raw` as other contenders return the bodies."""
    for row in pq.read_table(folder, columns=[*FIELDS, "payload"]).to_pylist():
        yield canonical({**row, "payload": json.loads(row["payload"])})


def item_lines(folder: Path) -> Iterable[str]:
    """Return the rows of `events` as other contenders return the items."""
    for row in pq.read_table(folder, columns=["attributes"]).to_pylist():
        yield canonical(json.loads(row["attributes"]))


def _open(job: Job) -> Connection:
    """Return a connection whose first client is open and has had an answer, as the others'."""
    connection = connect(region=job.region)
    connection.account()
    if job.module == "tables":
        connection.call("dynamodb", "Scan", TableName=job.table, Limit=1)
    else:
        connection.call("s3", "ListObjectsV2", Bucket=job.bucket, MaxKeys=1)
    return connection
