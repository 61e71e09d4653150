"""The time of a sandbox: moved by hand, or the time on the wall."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Protocol


class Clock(Protocol):
    """What tells the pipeline what time it is."""

    def now(self) -> datetime:
        """The current moment, aware, in UTC."""

    def move_to(self, moment: datetime) -> None:
        """Let the time become `moment`; a moment that has passed changes nothing."""


class LogicalClock:
    """A clock that stands still until it is moved."""

    def __init__(self, start: datetime) -> None:
        self._now = start.astimezone(UTC)

    def now(self) -> datetime:
        """The moment the clock was last moved to."""
        return self._now

    def move_to(self, moment: datetime) -> None:
        """Move forward; never back."""
        self._now = max(self._now, moment.astimezone(UTC))


class EmulatorClock(LogicalClock):
    """A logical clock that the whole process sees, the emulator's own code included."""

    def __init__(self, start: datetime, traveller: Any) -> None:
        super().__init__(start)
        self._traveller = traveller
        self.listeners: list[Callable[[], None]] = []  # told after every move

    def move_to(self, moment: datetime) -> None:
        """Move forward, and everything that asks for the time with it."""
        super().move_to(moment)
        self._traveller.move_to(self._now)
        for listener in self.listeners:
            listener()


class WallClock:
    """The real time; moving to a moment waits for it."""

    def now(self) -> datetime:
        """The time on the wall."""
        return datetime.now(UTC)

    def move_to(self, moment: datetime) -> None:
        """Wait until `moment`."""
        time.sleep(max(0.0, (moment - self.now()).total_seconds()))
