"""How far every event id came: which stores know it, as far as the evidence can tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

from investigate.analysis import processing
from investigate.analysis.aggregates import version_inputs, versions
from investigate.analysis.explanation import is_explainable
from investigate.analysis.identities import identities
from investigate.analysis.known_ids import is_known_to_any, known_ids
from investigate.analysis.objects import pointing_rows, raw_objects, readable_objects, unfetched_gap
from investigate.analysis.queues import waiting_gap
from investigate.engine import day_of, literal_rows
from investigate.errors import NotEvaluable
from investigate.evidence import STORES, Evidence

# The stations of the flow, in order; the others are side branches.
FLOW = ("known", "readable", "refs", "sent", "processed", "aggregated")


def stages(evidence: Evidence) -> ir.Table:
    """Return one row per event id that any evidence names: event_id, entity_id, source,
    event_time_utc, day, arrived_utc, and what is known of it.

    `raw` (an object has the id), `readable` (and can be read), `row` (the index has it), `refs`
    (with a place to load it from), `dedupe`, `sent` (for processing), `waiting` (in a message),
    `processed` and `aggregated` (an explained version counts it). Each is true, false, or null
    where the evidence was not captured or does not show everything.
    """
    return evidence.derived("stages", _build)


def stages_of(evidence: Evidence, events: ir.Table) -> ir.Table:
    """Return those of `stages` whose event_id these rows have; the others are not looked at."""
    return _build(evidence, events.select("event_id"))


def flow(evidence: Evidence) -> ir.Table:
    """Return how many settled events in scope reach each stage, one row per stage of `FLOW`.

    `reached`; of those that reached the stage before: `dropped` (known not to have come this far),
    `waiting` (not yet, a message holds them) and `unknown`; and `joined`, which are here though
    not known to have been there: reached = reached before - dropped - waiting - unknown + joined.
    `first_id` and `last_id` are those of the dropped.
    """
    rows = evidence.in_scope(evidence.settled(stages(evidence), "arrived_utc", *STORES))
    rows = rows.mutate(known=ibis.literal(True))
    counts = [_station(rows, position) for position in range(len(FLOW))]
    return ibis.union(*counts).order_by("position")


def _station(rows: ir.Table, position: int) -> ir.Table:
    here = rows[FLOW[position]]
    before = rows[FLOW[max(position - 1, 0)]].fill_null(False)
    queued = rows.waiting.fill_null(False) & ~here.fill_null(False) & (position > 2)
    lost = before & ~here.fill_null(True) & ~queued
    counts = rows.agg(
        reached=here.fill_null(False).sum(),
        dropped=lost.sum(),
        waiting=(before & queued).sum(),
        unknown=(before & here.isnull() & ~queued).sum(),
        joined=(here.fill_null(False) & ~before).sum(),
        first_id=rows.event_id.min(where=lost),
        last_id=rows.event_id.max(where=lost),
    )
    names = ("first_id", "last_id")
    filled = {
        name: counts[name] if name in names else counts[name].fill_null(0)
        for name in counts.columns
    }
    place = {"position": ibis.literal(position, "int64"), "stage": ibis.literal(FLOW[position])}
    return counts.select(**place, **filled)


@dataclass(frozen=True, slots=True)
class _Stage:
    """The ids that reached a stage (None: nothing tells), and whether no other id did."""

    ids: ir.Table | None
    whole: bool = False


def _build(evidence: Evidence, events: ir.Table | None = None) -> ir.Table:
    reached = {name: find(evidence) for name, find in _STAGES.items()}
    # Numbers, because a name is longer to compare, a million times for each station.
    numbers = {name: place for place, name in enumerate(reached)}
    listed = [
        _only(events, stage.ids).select("event_id", number=ibis.literal(numbers[name], "int8"))
        for name, stage in reached.items()
        if stage.ids is not None
    ]
    if not listed:
        raise NotEvaluable("no captured table names an event")
    if evidence.subject is not None:
        # A line of ingest or a dead letter may be all that names it: then it reached no stage.
        asked = literal_rows([{"event_id": evidence.subject}], {"event_id": "string"})
        listed.append(_only(events, asked).select("event_id", number=ibis.literal(-1, "int8")))
    seen = ibis.union(*listed)
    seen = seen.filter(seen.event_id.notnull())
    told = {name: _told(seen.number == numbers[name], stage) for name, stage in reached.items()}
    rows = seen.group_by("event_id").agg(**told)
    rows = _with_doubt(evidence, _described(evidence, rows, events))
    rows = _with_reach(evidence, rows)
    # Ids that only lines or messages name are of other entities, or of nobody knows whom.
    if not evidence.case.scope_entities:
        return rows
    return rows.filter(rows.entity_id.notnull() | (rows.event_id == (evidence.subject or "")))


def _only(events: ir.Table | None, rows: ir.Table) -> ir.Table:
    return rows if events is None else rows.semi_join(events, "event_id")


def _told(named: ir.BooleanValue, stage: _Stage) -> ir.BooleanValue:
    """Whether the ids of a stage have the event; where they are not whole, no is unknown."""
    here = named.any()
    return here if stage.whole else ibis.ifelse(here, True, ibis.null("boolean"))


def _with_reach(evidence: Evidence, rows: ir.Table) -> ir.Table:
    """What was not found of an event may stand under an event date that was not listed."""
    if not evidence.case.event_dates:
        return rows
    listed = day_of(rows.event_time_utc).between(*evidence.case.event_dates).fill_null(False)
    unknown = {
        name: ibis.ifelse(rows[name] | listed, rows[name], ibis.null("boolean"))
        for name in ("raw", "readable")
    }
    return rows.mutate(**unknown)


def _with_doubt(evidence: Evidence, rows: ir.Table) -> ir.Table:
    """An unexplained version of the day may count an event that no explained one does."""
    if not is_explainable(evidence):
        return rows
    known = versions(evidence)
    days = known.filter(known.agrees_with.isnull()).select("entity_id", "day").distinct()
    days = days.mutate(doubt=ibis.literal(True))
    rows = rows.left_join(days, ["entity_id", "day"]).drop("entity_id_right", "day_right")
    doubtful = rows.doubt.fill_null(False) & ~rows.aggregated.fill_null(False)
    told = ibis.ifelse(doubtful, ibis.null("boolean"), rows.aggregated)
    return rows.mutate(aggregated=told).drop("doubt")


def _described(evidence: Evidence, rows: ir.Table, events: ir.Table | None) -> ir.Table:
    """Add whose event it is, from the stores, else from what was sent for processing."""
    known = is_known_to_any(evidence)
    columns = ("event_id", "entity_id", "source", "event_time_utc", "arrived_utc")
    parts = [known_ids(evidence).select(*columns) if known else identities(evidence)]
    if evidence.has("log_lines"):
        sent = processing.sent(evidence)
        parts.append(
            sent.select("event_id", sent_entity=sent.entity_id, sent_time=sent.event_time_utc)
        )
    for part in parts:
        rows = rows.left_join(_only(events, part), "event_id").drop("event_id_right")
    if len(parts) > 1:
        rows = rows.mutate(
            entity_id=ibis.coalesce(rows.entity_id, rows.sent_entity),
            event_time_utc=ibis.coalesce(rows.event_time_utc, rows.sent_time),
        ).drop("sent_entity", "sent_time")
    if not known:
        rows = rows.mutate(arrived_utc=ibis.null("timestamp"))
    return rows.mutate(day=evidence.period_of(rows.event_time_utc))


def _raw(evidence: Evidence) -> _Stage:
    if not evidence.has("raw"):
        return _Stage(None)
    return _Stage(raw_objects(evidence).select(event_id="rid"), evidence.is_listed("raw"))


def _readable(evidence: Evidence) -> _Stage:
    if not evidence.has("raw"):
        return _Stage(None)
    whole = evidence.is_listed("raw") and not unfetched_gap(evidence)
    return _Stage(readable_objects(evidence).select(event_id="rid"), whole)


def _row(evidence: Evidence) -> _Stage:
    return _of_table(evidence, "events")


def _refs(evidence: Evidence) -> _Stage:
    if not evidence.has("events"):
        return _Stage(None)
    return _Stage(pointing_rows(evidence).select("event_id"), evidence.is_listed("events"))


def _dedupe(evidence: Evidence) -> _Stage:
    return _of_table(evidence, "dedupe")


def _of_table(evidence: Evidence, table: str) -> _Stage:
    if not evidence.has(table):
        return _Stage(None)
    return _Stage(evidence[table].select("event_id"), evidence.is_listed(table))


def _sent(evidence: Evidence) -> _Stage:
    if not evidence.has("log_lines"):
        return _Stage(None)
    whole = not (evidence.gaps(("log_lines",)) or processing.sent_gaps(evidence))
    return _Stage(processing.sent(evidence).select("event_id"), whole)


def _waiting(evidence: Evidence) -> _Stage:
    ids = processing.waiting(evidence) if evidence.has("messages") else None
    try:
        return _Stage(ids, not waiting_gap(evidence))
    except NotEvaluable:  # nobody knows how much waits in the queues
        return _Stage(ids)


def _processed(evidence: Evidence) -> _Stage:
    if not evidence.has("log_lines") and not is_explainable(evidence):
        return _Stage(None)
    return _Stage(processing.processed(evidence), not processing.processed_gap(evidence))


def _aggregated(evidence: Evidence) -> _Stage:
    if not is_explainable(evidence):
        return _Stage(None)
    return _Stage(
        version_inputs(evidence).select("event_id"), not evidence.absence_gaps(("aggregates",))
    )


_STAGES: Mapping[str, Callable[[Evidence], _Stage]] = {
    "raw": _raw,
    "readable": _readable,
    "row": _row,
    "refs": _refs,
    "dedupe": _dedupe,
    "sent": _sent,
    "waiting": _waiting,
    "processed": _processed,
    "aggregated": _aggregated,
}
