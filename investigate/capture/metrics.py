"""The CloudWatch metrics that AWS itself keeps of the functions and the queues."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from investigate.capture.source import Gathered, Row, Source, gap, not_configured
from investigate.errors import AccessError

FUNCTION_METRICS = ("Invocations", "Errors", "Throttles")
QUEUE_METRICS = {
    "NumberOfMessagesSent": "Sum",
    "NumberOfMessagesReceived": "Sum",
    "NumberOfMessagesDeleted": "Sum",
    "ApproximateAgeOfOldestMessage": "Maximum",
}
# CloudWatch keeps points of one minute for 15 days, of five for 63 and of an hour for 455.
_FIVE_MINUTES_KEPT = timedelta(days=63)


@dataclass(frozen=True, slots=True)
class Series:
    """One metric with its one dimension, and how its points are put together."""

    namespace: str
    metric: str
    dimension: str
    value: str
    statistic: str

    @property
    def dimensions(self) -> str:
        """The dimension as JSON text."""
        return json.dumps({self.dimension: self.value}, ensure_ascii=False)


def gather(source: Source, gathered: Gathered) -> None:
    """Add every point of the functions' and the queues' own metrics, or why there are none."""
    series = list(_all_series(source))
    if not source.names.replay_queue_url:
        gathered.gaps.append(not_configured("replay queue"))
    if not series:
        return
    options = source.options
    old = options.captured_at - options.since > _FIVE_MINUTES_KEPT
    try:
        points = list(_points(source, series, options.since, 3600 if old else 300))
    except AccessError as error:
        gathered.gaps.append(gap(error))
        return
    gathered.add(point for _, point in points)


def latest(source: Source, series: Series, lookback: timedelta) -> float | None:
    """Return the newest value of a series before the capture; None if there is none."""
    points = _points(source, [series], source.options.captured_at - lookback, 60)
    newest = max(points, key=lambda found: found[1]["at_utc"], default=None)
    return float(newest[1]["value"]) if newest else None


def _all_series(source: Source) -> Iterator[Series]:
    for function in source.names.functions.values():
        for metric in FUNCTION_METRICS:
            yield Series("AWS/Lambda", metric, "FunctionName", function, "Sum")
    for url in (source.names.replay_queue_url, *source.names.dead_letter_queue_urls):
        if url:
            for metric, statistic in QUEUE_METRICS.items():
                yield Series("AWS/SQS", metric, "QueueName", url.rsplit("/", 1)[-1], statistic)


def _points(
    source: Source, series: Sequence[Series], start: datetime, period: int
) -> Iterator[tuple[Series, Row]]:
    by_id = {f"m{number}": one for number, one in enumerate(series)}
    statuses: dict[str, str] = {}
    for page in source.connection.pages(
        "cloudwatch",
        "GetMetricData",
        MetricDataQueries=[_query(key, one, period) for key, one in by_id.items()],
        StartTime=start,
        EndTime=source.options.captured_at,
    ):
        for result in page["MetricDataResults"]:
            one = by_id[result["Id"]]
            statuses[result["Id"]] = result["StatusCode"]
            for at, value in zip(result["Timestamps"], result["Values"], strict=True):
                yield one, _point(one, at, value)
    # Only the last word on a series counts: an earlier page says PartialData by right.
    for key, status in statuses.items():
        _refuse_gaps(by_id[key], status)


def _refuse_gaps(series: Series, status: str) -> None:
    if status != "Complete":
        kind = "denied" if status == "Forbidden" else "failed"
        asked = f"cloudwatch:GetMetricData of {series.namespace} {series.metric}"
        raise AccessError(f"{asked}: {status}", kind=kind, code=status, asked=asked)


def _query(key: str, series: Series, period: int) -> dict[str, Any]:
    metric = {
        "Namespace": series.namespace,
        "MetricName": series.metric,
        "Dimensions": [{"Name": series.dimension, "Value": series.value}],
    }
    return {
        "Id": key,
        "MetricStat": {"Metric": metric, "Period": period, "Stat": series.statistic},
    }


def _point(series: Series, at: datetime, value: float) -> Row:
    return {
        "namespace": series.namespace,
        "metric": series.metric,
        "dimensions": series.dimensions,
        "at_utc": at.astimezone(UTC),
        "value": float(value),
        "origin": "cloudwatch",
    }
