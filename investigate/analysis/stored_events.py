"""What each store holds of each day: the events an aggregate can have been computed from."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from investigate.analysis.arrivals import with_what_is_known
from investigate.analysis.capture_scope import unkept_gap
from investigate.analysis.known_ids import known_ids, raw_id
from investigate.analysis.objects import objects_gap, unfetched_gap, unfetched_objects
from investigate.errors import NotEvaluable
from investigate.evidence import Evidence
from investigate.model import counted, joined

RAW, EVENTS, BOTH = "raw", "events", "both"
_TOLD = ("entity_id", "event_id", "event_time", "event_time_utc", "payload_sha", "day")


def stored_events(evidence: Evidence) -> ir.Table:
    """Return what each store holds: one row per store, entity, day and event id.

    Columns: store, entity_id, day, event_id, event_time (text), event_time_utc, payload_sha,
    arrived_utc, has_object (a readable raw object is there). The store is `raw` or `events`, or
    `both` where they hold an event alike, which then has one row: nearly all have. An id that
    stands more than once in one of them has a row for each; where it does on one day, the row with
    the least event_time, then payload_sha, stands for it. `in_each_store` gives every store a row
    of its own.
    Raises `NotEvaluable` if neither raw nor events was captured.
    """
    return evidence.derived("stored_events", _build)


def stored_events_gap(evidence: Evidence) -> str:
    """Say in words why a day may have events that neither store tells of; empty if it has none: of
    an object that could not be read, a row tells as well, but of a lost object only a row does, and
    of a lost row only the object."""
    absent = joined(*(evidence.capture_gap(one) for one in (RAW, EVENTS) if not evidence.has(one)))
    if not evidence.has(RAW):
        return joined(absent, store_end_gap(evidence))
    hidden = ""
    if unfetched_gap(evidence):
        objects = unfetched_objects(evidence)
        if evidence.is_listed(EVENTS):
            rows = evidence[EVENTS].select(row_id="event_id")
            objects = objects.anti_join(rows, [("rid", "row_id")])
        count = evidence.engine.count(objects)
        what = counted(count, "object")
        hidden = f"raw: {what} that could not be fetched, of which no row tells" if count else ""
    return joined(absent, hidden, unkept_gap(evidence), store_end_gap(evidence))


def store_end_gap(evidence: Evidence) -> str:
    """Say in words which store ends before events of the time asked about; empty if none does."""
    return joined(*(evidence.end_gap(store) for store in (RAW, EVENTS) if evidence.has(store)))


def version_inputs_gap(evidence: Evidence) -> str:
    """Say in words why a version may count what neither store tells of; empty if none can."""
    return objects_gap(evidence) if evidence.has(RAW) else ""


def in_each_store(rows: ir.Table) -> ir.Table:
    """Return rows with a `store` so that what both hold alike stands there once for each."""
    both = ibis.array([ibis.literal(RAW), ibis.literal(EVENTS)])
    # Not a union, which asks for the rows three times where an engine keeps none.
    stores = ibis.ifelse(rows.store == BOTH, both, ibis.array([rows.store]))
    return rows.mutate(store=stores).unnest("store")


def _build(evidence: Evidence) -> ir.Table:
    stores = [_dated(evidence, store) for store in (RAW, EVENTS) if evidence.has(store)]
    if not stores:
        raise NotEvaluable(
            "the events of a day are known from raw and events, and neither was captured"
        )
    ids = known_ids(evidence)
    repeated = evidence.derived(
        "repeated_ids",
        lambda _: ids.filter((ids.in_raw > 1) | (ids.in_events > 1)).select("event_id"),
    )
    # Nearly every id stands once: only of the others the first has to be looked for.
    first = [_first_of_day(rows.semi_join(repeated, "event_id")) for rows in stores]
    alone = [rows.anti_join(repeated, "event_id") for rows in stores]
    return with_what_is_known(evidence, ibis.union(*first, *_merged(alone)))


def _dated(evidence: Evidence, store: str) -> ir.Table:
    rows = evidence[store]
    if store == RAW:
        rows = rows.mutate(event_id=raw_id(rows))
    known = rows.filter(
        rows.event_id.notnull() & rows.entity_id.notnull() & rows.event_time_utc.notnull()
    )
    return known.mutate(
        day=evidence.period_of(known.event_time_utc), store=ibis.literal(store)
    ).select(*_TOLD, "store")


def _first_of_day(rows: ir.Table) -> ir.Table:
    first = ibis.row_number().over(
        group_by=["entity_id", "day", "event_id"], order_by=["event_time", "payload_sha"]
    )
    placed = rows.mutate(place=first)
    return placed.filter(placed.place == 0).drop("place")


def _merged(stores: list[ir.Table]) -> list[ir.Table]:
    """Return the rows of one or two stores, in which no id stands twice; what both hold alike is
    one row."""
    if len(stores) == 1:
        return stores
    raw, events = stores
    beside = events.outer_join(raw, "event_id", rname="{name}_of_raw")
    same = [beside[name] == beside[f"{name}_of_raw"] for name in _TOLD if name != "event_id"]
    alike = ibis.and_(*same).fill_null(False)
    beside = beside.mutate(alike=alike)
    of_events = beside.filter(beside.event_id.notnull())
    of_raw = beside.filter(beside.event_id_of_raw.notnull() & ~beside.alike)
    store = ibis.ifelse(of_events.alike, BOTH, EVENTS)
    return [
        of_events.select(*_TOLD, store=store),
        of_raw.select(
            **{name: of_raw[f"{name}_of_raw"] for name in _TOLD}, store=ibis.literal(RAW)
        ),
    ]
