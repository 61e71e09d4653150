"""A command that is told to end cleans up first, as after Ctrl-C."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from investigate.commands.console import Console

# What systemd, docker stop and a closing terminal send; Windows knows the first. Whoever ignores
# one, as nohup does, keeps ignoring it.
_ENDING = [getattr(signal, one) for one in ("SIGTERM", "SIGHUP") if hasattr(signal, one)]


@contextmanager
def stopped_by_signals(console: Console) -> Iterator[None]:
    """Let the signals that end a process leave this block as `SystemExit`, with the exit code that
    a shell reports (128 and the number), so that everything in between is put in order."""
    taken = [one for one in _ENDING if signal.getsignal(one) == signal.SIG_DFL]
    for one in taken:
        signal.signal(one, _leave)
    try:
        yield
    except SystemExit:
        console.say("investigate: stopped")
        raise
    finally:
        for one in taken:
            signal.signal(one, signal.SIG_DFL)


def _leave(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)
