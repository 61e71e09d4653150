"""A notebook of a report whose kernel fails in one way; the others have nothing the matter."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.reliability.commands import NOTEBOOKS, Said
from benchmarks.reliability.disks import Disk
from benchmarks.reliability.reports import END, QUIET, Reports, half_written, written
from benchmarks.reliability.trial import Trial, Verdict, bug, first, sentence_of, unclear
from investigate.report.history import FINDINGS

NOTEBOOK = NOTEBOOKS[1]
FAILED = 3
_WAITING = "import time\ntime.sleep(600)"
_LONG = 15  # seconds: long enough for every notebook that has nothing the matter


@dataclass(frozen=True, slots=True)
class KernelFailure:
    """One way in which a kernel fails: a cell, the end of the notebook, options, circumstances;
    and the state that the report must give the notebook, or all of them."""

    failure: str
    injected: str
    state: str
    cell: str = ""
    end: str = END
    options: tuple[str, ...] = ()
    breaks: Callable[[], None] | None = None
    of_all: bool = False
    fast: bool = False


def _no_program() -> None:
    """Let the program that a kernel is be one that may not be executed."""
    from investigate.report import kernels

    kernels.CAN_FORK = False
    kernel: Any = kernels.OwnKernel
    kernel.format_kernel_cmd = lambda self, extra_arguments=None: ["/dev/null"]


KERNEL_FAILURES = (
    KernelFailure(
        "denied", "its program may not be executed", "no-kernel", breaks=_no_program, of_all=True,
    ),
    KernelFailure(
        "timed out", "a cell waits for ever, with --notebook-seconds", "timed-out", _WAITING,
        options=("--notebook-seconds", str(_LONG)),
    ),
    KernelFailure("cut off halfway", "it leaves in a cell", "ended-early", "raise SystemExit"),
    KernelFailure(
        "wrong shape", "the last cell shows something else", "no-result", "1", end="'a text'"
    ),
    KernelFailure("empty", "it runs no cell but that of the parameters", "no-result", end=""),
    KernelFailure(
        "enormous", "a cell prints for ever", "too-much-output", "while True: print('x' * 9999)"
    ),
    KernelFailure(
        "slow", "a cell waits for ever, with --deadline", "deadline", _WAITING,
        options=("--deadline", str(3 * _LONG)),
    ),
    KernelFailure(
        "killed", "SIGKILL in a cell", "kernel-died",
        "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", fast=True,
    ),
)  # fmt: skip


def trials(known: Reports) -> Iterator[Trial]:
    """Yield every trial of a kernel."""
    for way in KERNEL_FAILURES:
        run = partial(_failing, known, way)
        yield Trial("kernel", way.failure, "report", way.injected, run, fast=way.fast)
    for room in (0, 40_000):
        yield Trial(
            "kernel", "disk full", "report", "the disk for temporary files is full",
            partial(_cramped, known, room), f"{room} bytes left",
        )  # fmt: skip


def _failing(known: Reports, way: KernelFailure, place: Path) -> Verdict:
    cells = [way.cell] if way.cell else []
    notebooks = written(place / "notebooks", NOTEBOOK, cells, way.end)
    out = known.copy(place)
    told = known.report(out, *way.options, notebooks=notebooks, breaks=way.breaks)
    states = _states(out)
    expected = {name: way.state if way.of_all or name == NOTEBOOK else "done" for name in NOTEBOOKS}
    other = {name: state for name, state in states.items() if state != expected[name]}
    wrong = first(
        bug(told),
        f"exit code {told.code}" if told.code != FAILED else "",
        f"other states: {other}" if other or not states else "",
    )
    return _verdict(known, out, told, f"exit {told.code}, `{way.state}` in the report", wrong)


def _verdict(known: Reports, out: Path, told: Said, ends: str, wrong: str) -> Verdict:
    kept = (out / FINDINGS).read_text(encoding="utf-8") == known.findings
    line = re.search(rf"^  {NOTEBOOK}: (.*)$", told.err, re.MULTILINE)
    sentence = f"{line[0].strip() if line else ''} → {sentence_of(told)}"
    return Verdict(
        ends,
        "" if kept else "the findings are other ones",
        half_written(out),
        wrong,
        unclear(sentence, NOTEBOOK),
        sentence,
    )


def _states(out: Path) -> dict[str, str]:
    path = out / "notebooks.json"
    document = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return {str(one["notebook"]): str(one["state"]) for one in document.get("notebooks", [])}


def _cramped(known: Reports, room: int, place: Path) -> Verdict:
    """A report whose kernels have no room for their files."""
    out, temporary = known.copy(place), place / "temporary"
    temporary.mkdir()
    told = known.report(
        out, disk=Disk(temporary, room), environment={"TMPDIR": str(temporary)}
    )  # fmt: skip
    done = told.code in (QUIET, FAILED)
    wrong = first(bug(told), "" if done or told.code == 2 else f"exit code {told.code}")
    kept = (out / FINDINGS).read_text(encoding="utf-8") == known.findings
    sentence = sentence_of(told)
    return Verdict(
        f"exit {told.code}", "" if kept else "the findings are other ones", half_written(out),
        wrong, "" if told.code == QUIET else unclear(sentence), sentence,
    )  # fmt: skip
