"""What the tests of whole captures share: a small pipeline, its capture, and reports of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from investigate.aws import Connection, connect
from investigate.capture import CaptureOptions, capture
from investigate.capture.source import Row
from investigate.case import Case
from investigate.model import Window
from investigate.sandbox.world import Sandbox
from investigate.settings import PipelineNames, Settings
from tests.builders import END, START, at
from tests.capture.delivered import (
    BUCKET,
    Objects,
    data_file,
    export,
    inventory,
    item_lines,
)

CAPTURED_AT = at(20)
CURRENT = ("bucket", "key", "size", "last_modified_date", "e_tag")
VERSIONS = ("bucket", "key", "version_id", "is_latest", "is_delete_marker", *CURRENT[2:])


def fill(world: Sandbox, events: int = 6) -> None:
    """Take events of the entities e0 and e1 in turn, the last ones a day later than the first."""
    for number in range(events):
        body = {
            "source": "web",
            "event_type": "order",
            "entity_id": f"e{number % 2}",
            "event_time": f"2026-03-{10 + number // 4:02d}T0{number}:00:00Z",
            "payload": {"n": number},
        }
        world.at(at(6) + timedelta(minutes=number), lambda body=body: world.ingest(body))
    world.run()


def over(world: Sandbox, **more: Any) -> Connection:
    """A connection to the pipeline in this process."""
    return connect(region=world.options.region, objects="botocore", **more)


def take(
    world: Sandbox,
    folder: Path,
    names: PipelineNames | None = None,
    *,
    connection: Connection | None = None,
    resume: bool = False,
    **options: Any,
) -> Case:
    """Capture a pipeline, under one name whatever the folder."""
    chosen = CaptureOptions(
        Window(START, END), **{"captured_at": CAPTURED_AT, "name": "same", **options}
    )
    settings = Settings(names or world.names)
    return capture(folder, settings, connection or over(world), chosen, resume=resume)


def rows(case: Case, table: str) -> list[Row]:
    """The rows of a table."""
    return [row for path in case.paths(table) for row in pq.read_table(path).to_pylist()]


def requests(case: Case) -> dict[str, int]:
    """The requests a capture took, by operation."""
    return dict(case.consumed["requests"])


def change_versions(world: Sandbox) -> list[str]:
    """Keep versions from now on; write the first object of an event again, delete the second, and
    delete the third and write it anew, a minute after each other; return their keys."""
    s3, bucket = world.clients.s3, world.names.raw_bucket
    keys = [one["key"] for one in listed_objects(world) if "event_date=2026-03-10" in one["key"]]
    first, second, third = keys[:3]
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for change in (
        lambda: world.put_object(first, b'{"again": 1}'),
        lambda: world.delete_object(second),
        lambda: world.delete_object(third),
        lambda: world.put_object(third, b'{"anew": 1}'),
    ):
        world.clock.move_to(world.clock.now() + timedelta(minutes=1))
        change()
    return [first, second, third]


def deliver(world: Sandbox, objects: Objects) -> None:
    """Put reports into a bucket of their own."""
    s3 = world.clients.s3
    if BUCKET not in [one["Name"] for one in s3.list_buckets()["Buckets"]]:
        where = {"LocationConstraint": world.options.region}
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=where)
    for key, body in objects.items():
        s3.put_object(Bucket=BUCKET, Key=key, Body=body)


def export_of(world: Sandbox, objects: Objects, table: str, *, files: int = 2) -> str:
    """Export a table of a pipeline as it is now, in so many files; return the URL."""
    name = str(getattr(world.names, f"{table}_table"))
    items = world.clients.dynamodb.scan(TableName=name)["Items"]
    lines = [item_lines(*items[number::files]) for number in range(files)]
    arn = f"arn:aws:dynamodb:eu-west-1:123456789012:table/{name}"
    return export(objects, *lines, prefix=table, tableArn=arn, exportTime="2026-03-10T19:00:00Z")


def inventory_of(
    world: Sandbox,
    objects: Objects,
    file_format: str = "Parquet",
    *,
    versions: bool = False,
    files: int = 2,
) -> str:
    """Report what a bucket holds as it is now, in so many files; return the URL."""
    names = VERSIONS if versions else CURRENT
    found = listed_versions(world) if versions else listed_objects(world)
    parts = [found[number::files] for number in range(files)]
    return inventory(
        objects,
        file_format,
        names,
        *(data_file(file_format, names, part) for part in parts),
        sourceBucket=world.names.raw_bucket,
        creationTimestamp="1773169200000",  # 2026-03-10T19:00:00Z
    )


def listed_objects(world: Sandbox) -> list[Row]:
    """The current objects as an inventory tells them."""
    found = world.clients.s3.list_objects_v2(Bucket=world.names.raw_bucket).get("Contents", [])
    return [_listed(world, one) for one in found]


def listed_versions(world: Sandbox) -> list[Row]:
    """Every version and delete marker as an inventory tells them."""
    page = world.clients.s3.list_object_versions(Bucket=world.names.raw_bucket)
    kept: Sequence[Any] = page.get("Versions", [])
    marks: Sequence[Any] = page.get("DeleteMarkers", [])
    return [
        {
            **_listed(world, one),
            "version_id": one["VersionId"],
            "is_latest": one["IsLatest"],
            "is_delete_marker": "Size" not in one,
        }
        for one in [*kept, *marks]
    ]


def _listed(world: Sandbox, one: Any) -> Row:
    return {
        "bucket": world.names.raw_bucket,
        "key": one["Key"],
        "size": one.get("Size"),
        "last_modified_date": one["LastModified"].replace(microsecond=0),
        "e_tag": one.get("ETag", "").strip('"') or None,
    }
