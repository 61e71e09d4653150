"""What a signal does to a recovery: before anything is begun, and while it is under way."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows does not know the last
_SIGNALS = [getattr(signal, one) for one in _NAMES if hasattr(signal, one)]


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
