"""The tables of a case as statements that make them known to another engine, from its Parquet."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.parquet as pq

from investigate.case import Case
from investigate.errors import UsageError
from investigate.statements.dialects import Dialect

# Where the case's folder is, until somebody says so; no engine takes it for a place.
PLACEHOLDER = "PUT-THE-ADDRESS-OF-THE-CASE-HERE"
# Hive's names of types, which Athena's CREATE EXTERNAL TABLE takes, and Trino's.
_HIVE: Mapping[pa.DataType, str] = {
    pa.string(): "string", pa.int64(): "bigint", pa.float64(): "double", pa.bool_(): "boolean",
    pa.binary(): "binary", pa.int32(): "int", pa.int16(): "smallint", pa.int8(): "tinyint",
}  # fmt: skip
_TRINO: Mapping[str, str] = {
    "string": "varchar", "binary": "varbinary", "int": "integer", "timestamp": "timestamp(3)",
}  # fmt: skip


def table_definitions(
    case: Case, dialect: Dialect, *, database: str = "", location: str = ""
) -> str:
    """Return a statement for each captured table, which makes it known under its own name.

    `location` is the address of the folder that holds case.json, such as `s3://bucket/case/`; for
    DuckDB a path, and without it the case's own. Athena and Trino get a placeholder without it,
    with which no statement runs. Raises `UsageError` for an address that these cannot read.
    """
    made = {"athena": _athena, "trino": _trino, "duckdb": _duckdb}[dialect.name]
    place = _place(dialect, location, case)
    texts = []
    for table in case.files:
        schema = pq.read_schema(case.paths(table)[0]) if case.paths(table) else None
        if schema is not None:
            texts.append(made(case, table, schema, database, place))
    return "\n\n".join(texts)


def _place(dialect: Dialect, location: str, case: Case) -> str:
    if dialect.name == "duckdb":
        return (location or str(case.folder)).rstrip("/")
    if location and not location.startswith("s3://"):
        raise UsageError(
            f"--location {location} is no address in S3, where {dialect.name} reads",
            hint="give the folder that holds case.json, as s3://bucket/cases/incident-42/",
        )
    return (location or PLACEHOLDER).rstrip("/")


def _athena(case: Case, table: str, schema: pa.Schema, database: str, place: str) -> str:
    columns = ",\n".join(f"  `{field.name}` {_hive(field.type)}" for field in schema)
    name = f"`{database}`.`{table}`" if database else f"`{table}`"
    return (
        f"CREATE EXTERNAL TABLE IF NOT EXISTS {name} (\n{columns}\n)\nSTORED AS PARQUET\n"
        f"LOCATION {_text(_folder(case, table, place))};"
    )


def _trino(case: Case, table: str, schema: pa.Schema, database: str, place: str) -> str:
    columns = ",\n".join(f'  "{field.name}" {_in_trino(field.type)}' for field in schema)
    return (
        f"CREATE TABLE IF NOT EXISTS {_named(table, database)} (\n{columns}\n)\nWITH ("
        f"format = 'PARQUET', external_location = {_text(_folder(case, table, place))});"
    )


def _duckdb(case: Case, table: str, schema: pa.Schema, database: str, place: str) -> str:
    """Times are stored with their zone, and the checks read them as UTC without one."""
    moments = [field.name for field in schema if pa.types.is_timestamp(field.type)]
    casts = ", ".join(f'CAST("{name}" AS TIMESTAMP) AS "{name}"' for name in moments)
    files = ", ".join(_text(f"{place}/{file.path}") for file in case.files[table])
    shown = f" REPLACE ({casts})" if casts else ""
    return (
        f"CREATE VIEW {_named(table, database)} AS\nSELECT *{shown}\n"
        f"FROM read_parquet([{files}], hive_partitioning = false);"
    )


def _folder(case: Case, table: str, place: str) -> str:
    """The folder of a table's files: engines read folders, each of which holds one table."""
    return f"{place}/{case.files[table][0].path.rpartition('/')[0]}/"


def _named(table: str, database: str) -> str:
    return f'"{database}"."{table}"' if database else f'"{table}"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _hive(kind: pa.DataType) -> str:
    if pa.types.is_timestamp(kind):
        return "timestamp"
    if pa.types.is_list(kind):
        return f"array<{_hive(kind.value_type)}>"
    return _HIVE[kind]


def _in_trino(kind: pa.DataType) -> str:
    if pa.types.is_list(kind):
        return f"array({_in_trino(kind.value_type)})"
    name = _hive(kind)
    return _TRINO.get(name, name)
