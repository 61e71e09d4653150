"""Spark, here or on a cluster: the same questions, of cases that outgrow one machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.operations as ops
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.parquet as pq
import sqlglot
from ibis.common.exceptions import IbisError

from investigate.engine.base import BATCH_ROWS, Engine, first_line, plain_number
from investigate.engine.spark_parallel import parallel_frame
from investigate.engine.spark_session import ANSWERS, LOCAL, quiet, session_at
from investigate.errors import EngineError
from investigate.memory import MemoryLimit
from investigate.parallel import Work, failure_in

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import DataFrame, SparkSession

_ZONED = pa.timestamp("us", tz="UTC")


class SparkEngine(Engine):
    """Runs queries with Spark: in a session of the caller, or in one at a master's address."""

    name = "spark"
    reads_in_place = True

    def __init__(self, spark: SparkSession | str = LOCAL, *, scratch: str = "") -> None:
        """Open an engine in a session, of which it sets what answers depend on, or at an address
        such as `local[2]`, `spark://host:7077`, `yarn` or `sc://host`.

        What several checks share is kept by Spark's workers, and is lost with one of them; with
        `scratch`, a folder that all of them reach, it lies in Parquet files there. Raises
        `UsageError` if Spark cannot be started at the address.
        """
        self._scratch = scratch
        self._session = session_at(spark) if isinstance(spark, str) else spark
        with quiet():
            super().__init__(ibis.pyspark.connect(self._session))
        for name, value in ANSWERS.items():
            self._session.conf.set(name, value)

    def read_parquet(self, paths: Sequence[Path], name: str) -> ir.Table:
        """Return the rows of Parquet files of one schema."""
        with self._errors():
            frame = self._session.read.parquet(*(_only_a_name(path) for path in paths))
            return self._named_frame(frame, name)

    def read_arrow(self, table: pa.Table, name: str) -> ir.Table:
        """Return the rows of an Arrow table."""
        with self._errors():
            return self._named_frame(self._session.createDataFrame(_zoned(table)), name)

    def view(self, table: ir.Table, name: str) -> ir.Table:
        """Give an expression a name: it is compiled once, and run by each expression on it."""
        with self._errors():
            fresh = self._fresh(name)
            self._frame(table).createOrReplaceTempView(fresh)
            return self._known(fresh, table.schema())

    def materialise(self, table: ir.Table) -> ir.Table:
        """Run an expression once and return its rows as a table that later expressions read."""
        with self._errors():
            fresh = self._fresh("derived")
            self._kept(self._frame(table), fresh).createOrReplaceTempView(fresh)
            return self._known(fresh, table.schema())

    def _kept(self, frame: DataFrame, name: str) -> DataFrame:
        """Run a query once and return its rows without the plan behind them.

        What is cached only keeps that plan, and Spark looks through all of it in each query on it:
        of hundreds of nodes, that takes longer than the query.
        """
        if not self._scratch:
            # Under new ids: a kept column has that of the column it came from, and Spark mixes the
            # two up where a query joins what is kept with other rows of the same origin.
            own = frame.select(*(frame[f"`{column}`"].alias(column) for column in frame.columns))
            return own.localCheckpoint(eager=True)
        # The session's name keeps two runs in one folder apart.
        run = self._session.conf.get("spark.app.id", "connect")
        place = f"{self._scratch.rstrip('/')}/{run}/{name}"
        frame.write.mode("error").parquet(place)
        return self._session.read.schema(frame.schema).parquet(place)

    def select(self, query: str | ir.Table) -> ir.Table:
        """Run a person's SELECT in DuckDB's SQL, or an expression, once and return its rows; what
        it names must be known here. Raises `EngineError` in Spark's words if it cannot be run."""
        if not isinstance(query, str):
            return self.materialise(query)
        with self._errors():
            (text,) = sqlglot.transpile(query, read="duckdb", write="spark")
            frame = self._kept(self._session.sql(text), self._fresh("asked"))
            return self._named_frame(frame, "asked")

    def frame(self, table: ir.Table) -> pd.DataFrame:
        """Run an expression and return its rows as a pandas frame, for a person to look at."""
        with self._errors():
            rows: pd.DataFrame = self._arrow(table).to_pandas()
            return rows

    def write_parquet(self, table: ir.Table, path: Path) -> bool:
        """Write a table of this engine into a Parquet file, and return whether the file gives it
        back as it is."""
        with self._errors():
            pq.write_table(self._arrow(table), path)
        return bool(pq.read_schema(path).types == table.schema().to_pyarrow().types)

    def read_written(self, path: Path) -> ir.Table:
        """Return a table that `write_parquet` wrote, with the very types it had."""
        return self.read_parquet([path], "written")

    def batches(self, table: ir.Table) -> Iterator[pa.RecordBatch]:
        """Run an expression and yield its rows in batches, one part of it in memory at a time."""
        with self._errors():
            schema = table.schema().to_pyarrow()
            rows = _without_zone(self._frame(table)).toLocalIterator()
            while some := [row.asDict(recursive=True) for row in islice(rows, BATCH_ROWS)]:
                yield pa.RecordBatch.from_pylist(some, schema=schema)

    def read_in_parallel(
        self, items: Sequence[Any], work: Work, schema: pa.Schema, name: str
    ) -> ir.Table:
        """Return the rows that Spark's workers read, once: a later query reads nothing again. They
        need this package, in the Python that runs them."""
        with self._errors():
            frame = parallel_frame(self._session, items, work, schema)
            return self._named_frame(self._kept(frame, self._fresh(name)), name)

    def shrink(self, memory: MemoryLimit) -> None:
        """Do nothing: the memory of Spark's processes is settled when they start."""

    @contextmanager
    def _errors(self) -> Iterator[None]:
        from py4j.protocol import Py4JError
        from pyspark.errors import PySparkException

        try:
            with quiet():
                yield
        except (PySparkException, Py4JError, IbisError, pa.ArrowException) as error:
            if failure := failure_in(error):
                raise failure from error
            raise EngineError(
                f"the query failed: {type(error).__name__}: {first_line(error)}"
            ) from error

    def _answers(self, table: ir.Table) -> list[tuple[Any, ...]]:
        # By column, and not by pyspark's rows, which give times in the zone of this machine.
        columns = [
            [_plain(value, kind) for value in column.to_pylist()]
            for column, kind in zip(
                self._frame(table).toArrow().columns, table.schema().types, strict=True
            )
        ]
        return list(zip(*columns, strict=True))

    def _arrow(self, table: ir.Table) -> pa.Table:
        """Return the rows of an expression, of the types that it promises."""
        found = self._frame(table).toArrow()
        return found.cast(table.schema().to_pyarrow())

    def _register(self, rows: ops.InMemoryTable) -> None:
        known = _zoned(rows.data.to_pyarrow(rows.schema))
        self._session.createDataFrame(known).createOrReplaceTempView(rows.name)

    def _frame(self, table: ir.Table) -> DataFrame:
        return self._session.sql(self._sql(table))

    def _named_frame(self, frame: DataFrame, name: str) -> ir.Table:
        from ibis.backends.pyspark.datatypes import PySparkType

        fresh = self._fresh(name)
        frame.createOrReplaceTempView(fresh)
        return self._known(fresh, ibis.Schema(PySparkType.to_ibis(frame.schema)))

    def _known(self, name: str, schema: ibis.Schema) -> ir.Table:
        """Return what was just put into the engine under a name, with the columns it has there."""
        return ops.DatabaseTable(name, schema=schema, source=self._backend).to_expr()


def _only_a_name(path: Path) -> str:
    """Return a file's address in which [ and * are characters of its name, and select nothing."""
    name = str(path.resolve())
    for sign in "\\[]{}*?":
        name = name.replace(sign, f"\\{sign}")
    return f"file://{name}"


def _zoned(table: pa.Table) -> pa.Table:
    """Return an Arrow table whose times are of the one type that all times in Spark are of."""
    kinds = [_ZONED if pa.types.is_timestamp(kind.type) else kind.type for kind in table.schema]
    return table.cast(pa.schema(list(zip(table.column_names, kinds, strict=True))))


def _without_zone(frame: DataFrame) -> DataFrame:
    """Return rows whose times pyspark gives as UTC, and not in the zone of this machine."""
    from pyspark.sql.functions import col
    from pyspark.sql.types import TimestampType

    columns = {field.name: col(f"`{field.name}`") for field in frame.schema}
    times = (field.name for field in frame.schema if isinstance(field.dataType, TimestampType))
    return frame.select(
        *(
            columns | {name: columns[name].cast("timestamp_ntz").alias(name) for name in times}
        ).values()
    )


def _plain(value: Any, kind: dt.DataType) -> Any:
    """Return a value as DuckDB gives it: times of UTC without a zone, numbers as promised."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    if isinstance(value, Decimal) and not kind.is_decimal():
        return plain_number(value, kind)
    return value
