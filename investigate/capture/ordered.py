"""The rows of a draft's files in the order of their table, whatever their number."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq

from investigate.capture.draft import MERGED, Part
from investigate.capture.source import sorted_by
from investigate.errors import CaseDamagedError

SORTED_IN_MEMORY = 100_000  # rows; more are merged from files, of which each is in order
MERGED_AT_ONCE = 16  # files; of each so many rows are in memory
_ROWS = 1_000
_BATCH = 20_000

Key = tuple[tuple[bool, object], ...]


def in_order(parts: Sequence[Part]) -> bool:
    """Return whether files hold their rows in order one after the other, as they are."""
    return all(_key(left.last) < _key(right.first) for left, right in pairwise(parts))


def _key(values: Iterable[object]) -> Key:
    # Nulls stand last, and texts by their bytes, as Arrow sorts them.
    return tuple(
        (value is None, value.encode() if isinstance(value, str) else value or 0)
        for value in values
    )


def one_after_the_other(parts: Sequence[Part]) -> Iterator[pa.RecordBatch]:
    """Yield the rows of files that are in order as they are."""
    for part in parts:
        yield from pq.ParquetFile(part.path, pre_buffer=False).iter_batches(_BATCH)


def batches(parts: Sequence[Part], order: Sequence[str], spill: Path) -> Iterator[pa.RecordBatch]:
    """Yield the rows of files, of which each is in order, in that order; nulls last.

    What is too much for memory is merged in the folder `spill`.
    """
    paths = [part.path for part in parts]
    if sum(part.rows for part in parts) <= SORTED_IN_MEMORY:
        # `read_table` would look for a data set first.
        rows = pa.concat_tables(pq.ParquetFile(path).read() for path in paths)
        yield from sorted_by(rows, order).to_batches(_BATCH)
        return
    with TemporaryDirectory(dir=spill, prefix=MERGED) as folder:
        level = 0
        while len(paths) > MERGED_AT_ONCE:
            level += 1
            paths = [
                _merged_file(some, order, Path(folder) / f"{level}-{number}.parquet")
                for number, some in enumerate(_in_shares(paths))
            ]
        for rows in _merged(paths, order):
            yield from rows.to_batches(_BATCH)


def _in_shares(paths: Sequence[Path]) -> Iterator[Sequence[Path]]:
    for at in range(0, len(paths), MERGED_AT_ONCE):
        yield paths[at : at + MERGED_AT_ONCE]


def _merged_file(paths: Sequence[Path], order: Sequence[str], target: Path) -> Path:
    with pq.ParquetWriter(target, pq.read_schema(paths[0]), compression="lz4") as file:
        for rows in _merged(paths, order):
            file.write_table(rows)
    return target


def _merged(paths: Sequence[Path], order: Sequence[str]) -> Iterator[pa.Table]:
    """Yield the rows of a few files in order, some at a time."""
    runs = [run for path in paths if (run := _Run(path, order)).rows.num_rows]
    while runs:
        # Up to the first of their ends, nothing of any file can be lacking.
        bound = min(run.key(run.rows.num_rows - 1) for run in runs)
        taken = pa.concat_tables(run.take(bound) for run in runs)
        if not taken.num_rows:
            raise CaseDamagedError(
                f"rows that were kept are not in the order of {', '.join(order)}"
            )
        yield sorted_by(taken, order)
        runs = [run for run in runs if run.rows.num_rows]


class _Run:
    """A file in order, of which some rows are in memory."""

    def __init__(self, path: Path, order: Sequence[str]) -> None:
        self._order = list(order)
        self._file = pq.ParquetFile(path, pre_buffer=False)
        self._more = self._file.iter_batches(_ROWS)
        self.rows = self._next()

    def _next(self) -> pa.Table:
        found = next(self._more, None)
        schema = self._file.schema_arrow
        return pa.Table.from_batches([] if found is None else [found], schema)

    def key(self, at: int) -> Key:
        """Return what a row in memory is ordered by."""
        return _key(self.rows[name][at].as_py() for name in self._order)

    def take(self, bound: Key) -> pa.Table:
        """Return the rows in memory up to a key, and load others if none is left."""
        count = bisect_right(range(self.rows.num_rows), bound, key=self.key)
        taken, self.rows = self.rows.slice(0, count), self.rows.slice(count)
        if not self.rows.num_rows:
            self.rows = self._next()
        return taken
