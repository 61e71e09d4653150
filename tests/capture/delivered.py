"""Reports as AWS leaves them in a bucket, in memory: inventories and table exports."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
from base64 import b64encode
from datetime import datetime
from typing import Any
from urllib.parse import quote_plus

import pyarrow as pa
import pyarrow.orc
import pyarrow.parquet

from investigate.errors import AccessError

BUCKET = "evidence"


class Objects(dict[str, bytes]):
    """The objects of one bucket by key. Remembers what was read; some keys may be denied."""

    def __init__(self, *, can_list: bool = True) -> None:
        super().__init__()
        self.can_list = can_list
        self.reads: list[str] = []

    def read(self, bucket: str, key: str) -> bytes:
        self.reads.append(key)
        if bucket == BUCKET and key in self:
            return self[key]
        kind, code = ("not-found", "NoSuchKey") if self.can_list else ("denied", "AccessDenied")
        if bucket != BUCKET:
            kind, code = "not-found", "NoSuchBucket"
        raise AccessError(
            f"s3:GetObject of {bucket}: {code}: no", hint="look", kind=kind, code=code, asked="s3"
        )


def hex_md5(body: bytes) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def base64_md5(body: bytes) -> str:
    return b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()


# What an inventory can tell of an object, in the order S3 writes it: CSV name, ORC type, Parquet.
FIELDS = {
    "bucket": ("Bucket", "string", "required binary {} (STRING)"),
    "key": ("Key", "string", "required binary {} (STRING)"),
    "version_id": ("VersionId", "string", "optional binary {} (STRING)"),
    "is_latest": ("IsLatest", "boolean", "optional boolean {}"),
    "is_delete_marker": ("IsDeleteMarker", "boolean", "optional boolean {}"),
    "size": ("Size", "bigint", "optional int64 {}"),
    "last_modified_date": (
        "LastModifiedDate", "timestamp", "optional int64 {} (TIMESTAMP(MILLIS,true))",
    ),
    "e_tag": ("ETag", "string", "optional binary {} (STRING)"),
    "storage_class": ("StorageClass", "string", "optional binary {} (STRING)"),
    "is_multipart_uploaded": ("IsMultipartUploaded", "boolean", "optional boolean {}"),
}  # fmt: skip
_TYPES = {"string": pa.string(), "boolean": pa.bool_(), "bigint": pa.int64()}


def file_schema(file_format: str, names: tuple[str, ...]) -> str:
    """The columns as a manifest writes them down."""
    if file_format == "CSV":
        return ", ".join(FIELDS[name][0] for name in names)
    if file_format == "ORC":
        return "struct<" + ",".join(f"{name}:{FIELDS[name][1]}" for name in names) + ">"
    columns = "".join(f"  {FIELDS[name][2].format(name)};" for name in names)
    return "message s3.inventory {" + columns + "}"


def data_file(file_format: str, names: tuple[str, ...], rows: list[dict[str, Any]]) -> bytes:
    """The rows in one data file, each format as S3 writes it."""
    if file_format == "CSV":
        return gzip.compress(csv_text(names, rows), mtime=0)
    timestamp = pa.timestamp("ms", "UTC") if file_format == "Parquet" else pa.timestamp("ms")
    schema = pa.schema([(name, _TYPES.get(FIELDS[name][1], timestamp)) for name in names])
    table = pa.Table.from_pylist([_naive(row, file_format) for row in rows], schema=schema)
    sink = io.BytesIO()
    if file_format == "ORC":
        pyarrow.orc.write_table(table, sink, compression="zlib")
    else:
        pyarrow.parquet.write_table(table, sink, compression="snappy")
    return sink.getvalue()


def csv_text(names: tuple[str, ...], rows: list[dict[str, Any]]) -> bytes:
    """The rows as S3's CSV: no header, every value quoted, keys URL-encoded."""
    sink = io.StringIO()
    writer = csv.writer(sink, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([_csv_value(name, row.get(name)) for name in names] for row in rows)
    return sink.getvalue().encode()


def _csv_value(name: str, value: Any) -> str:
    if name == "key":
        return quote_plus(value, safe="/")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return "" if value is None else str(value)


def _naive(row: dict[str, Any], file_format: str) -> dict[str, Any]:
    strip = file_format == "ORC"  # its timestamps have no zone
    return {
        name: value.replace(tzinfo=None) if strip and isinstance(value, datetime) else value
        for name, value in row.items()
    }


def inventory(
    objects: Objects, file_format: str, names: tuple[str, ...], *files: bytes, **changed: Any
) -> str:
    """Put a report with these data files into the bucket; return the URL of its manifest."""
    suffix = {"CSV": "csv.gz"}.get(file_format, file_format.lower())
    listed = []
    for number, body in enumerate(files):
        key = f"inventory/orders-raw/all/data/{number:08d}-bb17-4ba8.{suffix}"
        objects[key] = body
        listed.append({"key": key, "size": len(body), "MD5checksum": hex_md5(body)})
    manifest = {
        "sourceBucket": "orders-raw",
        "destinationBucket": f"arn:aws:s3:::{BUCKET}",
        "version": "2016-11-30",
        "creationTimestamp": "1773363600000",  # 2026-03-13T01:00:00Z
        "fileFormat": file_format,
        "fileSchema": file_schema(file_format, names),
        "files": listed,
    }
    folder = "inventory/orders-raw/all/2026-03-13T01-00Z"
    body = json.dumps({**manifest, **changed}, indent=2).encode()
    objects[f"{folder}/manifest.json"] = body
    objects[f"{folder}/manifest.checksum"] = hex_md5(body).encode()
    return f"s3://{BUCKET}/{folder}/manifest.json"


EXPORT_ID = "01773363600000-6de2c037"
TABLE_ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders-events"


def export(
    objects: Objects,
    *files: bytes,
    prefix: str = "2026-Mar",
    stated_prefix: bool = True,
    checksums: str = "md5",
    items: tuple[int, ...] | None = None,
    **changed: Any,
) -> str:
    """Put an export with these data files into the bucket; return the URL of its folder.

    `stated_prefix`: whether the manifests give keys with the prefix, as real ones do, or without
    it, as in the documentation. A member that is changed to None is left out.
    """
    root = f"AWSDynamoDB/{EXPORT_ID}"
    folder = f"{prefix}/{root}" if prefix else root
    shown = folder if stated_prefix else root
    lines, total = [], 0
    for number, body in enumerate(files):
        name = f"data/{number:04d}mwg4zmni62jtl3di4q3q.json.gz"
        objects[f"{folder}/{name}"] = body
        count = items[number] if items else _lines(body)
        total += count
        md5 = base64_md5(body)
        lines.append({"itemCount": count, "md5Checksum": md5, "etag": f"{hex_md5(body)}-1"})
        lines[-1]["dataFileS3Key"] = f"{shown}/{name}"
    summary = {
        "version": "2020-06-30",
        "exportArn": f"{TABLE_ARN}/export/{EXPORT_ID}",
        "startTime": "2026-03-13T01:00:12.028Z",
        "endTime": "2026-03-13T01:05:43.897Z",
        "tableArn": TABLE_ARN,
        "tableId": "12345a12-abcd-123a-ab12-1234abc12345",
        "exportTime": "2026-03-13T01:00:00.000Z",
        "s3Bucket": BUCKET,
        "s3Prefix": prefix or None,
        "s3SseAlgorithm": "AES256",
        "s3SseKmsKeyId": None,
        "manifestFilesS3Key": f"{shown}/manifest-files.json",
        "billedSizeBytes": 4096,
        "itemCount": total,
        "outputFormat": "DYNAMODB_JSON",
        "exportType": "FULL_EXPORT",
        **changed,
    }
    kept = {name: value for name, value in summary.items() if changed.get(name, "") is not None}
    listing = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
    objects[f"{folder}/_started"] = b""
    for stem, body in (
        ("manifest-summary", json.dumps(kept).encode()),
        ("manifest-files", listing.encode()),
    ):
        objects[f"{folder}/{stem}.json"] = body
        objects[f"{folder}/{stem}.{checksums}"] = base64_md5(body).encode()
    return f"s3://{BUCKET}/{folder}"


def item_lines(*items: dict[str, Any]) -> bytes:
    """Items in one data file, as an export writes them."""
    lines = "".join(json.dumps({"Item": item}, separators=(",", ":")) + "\n" for item in items)
    return gzip.compress(lines.encode(), mtime=0)


def _lines(body: bytes) -> int:
    return len(gzip.decompress(body).splitlines()) if body else 0
