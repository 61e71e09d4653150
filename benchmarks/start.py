"""How long `import investigate` and `investigate --help` take, beside bare Python and pandas."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from benchmarks.documents import markdown_table, write_section
from benchmarks.machine import described
from investigate.terminal_text import table

STARTS = {
    "bare Python": ("-c", "pass"),
    "`import investigate`": ("-c", "import investigate"),
    "`investigate --help`": ("-m", "investigate", "--help"),
    "`investigate checks`": ("-m", "investigate", "checks"),
    "`import pandas`": ("-c", "import pandas"),
}
HEADING = ["what starts", "median ms", "least ms", "times bare Python"]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument("--rounds", type=int, default=15, help="processes of each (15)")
    parser.add_argument("--write", type=Path, help="a document whose section is written anew")


def run(chosen: argparse.Namespace) -> int:
    """Start each in processes of its own, in turn, and print the table; 1 if one of them fails."""
    rounds: dict[str, list[float]] = {name: [] for name in STARTS}
    for number in range(chosen.rounds + 1):
        for name, arguments in STARTS.items():
            seconds = _seconds(arguments)
            if seconds is None:
                print(f"{name} fails", file=sys.stderr)
                return 1
            if number:  # the first round reads the files from the disk
                rounds[name].append(seconds)
    rows = _rows(rounds)
    print(table([HEADING, *rows]))
    if chosen.write:
        write_section(chosen.write, "start", _section(chosen.rounds, rows))
    return 0


def _seconds(arguments: Sequence[str]) -> float | None:
    """Return how long a process takes from its start to its end; None if it does not succeed."""
    begun = time.perf_counter()
    done = subprocess.run(  # noqa: S603 - the arguments stand above
        [sys.executable, *arguments], stdout=subprocess.DEVNULL, check=False
    )
    return None if done.returncode else time.perf_counter() - begun


def _rows(rounds: dict[str, list[float]]) -> list[list[str]]:
    bare = median(rounds["bare Python"])
    return [
        [
            name,
            f"{median(seconds) * 1000:.0f}",
            f"{min(seconds) * 1000:.0f}",
            f"{median(seconds) / bare:.1f}",
        ]
        for name, seconds in rounds.items()
    ]


def _section(rounds: int, rows: Sequence[list[str]]) -> str:
    day = datetime.now(UTC).date().isoformat()
    command = f"python -m benchmarks start --rounds {rounds} --write docs/benchmarks.md"
    return "\n\n".join(
        [
            "## Start (`start`)",
            f"`{command}`, {day}: {described(['pandas'])}.",
            f"Each line is {rounds} processes, from their start to their end, in turn with those "
            "of the other lines.",
            markdown_table(HEADING, list(rows)),
        ]
    )
