"""What the figures of the replay show: what one would send, its edges, and what past ones did."""

from __future__ import annotations

from typing import Any

import ibis
import ibis.expr.types as ir

from investigate.analysis import replays
from investigate.engine import milliseconds_since_1970
from investigate.evidence import Evidence, timestamp
from investigate.numbers.bins import (
    bin_seconds,
    binned,
    listed,
    or_others,
    sample_ids,
    top_names,
    with_ids,
)
from investigate.pipeline import format_time

MOST_ENTITIES = 8
MOST_PLAN_BINS = 36  # times nine entities and six reasons: below two thousand
MOST_EDGES = 200
MOST_REPLAYS = 15
EDGE_SECONDS = 2


def replay_plan(evidence: Evidence) -> list[dict[str, Any]]:
    """Return what a replay of the window asked about would do with the rows of each entity, at the
    default limit: entity, reason, time (the bin of event time), events, seconds (of a bin),
    ids (first and last of few)."""
    rows = replays.planned(evidence, evidence.thresholds.replay_limit)
    rows = rows.filter(rows.event_time_utc.notnull()).mutate(entity=_entity(evidence, rows))
    odd = rows.reason != replays.IN_WINDOW
    names = top_names(evidence, rows, "entity", MOST_ENTITIES, odd=odd)
    seconds = bin_seconds(evidence.window, MOST_PLAN_BINS)
    counted = rows.group_by(
        "reason",
        entity=or_others(rows.entity, names),
        time=binned(rows.event_time_utc, seconds),
    ).agg(events=rows.count(), seconds=ibis.literal(seconds), **sample_ids(rows.event_id))
    found = listed(evidence, counted.order_by("entity", "time", "reason"), "time")
    return with_ids(found, "events")


def replay_edges(evidence: Evidence) -> list[dict[str, Any]]:
    """Return the rows whose time is within two seconds of the start or the end of the window: edge,
    offset_ms, entity, event_id, event_time, by_time and by_text (whether each comparison takes it
    in), of and of_odd (how many there are, and how many on which the two disagree)."""
    edges = [_near(evidence, edge) for edge in ("start", "end")]
    rows = ibis.union(*edges)
    odd = rows.by_time != rows.by_text
    rows = rows.mutate(odd=odd, of=rows.count().over(), of_odd=odd.sum().over())
    nearest = rows.order_by([rows.odd.desc(), rows.offset_ms.abs(), "edge", "entity", "event_id"])
    nearest = nearest.drop("odd")
    return listed(evidence, nearest, most=MOST_EDGES)


def replays_logged(evidence: Evidence) -> list[dict[str, Any]]:
    """Return the replays that left a log line, those that left out most first: logged, entity,
    start, end, rows_there (rows of its window when it ran; null if unknown), scanned, sent, of,
    of_short and of_unknown (how many replays there are, how many scanned less than was there, and
    of how many nobody can tell)."""
    rows = replays.outcomes(evidence)
    if evidence.entities:
        rows = rows.filter(rows.entity_id.isin(evidence.entities))
    short = replays.stopped_early(rows)
    rows = rows.select(
        "start", "end", "rows_there", "scanned", "sent", logged="logged_utc", entity="entity_id",
        of=rows.count().over(), of_short=short.fill_null(False).sum().over(),
        of_unknown=short.isnull().sum().over(),
    )  # fmt: skip
    left_out = (rows.rows_there - rows.sent).fill_null(0)
    rows = rows.order_by(
        [(rows.rows_there - rows.scanned).desc(), left_out.desc(), "logged", "entity"]
    )
    return listed(evidence, rows, "logged", most=MOST_REPLAYS)


def _near(evidence: Evidence, edge: str) -> ir.Table:
    bound = timestamp(getattr(evidence.window, edge))
    near = ibis.interval(seconds=EDGE_SECONDS)
    rows = evidence["events"].mutate(entity=_entity(evidence, evidence["events"]))
    rows = rows.filter(rows.event_time_utc.between(bound - near, bound + near))
    if evidence.entities:
        rows = rows.filter(rows.entity.isin(evidence.entities))
    start, end = (timestamp(moment) for moment in (evidence.window.start, evidence.window.end))
    texts = (format_time(evidence.window.start), format_time(evidence.window.end))
    return rows.select(
        "event_id", "event_time", "entity",
        edge=ibis.literal(edge),
        offset_ms=milliseconds_since_1970(rows.event_time_utc) - milliseconds_since_1970(bound),
        by_time=replays.in_time_window(rows.event_time_utc, start, end),
        by_text=replays.in_text_window(
            evidence.design, rows.sk, *(ibis.literal(text) for text in texts)
        ),
    )  # fmt: skip


def _entity(evidence: Evidence, rows: ir.Table) -> ir.StringValue:
    """A replay asks for a partition key, so an entity is what the key says."""
    return rows.pk.substr(len(evidence.design.event_pk("")))
