"""The pipeline's recipes as DuckDB's SQL, and SELECTs with exactly the columns of a table."""

from __future__ import annotations

from collections.abc import Mapping
from string import Formatter

import pyarrow as pa

from investigate.pipeline import REFERENCE
from investigate.tables import TABLES

_TYPES = {
    pa.string(): "VARCHAR", pa.int64(): "BIGINT", pa.float64(): "DOUBLE", pa.bool_(): "BOOLEAN",
    pa.list_(pa.string()): "VARCHAR[]", pa.timestamp("us", tz="UTC"): "TIMESTAMP",
}  # fmt: skip
_PRIME = 2_147_483_647
ENTITY = "concat('customer-', lpad(CAST(e AS VARCHAR), 7, '0'))"  # by its number, in its order

# Arithmetic that no version of any library changes, unlike the engine's own hash and random.
MACROS = f"""
CREATE MACRO mix(n, salt) AS
    ((((n * 48271 + salt * 69621 + 11) % {_PRIME}) * ((n * 48271 + salt * 69621 + 11) % {_PRIME}))
     % {_PRIME} + n * 16807 + salt) % {_PRIME};
CREATE MACRO moment(ms) AS make_timestamp((ms) * 1000);
CREATE MACRO iso(ms) AS CASE WHEN (ms) % 1000 = 0
    THEN strftime(make_timestamp((ms) * 1000), '%Y-%m-%dT%H:%M:%SZ')
    ELSE strftime(make_timestamp((ms) * 1000), '%Y-%m-%dT%H:%M:%S.%gZ') END;
CREATE MACRO day_text(ms) AS strftime(make_timestamp((ms) * 1000), '%Y-%m-%d');
CREATE MACRO uuid_of(text) AS CAST(CAST(md5(text) AS UUID) AS VARCHAR);
"""


def literal(text: str) -> str:
    """Return a text as SQL."""
    return "'" + text.replace("'", "''") + "'"


def with_values(query: str, **values: object) -> str:
    """Return a query with its parameters, `@name`, in their places; only counters ever are."""
    for name, value in values.items():
        query = query.replace(f"@{name}", str(value))
    return query


def filled(layout: str, **columns: str) -> str:
    """Return a layout such as "ENTITY#{entity_id}" as SQL; a name not given is a column."""
    parts = []
    for between, name, _, _ in Formatter().parse(layout):
        if between:
            parts.append(literal(between))
        if name:
            parts.append(columns.get(name, name))
    return f"concat({', '.join(parts)})"


def raw_key(event_ms: str, ingest_ms: str, event_id: str = "event_id", hour: str = "") -> str:
    """Return the key of a raw object as SQL, from the columns of an event."""
    layout = "raw/" + REFERENCE.raw_key_layout
    return filled(
        layout,
        event_date=f"day_text({event_ms})",
        ingest_date=f"day_text({ingest_ms})",
        hour=hour or f"strftime(moment({event_ms}), '%H')",
        event_id=event_id,
    )


def json_object(**columns: str) -> str:
    """Return a flat object as the pipeline logs it: SQL of the values, texts already quoted."""
    # Not ||, which copies what is there so far for each part that is added.
    pairs = [f"""'"{name}": ', {value}""" for name, value in columns.items()]
    return "concat('{', " + ", ', ', ".join(pairs) + ", '}')"


def quoted(column: str) -> str:
    """Return a text without anything to escape as JSON has it."""
    return f"""concat('"', {column}, '"')"""


def columns_of(table: str, **columns: str) -> str:
    """Return the SELECT list of a table of a case: all its columns in order, null if not given."""
    schema = TABLES[table]
    if strange := set(columns) - set(schema.names):
        raise ValueError(f"{table} has no column {', '.join(sorted(strange))}")
    listed: Mapping[str, str] = columns
    return ", ".join(
        f"CAST({listed.get(field.name, 'NULL')} AS {_TYPES[field.type]}) AS {field.name}"
        for field in schema
    )
