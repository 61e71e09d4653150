"""What the files of a large table leave out, and how they are encoded, is the same on Spark."""

from __future__ import annotations

import pyarrow.parquet as pq
import pytest

from investigate import compact
from investigate.case import open_case
from investigate.compact_reading import spelled_out
from investigate.engine import DuckDBEngine
from investigate.tables import ORDER
from tests.commands.conftest import CASES

CASE = open_case(CASES / "everything")


@pytest.mark.parametrize("table", CASE.tables)
def test_the_files_of_a_large_table_have_the_same_rows(spark, tmp_path, table):
    rows = pq.read_table(CASE.paths(table))
    layouts = compact.LAYOUTS.get(table, {})
    schema = compact.schema_of(rows.schema, layouts)
    path = tmp_path / "part-0.parquet"
    pq.write_table(compact.shrunk(rows, layouts), path, **compact.writing(schema))
    found, same = (
        engine.rows(spelled_out(engine.read_parquet([path], table), table).order_by(ORDER[table]))
        for engine in (DuckDBEngine(), spark)
    )
    assert found == same
    assert len(found) == len(rows)
