"""What a reader is given, and what it hands back: rows, or the reason why there are none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from investigate.aws import Connection
from investigate.case import Coverage
from investigate.errors import AccessError, UsageError
from investigate.model import Window, isoformat
from investigate.settings import PipelineNames

# Logs and metrics are read from a little before the window: what led up to it is part of the story.
LEAD = timedelta(hours=1)

# What a queue says of its messages, by the columns of table `queue_state`.
QUEUE_COUNTS = {
    "visible": "ApproximateNumberOfMessages",
    "not_visible": "ApproximateNumberOfMessagesNotVisible",
    "delayed": "ApproximateNumberOfMessagesDelayed",
}

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class CaptureOptions:
    """What to capture. The time of capture is handed in; nothing here asks a clock."""

    window: Window
    captured_at: datetime
    name: str = ""  # default: the name of the folder
    sample_messages: int = 0  # receives that many messages at most, which hides them for a moment
    force_sampling: bool = False  # also where a receive could move messages or hold them up
    payloads: bool = True
    only: tuple[str, ...] = ()  # tables; none: all
    entities: tuple[str, ...] = ()  # none: all
    mask: tuple[str, ...] = ()  # names of fields whose values are not kept
    mask_account: bool = False

    def __post_init__(self) -> None:
        if self.captured_at <= self.window.start:
            raise UsageError(
                f"the window starts at {isoformat(self.window.start)}, after the capture",
                hint="give a window that has begun: --start and --end, or [window]",
            )
        if self.sample_messages < 0:
            raise UsageError("a sample of messages cannot be negative", hint="--sample-messages 0")

    @property
    def since(self) -> datetime:
        """The time from which logs and metrics are read."""
        return self.window.start - LEAD


@dataclass(frozen=True, slots=True)
class Captured:
    """One table as it was captured; without rows it is left out of the case, for that reason."""

    table: str
    coverage: Coverage
    rows: list[Row] | None = None


@dataclass
class Gathered:
    """Rows from several places, and every place that could not be read."""

    rows: list[Row] = field(default_factory=list)
    gaps: list[Coverage] = field(default_factory=list)
    places: int = 0

    def add(self, rows: Iterable[Row]) -> None:
        """Take the rows of one more place that was read."""
        self.rows.extend(rows)
        self.places += 1

    def captured(self, table: str) -> Captured:
        """Return the table: whole if nothing is lacking, partial if something was read."""
        reasons = "; ".join(dict.fromkeys(gap.reason for gap in self.gaps if gap.reason)) or None
        horizons = [gap.horizon for gap in self.gaps if gap.horizon]
        if not self.places:
            statuses = {gap.status for gap in self.gaps}
            status = next((word for word in ("denied", "failed") if word in statuses), "skipped")
            return Captured(table, Coverage(status, reasons))
        status = "partial" if self.gaps else "captured"
        horizon = max(horizons, default=None)
        return Captured(table, Coverage(status, reasons, horizon), self.rows)


class Source:
    """The pipeline that is read: the connection, its names, the options, and what readers share."""

    def __init__(
        self, connection: Connection, names: PipelineNames, options: CaptureOptions
    ) -> None:
        self.connection = connection
        self.names = names
        self.options = options

    @cached_property
    def replay_queue(self) -> Mapping[str, str]:
        """The attributes of the replay queue; raises `AccessError`."""
        return self.queue(str(self.names.replay_queue_url))

    def queue(self, url: str) -> dict[str, str]:
        """Return all attributes of a queue, which has no effect on it; raise `AccessError`."""
        answer = self.connection.call(
            "sqs", "GetQueueAttributes", QueueUrl=url, AttributeNames=["All"]
        )
        attributes = dict(answer.get("Attributes", {}))
        lacking = [name for name in QUEUE_COUNTS.values() if name not in attributes]
        if lacking:  # a count that was not given is no count of 0
            asked = f"sqs:GetQueueAttributes of {url}"
            said = f"{asked}: the answer lacks {', '.join(lacking)}"
            raise AccessError(said, code="IncompleteAnswer", asked=asked)
        return attributes

    @cached_property
    def functions(self) -> Mapping[str, Row | Coverage]:
        """The configuration of each named function by role, or why it could not be read."""
        return {role: self._configuration(name) for role, name in self.names.functions.items()}

    def _configuration(self, name: str) -> Row | Coverage:
        try:
            return self.connection.call("lambda", "GetFunctionConfiguration", FunctionName=name)
        except AccessError as error:
            return gap(error)


def gap(error: AccessError) -> Coverage:
    """Return the coverage of what an error kept from being read: AWS's own code, and the action."""
    status = "denied" if error.kind == "denied" else "failed"
    return Coverage(status, f"{error.code}: {error.asked}")


def between(start: datetime | None, end: datetime | None) -> str:
    """Return the time that evidence can tell about as an ISO 8601 interval; `..` is an open end."""
    return "/".join(isoformat(moment) if moment else ".." for moment in (start, end))


def not_configured(what: str) -> Coverage:
    """Return the coverage of what the configuration does not name."""
    return Coverage("skipped", f"no {what} is configured")
