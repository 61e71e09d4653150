"""How many bytes an event takes on disk: every column as it is, and as a large case is written."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.documents import markdown_table, write_section
from benchmarks.machine import described
from benchmarks.synthetic.case import write_case
from investigate import compact
from investigate.case import Case, open_case
from investigate.case_writer import ROWS_PER_GROUP
from investigate.tables import TABLES

_NEEDLE = 0.5  # bytes per event; smaller tables are not shown
_Options = Callable[[pa.Schema], Mapping[str, Any]]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument("--events", type=int, default=100_000, help="how many (100000)")
    parser.add_argument("--write", metavar="FILE", type=Path, help="put the table into a document")


def run(chosen: argparse.Namespace) -> int:
    """Print bytes per event by table."""
    with tempfile.TemporaryDirectory() as place:
        written = write_case(Path(place) / "case", chosen.events)
        case = open_case(written.folder)
        sizes = {table: _sizes(case, table, Path(place)) for table in case.tables}
    text = _as_markdown(sizes, written.events)
    print(text)
    if chosen.write:
        write_section(chosen.write, "storage", text)
    return 0


def _sizes(case: Case, table: str, place: Path) -> tuple[int, int, int]:
    """Return the bytes of a table with every column as it is, the same in the encodings of large
    tables, and as its files are."""
    plain = _written(case, table, place, lambda schema: {"compression": "zstd"})
    encoded = _written(case, table, place, compact.writing)
    return plain, encoded, sum(file.bytes for file in case.files[table])


def _written(case: Case, table: str, place: Path, options: _Options) -> int:
    path, schema = place / "table.parquet", TABLES[table]
    with pq.ParquetWriter(path, schema, **options(schema)) as file:
        for rows in _groups(case, table):
            file.write_table(rows.cast(schema))
    return path.stat().st_size


def _groups(case: Case, table: str) -> Iterator[pa.Table]:
    for path in case.paths(table):
        for batch in pq.ParquetFile(path).iter_batches(ROWS_PER_GROUP):
            yield compact.restored(table, pa.Table.from_batches([batch]))


def _as_markdown(sizes: Mapping[str, tuple[int, int, int]], events: int) -> str:
    shown = {name: one for name, one in sizes.items() if max(one) >= _NEEDLE * events}
    rows = [[f"`{name}`", *_figures(one, events)] for name, one in shown.items()]
    stores = [sum(sizes[name][at] for name in compact.LAYOUTS) for at in range(3)]
    every = [sum(one[at] for one in sizes.values()) for at in range(3)]
    rows += [["`raw` and `events`", *_figures(stores, events)]]
    rows += [["all tables", *_figures(every, events)]]
    heading = ["bytes per event", "each column as it is", "encodings alone", "as written", "share"]
    today = datetime.now(UTC).date().isoformat()
    return "\n\n".join((
        "## Bytes per event on disk (`storage`)",
        f"{today}; {events:,} synthetic events; {described(('pyarrow',))}.",
        markdown_table(heading, rows),
        "All are Parquet with zstd in groups of 20,000 sorted rows. *Encodings alone*: digests, "
        "keys and times in delta encodings, by which zstd packs the 64 digits of a digest into 32 "
        "bytes. *As written*: also without the texts that follow from other columns of their row "
        "(`investigate/compact.py`); tables below 10,000 rows stay as they are.",
    ))  # fmt: skip


def _figures(sizes: tuple[int, int, int] | list[int], events: int) -> list[str]:
    before, _, after = sizes
    share = f"{after / before:.0%}" if before else "–"
    return [*(f"{size / events:,.1f}" for size in sizes), share]
