"""The lines a function leaves in its log, read into invocations, log lines and EMF metric points.

Both formats of Lambda are read line by line, whatever the function says its format is: text
(`[LEVEL]<tab>time<tab>request id<tab>text`) and JSON. Lines that are printed without a level,
and say nothing of the invocation, are left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from investigate.capture.attempts import Stream
from investigate.capture.emf import MOST_POINTS, count_of, metric_points
from investigate.capture.source import Row
from investigate.capture.values import from_millis, json_object, moment, text

_ID = r"(?P<id>[0-9A-Za-z-]+)"
_APPLICATION = re.compile(
    r"\[(?P<level>[A-Z]+)\]\t(?P<time>[^\t]*)\t(?P<id>[^\t]*)\t(?P<text>.*)", re.S
)
# The message ends with its line; an expression that also looked for the spaces before that end
# would take minutes for a line of them.
_UNCAUGHT = re.compile(
    r"\[ERROR\] (?P<type>[\w.]+)(?:: (?P<message>[^\r\n]*))?(?:\s*[\r\n]+(?P<stack>.*))?", re.S
)
_TIMEOUT = re.compile(rf"(?:\S+ )?{_ID} (?P<text>Task timed out after .*)", re.S)
_EXIT = re.compile(rf"RequestId: {_ID} (?P<text>Error: .*)", re.S)
_TRACEBACK = "Traceback (most recent call last)"
_ENVELOPE = ("timestamp", "level", "log_level", "message", "logger", "requestId")


@dataclass
class LogReader:
    """Takes the events of one function's log in order, and holds what they say. `refused` counts
    the lines of metrics that would be more than `MOST_POINTS` points each."""

    function: str
    refused: int = 0
    lines: list[Row] = field(default_factory=list)
    points: list[Row] = field(default_factory=list)
    _streams: dict[str, Stream] = field(default_factory=dict)
    _attempts: int = 0

    @property
    def size(self) -> int:
        """How many rows it holds."""
        return len(self.lines) + len(self.points) + self._attempts

    @property
    def invocations(self) -> list[Row]:
        """The invocation attempts of all streams."""
        return [
            {"function": self.function, **attempt.row()}
            for stream in self._streams.values()
            for attempt in stream.attempts
        ]

    def take(self, event: Mapping[str, Any]) -> None:
        """Read one event of the log."""
        name = event["logStreamName"]
        stream = self._streams.setdefault(name, Stream(name))
        known = len(stream.attempts)
        self._take(stream, event)
        self._attempts += len(stream.attempts) - known

    def _take(self, stream: Stream, event: Mapping[str, Any]) -> None:
        logged = from_millis(event["timestamp"])
        message = event["message"].rstrip("\r\n")
        record = json_object(message) if message.startswith("{") else None
        if record is not None:
            self._take_json(stream, logged, record)
        elif not stream.take_platform_line(message, logged):
            self._take_text(stream, logged, message)

    def _take_json(self, stream: Stream, logged: datetime | None, record: Row) -> None:
        if "_aws" in record:
            if count_of(record) > MOST_POINTS:
                self.refused += 1
            else:
                self.points.extend(metric_points(record, logged))
        elif str(record.get("type", "")).startswith("platform."):
            stream.take_platform_record(record, logged)
        elif "errorType" in record and "logger" not in record:
            self._uncaught_record(stream, logged, record)
        else:
            self._application_record(stream, logged, record)

    def _take_text(self, stream: Stream, logged: datetime | None, message: str) -> None:
        readers: tuple[tuple[re.Pattern[str], Callable[..., None]], ...] = (
            (_APPLICATION, self._application_line),
            (_UNCAUGHT, self._uncaught_line),
            (_TIMEOUT, self._timeout_line),
            (_EXIT, self._exit_line),
        )
        for pattern, reader in readers:
            match = pattern.fullmatch(message)
            if match:
                return reader(stream, logged, match)

    def _application_line(
        self, stream: Stream, logged: datetime | None, match: re.Match[str]
    ) -> None:
        self._add(match["id"], moment(match["time"]) or logged, match["level"], match["text"])

    def _uncaught_line(self, stream: Stream, logged: datetime | None, match: re.Match[str]) -> None:
        kind, said, stack = match["type"], match["message"] or "", match["stack"] or ""
        if match["stack"] is not None:
            said = said.rstrip()
        if kind.startswith("Runtime.") or _TRACEBACK in stack:
            record = {"errorType": kind, "errorMessage": said, "stackTrace": stack.splitlines()}
            self._uncaught_record(stream, logged, record)
        else:  # printed by the function itself, in the same form
            current = stream.current.request_id if stream.current else None
            self._add(current, logged, "ERROR", match[0].removeprefix("[ERROR] "))

    def _timeout_line(self, stream: Stream, logged: datetime | None, match: re.Match[str]) -> None:
        attempt = stream.attempt(match["id"])
        attempt.timed_out = True
        attempt.fail(None, match["text"])
        self._add(match["id"], logged, "ERROR", match["text"])

    def _exit_line(self, stream: Stream, logged: datetime | None, match: re.Match[str]) -> None:
        attempt = stream.attempt(match["id"])
        words, _, kind = match["text"].partition("\n")
        attempt.killed = attempt.killed or "signal: killed" in words
        attempt.fail(kind.strip() or None, words.removeprefix("Error: ").strip())
        self._add(match["id"], logged, "ERROR", match["text"])

    def _uncaught_record(self, stream: Stream, logged: datetime | None, record: Row) -> None:
        """An exception nobody caught fails the invocation around it, or the next to start."""
        kind, message = text(record["errorType"]), text(record.get("errorMessage"))
        attempt = stream.failed(kind, message, text(record.get("requestId")))
        shown = {name: value for name, value in record.items() if name not in _ENVELOPE}
        when = moment(record.get("timestamp")) or logged
        request_id = attempt.request_id if attempt else text(record.get("requestId"))
        self._add(request_id, when, "ERROR", f"{kind}: {message}", shown)

    def _application_record(self, stream: Stream, logged: datetime | None, record: Row) -> None:
        level = record.get("level", record.get("log_level"))
        current = stream.current.request_id if stream.current else None
        extra = {name: value for name, value in record.items() if name not in _ENVELOPE}
        self._add(
            text(record.get("requestId")) or current,
            moment(record.get("timestamp")) or logged,
            str(level).upper() if level else None,
            record.get("message", ""),
            extra,
        )

    def _add(
        self,
        request_id: str | None,
        logged: datetime | None,
        level: str | None,
        message: Any,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        """Add a line; what the message holds as JSON, and what stands beside it, are its fields."""
        said = message if isinstance(message, dict) else json_object(str(message))
        fields = {**(extra or {}), **(said or {})}
        named = fields.pop("msg", None)
        self.lines.append(
            {
                "function": self.function,
                "request_id": request_id,
                "logged_utc": logged,
                "level": level,
                "message": text(named if named is not None else message),
                "fields": json.dumps(fields, sort_keys=True, ensure_ascii=False),
                "event_id": text(fields.get("event_id")),
                "entity_id": text(fields.get("entity_id")),
            }
        )
