"""Raw objects in place: a listing in the case names them, workers read and hash them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from investigate.aws import Listed
from investigate.capture.folder import FolderObjects
from investigate.capture.privacy import Mask
from investigate.capture.raw_rows import RawReading, read_objects
from investigate.capture.readers import Patience, Readers
from investigate.capture.source import Row, hidden, stored
from investigate.case import Case
from investigate.lake.location import LakeLocation
from investigate.tables import RAW

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from investigate.engine import Engine

AT_ONCE = 50  # objects that one thread reads before it hands them over
BATCH = 1_000  # rows that are handed on together


@dataclass(frozen=True, slots=True)
class ListedGroup:
    """Some of the objects of a listing: one row group of one of its files."""

    listing: Path
    group: int


def read(case: Case, table: str, engine: Engine) -> ir.Table:
    """Return the rows of the listed objects as they are now."""
    known = case.lake[table]
    work = partial(
        rows_of, LakeLocation.of(case, known), RawReading(known.prefix, case.design, known.payloads)
    )
    paths = [(case.folder / file.path).resolve() for file in case.listings[table]]
    items = [
        ListedGroup(path, group)
        for path in paths
        for group in range(pq.read_metadata(path).num_row_groups)
    ]
    return engine.read_in_parallel(items, work, RAW, table)


def rows_of(where: LakeLocation, layout: RawReading, item: ListedGroup) -> Iterator[pa.RecordBatch]:
    """Yield the rows of table `raw` of some objects, in the order of the listing."""
    listed = pq.ParquetFile(item.listing).read_row_group(item.group).to_pylist()
    entries = [Listed(**row) for row in listed]
    read = _in_bucket if where.bucket else _in_folder
    yield from _batches(read(where, layout, entries))


def _in_bucket(
    where: LakeLocation, layout: RawReading, entries: Sequence[Listed]
) -> Iterator[list[Row]]:
    """Yield the rows of objects that threads read, most of which wait for S3."""
    objects, patience = where.connection().objects(where.bucket), Patience()

    def read_some(some: Sequence[Listed]) -> list[Row]:
        return read_objects(objects, some, layout, patience)

    with Readers(read_some) as readers:
        waiting = [readers.submit(some) for some in _shares(entries)]
        for future in waiting:
            yield future.result()


def _in_folder(
    where: LakeLocation, layout: RawReading, entries: Sequence[Listed]
) -> Iterator[list[Row]]:
    objects, patience = FolderObjects(where.folder), Patience()
    for some in _shares(entries):
        yield read_objects(objects, some, layout, patience)


def _shares(entries: Sequence[Listed]) -> Iterator[Sequence[Listed]]:
    for at in range(0, len(entries), AT_ONCE):
        yield entries[at : at + AT_ONCE]


def _batches(shares: Iterator[list[Row]]) -> Iterator[pa.RecordBatch]:
    """Yield rows as a capture keeps them, a few shares at a time."""
    mask, waiting = Mask(), list[Row]()
    for rows in shares:
        waiting.extend(rows)
        if len(waiting) >= BATCH:
            yield from hidden("raw", stored("raw", waiting), mask).to_batches()
            waiting = []
    if waiting:
        yield from hidden("raw", stored("raw", waiting), mask).to_batches()
