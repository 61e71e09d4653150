"""The one place that knows which engine runs the queries; DuckDB on this machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from functools import cache
from glob import escape
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, Any

import duckdb
import ibis
import ibis.expr.datatypes as dt
import ibis.expr.operations as ops
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.parquet as pq
from ibis.backends.sql.datatypes import DuckDBType
from ibis.common.exceptions import IbisError

from investigate.errors import EngineError, UsageError

if TYPE_CHECKING:
    import pandas as pd

ENGINES = ("duckdb",)
BATCH_ROWS = 50_000
# A person's own query may join everything with everything: it gets a part of the machine only.
SPARING = "SET memory_limit = '50%'; SET max_temp_directory_size = '10GB'"


@contextmanager
def _engine_errors() -> Iterator[None]:
    try:
        yield
    except (duckdb.Error, IbisError, pa.ArrowException) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else "no message"
        raise EngineError(f"the query failed: {type(error).__name__}: {first}") from error
    except RuntimeError as error:
        # DuckDB's word for Ctrl-C while a query runs.
        if str(error) == "Query interrupted":
            raise KeyboardInterrupt from error
        raise


class Engine:
    """Reads Parquet and tables into Ibis, and runs Ibis expressions.

    Times come out as UTC without a zone, so that no engine applies a session's zone to them.
    """

    def __init__(
        self, name: str = "duckdb", *, memory_mb: int | None = None, spill: Path | None = None
    ) -> None:
        """Open an engine; with a limit of memory it puts what is more into the folder `spill`."""
        if name not in ENGINES:
            raise UsageError.unknown("engine", name, ENGINES)
        self.name = name
        self._named = 0
        self._literals: set[str] = set()
        # Engines merge nested selects themselves, and faster than ibis does.
        ibis.options.sql.fuse_selects = False
        self._backend = ibis.duckdb.connect()
        # Ibis 12 writes lambdas with an arrow, which DuckDB 2 reads only when told so.
        self._backend.raw_sql("SET lambda_syntax = 'ENABLE_SINGLE_ARROW'; SET TimeZone = 'UTC'")
        # A query that names a URL must not make the engine fetch an extension for it.
        self._backend.raw_sql(
            "SET autoinstall_known_extensions = false; SET autoload_known_extensions = false"
        )
        self._limited = memory_mb is not None and spill is not None
        if memory_mb is not None and spill is not None:
            folder = str(spill).replace("'", "''")
            self._backend.raw_sql(
                f"SET memory_limit = '{memory_mb}MB'; SET temp_directory = '{folder}'"
            )

    def read_parquet(self, paths: Sequence[Path], name: str) -> ir.Table:
        """Return the rows of Parquet files of one schema."""
        # A folder's name is only a name: [ and * in it select no other files, and a case in
        # `day=2026-03-10` has no column more, nor another value in one it has.
        names = [escape(str(path)) for path in paths]
        with _engine_errors():
            files = self._backend.read_parquet(names, hive_partitioning=False)
            return self.view(without_zone(files), name)

    def read_arrow(self, table: pa.Table, name: str) -> ir.Table:
        """Return the rows of an Arrow table."""
        with _engine_errors():
            return without_zone(self._backend.create_table(self._fresh(name), table, temp=True))

    def view(self, table: ir.Table, name: str) -> ir.Table:
        """Give an expression a name: it is compiled once, and run by each expression on it."""
        with _engine_errors():
            fresh = self._fresh(name)
            self._backend.con.execute(f"CREATE TEMP VIEW {_quoted(fresh)} AS {self._sql(table)}")
            return self._known(fresh, table.schema())

    def materialise(self, table: ir.Table) -> ir.Table:
        """Run an expression once and return its rows as a table that later expressions read."""
        with _engine_errors():
            # Not cache(): rows that no file is behind would end up in another engine. And not
            # create_table(), which asks the engine three questions whose answers are known here.
            name, schema = self._fresh("derived"), table.schema()
            columns = [f"{_quoted(column)} {_type_name(kind)}" for column, kind in schema.items()]
            self._backend.con.execute(
                f"CREATE TEMP TABLE {name} ({', '.join(columns)}); "
                f"INSERT INTO {name} {self._sql(table)}"
            )
            return self._known(name, schema)

    def select(self, query: str | ir.Table) -> ir.Table:
        """Run a person's SELECT in DuckDB's SQL, or an expression, once and return its rows; what
        it names must be known here. Raises `EngineError` in DuckDB's words if it cannot be run."""
        name = self._fresh("asked")
        with _engine_errors(), self._sparing():
            text = query if isinstance(query, str) else self._sql(query)
            # Not sql(): ibis 12 asks DuckDB 2 for its columns by a name it does not have.
            self._backend.con.execute(f"CREATE TEMP TABLE {name} AS {text}")
            return without_zone(self._backend.table(name))

    @contextmanager
    def _sparing(self) -> Iterator[None]:
        """Run what stands inside with a part of the machine, unless the whole engine has limits."""
        if self._limited:
            yield
            return
        self._backend.con.execute(SPARING)
        try:
            yield
        finally:
            self._backend.con.execute("RESET memory_limit; RESET max_temp_directory_size")

    def frame(self, table: ir.Table) -> pd.DataFrame:
        """Run an expression and return its rows as a pandas frame, for a person to look at."""
        with _engine_errors():
            rows: pd.DataFrame = table.to_pyarrow().to_pandas()
            return rows

    def write_parquet(self, table: ir.Table, path: Path) -> bool:
        """Write a table of this engine into a Parquet file, and return whether the file gives it
        back as it is: Parquet lacks some types, such as DuckDB's longest integer."""
        with _engine_errors():
            self._backend.con.sql(ibis.to_sql(table, "duckdb")).write_parquet(str(path))
        written = ibis.Schema.from_pyarrow(pq.read_schema(path))
        return all(
            written[name].copy(nullable=True) == kind for name, kind in table.schema().items()
        )

    def read_written(self, path: Path) -> ir.Table:
        """Return a table that `write_parquet` wrote, with the very types it had."""
        with _engine_errors():
            name, files = self._fresh("written"), [escape(str(path))]
            return self._backend.read_parquet(files, table_name=name, hive_partitioning=False)

    def rows(self, table: ir.Table) -> list[dict[str, Any]]:
        """Run an expression and return its rows; for small results only."""
        with _engine_errors():
            names = table.columns
            return [dict(zip(names, row, strict=True)) for row in self._answers(table)]

    def batches(self, table: ir.Table) -> Iterator[pa.RecordBatch]:
        """Run an expression and yield its rows in batches, so that any size fits."""
        with _engine_errors():
            # Ibis 12's own batches ask DuckDB 2 by a name it does not have. What is read must be
            # in the engine, as what `materialise` and `read_parquet` return is.
            rows = self._backend.con.sql(ibis.to_sql(table, "duckdb"))
            yield from rows.to_arrow_reader(BATCH_ROWS)

    def scalar(self, value: ir.Scalar) -> Any:
        """Run an expression of one value and return it as a plain Python value."""
        with _engine_errors():
            ((answer,),) = self._answers(value.as_table())
            return answer

    def _answers(self, table: ir.Table) -> list[tuple[Any, ...]]:
        # Not to_pyarrow(), which plans every query twice to know the types of its columns.
        found = self._backend.con.execute(self._sql(table)).fetchall()
        kinds = table.schema().types
        return [tuple(map(_plain, row, kinds)) for row in found]

    def _sql(self, table: ir.Table) -> str:
        """Return an expression as the engine's SQL, once all it reads is in the engine."""
        for rows in table.op().find((ops.InMemoryTable, ops.DatabaseTable)):
            if isinstance(rows, ops.DatabaseTable):
                if rows.source is not self._backend:
                    # Tables of two engines may share a name: the answer would be of another case.
                    raise ValueError(f"{rows.name} is a table of another engine")
            elif rows.name not in self._literals:
                self._backend.con.register(rows.name, rows.data.to_pyarrow(rows.schema))
                self._literals.add(rows.name)
        return str(self._backend.compile(table))

    def _known(self, name: str, schema: ibis.Schema) -> ir.Table:
        """Return what was just put into the engine under a name, with the columns it has there."""
        return ops.DatabaseTable(
            name,
            schema=ibis.schema({column: _as_stored(kind) for column, kind in schema.items()}),
            source=self._backend,
            namespace=ops.Namespace(catalog="temp", database="main"),
        ).to_expr()

    def _fresh(self, name: str) -> str:
        # Two cases in one engine must not replace each other's tables.
        self._named += 1
        return f"{name}_{self._named}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@cache
def _type_name(kind: dt.DataType) -> str:
    return str(DuckDBType.to_string(kind))


@cache
def _as_stored(kind: dt.DataType) -> dt.DataType:
    """Return the type that a column has once it is in a table: times are in microseconds."""
    return DuckDBType.from_string(_type_name(kind), nullable=kind.nullable)


def _plain(value: Any, kind: dt.DataType) -> Any:
    """Return a number as the type the expression promised; DuckDB's may be a decimal."""
    if isinstance(value, Decimal) and not kind.is_decimal():
        return int(value) if kind.is_integer() else float(value)
    return value


def without_zone(table: ir.Table) -> ir.Table:
    """Return the table with every time as UTC without a zone."""
    times = {
        name: table[name].cast("timestamp")
        for name, kind in table.schema().items()
        if isinstance(kind, dt.Timestamp) and kind.timezone
    }
    return table.mutate(**times) if times else table


# Not epoch_seconds(): DuckDB 2 answers it with fractions, while Ibis takes it for a whole number.
def seconds_between(earlier: ir.TimestampValue, later: ir.TimestampValue) -> ir.FloatingValue:
    """Return by how many seconds, fractions included, `later` is after `earlier`."""
    return later.delta(earlier, unit="microsecond").cast("float64") / 1_000_000


def milliseconds_since_1970(moment: ir.TimestampValue) -> ir.IntegerValue:
    """Return a time as whole milliseconds since 1970."""
    return moment.delta(ibis.timestamp("1970-01-01 00:00:00"), unit="millisecond")


def seconds_since_1970(moment: ir.TimestampValue) -> ir.IntegerValue:
    """Return a time as whole seconds since 1970."""
    return moment.delta(ibis.timestamp("1970-01-01 00:00:00"), unit="second")


def text_of(moment: ir.TimestampValue) -> ir.StringValue:
    """Return a time as ISO 8601 text to the second, the same on every engine."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def day_of(moment: ir.TimestampValue) -> ir.StringValue:
    """Return the UTC day of a time as YYYY-MM-DD."""
    return moment.date().cast("string")


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
