"""Where the list of the raw objects comes from: the bucket itself, or a report of S3 about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Protocol

from investigate.aws import Listed
from investigate.capture import versions
from investigate.capture.folder import files_of
from investigate.capture.inventoried import InventoryListing
from investigate.capture.partitions import Dates, covers, listed, places
from investigate.capture.source import Source, between
from investigate.errors import AccessError
from investigate.model import parse_time


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


class BucketListing:
    """The objects of the bucket itself; where it keeps versions, every version."""

    proves_emptiness = True
    as_of = None

    def __init__(self, source: Source) -> None:
        self._source = source
        self._bucket = str(source.names.raw_bucket)
        self.notes: Sequence[str] = ()
        self._with_versions = self._keeps_versions()

    @property
    def horizon(self) -> str:
        """Everything before the capture."""
        return between(None, self._source.options.captured_at)

    def names_all(self, key: str, dates: Dates) -> bool:
        """Whether a key that is not among the entries of these dates is not there."""
        return covers(key, self._source.names.raw_prefix, dates)

    def entries(self, dates: Dates, after: str) -> Iterator[Listed]:
        """Yield the objects of these event dates with a key after one."""
        connection, prefix = self._source.connection, self._source.names.raw_prefix
        if self._with_versions:
            level = partial(versions.level, connection, self._bucket)
            yield from versions.listed(
                connection, self._bucket, places(level, prefix, dates), after
            )
        else:
            objects = connection.objects(self._bucket)
            yield from listed(objects, places(objects.level, prefix, dates), after)

    def _keeps_versions(self) -> bool:
        try:
            answer = self._source.connection.call("s3", "GetBucketVersioning", Bucket=self._bucket)
        except AccessError as error:
            if error.kind != "denied":
                raise
            self.notes = (f"earlier versions were not looked for: {error.code}: {error.asked}",)
            return False
        return "Status" in answer


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
        for entry in files_of(self._root, self._source.names.raw_prefix, dates):
            when = entry.last_modified
            if when and (self._newest is None or when > self._newest):
                self._newest = when
            if entry.key.encode() > after.encode():
                yield entry
