"""What is measured of a case: its writing, and the commands that a user types."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.scale.measuring import Measured, measured
from benchmarks.synthetic.truth import TRUTH

FOUND = (0, 1, 3)  # exit codes of a check or a report that was made


@dataclass(frozen=True, slots=True)
class Bench:
    """A case that is measured, a folder for what the stages write, and the limits."""

    case: Path
    scratch: Path
    within: float
    memory: str = ""  # of an engine, such as 2GB; empty: no limit

    def command(self, name: str, *words: str) -> list[str]:
        """Return a command of the product for this case."""
        limit = ["--memory", self.memory] if self.memory else []
        return [sys.executable, "-m", "investigate", name, str(self.case), *words, *limit]

    def run(self, name: str, command: Sequence[str], allowed: Sequence[int] = (0,)) -> Measured:
        """Run a program and return what it took; what it prints is in the file of the stage."""
        return measured(command, self.printed(name), within=self.within, allowed=allowed)

    def printed(self, name: str) -> Path:
        """Return the file with what a stage printed."""
        return self.scratch / f"{name}.out"

    def told(self, name: str) -> Any:
        """Return what a worker printed, as JSON."""
        return json.loads(self.printed(name).read_text(encoding="utf-8"))


def worker(stage: str, *words: str) -> list[str]:
    """Return the command of a stage that is no command of the product."""
    return [sys.executable, "-m", "benchmarks.scale.worker", stage, *words]


def generate(bench: Bench, events: int, every: int) -> Measured:
    """Write the case, and return what it took; no stage of the product."""
    return bench.run("generate", worker("generate", str(bench.case), str(events), str(every)))


def _write(bench: Bench) -> Measured:
    target = bench.scratch / bench.case.name
    return bench.run("write", worker("write", str(bench.case), str(target)))


def _check(bench: Bench) -> Measured:
    return bench.run("check", bench.command("check", "--format", "json"), FOUND)


def _ledger(bench: Bench) -> Measured:
    return bench.run("ledger", bench.command("ledger"))


def _trace(bench: Bench) -> Measured:
    truth = json.loads((bench.case / TRUTH).read_text(encoding="utf-8"))
    event_id = truth["findings"]["processor/swallowed-errors"][0]
    return bench.run("trace", bench.command("trace", event_id))


def _report(bench: Bench) -> Measured:
    out = bench.scratch / "report"
    return bench.run("report", bench.command("report", "--out", str(out)), FOUND)


STAGES: dict[str, Callable[[Bench], Measured]] = {
    "write": _write, "check": _check, "ledger": _ledger, "trace": _trace, "report": _report,
}  # fmt: skip


def judge(bench: Bench) -> list[str]:
    """Return how what `check` found differs from the truth of the case."""
    bench.run("judge", worker("judge", str(bench.case), str(bench.printed("check"))))
    return [str(line) for line in bench.told("judge")]
