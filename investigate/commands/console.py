"""The two streams of a command: results to standard output, everything else to standard error."""

from __future__ import annotations

import io
import sys
from typing import TextIO

from investigate.display import visible


class Console:
    """Writes results and messages, in UTF-8 whatever the locale says.

    On a terminal, what could move its cursor or turn the writing round is shown by number, in
    results for machines too: evidence is full of what strangers sent. A file or a pipe gets a
    result as it is.
    """

    def __init__(self) -> None:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(encoding="utf-8", errors="backslashreplace")

    def out(self, text: str) -> None:
        """Write a result, at once: a reader may wait for it while the command goes on."""
        _write(sys.stdout, text if text.endswith("\n") else text + "\n")

    def say(self, text: str) -> None:
        """Write a message about the work, at once."""
        _write(sys.stderr, text + "\n")


def _write(stream: TextIO, text: str) -> None:
    stream.write(visible(text) if stream.isatty() else text)
    stream.flush()
