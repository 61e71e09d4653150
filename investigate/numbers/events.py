"""What the figures of the EventsTable show: duplicates by hour and by cause, and retry rhythms."""

from __future__ import annotations

from typing import Any

import ibis
import ibis.expr.types as ir

from investigate.analysis.duplicates import duplicates
from investigate.evidence import Evidence
from investigate.numbers.bins import bin_seconds, binned, listed, or_others, top_names

MOST_SOURCES = 12


def duplicates_over_time(evidence: Evidence) -> list[dict[str, Any]]:
    """Return how many events of each source were refused as duplicates per bin of ingest time:
    time, source, duplicates, seconds (the length of a bin)."""
    rows = _refused(evidence)
    seconds = bin_seconds(evidence.window)
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


def _refused(evidence: Evidence) -> ir.Table:
    evidence.require(("events", "raw"))
    rows = evidence.in_scope(evidence.settled(duplicates(evidence), "ingest_time_utc"))
    return rows.filter(rows.ingest_time_utc.notnull())
