"""Silences in sources that keep a rhythm: too long is measured against the source itself."""

from __future__ import annotations

from datetime import datetime

import ibis
import ibis.expr.types as ir

from investigate import pipeline
from investigate.analysis.objects import readable_objects
from investigate.engine import seconds_between
from investigate.evidence import Evidence, timestamp


def silences(evidence: Evidence) -> ir.Table:
    """Return the silences that touch the window, with the rhythm that they break:
    (source, event_type, start, end, start_utc, end_utc, seconds, usual_seconds, events)."""
    limits = evidence.thresholds
    gaps = _gaps(evidence, min(evidence.window.end, evidence.settled_until))
    rhythms = _rhythms(gaps)
    regular = rhythms.filter(
        (rhythms.events >= limits.gap_minimum_events)
        & (rhythms.usual_seconds <= limits.gap_regularity * rhythms.median_seconds)
    )
    judged = gaps.drop("inner_seconds").join(regular, ["source", "event_type"])
    return judged.filter(
        judged.seconds > limits.gap_factor * judged.usual_seconds,
        judged.seconds >= limits.gap_minimum_seconds,
        judged.start_utc < timestamp(evidence.window.end),
        judged.end_utc > timestamp(evidence.window.start),
    ).drop("median_seconds")


def _gaps(evidence: Evidence, bound: datetime) -> ir.Table:
    """From each time at which a source spoke to the next one; the last goes up to the bound."""
    objects = readable_objects(evidence).filter(ibis._.event_time_utc.notnull())
    times = objects.group_by(
        source=objects.source.fill_null(""),
        event_type=objects.event_type.fill_null(""),
        start_utc=objects.event_time_utc,
    ).agg(start=objects.event_time.min())
    following = ibis.window(group_by=["source", "event_type"], order_by="start_utc")
    steps = times.mutate(
        next_utc=times.start_utc.lead().over(following),
        next_text=times.start.lead().over(following),
    )
    return steps.select(
        "source",
        "event_type",
        "start",
        "start_utc",
        end=steps.next_text.fill_null(pipeline.format_time(bound)),
        end_utc=steps.next_utc.fill_null(timestamp(bound)),
        seconds=seconds_between(steps.start_utc, steps.next_utc.fill_null(timestamp(bound))),
        # Null for the last: a silence that has not ended says nothing about the rhythm.
        inner_seconds=seconds_between(steps.start_utc, steps.next_utc),
    )


def _rhythms(gaps: ir.Table) -> ir.Table:
    return gaps.group_by("source", "event_type").agg(
        events=gaps.start_utc.count(),
        usual_seconds=gaps.inner_seconds.quantile(0.9),
        median_seconds=gaps.inner_seconds.median(),
    )
