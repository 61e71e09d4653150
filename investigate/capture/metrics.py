"""The CloudWatch metrics that AWS itself keeps of the functions and the queues."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from investigate.capture import dead_letter_queues
from investigate.capture.source import Captured, Gathered, Row, Source, between, coverage_of_error
from investigate.errors import AccessError

FUNCTION_METRICS = {
    "Invocations": "Sum",
    "Errors": "Sum",
    "Throttles": "Sum",
    "Duration": "Maximum",
    "ConcurrentExecutions": "Maximum",
    "AsyncEventsDropped": "Sum",
    "DeadLetterErrors": "Sum",
    "DestinationDeliveryFailures": "Sum",
}
QUEUE_METRICS = {
    "NumberOfMessagesSent": "Sum",
    "NumberOfMessagesReceived": "Sum",
    "NumberOfMessagesDeleted": "Sum",
    "ApproximateAgeOfOldestMessage": "Maximum",
    "ApproximateNumberOfMessagesVisible": "Maximum",
    "ApproximateNumberOfMessagesNotVisible": "Maximum",
}
TABLE_METRICS = {"ReadThrottleEvents": "Sum", "WriteThrottleEvents": "Sum"}
# For so many days CloudWatch keeps points of so many seconds.
KEPT = ((15, 60), (63, 300), (455, 3600))
SERIES_AT_ONCE = 500  # the most that one request may ask for


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
    """Add every point of the pipeline's own metrics, or why there are none."""
    series = list(_all_series(source))
    if not source.names.replay_queue_url:
        gathered.gaps.append(source.lacks("replay queue"))
    if not series:
        return
    _, period = _kept(source)
    try:
        points = list(_points(source, series, source.options.since, period))
    except AccessError as error:
        gathered.gaps.append(coverage_of_error(error))
        return
    gathered.add(point for _, point in points)


def with_horizon(source: Source, captured: Captured) -> Captured:
    """Return the captured points with the time in which there can be any at all."""
    if captured.rows is None:
        return captured
    options, (days, _) = source.options, _kept(source)
    oldest = max(options.since, options.read_at - timedelta(days=days))
    known = replace(captured.coverage, horizon=between(oldest, options.captured_at))
    return replace(captured, coverage=known)


def latest(source: Source, series: Series, lookback: timedelta) -> float | None:
    """Return the newest value of a series before the capture; None if there is none."""
    points = _points(source, [series], source.options.captured_at - lookback, 60)
    newest = max(points, key=lambda found: found[1]["at_utc"], default=None)
    return float(newest[1]["value"]) if newest else None


def _kept(source: Source) -> tuple[int, int]:
    return kept_for(source.options.read_at - source.options.since)


def kept_for(age: timedelta) -> tuple[int, int]:
    """Return the finest points that reach back far enough: days they are kept, seconds each."""
    return next((kept for kept in KEPT if age <= timedelta(days=kept[0])), KEPT[-1])


def _all_series(source: Source) -> Iterator[Series]:
    names = source.names
    queues = dead_letter_queues.targets(source).names
    if names.replay_queue_url:
        queues = [dead_letter_queues.place_of_url(names.replay_queue_url)[1], *queues]
    tables = (names.events_table, names.dedupe_table, names.aggregates_table)
    for namespace, dimension, named, metrics in (
        ("AWS/Lambda", "FunctionName", sorted({*names.functions.values()}), FUNCTION_METRICS),
        ("AWS/SQS", "QueueName", queues, QUEUE_METRICS),
        ("AWS/DynamoDB", "TableName", filter(None, tables), TABLE_METRICS),
    ):
        for name in named:
            for metric, statistic in metrics.items():
                yield Series(namespace, metric, dimension, name, statistic)


def _points(
    source: Source, series: Sequence[Series], start: datetime, period: int
) -> Iterator[tuple[Series, Row]]:
    for first in range(0, len(series), SERIES_AT_ONCE):
        yield from _some_points(source, series[first : first + SERIES_AT_ONCE], start, period)


def _some_points(
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
