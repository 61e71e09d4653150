"""What each store holds of each day: the events an aggregate can have been computed from."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from investigate.analysis.arrivals import with_what_is_known
from investigate.analysis.known_ids import raw_id
from investigate.analysis.objects import overlooked, unseen, unseen_objects
from investigate.analysis.reach import unkept
from investigate.engine import day_of
from investigate.errors import NotEvaluable
from investigate.evidence import Evidence
from investigate.model import counted, joined

RAW, EVENTS = "raw", "events"


def stored_events(evidence: Evidence) -> ir.Table:
    """Return one row per store (`raw`, `events`), entity, day and event id.

    Columns: store, entity_id, day, event_id, event_time (text), event_time_utc, payload_sha,
    arrived_utc, has_object (a readable raw object is there). Where a store holds an id more than
    once on a day, the row with the least event_time, then payload_sha, stands for it.
    Raises `NotEvaluable` if neither raw nor events was captured.
    """
    return evidence.derived("stored_events", _build)


def unknown_events(evidence: Evidence) -> str:
    """Say in words why a day may have events that neither store tells of; empty if it has none: of
    an object that could not be read, a row tells as well, but of a lost object only a row does, and
    of a lost row only the object."""
    absent = joined(*(evidence.absence(one) for one in (RAW, EVENTS) if not evidence.has(one)))
    if not evidence.has(RAW):
        return joined(absent, ends_early(evidence))
    hidden = ""
    if unseen(evidence):
        objects = unseen_objects(evidence)
        if evidence.is_listed(EVENTS):
            rows = evidence[EVENTS].select(row_id="event_id")
            objects = objects.anti_join(rows, [("rid", "row_id")])
        count = evidence.engine.scalar(objects.count())
        what = counted(count, "object")
        hidden = f"raw: {what} that could not be fetched, of which no row tells" if count else ""
    return joined(absent, hidden, unkept(evidence), ends_early(evidence))


def ends_early(evidence: Evidence) -> str:
    """Say in words which store ends before events of the time asked about; empty if none does."""
    return joined(*(evidence.unjudged(store) for store in (RAW, EVENTS) if evidence.has(store)))


def unknown_inputs(evidence: Evidence) -> str:
    """Say in words why a version may count what neither store tells of; empty if none can."""
    return overlooked(evidence) if evidence.has(RAW) else ""


def _build(evidence: Evidence) -> ir.Table:
    stores = []
    if evidence.has(RAW):
        raw = evidence[RAW]
        stores.append(_one_per_id(raw.mutate(event_id=raw_id(raw)), RAW))
    if evidence.has(EVENTS):
        stores.append(_one_per_id(evidence[EVENTS], EVENTS))
    if not stores:
        raise NotEvaluable(
            "the events of a day are known from raw and events, and neither was captured"
        )
    events = ibis.union(*stores) if len(stores) > 1 else stores[0]
    return with_what_is_known(evidence, events)


def _one_per_id(rows: ir.Table, store: str) -> ir.Table:
    known = rows.filter(
        rows.event_id.notnull() & rows.entity_id.notnull() & rows.event_time_utc.notnull()
    )
    known = known.select(
        "entity_id", "event_id", "event_time", "event_time_utc", "payload_sha",
        store=ibis.literal(store), day=day_of(known.event_time_utc),
    )  # fmt: skip
    # Nearly every id stands once: only of the others the first has to be looked for.
    counts = known.group_by("event_id").agg(rows=known.count())
    repeated = counts.filter(counts.rows > 1)
    alone, several = known.anti_join(repeated, "event_id"), known.semi_join(repeated, "event_id")
    first = ibis.row_number().over(
        group_by=["entity_id", "day", "event_id"], order_by=["event_time", "payload_sha"]
    )
    placed = several.mutate(place=first)
    return alone.union(placed.filter(placed.place == 0).drop("place"))
