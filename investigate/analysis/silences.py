"""Silences in sources that keep a rhythm: too long is measured against the source itself."""

from __future__ import annotations

from datetime import datetime

import ibis
import ibis.expr.types as ir

from investigate.analysis.objects import readable_objects, unfetched_gap, unfetched_objects
from investigate.engine import day_of, seconds_between
from investigate.evidence import Evidence, timestamp
from investigate.pipeline import format_time


def silences(evidence: Evidence) -> ir.Table:
    """Return the silences that touch the window, with the rhythm that they break:
    (source, event_type, start, end, start_utc, end_utc, seconds, usual_seconds, events).

    A silence in which an object stands that could not be fetched is none. Where raw was listed for
    some event dates only, the index tells when sources spoke on all others; without it only the
    silences between two objects are told, see `source_activity_gap`.
    """
    limits = evidence.thresholds
    speakers = (
        ("raw", "events")
        if evidence.case.event_dates and not source_activity_gap(evidence)
        else ("raw",)
    )
    gaps = _gaps(evidence, min(evidence.window.end, evidence.judged_until(*speakers)))
    rhythms = _rhythms(gaps)
    regular = rhythms.filter(
        (rhythms.events >= limits.gap_minimum_events)
        & (rhythms.usual_seconds <= limits.gap_regularity * rhythms.median_seconds)
    )
    if source_activity_gap(
        evidence
    ):  # what came after the last object may stand under another date
        gaps = gaps.filter(gaps.inner_seconds.notnull())
    judged = gaps.drop("inner_seconds").join(regular, ["source", "event_type"])
    found = judged.filter(
        judged.seconds > limits.gap_factor * judged.usual_seconds,
        judged.seconds >= limits.gap_minimum_seconds,
        judged.start_utc < timestamp(evidence.window.end),
        judged.end_utc > timestamp(evidence.window.start),
    ).drop("median_seconds")
    return _without_unseen(evidence, found) if unfetched_gap(evidence) else found


def source_activity_gap(evidence: Evidence) -> str:
    """Say in words why nobody knows when sources spoke on event dates that were not listed; empty
    if somebody does."""
    if not evidence.case.event_dates or evidence.is_listed("events"):
        return ""
    return f"other event dates were not listed; {evidence.capture_gap('events')}"


def _without_unseen(evidence: Evidence, found: ir.Table) -> ir.Table:
    """Leave out the silences in whose time an object of the source may stand, by its key."""
    objects = unfetched_objects(evidence)
    hour = (objects.key_event_date + " " + objects.key_hour + ":00:00").try_cast("timestamp")
    hidden = objects.select(of_source="key_source", of_type="key_event_type", hour=hour)
    anywhere = hidden.of_source.isnull() | hidden.hour.isnull()
    hidden = hidden.mutate(anywhere=anywhere)
    ends = hidden.hour + ibis.interval(hours=1)
    inside = (hidden.hour < found.end_utc) & (ends > found.start_utc)
    own = (found.source == hidden.of_source) & (found.event_type == hidden.of_type)
    # Columns are named, so that rows can be counted over it before it is run.
    kept = found.anti_join(hidden, [hidden.anywhere | (own & inside)])
    return kept.select(*found.columns)


def _gaps(evidence: Evidence, bound: datetime) -> ir.Table:
    """From each time at which a source spoke to the next one; the last goes up to the bound."""
    spoken = _spoken(evidence)
    times = spoken.group_by(
        source=spoken.source.fill_null(""),
        event_type=spoken.event_type.fill_null(""),
        start_utc=spoken.event_time_utc,
    ).agg(start=spoken.event_time.min())
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
        end=steps.next_text.fill_null(format_time(bound)),
        end_utc=steps.next_utc.fill_null(timestamp(bound)),
        seconds=seconds_between(steps.start_utc, steps.next_utc.fill_null(timestamp(bound))),
        # Null for the last: a silence that has not ended says nothing about the rhythm.
        inner_seconds=seconds_between(steps.start_utc, steps.next_utc),
    )


def _spoken(evidence: Evidence) -> ir.Table:
    columns = ("source", "event_type", "event_time", "event_time_utc")
    objects = readable_objects(evidence).select(*columns)
    if evidence.case.event_dates and not source_activity_gap(evidence):
        rows = evidence["events"]
        listed = day_of(rows.event_time_utc).between(*evidence.case.event_dates)
        objects = objects.union(rows.filter(~listed).select(*columns))
    return objects.filter(objects.event_time_utc.notnull())


def _rhythms(gaps: ir.Table) -> ir.Table:
    return gaps.group_by("source", "event_type").agg(
        events=gaps.start_utc.count(),
        usual_seconds=gaps.inner_seconds.quantile(0.9),
        median_seconds=gaps.inner_seconds.median(),
    )
