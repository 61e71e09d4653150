"""What the figures of the overview show: how far the events came, and where each one stands."""

from __future__ import annotations

from typing import Any

from investigate.analysis import processing
from investigate.analysis.stages import flow
from investigate.evidence import Evidence
from investigate.ledger.summary import EXAMPLES, breaks, cells
from investigate.numbers.bins import (
    listed,
    with_ids,
)

_TOLD_BY = {
    "known": "raw", "readable": "raw", "refs": "events", "sent": "log_lines",
    "processed": "log_lines", "aggregated": "aggregates",
}  # fmt: skip


def event_flow(evidence: Evidence) -> list[dict[str, Any]]:
    """Return how many events reach each station, in order: stage, reached; and of those that were
    at the station before: dropped, waiting, unknown (and why); joined (here, though not seen
    before); and ids (of the dropped: first and last of few)."""
    rows = flow(evidence)
    counts = listed(
        evidence,
        rows.select(
            "stage", "reached", "dropped", "waiting", "unknown", "joined", "first_id", "last_id"
        ),
    )
    return [
        {**row, "why": _why(evidence, row["stage"]) if row["unknown"] else ""}
        for row in with_ids(counts, "dropped")
    ]


def ledger_cells(evidence: Evidence) -> list[dict[str, Any]]:
    """Return how many events have which word at each station of the ledger: station, cell, events,
    ids (first and last of few); and `broken`, how many of them have a story that breaks first at
    the station."""
    found = with_ids(listed(evidence, cells(evidence)), "events")
    torn = {row["station"]: 0 for row in found}
    for row in listed(evidence, breaks(evidence)):
        torn[row["station"]] += row["events"]
    return [{**row, "broken": torn[row["station"]]} for row in found]


def story_breaks(evidence: Evidence) -> list[dict[str, Any]]:
    """Return where the stories of events break first: station, check, how, events, and up to three
    ids as `for example`, in the order of the stations."""
    return [
        {
            "station": row["station"],
            "check": row["code"],
            "how": row["reason"],
            "events": row["events"],
            "for example": [row[f"example_{n}"] for n in range(EXAMPLES) if row[f"example_{n}"]],
        }
        for row in listed(evidence, breaks(evidence))
    ]


def _why(evidence: Evidence, stage: str) -> str:
    """Return why nobody can tell which events reached a station."""
    table = _TOLD_BY[stage]
    if not evidence.is_whole(table) and stage != "processed":
        return evidence.capture_gap(table)
    if stage == "sent":
        return "; ".join(processing.sent_gaps(evidence))
    if stage == "processed":
        return processing.processed_gap(evidence)
    if stage == "aggregated":
        return "an unexplained version of their day may count them"
    return "not every raw object could be read"
