"""A case as the checks see it: tables in the engine, the scope asked about, the age that counts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir

from investigate.case import Case, Coverage
from investigate.compact_reading import spelled_out
from investigate.engine import Engine, day_of, hour_text_of, open_engine
from investigate.errors import CaseDamagedError, NotEvaluable, UsageError
from investigate.lake import read_in_place, read_stored
from investigate.model import Window, isoformat, parse_time
from investigate.pipeline import Design, format_time
from investigate.settings import Thresholds
from investigate.tables import LATER, schema_of

STORES = ("raw", "events", "dedupe", "aggregates")  # the tables that are compared row by row
ARRIVAL = {"raw": "last_modified", "events": "ingest_time_utc", "dedupe": "first_seen_utc"}
SCOPED_BY = ("event_time_utc", "day", "entity_id")  # the columns that put a row in or out of scope
USUAL_LAG = timedelta(minutes=15)  # what is no older than this is as new as a capture can be


@dataclass(frozen=True, slots=True)
class Scope:
    """Which part of a case is asked about: a window of event time, and entities (none: all)."""

    window: Window
    entities: tuple[str, ...] = ()


@dataclass
class Evidence:
    """The tables of one case in one engine, with the thresholds and the scope of the question.

    Tables hold everything that was captured; the scope is applied to the offending rows
    (`in_scope`), so that a comparison across a window's edge stays right. A case of some entities
    answers for these; asked about another, it raises `UsageError`.
    """

    case: Case
    engine: Engine = field(default_factory=open_engine)
    thresholds: Thresholds = field(default_factory=Thresholds)
    scope: Scope | None = None
    whole: Evidence | None = None  # what this one was cut from, see investigate/trace/focus.py
    subject: str | None = None  # the id of the event that it was cut for
    _tables: dict[str, ir.Table] = field(default_factory=dict, repr=False)
    _facts: dict[str, Any] = field(default_factory=dict, repr=False)
    _derived: list[str] = field(default_factory=list, repr=False)
    _given: dict[str, Path] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        captured = self.case.scope_entities
        for entity in self.entities if captured else ():
            if entity not in captured:
                raise UsageError(
                    f"the case holds nothing of entity {entity!r}: it was captured for "
                    + ", ".join(captured),
                    hint=f"ask about one of these, or capture again with --entity {entity}",
                )

    @property
    def design(self) -> Design:
        """The design of the pipeline that the case was captured from."""
        return self.case.design

    def period_of(self, moment: ir.TimestampValue) -> ir.StringValue:
        """Return the text of the aggregates' period in which a time lies, as `day` holds it."""
        hourly = self.design.aggregate.period == "hour"
        return hour_text_of(moment) if hourly else day_of(moment)

    @property
    def window(self) -> Window:
        """The window asked about: the scope's, else the case's."""
        return self.scope.window if self.scope else self.case.window

    @property
    def entities(self) -> tuple[str, ...]:
        """The entities asked about, else those that were captured; empty means all."""
        asked = self.scope.entities if self.scope else ()
        return asked or self.case.scope_entities

    @property
    def is_narrowed(self) -> bool:
        """Whether the question, or the capture itself, leaves out a part of the pipeline."""
        narrow_case = bool(self.case.event_dates or self.case.scope_entities)
        return narrow_case or bool(self.entities) or self.window != self.case.window

    @property
    def settled_until(self) -> datetime:
        """Until when every store tells of everything: what is younger is judged only by those
        that do. A table read from a report of S3 or an export of DynamoDB is as old as that."""
        return self.judged_until(*(table for table in STORES if self.has(table)))

    def cut(self, tables: Mapping[str, ir.Table], subject: str | None = None) -> Evidence:
        """Return the same evidence with only these rows of its tables; of one event, if `subject`
        is its id."""
        part = Evidence(
            self.case, self.engine, self.thresholds, self.scope, whole=self, subject=subject
        )
        part._tables.update(tables)
        return part

    def has(self, table: str) -> bool:
        """Whether a table was captured, wholly or in part."""
        return table in self.case.files or table in self.case.lake

    def is_whole(self, table: str) -> bool:
        """Whether a table was captured wholly: every row in the capture's scope, and all in it."""
        return self.has(table) and self.case.coverage_of(table).status == "captured"

    def is_listed(self, table: str) -> bool:
        """Whether every row in the capture's scope is there, so that a row's absence means
        something, even if not every one could be looked into."""
        return self.is_whole(table) or (self.has(table) and self.case.coverage_of(table).listed)

    def horizon(self, table: str) -> tuple[datetime | None, datetime | None]:
        """The start and the end of the time a table can tell about; None for an open end."""
        told = self.case.coverage_of(table).horizon or ".."
        start, _, end = told.partition("/")
        try:
            return _end_of(start), _end_of(end)
        except UsageError as error:
            raise CaseDamagedError(
                f"the coverage of {table} has no horizon of the form start/end: {told!r}"
            ) from error

    def judged_until(self, *tables: str) -> datetime:
        """Until when what none of these tables tells of did not happen: it settles like other
        evidence, after the end of what each can tell about."""
        ends = [end for table in tables if (end := self.horizon(table)[1])]
        return min([*ends, self.case.captured_at]) - timedelta(seconds=self.case.settle_seconds)

    def coverage_of(self, table: str) -> Coverage:
        """What is known of a table's capture."""
        return self.case.coverage_of(table)

    def __getitem__(self, table: str) -> ir.Table:
        """Return a captured table; raise `NotEvaluable` with the reason if it was not captured.

        One that the case only points at is read now, and once: raises `AccessError` if what is
        there is not what the case says.
        """
        if table not in self._tables:
            schema_of(table)
            if not self.has(table):
                raise NotEvaluable(self.capture_gap(table))
            found = self._read(table)
            whole = spelled_out(_with_later_columns(found, table), table)
            self._tables[table] = whole if whole is found else self.engine.view(whole, table)
        return self._tables[table]

    def _read(self, table: str) -> ir.Table:
        if table in self.case.files and self.case.stored:
            return read_stored(self.case, self.case.stored, table, self.engine)
        if table in self.case.files:
            return self.engine.read_parquet(self.case.paths(table), table)
        self._derived.append(table)
        given = self._given.get(table)
        return (
            self.engine.read_written(given)
            if given
            else read_in_place(self.case, table, self.engine)
        )

    def derived(self, name: str, build: Callable[[Evidence], ir.Table]) -> ir.Table:
        """Return a table that several checks share, built and run once."""
        if name not in self._tables:
            given = self._given.get(name)
            self._tables[name] = (
                self.engine.read_written(given) if given else self.engine.materialise(build(self))
            )
            self._derived.append(name)
        return self._tables[name]

    def give(self, tables: Mapping[str, Path], facts: Mapping[str, Any]) -> None:
        """Take derived tables, as Parquet files, and facts that were found before, by this version
        and for this very question: they are read instead of being computed again."""
        self._given.update(tables)
        self._facts.update(facts)

    def computed(self) -> tuple[dict[str, ir.Table], dict[str, Any]]:
        """Return the derived tables and the facts there are so far, each by its name."""
        return {name: self._tables[name] for name in self._derived}, dict(self._facts)

    def view(self, name: str, build: Callable[[Evidence], ir.Table]) -> ir.Table:
        """Return a table that several checks share, built once and run by each of them."""
        if name not in self._tables:
            self._tables[name] = self.engine.view(build(self), name)
        return self._tables[name]

    def fact(
        self, name: str, find: Callable[[Evidence], Any], *, of_whole_case: bool = False
    ) -> Any:
        """Return a small value that several checks share, found once; one that holds for a case,
        and not for the part of it that is about one event, is asked of what this was cut from."""
        if self.whole and of_whole_case:
            return self.whole.fact(name, find, of_whole_case=True)
        if name not in self._facts:
            self._facts[name] = find(self)
        return self._facts[name]

    def capture_gap(self, table: str) -> str:
        """Say in words why a table cannot be used."""
        known = self.coverage_of(table)
        return f"{table}: {known.status} ({known.reason or 'no reason recorded'})"

    def settled(self, table: ir.Table, column: str, *told_by: str) -> ir.Table:
        """Return the rows whose time is old enough to judge, by what the named tables do not tell
        of them if any is named; a row without a time counts."""
        moment = table[column]
        return table.filter(moment.isnull() | (moment <= timestamp(self.judged_until(*told_by))))

    def in_scope(self, rows: ir.Table) -> ir.Table:
        """Return the rows inside the scope, by whichever of these columns they have:
        `event_time_utc`, else `day`, and `entity_id`. A null never leaves the scope."""
        conditions: list[ir.BooleanValue] = []
        if "event_time_utc" in rows.columns:
            moment = rows.event_time_utc
            start, end = timestamp(self.window.start), timestamp(self.window.end)
            conditions.append(moment.isnull() | ((moment >= start) & (moment < end)))
        elif "day" in rows.columns:
            conditions.append(rows.day.isnull() | self._in_window(rows.day))
        if self.entities and "entity_id" in rows.columns:
            conditions.append(rows.entity_id.isnull() | rows.entity_id.isin(self.entities))
        return rows.filter(conditions) if conditions else rows

    def _in_window(self, period: ir.StringValue) -> ir.BooleanValue:
        """Whether a day, or an hour where aggregates are of hours, is in the window."""
        ends = (self.window.start, self.window.end - timedelta(microseconds=1))
        first, last = (format_time(moment) for moment in ends)
        inside = period.between(first[:10], last[:10])
        if self.design.aggregate.period == "day":
            return inside
        of_aggregates = self.design.aggregate.period_of
        hours = period.between(of_aggregates(first), of_aggregates(last))
        return ibis.ifelse(period.contains("T"), hours, inside)

    def require(self, needs: Collection[str]) -> None:
        """Raise `NotEvaluable` naming every needed table that was not captured."""
        absent = [self.capture_gap(table) for table in needs if not self.has(table)]
        if absent:
            raise NotEvaluable("needs " + "; ".join(absent))

    def require_one(self, either: Collection[str]) -> None:
        """Raise `NotEvaluable` if tables are named and none of them was captured."""
        if either and not any(self.has(table) for table in either):
            absent = "; ".join(self.capture_gap(table) for table in either)
            raise NotEvaluable(f"needs one of {absent}")

    def gaps(self, tables: Sequence[str]) -> list[str]:
        """Return in words which of these captured tables lack rows of the time asked about."""
        return [gap for table in tables if (gap := self._gap(table))]

    def absence_gaps(self, tables: Sequence[str]) -> list[str]:
        """Return in words in which of these captured tables a row's absence proves nothing, however
        old what it is about: rows were left out, or were written after the table's end."""
        return [gap for table in tables if (gap := self._absence_gap(table))]

    def end_gap(self, table: str) -> str:
        """Say in words that a table ends before something of the time asked about; empty if not.

        An aggregate may be made at any time, from events of any age.
        """
        _, end = self.horizon(table)
        if not end or end >= self.case.captured_at - USUAL_LAG:
            return ""
        told = end >= self.window.end and table != "aggregates"
        if told and not (table in ARRIVAL and self._arrived_since(table)):
            return ""
        return f"{table}: tells nothing after {isoformat(end)}"

    def _gap(self, table: str) -> str:
        return self._absence_gap(table) or self.end_gap(table)

    def _absence_gap(self, table: str) -> str:
        if not self.is_listed(table):
            return self.capture_gap(table)
        start, _ = self.horizon(table)
        if start and start > self.window.start:
            return f"{table}: tells nothing before {isoformat(start)}"
        return self.end_gap(table) if table == "aggregates" else ""

    def _arrived_since(self, table: str) -> bool:
        """Whether a store tells of events asked about that arrived too late for this table."""
        until = timestamp(self.judged_until(table))
        stores = [(self[name], column) for name, column in ARRIVAL.items() if self.has(name)]
        since = (self.in_scope(rows.filter(rows[column] > until)) for rows, column in stores)
        return any(self.engine.count(rows) for rows in since)


def _end_of(text: str) -> datetime | None:
    return None if text in ("", "..") else parse_time(text, "horizon")


def _with_later_columns(found: ir.Table, table: str) -> ir.Table:
    """Add what a case lacks that was captured before the table had these columns: nulls."""
    wanted = ibis.Schema.from_pyarrow(schema_of(table))
    lacking = sorted(LATER.get(table, frozenset()) - set(found.columns))
    return found.mutate(**{name: ibis.null(wanted[name]) for name in lacking}) if lacking else found


def timestamp(moment: datetime) -> ir.TimestampScalar:
    """Return a UTC time as an engine's literal, without a zone as all times in the engine are."""
    return ibis.timestamp(moment.replace(tzinfo=None))
