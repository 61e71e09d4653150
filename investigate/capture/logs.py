"""The functions' logs and the metrics: invocations, log lines and metric points."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from investigate.capture import log_events, log_groups, metrics
from investigate.capture.emf import MOST_POINTS
from investigate.capture.functions import log_group
from investigate.capture.loglines import LogReader
from investigate.capture.source import (
    Captured,
    Gathered,
    Row,
    Source,
    between,
    coverage_of_error,
)
from investigate.case import Coverage
from investigate.errors import AccessError
from investigate.model import counted, isoformat
from investigate.settings import FUNCTION_ROLES

# CloudWatch Logs may show a line only so long after it was written (AWS Lambda developer guide,
# "Sending Lambda function logs to CloudWatch Logs": 5 to 10 minutes).
LAG = timedelta(minutes=10)
STEP_ROWS = 20_000  # of all tables together, kept at once
TABLES = ("invocations", "log_lines", "metric_points")


@dataclass(frozen=True, slots=True)
class Log:
    """What is known of the log of one function: whether it was read, and what it cannot tell."""

    gaps: tuple[Coverage, ...]
    read: bool = False
    kept_since: datetime | None = None  # when its retention has already taken something


def read(source: Source) -> list[Captured]:
    """Return the tables `invocations`, `log_lines` and `metric_points`, kept in the draft."""
    _ = source.functions  # asked once, before several threads need them
    roles = _roles(source)
    with ThreadPoolExecutor(len(roles)) as pool:
        logs = list(pool.map(lambda role: _fetch(source, role), roles))
    for role, log in zip(roles, logs, strict=True):
        if log.read:
            _read_streams(source, source.names.functions[role])
    gathered = {table: _gathered(logs) for table in TABLES}
    gathered["invocations"].gaps.extend(_unlogged_successes(source))
    gathered["metric_points"].gaps.extend(_refused(source))
    _gather_metrics(source, gathered["metric_points"])
    return [_captured(source, table, gathered[table], logs) for table in TABLES]


def _roles(source: Source) -> list[str]:
    """Return the roles whose logs are read: of a function that has several, the first."""
    by_function: dict[tuple[str, ...], str] = {}
    for role in FUNCTION_ROLES:
        name = source.names.functions.get(role)
        by_function.setdefault((name,) if name else ("without", role), role)
    return list(by_function.values())


def _fetch(source: Source, role: str) -> Log:
    name = source.names.functions.get(role)
    if not name:
        return Log((source.lacks(f"{role} function"),))
    known = source.functions[role]
    group = log_group({"FunctionName": name} if isinstance(known, Coverage) else known)
    try:
        log_events.fetch(source, name, group)
    except AccessError as error:
        return Log((coverage_of_error(error),))
    try:
        kept = _kept_since(source, group)
    except AccessError as error:
        # The lines are there, but nobody knows which ones have expired.
        return Log((coverage_of_error(error),), read=True)
    if kept is None:
        return Log((), read=True)
    expired = f"{group} has lost its lines from before {isoformat(kept)} to its retention"
    return Log((Coverage("failed", expired),), read=True, kept_since=kept)


def _read_streams(source: Source, function: str) -> None:
    """Read the kept events stream by stream; a stream that was read before is left out."""
    unit = _streams_of(function)
    known = source.draft.note(unit) or {}
    last = known.get("last", "")
    reader = LogReader(function, known.get("refused", 0))
    for stream, events in log_events.streams(source, function):
        if stream <= last:
            continue
        for event in events:
            reader.take(event)
        last = stream
        if reader.size >= STEP_ROWS:
            _keep(source, unit, reader, last)
            reader = LogReader(function, reader.refused)
    _keep(source, unit, reader, last)


def _streams_of(function: str) -> str:
    return f"streams of {function}"


def _keep(source: Source, unit: str, reader: LogReader, last: str) -> None:
    rows = dict(zip(TABLES, (reader.invocations, reader.lines, reader.points), strict=True))
    source.keep(unit, rows, {"last": last, "refused": reader.refused})


def _refused(source: Source) -> Iterator[Coverage]:
    """Yield whose lines of metrics were left out, and why."""
    for function in dict.fromkeys(source.names.functions.values()):
        note = source.draft.note(_streams_of(function)) or {}
        if lines := note.get("refused", 0):
            said = f"{counted(lines, 'line')} of {function} with more than {MOST_POINTS:,} points"
            yield Coverage("failed", f"{said} left out")


def _gather_metrics(source: Source, gathered: Gathered) -> None:
    """Keep CloudWatch's own points, once, however often the capture goes on."""
    done = source.draft.note("metrics")
    if done is None:
        found = Gathered()
        metrics.gather(source, found)
        gaps = [one.as_json() for one in found.gaps]
        done = {"places": found.places, "gaps": gaps}
        if found.places:
            source.keep("metrics", {"metric_points": found.rows}, done)
    gathered.places += done["places"]
    gathered.gaps.extend(map(Coverage.of_json, done["gaps"]))


def _gathered(logs: list[Log]) -> Gathered:
    gaps = [one for log in logs for one in log.gaps]
    return Gathered(gaps=gaps, places=sum(log.read for log in logs))


def _captured(source: Source, table: str, gathered: Gathered, logs: list[Log]) -> Captured:
    captured = gathered.captured(table)
    if captured.rows is None:
        return captured
    since = max([source.options.since, *(log.kept_since for log in logs if log.kept_since)])
    until = source.options.captured_at - LAG
    horizon = between(min(since, until), until)
    captured = replace(
        captured, coverage=replace(captured.coverage, horizon=horizon), rows=None, kept=True
    )
    return metrics.with_horizon(source, captured) if table == "metric_points" else captured


def _kept_since(source: Source, group: str) -> datetime | None:
    """Return from when on a log group still has its lines; None if it has all of the window's."""
    days = _retention_days(source, group)
    kept: datetime = source.options.read_at - timedelta(days=days or 0)
    return kept if days and kept > source.options.window.start else None


def _retention_days(source: Source, group: str) -> int | None:
    known = log_groups.described(source.connection, group)
    return known.get("retentionInDays") if known else None


def _unlogged_successes(source: Source) -> Iterator[Coverage]:
    for role, known in source.functions.items():
        logging: Row = {} if isinstance(known, Coverage) else known.get("LoggingConfig", {})
        if logging.get("SystemLogLevel") == "WARN":
            reason = f"the {role} function logs no successful invocation (SystemLogLevel WARN)"
            yield Coverage("failed", reason)
