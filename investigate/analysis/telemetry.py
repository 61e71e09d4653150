"""Logs and metrics beside each other: which functions left neither, and where the two disagree.

Both count the same things in ways of their own: CloudWatch counts invocations and errors itself,
and embedded metrics are read from lines at least once. Sources: "Types of metrics for Lambda
functions"; "Embedding metrics within logs".
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import ibis
import ibis.expr.types as ir

from investigate.analysis.consumption import metric_period
from investigate.analysis.error_rules import (
    denied_action,
    denied_resource,
    denied_role,
    kind_of,
)
from investigate.analysis.failures import failures
from investigate.analysis.logs import lines, text_in
from investigate.engine import literal_rows
from investigate.evidence import Evidence, timestamp

# The metric that every successful run of a role must leave; a run in DRY_RUN is none.
EXPECTED = {
    "ingest": "IngestCount", "replay": "ReplayRequestedCount", "processor": "ProcessorMessageCount",
}  # fmt: skip
REFUSED = "InvalidCount"  # what ingest writes instead of a request that it does not take
_DENIED = re.compile(
    r"(?:\w*(?:AccessDenied|Unauthorized|Forbidden|AuthorizationError)\w*|403): "
    r"([a-z0-9-]+:[A-Za-z]+)(?: of ([^;,\s]+))?"
)
# Of single objects the coverage counts how many were denied, and the action.
_DENIED_OBJECTS = re.compile(r"([0-9,]+) denied \(([a-z0-9-]+:[A-Za-z]+)")
UNNAMED = "an action that the error does not name"
_DENIALS = {"key": "string", "whose": "string", "resource": "string", "seen": "int64"}


def silent_functions(evidence: Evidence) -> ir.Table:
    """Return the functions that CloudWatch counted invocations of and that left no line at all:
    function, log_group, invocations (by CloudWatch). Needs functions and metric_points."""
    functions = evidence["functions"].select("log_group", function="name")
    functions = functions.filter(~functions.function.isin(functions_with_unread_logs(evidence)))
    counted = _sums(evidence, "Invocations").select("function", invocations="value")
    counted = counted.filter(counted.invocations > 0)
    ran = functions.inner_join(counted, "function")
    for table in ("invocations", "log_lines"):
        ran = ran.anti_join(evidence[table].select("function").distinct(), "function")
    return ran


def functions_with_unread_logs(evidence: Evidence) -> list[str]:
    """Return the functions whose log could not be read, by what the coverage says of their log
    groups: that nothing was captured of them says nothing."""
    told = " ".join(
        evidence.coverage_of(name).reason or "" for name in ("invocations", "log_lines")
    )
    functions = evidence["functions"].select("name", "log_group").order_by("name")
    return [
        row["name"]
        for row in evidence.engine.rows(functions)
        if row["log_group"] and re.search(rf"{re.escape(row['log_group'])}(?![\w/.-])", told)
    ]


def missing_metrics(evidence: Evidence) -> ir.Table:
    """Return the metrics of which there is no point although the function ran: key ("metric of
    function"), metric, function, runs (successful ones in the log)."""
    calls = evidence.settled(evidence["invocations"], "started_utc", "metric_points")
    calls = calls.filter(calls.status == "ok")
    runs = calls.group_by("function").agg(runs=calls.count())
    functions = evidence["functions"]
    # What is in DRY_RUN now may have been in it all the time, and counts nothing.
    wet = functions.filter(~functions.dry_run.fill_null(True))
    ran = functions.inner_join(runs, functions.name == runs.function)
    parts = [ran.select("function", "runs", metric=ibis.literal("Invocations"))]
    for role, metric in EXPECTED.items():
        own = ran.filter(ran.role == role).semi_join(wet.select("name"), "name")
        parts.append(own.select("function", "runs", metric=ibis.literal(metric)))
    wanted = ibis.union(*parts)
    points = evidence["metric_points"]
    points = points.filter(points.metric.isin((*EXPECTED.values(), REFUSED, "Invocations")))
    # Points are many, and what they are called is little: texts are cut of each name once.
    seen = _named(points.select("namespace", "origin", "metric", "dimensions").distinct())
    refused = (seen.metric == REFUSED).ifelse(ibis.literal(EXPECTED["ingest"]), seen.metric)
    seen = seen.select("function", metric=refused).distinct()
    found = wanted.anti_join(seen, ["function", "metric"])
    return found.mutate(key=found.metric + " of " + found.function)


def disagreements(evidence: Evidence) -> ir.Table:
    """Return the metrics whose sum is not what the log says, by more than `metric_tolerance` of
    the larger: key ("metric of function"), metric, function, `by_metric` and `by_log`. Compared is
    the time that both tell of, in whole periods of the metric; a metric without any point is
    missing, and agrees with nothing. Needs invocations, log_lines and metric_points."""
    start, end = _common_time(evidence)
    calls = evidence["invocations"]
    heard = calls.select("function").distinct()
    calls = calls.filter(_within(calls.started_utc, start, end))
    ingested = lines(evidence, "event_ingested").select("function", at="logged_utc")
    failed = failures(evidence)
    swallowed = failed.filter(failed.failure == "swallowed").select("function", at="at_utc")
    by_log = [
        _count(calls, "Invocations"),
        _count(calls.filter(calls.status != "ok"), "Errors"),
        _count(ingested.filter(_within(ingested["at"], start, end)), "IngestCount"),
        _count(swallowed.filter(_within(swallowed["at"], start, end)), "ProcessorErrorCount"),
    ]
    logged = ibis.union(*by_log)
    points = evidence["metric_points"]
    points = points.filter(points.metric.isin(_METRICS), _within(points.at_utc, start, end))
    points = _named(points)
    measured = points.group_by("function", "metric").agg(by_metric=points.value.sum())
    # Of a function without any line, logs/missing tells; lines of level INFO may never arrive.
    measured = measured.semi_join(heard, "function")
    counts = measured.metric == "IngestCount"
    measured = measured.filter(~counts | measured.function.isin(_ingesting(evidence)))
    pairs = measured.left_join(logged, ["function", "metric"])
    pairs = pairs.mutate(by_log=pairs.by_log.fill_null(0).cast("float64"))
    apart = (pairs.by_metric - pairs.by_log).abs()
    most = ibis.greatest(pairs.by_metric, pairs.by_log)
    found = pairs.filter(apart > evidence.thresholds.metric_tolerance * most)
    return found.select(
        "metric", "function", "by_metric", "by_log", key=found.metric + " of " + found.function
    )


_METRICS = ("Invocations", "Errors", "IngestCount", "ProcessorErrorCount")


def denials(evidence: Evidence) -> ir.Table:
    """Return the actions that were denied, to the capture or to a function: key (the action),
    whose (`capture`, or the function), resource (null if not told), seen (how often)."""
    told: dict[tuple[str, str | None], int] = {}
    for table in sorted(evidence.case.coverage):
        known = evidence.coverage_of(table)
        found = [(action, name, 1) for action, name in _DENIED.findall(known.reason or "")]
        found += [
            (action, table, int(many.replace(",", "")))
            for many, action in _DENIED_OBJECTS.findall(known.reason or "")
        ]
        if not found and known.status == "denied":
            found = [(UNNAMED, table, 1)]
        for action, resource, many in found:
            place = (action, resource or None)
            told[place] = told.get(place, 0) + many
    own = [
        {"key": action, "whose": "capture", "resource": resource, "seen": seen}
        for (action, resource), seen in told.items()
    ]
    parts = [literal_rows(own, _DENIALS)]
    if evidence.has("invocations") or evidence.has("log_lines"):
        failed = failures(evidence)
        failed = failed.mutate(
            key=denied_action(failed.error), resource=denied_resource(failed.error),
            whose=denied_role(failed.error).fill_null(failed.function),
        )  # fmt: skip
        refused = kind_of(failed.error) == "access-denied"
        failed = failed.filter(refused | failed.key.notnull())
        failed = failed.mutate(key=failed.key.fill_null(UNNAMED))
        parts.append(failed.group_by("key", "whose", "resource").agg(seen=failed.count()))
    return ibis.union(*(part.select(list(_DENIALS)).cast(_DENIALS) for part in parts))


def _ingesting(evidence: Evidence) -> list[str]:
    """The functions of which at least one line of an ingested event arrived."""
    ingested = lines(evidence, "event_ingested").select("function").distinct()
    return [row["function"] for row in evidence.engine.rows(ingested.order_by("function"))]


def _named(points: ir.Table) -> ir.Table:
    """The points of functions with their function: CloudWatch's own and those of the lines."""
    by_cloudwatch = (points.namespace == "AWS/Lambda") & (points.origin == "cloudwatch")
    function = ibis.ifelse(
        by_cloudwatch, text_in(points.dimensions, "FunctionName"),
        text_in(points.dimensions, "Function"),
    )  # fmt: skip
    points = points.mutate(function=function)
    return points.filter(points.function.notnull(), by_cloudwatch | (points.origin == "emf"))


def _sums(evidence: Evidence, metric: str) -> ir.Table:
    points = evidence["metric_points"]
    points = _named(points.filter(points.metric == metric))
    return points.group_by("function").agg(value=points.value.sum())


def _count(rows: ir.Table, metric: str) -> ir.Table:
    counted = rows.group_by("function").agg(by_log=rows.count())
    return counted.mutate(metric=ibis.literal(metric)).select("function", "metric", "by_log")


def _common_time(evidence: Evidence) -> tuple[datetime, datetime]:
    """The time of which logs and metrics both tell, cut to whole periods of CloudWatch."""
    tables = ("invocations", "log_lines", "metric_points")
    spans = [evidence.horizon(table) for table in tables]
    starts = [start for start, _ in spans if start] or [evidence.window.start]
    start, end = max(starts), evidence.judged_until(*tables)
    period = timedelta(seconds=metric_period(evidence))
    return _floor(start + period - timedelta(microseconds=1), period), _floor(end, period)


def _floor(moment: datetime, period: timedelta) -> datetime:
    begun = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return begun + (moment - begun) // period * period


def _within(moment: ir.Value, start: datetime, end: datetime) -> ir.BooleanValue:
    within: ir.BooleanValue = (moment >= timestamp(start)) & (moment < timestamp(end))
    return within
