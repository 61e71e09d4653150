"""The functions' logs and the metrics: invocations, log lines and metric points."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from investigate.capture import metrics
from investigate.capture.functions import log_group
from investigate.capture.loglines import LogReader
from investigate.capture.source import Captured, Gathered, Row, Source, gap, not_configured
from investigate.capture.values import to_millis
from investigate.case import Coverage
from investigate.errors import AccessError
from investigate.model import isoformat
from investigate.settings import FUNCTION_ROLES

# In a log group that several functions share, the name of a stream says whose it is.
_STREAM = re.compile(r"\d{4}/\d{2}/\d{2}/(?P<function>[\w-]+)\[")


def read(source: Source) -> list[Captured]:
    """Return the tables `invocations`, `log_lines` and `metric_points`."""
    invocations, lines, points = Gathered(), Gathered(), Gathered()
    for role in FUNCTION_ROLES:
        for gathered, found in zip(
            (invocations, lines, points), _read_role(source, role), strict=True
        ):
            gathered.gaps.extend(found.gaps)
            if found.places:
                gathered.add(found.rows)
    invocations.gaps.extend(_unlogged_successes(source))
    metrics.gather(source, points)
    return [
        invocations.captured("invocations"),
        lines.captured("log_lines"),
        points.captured("metric_points"),
    ]


def _read_role(source: Source, role: str) -> tuple[Gathered, Gathered, Gathered]:
    found = (Gathered(), Gathered(), Gathered())
    try:
        gaps, reader = _read_log(source, role)
    except AccessError as error:
        gaps, reader = [gap(error)], None
    for gathered in found:
        gathered.gaps.extend(gaps)
    if reader:
        for gathered, rows in zip(
            found, (reader.invocations, reader.lines, reader.points), strict=True
        ):
            gathered.add(rows)
    return found


def _read_log(source: Source, role: str) -> tuple[list[Coverage], LogReader | None]:
    name = source.names.functions.get(role)
    if not name:
        return [not_configured(f"{role} function")], None
    known = source.functions[role]
    group = log_group({"FunctionName": name} if isinstance(known, Coverage) else known)
    reader = LogReader(name)
    for page in source.connection.pages(
        "logs",
        "FilterLogEvents",
        logGroupName=group,
        startTime=to_millis(source.options.since),
        endTime=to_millis(source.options.captured_at),
    ):
        for event in page.get("events", []):
            if _is_own(event["logStreamName"], name):
                reader.take(event)
    return list(_expired(source, group)), reader


def _is_own(stream: str, function: str) -> bool:
    named = _STREAM.match(stream)
    return named is None or named["function"] == function


def _expired(source: Source, group: str) -> Iterator[Coverage]:
    """What the retention of a log group has already taken from the time that was asked for."""
    days = _retention_days(source, group)
    kept: datetime = source.options.captured_at - timedelta(days=days or 0)
    if days and kept > source.options.window.start:
        reason = f"{group} keeps {days} days, earlier lines have expired"
        yield Coverage("failed", reason, isoformat(kept))


def _retention_days(source: Source, group: str) -> int | None:
    try:
        pages = source.connection.pages("logs", "DescribeLogGroups", logGroupNamePrefix=group)
        found = [one for page in pages for one in page["logGroups"] if one["logGroupName"] == group]
    except AccessError as error:
        # The lines themselves could be read; only their horizon stays unknown.
        if error.kind == "denied":
            return None
        raise
    return found[0].get("retentionInDays") if found else None


def _unlogged_successes(source: Source) -> Iterator[Coverage]:
    for role, known in source.functions.items():
        logging: Row = {} if isinstance(known, Coverage) else known.get("LoggingConfig", {})
        if logging.get("SystemLogLevel") == "WARN":
            reason = f"the {role} function logs no successful invocation (SystemLogLevel WARN)"
            yield Coverage("failed", reason)
