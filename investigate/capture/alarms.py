"""The CloudWatch alarms that watch the pipeline, with what it takes to judge them afterwards."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from investigate.alarm_rules import children
from investigate.capture import dead_letter_queues
from investigate.capture.source import Captured, Row, Source
from investigate.capture.values import number, text, whole
from investigate.case import Coverage
from investigate.model import counted


def read(source: Source) -> list[Captured]:
    """Return the table `alarms`: those on the pipeline's resources, and those composed of them."""
    metric: list[Row] = []
    composite: list[Row] = []
    for page in source.connection.pages(
        "cloudwatch", "DescribeAlarms", AlarmTypes=["MetricAlarm", "CompositeAlarm"]
    ):
        metric.extend(page.get("MetricAlarms", []))
        composite.extend(page.get("CompositeAlarms", []))
    watched = watched_names(source)
    own = [
        alarm for alarm in metric if concerns(alarm, watched, source.names.design.metric_namespace)
    ]
    above = composed_of({alarm["AlarmName"] for alarm in own}, composite)
    rows = [*map(alarm_row, own), *map(composite_row, above)]
    left_out = len(metric) + len(composite) - len(rows)
    reason = f"left out: {counted(left_out, 'alarm')} of other things" if left_out else None
    return [Captured("alarms", Coverage("captured", reason), rows)]


def watched_names(source: Source) -> Mapping[str, frozenset[str]]:
    """Return the names of the pipeline's resources by the dimension that names them."""
    names = source.names
    queues = dead_letter_queues.targets(source).names
    if names.replay_queue_url:
        queues.append(dead_letter_queues.place_of_url(names.replay_queue_url)[1])
    return {
        "FunctionName": frozenset(names.functions.values()),
        "QueueName": frozenset(queues),
        "TableName": frozenset(
            filter(None, (names.events_table, names.dedupe_table, names.aggregates_table))
        ),
        "BucketName": frozenset(filter(None, (names.raw_bucket,))),
    }


def concerns(
    alarm: Mapping[str, Any], watched: Mapping[str, frozenset[str]], namespace: str
) -> bool:
    """Whether a metric alarm watches one of these resources or the pipeline's own metrics.

    What AWS/Lambda counts without a dimension is of all functions of the account, these included
    (AWS Lambda developer guide, "Types of metrics for Lambda functions").
    """
    return any(
        metric.get("Namespace") == namespace
        or _is_of_every_function(metric, watched)
        or any(one["Value"] in watched.get(one["Name"], ()) for one in metric["Dimensions"])
        for metric in metrics_of(alarm)
    ) or any(_names_one(expression, watched, namespace) for expression in _expressions(alarm))


def _is_of_every_function(metric: Mapping[str, Any], watched: Mapping[str, frozenset[str]]) -> bool:
    return (
        metric.get("Namespace") == "AWS/Lambda"
        and not metric["Dimensions"]
        and bool(watched.get("FunctionName"))
    )


def metrics_of(alarm: Mapping[str, Any]) -> list[Row]:
    """Return every metric that an alarm looks at, as CloudWatch describes one metric."""
    parts = [
        part["MetricStat"]["Metric"] for part in alarm.get("Metrics", []) if "MetricStat" in part
    ]
    plain = [alarm] if "MetricName" in alarm else []
    return [{**metric, "Dimensions": metric.get("Dimensions", [])} for metric in (*plain, *parts)]


def composed_of(names: Iterable[str], composite: Iterable[Mapping[str, Any]]) -> list[Row]:
    """Return the composite alarms whose rules lead to one of these, by however many steps."""
    known, rest = set(names), list(composite)
    found: list[Row] = []
    while True:
        more = [alarm for alarm in rest if known & children(alarm["AlarmRule"])]
        if not more:
            return found
        found.extend(dict(alarm) for alarm in more)
        known |= {alarm["AlarmName"] for alarm in more}
        rest = [alarm for alarm in rest if alarm["AlarmName"] not in known]


def alarm_row(alarm: Mapping[str, Any]) -> Row:
    """Return a metric alarm as a row of `alarms`; one that computes its metric from several has
    them as JSON text, and no metric of its own."""
    measured = _measured(alarm)
    dimensions = {one["Name"]: one["Value"] for one in measured.get("Dimensions", [])}
    return {
        **_common(alarm),
        "namespace": text(measured.get("Namespace")),
        "metric": text(measured.get("MetricName")),
        "dimensions": text(dimensions) if "MetricName" in measured else None,
        "statistic": text(measured.get("Statistic") or measured.get("ExtendedStatistic")),
        "period_s": whole(measured.get("Period")),
        "threshold": number(alarm.get("Threshold")),
        "comparison": text(alarm.get("ComparisonOperator")),
        "evaluation_periods": whole(alarm.get("EvaluationPeriods")),
        # Without a number of its own, all periods must breach.
        "datapoints_to_alarm": whole(
            alarm.get("DatapointsToAlarm") or alarm.get("EvaluationPeriods")
        ),
        "treat_missing": alarm.get("TreatMissingData") or "missing",
        "metrics": text(alarm.get("Metrics") or None),
    }


def composite_row(alarm: Mapping[str, Any]) -> Row:
    """Return a composite alarm as a row of `alarms`: it has a rule and no metric."""
    return {**_common(alarm), "rule": alarm["AlarmRule"]}


def _common(alarm: Mapping[str, Any]) -> Row:
    updated: datetime | None = alarm.get("StateUpdatedTimestamp")
    return {
        "name": alarm["AlarmName"],
        "arn": text(alarm.get("AlarmArn")),
        "actions": list(alarm.get("AlarmActions", [])),
        "actions_enabled": bool(alarm.get("ActionsEnabled", True)),
        "state": text(alarm.get("StateValue")),
        "state_updated_utc": updated.astimezone(UTC) if updated else None,
    }


def _measured(alarm: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the one metric an alarm looks at, with how; nothing if it computes with several."""
    if "MetricName" in alarm:
        return alarm
    parts = alarm.get("Metrics", [])
    if len(parts) != 1 or "MetricStat" not in parts[0]:
        return {}
    stat = parts[0]["MetricStat"]
    return {**stat["Metric"], "Statistic": stat["Stat"], "Period": stat["Period"]}


def _expressions(alarm: Mapping[str, Any]) -> list[str]:
    return [str(part["Expression"]) for part in alarm.get("Metrics", []) if "Expression" in part]


def _names_one(expression: str, watched: Mapping[str, frozenset[str]], namespace: str) -> bool:
    """Whether a search or a query names one of the resources, as a whole word."""
    names = [namespace, *(name for some in watched.values() for name in some)]
    return any(re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w.-])", expression) for name in names)
