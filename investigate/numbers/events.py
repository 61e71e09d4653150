"""What the figures of the EventsTable show: duplicates by hour and by cause, and retry rhythms."""

from __future__ import annotations

from typing import Any

import ibis
import ibis.expr.types as ir

from investigate.analysis import retries
from investigate.analysis.duplicates import duplicates
from investigate.evidence import Evidence
from investigate.numbers.bins import bin_seconds, binned, listed, or_others, span_of, top_names

MOST_SOURCES = 12
MOST_RETRIERS = 7
MOST_ATTEMPTS = 20


def duplicates_over_time(evidence: Evidence) -> list[dict[str, Any]]:
    """Return how many events of each source were refused as duplicates per bin of ingest time:
    time, source, duplicates, seconds (the length of a bin)."""
    rows = _refused(evidence)
    span = span_of(evidence, rows, "ingest_time_utc")
    seconds = max(bin_seconds(evidence.window), bin_seconds(span))
    names = top_names(evidence, rows, "source", MOST_SOURCES)
    counted = rows.group_by(
        time=binned(rows.ingest_time_utc, seconds), source=or_others(rows.source, names)
    ).agg(duplicates=rows.count(), seconds=ibis.literal(seconds))
    return listed(evidence, counted.order_by("time", "source"), "time")


def duplicates_by_cause(evidence: Evidence) -> list[dict[str, Any]]:
    """Return how many duplicates of each source have which cause: source, made_by, duplicates."""
    rows = _refused(evidence)
    names = top_names(evidence, rows, "source", MOST_SOURCES)
    counted = rows.group_by("made_by", source=or_others(rows.source, names))
    return listed(evidence, counted.agg(duplicates=rows.count()).order_by("source", "made_by"))


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
