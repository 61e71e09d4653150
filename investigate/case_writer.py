"""Writing a case: its tables beside its place, its manifest last, and one rename."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import chain, islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from investigate import compact
from investigate.case import MANIFEST, SCHEMA, Coverage, TableFile, digest
from investigate.designs import recorded
from investigate.errors import UsageError
from investigate.in_place import InPlace
from investigate.model import Window, isoformat
from investigate.pipeline import REFERENCE, Design
from investigate.tables import LISTING, ORDER, TABLES, as_table

ROWS_PER_GROUP = 20_000  # of a table that is written as a stream
LARGE = 10_000  # rows; from so many on a table that is written as a stream is written compactly
GROUPS_PER_FILE = 50
# Of a listing: what one process reads at a time of the objects it names.
ROWS_PER_LISTING = 5_000


@dataclass
class CaseWriter:
    """Writes a case beside its place and moves it there when it is complete; nothing half-written.

    Use as a context manager: leaving it without an error publishes the case, an error removes it.
    """

    folder: Path
    name: str
    window: Window
    captured_at: datetime
    settle_seconds: int
    tool: Mapping[str, str]
    pipeline: Mapping[str, Any]
    scope: Mapping[str, Any] = field(default_factory=dict)  # entities, event_dates, masked
    consumed: Mapping[str, Any] = field(default_factory=dict)  # requests and read units it took
    draft: Path | None = None  # where it is written until it is complete; default: beside it
    design: Design = REFERENCE
    compact: bool = True  # large tables: without the columns that follow from others
    _files: dict[str, tuple[TableFile, ...]] = field(default_factory=dict)
    _rows: dict[str, int] = field(default_factory=dict)
    _coverage: dict[str, Coverage] = field(default_factory=dict)
    _lake: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.folder.exists():
            raise UsageError(
                f"{self.folder} exists already; evidence is never overwritten",
                hint="choose another name for the case, or move the old one away",
            )
        beside = self.folder.with_name(f".{self.folder.name}.writing-{os.getpid()}")
        self._draft = self.draft or beside

    def __enter__(self) -> Self:
        self._draft.mkdir(parents=True, mode=0o700)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self._write_manifest()
                self._draft.replace(self.folder)
        finally:
            # Gone once it is the case; still there if anything failed, publishing included.
            with suppress(FileNotFoundError):
                shutil.rmtree(self._draft)

    def add(self, table: str, rows: Iterable[Mapping[str, Any]], coverage: Coverage) -> int:
        """Store a captured table, sorted by its key, and return its number of rows."""
        captured = as_table(table, rows)
        captured = captured.sort_by([(name, "ascending") for name in ORDER[table]])
        path = self._draft / table / "part-0.parquet"
        path.parent.mkdir()
        pq.write_table(captured, path, compression="zstd")
        self._take(table, [path], captured.num_rows, coverage)
        return int(captured.num_rows)

    def add_batches(self, table: str, batches: Iterable[pa.RecordBatch], coverage: Coverage) -> int:
        """Store a captured table of any size, whose rows come in order; return their number. A
        large one is written compactly, unless this writer is told not to."""
        groups = _in_groups(batches, TABLES[table], ROWS_PER_GROUP)
        start = list(islice(groups, 1))
        is_large = self.compact and any(group.num_rows >= LARGE for group in start)
        shape = (
            _Compact(TABLES[table], compact.layouts_of(table, self.design))
            if is_large
            else _Plain(TABLES[table])
        )
        paths, rows = self._write(self._draft / table, chain(start, groups), shape)
        self._take(table, paths, rows, coverage)
        return rows

    def _write(
        self, folder: Path, groups: Iterator[pa.Table], shape: _Plain
    ) -> tuple[list[Path], int]:
        """Write groups of rows into files of a new folder; return these, and how many rows."""
        folder.mkdir(parents=True)
        paths: list[Path] = []
        rows = 0
        for first in groups:
            paths.append(folder / f"part-{len(paths)}.parquet")
            with pq.ParquetWriter(paths[-1], shape.schema, **shape.options) as file:
                for group in chain([first], islice(groups, GROUPS_PER_FILE - 1)):
                    file.write_table(shape.stored(group))
                    rows += group.num_rows
        return paths, rows

    def point(
        self,
        table: str,
        in_place: InPlace,
        coverage: Coverage,
        listing: Iterable[pa.RecordBatch] | None = None,
    ) -> None:
        """Record where the rows of a table are, instead of storing them; with the listing that
        names them, in order, if no report of AWS does."""
        told = in_place.as_json()
        if listing is not None:
            groups = _in_groups(listing, LISTING, ROWS_PER_LISTING)
            paths, _ = self._write(self._draft / "lake" / table, groups, _Plain(LISTING))
            told["listing"] = [asdict(file) for file in self._files_of(paths)]
        self._lake[table] = told
        self._coverage[table] = coverage

    def add_files(self, table: str, files: Sequence[Path], rows: int, coverage: Coverage) -> None:
        """Take Parquet files that hold a captured table in order; they stay where they are."""
        folder = self._draft / table
        folder.mkdir()
        paths = [folder / f"part-{number}.parquet" for number in range(len(files))]
        for path, file in zip(paths, files, strict=True):
            try:
                path.hardlink_to(file)
            except OSError:  # not on every file system
                shutil.copyfile(file, path)
        self._take(table, paths, rows, coverage)

    def _take(self, table: str, paths: Sequence[Path], rows: int, coverage: Coverage) -> None:
        self._files[table] = self._files_of(paths)
        self._rows[table] = rows
        self._coverage[table] = coverage

    def _files_of(self, paths: Sequence[Path]) -> tuple[TableFile, ...]:
        return tuple(
            TableFile(path.relative_to(self._draft).as_posix(), path.stat().st_size, digest(path))
            for path in paths
        )

    def leave_out(self, table: str, coverage: Coverage) -> None:
        """Record why a table is not part of the case."""
        if coverage.status in ("captured", "partial"):
            raise ValueError(f"{table} is left out, so it cannot be {coverage.status}")
        self._coverage[table] = coverage

    def _write_manifest(self) -> None:
        manifest = {
            "schema": SCHEMA,
            "name": self.name,
            "window": {"start": isoformat(self.window.start), "end": isoformat(self.window.end)},
            "captured_at": isoformat(self.captured_at),
            "settle_seconds": self.settle_seconds,
            "tool": dict(self.tool),
            "pipeline": dict(self.pipeline),
            "tables": {
                table: {
                    "rows": self._rows[table],
                    "files": [asdict(file) for file in self._files[table]],
                }
                for table in TABLES
                if table in self._files
            },
            "coverage": {
                table: known.as_json() for table in TABLES if (known := self._coverage.get(table))
            },
        }
        for name, value in (
            ("lake", self._lake),
            ("scope", self.scope),
            ("consumed", self.consumed),
            ("design", {} if self.design == REFERENCE else recorded(self.design)),
        ):
            if value:
                manifest[name] = dict(value)
        (self._draft / MANIFEST).write_text(
            json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )


class _Plain:
    """How the files of a small table are written: each column as it is."""

    def __init__(self, schema: pa.Schema) -> None:
        self.schema = schema
        self.options: dict[str, Any] = {"compression": "zstd"}

    def stored(self, rows: pa.Table) -> pa.Table:
        return rows


class _Compact(_Plain):
    """How the files of a large table are written: without what follows, see `compact`."""

    def __init__(self, schema: pa.Schema, layouts: Mapping[str, str]) -> None:
        super().__init__(compact.schema_of(schema, layouts))
        self._layouts = layouts
        self.options = compact.writing(self.schema)

    def stored(self, rows: pa.Table) -> pa.Table:
        return compact.shrunk(rows, self._layouts)


def _in_groups(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, most: int
) -> Iterator[pa.Table]:
    """Yield the rows in groups of always the same size, however they came: the same bytes. Each
    group is one piece, because a column is cut into pages where its pieces end."""
    waiting = pa.Table.from_batches([], schema)
    for batch in batches:
        waiting = pa.concat_tables([waiting, pa.Table.from_batches([batch]).cast(schema)])
        while waiting.num_rows >= most:
            yield waiting.slice(0, most).combine_chunks()
            waiting = waiting.slice(most)
    if waiting.num_rows:
        yield waiting.combine_chunks()
