"""Checks of what was recorded: are logs and metrics there, do they agree, was access denied?"""

from __future__ import annotations

import ibis.expr.types as ir

from investigate.analysis import telemetry
from investigate.checks.registry import PartialRows, check
from investigate.evidence import Evidence
from investigate.model import Severity


@check(
    "logs/missing",
    Severity.SUSPECT,
    key="function",
    needs=("functions", "metric_points", "invocations", "log_lines"),
    found="{count} function{s} ran and left no line in {their} log.",
    advice="Look whether the log group exists, whether LoggingConfig names another one, and "
    "whether the role has logs:CreateLogStream and logs:PutLogEvents. Lines can lag ten minutes.",
    avoid="Do not conclude from an empty log that the function did not run.",
)
def missing_logs(evidence: Evidence) -> PartialRows:
    """Did a function run without a line in its log?"""
    rows = telemetry.silent_functions(evidence)
    unread = telemetry.functions_with_unread_logs(evidence)
    gap = f"the log of {', '.join(unread)} could not be read" if unread else ""
    return PartialRows(rows.mutate(key=rows.function), gap)


@check(
    "metrics/missing",
    Severity.SUSPECT,
    key="metric",
    needs=("functions", "invocations"),
    whole=("metric_points",),
    found="{count} metric{s} {have} no point although the function ran.",
    advice="A metric of the code's own is a line in the log: see that it is printed as one JSON "
    "object with `_aws`, and that its namespace is the one asked for. CloudWatch's own need no "
    "permission; look for the right name and region.",
    avoid="Do not read a missing point as 0: an alarm on it says OK, or nothing at all.",
)
def missing_metrics(evidence: Evidence) -> ir.Table:
    """Does a metric have no point although its function ran?"""
    return telemetry.missing_metrics(evidence)


@check(
    "metrics/disagree",
    Severity.SUSPECT,
    key="metric",
    needs=("functions", "metric_points"),
    whole=("invocations", "log_lines"),
    found="{count} metric{s} {have} another sum than the log.",
    advice="More by the metric: lines are missing (retention, a filter, a denied write), or were "
    "counted twice. More by the log: points are late, or dropped because of their time. Trust the "
    "one that names the events.",
    avoid="Do not prove an exact number of events by a metric.",
)
def metrics_disagree(evidence: Evidence) -> ir.Table:
    """Do metrics and logs count the same?"""
    return telemetry.disagreements(evidence)


@check(
    "access/denied",
    Severity.ESCALATE,
    key="action",
    reads=("invocations", "log_lines"),
    found="{count} action{s} {were} denied to the capture or to a function.",
    advice="Denied to a function: give its role the action on that resource, and look for events "
    "that failed meanwhile. Denied to the capture: allow it (docs/permissions.md) and capture "
    "again, because what could not be read could not be judged.",
    avoid="Do not take a 403 for a missing object: without s3:ListBucket both look the same. Do "
    "not allow * to be done with it.",
)
def access_denied(evidence: Evidence) -> PartialRows:
    """Was an action denied that a function or this capture needs?"""
    tables = ("invocations", "log_lines")
    absent = [evidence.capture_gap(table) for table in tables if not evidence.has(table)]
    partial = evidence.gaps([table for table in tables if evidence.has(table)])
    return PartialRows(telemetry.denials(evidence), "; ".join([*absent, *partial]))
