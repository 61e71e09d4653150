"""The keys that rows of the index point at and no listing has named; the last word is S3's own.

A listing leaves out other event dates, and a report what is newer than it. Before anything is
called missing, its key is asked for by name.
"""

from __future__ import annotations

from investigate.capture.source import Source

MOST = 10_000  # keys that are asked for one by one; of more, something else is wrong


def unlisted(source: Source) -> list[str]:
    """Return, in order, the keys of captured rows in the window that no captured object has."""
    rows, objects = source.draft.parts("events"), source.draft.parts("raw")
    if not rows:
        return []
    # Imported when it is needed: an engine takes half a second to start.
    import ibis

    from investigate.engine import Engine

    engine = Engine(memory_mb=256, spill=source.draft.folder)
    events = engine.read_parquet([part.path for part in rows], "events")
    window = source.options.window
    start, end = (ibis.timestamp(t.replace(tzinfo=None)) for t in (window.start, window.end))
    inside = (events.event_time_utc >= start) & (events.event_time_utc < end)
    own = events.s3_bucket == source.names.raw_bucket
    keys = events.filter(inside & own & (events.s3_key != "")).select("s3_key").distinct()
    if objects:
        raw = engine.read_parquet([part.path for part in objects], "raw")
        keys = keys.anti_join(raw.select("s3_key"), "s3_key")
    found = engine.rows(keys.order_by("s3_key").limit(MOST + 1))
    return [str(row["s3_key"]) for row in found]
