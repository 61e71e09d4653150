"""Metrics that a function prints into its log (CloudWatch embedded metric format)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from investigate.capture.source import Row
from investigate.capture.values import from_millis, number, text

# CloudWatch takes a hundred metrics of a hundred values from a line (user guide, "Embedded metric
# format specification"), in some sets of dimensions. A line of a megabyte could name billions.
MOST_POINTS = 100_000


def count_of(record: Mapping[str, Any]) -> int:
    """Return how many points `metric_points` would yield of a line, or a little more."""
    about = record.get("_aws")
    directives = _objects(about.get("CloudWatchMetrics")) if isinstance(about, dict) else []
    return sum(
        len(_sets_of(directive)) * sum(map(len, _lists_of(record, directive)))
        for directive in directives
    )


def metric_points(record: Mapping[str, Any], logged: datetime | None) -> Iterator[Row]:
    """Yield one point for each metric, set of dimensions and value of a line.

    A line that is not what the format wants gives no point, as CloudWatch makes none of it.
    """
    about = record.get("_aws")
    if not isinstance(about, dict):
        return
    at = from_millis(about.get("Timestamp")) or logged
    for directive in _objects(about.get("CloudWatchMetrics")):
        for dimensions in _dimension_sets(record, directive):
            for metric in _objects(directive.get("Metrics")):
                for value in _values(record.get(str(metric.get("Name")))):
                    yield {
                        "namespace": text(directive.get("Namespace")),
                        "metric": text(metric.get("Name")),
                        "dimensions": dimensions,
                        "at_utc": at,
                        "value": value,
                        "origin": "emf",
                    }


def _dimension_sets(record: Mapping[str, Any], directive: Mapping[str, Any]) -> list[str]:
    return [
        json.dumps({str(name): text(record.get(str(name))) for name in names},
                   sort_keys=True, ensure_ascii=False)
        for names in _sets_of(directive)
    ]  # fmt: skip


def _sets_of(directive: Mapping[str, Any]) -> list[list[Any]]:
    sets = directive.get("Dimensions")
    named = [one for one in sets if isinstance(one, list)] if isinstance(sets, list) else []
    return named or [[]]


def _lists_of(record: Mapping[str, Any], directive: Mapping[str, Any]) -> Iterator[list[Any]]:
    for metric in _objects(directive.get("Metrics")):
        yield _listed(record.get(str(metric.get("Name"))))


def _objects(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _values(value: Any) -> list[float]:
    return [found for one in _listed(value) if (found := number(one)) is not None]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
