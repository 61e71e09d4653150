"""What checks are written with means the same on Spark: helpers, orders, texts, files, errors."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from investigate.analysis.error_rules import denied_action, fingerprint_of, kind_of
from investigate.analysis.explanation import _item_text
from investigate.analysis.logs import moment_of, text_in, whole_in
from investigate.analysis.queues import last_part
from investigate.engine import (
    DuckDBEngine,
    blank,
    day_of,
    differ,
    filled,
    hour_text_of,
    is_day,
    literal_rows,
    milliseconds_since_1970,
    number_text,
    seconds_between,
    seconds_since_1970,
    text_of,
)
from investigate.errors import EngineError
from investigate.sandbox.meter_readings import METER_READINGS
from tests.parity.cases import ODD_NUMBERS, ODD_TEXTS

DUCKDB = DuckDBEngine()
TIMES = [
    datetime(2026, 3, 10, 12, 0, 0, 999_999, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(1960, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
    None,
]
SAID = [
    "2026-03-10T00:00:00Z", "2026-03-10T00:00:00.123456Z", "2026-03-10T00:00:00+02:00Z",
    "2026-02-30T00:00:00Z", "2026-03-10T00:00:00", "2026-3-1Z", "soon", None,
]  # fmt: skip
JSON = [
    '{"id": "a\\"b\\\\c\\n", "n": -12}', '{"id" :"\\u00e9"}', '{"n": 99999999999999999999}',
    "{}", None,
]  # fmt: skip
ERRORS = [
    "AccessDenied: not authorized to perform: s3:GetObject on resource: \"arn:x\"\r\nat f (7)",
    "ThrottlingException: Rate exceeded 0x1F 2026-03-10T00:00:00Z", "Task timed out after 3.00 s",
    "KeyError: 'é' [12]\nTraceback", "", None,
]  # fmt: skip
KEYS = METER_READINGS.raw_layout
LINE_ENDS = ("\n", "\r", "\r\n", "\u0085", "\u2028")  # as one engine or the other sees them
DATES = ["2026-03-10", *(f"2026-03-10{end}" for end in LINE_ENDS), "2026-3-10", "", None]
ARNS = ["arn:aws:sqs:eu-west-1:123456789012:a", "arn:x/b", *(f"arn:c{end}" for end in LINE_ENDS)]
KEY_TEXTS = [
    "readings/2026-03-10/order/web/07h/2026-03-11.a.json", "readings/2026-03-10/a/b/c/7h/x.y.json",
    "readings/someday/order/web/07h/2026-03-11.ab.json", "other/2026-03-10/order/web/07h/d.ab.json",
    "readings/2026-03-10/order/web\n/07h/d.ab.json", "", None,
    *(f"readings/2026-03-10/order/w{end}b/07h/d.ab.json" for end in LINE_ENDS),
    *(f"readings/2026-03-10/order/web/07h/d.ab.json{end}" for end in LINE_ENDS),
]  # fmt: skip
NUMBERS = [*ODD_NUMBERS, 300.0, -2.5, 0.000123, 1e9, None, 1e30, -1.5e30, 123_456_789_012.3]
NUMBERS += [float("inf"), float("-inf"), float("nan"), 1e15, 999e12, 1_234_567.25, 1e-12]

FUNCTIONS = {
    "day_of": lambda t: day_of(t.at),
    "hour_text_of": lambda t: hour_text_of(t.at),
    "text_of": lambda t: text_of(t.at),
    "seconds_since_1970": lambda t: seconds_since_1970(t.at),
    "milliseconds_since_1970": lambda t: milliseconds_since_1970(t.at),
    "seconds_between": lambda t: seconds_between(ibis.timestamp("2026-03-10 12:00:00.5"), t.at),
    "number_text": lambda t: number_text(t.number),
    "blank": lambda t: blank(t.text),
    "differ": lambda t: differ(t.text, t.said),
    "filled": lambda t: filled("A#{n}|{text}", t),
    "moment_of": lambda t: moment_of(t.said),
    "text_in": lambda t: text_in(t.json, "id"),
    "whole_in": lambda t: whole_in(t.json, "n"),
    "kind_of": lambda t: kind_of(t.error),
    "fingerprint_of": lambda t: fingerprint_of(t.error),
    "denied_action": lambda t: denied_action(t.error),
    "the first letter": lambda t: t.text.substr(0, 1),
    "the length": lambda t: t.text.length(),
    "the source in a key": lambda t: t.key.re_extract(KEYS.part_in_key("source", "readings/"), 1),
    "the event date in a key": lambda t: t.key.re_extract(KEYS.date_in_key("readings/"), 1),
    "the inputs of a version": lambda t: _item_text(
        METER_READINGS.aggregate, ibis.struct({"event_id": t.text, "payload_sha": t.said})
    ).hexdigest("sha256"),
    "is a day": lambda t: is_day(t.date),
    "the last part of an ARN": lambda t: last_part(t.arn),
    "a hash": lambda t: t.text.hexdigest("sha256"),
    "a place in order": lambda t: ibis.row_number().over(order_by=["text", "n"]),
    "a place in reverse": lambda t: ibis.row_number().over(order_by=[ibis.desc("at"), "n"]),
}


def table(engine) -> ibis.Table:
    columns = {
        "text": ODD_TEXTS, "at": TIMES, "said": SAID, "json": JSON, "error": ERRORS,
        "number": NUMBERS, "key": KEY_TEXTS, "date": DATES, "arn": ARNS,
    }  # fmt: skip
    length = max(map(len, columns.values()))
    rows = {name: (values * length)[:length] for name, values in columns.items()}
    kinds = {"at": pa.timestamp("us", "UTC"), "number": pa.float64()}
    arrays = {name: pa.array(rows[name], kinds.get(name, pa.string())) for name in rows}
    return engine.read_arrow(pa.table({"n": pa.array(range(length)), **arrays}), "t")


@pytest.fixture(scope="module")
def tables(spark):
    return table(DUCKDB), table(spark)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_expression_gives_the_same_on_both_engines(tables, spark, name):
    answers = [
        engine.rows(rows.select("n", value=FUNCTIONS[name](rows)).order_by("n"))
        for engine, rows in zip((DUCKDB, spark), tables, strict=True)
    ]
    assert repr(answers[0]) == repr(answers[1])


def test_times_come_out_as_utc_whatever_the_zone_of_the_machine(spark, tables, monkeypatch):
    _, rows = tables
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        (first,) = spark.rows(rows.filter(rows.n == 0).select("at"))
        (batch,) = spark.batches(rows.filter(rows.n == 0).select("at"))
    finally:
        monkeypatch.undo()
        time.tzset()
    assert first["at"] == TIMES[0].replace(tzinfo=None)
    assert batch.to_pylist() == [first]


def test_what_is_kept_or_named_or_known_gives_the_same_rows(spark, tables):
    _, rows = tables
    few = rows.select("n", "at").filter(rows.n < 3)
    expected = spark.rows(few.order_by("n"))
    for shared in (spark.materialise(few), spark.view(few, "lines of x"), spark.select(few)):
        assert spark.rows(shared.order_by("n")) == expected
    known = literal_rows([{"n": 1}], {"n": "int64"})
    assert [row["n"] for row in spark.rows(few.semi_join(known, "n"))] == [1]
    assert spark.rows(literal_rows([], {"n": "int64"})) == []


def test_with_a_scratch_folder_what_is_kept_lies_there(spark, tables, tmp_path):
    from investigate.engine.spark import SparkEngine

    engine = SparkEngine(spark._session, scratch=f"file://{tmp_path}")
    rows = table(engine)
    kept = engine.materialise(rows.filter(rows.n == 4).select("n", "at", "number"))
    assert engine.rows(kept) == engine.rows(rows.filter(rows.n == 4).select("n", "at", "number"))
    assert list(tmp_path.rglob("*.parquet"))


def test_what_is_written_is_read_with_its_types(spark, tables, tmp_path):
    _, rows = tables
    rows = rows.drop("number")
    assert spark.write_parquet(rows, tmp_path / "x.parquet")
    written = spark.read_written(tmp_path / "x.parquet")
    assert spark.rows(written.order_by("n")) == spark.rows(rows.order_by("n"))
    assert len(spark.frame(written)) == len(spark.rows(rows))


@pytest.mark.parametrize("name", ["case*", "case[1]", "case?", "kind=mine", "{case}", "it's %20"])
def test_the_name_of_a_folder_is_only_a_name(spark, tmp_path, name):
    for folder, said in ((name, "here"), ("case1", "elsewhere")):
        (tmp_path / folder).mkdir()
        pq.write_table(pa.table({"kind": [said]}), tmp_path / folder / "part-0.parquet")
    rows = spark.read_parquet([tmp_path / name / "part-0.parquet"], "raw")
    assert spark.rows(rows) == [{"kind": "here"}]


def test_a_query_that_fails_is_one_line_about_what_failed(spark, tables, capfd):
    _, rows = tables
    with pytest.raises(EngineError, match="the query failed: NumberFormatException: ") as error:
        spark.rows(rows.select(number=rows.text.cast("int64")))
    assert "\n" not in error.value.message
    assert capfd.readouterr().err == ""


def test_a_table_of_another_engine_is_refused(spark, tables):
    ours, _ = tables
    with pytest.raises(ValueError, match="of another engine"):
        spark.rows(ours)


def test_a_query_in_the_sql_of_duckdb_is_answered(spark, tables):
    _, rows = tables
    asked = 'select count(*) as many from "{}" where n < 3'
    (found,) = spark.rows(spark.select(asked.format(rows.op().name)))
    assert found == {"many": 3}


def test_nothing_of_spark_is_left_in_the_folder_one_stands_in(spark, tables):
    here = {path.name for path in Path().iterdir()}
    assert not {"spark-warehouse", "metastore_db", "derby.log"} & here
