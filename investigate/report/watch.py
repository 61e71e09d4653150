"""How long a run, a notebook and a cell may take, and what stops them when they take longer."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from threading import Lock
from typing import Any

from jupyter_client.manager import AsyncKernelManager

from investigate.memory import DEFAULT_ENGINE_MEMORY, EngineMemory
from investigate.report.ending import Ending, RunState

# Windows has no SIGKILL, and ends a process as hard by SIGTERM.
KILL = getattr(signal, "SIGKILL", signal.SIGTERM)
STOPPED = Ending(RunState.NOT_STARTED, "the run was stopped")


@dataclass(frozen=True, slots=True)
class RunLimits:
    """What one run may take: seconds, for `printed` characters, and `memory` for its queries."""

    cell: float = 120
    notebook: float = 900
    start: int = 90  # until a new kernel answers
    grace: float = 5  # for a cell that was interrupted, before its kernel is killed
    printed: int = 1_000_000  # by one notebook; those of this package print nothing
    memory: EngineMemory = DEFAULT_ENGINE_MEMORY


LIMITS = RunLimits()


class KernelWatch:
    """Watches one notebook while it runs, and kills its kernel when a limit is reached.

    It lives in the event loop of the thread that runs the notebook. `ending` says why the notebook
    was stopped, and stays None if it was not; `began` whether any cell was sent to the kernel.
    """

    def __init__(self, limits: RunLimits, until: float = inf) -> None:
        self.ending: Ending | None = None
        self._limits = limits
        self._until = until
        self._cells = 0
        self._kernel: AsyncKernelManager | None = None
        self._starting: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timers: list[asyncio.TimerHandle] = []
        self._cell_timers: list[asyncio.TimerHandle] = []
        self._signals: list[asyncio.Task[None]] = []  # a task nobody holds may vanish
        self._killed = False

    @property
    def began(self) -> bool:
        """Whether any cell was sent to the kernel."""
        return self._cells > 0

    @contextmanager
    def timed(self, loop: asyncio.AbstractEventLoop) -> Iterator[None]:
        """Hold the notebook to its own limit and to the end of the run, as long as this lasts."""
        self._loop = loop
        self._timers = [loop.call_later(self._limits.notebook, self._notebook_is_late)]
        if self._until < inf:
            self._timers.append(loop.call_at(self._until, self._run_is_late))
        try:
            yield
        finally:
            self._cancel(self._timers)
            self._cancel(self._cell_timers)

    async def start(self, kernel: AsyncKernelManager, starting: Coroutine[Any, Any, None]) -> None:
        """Wait for the start of a kernel and take charge of it; one that started too late is killed
        at once. Raise `RuntimeError` if the notebook is stopped before."""
        self._kernel = kernel
        self._starting = asyncio.create_task(starting)
        await asyncio.wait([self._starting])
        if self._starting.cancelled():
            raise RuntimeError("it was stopped before")
        self._starting.result()
        if self.ending:
            self._kill(kernel)

    def cell_begins(self, **_: Any) -> None:
        """Start the clock of a cell."""
        self._cells += 1
        loop = asyncio.get_running_loop()
        limit, grace = self._limits.cell, self._limits.grace
        self._cell_timers = [
            loop.call_later(limit, self._interrupt),
            loop.call_later(limit + grace, self._could_not_interrupt),
        ]

    def cell_ends(self, **_: Any) -> None:
        """Stop the clock of a cell."""
        self._cancel(self._cell_timers)

    def printed(self, total: int) -> None:
        """Stop a notebook that has printed so many characters, if that is too much."""
        if total > self._limits.printed:
            said = f"cell {self._cells} printed more than {self._limits.printed:,} characters"
            self.stop(Ending(RunState.TOO_MUCH_OUTPUT, said))

    def stop(self, ending: Ending) -> None:
        """Kill the kernel for this reason, or as soon as there is one."""
        if self._killed:
            return
        self.ending = ending
        # Jupyter's start goes on for a moment when there is a process already.
        if self._kernel and self._kernel.has_kernel:
            self._kill(self._kernel)
        elif self._starting:
            self._starting.cancel()

    def stop_from_outside(self, ending: Ending) -> None:
        """Do the same from another thread, while the notebook is `timed`."""
        if self._loop:
            self._loop.call_soon_threadsafe(self.stop, ending)

    def _kill(self, kernel: AsyncKernelManager) -> None:
        # nbclient notices within a second that the kernel is gone, and gives the notebook up.
        self._killed = True
        self._send(kernel, KILL)

    def _interrupt(self) -> None:
        said = f"cell {self._cells} took longer than {self._limits.cell:g} s and was stopped"
        # Kept even if the cell goes on: whoever was interrupted may have left something out.
        self.ending = Ending(RunState.TIMED_OUT, said)
        if self._kernel:
            self._send(self._kernel, signal.SIGINT)

    def _send(self, kernel: AsyncKernelManager, number: int) -> None:
        if kernel.has_kernel:
            self._signals.append(asyncio.ensure_future(kernel.signal_kernel(number)))

    def _could_not_interrupt(self) -> None:
        said = f"cell {self._cells} took longer than {self._limits.cell:g} s"
        self.stop(Ending(RunState.TIMED_OUT, f"{said} and could not be interrupted"))

    def _notebook_is_late(self) -> None:
        said = f"the notebook took longer than {self._limits.notebook:g} s and was stopped"
        self.stop(Ending(RunState.TIMED_OUT, f"{said} {self._where()}"))

    def _run_is_late(self) -> None:
        said = f"the deadline of the whole run was reached {self._where()}"
        self.stop(Ending(RunState.DEADLINE, said))

    def _where(self) -> str:
        return f"in cell {self._cells}" if self._cells else "before its first cell"

    @staticmethod
    def _cancel(timers: list[asyncio.TimerHandle]) -> None:
        for timer in timers:
            timer.cancel()
        timers.clear()


class Switch:
    """Stops all notebooks of a run at once, from any thread; none begins after that."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._running: list[KernelWatch] = []
        self._off = False

    @contextmanager
    def on(self, watch: KernelWatch) -> Iterator[None]:
        """Let the switch stop this notebook, as long as this lasts."""
        with self._lock:
            self._running.append(watch)
            if self._off:
                watch.stop_from_outside(STOPPED)
        try:
            yield
        finally:
            with self._lock:
                self._running.remove(watch)

    def off(self) -> None:
        """Stop every notebook; returns at once, their threads end within about a second."""
        with self._lock:
            self._off = True
            for watch in self._running:
                watch.stop_from_outside(STOPPED)
