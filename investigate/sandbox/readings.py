"""Metrics and traces as AWS hands them out, where moto is slow or does not answer."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from moto.cloudwatch.models import Statistics


def answer_quickly(cloudwatch: Any) -> None:
    """Let an emulated CloudWatch look at each point once; moto looks at all for each period."""
    slow = cloudwatch.get_metric_data

    def metric_data(
        queries: list[dict[str, Any]], start_time: datetime, end_time: datetime, scan_by: str = ""
    ) -> Any:
        if not all("MetricStat" in query for query in queries):
            return slow(queries=queries, start_time=start_time, end_time=end_time, scan_by=scan_by)
        start, end = start_time.replace(microsecond=0), end_time.replace(microsecond=0)
        series: dict[Any, list[Any]] = defaultdict(list)
        for point in cloudwatch.get_all_metrics():
            if start <= point.timestamp < end:
                series[_key(point.namespace, point.name, point.dimensions)].append(point)
        return [_result(query, series, start, descending="Desc" in scan_by) for query in queries]

    cloudwatch.get_metric_data = metric_data


def filter_traces(xray: Any) -> None:
    """Let an emulated X-Ray understand the filter for traces through one of several functions."""
    unfiltered: Callable[..., dict[str, Any]] = xray.get_trace_summary

    def summary(start_time: Any, end_time: Any, filter_expression: str | None) -> dict[str, Any]:
        found = unfiltered(start_time, end_time, None)
        if not filter_expression:
            return found
        names = set(re.findall(r'name: "([^"]+)"', filter_expression))
        traces = xray._segment_collection._traces
        kept = [
            one
            for one in found["TraceSummaries"]
            if names & {segment.name for segment in traces[one["Id"]]["segments"]}
        ]
        return {**found, "TraceSummaries": kept}

    xray.get_trace_summary = summary


def _key(namespace: str, name: str, dimensions: Any) -> Any:
    return namespace, name, frozenset((one.name, one.value) for one in dimensions or ())


def _result(
    query: dict[str, Any], series: Any, start: datetime, *, descending: bool
) -> dict[str, Any]:
    asked = query["MetricStat"]
    metric, period = asked["Metric"], timedelta(seconds=int(asked["Period"]))
    dimensions = frozenset((one["Name"], one["Value"]) for one in metric.get("Dimensions", []))
    by_time: dict[datetime, list[Any]] = defaultdict(list)
    for point in series.get((metric["Namespace"], metric["MetricName"], dimensions), ()):
        by_time[start + (point.timestamp - start) // period * period].append(point)
    times = sorted(by_time, reverse=descending)
    return {
        "id": query["Id"],
        "label": f"{metric['MetricName']} {asked['Stat']}",
        "values": [_value(by_time[time], time, asked["Stat"]) for time in times],
        "timestamps": times,
        "status_code": "Complete",
    }


def _value(points: list[Any], time: datetime, statistic: str) -> Any:
    statistics = Statistics([statistic], time)
    statistics.metric_data = points
    return statistics.get_statistics_for_type(statistic)
