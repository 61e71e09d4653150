"""The invocation attempts of one log stream, from what the platform writes around them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from investigate.capture.source import Row
from investigate.capture.values import moment, number, text, trace_of, whole

_PLATFORM = re.compile(
    r"(?P<word>START|END|REPORT) RequestId: (?P<id>[0-9A-Za-z-]+)(?P<rest>.*)", re.S
)
_OTHER = re.compile(r"(INIT_START|INIT_REPORT|EXTENSION|TELEMETRY|LOGS|XRAY|RESTORE_\w+)\b")
_REPORTED = {
    "duration_ms": re.compile(r"(?:^|\t)Duration: ([0-9.]+) ms"),
    "billed_ms": re.compile(r"Billed Duration: ([0-9]+) ms"),
    "memory_mb": re.compile(r"Memory Size: ([0-9]+) MB"),
    "max_memory_mb": re.compile(r"Max Memory Used: ([0-9]+) MB"),
}
_TRACE = re.compile(r"XRAY TraceId: (\S+)")
_STATUS = re.compile(r"\tStatus: (\w+)")
_ERROR_TYPE = re.compile(r"\tError Type: (\S+)")


@dataclass
class Attempt:
    """One attempt at one invocation, as far as its log tells."""

    request_id: str
    log_stream: str
    started_utc: datetime | None = None
    ended_utc: datetime | None = None
    duration_ms: float | None = None
    billed_ms: int | None = None
    memory_mb: int | None = None
    max_memory_mb: int | None = None
    trace_id: str | None = None
    error_type: str | None = None
    error_message: str | None = None
    failed: bool = False
    timed_out: bool = False
    killed: bool = False

    @property
    def status(self) -> str | None:
        """How the attempt ended; None if its end is not in the log."""
        full = not self.max_memory_mb or not self.memory_mb or self.max_memory_mb >= self.memory_mb
        if self.timed_out:
            return "timeout"
        if self.error_type == "Runtime.OutOfMemory" or (self.killed and full):
            return "out-of-memory"
        if self.failed:
            return "error"
        return "ok" if self.ended_utc else None

    def fail(self, kind: str | None, message: str | None) -> None:
        """Record that the attempt failed; the first cause that is named stays."""
        self.failed = True
        self.error_type = self.error_type or kind
        self.error_message = self.error_message or message

    def settle(self, status: str | None, kind: str | None) -> None:
        """Record the status that the platform reports."""
        self.timed_out = self.timed_out or status == "timeout"
        if kind or status in ("error", "failure", "timeout"):
            self.fail(kind, None)
        if kind == "Runtime.OutOfMemory":
            self.error_type = kind

    def row(self) -> Row:
        """Return the attempt as a row of `invocations`, but for the function's name."""
        started = self.started_utc
        if started is None and self.ended_utc and self.duration_ms is not None:
            started = _before(self.ended_utc, self.duration_ms)
        shown = ("request_id", "log_stream", "ended_utc", "duration_ms", "billed_ms", "memory_mb",
                 "max_memory_mb", "trace_id", "error_type", "error_message", "status")  # fmt: skip
        return {"started_utc": started, **{name: getattr(self, name) for name in shown}}


@dataclass
class Stream:
    """One log stream: an execution environment, which runs one invocation at a time."""

    name: str
    attempts: list[Attempt] = field(default_factory=list)
    _latest: dict[str, Attempt] = field(default_factory=dict)  # by request
    current: Attempt | None = None  # between its START and its END
    _pending: tuple[str | None, str | None] | None = None

    def attempt(self, request_id: str) -> Attempt:
        """Return the latest attempt at a request; one whose START is not in the log begins here."""
        return self._latest.get(request_id) or self._begin(request_id, None)

    def failed(
        self, kind: str | None, message: str | None, request_id: str | None
    ) -> Attempt | None:
        """Record an uncaught exception; outside an invocation it belongs to the next one."""
        attempt = self.attempt(request_id) if request_id else self.current
        if attempt:
            attempt.fail(kind, message)
        else:
            self._pending = (kind, message)
        return attempt

    def take_platform_line(self, message: str, logged: datetime | None) -> bool:
        """Read a line of the platform in text format; return whether it was one."""
        match = _PLATFORM.match(message)
        if match and match["word"] == "START":
            self.current = self._begin(match["id"], logged)
        elif match:
            attempt = self.attempt(match["id"])
            self._end(attempt, logged)
            if match["word"] == "REPORT":
                _report(attempt, match["rest"])
        elif message.startswith("XRAY") and self.attempts:
            _report(self.attempts[-1], message)
        return bool(match or _OTHER.match(message))

    def take_platform_record(self, record: Mapping[str, Any], logged: datetime | None) -> None:
        """Read a line of the platform in JSON format."""
        about = record.get("record")
        when = moment(record.get("time")) or logged
        request_id = text(about.get("requestId")) if isinstance(about, dict) else None
        if not isinstance(about, dict) or not request_id:
            return
        if record["type"] == "platform.start":
            self.current = self._begin(request_id, when)
        elif record["type"] in ("platform.runtimeDone", "platform.report"):
            attempt = self.attempt(request_id)
            self._end(attempt, when)
            attempt.settle(text(about.get("status")), text(about.get("errorType")))
            _measure(attempt, about)

    def _begin(self, request_id: str, started: datetime | None) -> Attempt:
        attempt = Attempt(request_id, self.name, started_utc=started)
        if self._pending:
            attempt.fail(*self._pending)
            self._pending = None
        self.attempts.append(attempt)
        self._latest[request_id] = attempt
        return attempt

    def _end(self, attempt: Attempt, when: datetime | None) -> None:
        attempt.ended_utc = attempt.ended_utc or when
        if self.current is attempt:
            self.current = None


def _report(attempt: Attempt, words: str) -> None:
    for name, pattern in _REPORTED.items():
        match = pattern.search(words)
        if match:
            setattr(
                attempt, name, _duration(match[1]) if name == "duration_ms" else whole(match[1])
            )
    trace = _TRACE.search(words)
    attempt.trace_id = trace[1] if trace else attempt.trace_id
    status, kind = _STATUS.search(words), _ERROR_TYPE.search(words)
    attempt.settle(status and status[1], kind and kind[1])


def _duration(digits: str) -> float | None:
    """Return milliseconds; None for what is no number, as a function may print any line."""
    try:
        return number(float(digits))
    except ValueError:
        return None


def _before(ended: datetime, milliseconds: float) -> datetime | None:
    """Return when what ended took so long began; None if that is no time."""
    try:
        return ended - timedelta(milliseconds=milliseconds)
    except OverflowError:
        return None


def _measure(attempt: Attempt, about: Mapping[str, Any]) -> None:
    metrics, tracing = about.get("metrics"), about.get("tracing")
    if isinstance(metrics, dict):
        attempt.duration_ms = number(metrics.get("durationMs")) or attempt.duration_ms
        attempt.billed_ms = whole(metrics.get("billedDurationMs")) or attempt.billed_ms
        attempt.memory_mb = whole(metrics.get("memorySizeMB")) or attempt.memory_mb
        attempt.max_memory_mb = whole(metrics.get("maxMemoryUsedMB")) or attempt.max_memory_mb
    root = trace_of(str(tracing.get("value"))) if isinstance(tracing, dict) else None
    attempt.trace_id = root or attempt.trace_id
