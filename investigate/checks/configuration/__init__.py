"""Checks of the settings: one module per kind of resource, and what was recorded of the run."""

from investigate.checks.configuration import (
    alarms,
    changes,
    deliveries,
    functions,
    queues,
    streams,
    telemetry,
)

__all__ = ["alarms", "changes", "deliveries", "functions", "queues", "streams", "telemetry"]
