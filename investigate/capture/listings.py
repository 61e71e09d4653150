"""Where the list of the raw objects comes from: the bucket itself, or a report of S3 about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Protocol

from investigate.aws import Connection, Listed
from investigate.capture import object_versions
from investigate.capture.folder import files_of
from investigate.capture.inventoried import InventoryListing
from investigate.capture.partitions import Dates, Level, covers, listed, partitions
from investigate.capture.source import Source, between
from investigate.errors import AccessError
from investigate.model import parse_time
from investigate.settings import PipelineNames


class Listing(Protocol):
    """The raw objects in the order of their keys, and what is to be known of the list."""

    @property
    def notes(self) -> Sequence[str]:
        """What a reader must know of the list."""

    @property
    def horizon(self) -> str:
        """The time the list can tell about, as an ISO 8601 interval."""

    @property
    def as_of(self) -> str | None:
        """The time of the report it is from, in ISO 8601; None if it is made now."""

    @property
    def proves_emptiness(self) -> bool:
        """Whether an empty list means that there are no objects."""

    def names_all(self, key: str, dates: Dates) -> bool:
        """Whether a key that is not among the entries of these dates is not there."""

    def entries(self, dates: Dates, after: str) -> Iterator[Listed]:
        """Yield the objects of these event dates with a key after one."""


def opened(source: Source) -> Listing:
    """Return the listing that the configuration asks for; raise `AccessError`."""
    if source.names.raw_inventory:
        return InventoryListing(source, source.names.raw_inventory)
    if source.names.raw_folder:
        return FolderListing(source, source.names.raw_folder)
    return BucketListing(source)


def keeps_versions(connection: Connection, bucket: str) -> tuple[bool, str]:
    """Return whether a bucket keeps versions, and why they are not looked for if who asks may not
    know; raise `AccessError` for any other failure."""
    try:
        answer = connection.call("s3", "GetBucketVersioning", Bucket=bucket)
    except AccessError as error:
        if error.kind != "denied":
            raise
        return False, f"earlier versions were not looked for: {error.code}: {error.asked}"
    return "Status" in answer, ""


def bucket_entries(
    connection: Connection,
    names: PipelineNames,
    dates: Dates,
    after: str = "",
    *,
    with_versions: bool,
    bounded: Callable[[Level], Level] = lambda level: level,
) -> Iterator[Listed]:
    """Return the objects of these event dates with a key after one, or every version of them;
    `bounded` may end the walk through the prefixes early."""
    bucket = str(names.raw_bucket)
    within = (names.raw_prefix, dates, names.design.raw_layout)
    if with_versions:
        level = bounded(partial(object_versions.level, connection, bucket))
        return object_versions.listed(connection, bucket, partitions(level, *within), after)
    objects = connection.objects(bucket)
    return listed(objects, partitions(bounded(objects.level), *within), after)


class BucketListing:
    """The objects of the bucket itself; where it keeps versions, every version."""

    proves_emptiness = True
    as_of = None

    def __init__(self, source: Source) -> None:
        self._source = source
        self._bucket = str(source.names.raw_bucket)
        self._with_versions, unknown = keeps_versions(source.connection, self._bucket)
        self.notes: Sequence[str] = (unknown,) if unknown else ()

    @property
    def horizon(self) -> str:
        """Everything before the capture."""
        return between(None, self._source.options.captured_at)

    def names_all(self, key: str, dates: Dates) -> bool:
        """Whether a key that is not among the entries of these dates is not there."""
        names = self._source.names
        return covers(key, names.raw_prefix, dates, names.design.raw_layout)

    def entries(self, dates: Dates, after: str) -> Iterator[Listed]:
        """Yield the objects of these event dates with a key after one."""
        source, kept = self._source, self._with_versions
        return bucket_entries(source.connection, source.names, dates, after, with_versions=kept)


class FolderListing:
    """The files of a folder that is a copy of the bucket.

    Nothing in a copy says when it was made, so it tells of nothing after its newest file.
    """

    proves_emptiness = False
    as_of = None

    def __init__(self, source: Source, folder: str) -> None:
        self._source = source
        self._root = Path(folder)
        self._newest: datetime | None = None

    @property
    def notes(self) -> Sequence[str]:
        """What a reader must know of the list."""
        return (f"as the copy in {self._root} has them: what was not copied seems not to be there",)

    @property
    def horizon(self) -> str:
        """Everything up to the newest file."""
        copied_at = self._source.names.raw_copied_at
        return between(None, parse_time(copied_at, "raw_copied_at") if copied_at else self._newest)

    def names_all(self, key: str, dates: Dates) -> bool:
        """Whether a key that is not among the entries is not there: a copy may be behind."""
        return False

    def entries(self, dates: Dates, after: str) -> Iterator[Listed]:
        """Yield the objects of these event dates with a key after one."""
        names = self._source.names
        for entry in files_of(self._root, names.raw_prefix, dates, names.design.raw_layout):
            when = entry.last_modified
            if when and (self._newest is None or when > self._newest):
                self._newest = when
            if entry.key.encode() > after.encode():
                yield entry
