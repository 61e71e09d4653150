"""How far, how fast and how long a recovery may go, and what stops it early."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from investigate.model import isoformat


@dataclass(frozen=True, slots=True)
class SendLimits:
    """The scope of one run: messages, seconds, and messages per second (None: not limited)."""

    messages: int
    seconds: float
    rate: float | None = None


@dataclass
class Pace:
    """The time of a run: `clock` tells it, `limits` end it, and a signal asks it to end."""

    limits: SendLimits
    clock: Callable[[], datetime]
    poll_seconds: float = 1.0
    stop: threading.Event = field(default_factory=threading.Event)
    _began: float = field(default_factory=time.monotonic)
    _last: float | None = None  # when the last message was sent

    def stamp(self) -> str:
        """Return the time for the record."""
        return isoformat(self.clock())

    def begin(self) -> None:
        """Let the seconds of the limit count from here."""
        self._began = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since the work began."""
        return time.monotonic() - self._began

    def over(self) -> str:
        """Return why no more may be done: a signal, or the seconds are over; empty: go on."""
        if self.stop.is_set():
            return "a signal asked to stop"
        if self.elapsed >= self.limits.seconds:
            return f"--max-seconds {self.limits.seconds:g} are over"
        return ""

    def wait_turn(self) -> None:
        """Wait until another message may follow the last one; a signal ends the wait. Counted
        from the last one, so that no burst makes up for a time in which AWS did not answer."""
        if self.limits.rate and self._last is not None:
            due = self._last + 1 / self.limits.rate
            self.stop.wait(max(0.0, due - time.monotonic()))

    def sending(self) -> None:
        """Note that a message is being sent now."""
        self._last = time.monotonic()

    def wait(self) -> None:
        """Wait for the next look, or until the seconds are over, or for a signal."""
        rest = self.limits.seconds - self.elapsed
        self.stop.wait(max(0.0, min(self.poll_seconds, rest)))
