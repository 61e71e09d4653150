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
from investigate.sandbox.faults.registry import Fault, Faults, fault, faults, told

__all__ = [
    "Fault", "Faults", "aggregates", "arrival", "attempts", "consumer", "fault", "faults",
    "ingest", "objects", "queue", "replays", "rows", "told",
]  # fmt: skip
