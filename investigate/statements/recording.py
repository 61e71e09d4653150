"""An engine that answers with DuckDB and remembers which expression is behind each table, and an
evidence that remembers what was asked of the case on the way to a table."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

import ibis.expr.operations as ops
import ibis.expr.types as ir

from investigate.case import Case
from investigate.engine import DuckDBEngine
from investigate.evidence import Evidence, Scope
from investigate.settings import Thresholds

Value = TypeVar("Value")
UNNAMED = "part"
MOST_CHARACTERS = 160  # of an answer that is written into a statement's heading
_PACKAGE = Path(__file__).parent.parent
_ASKS = ("analysis", "checks", "evidence", "ledger")  # where questions to a case are asked


@dataclass(frozen=True, slots=True)
class Recorded:
    """What is behind a table of the engine: an expression, or a captured table (None)."""

    name: str
    expression: ir.Table | None


class RecordingEngine(DuckDBEngine):
    """DuckDB, with every table's expression by the table's name, and what was asked of the case."""

    def __init__(self) -> None:
        super().__init__()
        self.recorded: dict[str, Recorded] = {}
        self.compiled: dict[Any, Any] = {}  # parts of statements that were written before
        self._noted: list[dict[str, None]] = [{}]

    def read_parquet(self, paths: Sequence[Path], name: str) -> ir.Table:
        """Return the rows of a captured table, which a statement reads by its own name."""
        made = super().read_parquet(paths, name)
        self.recorded[_name_of(made)] = Recorded(name, None)
        return made

    def view(self, table: ir.Table, name: str) -> ir.Table:
        """Give an expression a name, and remember it."""
        made = super().view(table, name)
        self.recorded[_name_of(made)] = Recorded(name, table)
        return made

    def materialise(self, table: ir.Table) -> ir.Table:
        """Run an expression once, and remember it."""
        made = super().materialise(table)
        self.recorded[_name_of(made)] = Recorded(UNNAMED, table)
        return made

    def rows(self, table: ir.Table) -> list[dict[str, Any]]:
        """Return rows, and note that they were taken from the case."""
        found = super().rows(table)
        self._note_answer(table, f"{len(found)} rows {json.dumps(found, default=str)}")
        return found

    def scalar(self, value: ir.Scalar) -> Any:
        """Return a value, and note that it was taken from the case."""
        found = super().scalar(value)
        self._note_answer(value.as_table(), json.dumps(found, default=str))
        return found

    def rename(self, table: ir.Table, name: str) -> None:
        """Give what is behind a table the name that it is known by."""
        known = _name_of(table)
        self.recorded[known] = replace(self.recorded[known], name=name)

    def note(self, *told: str) -> None:
        """Note what was taken from the case or the settings, for the tables being made."""
        self._noted[-1].update(dict.fromkeys(told))

    @contextmanager
    def noting(self) -> Iterator[dict[str, None]]:
        """Collect what is noted meanwhile, apart from what was noted before."""
        self._noted.append({})
        try:
            yield self._noted[-1]
        finally:
            self._noted.pop()

    def _note_answer(self, table: ir.Table, answer: str) -> None:
        read = {
            self.recorded[rows.name].name
            for rows in table.op().find(ops.DatabaseTable)
            if rows.name in self.recorded
        }
        told = answer if len(answer) <= MOST_CHARACTERS else answer[:MOST_CHARACTERS] + " ..."
        self.note(f"of {', '.join(sorted(read)) or 'nothing'}: {told} ({_asker()})")


class RecordingEvidence(Evidence):
    """Evidence that knows what was taken from the case for each table and fact, whichever check
    asked for it first."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._told: dict[str, dict[str, None]] = {}

    @property
    def recorder(self) -> RecordingEngine:
        """The engine, which is always one that records."""
        if not isinstance(self.engine, RecordingEngine):
            raise TypeError("only an engine that records can say what is behind a table")
        return self.engine

    def view(self, name: str, build: Callable[[Evidence], ir.Table]) -> ir.Table:
        """Return a table that several checks share, and note what it was made from."""
        return self._noting(f"table {name}", lambda: Evidence.view(self, name, build))

    def derived(self, name: str, build: Callable[[Evidence], ir.Table]) -> ir.Table:
        """Return a table that several checks share, and note what it was made from."""
        made = self._noting(f"table {name}", lambda: Evidence.derived(self, name, build))
        self.recorder.rename(made, name)
        return made

    def fact(
        self, name: str, find: Callable[[Evidence], Any], *, of_whole_case: bool = False
    ) -> Any:
        """Return a small value that several checks share, and note what it was found by."""
        return self._noting(
            f"fact {name}", lambda: Evidence.fact(self, name, find, of_whole_case=of_whole_case)
        )

    def _noting(self, what: str, make: Callable[[], Value]) -> Value:
        with self.recorder.noting() as noted:
            made = make()
        self.recorder.note(*self._told.setdefault(what, noted))
        return made


class NotedThresholds(Thresholds):
    """Thresholds that note which of them a question reads."""

    __slots__ = ("_note",)

    def __getattribute__(self, name: str) -> Any:
        value = super().__getattribute__(name)
        if name in Thresholds.__dataclass_fields__:
            note = super().__getattribute__("_note") if hasattr(self, "_note") else None
            if note:
                note(f"threshold {name} = {value}")
        return value


def recording_evidence(
    case: Case, thresholds: Thresholds, scope: Scope | None
) -> RecordingEvidence:
    """Return the evidence of a case that remembers how each of its tables is made."""
    engine = RecordingEngine()
    values = {name: getattr(thresholds, name) for name in Thresholds.known()}
    noted = NotedThresholds(**values)
    object.__setattr__(noted, "_note", engine.note)
    return RecordingEvidence(case, engine, noted, scope)


def _name_of(table: ir.Table) -> str:
    return str(table.op().name)


def _asker() -> str:
    """Say which functions asked: the innermost two, as one alone may be a small helper."""
    asking: list[str] = []
    frame: FrameType | None = sys._getframe(1)
    while frame and len(asking) < 2:
        file = Path(frame.f_code.co_filename)
        # Not by its name: a folder above may be called the same, and the script is.
        if file.is_relative_to(_PACKAGE):
            within = file.relative_to(_PACKAGE).with_suffix("").parts
            if within[0] in _ASKS:
                function = frame.f_code.co_qualname.split(".<locals>")[0]
                asking.append(f"{'.'.join(within)}.{function}")
        frame = frame.f_back
    return " by ".join(asking)
