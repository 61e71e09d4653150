"""Cases cut down to what a capture with a scope would have read, from a case that holds it all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from investigate.case import Case, Coverage, open_case
from investigate.case_writer import CaseWriter
from investigate.model import Window
from investigate.pipeline import REFERENCE
from investigate.tables import TABLES

Row = dict[str, Any]
Table = tuple[Iterable[Row], Coverage]
ONE_DAY = timedelta(days=1)


def rows_of(case: Case, table: str) -> list[Row]:
    """A table's rows, as they were given to the writer."""
    return [row for path in case.paths(table) for row in pq.read_table(path).to_pylist()]


def days_around(window: Window) -> tuple[str, str]:
    """The event dates that are listed for a window: one more on either side."""
    last = window.end - timedelta(microseconds=1)
    return tuple((day + by).date().isoformat() for day, by in _ends(window.start, last))  # type: ignore[return-value]


def _ends(first: Any, last: Any) -> list[tuple[Any, timedelta]]:
    return [(first, -ONE_DAY), (last, ONE_DAY)]


@dataclass(frozen=True)
class Cut:
    """What a capture was asked for: a window of event time, and entities (none: all)."""

    window: Window
    entities: tuple[str, ...] = ()

    def of(self, whole: Case, folder: Path) -> Case:
        """The case that a capture of this scope would have written."""
        dates = days_around(self.window)
        scope = {"entities": list(self.entities), "event_dates": list(dates)}
        kept = self._tables(whole)
        with CaseWriter(
            folder, "scoped", self.window, whole.captured_at, whole.settle_seconds, whole.tool,
            whole.pipeline, scope=scope,
        ) as writer:  # fmt: skip
            for table in TABLES:
                if table in kept:
                    writer.add(table, *kept[table])
                elif table in whole.tables:
                    writer.add(table, rows_of(whole, table), whole.coverage_of(table))
                else:
                    writer.leave_out(table, whole.coverage_of(table))
        return open_case(folder)

    def _tables(self, whole: Case) -> Mapping[str, Table]:
        if not self.entities:
            return {"raw": self._raw(whole, None)}
        names = " and ".join(self.entities)
        queried = Coverage("captured", f"entities {names} only")
        wanted = {REFERENCE.event_pk(entity) for entity in self.entities}
        of_entities = {
            table: [row for row in rows_of(whole, table) if row["pk"] in wanted]
            for table in ("events", "aggregates")
        }
        known = {row["event_id"] for row in of_entities["events"]}
        gate = [row for row in rows_of(whole, "dedupe") if row["event_id"] in known]
        looked_up = Coverage("partial", "the ids that rows name only", listed=True)
        queried_tables = {table: (rows, queried) for table, rows in of_entities.items()}
        return {**queried_tables, "dedupe": (gate, looked_up), "raw": self._raw(whole, known)}

    def _pointed_at(self, whole: Case) -> set[str]:
        """The keys that are asked for by name: those of rows of the window, and of their ids."""
        rows = rows_of(whole, "events") if "events" in whole.tables else []
        timed = [(row["event_id"], row["event_time_utc"]) for row in rows]
        ids = {event_id for event_id, when in timed if when and self.window.contains(when)}
        return {row["s3_key"] for row in rows if row["event_id"] in ids}

    def _raw(self, whole: Case, known: set[str] | None) -> Table:
        """Objects of the listed event dates; a key without the layout has none, and is kept."""
        first, last = days_around(self.window)
        asked = self._pointed_at(whole)
        listed = [
            row
            for row in rows_of(whole, "raw")
            if not (day := row["key_event_date"]) or first <= day <= last or row["s3_key"] in asked
        ]
        if known is None:
            return listed, Coverage("captured", f"event dates {first} to {last} only")
        kept = [
            row for row in listed if row["key_event_id"] is None or row["key_event_id"] in known
        ]
        reason = f"event dates {first} to {last} and the ids that rows name only"
        return kept, Coverage("partial", reason, listed=True)
