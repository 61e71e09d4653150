"""The metrics that AWS itself publishes, for an emulator that publishes none."""

from __future__ import annotations

from datetime import datetime
from typing import Any

Key = tuple[str, str, str, str, str, datetime]  # namespace, metric, unit, dimension, value, minute
DATA_PER_PUT = 500


class MetricBook:
    """Values per metric and minute, kept until they are published."""

    def __init__(self) -> None:
        self._values: dict[Key, list[float]] = {}

    def lambda_(self, function: str, metric: str, moment: datetime, value: float = 1.0) -> None:
        """Note one value of an `AWS/Lambda` metric of a function."""
        unit = "Milliseconds" if metric == "Duration" else "Count"
        self._note(("AWS/Lambda", metric, unit, "FunctionName", function, _minute(moment)), value)

    def sqs(self, queue: str, metric: str, moment: datetime, value: float) -> None:
        """Note one value of an `AWS/SQS` metric of a queue."""
        unit = "Seconds" if metric == "ApproximateAgeOfOldestMessage" else "Count"
        self._note(("AWS/SQS", metric, unit, "QueueName", queue, _minute(moment)), value)

    def publish(self, cloudwatch: Any) -> None:
        """Hand over what was noted: one statistic set per metric and minute."""
        namespaces: dict[str, list[dict[str, Any]]] = {}
        for key in sorted(self._values):
            namespaces.setdefault(key[0], []).append(_datum(key, self._values[key]))
        for namespace, data in namespaces.items():
            for first in range(0, len(data), DATA_PER_PUT):
                part = data[first : first + DATA_PER_PUT]
                cloudwatch.put_metric_data(Namespace=namespace, MetricData=part)
        self._values.clear()

    def _note(self, key: Key, value: float) -> None:
        self._values.setdefault(key, []).append(value)


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def _datum(key: Key, values: list[float]) -> dict[str, Any]:
    _, metric, unit, dimension, name, minute = key
    return {
        "MetricName": metric,
        "Dimensions": [{"Name": dimension, "Value": name}],
        "Timestamp": minute,
        "Unit": unit,
        "StatisticValues": {
            "SampleCount": len(values),
            "Sum": sum(values),
            "Minimum": min(values),
            "Maximum": max(values),
        },
    }
