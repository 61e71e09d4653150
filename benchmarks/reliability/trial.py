"""One trial: a failure at a boundary, the command that meets it, and what is to be said of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.reliability.commands import Said

BOUNDARIES = (
    "S3", "DynamoDB", "SQS", "Logs", "Lambda", "file system", "kernel", "engine", "notification",
)  # fmt: skip
FAILURES = (
    "throttled", "denied", "timed out", "cut off halfway", "wrong shape", "empty", "enormous",
    "slow", "disk full", "killed",
)  # fmt: skip
# What a person can type or add: an option, a command, a permission, a page of the manual.
NEXT = re.compile(
    r"--[a-z][a-z-]+|\binvestigate [a-z-]+|\ballow [a-z0-9]+:[A-Z]\w+|docs/\w+\.md|mkdir|chmod"
    r"|[Rr]un the same|the next run|capture (it|the case) again|free some space|look before"
    r"|move (the|these) files? away"
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the judge says of one trial: in each field why not, or nothing.

    `ends` is how the command ended, in words for the table; `sentence` what the user was told, and
    empty where there is nothing to tell, as everything came out as it should.
    """

    ends: str
    lost: str = ""
    half_written: str = ""
    wrong: str = ""
    unclear: str = ""
    sentence: str = ""

    @property
    def faults(self) -> list[str]:
        """Everything that is not as it must be, in words."""
        named = {
            "lost": self.lost, "half-written": self.half_written,
            "wrong outcome": self.wrong, "unclear message": self.unclear,
        }  # fmt: skip
        return [f"{name}: {why}" for name, why in named.items() if why]


@dataclass(frozen=True, slots=True)
class Trial:
    """A failure injected at a boundary while a command runs; `moment` tells several trials of one
    row of the table from each other."""

    boundary: str
    failure: str
    command: str
    injected: str
    run: Callable[[Path], Verdict]
    moment: str = ""
    fast: bool = False

    @property
    def name(self) -> str:
        """What it is called while the campaign goes on."""
        parts = (self.boundary, self.failure, self.command, self.injected, self.moment)
        return ", ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Result:
    """A trial that was made, and the verdict."""

    boundary: str
    failure: str
    command: str
    injected: str
    moment: str
    verdict: Verdict


def result(trial: Trial, place: Path) -> Result:
    """Make a trial in a folder of its own and return what came of it."""
    verdict = trial.run(place)
    return Result(
        trial.boundary, trial.failure, trial.command, trial.injected, trial.moment, verdict
    )


def first(*reasons: str) -> str:
    """Return the first reason there is; empty if there is none."""
    return next((reason for reason in reasons if reason), "")


def sentence_of(told: Said) -> str:
    """Return the message with which a command ended, with its hint; empty if there is none."""
    lines = told.err.splitlines()
    begun = [at for at, line in enumerate(lines) if line.startswith("investigate: ")]
    if not begun:
        return ""
    message = [lines[begun[-1]].removeprefix("investigate: ")]
    for line in lines[begun[-1] + 1 :]:
        if not line.startswith("  "):
            break
        message.append(line.strip())
    return " → ".join(message)


def unclear(sentence: str, *resources: str) -> str:
    """Return what a sentence lacks: the name of the resource, or what to type next."""
    missing = [name for name in resources if name not in sentence]
    if not sentence:
        return "nothing is said"
    if missing:
        return f"it does not name {', '.join(missing)}: {sentence}"
    return "" if NEXT.search(sentence) else f"it does not say what to type next: {sentence}"


def bug(told: Said) -> str:
    """Return why a command did not come to an end of its own choice; empty if it did."""
    return f"it ended with a bug: {told.err[-2000:]}" if told.is_bug else ""
