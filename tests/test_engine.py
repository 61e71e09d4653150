"""The engine: times in UTC, small helpers that never answer null by accident, errors in words."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import ibis
import nbformat
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from nbclient import NotebookClient

from investigate.engine import (
    DuckDBEngine,
    blank,
    day_of,
    differ,
    filled,
    literal_rows,
    milliseconds_since_1970,
    number_text,
    open_engine,
    seconds_between,
    seconds_since_1970,
    text_of,
)
from investigate.errors import EngineError, UsageError
from investigate.memory import EngineMemory, MemoryLimit
from tests.spark import spark_sql

ENGINE = DuckDBEngine()
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def table(**columns) -> ibis.Table:
    """Columns of Python values; times are kept to the microsecond."""
    return ENGINE.read_arrow(pa.table(columns), "t")


def value(expression: ibis.Column):
    (row,) = ENGINE.rows(expression.name("value").as_table())
    return row["value"]


def times(*moments: datetime) -> list[ibis.Column]:
    rows = table(**{f"t{n}": [moment] for n, moment in enumerate(moments)})
    return [rows[name] for name in rows.columns]


def test_an_unknown_engine_is_refused_with_the_known_ones():
    with pytest.raises(UsageError, match=r"unknown engine 'duck' \(known: duckdb, spark\)"):
        open_engine("duck")


@pytest.mark.parametrize("name", ["case*", "case[1]", "case?", "kind=mine", "{case}", "it's %20"])
def test_the_name_of_a_folder_is_only_a_name(tmp_path, name):
    for folder, said in ((name, "here"), ("case1", "elsewhere")):
        (tmp_path / folder).mkdir()
        pq.write_table(pa.table({"kind": [said]}), tmp_path / folder / "part-0.parquet")
    rows = ENGINE.read_parquet([tmp_path / name / "part-0.parquet"], "raw")
    assert ENGINE.rows(rows) == [{"kind": "here"}]


def test_times_of_any_zone_become_utc_without_a_zone():
    tokyo = NOON.astimezone(timezone(timedelta(hours=9)))
    (moment,) = times(tokyo)
    assert value(moment) == NOON.replace(tzinfo=None)
    assert value(text_of(moment)) == "2026-03-10T12:00:00Z"


def test_the_zone_of_the_machine_plays_no_part():
    program = (
        "from tests.test_engine import *; (m,) = times(NOON.replace(hour=23, minute=30));"
        "print(value(text_of(m)), value(day_of(m)), value(seconds_since_1970(m)))"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True, text=True, check=True, env={"TZ": zone, "PYTHONPATH": "."},
        ).stdout
        for zone in ("UTC", "Asia/Tokyo", "America/New_York")
    }  # fmt: skip
    assert said == {"2026-03-10T23:30:00Z 2026-03-10 1773185400\n"}


@pytest.mark.parametrize(
    ("later", "seconds"),
    [
        (timedelta(0), 0.0),
        (timedelta(milliseconds=1), 0.001),
        (timedelta(milliseconds=700), 0.7),
        (timedelta(seconds=2, microseconds=250_001), 2.250001),
        (timedelta(seconds=-1, milliseconds=300), -0.7),
        (timedelta(days=400), 34_560_000.0),
    ],
)
@pytest.mark.parametrize("fraction", [0, 500_000, 999_999])
def test_seconds_between_two_times_count_fractions_once(later, seconds, fraction):
    earlier = NOON.replace(microsecond=fraction)
    assert value(seconds_between(*times(earlier, earlier + later))) == seconds


def test_a_time_since_1970_is_cut_and_not_rounded():
    (moment,) = times(NOON.replace(microsecond=999_999))
    assert value(seconds_since_1970(moment)) == 1_773_144_000
    assert value(milliseconds_since_1970(moment)) == 1_773_144_000_999


def test_an_unknown_time_gives_no_seconds():
    rows = table(a=pa.array([None], pa.timestamp("us")), b=[NOON.replace(tzinfo=None)])
    assert value(seconds_between(rows.a, rows.b)) is None
    assert value(text_of(rows.a)) is None
    assert value(day_of(rows.a)) is None


@pytest.mark.parametrize(
    ("text", "is_blank"), [(None, True), ("", True), (" ", False), ("x", False)]
)
def test_blank_is_null_or_empty(text, is_blank):
    assert value(blank(table(text=pa.array([text], pa.string())).text)) is is_blank


@pytest.mark.parametrize(
    ("left", "right", "answer"),
    [("a", "b", True), ("a", "a", False), ("a", None, False), (None, None, False)],
)
def test_two_values_differ_only_if_both_are_known(left, right, answer):
    rows = table(left=pa.array([left], pa.string()), right=pa.array([right], pa.string()))
    assert value(differ(rows.left, rows.right)) is answer


@pytest.mark.parametrize(
    ("layout", "text"),
    [
        ("ENTITY#{name}", "ENTITY#é|{x}"),
        ("{number}#{name}", "7#é|{x}"),
        ("plain", "plain"),
        ("{name}#{nothing}", None),
    ],
)
def test_a_layout_is_filled_with_the_columns_of_each_row(layout, text):
    rows = table(name=["é|{x}"], number=[7], nothing=pa.array([None], pa.string()))
    assert value(filled(layout, rows)) == text


def test_known_rows_become_a_table_even_if_there_are_none():
    schema = {"name": "string", "size": "int64"}
    assert ENGINE.rows(literal_rows([{"name": "a"}], schema)) == [{"name": "a", "size": None}]
    assert ENGINE.rows(literal_rows([], schema)) == []
    assert literal_rows([], schema).schema() == ibis.schema(schema)


def test_what_is_materialised_or_named_gives_the_same_rows():
    rows = table(number=[1, 2]).mutate(double=lambda t: t.number * 2)
    expected = [{"number": 1, "double": 2}, {"number": 2, "double": 4}]
    for shared in (ENGINE.materialise(rows), ENGINE.view(rows, "v"), ENGINE.view(rows, "v")):
        assert sorted(ENGINE.rows(shared), key=lambda row: row["number"]) == expected


def test_known_rows_that_are_materialised_can_be_joined_with_a_table():
    known = ENGINE.materialise(literal_rows([{"n": 2}], {"n": "int64"}))
    assert ENGINE.rows(table(n=[1, 2]).semi_join(known, "n")) == [{"n": 2}]


@pytest.mark.parametrize("ask", ["rows", "materialise"])
def test_a_query_that_fails_is_one_line_about_what_failed(ask):
    wrong = table(text=["x"]).mutate(number=lambda t: t.text.cast("int64"))
    with pytest.raises(EngineError, match="the query failed: ConversionException: ") as error:
        getattr(ENGINE, ask)(wrong)
    assert "\n" not in error.value.message
    assert error.value.exit_code == 3


def test_a_file_that_cannot_be_read_is_an_error_of_the_engine(tmp_path):
    (tmp_path / "x.parquet").write_bytes(b"PAR1 nonsense")
    with pytest.raises(EngineError, match="the query failed"):
        ENGINE.read_parquet([tmp_path / "x.parquet"], "x")


def test_several_files_are_one_table(tmp_path):
    import pyarrow.parquet as pq

    for n in range(2):
        pq.write_table(pa.table({"n": [n]}), tmp_path / f"{n}.parquet")
    rows = ENGINE.read_parquet(sorted(tmp_path.glob("*.parquet")), "many")
    assert sorted(row["n"] for row in ENGINE.rows(rows)) == [0, 1]


def test_the_helpers_can_be_asked_of_spark():
    rows = table(a=[NOON], b=[NOON], text=["x"])
    asked = rows.select(
        seconds=seconds_between(rows.a, rows.b), since=seconds_since_1970(rows.a),
        milliseconds=milliseconds_since_1970(rows.a), iso=text_of(rows.a), day=day_of(rows.a),
        blank=blank(rows.text), differ=differ(rows.a, rows.b), filled=filled("{text}#{a}", rows),
    )  # fmt: skip
    assert spark_sql(asked).startswith("SELECT")


def test_a_table_of_another_engine_is_refused_and_not_looked_up_by_its_name():
    first, second = DuckDBEngine(), DuckDBEngine()
    here, there = (
        engine.materialise(literal_rows([{"a": value}], {"a": "int64"}))
        for engine, value in ((first, 1), (second, 2))
    )
    assert first.rows(here) == [{"a": 1}]
    with pytest.raises(ValueError, match="of another engine"):
        first.rows(there)


def test_a_number_of_any_size_has_a_text():
    told = {
        300.0: "300.0", 0.1 + 0.2: "0.3", -0.0: "0.0", 1e-4: "0.0001", 12_345_678.1: "12345678.1",
        123_456_789_012.3: "123456789012.3", 999e12: "999000000000000.0", -1.5e30: "-1.5e30",
        1e30: "1e30", float("inf"): "inf", float("-inf"): "-inf", None: None,
    }  # fmt: skip
    engine = open_engine()
    rows = [{"place": place, "number": number} for place, number in enumerate(told)]
    table = literal_rows(rows, {"place": "int64", "number": "float64"})
    found = engine.rows(table.select("place", text=number_text(table.number)).order_by("place"))
    assert [row["text"] for row in found] == list(told.values())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full disk at hand")
def test_a_full_disk_is_told_with_what_to_type_next():
    engine = DuckDBEngine()
    with pytest.raises(EngineError, match="No space left on device") as raised, engine._errors():
        engine._backend.raw_sql("COPY (SELECT 1) TO '/dev/full' (FORMAT csv)")
    assert "--spill" in raised.value.hint


def test_too_little_memory_is_told_with_what_to_type_next():
    engine = DuckDBEngine(EngineMemory(MemoryLimit.parse("100MB")))
    engine._backend.raw_sql("SET max_temp_directory_size = '1KB'")
    with pytest.raises(EngineError, match="OutOfMemory") as raised, engine._errors():
        engine._backend.raw_sql("CREATE TABLE t AS SELECT uuid()::TEXT a FROM range(10000000)")
    assert "--memory" in raised.value.hint


def test_a_long_query_draws_no_progress_where_duckdb_takes_python_for_interactive():
    script = """
import duckdb
from investigate.engine import DuckDBEngine
asked = "SELECT current_setting('enable_progress_bar')"
print(DuckDBEngine()._backend.raw_sql(asked).fetchall(), duckdb.sql(asked).fetchall())
"""
    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    # The second is DuckDB's own choice, or this test would prove nothing.
    assert told.stdout == "[(False,)] [(True,)]\n"


def test_an_engine_opens_in_a_kernel_of_these_very_packages():
    cell = nbformat.v4.new_code_cell(
        "from investigate.engine import DuckDBEngine\n"
        "engine = DuckDBEngine()\n"
        "engine._backend.raw_sql(\"SELECT current_setting('enable_progress_bar')\").fetchall()"
    )
    notebook = nbformat.v4.new_notebook(cells=[cell])
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    assert cell.outputs[0]["data"]["text/plain"] == "[(False,)]"
