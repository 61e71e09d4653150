"""How a notebook ended: one word for machines, one sentence for people."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class RunState(Enum):
    """How the run of a notebook ended. Only `done` says that it shows everything it should."""

    DONE = "done"
    CELL_FAILED = "cell-failed"  # a cell raised an error
    TIMED_OUT = "timed-out"  # a cell or the notebook took longer than it may
    TOO_MUCH_OUTPUT = "too-much-output"
    KERNEL_DIED = "kernel-died"
    NO_KERNEL = "no-kernel"  # it did not start, also when tried again
    ENDED_EARLY = "ended-early"  # by SystemExit, with whatever exit code
    NO_RESULT = "no-result"  # all cells ran, and the last one did not show the end marker
    DEADLINE = "deadline"  # it was running when the time of the whole run was over
    NOT_STARTED = "not-started"  # its turn had not come by then


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of one notebook; `reason` says in a sentence why it is not `done`, else is empty."""

    state: RunState
    reason: str = ""


DONE = Ending(RunState.DONE)
