"""What every engine can do: read Parquet and tables into Ibis, and run Ibis expressions."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import ibis.expr.datatypes as dt
import ibis.expr.operations as ops
import ibis.expr.types as ir
import pyarrow as pa

from investigate.memory import MemoryLimit
from investigate.parallel import Work

if TYPE_CHECKING:
    import pandas as pd

BATCH_ROWS = 50_000


class Engine(ABC):
    """Reads Parquet and tables into Ibis, and runs Ibis expressions, alike on every engine.

    Times come out as UTC without a zone, so that no engine applies a session's zone to them. What
    cannot be run raises `EngineError` in one line; a table of another engine raises `ValueError`.
    """

    name: ClassVar[str]  # what `--engine` calls it
    reads_in_place: ClassVar[bool] = False  # its workers may be on machines that share no disk

    def __init__(self, backend: Any) -> None:
        self._backend = backend  # ibis's: it writes the engine's SQL
        self._named = 0
        self._literals: set[str] = set()

    @abstractmethod
    def read_parquet(self, paths: Sequence[Path], name: str) -> ir.Table:
        """Return the rows of Parquet files of one schema."""

    @abstractmethod
    def read_arrow(self, table: pa.Table, name: str) -> ir.Table:
        """Return the rows of an Arrow table."""

    @abstractmethod
    def view(self, table: ir.Table, name: str) -> ir.Table:
        """Give an expression a name: it is compiled once, and run by each expression on it."""

    @abstractmethod
    def materialise(self, table: ir.Table) -> ir.Table:
        """Run an expression once and return its rows as a table that later expressions read."""

    @abstractmethod
    def select(self, query: str | ir.Table) -> ir.Table:
        """Run a person's SELECT in DuckDB's SQL, or an expression, once and return its rows; what
        it names must be known here. Raises `EngineError` in the engine's words if it cannot be
        run."""

    @abstractmethod
    def frame(self, table: ir.Table) -> pd.DataFrame:
        """Run an expression and return its rows as a pandas frame, for a person to look at."""

    @abstractmethod
    def write_parquet(self, table: ir.Table, path: Path) -> bool:
        """Write a table of this engine into a Parquet file, and return whether the file gives it
        back as it is: Parquet lacks some types, such as DuckDB's longest integer."""

    @abstractmethod
    def read_written(self, path: Path) -> ir.Table:
        """Return a table that `write_parquet` wrote, with the very types it had."""

    @abstractmethod
    def batches(self, table: ir.Table) -> Iterator[pa.RecordBatch]:
        """Run an expression and yield its rows in batches, so that any size fits. What is read must
        be in the engine, as what `materialise` and `read_parquet` return is."""

    @abstractmethod
    def shrink(self, memory: MemoryLimit) -> None:
        """Take no more memory than this from now on, if the engine works in this process; what does
        not fit any more is spilled."""

    @abstractmethod
    def read_in_parallel(
        self, items: Sequence[Any], work: Work, schema: pa.Schema, name: str
    ) -> ir.Table:
        """Return the rows that the workers of this engine read: `work` yields those of one item, in
        batches of the schema. It runs in other processes or on other machines, so it is a function
        of a module or a `partial` of one. Raises its `InvestigationError` as it is."""

    def rows(self, table: ir.Table) -> list[dict[str, Any]]:
        """Run an expression and return its rows as plain values; for small results only."""
        with self._errors():
            names = table.columns
            return [dict(zip(names, row, strict=True)) for row in self._answers(table)]

    def scalar(self, value: ir.Scalar) -> Any:
        """Run an expression of one value and return it as a plain Python value."""
        with self._errors():
            ((answer,),) = self._answers(value.as_table())
            return answer

    def count(self, table: ir.Table) -> int:
        """Run an expression and return how many rows it has."""
        return int(self.scalar(table.count()))

    @abstractmethod
    def _answers(self, table: ir.Table) -> list[tuple[Any, ...]]:
        """Run an expression and return its rows, each value of the type the expression promised."""

    @abstractmethod
    def _errors(self) -> AbstractContextManager[None]:
        """Turn what the engine raises inside into an `EngineError` of one line."""

    @abstractmethod
    def _register(self, rows: ops.InMemoryTable) -> None:
        """Bring known rows into the engine, under their name."""

    def _sql(self, table: ir.Table) -> str:
        """Return an expression as the engine's SQL, once all it reads is in the engine."""
        for rows in table.op().find((ops.InMemoryTable, ops.DatabaseTable)):
            if isinstance(rows, ops.DatabaseTable):
                if rows.source is not self._backend:
                    # Tables of two engines may share a name: the answer would be of another case.
                    raise ValueError(f"{rows.name} is a table of another engine")
            elif rows.name not in self._literals:
                self._register(rows)
                self._literals.add(rows.name)
        return str(self._backend.compile(table))

    def _fresh(self, name: str) -> str:
        # Two cases in one engine must not replace each other's tables. What checks share has names
        # such as "lines of event_ingested", and Spark takes words only.
        self._named += 1
        return f"{re.sub(r'[^A-Za-z0-9]+', '_', name)}_{self._named}"


def first_line(error: Exception) -> str:
    """Return the first line of what an error says."""
    said = str(error).strip()
    return said.splitlines()[0] if said else "no message"


def plain_number(value: Any, kind: dt.DataType) -> Any:
    """Return an engine's decimal as the whole or floating number that the expression promised."""
    return int(value) if kind.is_integer() else float(value)
