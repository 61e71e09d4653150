"""The one place that knows which engine runs the queries: DuckDB on this machine, or Spark."""

from __future__ import annotations

from investigate.engine.base import BATCH_ROWS, Engine
from investigate.engine.duckdb import DuckDBEngine
from investigate.engine.expressions import (
    blank,
    day_of,
    differ,
    filled,
    hour_of,
    literal_rows,
    milliseconds_since_1970,
    seconds_between,
    seconds_since_1970,
    text_of,
    without_zone,
)
from investigate.errors import UsageError
from investigate.memory import ROOM, Room

__all__ = [
    "BATCH_ROWS", "ENGINES", "DuckDBEngine", "Engine", "blank", "day_of", "differ", "filled",
    "hour_of", "literal_rows", "milliseconds_since_1970", "open_engine", "seconds_between",
    "seconds_since_1970", "text_of", "without_zone",
]  # fmt: skip

ENGINES = ("duckdb",)


def open_engine(name: str = "duckdb", room: Room = ROOM) -> Engine:
    """Return a fresh engine by its name, which keeps within its room; raise `UsageError` with the
    known names for another."""
    if name not in ENGINES:
        raise UsageError.unknown("engine", name, ENGINES)
    return DuckDBEngine(room)
