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
    hour_text_of,
    is_day,
    literal_rows,
    milliseconds_since_1970,
    number_text,
    seconds_between,
    seconds_since_1970,
    text_of,
    without_zone,
)
from investigate.errors import UsageError
from investigate.memory import DEFAULT_ENGINE_MEMORY, EngineMemory

__all__ = [
    "BATCH_ROWS", "ENGINES", "DuckDBEngine", "Engine", "blank", "day_of", "differ", "filled",
    "hour_of", "hour_text_of", "is_day", "literal_rows",
    "milliseconds_since_1970", "number_text", "open_engine",
    "seconds_between",
    "seconds_since_1970", "text_of", "without_zone",
]  # fmt: skip

ENGINES = ("duckdb", "spark")


def open_engine(
    name: str = "duckdb",
    memory: EngineMemory = DEFAULT_ENGINE_MEMORY,
    *,
    master: str = "",
    scratch: str = "",
) -> Engine:
    """Return a fresh engine by its name. DuckDB keeps within its memory; of Spark, `master` and
    `scratch` say where it runs and where it keeps what several checks share (`SparkEngine`).

    Raises `UsageError` for an unknown name, or if Spark cannot be started at that address.
    """
    if name not in ENGINES:
        raise UsageError.unknown("engine", name, ENGINES)
    if name == "duckdb":
        if master or scratch:
            raise UsageError(
                "--spark-master and --spark-scratch have no meaning for the engine duckdb",
                hint="add --engine spark, or leave them out",
            )
        return DuckDBEngine(memory)
    # Imported when it is asked for: pyspark is an extra, and takes its time.
    from investigate.engine.spark import SparkEngine
    from investigate.engine.spark_session import LOCAL

    return SparkEngine(master or LOCAL, scratch=scratch)
