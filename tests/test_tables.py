from __future__ import annotations

import ibis
import pyarrow as pa
import pytest

from investigate.evidence import _with_later_columns
from investigate.tables import LATER, ORDER, TABLES, missing_columns


def without(table: str, *names: str) -> pa.Schema:
    return pa.schema([field for field in TABLES[table] if field.name not in names])


@pytest.mark.parametrize("table", LATER)
def test_a_case_from_before_a_column_was_added_still_has_all_it_must_have(table):
    assert missing_columns(table, without(table, *LATER[table])) == []


@pytest.mark.parametrize("table", LATER)
def test_a_column_that_was_always_there_must_be_there(table):
    first = TABLES[table].names[0]
    assert missing_columns(table, without(table, first)) == [f"no column {first!r}"]


@pytest.mark.parametrize("table", LATER)
def test_what_an_old_case_lacks_is_read_as_null(table):
    old = ibis.table(ibis.Schema.from_pyarrow(without(table, *LATER[table])), name="old")
    read = _with_later_columns(old, table)
    assert dict(read.schema().items()) == dict(ibis.Schema.from_pyarrow(TABLES[table]).items())
    assert _with_later_columns(read, table) is read


def test_only_agreed_columns_are_later_ones_or_give_the_order_of_rows():
    for named in (LATER, ORDER):
        assert all(set(names) <= set(TABLES[table].names) for table, names in named.items())
