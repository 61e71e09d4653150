"""What the figures of the EventsTable show: duplicates by hour and by cause, and retry rhythms."""

from __future__ import annotations

from typing import Any

import ibis
import ibis.expr.types as ir

from investigate.analysis import retries
from investigate.analysis.duplicates import duplicates
from investigate.errors import NotEvaluable
from investigate.evidence import Evidence
from investigate.ledger.repeats import KINDS, UNKNOWN
from investigate.ledger.repeats import repeats as all_repeats
from investigate.numbers.bins import (
    bin_seconds,
    binned,
    listed,
    or_others,
    sample_ids,
    span_of,
    top_names,
    with_ids,
)

MOST_SOURCES = 10
MOST_RETRIERS = 7
MOST_ATTEMPTS = 20
MOST_REPEATS, MOST_GROUPS = 50, 30
REPEATS = (*KINDS, UNKNOWN)


def duplicates_over_time(evidence: Evidence) -> list[dict[str, Any]]:
    """Return how many events of each source were refused as duplicates per bin of ingest time:
    time, source, duplicates, seconds (the length of a bin), ids (first and last of few)."""
    rows = _refused(evidence)
    span = span_of(evidence, rows, "ingest_time_utc")
    seconds = max(bin_seconds(evidence.window), bin_seconds(span))
    names = top_names(evidence, rows, "source", MOST_SOURCES)
    counted = rows.group_by(
        time=binned(rows.ingest_time_utc, seconds), source=or_others(rows.source, names)
    ).agg(duplicates=rows.count(), seconds=ibis.literal(seconds), **sample_ids(rows.event_id))
    found = listed(evidence, counted.order_by("time", "source"), "time")
    return with_ids(found, "duplicates")


def duplicates_by_cause(evidence: Evidence) -> list[dict[str, Any]]:
    """Return how many duplicates of each source have which cause: source, made_by, duplicates,
    ids (first and last of few)."""
    rows = _refused(evidence)
    names = top_names(evidence, rows, "source", MOST_SOURCES)
    counted = rows.group_by("made_by", source=or_others(rows.source, names))
    counted = counted.agg(duplicates=rows.count(), **sample_ids(rows.event_id))
    return with_ids(listed(evidence, counted.order_by("source", "made_by")), "duplicates")


def repeats(evidence: Evidence) -> list[dict[str, Any]]:
    """Return the events that came more than once, the worst kinds first: event_id, entity_id,
    source, first came (event time), came again, seconds after, kind, made_by, of (how many there
    are)."""
    rows = _repeats(evidence)
    rows = rows.mutate(of=rows.count().over())
    rank = ibis.cases(*((rows.kind == kind, n) for n, kind in enumerate(REPEATS)), else_=-1)
    rows = rows.order_by([rank, ibis.asc("repeated_utc", nulls_first=True), "event_id"]).select(
        "event_id", "entity_id", "source", "kind", "made_by", "of", event_time="event_time_utc",
        came_again="repeated_utc", seconds_after=rows.gap_seconds.round(3),
    )  # fmt: skip
    return listed(evidence, rows, "event_time", "came_again", most=MOST_REPEATS)


def repeats_by_kind(evidence: Evidence) -> list[dict[str, Any]]:
    """Return how many events came more than once, by what that is and what made it: kind, made_by,
    events, ids (first and last of few); the worst kind first."""
    rows = _repeats(evidence)
    counted = rows.group_by("kind", "made_by").agg(events=rows.count(), **sample_ids(rows.event_id))
    rank = ibis.cases(*((counted.kind == kind, n) for n, kind in enumerate(REPEATS)), else_=-1)
    return with_ids(listed(evidence, counted.order_by([rank, "made_by"])), "events")


def _repeats(evidence: Evidence) -> ir.Table:
    return evidence.in_scope(all_repeats(evidence))


def retry_channels(evidence: Evidence) -> list[dict[str, Any]]:
    """Return who repeats attempts and by which rule, per group and channel: group, channel,
    pattern, sequences, attempts, median_gap_s, confidence; most attempts first."""
    known = retries.document_rows(evidence)
    if not (known or evidence.has("log_lines")):
        raise NotEvaluable(evidence.capture_gap("log_lines"))
    return sorted(known, key=lambda row: (-row["attempts"], row["group"]))[:MOST_GROUPS]


def retry_gaps(evidence: Evidence) -> list[dict[str, Any]]:
    """Return how long clients waited before each further attempt, for the sources that retried
    most: source, attempt (2 for the first retry), median_gap_s, shortest_gap_s, longest_gap_s,
    sequences, pattern, of_sources (how many sources retried)."""
    found = retries.patterns(evidence)
    found = found.mutate(of_sources=found.count().over())
    leading = found.order_by([found.attempts.desc(), "group"]).limit(MOST_RETRIERS)
    known = evidence.in_scope(retries.sequences(evidence))
    gaps = retries.attempts(evidence).semi_join(known, "event_id")
    gaps = gaps.filter(gaps.in_sequence, gaps.ordinal.between(1, MOST_ATTEMPTS))
    gaps = gaps.inner_join(leading.select("group", "pattern", "of_sources"), "group")
    waits = gaps.group_by(
        source="group", attempt=gaps.ordinal + 1, pattern="pattern", of_sources="of_sources"
    ).agg(
        median_gap_s=gaps.gap_s.median().round(3),
        shortest_gap_s=gaps.gap_s.min().round(3),
        longest_gap_s=gaps.gap_s.max().round(3),
        sequences=gaps.count(),
    )
    return listed(evidence, waits.order_by("source", "attempt"))


def _refused(evidence: Evidence) -> ir.Table:
    evidence.require(("events", "raw"))
    rows = evidence.in_scope(evidence.settled(duplicates(evidence), "ingest_time_utc"))
    return rows.filter(rows.ingest_time_utc.notnull())
