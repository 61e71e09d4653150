"""When each event first arrived, from every store that remembers a part of it."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from investigate.errors import NotEvaluable
from investigate.evidence import Evidence


def arrivals(evidence: Evidence) -> ir.Table:
    """Return (event_id, arrived_utc): the earliest time at which any captured store saw the event.

    A duplicate overwrites the index row's ingest time (D1), so no single store has the answer.
    Raises `NotEvaluable` if none of raw, events and dedupe was captured.
    """
    return evidence.derived("arrivals", _build)


def raw_id(raw: ir.Table) -> ir.StringValue:
    """Return the id of a raw object: the one in its key, else the one in its body."""
    return ibis.coalesce(raw.key_event_id, raw.event_id)


def _build(evidence: Evidence) -> ir.Table:
    sightings = []
    if evidence.has("raw"):
        raw = evidence["raw"]
        sightings.append(raw.select(event_id=raw_id(raw), seen=raw.ingest_time_utc))
    if evidence.has("events"):
        events = evidence["events"]
        sightings.append(events.select("event_id", seen=events.ingest_time_utc))
    if evidence.has("dedupe"):
        dedupe = evidence["dedupe"]
        sightings.append(dedupe.select("event_id", seen=dedupe.first_seen_utc))
    if not sightings:
        raise NotEvaluable("none of raw, events and dedupe was captured")
    seen = ibis.union(*sightings) if len(sightings) > 1 else sightings[0]
    seen = seen.filter(seen.event_id.notnull() & seen.seen.notnull())
    return seen.group_by("event_id").agg(arrived_utc=seen.seen.min())
