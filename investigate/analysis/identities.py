"""Whose event an id is, from every store that knows it."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from investigate.analysis.arrivals import raw_id
from investigate.engine import literal_rows
from investigate.evidence import Evidence

_STORES = ("raw", "events", "dedupe")
_COLUMNS = {
    "event_id": "string",
    "entity_id": "string",
    "source": "string",
    "event_time_utc": "timestamp",
}


def identities(evidence: Evidence) -> ir.Table:
    """Return one row per event id that raw, events or dedupe knows: event_id, entity_id, source,
    event_time_utc. Where they disagree (a reused id), the least of each is taken."""
    if not any(evidence.has(name) for name in _STORES):
        return literal_rows([], _COLUMNS)
    return evidence.derived("identities", _build)


def _build(evidence: Evidence) -> ir.Table:
    known = []
    for name in _STORES:
        if evidence.has(name):
            rows = evidence[name]
            if name == "raw":
                rows = rows.mutate(event_id=raw_id(rows))
            known.append(rows.select(*_COLUMNS))
    rows = ibis.union(*known) if len(known) > 1 else known[0]
    rows = rows.filter(rows.event_id.notnull())
    return rows.group_by("event_id").agg(
        **{name: rows[name].min() for name in _COLUMNS if name != "event_id"}
    )
