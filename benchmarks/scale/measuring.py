"""Programs in a process of their own: how long, on how many cores, with how much memory."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_POLL = 0.01


class Failed(Exception):
    """A program that is measured did not do its work."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What a program took: seconds by the clock, seconds of work on all cores, and the most memory
    that it or one of the programs it started held at a time."""

    wall: float
    cpu: float
    peak_mb: float

    def as_json(self) -> dict[str, Any]:
        """Return the figures as JSON values."""
        return asdict(self)


def measured(
    command: Sequence[str], printed: Path, *, within: float, allowed: Sequence[int] = (0,)
) -> Measured:
    """Run a program, with what it prints in a file, and return what it took.

    The caller should be small: on Linux a new process begins with the memory of who started it.
    Raises `Failed` with its last words if it ends otherwise than allowed, or not in time.
    """
    words = printed.with_name(f"{printed.name}.err")
    started = time.perf_counter()
    with printed.open("wb") as out, words.open("wb") as err:
        process = subprocess.Popen(  # noqa: S603
            command, stdout=out, stderr=err, stdin=subprocess.DEVNULL, start_new_session=True
        )
        status, used = _waited(process.pid, started + within)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in allowed:
        late = f" after {within:.0f} s" if wall >= within else ""
        said = words.read_text(encoding="utf-8", errors="replace")[-2000:]
        raise Failed(f"{' '.join(command)} ended with {process.returncode}{late}:\n{said}")
    return Measured(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def _waited(pid: int, until: float) -> tuple[int, Any]:
    """Wait for a process and return its status and what it used; kill it when its time is up."""
    while True:
        ended, status, used = os.wait4(pid, os.WNOHANG)
        if ended:
            return status, used
        if time.perf_counter() >= until:
            os.killpg(pid, signal.SIGKILL)
            _, status, used = os.wait4(pid, 0)
            return status, used
        time.sleep(_POLL)
