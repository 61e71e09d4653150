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


def with_arrival(evidence: Evidence, rows: ir.Table) -> ir.Table:
    """Add `arrived_utc` to rows that have event_id and event_time_utc: when any store first saw an
    event of this id and this time. An id can stand for several events (D5, D25), of which each came
    when it did. Raises `NotEvaluable` if none of raw, events and dedupe was captured."""
    timed = evidence.derived("sightings_of_events", _dated)
    others = evidence.derived("sightings_of_ids", _undated)
    rows = rows.left_join(timed, ["event_id", "event_time_utc"])
    rows = rows.drop("event_id_right", "event_time_utc_right")
    rows = rows.left_join(others, "event_id").drop("event_id_right")
    first = ibis.ifelse(rows.of_event <= rows.of_id, rows.of_event, rows.of_id)
    arrived = ibis.coalesce(first, rows.of_event, rows.of_id)
    return rows.mutate(arrived_utc=arrived).drop("of_event", "of_id")


def _dated(evidence: Evidence) -> ir.Table:
    """When each event whose time is known was first seen."""
    seen = evidence.derived("sightings", _sightings)
    seen = seen.filter(seen.event_time_utc.notnull())
    return seen.group_by("event_id", "event_time_utc").agg(of_event=seen.seen.min())


def _undated(evidence: Evidence) -> ir.Table:
    """When each id was first seen by a store that does not know the time of its event."""
    seen = evidence.derived("sightings", _sightings)
    seen = seen.filter(seen.event_time_utc.isnull())
    return seen.group_by("event_id").agg(of_id=seen.seen.min())


def _build(evidence: Evidence) -> ir.Table:
    seen = evidence.derived("sightings", _sightings)
    return seen.group_by("event_id").agg(arrived_utc=seen.seen.min())


def _sightings(evidence: Evidence) -> ir.Table:
    """Every time (seen) at which a store saw an event, by its id and its time, if that is known."""
    sightings = []
    if evidence.has("raw"):
        raw = evidence["raw"]
        sightings.append(
            raw.select("event_time_utc", event_id=raw_id(raw), seen=raw.ingest_time_utc)
        )
    if evidence.has("events"):
        events = evidence["events"]
        sightings.append(events.select("event_time_utc", "event_id", seen=events.ingest_time_utc))
    if evidence.has("dedupe"):
        dedupe = evidence["dedupe"]
        sightings.append(dedupe.select("event_time_utc", "event_id", seen=dedupe.first_seen_utc))
    if not sightings:
        raise NotEvaluable("none of raw, events and dedupe was captured")
    seen = ibis.union(*sightings) if len(sightings) > 1 else sightings[0]
    return seen.filter(seen.event_id.notnull() & seen.seen.notnull())
