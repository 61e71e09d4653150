"""Every version of the objects of a bucket that keeps versions, deletions included."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC
from itertools import groupby
from operator import attrgetter
from typing import Any

from investigate.aws import Connection, Listed
from investigate.capture.partitions import Partition, is_before


def listed(
    connection: Connection, bucket: str, found: Iterable[Partition], after: str
) -> Iterator[Listed]:
    """Yield every version in the order of the keys; those of a deleted key are `deleted`, and
    so is every delete marker.

    A key is deleted if its newest entry is a delete marker (Amazon S3 user guide, "Working with
    delete markers"); a marker says when.
    """
    for place in found:
        if not is_before(place, after):
            yield from with_deletions(_entries(connection, bucket, place, after))


def with_deletions(entries: Iterable[Listed]) -> Iterator[Listed]:
    """Yield versions that come key by key, with `deleted` for all those of a deleted key."""
    for _, of_key in groupby(entries, attrgetter("key")):
        together = list(of_key)
        gone = any(entry.deleted and entry.newest for entry in together)
        for entry in together:
            # An older marker is history: it says when, and the object was written again since.
            yield entry._replace(deleted=gone or entry.deleted)


def level(connection: Connection, bucket: str, prefix: str) -> tuple[list[str], list[Listed]]:
    """Return the next common prefixes below a prefix, and every version of what stands there."""
    below: list[str] = []
    here: list[Listed] = []
    for page in _pages(connection, bucket, prefix, Delimiter="/"):
        below += [one["Prefix"] for one in page.get("CommonPrefixes", [])]
        here += _of_page(page)
    return sorted(below, key=str.encode), here


def _entries(connection: Connection, bucket: str, place: Partition, after: str) -> Iterator[Listed]:
    if place.objects:
        yield from place.objects
        return
    begin = {"KeyMarker": after} if after and after.startswith(place.prefix) else {}
    for page in _pages(connection, bucket, place.prefix, **begin):
        # Whether a listing begins with its marker or after it is not the same everywhere.
        yield from (entry for entry in _of_page(page) if entry.key.encode() > after.encode())


def _pages(
    connection: Connection, bucket: str, prefix: str, **asked: str
) -> Iterator[dict[str, Any]]:
    return connection.pages("s3", "ListObjectVersions", Bucket=bucket, Prefix=prefix, **asked)


def _of_page(page: dict[str, Any]) -> list[Listed]:
    kept = [_version(entry) for entry in page.get("Versions", [])]
    marks = [_marker(entry) for entry in page.get("DeleteMarkers", [])]
    return sorted(kept + marks, key=lambda entry: entry.key.encode())


def _version(entry: Any) -> Listed:
    return Listed(
        entry["Key"],
        entry["Size"],
        entry["LastModified"].astimezone(UTC).replace(microsecond=0),
        entry["ETag"].strip('"'),
        entry["VersionId"],
        newest=entry["IsLatest"],
    )


def _marker(entry: Any) -> Listed:
    when = entry["LastModified"].astimezone(UTC).replace(microsecond=0)
    return Listed(
        entry["Key"], 0, when, None, entry["VersionId"], newest=entry["IsLatest"], deleted=True
    )
