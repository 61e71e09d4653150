"""What the tests of lakes share: what AWS wrote of a pipeline, in a bucket or in a folder."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from investigate.case import Case
from investigate.checks import book
from investigate.checks.registry import answer
from investigate.engine import DuckDBEngine
from investigate.evidence import Evidence
from investigate.model import Finding, isoformat
from investigate.sandbox.world import Sandbox
from investigate.settings import PipelineNames
from tests.capture.delivered import Objects, data_file, export, inventory, item_lines
from tests.capture.whole import CURRENT, deliver, listed_objects

STORES = ("raw", "events", "dedupe", "aggregates")
EXPORTED = STORES[1:]
ASKED = (
    "raw/missing", "raw/corrupt", "raw/payload-mismatch", "events/missing-row",
    "events/key-mismatch", "dedupe/missing", "aggregates/missing",
)  # fmt: skip


def reports(world: Sandbox, when: datetime, objects: Objects | None = None) -> PipelineNames:
    """Let S3 and DynamoDB report of a pipeline as it is now; return the names with the reports."""
    written = Objects() if objects is None else objects
    names = replace(world.names, **exports_of(world, written, when))
    listed = listed_objects(world)
    parts = (data_file("Parquet", CURRENT, listed[number::2]) for number in range(2))
    url = inventory(
        written, "Parquet", CURRENT, *parts,
        sourceBucket=world.names.raw_bucket,
        creationTimestamp=str(int(when.timestamp() * 1000)),
    )  # fmt: skip
    deliver(world, written)
    return replace(names, raw_inventory=url)


def exports_of(world: Sandbox, objects: Objects, when: datetime) -> dict[str, str]:
    """Export every table into two files each; return the URLs by the entry of the configuration."""
    urls = {}
    for table in EXPORTED:
        name = str(getattr(world.names, f"{table}_table"))
        items = world.clients.dynamodb.scan(TableName=name)["Items"]
        arn = f"arn:aws:dynamodb:eu-west-1:123456789012:table/{name}"
        urls[f"{table}_export"] = export(
            objects, item_lines(*items[::2]), item_lines(*items[1::2]),
            prefix=table, tableArn=arn, exportTime=isoformat(when),
        )  # fmt: skip
    return urls


def synced(world: Sandbox, folder: Path, when: datetime) -> PipelineNames:
    """Copy bucket and exports into a folder, as `aws s3 sync` does; return the names of these."""
    s3, bucket = world.clients.s3, world.names.raw_bucket
    for one in listed_objects(world):
        path = folder / "bucket" / one["key"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(s3.get_object(Bucket=bucket, Key=one["key"])["Body"].read())
        os.utime(path, (one["last_modified_date"].timestamp(),) * 2)
    objects = Objects()
    urls = exports_of(world, objects, when)
    for key, body in objects.items():
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    files = {name: (folder / url.split("/", 3)[3]).as_uri() for name, url in urls.items()}
    return replace(
        world.names,
        raw_folder=str(folder / "bucket"),
        raw_copied_at=isoformat(when),
        **files,
    )


def evidence_of(case: Case) -> Evidence:
    """A case in an engine that reads in this process, in which the emulator is."""
    return Evidence(case, DuckDBEngine(processes=1))


def stored_rows(case: Case, table: str, *, without: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """The rows of a table in the order of their columns, wherever they are."""
    evidence = evidence_of(case)
    found = evidence[table].drop(*without)
    return evidence.engine.rows(found.order_by(list(found.columns)))


def answers(case: Case) -> dict[str, Finding]:
    """What the checks that read the stores find in a case: of each store some, because all checks
    of a case take half a minute."""
    evidence = evidence_of(case)
    return {code: answer(book[code], evidence) for code in ASKED}
