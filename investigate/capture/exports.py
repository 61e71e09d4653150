"""A DynamoDB export to S3: every row of a table at one point in time, without scanning it."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from io import BytesIO
from itertools import islice
from typing import Any

from investigate.aws.attributes import is_attribute, with_bytes
from investigate.capture.values import GZIP, moment
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
from investigate.errors import AccessError, SettingsError, quoted
from investigate.in_place import leaves

EXAMPLE = "s3://BUCKET/PREFIX/AWSDynamoDB/01234567890123-a1b2c3d4/manifest-summary.json"

Item = dict[str, Any]  # {"PK": {"S": "ENTITY#u1"}, ...}, as boto3 hands out

_SUMMARY = "manifest-summary.json"
_CHECKSUMS = (".md5", ".checksum")  # what exports have, and what the documentation calls it
_BINARY = re.compile(rb'"BS?"')
_TABLE_ARN = re.compile(
    r"arn:[^:]+:dynamodb:(?P<region>[^:]+):(?P<account>[^:]+):table/(?P<table>.+)"
)
# An item has at most 400 KB, and a map 32 levels (Amazon DynamoDB developer guide, "Quotas"); as
# JSON, with what stands around each value, a quarter of this.
LARGEST_LINE = 16 * 1024 * 1024
_MOST_BLANK = 1_000


@dataclass(frozen=True, slots=True)
class ExportFile:
    """One data file of an export: where it lies, and what the manifest says of it."""

    key: str
    item_count: int
    md5: str  # of the object as it lies there, in base64


@dataclass(frozen=True, slots=True)
class Export:
    """One full export: the table as it was at `export_time`, give or take a minute."""

    place: ObjectLocation
    table_arn: str
    export_time: datetime
    item_count: int
    files: tuple[ExportFile, ...]
    _read: ReadObject = field(repr=False, compare=False)

    @classmethod
    def open(
        cls,
        url: str,
        read: ReadObject,
        *,
        table: str | None = None,
        region: str | None = None,
        account: str | None = None,
    ) -> Export:
        """Return the export in that folder, its manifests checked against their checksums.

        Raises `SettingsError` if the URL is wrong, the export one of another table, region or
        account (None: of any) or of a kind that is no full picture, and `AccessError` if it cannot
        be read or contradicts itself.
        """
        place = summary_of(url)
        summary = parse_object(place, _checked(read, place))
        _refuse_kind(place, summary)
        _refuse_another(place, summary, (table, region, account))
        listing = ObjectLocation(
            place.bucket, _moved(place, summary, "manifestFilesS3Key", summary)
        )
        lines = _checked(read, listing).splitlines()
        entries = [parse_object(listing, line) for line in lines if line.strip()]
        export = cls(
            place=place,
            table_arn=member(place, summary, "tableArn", str),
            export_time=_time(place, summary),
            item_count=member(place, summary, "itemCount", int),
            files=tuple(_file(listing, summary, entry) for entry in entries),
            _read=read,
        )
        _check_total(export, listing)
        return export

    def items(self, file: ExportFile) -> Iterator[Item]:
        """Return the items of a data file, after checking it; each is parsed when asked for.

        Raises `AccessError` for a file that is not what the manifest says.
        """
        return items_of(self._read, ObjectLocation(self.place.bucket, file.key), file)


def items_of(read: ReadObject, place: ObjectLocation, file: ExportFile) -> Iterator[Item]:
    """Return the items of the data file at a place, after checking it against what is stated.

    Raises `AccessError` for a file that is not that.
    """
    body = fetch(read, place, missing="is named by the manifest, but is not there")
    check_digest(place, body, file.md5)
    # Unpacked twice, line by line: as a whole it would be ten times what was read. And no further
    # than it should go, as what was made to be unpacked has no end.
    count = sum(1 for _ in islice(_lines(place, body), max(file.item_count, 0) + 1))
    if count != file.item_count:
        more = "more than " if count > file.item_count >= 0 else ""
        found = file.item_count if more else count
        said = f"has {more}{found} items, but its manifest states {file.item_count}"
        raise contradiction(place, "CountMismatch", said)
    return (_item(place, line) for line in _lines(place, body))


def summary_of(url: str) -> ObjectLocation:
    """Return where the summary of an export lies; raise `SettingsError`."""
    place = ObjectLocation.parse(url, example=EXAMPLE)
    if place.key.endswith("/" + _SUMMARY) or place.key == _SUMMARY:
        return place
    name = place.key.rstrip("/").rpartition("/")[2]
    if "." in name or name in ("_started", "data", "AWSDynamoDB"):
        raise SettingsError(
            f"{url!r} is not the folder of an export", hint=f"name its summary: {EXAMPLE}"
        )
    return ObjectLocation(place.bucket, place.key.rstrip("/") + "/" + _SUMMARY)


def _checked(read: ReadObject, place: ObjectLocation) -> bytes:
    """Return a manifest that has the checksum beside it, under either of its names."""
    body = fetch(read, place, missing="is not there: the export is not complete, or lies elsewhere")
    check_digest(place, body, _stated(read, place).decode("ascii", "replace"))
    return body


def _stated(read: ReadObject, place: ObjectLocation) -> bytes:
    stem = place.key.rpartition("/")[2].removesuffix(".json")
    missing = (
        f"is not there, nor {stem}.checksum: the export is not complete, or was copied in part"
    )
    first, second = (place.beside(stem + suffix) for suffix in _CHECKSUMS)
    try:
        return fetch(read, first, missing=missing)
    except AccessError as error:
        # Without s3:ListBucket the name that is not there is denied.
        if error.kind not in ("not-found", "denied"):
            raise
        try:
            return read(second.bucket, second.key)
        except AccessError as again:
            raise error if again.kind == "not-found" else again from again


def _refuse_kind(place: ObjectLocation, summary: Mapping[str, Any]) -> None:
    kind = quoted(summary.get("exportType", "FULL_EXPORT")).strip("'")  # older ones lack it
    if kind != "FULL_EXPORT":
        raise SettingsError(
            f"{place} is of type {kind}: changes alone are no picture of the table",
            hint="name a full export: aws dynamodb export-table-to-point-in-time "
            "--export-type FULL_EXPORT ...",
        )
    wanted, found = "DYNAMODB_JSON", member(place, summary, "outputFormat", str)
    if found != wanted:
        raise SettingsError(
            f"{place} is in the format {found[:40]}, which is not read",
            hint=f"export again: aws dynamodb export-table-to-point-in-time "
            f"--export-format {wanted} ...",
        )


def _refuse_another(
    place: ObjectLocation,
    summary: Mapping[str, Any],
    wanted: tuple[str | None, str | None, str | None],
) -> None:
    arn = member(place, summary, "tableArn", str)
    match = _TABLE_ARN.fullmatch(arn)
    if match is None:
        raise unreadable(place, f"tableArn is {quoted(arn)}, which is no ARN of a table")
    hint = "name an export of that table, or take the entry out"
    table, region, account = wanted
    if table is not None and match["table"] != table:
        raise SettingsError(
            f"{place} is of table {quoted(match['table'])}, but the configuration names {table!r}",
            hint=hint,
        )
    # Pipelines of one template have tables of the same name in every region and account.
    for what, there, here in (
        ("region", match["region"], region),
        ("account", match["account"], account),
    ):
        if here is not None and there != here:
            raise SettingsError(
                f"{place} is of table {quoted(match['table'])} in {what} {there}, "
                f"and the capture is of {what} {here}",
                hint=hint,
            )


def _time(place: ObjectLocation, summary: Mapping[str, Any]) -> datetime:
    stated = member(place, summary, "exportTime", str)
    when = moment(stated)
    if when is None:
        raise unreadable(place, f"exportTime is {quoted(stated)}, which is no time")
    return when


def _file(
    listing: ObjectLocation, summary: Mapping[str, Any], entry: Mapping[str, Any]
) -> ExportFile:
    return ExportFile(
        key=_moved(listing, entry, "dataFileS3Key", summary),
        item_count=member(listing, entry, "itemCount", int),
        md5=member(listing, entry, "md5Checksum", str),
    )


def _moved(
    place: ObjectLocation, holder: Mapping[str, Any], name: str, summary: Mapping[str, Any]
) -> str:
    """Return a key of the manifest as it lies beside the manifest that was read.

    A manifest gives keys with the prefix of the export or without it, and an export that was copied
    lies under another one: what follows the export's id is the same in all of them.
    """
    key = member(place, holder, name, str)
    if leaves(key):
        raise unreadable(place, f"the key {quoted(key)} leads out of its folder")
    export_id = member(place, summary, "exportArn", str).rpartition("/")[2]
    before, found, inner = key.rpartition(f"{export_id}/")
    if found and before[-1:] in ("", "/"):
        return place.folder + inner
    return key if place.bucket else place.folder + key


def _check_total(export: Export, listing: ObjectLocation) -> None:
    total = sum(file.item_count for file in export.files)
    if total != export.item_count:
        said = f"names files with {total} items, but the summary states {export.item_count}"
        raise contradiction(listing, "CountMismatch", said)


def _lines(place: ObjectLocation, body: bytes) -> Iterator[bytes]:
    """Yield each line of a data file that is not empty."""
    plain = BytesIO(body)
    unpacked = gzip.GzipFile(fileobj=plain) if body.startswith(GZIP) else plain
    blank = 0
    try:
        while line := unpacked.readline(LARGEST_LINE + 1):
            if len(line) > LARGEST_LINE:
                raise unreadable(place, f"a line of it has more than {LARGEST_LINE:,} bytes")
            if line.strip():
                yield line
            elif (blank := blank + 1) > _MOST_BLANK:
                raise unreadable(place, f"more than {_MOST_BLANK:,} lines of it are empty")
    except (OSError, EOFError, zlib.error) as error:
        raise unreadable(place, error) from error


def _item(place: ObjectLocation, line: bytes) -> Item:
    item = member(place, parse_object(place, line), "Item", dict)
    for name, value in item.items():
        if not is_attribute(value):
            raise unreadable(place, f"{quoted(name)} holds {quoted(value)}, no attribute")
    if not _BINARY.search(line):
        return item
    try:
        return {name: with_bytes(value) for name, value in item.items()}
    except ValueError as error:
        raise unreadable(place, error) from error
