"""Expressions that every engine understands, and answers alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from string import Formatter
from typing import Any

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import pyarrow as pa


def without_zone(table: ir.Table) -> ir.Table:
    """Return the table with every time as UTC without a zone."""
    times = {
        name: table[name].cast("timestamp")
        for name, kind in table.schema().items()
        if isinstance(kind, dt.Timestamp) and kind.timezone
    }
    return table.mutate(**times) if times else table


# Spark cuts a span at the second towards its start, and DuckDB towards the past: from a start that
# is before every time, both cut alike.
_YEAR_ONE = ibis.timestamp("0001-01-01 00:00:00")
_UNTIL_1970 = 62_135_596_800  # seconds


# Not epoch_seconds(): DuckDB 2 answers it with fractions, while Ibis takes it for a whole number.
def seconds_between(earlier: ir.TimestampValue, later: ir.TimestampValue) -> ir.FloatingValue:
    """Return by how many seconds, fractions included, `later` is after `earlier`."""
    return later.delta(earlier, unit="microsecond").cast("float64") / 1_000_000


def milliseconds_since_1970(moment: ir.TimestampValue) -> ir.IntegerValue:
    """Return a time as whole milliseconds since 1970."""
    return moment.delta(_YEAR_ONE, unit="millisecond") - _UNTIL_1970 * 1000


def seconds_since_1970(moment: ir.TimestampValue) -> ir.IntegerValue:
    """Return a time as whole seconds since 1970."""
    return moment.delta(_YEAR_ONE, unit="second") - _UNTIL_1970


def hour_of(moment: ir.TimestampValue) -> ir.IntegerValue:
    """Return the start of a time's hour as whole seconds since 1970."""
    second = seconds_since_1970(moment)
    return second - second % 3600


def text_of(moment: ir.TimestampValue) -> ir.StringValue:
    """Return a time as ISO 8601 text to the second, the same on every engine."""
    # In two parts: the T and the Z would be letters of a pattern to Spark.
    return day_of(moment) + "T" + moment.strftime("%H:%M:%S") + "Z"


def day_of(moment: ir.TimestampValue) -> ir.StringValue:
    """Return the UTC day of a time as YYYY-MM-DD."""
    return moment.date().cast("string")


def is_day(text: ir.StringValue) -> ir.BooleanValue:
    """Whether a text has the form YYYY-MM-DD and nothing behind it; false for null. (`$` would let
    a line break follow, in one engine and not in the other.)"""
    return text.re_search(r"^\d{4}-\d{2}-\d{2}\z").fill_null(False)


def hour_text_of(moment: ir.TimestampValue) -> ir.StringValue:
    """Return the UTC hour of a time as YYYY-MM-DDTHH."""
    return day_of(moment) + "T" + moment.strftime("%H")


# Below these, engines cut a number to nine and to three decimals without digits of their own.
_NINE_DECIMALS, _THREE_DECIMALS, _WHOLE = 1e6, 1e12, 1e18


def number_text(number: ir.NumericValue) -> ir.StringValue:
    """Return a number as text with at least one of at most nine decimals (three from a million
    on), as `300.0`; the largest, and what is no number, as `1.5e30`, `-inf` or `nan`.

    Not its cast to text, in which ten million is 10000000.0 for DuckDB and 1.0E7 for Spark.
    """
    size = number.abs()
    large = number.cast("float64").cast("string").lower()
    for spelled, told in ((".0e", "e"), ("e+", "e"), ("infinity", "inf")):
        large = large.replace(spelled, told)
    return ibis.cases(
        ((size < _WHOLE) & (number == number.floor()), _fixed(number, size < _WHOLE, 0) + ".0"),
        (size < _NINE_DECIMALS, _fixed(number, size < _NINE_DECIMALS, 9)),
        (size < _THREE_DECIMALS, _fixed(number, size < _THREE_DECIMALS, 3)),
        else_=large,
    )


def _fixed(number: ir.NumericValue, fits: ir.BooleanValue, decimals: int) -> ir.StringValue:
    # What does not fit is not cast: that would fail the whole query.
    known = ibis.ifelse(fits, number, 0.0)
    if not decimals:
        return known.floor().cast("int64").cast("string")
    text = known.cast(f"decimal(38, {decimals})").cast("string").re_replace("0+$", "")
    return ibis.ifelse(text.endswith("."), text + "0", text)


def blank(value: ir.StringValue) -> ir.BooleanValue:
    """Return whether a text is null or empty."""
    return value.isnull() | (value == "")


def differ(left: ir.Value, right: ir.Value) -> ir.BooleanValue:
    """Return whether two values are both known and not equal; never null."""
    return (left != right).fill_null(False)


def filled(layout: str, rows: ir.Table) -> ir.StringValue:
    """Return a layout such as "ENTITY#{entity_id}" with a row's columns in it, or null."""
    text = ibis.literal("")
    for between, column, _, _ in Formatter().parse(layout):
        text = text + between
        if column:
            text = text + rows[column].cast("string")
    return text


def literal_rows(rows: Sequence[Mapping[str, Any]], schema: Mapping[str, str]) -> ir.Table:
    """Return a small table of known rows, empty ones included."""
    return ibis.memtable(pa.Table.from_pylist(list(rows), schema=ibis.schema(schema).to_pyarrow()))
