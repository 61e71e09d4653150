"""When each event first arrived, from every store that remembers a part of it."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from investigate.analysis.known_ids import known_ids, sightings
from investigate.evidence import Evidence


def arrivals(evidence: Evidence) -> ir.Table:
    """Return (event_id, arrived_utc): the earliest time at which any captured store saw the event.

    A duplicate overwrites the index row's ingest time (D1), so no single store has the answer.
    Raises `NotEvaluable` if none of raw, events and dedupe was captured.
    """
    ids = known_ids(evidence)
    return ids.filter(ids.arrived_utc.notnull()).select("event_id", "arrived_utc")


def with_arrival(evidence: Evidence, rows: ir.Table) -> ir.Table:
    """Add `arrived_utc` to rows that have event_id and event_time_utc: when any store first saw an
    event of this id and this time. An id can stand for several events (D5, D25), of which each came
    when it did. Raises `NotEvaluable` if none of raw, events and dedupe was captured."""
    return with_what_is_known(evidence, rows).drop("has_object")


def with_what_is_known(evidence: Evidence, rows: ir.Table) -> ir.Table:
    """Add `arrived_utc` as `with_arrival` does, and `has_object`: a raw object of the id can be
    read."""
    ids = known_ids(evidence)
    ids = ids.select(
        "dated_utc", "undated_utc", known_id="event_id", has_object="readable",
        only_time=ibis.ifelse(
            ids.event_time_utc == ids.last_time_utc, ids.event_time_utc, ibis.null("timestamp")
        ),
    )  # fmt: skip
    rows = rows.left_join(ids, rows.event_id == ids.known_id).drop("known_id")
    several = evidence.derived("sightings_of_several", _of_several_times)
    rows = rows.left_join(several, ["event_id", "event_time_utc"])
    rows = rows.drop("event_id_right", "event_time_utc_right")
    own = ibis.ifelse(rows.only_time == rows.event_time_utc, rows.dated_utc, ibis.null("timestamp"))
    of_event = ibis.coalesce(rows.of_event, own)
    first = ibis.ifelse(of_event <= rows.undated_utc, of_event, rows.undated_utc)
    return rows.mutate(
        arrived_utc=ibis.coalesce(first, of_event, rows.undated_utc),
        has_object=rows.has_object.fill_null(False),
    ).drop("dated_utc", "undated_utc", "only_time", "of_event")


def _of_several_times(evidence: Evidence) -> ir.Table:
    """When each event was first seen, of the ids that stand for events of several times."""
    ids = known_ids(evidence)
    several = ids.filter(ids.event_time_utc != ids.last_time_utc).select("event_id")
    seen = sightings(evidence).semi_join(several, "event_id")
    seen = seen.filter(seen.event_time_utc.notnull() & seen.seen.notnull())
    return seen.group_by("event_id", "event_time_utc").agg(of_event=seen.seen.min())
