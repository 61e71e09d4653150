"""Where the lines of a function go: one log stream per execution environment and day."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

from investigate.sandbox.cloud import log_group
from investigate.sandbox.lines import Stamped

LogSink = Callable[[str, str, datetime, str], None]  # function, stream, time, line
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EVENTS_PER_PUT = 5_000


@dataclass
class Environment:
    """A place where a function runs, one invocation at a time."""

    function: str
    stream: str
    day: date
    free_at: datetime


class LogWriter:
    """Keeps lines until they are flushed, so that a seeded pipeline is built fast."""

    def __init__(self, logs: Any, random: Random, sink: LogSink | None = None) -> None:
        self._logs = logs
        self._random = random
        self._sink = sink
        self._day: date | None = None
        self._environments: list[Environment] = []
        self._waiting: dict[tuple[str, str], list[Stamped]] = {}

    def environment(self, function: str, now: datetime) -> tuple[Environment, bool]:
        """Return a free environment of the function, and whether it had to be started."""
        for known in self._environments:
            if (known.function, known.day) == (function, now.date()) and known.free_at <= now:
                return known, False
        stream = f"{now:%Y/%m/%d}/[$LATEST]{self._random.getrandbits(128):032x}"
        started = Environment(function, stream, now.date(), now)
        self._environments = [one for one in self._environments if one.day == now.date()]
        self._environments.append(started)
        self._logs.create_log_stream(logGroupName=log_group(function), logStreamName=stream)
        return started, True

    def write(self, environment: Environment, lines: list[Stamped]) -> None:
        """Keep the lines of one invocation, in order."""
        if environment.day != self._day:  # log events may not be two weeks old
            self.flush()
            self._day = environment.day
        where = (environment.function, environment.stream)
        self._waiting.setdefault(where, []).extend(lines)
        for moment, line in lines if self._sink else ():
            self._sink(*where, moment, line)  # type: ignore[misc]

    def flush(self) -> None:
        """Hand every kept line to the log service."""
        for (function, stream), lines in self._waiting.items():
            events = [{"timestamp": _millis(at), "message": line} for at, line in lines]
            for first in range(0, len(events), EVENTS_PER_PUT):
                self._logs.put_log_events(
                    logGroupName=log_group(function),
                    logStreamName=stream,
                    logEvents=events[first : first + EVENTS_PER_PUT],
                )
        self._waiting.clear()


def _millis(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(milliseconds=1)
