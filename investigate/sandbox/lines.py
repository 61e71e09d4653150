"""The lines of one invocation as they stand in a log group, in both formats of Lambda.

JSON: a logged line becomes `{timestamp, level, message, logger, requestId}` with the logged text as
a string in `message`; a printed line (EMF) stays as it is. Text: a logged line becomes
`[LEVEL]<tab>time<tab>request id<tab>text`, and below WARNING it is lost (D20).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from investigate.sandbox.function import Line

LOGGER = "handlers"
RUNTIME = "python:3.11.v94"
INDENT = "\u00a0"  # Lambda writes the indentation of a traceback so
TEXT_LEVELS = ("WARNING", "ERROR", "CRITICAL")
Stamped = tuple[datetime, str]


@dataclass(frozen=True)
class Failure:
    """What an exception that nobody caught leaves behind."""

    error_type: str
    message: str
    stack: tuple[str, ...]


@dataclass(frozen=True)
class Attempt:
    """One invocation as the platform saw it."""

    request_id: str
    started: datetime
    duration_ms: float
    memory_mb: int
    used_mb: int
    status: str  # ok, error, timeout or out-of-memory
    lines: tuple[Line, ...]
    trace: str
    segment: str
    init_ms: float | None = None  # only the first invocation of an environment has one
    failure: Failure | None = None

    @property
    def ended(self) -> datetime:
        """When the invocation was over."""
        return self.started + timedelta(milliseconds=self.duration_ms)

    @property
    def billed_ms(self) -> int:
        """The duration that is paid for, in whole milliseconds."""
        return int(-(-self.duration_ms // 1))

    def written(self) -> Iterator[tuple[datetime, Line]]:
        """The lines of the function, each a millisecond after the one before."""
        for number, line in enumerate(self.lines, start=1):
            yield min(self.started + timedelta(milliseconds=number), self.ended), line


def log_lines(attempt: Attempt, log_format: str) -> list[Stamped]:
    """Return every line of an invocation, in order, each with its time."""
    return list(_json_lines(attempt) if log_format == "JSON" else _text_lines(attempt))


def stamp(moment: datetime) -> str:
    """Return a time as Lambda writes it: always with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _json_lines(attempt: Attempt) -> Iterator[Stamped]:
    about: dict[str, Any] = {"requestId": attempt.request_id}
    started, ended = attempt.started, attempt.ended
    if attempt.init_ms is not None:
        init = {"initializationType": "on-demand", "phase": "init", "runtimeVersion": RUNTIME}
        yield started, _platform("initStart", started, init)
    yield started, _platform("start", started, {**about, "version": "$LATEST"})
    for moment, line in attempt.written():
        yield moment, _json_line(line, moment, attempt.request_id)
    if attempt.failure:
        yield ended, _json_failure(attempt.failure, ended, attempt.request_id)
    status = _json_status(attempt)
    if attempt.status != "ok":  # on success this line is below the default system log level
        spent = {"durationMs": attempt.duration_ms}
        yield ended, _platform("runtimeDone", ended, {**about, **status, "metrics": spent})
    report = {**about, "metrics": _measures(attempt), **status, "tracing": _tracing(attempt)}
    yield ended, _platform("report", ended, report)


def _json_line(line: Line, moment: datetime, request_id: str) -> str:
    if line.level is None:
        return line.text
    shown = {"timestamp": stamp(moment), "level": line.level, "message": line.text}
    return _text({**shown, "logger": LOGGER, "requestId": request_id})


def _json_failure(failure: Failure, moment: datetime, request_id: str) -> str:
    shown = {
        "timestamp": stamp(moment),
        "level": "ERROR",
        "errorMessage": failure.message,
        "errorType": failure.error_type,
        "requestId": request_id,
        "stackTrace": list(failure.stack),
    }
    return _text(shown)


def _platform(kind: str, moment: datetime, record: dict[str, Any]) -> str:
    return _text({"time": stamp(moment), "type": f"platform.{kind}", "record": record})


def _json_status(attempt: Attempt) -> dict[str, str]:
    if attempt.status == "out-of-memory":
        return {"status": "error", "errorType": "Runtime.OutOfMemory"}
    return {"status": "success" if attempt.status == "ok" else attempt.status}


def _measures(attempt: Attempt) -> dict[str, float]:
    measures = {
        "durationMs": attempt.duration_ms,
        "billedDurationMs": attempt.billed_ms,
        "memorySizeMB": attempt.memory_mb,
        "maxMemoryUsedMB": attempt.used_mb,
    }
    init = {} if attempt.init_ms is None else {"initDurationMs": attempt.init_ms}
    return {**measures, **init}


def _tracing(attempt: Attempt) -> dict[str, str]:
    value = f"Root={attempt.trace};Parent={attempt.segment};Sampled=1"
    return {"spanId": attempt.segment, "type": "X-Amzn-Trace-Id", "value": value}


def _text_lines(attempt: Attempt) -> Iterator[Stamped]:
    started, ended, request_id = attempt.started, attempt.ended, attempt.request_id
    if attempt.init_ms is not None:
        arn = "arn:aws:lambda:eu-west-1::runtime:0000"
        yield started, f"INIT_START Runtime Version: {RUNTIME}\tRuntime Version ARN: {arn}\n"
    yield started, f"START RequestId: {request_id} Version: $LATEST\n"
    for moment, line in attempt.written():
        if line.level is None or line.level in TEXT_LEVELS:
            yield moment, _text_line(line, moment, request_id)
    if attempt.failure:
        yield ended, _text_failure(attempt.failure)
    if attempt.status == "timeout":
        seconds = f"{attempt.duration_ms / 1000:.2f}"
        yield ended, f"{stamp(ended)} {request_id} Task timed out after {seconds} seconds\n\n"
    if attempt.status == "out-of-memory":
        killed = "Error: Runtime exited with error: signal: killed"
        yield ended, f"RequestId: {request_id} {killed}\nRuntime.ExitError\n"
    yield ended, f"END RequestId: {request_id}\n"
    yield ended, _text_report(attempt)


def _text_line(line: Line, moment: datetime, request_id: str) -> str:
    if line.level is None:
        return f"{line.text}\n"
    return f"[{line.level}]\t{stamp(moment)}\t{request_id}\t{line.text}\n"


def _text_failure(failure: Failure) -> str:
    """Return the lines of an uncaught exception, which do not name the request."""
    lines = [f"[ERROR] {failure.error_type}: {failure.message}"]
    lines.append("Traceback (most recent call last):")
    for frame in failure.stack:
        for line in frame.splitlines():
            bare = line.lstrip(" ")
            lines.append(INDENT * (len(line) - len(bare)) + bare)
    return "\n".join(lines)


def _text_report(attempt: Attempt) -> str:
    parts = [
        f"REPORT RequestId: {attempt.request_id}",
        f"Duration: {attempt.duration_ms:.2f} ms",
        f"Billed Duration: {attempt.billed_ms} ms",
        f"Memory Size: {attempt.memory_mb} MB",
        f"Max Memory Used: {attempt.used_mb} MB",
    ]
    if attempt.init_ms is not None:
        parts.append(f"Init Duration: {attempt.init_ms:.2f} ms")
    if attempt.status == "timeout":
        parts.append("Status: timeout")
    if attempt.status == "out-of-memory":
        parts.append("Status: error\tError Type: Runtime.OutOfMemory")
    trace = f"XRAY TraceId: {attempt.trace}\tSegmentId: {attempt.segment}\tSampled: true\t"
    return "\t".join(parts) + f"\t\n{trace}\n"


def _text(record: dict[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=False)
