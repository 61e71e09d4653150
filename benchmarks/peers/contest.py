"""The tools that are asked, and what each of them took and answered, round by round."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.peers.questions import QUESTIONS, Answers
from benchmarks.scale.measuring import Failed, Measured, measured
from investigate.checks import book

CHECK_CODES = (0, 1, 3)  # exit codes of a check that was made


@dataclass(frozen=True, slots=True)
class Contender:
    """A tool: the module that asks it, or none for the command of the product; what it needs; and
    whether it reads the case as it is, or the tables written out."""

    name: str
    module: str
    package: str
    own_format: bool = False

    @property
    def installed(self) -> bool:
        """Whether the package is there."""
        return find_spec(self.package) is not None

    def command(self, case: Path, tables: Path) -> list[str]:
        """Return the program that asks it."""
        if self.module:
            folder = case if self.own_format else tables
            module = f"benchmarks.peers.contenders.{self.module}"
            return [sys.executable, "-m", module, str(folder)]
        steps = [word for step in STEPS for word in ("--step", step)]
        return [sys.executable, "-m", "investigate", "check", str(case), *steps, "--format", "json"]


STEPS = sorted({book[code].step.value for code in QUESTIONS})
OURS = Contender("Investigate", "product", "investigate", own_format=True)
COMMAND = Contender("`investigate check`", "", "investigate", own_format=True)
DUCKDB = Contender("DuckDB SQL by hand", "with_duckdb", "duckdb")
POLARS = Contender("polars", "with_polars", "polars")
PANDAS = Contender("pandas", "with_pandas", "pandas")
CONTENDERS = (OURS, DUCKDB, POLARS, PANDAS, COMMAND)


@dataclass
class Result:
    """What a tool took in each round, and its answers (None: it was not asked)."""

    contender: Contender
    rounds: list[Measured] = field(default_factory=list)
    answers: Answers | None = None
    failure: str = ""

    @property
    def wall(self) -> float:
        """Seconds by the clock, in the best round."""
        return min(one.wall for one in self.rounds)

    @property
    def cpu(self) -> float:
        """Seconds of work on all cores, in the best round."""
        return min(one.cpu for one in self.rounds)

    @property
    def peak_mb(self) -> float:
        """The most memory it held in any round."""
        return max(one.peak_mb for one in self.rounds)

    def as_json(self) -> dict[str, Any]:
        """Return everything but the answers as JSON values."""
        return {
            "name": self.contender.name,
            "rounds": [one.as_json() for one in self.rounds],
            "failure": self.failure,
        }


def contest(case: Path, tables: Path, rounds: int, within: float) -> list[Result]:
    """Ask every tool in each round, one after the other, so that what else the machine does falls
    on all of them alike; one that fails or is not installed is not asked again."""
    results = [Result(one, failure=_lacking(one)) for one in CONTENDERS]
    for number in range(rounds):
        for result in results:
            if not result.failure:
                _say(f"round {number + 1} of {rounds}: {result.contender.name}")
                _ask(result, case, tables, within)
    return results


def _lacking(contender: Contender) -> str:
    return "" if contender.installed else "not installed"


def _ask(result: Result, case: Path, tables: Path, within: float) -> None:
    printed = tables / f"{result.contender.module or 'command'}.out"
    allowed: Sequence[int] = (0,) if result.contender.module else CHECK_CODES
    try:
        command = result.contender.command(case, tables)
        took = measured(command, printed, within=within, allowed=allowed)
    except Failed as error:
        result.failure = str(error)
        _say(f"  FAILED: {error}")
        return
    result.rounds.append(took)
    found = json.loads(printed.read_text(encoding="utf-8"))
    result.answers = found if result.contender.module else None


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
