"""The keys under which captured rows say an event is, and no listing has named it: S3 is asked.

A listing leaves out other event dates, and a report what is newer than it. Before anything is
called missing, every key under which it can be is asked for by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from investigate.capture.source import Source
from investigate.memory import EngineMemory, MemoryLimit
from investigate.pipeline import Design

if TYPE_CHECKING:
    from investigate.engine import Engine

LEAST = MemoryLimit.parse("256MB")  # beside what a capture takes itself
MOST = 10_000  # keys that are asked for one by one; of more, something else is wrong


def unlisted(source: Source) -> list[str]:
    """Return, in order, the keys that rows give the events of the window, and no object has.

    A key stands on a row of the index, of whatever time, or follows from a row of the gate (D2).
    """
    if not source.draft.parts("events"):
        return []
    # Imported when it is needed: an engine takes half a second to start.
    import ibis

    from investigate.engine import open_engine

    engine = open_engine(memory=EngineMemory(LEAST, source.draft.folder))
    events = _kept(engine, source, "events")
    window = source.options.window
    start, end = (ibis.timestamp(t.replace(tzinfo=None)) for t in (window.start, window.end))
    asked = events.filter((events.event_time_utc >= start) & (events.event_time_utc < end))
    ids = asked.select("event_id").distinct()
    names = {"s3_bucket": source.names.raw_bucket, "s3_key": source.names.raw_prefix}
    kept = source.as_kept("events", names)  # the rows are masked already
    of_them = events.filter(events.s3_bucket == kept["s3_bucket"])
    keys = of_them.semi_join(ids, "event_id").select("s3_key")
    if source.draft.parts("dedupe"):
        gate = _kept(engine, source, "dedupe").semi_join(ids, "event_id")
        keys = keys.union(_keys_by_gate(source.names.design, gate, str(kept["s3_key"])))
    if source.draft.parts("raw"):
        keys = keys.anti_join(_kept(engine, source, "raw").select("s3_key"), "s3_key")
    keys = keys.filter(keys.s3_key.notnull() & (keys.s3_key != "")).distinct()
    found = engine.rows(keys.order_by("s3_key").limit(MOST + 1))
    return sorted(source.unmasked(str(row["s3_key"])) for row in found)


def _kept(engine: Engine, source: Source, table: str) -> Any:
    return engine.read_parquet([part.path for part in source.draft.parts(table)], table)


def _keys_by_gate(design: Design, gate: Any, prefix: str) -> Any:
    """Return the keys under which ingest stored what the gate let through."""
    from investigate.engine import filled

    parts = gate.mutate(
        event_date=gate.event_time.substr(0, 10),
        ingest_date=gate.first_seen_ingest_time.substr(0, 10),
        hour=gate.event_time.substr(11, 2),
    )
    return parts.select(s3_key=prefix + filled(design.raw_key_layout, parts))
