"""The rows of a case through the writing of a capture: spooled, put in order, published."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from investigate.capture.draft import IN_ORDER, CaptureDraft
from investigate.capture.publishing import publish
from investigate.capture.source import Captured
from investigate.case import Case, open_case
from investigate.case_writer import CaseWriter
from investigate.compact import restored
from investigate.tables import ORDER, TABLES

STEP = 50_000  # rows of a part of a draft
OVERLAP = 4  # parts that cover the same keys, as those of segments of a scan do


def write_again(folder: Path, target: Path) -> int:
    """Write the tables of a case as a capture writes what it has read, and return how many rows.

    Raises `ValueError` if the two cases are not the same: byte for byte, but for what is published
    in the very files in which it was spooled (`IN_ORDER`), row for row.
    """
    case = open_case(folder)
    with CaptureDraft(target, {"captured_at": case.captured_at.isoformat()}) as draft:
        for table in case.tables:
            for number, rows in enumerate(_parts(case, table)):
                draft.write(f"{table}/{number}", {table: (rows, ORDER[table])}, {})
        known = [Captured(table, case.coverage_of(table), kept=True) for table in case.tables]
        with _writer(case, target, draft) as writer:
            publish(writer, draft, known, str)
    again = open_case(target)
    if other := [table for table in case.tables if not _same(case, again, table)]:
        raise ValueError(f"written again, these tables are not the same: {', '.join(other)}")
    return sum(case.rows.values())


def _same(case: Case, again: Case, table: str) -> bool:
    if again.files[table] == case.files[table]:
        return True
    if table not in IN_ORDER or again.rows[table] != case.rows[table]:
        return False
    pairs = zip(_spans(case, table, STEP), _spans(again, table, STEP), strict=True)
    return all(left.equals(right) for left, right in pairs)


def _writer(case: Case, target: Path, draft: CaptureDraft) -> CaseWriter:
    return CaseWriter(
        target, case.name, case.window, case.captured_at, case.settle_seconds, case.tool,
        case.pipeline, draft=draft.case,
    )  # fmt: skip


def _parts(case: Case, table: str) -> Iterator[pa.Table]:
    """Yield the rows of a table as its reader finds them: raw objects in order; of others a few
    parts cover the same keys, each in order."""
    overlap = 1 if table in IN_ORDER else OVERLAP
    for rows in _spans(case, table, STEP * overlap):
        for first in range(overlap):
            dealt = rows.take(pa.array(range(first, rows.num_rows, overlap), pa.int64()))
            if dealt.num_rows:
                yield dealt


def _spans(case: Case, table: str, size: int) -> Iterator[pa.Table]:
    """Yield the rows of a table, always so many at a time, however its files hold them."""
    waiting = pa.Table.from_batches([], TABLES[table])
    for path in case.paths(table):
        for batch in pq.ParquetFile(path).iter_batches(STEP):
            rows = restored(table, pa.Table.from_batches([batch])).cast(TABLES[table])
            waiting = pa.concat_tables([waiting, rows])
            while waiting.num_rows >= size:
                yield waiting.slice(0, size)
                waiting = waiting.slice(size)
    if waiting.num_rows:
        yield waiting
