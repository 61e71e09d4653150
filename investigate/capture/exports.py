"""A DynamoDB export to S3: every row of a table at one point in time, without scanning it."""

from __future__ import annotations

import gzip
import re
import zlib
from base64 import b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from io import BytesIO
from typing import Any

from investigate.capture.values import moment
from investigate.capture.verified import (
    Place,
    ReadObject,
    Value,
    check_digest,
    contradiction,
    fetch,
    member,
    parse_object,
    unreadable,
)
from investigate.errors import AccessError, SettingsError
from investigate.in_place import leaves

EXAMPLE = "s3://BUCKET/PREFIX/AWSDynamoDB/01234567890123-a1b2c3d4/manifest-summary.json"

Item = dict[str, Any]  # {"PK": {"S": "ENTITY#u1"}, ...}, as boto3 hands out

_SUMMARY = "manifest-summary.json"
_CHECKSUMS = (".md5", ".checksum")  # what exports have, and what the documentation calls it
_BINARY = re.compile(rb'"BS?"')
_TABLE_ARN = re.compile(
    r"arn:[^:]+:dynamodb:(?P<region>[^:]+):(?P<account>[^:]+):table/(?P<table>.+)"
)
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class ExportFile:
    """One data file of an export: where it lies, and what the manifest says of it."""

    key: str
    item_count: int
    md5: str  # of the object as it lies there, in base64


@dataclass(frozen=True, slots=True)
class Export:
    """One full export: the table as it was at `export_time`, give or take a minute."""

    place: Place
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
        listing = Place(place.bucket, _moved(place, summary, "manifestFilesS3Key", summary))
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
        return items_of(self._read, Place(self.place.bucket, file.key), file)


def items_of(read: ReadObject, place: Place, file: ExportFile) -> Iterator[Item]:
    """Return the items of the data file at a place, after checking it against what is stated.

    Raises `AccessError` for a file that is not that.
    """
    body = fetch(read, place, missing="is named by the manifest, but is not there")
    check_digest(place, body, file.md5)
    # Unpacked twice, line by line: as a whole it would be ten times what was read.
    count = sum(1 for _ in _lines(place, body))
    if count != file.item_count:
        said = f"has {count} items, but its manifest states {file.item_count}"
        raise contradiction(place, "CountMismatch", said)
    return (_item(place, line) for line in _lines(place, body))


def summary_of(url: str) -> Place:
    """Return where the summary of an export lies; raise `SettingsError`."""
    place = Place.parse(url, example=EXAMPLE)
    if place.key.endswith("/" + _SUMMARY) or place.key == _SUMMARY:
        return place
    name = place.key.rstrip("/").rpartition("/")[2]
    if "." in name or name in ("_started", "data", "AWSDynamoDB"):
        raise SettingsError(
            f"{url!r} is not the folder of an export", hint=f"name its summary: {EXAMPLE}"
        )
    return Place(place.bucket, place.key.rstrip("/") + "/" + _SUMMARY)


def _checked(read: ReadObject, place: Place) -> bytes:
    """Return a manifest that has the checksum beside it, under either of its names."""
    body = fetch(read, place, missing="is not there: the export is not complete, or lies elsewhere")
    check_digest(place, body, _stated(read, place).decode("ascii", "replace"))
    return body


def _stated(read: ReadObject, place: Place) -> bytes:
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


def _refuse_kind(place: Place, summary: Mapping[str, Any]) -> None:
    kind = summary.get("exportType", "FULL_EXPORT")  # older summaries do not say it
    if kind != "FULL_EXPORT":
        raise SettingsError(
            f"{place} is of type {kind}: changes alone are no picture of the table",
            hint="name a full export: aws dynamodb export-table-to-point-in-time "
            "--export-type FULL_EXPORT ...",
        )
    wanted, found = "DYNAMODB_JSON", member(place, summary, "outputFormat", str)
    if found != wanted:
        raise SettingsError(
            f"{place} is in the format {found}, which is not read",
            hint=f"export again: aws dynamodb export-table-to-point-in-time "
            f"--export-format {wanted} ...",
        )


def _refuse_another(
    place: Place, summary: Mapping[str, Any], wanted: tuple[str | None, str | None, str | None]
) -> None:
    arn = member(place, summary, "tableArn", str)
    match = _TABLE_ARN.fullmatch(arn)
    if match is None:
        raise unreadable(place, f"tableArn is {arn!r}, which is no ARN of a table")
    hint = "name an export of that table, or take the entry out"
    table, region, account = wanted
    if table is not None and match["table"] != table:
        raise SettingsError(
            f"{place} is of table {match['table']!r}, but the configuration names {table!r}",
            hint=hint,
        )
    # Pipelines of one template have tables of the same name in every region and account.
    for what, there, here in (
        ("region", match["region"], region),
        ("account", match["account"], account),
    ):
        if here is not None and there != here:
            raise SettingsError(
                f"{place} is of table {match['table']!r} in {what} {there}, "
                f"and the capture is of {what} {here}",
                hint=hint,
            )


def _time(place: Place, summary: Mapping[str, Any]) -> datetime:
    stated = member(place, summary, "exportTime", str)
    when = moment(stated)
    if when is None:
        raise unreadable(place, f"exportTime is {stated!r}, which is no time")
    return when


def _file(listing: Place, summary: Mapping[str, Any], entry: Mapping[str, Any]) -> ExportFile:
    return ExportFile(
        key=_moved(listing, entry, "dataFileS3Key", summary),
        item_count=member(listing, entry, "itemCount", int),
        md5=member(listing, entry, "md5Checksum", str),
    )


def _moved(place: Place, holder: Mapping[str, Any], name: str, summary: Mapping[str, Any]) -> str:
    """Return a key of the manifest as it lies beside the manifest that was read.

    A manifest gives keys with the prefix of the export or without it, and an export that was copied
    lies under another one: what follows the export's id is the same in all of them.
    """
    key = member(place, holder, name, str)
    if leaves(key):
        raise unreadable(place, f"the key {key!r} leads out of its folder")
    export_id = member(place, summary, "exportArn", str).rpartition("/")[2]
    before, found, inner = key.rpartition(f"{export_id}/")
    if found and before[-1:] in ("", "/"):
        return place.folder + inner
    return key if place.bucket else place.folder + key


def _check_total(export: Export, listing: Place) -> None:
    total = sum(file.item_count for file in export.files)
    if total != export.item_count:
        said = f"names files with {total} items, but the summary states {export.item_count}"
        raise contradiction(listing, "CountMismatch", said)


def _lines(place: Place, body: bytes) -> Iterator[bytes]:
    """Yield each line of a data file that is not empty."""
    plain = BytesIO(body)
    unpacked = gzip.GzipFile(fileobj=plain) if body.startswith(_GZIP) else plain
    try:
        yield from (line for line in unpacked if line.strip())
    except (OSError, EOFError, zlib.error) as error:
        raise unreadable(place, error) from error


def _item(place: Place, line: bytes) -> Item:
    item = member(place, parse_object(place, line), "Item", dict)
    if not _BINARY.search(line):
        return item
    try:
        return {name: _with_bytes(value) for name, value in item.items()}
    except ValueError as error:
        raise unreadable(place, error) from error


def _with_bytes(attribute: Any) -> dict[str, Any]:
    """Return an attribute with its binary values as bytes: the file has them in base64."""
    ((kind, value),) = _of(dict, attribute).items()
    if kind == "B":
        return {kind: _bytes(value)}
    if kind == "BS":
        return {kind: [_bytes(one) for one in _of(list, value)]}
    if kind == "M":
        return {kind: {name: _with_bytes(part) for name, part in _of(dict, value).items()}}
    if kind == "L":
        return {kind: [_with_bytes(part) for part in _of(list, value)]}
    return {kind: value}


def _bytes(value: Any) -> bytes:
    return b64decode(_of(str, value), validate=True)


def _of(kind: type[Value], value: Any) -> Value:
    if not isinstance(value, kind):
        raise ValueError(f"{value!r} is no {kind.__name__}")
    return value
