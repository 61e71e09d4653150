"""`python -m benchmarks fuzz`: every parser on a million inputs, and the lines of the runs."""

from __future__ import annotations

import argparse
import re
import resource
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.documents import markdown_table
from benchmarks.fuzz.targets import TARGETS
from benchmarks.fuzz.worker import LONGEST, MEMORY_MB, SECONDS

REQUIREMENTS = "benchmarks/fuzz/requirements.txt"
_HEADING = ["parser", "reads", "extremes", "inputs", "CPU s", "edges", "crashes", "most MB", "on"]
_TEXTS = ("parser", "reads", "on")
_HEAD = f"""# Fuzzing

Every parser that reads what others wrote, on inputs nobody meant for it. `python -m benchmarks fuzz
--write docs/fuzzing.md` wrote the table: each line is one run, and nothing in it was typed.

A parser passes if it takes each input, or refuses it with an error of its own that says something
short, within {SECONDS} seconds of a processor and {MEMORY_MB:,} MB, and if what must hold of its
answers does: canonical JSON is that of the reference encoder, rows fit their table, what is kept as
JSON is JSON, a file is in its case.

The extremes come first: nesting at every critical depth, numbers of 200,000 digits, long runs, what
unpacks to a thousand times its size. Then come inputs of at most {LONGEST:,} bytes that atheris
makes of others, by the edges of the package's code that they reach
(`{REQUIREMENTS}`); without it, by chance alone.

`tests/fuzz/` drives the same targets with hypothesis, and keeps what was found.

"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run: how many inputs of each kind, what they took, and how it broke if it did."""

    parser: str
    extremes: int
    inputs: int
    seconds: float
    edges: int | None
    peak_mb: int
    crash: str = ""

    def cells(self, day: str) -> list[str]:
        """Return the line of the table."""
        return [
            self.parser, TARGETS[self.parser].reads, f"{self.extremes:,}", f"{self.inputs:,}",
            f"{self.seconds:,.0f}", "–" if self.edges is None else f"{self.edges:,}",
            "1" if self.crash else "0", f"{self.peak_mb:,}", day,
        ]  # fmt: skip


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    known = ", ".join(TARGETS)
    parser.add_argument("--parser", action="append", default=[], help=f"only these, of {known}")
    parser.add_argument("--inputs", type=int, default=1_000_000, help="for each (1000000)")
    parser.add_argument("--keep", default="", help="a folder for inputs that break a parser")
    parser.add_argument("--write", default="", help="a document whose lines are written anew")


def run(chosen: argparse.Namespace) -> int:
    """Run the parsers one after another; 1 if one of them broke, 2 for a name that is none."""
    strange = [name for name in chosen.parser if name not in TARGETS]
    if strange:
        _say(f"{strange[0]} is none of {', '.join(TARGETS)}")
        return 2
    if not find_spec("atheris"):
        _say(f"atheris is not installed, so that nothing guides the inputs: see {REQUIREMENTS}")
    broken = 0
    for name in chosen.parser or TARGETS:
        outcome = fuzzed(name, chosen.inputs, chosen.keep)
        day = datetime.now(UTC).date().isoformat()
        print(" | ".join(outcome.cells(day)), flush=True)
        if outcome.crash:
            broken += 1
            _say(outcome.crash)
        if chosen.write:
            write_lines(Path(chosen.write), {name: outcome.cells(day)})
    return int(broken > 0)


def fuzzed(parser: str, inputs: int, keep: str = "") -> Outcome:
    """Return how a parser stood so many inputs, in a process of its own."""
    with TemporaryDirectory(prefix="investigate-fuzz-") as scratch:
        words = [sys.executable, "-m", "benchmarks.fuzz.worker", parser, str(inputs), scratch]
        began = _used()
        done = subprocess.run(words, capture_output=True, check=False)  # noqa: S603 - our own
        seconds = _used() - began
        said = done.stderr.decode("utf-8", "replace")
        crash = ""
        if done.returncode:
            crash = f"{parser}: exit code {done.returncode}\n{said[-6_000:]}"
            _keep(Path(scratch), Path(keep) if keep else None, parser)
    edges = _counted(r"cov: (\d+)", said)
    return Outcome(
        parser=parser,
        extremes=_counted(r"extremes: (\d+)", said) or 0,
        inputs=_counted(r"number_of_executed_units:\s+(\d+)", said) or 0,
        seconds=seconds,
        edges=edges,
        peak_mb=_counted(r"peak_rss_mb:\s+(\d+)", said) or 0,
        crash=crash,
    )


def _used() -> float:
    """Return the seconds of the processor that the runs have taken so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _counted(pattern: str, said: str) -> int | None:
    found = re.findall(pattern, said)
    return int(found[-1]) if found else None


def _keep(scratch: Path, folder: Path | None, parser: str) -> None:
    """Copy the input that broke a parser to where it can be looked at."""
    if folder is None:
        return
    for crash in sorted(scratch.glob("crash-*")):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{parser}-{crash.name}").write_bytes(crash.read_bytes())


def write_lines(document: Path, lines: dict[str, list[str]]) -> None:
    """Write a document with these lines in its table, in the place of those of the same parsers."""
    known = document.read_text(encoding="utf-8").splitlines() if document.exists() else []
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in known if "|" in line]
    table = {row[0]: row for row in rows if row[0] in TARGETS and len(row) == len(_HEADING)}
    table |= lines
    ordered = [table[name] for name in TARGETS if name in table]
    text = _HEAD + markdown_table(_HEADING, ordered, _TEXTS) + "\n"
    if untried := [name for name in TARGETS if name not in table]:
        text += f"\nNo run of these is written down yet: {', '.join(untried)}.\n"
    document.write_text(text, encoding="utf-8")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
