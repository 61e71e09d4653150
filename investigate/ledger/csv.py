"""The ledger as CSV, batch by batch, so that its size does not matter."""

from __future__ import annotations

import io
from collections.abc import Iterator

import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from investigate.evidence import Evidence

_FORMULA = r"\A([=+\-@\t\r'])"
_TIME = "%Y-%m-%dT%H:%M:%SZ"  # Arrow writes the fraction with the seconds


def csv_lines(evidence: Evidence, rows: ir.Table) -> Iterator[str]:
    """Yield rows as CSV texts of many lines each, the header first: RFC 4180, UTF-8, every text
    quoted, times as UTC ISO 8601 with microseconds, null as nothing. In order of the event ids.

    What a spreadsheet would take for a formula begins with an apostrophe, as in the redrive plan.
    """
    ordered = rows.order_by(["event_id", *(name for name in rows.columns if name != "event_id")])
    header = pyarrow.csv.WriteOptions(include_header=True)
    plain = pyarrow.csv.WriteOptions(include_header=False)
    yield _text(ordered.schema().to_pyarrow().empty_table(), header)
    for batch in evidence.engine.batches(ordered):
        yield _text(pa.Table.from_batches([batch]), plain)


def _text(table: pa.Table, options: pyarrow.csv.WriteOptions) -> str:
    for place, column in enumerate(table.schema):
        if pa.types.is_timestamp(column.type):
            told = pc.strftime(table[column.name], format=_TIME)
            table = table.set_column(place, column.name, told)
        elif pa.types.is_string(column.type):
            shielded = pc.replace_substring_regex(table[column.name], _FORMULA, r"'\1")
            table = table.set_column(place, column.name, shielded)
    sink = io.BytesIO()
    pyarrow.csv.write_csv(table, sink, options)
    return sink.getvalue().decode("utf-8")
