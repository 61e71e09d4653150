"""A case as the checks see it: tables in the engine, the scope asked about, the age that counts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import ibis
import ibis.expr.types as ir

from investigate.case import Case, Coverage
from investigate.engine import Engine
from investigate.errors import NotEvaluable
from investigate.model import Window
from investigate.settings import Thresholds
from investigate.tables import schema_of


@dataclass(frozen=True, slots=True)
class Scope:
    """Which part of a case is asked about: a window of event time, and entities (none: all)."""

    window: Window
    entities: tuple[str, ...] = ()


@dataclass
class Evidence:
    """The tables of one case in one engine, with the thresholds and the scope of the question.

    Tables hold everything that was captured; the scope is applied to the offending rows
    (`in_scope`), so that a comparison across a window's edge stays right.
    """

    case: Case
    engine: Engine = field(default_factory=Engine)
    thresholds: Thresholds = field(default_factory=Thresholds)
    scope: Scope | None = None
    _tables: dict[str, ir.Table] = field(default_factory=dict, repr=False)
    _facts: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def window(self) -> Window:
        """The window asked about: the scope's, else the case's."""
        return self.scope.window if self.scope else self.case.window

    @property
    def entities(self) -> tuple[str, ...]:
        """The entities asked about; empty means all."""
        return self.scope.entities if self.scope else ()

    @property
    def settled_until(self) -> datetime:
        """Evidence younger than this may have a counterpart that was captured too early."""
        return self.case.captured_at - timedelta(seconds=self.case.settle_seconds)

    def has(self, table: str) -> bool:
        """Whether a table was captured, wholly or in part."""
        return table in self.case.files

    def is_whole(self, table: str) -> bool:
        """Whether a table was captured wholly, so that a row's absence means something."""
        return self.has(table) and self.case.covered(table).status == "captured"

    def coverage(self, table: str) -> Coverage:
        """What is known of a table's capture."""
        return self.case.covered(table)

    def __getitem__(self, table: str) -> ir.Table:
        """Return a captured table; raise `NotEvaluable` with the reason if it was not captured."""
        if table not in self._tables:
            schema_of(table)
            if not self.has(table):
                raise NotEvaluable(self.absence(table))
            self._tables[table] = self.engine.read_parquet(self.case.paths(table), table)
        return self._tables[table]

    def derived(self, name: str, build: Callable[[Evidence], ir.Table]) -> ir.Table:
        """Return a table that several checks share, built and run once."""
        if name not in self._tables:
            self._tables[name] = self.engine.materialise(build(self))
        return self._tables[name]

    def view(self, name: str, build: Callable[[Evidence], ir.Table]) -> ir.Table:
        """Return a table that several checks share, built once and run by each of them."""
        if name not in self._tables:
            self._tables[name] = self.engine.view(build(self), name)
        return self._tables[name]

    def fact(self, name: str, find: Callable[[Evidence], Any]) -> Any:
        """Return a small value that several checks share, found once."""
        if name not in self._facts:
            self._facts[name] = find(self)
        return self._facts[name]

    def absence(self, table: str) -> str:
        """Say in words why a table cannot be used."""
        known = self.coverage(table)
        return f"{table}: {known.status} ({known.reason or 'no reason recorded'})"

    def settled(self, table: ir.Table, column: str) -> ir.Table:
        """Return the rows whose time is old enough to judge; a row without a time counts."""
        moment = table[column]
        return table.filter(moment.isnull() | (moment <= timestamp(self.settled_until)))

    def in_scope(self, rows: ir.Table) -> ir.Table:
        """Return the rows inside the scope, by whichever of these columns they have:
        `event_time_utc`, else `day`, and `entity_id`. A null never leaves the scope."""
        conditions: list[ir.BooleanValue] = []
        if "event_time_utc" in rows.columns:
            moment = rows.event_time_utc
            start, end = timestamp(self.window.start), timestamp(self.window.end)
            conditions.append(moment.isnull() | ((moment >= start) & (moment < end)))
        elif "day" in rows.columns:
            first = self.window.start.date().isoformat()
            last = (self.window.end - timedelta(microseconds=1)).date().isoformat()
            conditions.append(rows.day.isnull() | rows.day.between(first, last))
        if self.entities and "entity_id" in rows.columns:
            conditions.append(rows.entity_id.isnull() | rows.entity_id.isin(self.entities))
        return rows.filter(conditions) if conditions else rows

    def require(self, needs: Collection[str]) -> None:
        """Raise `NotEvaluable` naming every needed table that was not captured."""
        absent = [self.absence(table) for table in needs if not self.has(table)]
        if absent:
            raise NotEvaluable("needs " + "; ".join(absent))

    def require_one(self, either: Collection[str]) -> None:
        """Raise `NotEvaluable` if tables are named and none of them was captured."""
        if either and not any(self.has(table) for table in either):
            absent = "; ".join(self.absence(table) for table in either)
            raise NotEvaluable(f"needs one of {absent}")

    def incomplete(self, tables: Sequence[str]) -> list[str]:
        """Return in words which of these captured tables are not whole."""
        return [self.absence(table) for table in tables if not self.is_whole(table)]


def timestamp(moment: datetime) -> ir.TimestampScalar:
    """Return a UTC time as an engine's literal, without a zone as all times in the engine are."""
    return ibis.timestamp(moment.replace(tzinfo=None))
