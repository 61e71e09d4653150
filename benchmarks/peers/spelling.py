"""The tables of a case as other tools read them: plain Parquet with every column written out."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from investigate.case import Case, open_case
from investigate.evidence import Evidence
from investigate.model import isoformat
from investigate.settings import Thresholds
from investigate.tables import TABLES

ASKED = ("raw", "events", "dedupe", "aggregates", "invocations", "log_lines", "functions")
GROUP_ROWS = 100_000


def spell_out(case: Path, folder: Path) -> int:
    """Write the tables that the questions ask about into a new folder, with limits.json beside
    them, and return their bytes.

    The files of a large table leave out texts that follow from others (`investigate/compact.py`);
    nobody would put them together by hand, so the other tools get them written out.
    """
    evidence = Evidence(open_case(case))
    folder.mkdir()
    for table in ASKED:
        _write(evidence, table, folder / table)
    (folder / "limits.json").write_text(json.dumps(limits(evidence.case)), encoding="utf-8")
    return sum(file.stat().st_size for file in folder.rglob("*.parquet"))


def limits(case: Case) -> dict[str, str]:
    """Return what a question needs to know of a case: its window, the days of it, until when
    what is missing counts as missing, and until when an object has expired. Raises `ValueError`
    for a case whose tables end apart."""
    ends = {case.coverage_of(table).horizon for table in ASKED[:4]}
    if ends != {f"../{isoformat(case.captured_at)}"}:
        raise ValueError(f"{case.folder}: the stores tell of different times: {ends}")
    window = case.window
    last = window.end - timedelta(microseconds=1)
    return {
        "start": isoformat(window.start),
        "end": isoformat(window.end),
        "until": isoformat(case.captured_at - timedelta(seconds=case.settle_seconds)),
        "expired": isoformat(case.captured_at - timedelta(days=Thresholds().raw_lifetime_days)),
        "first_day": window.start.date().isoformat(),
        "last_day": last.date().isoformat(),
    }


def _write(evidence: Evidence, table: str, folder: Path) -> None:
    folder.mkdir()
    schema, rows = TABLES[table], evidence.engine.materialise(evidence[table])
    with pq.ParquetWriter(folder / "part-0.parquet", schema, compression="zstd") as writer:
        held: list[pa.Table] = []
        for batch in evidence.engine.batches(rows):
            held.append(pa.Table.from_batches([batch]).select(schema.names).cast(schema))
            if sum(part.num_rows for part in held) >= GROUP_ROWS:
                writer.write_table(pa.concat_tables(held))
                held.clear()
        writer.write_table(pa.concat_tables([*held, schema.empty_table()]))


if __name__ == "__main__":
    print(spell_out(Path(sys.argv[1]), Path(sys.argv[2])))
