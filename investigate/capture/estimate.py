"""What a capture would ask and cost, from metadata and listings, before anything is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil

from investigate.aws import Connection, RequestLimits
from investigate.capture.cost import Cost, PlannedCapture, Reckon
from investigate.capture.cost_objects import raw
from investigate.capture.cost_tables import table
from investigate.capture.cost_telemetry import (
    alarms,
    deliveries,
    deployments,
    functions,
    log_lines,
    mappings,
    messages,
    metric_points,
    queue_state,
    rescued,
    traces,
)
from investigate.capture.source import CaptureOptions
from investigate.errors import AccessError, UsageError
from investigate.settings import PipelineNames
from investigate.tables import TABLES

__all__ = ["Cost", "check_limits", "estimate"]


def estimate(connection: Connection, names: PipelineNames, options: CaptureOptions) -> list[Cost]:
    """Return what a capture would take, table by table; nothing but metadata is read for it.

    What is denied is a cost that is `unknown`; a wrong name or credential raises `AccessError`.
    """
    plan = PlannedCapture(connection, names, options)
    wanted = set(options.only or TABLES)
    return [
        cost
        for tables, operation, reckon in _RECKONED
        if wanted & set(tables)
        for cost in _known(plan, tables[0], operation, reckon)
    ]


def check_limits(costs: Sequence[Cost], limits: RequestLimits) -> None:
    """Raise `UsageError` if a capture would exceed a limit, naming what takes most.

    Figures that are only an upper bound do not count: the capture stops itself at the limit.
    """
    units = [(cost, cost.read_units) for cost in costs]
    asked = [(cost, float(cost.requests)) for cost in costs]
    _check("read units", "--max-read-units", limits.read_units, units)
    _check("requests", "--max-requests", limits.requests, asked)


_SAVING = {
    "read units": "name an export (events_export), or take fewer tables with --only or --entity",
    "requests": "shorten the window with --start and --end, name a raw_inventory, or use --only",
}


def _check(
    what: str, option: str, limit: float | None, reckoned: Sequence[tuple[Cost, float]]
) -> None:
    sure = [(cost, value) for cost, value in reckoned if cost.bound != "at most"]
    total = sum(value for _, value in sure)
    if limit is None or total <= limit:
        return
    names = [(-value, f"{cost.table} ({cost.operation})") for cost, value in sure if value]
    named = ", ".join(f"{name} {ceil(-value):,}" for value, name in sorted(names)[:3])
    enough = ceil(sum(value for _, value in reckoned) * _MARGIN) + _SMALL
    raise UsageError(
        f"the capture would take {ceil(total):,} {what}, {option} is {limit:,}: {named}",
        hint=f"{option} {enough} would do; or {_SAVING[what]}",
    )


# An estimate knows neither every small request nor what comes in the meantime.
_MARGIN, _SMALL = 1.1, 50


def _known(plan: PlannedCapture, table: str, operation: str, reckon: Reckon) -> Iterator[Cost]:
    try:
        yield from reckon(plan)
    except AccessError as error:
        if error.kind not in ("denied", "failed", "busy"):
            raise
        yield Cost(table, operation, f"{error.code}: {error.asked}", "unknown")


_RECKONED: Sequence[tuple[tuple[str, ...], str, Reckon]] = (
    (("raw",), "s3:ListObjectsV2", raw),
    (("events",), "dynamodb:Scan", table("events", "events_table", "events_export")),
    (("dedupe",), "dynamodb:Scan", table("dedupe", "dedupe_table", "dedupe_export")),
    (
        ("aggregates",), "dynamodb:Scan",
        table("aggregates", "aggregates_table", "aggregates_export"),
    ),
    (("log_lines", "invocations", "metric_points"), "logs:FilterLogEvents", log_lines),
    (("metric_points",), "cloudwatch:GetMetricData", metric_points),
    (("queue_state", "mappings", "messages"), "sqs:GetQueueAttributes", queue_state),
    (("messages", "dead_letters"), "sqs:ReceiveMessage", messages),
    (("functions", "log_lines", "deliveries"), "lambda:GetFunctionConfiguration", functions),
    (("mappings",), "lambda:ListEventSourceMappings", mappings),
    (("deliveries",), "events:ListRuleNamesByTarget", deliveries),
    (("deployments",), "lambda:ListVersionsByFunction", deployments),
    (("rescued",), "kinesis:GetRecords", rescued),
    (("alarms",), "cloudwatch:DescribeAlarms", alarms),
    (("spans",), "xray:GetTraceSummaries", traces),
)  # fmt: skip
