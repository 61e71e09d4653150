"""The raw objects as an S3 Inventory report lists them, which asks nothing of the bucket."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from investigate.aws import Listed
from investigate.capture import object_versions
from investigate.capture.inventory import Inventory
from investigate.capture.ordered import batches
from investigate.capture.partitions import Dates
from investigate.capture.source import Source, between
from investigate.model import isoformat

# A report may lack what was written shortly before it (Amazon S3 user guide, "Amazon S3
# Inventory": eventually consistent); no document says how shortly.
LAG = timedelta(hours=1)
_UNIT = "inventory"
_ORDER = ("key", "version_id")


class InventoryListing:
    """The objects of one report under the raw prefix."""

    # A report does not say for which prefix it was made.
    proves_emptiness = False

    def __init__(self, source: Source, url: str) -> None:
        self._source = source
        self._report = Inventory.open(url, source.body, bucket=source.names.raw_bucket)

    @property
    def horizon(self) -> str:
        """The time the report can tell about."""
        return between(None, self._report.created - LAG)

    def names_all(self, key: str, dates: Dates) -> bool:
        """Whether a key that is not among the entries is not there: a report may be behind."""
        return False

    @property
    def as_of(self) -> str:
        """The time of the report."""
        return isoformat(self._report.created)

    @property
    def notes(self) -> Sequence[str]:
        """Where the list is from."""
        return (f"as the inventory of {isoformat(self._report.created)} lists them",)

    def entries(self, dates: Dates, after: str) -> Iterator[Listed]:
        """Yield the objects of these event dates with a key after one."""
        self._fetch(dates)
        entries = (entry for entry in self._kept() if entry.key.encode() > after.encode())
        yield from object_versions.with_deletions(entries)

    def _kept(self) -> Iterator[Listed]:
        parts = self._source.draft.parts(_UNIT)
        if parts:
            for batch in batches(parts, _ORDER, self._source.draft.folder):
                yield from map(_entry, batch.to_pylist())

    def _fetch(self, dates: Dates) -> None:
        """Keep what the report's files list in the draft, file by file."""
        done = (self._source.draft.note(_UNIT) or {"files": 0})["files"]
        names = self._source.names
        for number, file in enumerate(self._report.files):
            if number < done:
                continue
            prefix, layout = names.raw_prefix, names.design.raw_layout
            kept = _of_dates(
                self._report.entries(file, prefix), dates, f"^{re.escape(prefix)}{layout.dated}"
            )
            self._source.keep_other(_UNIT, kept, _ORDER, {"files": number + 1})
            self._source.tell("inventory", [_UNIT])


def _of_dates(found: pa.Table, dates: Dates, dated: str) -> pa.Table:
    """Leave out the objects of other event dates; one without a date in its key stays."""
    day = pc.struct_field(pc.extract_regex(found["key"], dated), "day")
    inside = pc.and_(pc.greater_equal(day, dates[0]), pc.less_equal(day, dates[1]))
    return found.filter(pc.fill_null(inside, True))


def _entry(row: dict[str, Any]) -> Listed:
    return Listed(
        row["key"],
        row["size"] or 0,  # a delete marker has none
        row["last_modified"] and row["last_modified"].replace(microsecond=0),
        row["etag"],
        row["version_id"],
        newest=row["is_latest"],
        deleted=row["is_delete_marker"],
    )
