"""What AWS leaves in a bucket with a manifest: DynamoDB exports and S3 Inventory reports."""

from __future__ import annotations

import gzip
import hashlib
import json
from base64 import b64encode
from collections.abc import Callable
from functools import cache
from io import BytesIO

import pyarrow as pa
import pyarrow.orc
import pyarrow.parquet

from benchmarks.fuzz.target import Target, expect, fits, parts_of, refusing, seed
from investigate.capture.exports import Export
from investigate.capture.inventory import Inventory
from investigate.capture.inventory_files import ENTRIES
from investigate.capture.rows import CONVERT, converted
from investigate.errors import AccessError, SettingsError
from investigate.pipeline import REFERENCE

_ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/events"
_SUMMARY = {
    "version": "2020-06-30", "exportArn": f"{_ARN}/export/x1", "tableArn": _ARN,
    "exportTime": "2026-03-13T01:00:00.000Z", "itemCount": 2, "exportType": "FULL_EXPORT",
    "manifestFilesS3Key": "p/AWSDynamoDB/x1/manifest-files.json", "outputFormat": "DYNAMODB_JSON",
}  # fmt: skip
_FILE = {"itemCount": 2, "md5Checksum": "@MD5@", "dataFileS3Key": "p/AWSDynamoDB/x1/data/0.gz"}
_ITEMS = (
    '{"Item":{"PK":{"S":"ENTITY#u1"},"n":{"N":"1.5"},"b":{"B":"eA=="},"m":{"M":{"a":{"L":[]}}}}}\n'
    '{"Item":{"event_id":{"S":"e"},"s":{"BS":["eA=="]},"t":{"NS":["1","2"]},"u":{"NULL":true}}}\n'
)
_COLUMNS = ("bucket", "key", "version_id", "is_latest", "is_delete_marker", "size", "e_tag")
_LISTED = {
    "bucket": "b", "key": "raw/k", "version_id": "v", "is_latest": True,
    "is_delete_marker": False, "size": 7, "e_tag": "0",
}  # fmt: skip
_MANIFEST = {
    "sourceBucket": "orders-raw", "creationTimestamp": "1773363600000",
    "files": [{"key": "data/0", "size": 0, "MD5checksum": "@MD5@"}],
}  # fmt: skip
_CSV = '"b","raw/a%20b+c","v","true","false","7","0"\n"b","raw/d","","false","true","",""\n'
_CSV_SCHEMA = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, ETag"
_PLACES = {
    "p/AWSDynamoDB/x1/manifest-summary.json": 0,
    "p/AWSDynamoDB/x1/manifest-files.json": 1,
    "m/manifest.json": 0,
}


def _bucket(documents: list[bytes], data: bytes) -> Callable[[str, str], bytes]:
    """Return what reads a bucket in which every manifest has the checksum that fits it."""

    def read(_bucket: str, key: str) -> bytes:
        if key in _PLACES:
            return documents[_PLACES[key]]
        stem = key.rpartition(".")[0]
        if key.endswith((".md5", ".checksum")) and f"{stem}.json" in _PLACES:
            return _digest(documents[_PLACES[f"{stem}.json"]]).encode()
        if key in ("p/AWSDynamoDB/x1/data/0.gz", "data/0"):
            return data
        raise AccessError("not there", kind="not-found", code="NoSuchKey")

    return read


def _digest(body: bytes) -> str:
    return b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()


def _packed(data: bytes) -> bytes:
    """Return a data file as it may lie in a bucket: packed or not, as its first byte says."""
    return gzip.compress(data[1:], 1, mtime=0) if data[:1] == b"z" else data


def _export(data: bytes) -> None:
    summary, listing, items = parts_of(data, 3)
    body = _packed(items)
    listing = listing.replace(b"@MD5@", _digest(body).encode())
    read = _bucket([summary, listing], body)
    with refusing(AccessError, SettingsError):
        export = Export.open("s3://bucket/p/AWSDynamoDB/x1", read)
        for file in export.files:
            found = list(export.items(file))
            expect(len(found) == file.item_count, "a file holds what its manifest states")
            for table in CONVERT:
                fits(table, converted(table, found, REFERENCE))


def _inventory(data: bytes) -> None:
    manifest, body = parts_of(data, 2)
    body = _packed(body)
    manifest = manifest.replace(
        b"@MD5@", hashlib.md5(body, usedforsecurity=False).hexdigest().encode()
    )
    manifest = manifest.replace(b'"size": 0', b'"size": %d' % len(body))
    with refusing(AccessError, SettingsError):
        report = Inventory.open("s3://bucket/m/manifest.json", _bucket([manifest], body))
        for file in report.files:
            for piece in report.batches(file, "raw/"):
                expect(piece.schema == ENTRIES, "a piece has the agreed columns")
                expect(piece["key"].null_count == 0, "every object has a key")
                piece.validate(full=True)


def _listing(file_format: str, schema: str) -> dict[str, object]:
    return {**_MANIFEST, "fileFormat": file_format, "fileSchema": schema}


@cache
def _table() -> pa.Table:
    return pa.Table.from_pylist([_LISTED, {**_LISTED, "key": "other"}])


def _parquet() -> bytes:
    sink = BytesIO()
    pyarrow.parquet.write_table(_table(), sink, compression="snappy")
    return sink.getvalue()


def _orc() -> bytes:
    sink = BytesIO()
    pyarrow.orc.write_table(_table(), sink, compression="zlib")
    return sink.getvalue()


_PARQUET_SCHEMA = "message s3.inventory {" + "".join(
    f"  optional binary {name} (STRING);" for name in _COLUMNS
)
_ORC_SCHEMA = "struct<" + ",".join(f"{name}:string" for name in _COLUMNS) + ">"


def _with(document: object, body: bytes) -> bytes:
    return json.dumps(document).encode() + b"\0" + body


TARGETS = (
    Target(
        "export",
        "the summary of an export, its list of files, and a data file",
        _export,
        (
            seed(_SUMMARY, _FILE, "z" + _ITEMS),
            seed(_SUMMARY, _FILE, _ITEMS),
            seed({**_SUMMARY, "exportType": "INCREMENTAL_EXPORT"}, _FILE, ""),
        ),
    ),
    Target(
        "inventory",
        "the manifest of an inventory report, and a data file: CSV, ORC or Parquet",
        _inventory,
        (
            seed(_listing("CSV", _CSV_SCHEMA), "z" + _CSV),
            seed(_listing("CSV", _CSV_SCHEMA), _CSV),
            _with(_listing("Parquet", _PARQUET_SCHEMA), _parquet()),
            _with(_listing("ORC", _ORC_SCHEMA), _orc()),
        ),
    ),
)
