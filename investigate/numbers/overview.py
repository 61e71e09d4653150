"""What the figure of the overview shows: how far the events came."""

from __future__ import annotations

from typing import Any

from investigate.analysis import processing
from investigate.analysis.ledger import flow
from investigate.evidence import Evidence
from investigate.numbers.bins import listed

_TOLD_BY = {
    "known": "raw", "readable": "raw", "refs": "events", "sent": "log_lines",
    "processed": "log_lines", "aggregated": "aggregates",
}  # fmt: skip


def event_flow(evidence: Evidence) -> list[dict[str, Any]]:
    """Return how many events reach each station, in order: stage, reached; and of those that were
    at the station before: dropped, waiting, unknown (and why); and joined (here, though not seen
    before)."""
    rows = flow(evidence)
    counts = listed(
        evidence, rows.select("stage", "reached", "dropped", "waiting", "unknown", "joined")
    )
    return [
        {**row, "why": _why(evidence, row["stage"]) if row["unknown"] else ""} for row in counts
    ]


def _why(evidence: Evidence, stage: str) -> str:
    """Return why nobody can tell which events reached a station."""
    table = _TOLD_BY[stage]
    if not evidence.is_whole(table) and stage != "processed":
        return evidence.absence(table)
    if stage == "sent":
        return "; ".join(processing.sent_gaps(evidence))
    if stage == "processed":
        return processing.processed_gap(evidence)
    if stage == "aggregated":
        return "an unexplained version of their day may count them"
    return "not every raw object could be read"
