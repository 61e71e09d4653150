"""What raw, events and dedupe together know of each event id, found in one pass over them."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from investigate.errors import NotEvaluable
from investigate.evidence import Evidence

_STORES = {"raw": "ingest_time_utc", "events": "ingest_time_utc", "dedupe": "first_seen_utc"}


def raw_id(raw: ir.Table) -> ir.StringValue:
    """Return the id of a raw object: the one in its key, else the one in its body."""
    return ibis.coalesce(raw.key_event_id, raw.event_id)


def is_known_to_any(evidence: Evidence) -> bool:
    """Whether a store was captured that knows events by their ids."""
    return any(evidence.has(name) for name in _STORES)


def known_ids(evidence: Evidence) -> ir.Table:
    """Return one row per event id of raw, events and dedupe: event_id; the least entity_id, source
    and event_time_utc; last_time_utc, the greatest event time; arrived_utc, the earliest time at
    which a store saw the id; dated_utc and undated_utc, the same by whether the store knows the
    time of its event; `reused` (raw and events know more than one payload hash), `readable` (a raw
    object of the id can be read), `gated` (dedupe has the id), and `in_raw` and `in_events`, how
    many rows of these have the id.

    Raises `NotEvaluable` if none of the three was captured.
    """
    return evidence.derived("known_ids", _build)


def sightings(evidence: Evidence) -> ir.Table:
    """Return every time (`seen`) at which a store saw an event, with what it says of it: event_id,
    event_time_utc, entity_id, source, payload_sha (null in dedupe), readable (null but in raw) and
    store (its table).
    Raises `NotEvaluable` if none of raw, events and dedupe was captured."""
    stores = [_seen_in(evidence, name) for name in _STORES if evidence.has(name)]
    if not stores:
        raise NotEvaluable("none of raw, events and dedupe was captured")
    seen = ibis.union(*stores)
    return seen.filter(seen.event_id.notnull())


def _seen_in(evidence: Evidence, name: str) -> ir.Table:
    rows = evidence[name]
    told = {
        "event_id": raw_id(rows) if name == "raw" else rows.event_id,
        "payload_sha": ibis.null("string") if name == "dedupe" else rows.payload_sha,
        "readable": rows.readable if name == "raw" else ibis.null("boolean"),
        "seen": rows[_STORES[name]],
        "store": ibis.literal(name),
    }
    return rows.select("entity_id", "source", "event_time_utc", **told)


def _build(evidence: Evidence) -> ir.Table:
    seen = sightings(evidence)
    dated = seen.event_time_utc.notnull()
    rows = seen.group_by("event_id").agg(
        entity_id=seen.entity_id.min(),
        source=seen.source.min(),
        event_time_utc=seen.event_time_utc.min(),
        last_time_utc=seen.event_time_utc.max(),
        arrived_utc=seen.seen.min(),
        dated_utc=seen.seen.min(where=dated),
        undated_utc=seen.seen.min(where=~dated),
        readable=seen.readable.fill_null(False).any(),
        gated=(seen.store == "dedupe").any(),
        in_raw=(seen.store == "raw").sum(),
        in_events=(seen.store == "events").sum(),
        least_sha=seen.payload_sha.min(),
        greatest_sha=seen.payload_sha.max(),
    )
    reused = (rows.least_sha != rows.greatest_sha).fill_null(False)
    return rows.mutate(reused=reused).drop("least_sha", "greatest_sha")
