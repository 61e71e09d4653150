"""What a capture would ask and cost, from metadata and listings, before anything is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import ceil

from investigate.aws import Connection, Limits
from investigate.capture.cost import Cost, Plan, Reckon
from investigate.capture.cost_objects import raw
from investigate.capture.cost_tables import table
from investigate.capture.cost_telemetry import (
    alarms,
    functions,
    log_lines,
    mappings,
    messages,
    metric_points,
    queue_state,
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
    plan = Plan(connection, names, options)
    wanted = set(options.only or TABLES)
    return [
        cost
        for tables, operation, reckon in _RECKONED
        if wanted & set(tables)
        for cost in _known(plan, tables[0], operation, reckon)
    ]


def check_limits(costs: Sequence[Cost], limits: Limits) -> None:
    """Raise `UsageError` if a capture would exceed a limit, naming what takes most.

    Figures that are only an upper bound do not count: the capture stops itself at the limit.
    """
    sure = [cost for cost in costs if cost.bound != "at most"]
    units = {f"{cost.table} ({cost.operation})": cost.read_units for cost in sure}
    asked = {f"{cost.table} ({cost.operation})": float(cost.requests) for cost in sure}
    _check("read units", "--max-read-units", limits.read_units, units)
    _check("requests", "--max-requests", limits.requests, asked)


_SAVING = {
    "read units": "name an export (events_export), or take fewer tables with --only or --entity",
    "requests": "shorten the window with --start and --end, name a raw_inventory, or use --only",
}


def _check(what: str, option: str, limit: float | None, by_source: Mapping[str, float]) -> None:
    total = sum(by_source.values())
    if limit is None or total <= limit:
        return
    largest = sorted(by_source.items(), key=lambda item: (-item[1], item[0]))[:3]
    named = ", ".join(f"{source} {ceil(value):,}" for source, value in largest if value)
    raise UsageError(
        f"the capture would take {ceil(total):,} {what}, {option} is {limit:,g}: {named}",
        hint=f"allow it with {option} {ceil(total)}; or {_SAVING[what]}",
    )


def _known(plan: Plan, table: str, operation: str, reckon: Reckon) -> Iterator[Cost]:
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
    (("functions", "log_lines"), "lambda:GetFunctionConfiguration", functions),
    (("mappings",), "lambda:ListEventSourceMappings", mappings),
    (("alarms",), "cloudwatch:DescribeAlarms", alarms),
    (("spans",), "xray:GetTraceSummaries", traces),
)  # fmt: skip
