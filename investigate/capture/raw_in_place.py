"""The raw objects of a case that only points at them: listed now, read when a question is asked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from investigate.aws import Listed
from investigate.capture import listings
from investigate.capture.partitions import dates_of, in_steps
from investigate.capture.raw_rows import is_folder
from investigate.capture.source import Captured, Source
from investigate.case import Coverage
from investigate.in_place import RAW_OBJECTS, InPlace
from investigate.tables import LISTING

UNIT = "lake/raw"  # under which the listing stands in a draft
ORDER = ("key", "version_id")
STEP = 50_000  # objects that are kept at once


def read(source: Source) -> list[Captured]:
    """Return the table `raw` as the place its objects are in; the draft holds their listing."""
    names = source.names
    if not (names.raw_bucket or names.raw_folder):
        return [Captured("raw", source.lacks("raw bucket"))]
    dates, listing = dates_of(source.options.window), listings.opened(source)
    done = source.draft.note(UNIT) or {"after": "", "rows": 0}
    rows = done["rows"]
    entries = (one for one in listing.entries(dates, done["after"]) if not is_folder(one))
    for step in in_steps(entries, STEP):
        rows += len(step)
        note = {"after": step[-1].key, "rows": rows}
        source.keep_other(UNIT, _table(step), ORDER, note)
        source.tell("raw", [UNIT])
    location = in_folder(names.raw_folder) if names.raw_folder else f"s3://{names.raw_bucket}/"
    known = InPlace(
        RAW_OBJECTS,
        location,
        rows,
        as_of=listing.as_of,
        report=names.raw_inventory,
        prefix=names.raw_prefix,
        payloads=source.options.payloads,
    )
    notes = [in_place_note(known), f"event dates {dates[0]} to {dates[1]} only", *listing.notes]
    coverage = Coverage("captured", "", listing.horizon)
    if not rows and not listing.proves_emptiness:
        notes.append("it lists none under the prefix, for which it may not have been made")
        coverage = replace(coverage, status="partial")
    return [Captured("raw", replace(coverage, reason="; ".join(notes)), in_place=known)]


def in_place_note(known: InPlace) -> str:
    """Say of a table that it is not in the case, for its coverage."""
    return f"read in place from {known.location}: what changes there changes the answers"


def in_folder(path: str) -> str:
    """Return a folder of this machine, or of a disk that others share, as a location."""
    return Path(path).resolve().as_uri().rstrip("/") + "/"


def _table(entries: Iterable[Listed]) -> pa.Table:
    rows = [dict(zip(Listed._fields, entry, strict=True)) for entry in entries]
    return pa.Table.from_pylist(rows, schema=LISTING)
