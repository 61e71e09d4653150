"""An S3 Inventory report: what a bucket held, without listing it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa

from investigate.capture.inventory_files import ENTRIES, FORMATS, NEEDED, columns_of, read_file
from investigate.capture.values import from_millis
from investigate.capture.verified import (
    ObjectLocation,
    ReadObject,
    check_digest,
    contradiction,
    fetch,
    member,
    parse_object,
    unreadable,
)
from investigate.errors import SettingsError, quoted

EXAMPLE = "s3://BUCKET/PREFIX/SOURCE-BUCKET/CONFIGURATION/2026-03-10T01-00Z/manifest.json"


@dataclass(frozen=True, slots=True)
class InventoryFile:
    """One data file of a report, as the manifest describes it."""

    key: str
    size: int
    md5: str


@dataclass(frozen=True, slots=True)
class Inventory:
    """One report. It is a rolling snapshot: it tells of nothing after `created`, and what was
    written or deleted shortly before may be told wrongly."""

    place: ObjectLocation
    source_bucket: str
    created: datetime
    file_format: str  # csv, orc or parquet
    columns: tuple[str, ...]  # of ENTRIES, or S3's own name; in the order of a CSV file
    files: tuple[InventoryFile, ...]
    _read: ReadObject = field(repr=False, compare=False)

    @classmethod
    def open(cls, url: str, read: ReadObject, *, bucket: str | None = None) -> Inventory:
        """Return the report with that manifest, checked against its checksum.

        Raises `SettingsError` if the URL is wrong, or the report one of another bucket than
        `bucket`, and `AccessError` if it cannot be read or contradicts itself.
        """
        place = manifest_of(url)
        body = fetch(read, place, missing="is not there, or is still being written")
        stated = fetch(
            read,
            place.beside("manifest.checksum"),
            missing="is not there: S3 writes it last, so the report is not complete",
        )
        check_digest(place, body, stated.decode("ascii", "replace"))
        report = _parsed(place, parse_object(place, body), read)
        _refuse(report, bucket)
        return report

    def entries(self, file: InventoryFile, prefix: str) -> pa.Table:
        """Return what a data file lists under a prefix, with the columns of ENTRIES.

        A version that S3 knows by no id is called "null", as S3 does. Without versions every object
        is the latest, and `version_id` null. Raises `AccessError` for a file that is not what the
        manifest says.
        """
        return pa.concat_tables([ENTRIES.empty_table(), *self.batches(file, prefix)])

    def batches(self, file: InventoryFile, prefix: str) -> Iterator[pa.Table]:
        """Yield the same piece by piece, so that only what is under the prefix is held."""
        place = ObjectLocation(self.place.bucket, file.key)
        body = fetch(self._read, place, missing="is named by the manifest, but is not there")
        if len(body) != file.size:
            said = f"has {len(body)} bytes, but its manifest states {file.size}"
            raise contradiction(place, "SizeMismatch", said)
        check_digest(place, body, file.md5)
        try:
            yield from read_file(body, self.file_format, self.columns, prefix)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise unreadable(place, error) from error


def manifest_of(url: str) -> ObjectLocation:
    """Return where the manifest of a report lies; raise `SettingsError`."""
    place = ObjectLocation.parse(url, example=EXAMPLE)
    if not place.key.endswith("manifest.json"):
        raise SettingsError(
            f"{url!r} is no manifest of an inventory report",
            hint=f"name the manifest.json of one report: {EXAMPLE}",
        )
    return place


def _parsed(place: ObjectLocation, document: Mapping[str, Any], read: ReadObject) -> Inventory:
    created = from_millis(document.get("creationTimestamp"))
    if created is None:
        said = f"creationTimestamp is {quoted(document.get('creationTimestamp'))}"
        raise unreadable(place, f"{said}, which is no time in milliseconds")
    file_format = member(place, document, "fileFormat", str).lower()
    if file_format not in FORMATS:
        raise unreadable(place, f"fileFormat is {quoted(file_format)}, not CSV, ORC or Parquet")
    columns = columns_of(file_format, member(place, document, "fileSchema", str))
    if len(set(columns)) < len(columns):
        raise unreadable(place, "fileSchema names a column twice")
    return Inventory(
        place=place,
        source_bucket=member(place, document, "sourceBucket", str),
        created=created,
        file_format=file_format,
        columns=columns,
        files=tuple(_file(place, entry) for entry in member(place, document, "files", list)),
        _read=read,
    )


def _file(place: ObjectLocation, entry: Any) -> InventoryFile:
    if not isinstance(entry, Mapping):
        raise unreadable(place, f"{quoted(entry)} among its files is no JSON object")
    return InventoryFile(
        key=member(place, entry, "key", str),
        size=member(place, entry, "size", int),
        md5=member(place, entry, "MD5checksum", str),
    )


def _refuse(report: Inventory, bucket: str | None) -> None:
    if bucket is not None and report.source_bucket != bucket:
        raise SettingsError(
            f"{report.place} lists bucket {report.source_bucket!r}, but raw_bucket is {bucket!r}",
            hint="name a report of that bucket as raw_inventory, or take raw_inventory out",
        )
    lacking = [name for column, name in NEEDED.items() if column not in report.columns]
    if lacking:
        raise SettingsError(
            f"{report.place} has no column {' and no column '.join(lacking)}",
            hint="add it to the inventory configuration and name the next report, "
            "or take raw_inventory out",
        )
