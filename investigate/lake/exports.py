"""Exports of DynamoDB in place: workers read their data files, each checked where it is read."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa

from investigate.capture.exported import in_steps
from investigate.capture.exports import ExportFile, items_of
from investigate.capture.folder import FolderObjects
from investigate.capture.privacy import Mask
from investigate.capture.rows import converted
from investigate.capture.source import body_at, hidden, stored
from investigate.capture.verified import ObjectLocation, ReadObject
from investigate.case import Case
from investigate.lake.location import LakeLocation
from investigate.pipeline import Design
from investigate.tables import TABLES

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from investigate.engine import Engine


def read(case: Case, table: str, engine: Engine) -> ir.Table:
    """Return the rows of a table as they were at the time of its export.

    Raises `AccessError` naming the first file that is gone, or has not the MD5 or not the number of
    items that its manifest stated when the case was captured.
    """
    known = case.lake[table]
    files = [ExportFile(file.key, file.items, file.md5) for file in known.files]
    work = partial(rows_of, LakeLocation.of(case, known), table, case.design)
    return engine.read_in_parallel(files, work, TABLES[table], table)


def rows_of(
    where: LakeLocation, table: str, design: Design, file: ExportFile
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of one data file."""
    mask = Mask()
    read, place = _file(where, file.key)
    for some in in_steps(items_of(read, place, file)):
        yield from hidden(table, stored(table, converted(table, some, design)), mask).to_batches()


def _file(where: LakeLocation, key: str) -> tuple[ReadObject, ObjectLocation]:
    """Return what reads a file, and its place as a person knows it."""
    if where.bucket:
        return partial(body_at, where.connection()), ObjectLocation(where.bucket, key)
    folder = FolderObjects(where.folder)
    return lambda _bucket, _path: folder.read(key), ObjectLocation("", str(where.folder / key))
