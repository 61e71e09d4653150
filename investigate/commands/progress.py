"""How a capture is getting on: one line that is written again, or plain lines in a log."""

from __future__ import annotations

import sys
import threading
import time

from investigate.errors import AccessError
from investigate.model import counted

EVERY_ON_TERMINAL, EVERY_IN_LOG = 0.5, 5.0  # seconds
_NEW_LINE, _CLEAR = "\r", "\x1b[K"


class Progress:
    """Takes a table and how many of its rows are there, from any thread, and says so now and then.

    Use as a context manager, which says the last word on the last table.
    """

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._guard = threading.Lock()
        self._table = ""
        self._rows = self._first = 0
        self._began = self._said = 0.0
        self._waited = -EVERY_IN_LOG

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        with self._guard:
            self._close()

    def __call__(self, table: str, rows: int) -> None:
        """Take the news."""
        now = time.monotonic()
        with self._guard:
            if table != self._table:
                self._close()
                self._table, self._began, self._said = table, now, now
                self._first = rows  # an earlier run may have read them
            self._rows = rows
            if now - self._said >= (EVERY_ON_TERMINAL if self._live else EVERY_IN_LOG):
                self._said = now
                self._say(last=False)

    def waits(self, error: AccessError) -> None:
        """Say why nothing goes on, if it was not said just now."""
        now = time.monotonic()
        with self._guard:
            if now - self._waited >= EVERY_IN_LOG:
                self._waited = now
                clear = _NEW_LINE + _CLEAR if self._live else ""
                sys.stderr.write(f"{clear}  waiting, to ask again: {error.message}\n")
                sys.stderr.flush()

    def _close(self) -> None:
        if self._table:
            self._say(last=True)

    def _say(self, *, last: bool) -> None:
        seconds = time.monotonic() - self._began
        rate = f", {(self._rows - self._first) / seconds:,.0f}/s" if seconds >= 1 else ""
        line = f"  {self._table}: {counted(self._rows, 'row')}{rate}"
        if self._live:
            sys.stderr.write(_NEW_LINE + line + _CLEAR + ("\n" if last else ""))
        elif last or rate:
            sys.stderr.write(line + "\n")
        sys.stderr.flush()
