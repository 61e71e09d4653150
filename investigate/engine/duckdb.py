"""DuckDB on this machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from functools import cache
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import finalize

import duckdb
import ibis
import ibis.expr.datatypes as dt
import ibis.expr.operations as ops
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.parquet as pq
from ibis.backends.sql.datatypes import DuckDBType
from ibis.common.exceptions import IbisError

from investigate.engine.base import BATCH_ROWS, Engine, first_line, plain_number
from investigate.engine.expressions import without_zone
from investigate.errors import EngineError
from investigate.memory import DEFAULT_ENGINE_MEMORY, EngineMemory, MemoryLimit
from investigate.parallel import Work, in_parallel
from investigate.scratch import Scratch

if TYPE_CHECKING:
    import pandas as pd

# A person's own query may join everything with everything: it gets a part of the memory only.
SPARING = 0.5
SPARING_SPILL = "10GB"
_NO_MEMORY = "give it more with --memory, or more room to spill on the disk of --spill"
_NO_SPACE = (
    "free some space there, or name another folder (--spill, TMPDIR); then run the same again"
)


class DuckDBEngine(Engine):
    """Runs queries with DuckDB in this process."""

    name = "duckdb"

    def __init__(
        self, memory: EngineMemory = DEFAULT_ENGINE_MEMORY, *, processes: int | None = None
    ) -> None:
        """Open an engine that takes no more memory than it is given, and puts what is more into
        a folder of its own, which nobody else can read and which is gone when the engine is. What
        is spread runs in as many processes as this machine has cores, or in `processes`."""
        super().__init__(ibis.duckdb.connect())
        self._processes = processes
        # Engines merge nested selects themselves, and faster than ibis does.
        ibis.options.sql.fuse_selects = False
        # Ibis 12 writes lambdas with an arrow, which DuckDB 2 reads only when told so.
        self._backend.raw_sql("SET lambda_syntax = 'ENABLE_SINGLE_ARROW'; SET TimeZone = 'UTC'")
        # A query that names a URL must not make the engine fetch an extension for it.
        self._backend.raw_sql(
            "SET autoinstall_known_extensions = false; SET autoload_known_extensions = false"
        )
        # DuckDB draws its progress into the output of whatever it takes for interactive. In a
        # kernel without ipywidgets it does not, and then refuses even to be told so.
        drawn = self._backend.raw_sql("SELECT current_setting('enable_progress_bar')").fetchone()
        if drawn and drawn[0]:
            self._backend.raw_sql("SET enable_progress_bar = false")
        self._keep_within(memory)

    def _keep_within(self, memory: EngineMemory) -> None:
        # DuckDB's own default is a folder .tmp where the command was typed, open to everybody.
        scratch = Scratch.opened("investigate-spill-", memory.spill)
        # Not of the engine, whose tables can be used when nobody holds it any more.
        finalize(self._backend, scratch.remove)
        self._memory = memory.limit
        self._own_folder = scratch.folder
        place = str(scratch.folder / "spill").replace("'", "''")
        self._backend.raw_sql(
            f"SET memory_limit = '{memory.limit}'; SET temp_directory = '{place}'"
        )

    def read_parquet(self, paths: Sequence[Path], name: str) -> ir.Table:
        """Return the rows of Parquet files of one schema."""
        # A folder's name is only a name: [ and * in it select no other files, and a case in
        # `day=2026-03-10` has no column more, nor another value in one it has.
        names = ", ".join(_as_text(escape(str(path))) for path in paths)
        rows = f"read_parquet([{names}], hive_partitioning = false)"
        with self._errors():
            # Not ibis's read_parquet(), which asks of each of a case's tables three times over.
            told = self._backend.con.execute(f"DESCRIBE FROM {rows}").fetchall()
            written = {column: _type_of(kind) for column, kind, *_ in told}
            columns = ", ".join(_column_without_zone(*column) for column in written.items())
            kinds = {column: _without_zone(kind) for column, kind in written.items()}
            fresh = self._fresh(name)
            view = f"SELECT {columns} FROM {rows}"  # noqa: S608 - every name is quoted
            self._backend.con.execute(f"CREATE TEMP VIEW {_quoted(fresh)} AS {view}")
            return self._known(fresh, ibis.schema(kinds))

    def read_arrow(self, table: pa.Table, name: str) -> ir.Table:
        """Return the rows of an Arrow table."""
        with self._errors():
            return without_zone(self._backend.create_table(self._fresh(name), table, temp=True))

    def view(self, table: ir.Table, name: str) -> ir.Table:
        """Give an expression a name: it is compiled once, and run by each expression on it."""
        with self._errors():
            fresh = self._fresh(name)
            self._backend.con.execute(f"CREATE TEMP VIEW {_quoted(fresh)} AS {self._sql(table)}")
            return self._known(fresh, table.schema())

    def materialise(self, table: ir.Table) -> ir.Table:
        """Run an expression once and return its rows as a table that later expressions read."""
        with self._errors():
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
        with self._errors(), self._sparing():
            text = query if isinstance(query, str) else self._sql(query)
            # Not sql(): ibis 12 asks DuckDB 2 for its columns by a name it does not have.
            self._backend.con.execute(f"CREATE TEMP TABLE {name} AS {text}")
            return without_zone(self._backend.table(name))

    @contextmanager
    def _sparing(self) -> Iterator[None]:
        """Run what stands inside with a part of the memory."""
        self._backend.con.execute(
            f"SET memory_limit = '{self._memory.part(SPARING)}'; "
            f"SET max_temp_directory_size = '{SPARING_SPILL}'"
        )
        try:
            yield
        finally:
            self._backend.con.execute(
                f"SET memory_limit = '{self._memory}'; RESET max_temp_directory_size"
            )

    def shrink(self, memory: MemoryLimit) -> None:
        """Take no more memory than this from now on; what does not fit any more is spilled."""
        with self._errors():
            self._backend.con.execute(f"SET memory_limit = '{memory}'")
        self._memory = memory

    def frame(self, table: ir.Table) -> pd.DataFrame:
        """Run an expression and return its rows as a pandas frame, for a person to look at."""
        with self._errors():
            rows: pd.DataFrame = table.to_pyarrow().to_pandas()
            return rows

    def write_parquet(self, table: ir.Table, path: Path) -> bool:
        """Write a table of this engine into a Parquet file, and return whether the file gives it
        back as it is: Parquet lacks some types, such as DuckDB's longest integer."""
        with self._errors():
            self._backend.con.sql(ibis.to_sql(table, "duckdb")).write_parquet(str(path))
        written = ibis.Schema.from_pyarrow(pq.read_schema(path))
        return all(
            written[name].copy(nullable=True) == kind for name, kind in table.schema().items()
        )

    def read_written(self, path: Path) -> ir.Table:
        """Return a table that `write_parquet` wrote, with the very types it had."""
        with self._errors():
            name, files = self._fresh("written"), [escape(str(path))]
            return self._backend.read_parquet(files, table_name=name, hive_partitioning=False)

    def batches(self, table: ir.Table) -> Iterator[pa.RecordBatch]:
        """Run an expression and yield its rows in batches, so that any size fits."""
        with self._errors():
            # Ibis 12's own batches ask DuckDB 2 by a name it does not have. What is read must be
            # in the engine, as what `materialise` and `read_parquet` return is.
            rows = self._backend.con.sql(ibis.to_sql(table, "duckdb"))
            yield from rows.to_arrow_reader(BATCH_ROWS)

    def read_in_parallel(
        self, items: Sequence[Any], work: Work, schema: pa.Schema, name: str
    ) -> ir.Table:
        """Return the rows that processes of this machine read, by way of Parquet files that are
        gone when the last table of this engine is."""
        folder = self._own_folder / self._fresh("spread")
        folder.mkdir()
        return self.read_parquet(in_parallel(items, work, schema, folder, self._processes), name)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (duckdb.Error, IbisError, pa.ArrowException) as error:
            raise EngineError(
                f"the query failed: {type(error).__name__}: {first_line(error)}",
                hint=_hint(error),
            ) from error
        except RuntimeError as error:
            # DuckDB's word for Ctrl-C while a query runs.
            if str(error) == "Query interrupted":
                raise KeyboardInterrupt from error
            raise

    def _answers(self, table: ir.Table) -> list[tuple[Any, ...]]:
        # Not to_pyarrow(), which plans every query twice to know the types of its columns.
        found = self._backend.con.execute(self._sql(table)).fetchall()
        kinds = table.schema().types
        return [tuple(map(_plain, row, kinds)) for row in found]

    def _register(self, rows: ops.InMemoryTable) -> None:
        self._backend.con.register(rows.name, rows.data.to_pyarrow(rows.schema))

    def _known(self, name: str, schema: ibis.Schema) -> ir.Table:
        """Return what was just put into the engine under a name, with the columns it has there."""
        return ops.DatabaseTable(
            name,
            schema=ibis.schema({column: _as_stored(kind) for column, kind in schema.items()}),
            source=self._backend,
            namespace=ops.Namespace(catalog="temp", database="main"),
        ).to_expr()


def _hint(error: Exception) -> str:
    if isinstance(error, duckdb.OutOfMemoryException):
        return _NO_MEMORY
    return _NO_SPACE if "No space left on device" in str(error) else ""


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _as_text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _column_without_zone(name: str, kind: dt.DataType) -> str:
    quoted = _quoted(name)
    return quoted if _without_zone(kind) == kind else f"CAST({quoted} AS TIMESTAMP) AS {quoted}"


def _without_zone(kind: dt.DataType) -> dt.DataType:
    has_zone = isinstance(kind, dt.Timestamp) and kind.timezone
    return dt.Timestamp(nullable=kind.nullable) if has_zone else kind


@cache
def _type_of(written: str) -> dt.DataType:
    return DuckDBType.from_string(written)


@cache
def _type_name(kind: dt.DataType) -> str:
    return str(DuckDBType.to_string(kind))


@cache
def _as_stored(kind: dt.DataType) -> dt.DataType:
    """Return the type that a column has once it is in a table: times are in microseconds."""
    return DuckDBType.from_string(_type_name(kind), nullable=kind.nullable)


def _plain(value: Any, kind: dt.DataType) -> Any:
    """Return a number as the type the expression promised; DuckDB's may be a decimal."""
    promised = kind.is_decimal() or not isinstance(value, Decimal)
    return value if promised else plain_number(value, kind)
