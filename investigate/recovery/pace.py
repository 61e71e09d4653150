"""How far, how fast and how long a recovery may go, and what stops it early."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from investigate.model import isoformat

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows does not know the last
_SIGNALS = [getattr(signal, one) for one in _NAMES if hasattr(signal, one)]


@dataclass(frozen=True, slots=True)
class Limits:
    """The scope of one run: messages, seconds, and messages per second (None: not limited)."""

    messages: int
    seconds: float
    rate: float | None = None


@dataclass
class Pace:
    """The time of a run: `clock` tells it, `limits` end it, and a signal asks it to end."""

    limits: Limits
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


@contextmanager
def signals_noted(stop: threading.Event) -> Iterator[None]:
    """Let Ctrl-C, a hangup and a request to end set an event instead of ending the process, so
    that what was begun is ended in order. Outside the main thread signals cannot be caught."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def signals_ending() -> Iterator[None]:
    """Let the same signals end the process while it waits for a person: nothing is begun yet."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    usual = {signal.SIGINT: signal.default_int_handler}
    before = {
        number: signal.signal(number, usual.get(number, signal.SIG_DFL)) for number in _SIGNALS
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
