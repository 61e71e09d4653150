"""What the figures of the raw objects show: when events happened, silences, how late they came."""

from __future__ import annotations

from typing import Any

import ibis
import ibis.expr.types as ir

from investigate.analysis.arrivals import arrivals
from investigate.analysis.objects import readable_objects
from investigate.analysis.silences import silences as all_silences
from investigate.checks import rows_of
from investigate.engine import seconds_between
from investigate.evidence import Evidence
from investigate.numbers.bins import (
    MOST_NAMES,
    bin_seconds,
    binned,
    listed,
    or_others,
    sample_ids,
    top_names,
    with_ids,
)

MOST_MARKED = 400
MOST_QUIET = 4


def events_over_time(evidence: Evidence) -> list[dict[str, Any]]:
    """Return how many raw objects each source has per bin of event time: time, source, events,
    seconds (the length of a bin), of_sources (how many sources there are), ids (of few: the first
    and the last). By name the sources that fell silent and those with the most events, the rest
    together."""
    rows = _dated(evidence)
    seconds = bin_seconds(evidence.window)
    quiet = {gap["source"] for gap in silences(evidence)[:MOST_QUIET]}
    most = MOST_NAMES + len(quiet)
    names = top_names(evidence, rows, "source", most, odd=rows.source.isin(quiet))
    counted = rows.group_by(
        time=binned(rows.event_time_utc, seconds), source=or_others(rows.source, names)
    ).agg(events=rows.count(), seconds=ibis.literal(seconds), **sample_ids(rows.rid))
    known = evidence.engine.scalar(rows.source.fill_null("").nunique())
    counted = counted.mutate(of_sources=ibis.literal(known)).order_by("time", "source")
    return with_ids(listed(evidence, counted, "time"), "events")


def silences(evidence: Evidence) -> list[dict[str, Any]]:
    """Return the longest silences of regular sources: source, event_type, start, end, seconds,
    usual_seconds (the source's own 90th percentile), of (how many there are in all)."""
    rows = all_silences(evidence)
    rows = rows.select(
        "source", "event_type", "seconds", "usual_seconds",
        start="start_utc", end="end_utc", of=rows.count().over(),
    )  # fmt: skip
    longest = rows.order_by([rows.seconds.desc(), "source", "event_type", "start"])
    return listed(evidence, longest, "start", "end", most=MOST_MARKED)


def lag_over_time(evidence: Evidence) -> list[dict[str, Any]]:
    """Return how long events took to arrive, per bin of event time: time, events, median_lag,
    longest_lag (in seconds), seconds (the length of a bin)."""
    rows = _with_arrival(evidence, _dated(evidence))
    seconds = bin_seconds(evidence.window)
    lags = rows.group_by(time=binned(rows.event_time_utc, seconds)).agg(
        events=rows.count(),
        median_lag=rows.lag.median().round(3),
        longest_lag=rows.lag.max().round(3),
        seconds=ibis.literal(seconds),
    )
    return listed(evidence, lags.order_by("time"), "time")


def unusual_lags(evidence: Evidence) -> list[dict[str, Any]]:
    """Return the events that came too late or before their own time, the furthest off first: time,
    lag (in seconds), kind (late, clock skew), event_id, of_kind (how many there are in all)."""
    late = rows_of(evidence, "raw/late").select("key", "event_time_utc", kind=ibis.literal("late"))
    skewed = rows_of(evidence, "raw/clock-skew")
    skewed = skewed.select("key", "event_time_utc", kind=ibis.literal("clock skew"))
    both = late.union(skewed)
    rows = _with_arrival(evidence, both.mutate(rid=both.key))
    rows = rows.select(time="event_time_utc", lag=rows.lag.round(3), kind="kind", event_id="key")
    rows = rows.distinct()
    counted = rows.mutate(of_kind=rows.count().over(group_by="kind"))
    furthest = counted.order_by([counted.lag.abs().desc(), "event_id"])
    return listed(evidence, furthest, "time", most=MOST_MARKED)


def _dated(evidence: Evidence) -> ir.Table:
    rows = evidence.in_scope(readable_objects(evidence))
    return rows.filter(rows.event_time_utc.notnull())


def _with_arrival(evidence: Evidence, rows: ir.Table) -> ir.Table:
    first = arrivals(evidence)
    joined = rows.inner_join(first, rows.rid == first.event_id, rname="first_{name}")
    return joined.mutate(lag=seconds_between(joined.event_time_utc, joined.arrived_utc))
