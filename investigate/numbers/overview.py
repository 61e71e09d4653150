"""What the figure of the overview shows: how far the events came."""

from __future__ import annotations

from typing import Any

from investigate.analysis.ledger import flow
from investigate.evidence import Evidence
from investigate.numbers.bins import listed


def event_flow(evidence: Evidence) -> list[dict[str, Any]]:
    """Return how many events reach each station, in order: stage, reached; and of those that were
    at the station before: dropped, waiting, unknown; and joined (here, though not seen before)."""
    rows = flow(evidence)
    return listed(
        evidence, rows.select("stage", "reached", "dropped", "waiting", "unknown", "joined")
    )
