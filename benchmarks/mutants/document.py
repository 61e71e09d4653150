"""docs/mutation.md: a line for each module that was mutated, and each mutant that survived."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.documents import markdown_table
from benchmarks.mutants.subjects import TESTS

_HEADING = ["module", "mutants", "tried", "noticed", "%", "CPU s", "on"]
_TEXTS = ("module", "on")
_HEAD = """# Mutation

Which wrong diagnoses the tests would let through: comparisons turned and moved by their edge,
parts of conditions dropped and negated, filters dropped, joins turned, unknown taken for true, each
alone, and the tests that answer for the module run on it. `python -m benchmarks mutants --write
docs/mutation.md` wrote the table and the list; nothing in them was typed. Where fewer are tried
than there are, they are every Nth in the order of the source (`--every`).

"""
_SURVIVORS = """
## What survived

The change that no test noticed. Some change nothing that can be told: a filter that another join
repeats, an edge between two values that cannot meet.

"""
_LINE = re.compile(r"\* `([\w.]+):\d+`")


def write_lines(document: Path, rows: Iterable[Sequence[str]], survivors: Iterable[str]) -> None:
    """Write a document with these rows and survivors in the place of those of the same modules."""
    known = document.read_text(encoding="utf-8").splitlines() if document.exists() else []
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in known if "|" in line]
    table = {row[0].strip("`"): row for row in cells if row[0].strip("`") in TESTS}
    new = {row[0]: [f"`{row[0]}`", *row[1:]] for row in rows}
    table |= new
    ordered = [table[module] for module in TESTS if module in table]
    kept = [line for line in known if _module(line) in table.keys() - new.keys()]
    lines = [*kept, *(f"* `{name}` {change}" for name, change in map(_apart, survivors))]
    lines.sort(key=lambda line: list(TESTS).index(_module(line)))
    text = _HEAD + markdown_table(_HEADING, [*ordered, _all(ordered)], _TEXTS) + "\n"
    if untried := [module for module in TESTS if module not in table]:
        text += f"\nNo run of these is written down yet: {', '.join(untried)}.\n"
    text += _SURVIVORS + "\n".join(lines or ["None."]) + "\n"
    document.write_text(text, encoding="utf-8")


def row_of(module: str, mutants: int, tried: int, noticed: int, seconds: float) -> list[str]:
    """Return the figures of a module, as they stand in its row, without the day."""
    share = f"{100 * noticed / tried:.1f}" if tried else "–"
    return [module, f"{mutants:,}", f"{tried:,}", f"{noticed:,}", share, f"{seconds:,.0f}"]


def _all(rows: Sequence[Sequence[str]]) -> list[str]:
    sums = [sum(int(row[place].replace(",", "")) for row in rows) for place in (1, 2, 3, 5)]
    return [*row_of("all", *sums), ""]


def _apart(survivor: str) -> tuple[str, str]:
    name, _, change = survivor.partition(" ")
    return name, change.replace("|", r"\|")


def _module(line: str) -> str:
    told = _LINE.match(line)
    return told[1] if told else ""
