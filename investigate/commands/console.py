"""The two streams of a command: results to standard output, everything else to standard error."""

from __future__ import annotations

import io
import sys


class Console:
    """Writes results and messages, in UTF-8 whatever the locale says."""

    def __init__(self) -> None:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(encoding="utf-8", errors="backslashreplace")

    def out(self, text: str) -> None:
        """Write a result, at once: a reader may wait for it while the command goes on."""
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        sys.stdout.flush()

    def say(self, text: str) -> None:
        """Write a message about the work, at once."""
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
