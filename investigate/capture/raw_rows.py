"""Rows of the table `raw`: an object as it was listed, and what its body says or why not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from investigate.aws import Body, Listed
from investigate.capture.body import read_body
from investigate.capture.readers import Patience
from investigate.capture.source import Row
from investigate.errors import AccessError
from investigate.layouts import RawKey
from investigate.pipeline import Design

# Ingest sits behind an API that takes 10 MB; what is far larger is none of its objects.
LARGEST_BODY = 32 * 1024 * 1024
_OF_KEY = tuple(f"key_{part}" for part in RawKey._fields)


class Bodies(Protocol):
    """What reads objects: of a bucket, or of a folder that is a copy of one."""

    def read_all(
        self, entries: Sequence[Listed], largest: int | None = None
    ) -> Iterator[Body | AccessError]:
        """Yield each object, or the error that kept it from being read, in the same order."""
        ...


@dataclass(frozen=True, slots=True)
class RawReading:
    """How raw keys and ids are made, and whether rows keep the payloads."""

    prefix: str
    design: Design
    payloads: bool = True


def is_folder(entry: Listed) -> bool:
    """Return whether an object only marks a folder, as the console writes them: it is empty, holds
    no event and never did."""
    return entry.key.endswith("/") and not entry.size


def read_objects(
    objects: Bodies, some: Sequence[Listed], layout: RawReading, patience: Patience
) -> list[Row]:
    """Return the rows of listed objects; one that cannot be read is a row that says so.

    Raises `AccessError` once all others will fail too.
    """
    bodies = iter(objects.read_all([entry for entry in some if _is_wanted(entry)]))
    return [
        row_of(entry, next(bodies) if _is_wanted(entry) else None, layout, patience)
        for entry in some
    ]


def row_of(
    entry: Listed, body: Body | AccessError | None, layout: RawReading, patience: Patience
) -> Row:
    """Return the row of an object that was read, could not be, or was not asked for (None)."""
    row = {**_described(entry, layout), "readable": False}
    if body is None:
        row["error"] = "deleted" if entry.deleted else f"failed ({entry.size} bytes)"
    elif isinstance(body, AccessError):
        patience.spend(body)
        row["error"] = _unread(body)
    else:
        row = _described(entry._replace(key=body.key), layout)
        # Written again since it was listed? Then the row describes what was read.
        row["size"] = len(body.data)
        row["etag"] = body.etag or None  # a file has none
        row["last_modified"] = body.last_modified
        row.update(read_body(body.data, layout.design, payloads=layout.payloads))
    return row


def _described(entry: Listed, layout: RawReading) -> Row:
    key = layout.design.parse_raw_key(entry.key, layout.prefix)
    row: Row = {
        "s3_key": entry.key,
        "size": None if entry.last_modified is None and not entry.size else entry.size,
        "last_modified": entry.last_modified,
        "etag": entry.etag,
    }
    if entry.version_id is not None:
        row["version_id"] = entry.version_id
    if key:
        row.update(zip(_OF_KEY, key, strict=True))
    return row


def _is_wanted(entry: Listed) -> bool:
    return not entry.deleted and entry.size <= LARGEST_BODY


def _unread(error: AccessError) -> str:
    if error.code in ("NoSuchKey", "NoSuchVersion", "404"):
        return "gone"
    if error.code == "InvalidObjectState":
        return "archived"
    word = "denied" if error.kind == "denied" else "failed"
    return f"{word} ({error.code})"
