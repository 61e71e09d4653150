"""The rows of a draft's files in the order of their table, whatever their number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from investigate.capture.draft import Part

SORTED_IN_MEMORY = 100_000  # rows; more are sorted by the engine, on disk if need be
MEMORY_MB = 256
_BATCH = 20_000


def in_order(parts: Sequence[Part]) -> bool:
    """Return whether files hold their rows in order one after the other, as they are."""
    return all(_key(left.last) < _key(right.first) for left, right in pairwise(parts))


def _key(values: tuple[object, ...]) -> tuple[tuple[bool, object], ...]:
    # Nulls stand last, and texts by their bytes, as Arrow and the engines sort them.
    return tuple(
        (value is None, value.encode() if isinstance(value, str) else value or 0)
        for value in values
    )


def batches(parts: Sequence[Part], order: Sequence[str], spill: Path) -> Iterator[pa.RecordBatch]:
    """Yield the rows of files in an order, nulls last; what is too much for memory is spilt."""
    if sum(part.rows for part in parts) <= SORTED_IN_MEMORY:
        # `read_table` would look for a data set first; in one piece rows are sorted much faster.
        rows = pa.concat_tables(pq.ParquetFile(part.path).read() for part in parts)
        by = [(name, "ascending") for name in order]
        yield from rows.combine_chunks().sort_by(by).to_batches(_BATCH)
        return
    yield from _by_the_engine(parts, order, spill)


def _by_the_engine(
    parts: Sequence[Part], order: Sequence[str], spill: Path
) -> Iterator[pa.RecordBatch]:
    # Imported when they are needed, by few captures: this takes longer than a small capture.
    import ibis

    from investigate.engine import Engine

    engine = Engine(memory_mb=MEMORY_MB, spill=spill)
    table = engine.read_parquet([part.path for part in parts], "rows")
    by = [ibis.asc(table[name], nulls_first=False) for name in order]
    yield from engine.batches(table.order_by(by), _BATCH)
