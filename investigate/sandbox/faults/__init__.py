"""Faults by name, each of which records what it caused; importing this fills the registry."""

from investigate.sandbox.faults import (
    aggregates,
    arrival,
    attempts,
    consumer,
    ingest,
    objects,
    queue,
    replays,
    rows,
)
from investigate.sandbox.faults.registry import Fault, Faults, fault, faults, stories_of_faults

__all__ = [
    "Fault", "Faults", "aggregates", "arrival", "attempts", "consumer", "fault", "faults",
    "ingest", "objects", "queue", "replays", "rows", "stories_of_faults",
]  # fmt: skip
