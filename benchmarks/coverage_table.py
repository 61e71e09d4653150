"""What the tests reach of `investigate/`, by package: the data that `make coverage` gathered."""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from coverage import Coverage

from benchmarks.documents import markdown_table, write_section
from benchmarks.machine import described

LEAST = 90.0  # per cent; modules below are named one by one
_KINDS = ("num_statements", "covered_lines", "num_branches", "covered_branches")
_HEADING = ["package", "statements", "run", "branches", "taken", "%"]
_HEAD = """# Coverage

What the tests reach of `investigate/`. `make coverage`, then `python -m benchmarks coverage
--of "WHICH TESTS" --write docs/coverage.md` wrote the section; nothing in it was typed.
"""
Counts = tuple[int, int, int, int]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this table."""
    parser.add_argument("--data", type=Path, default=Path(".coverage"), help="(.coverage)")
    parser.add_argument("--of", default="every test", help="which tests were run, in words")
    parser.add_argument("--write", type=Path, help="a document whose section is written anew")


def run(chosen: argparse.Namespace) -> int:
    """Print the table of the gathered data; 2 if there is none."""
    if not chosen.data.is_file():
        print(f"{chosen.data} is not there: run `make coverage` first")
        return 2
    text = section(files_in(chosen.data), chosen.of)
    print(text)
    if chosen.write:
        if not chosen.write.exists():
            chosen.write.write_text(_HEAD, encoding="utf-8")
        write_section(chosen.write, "coverage", text)
    return 0


def files_in(data: Path) -> Mapping[str, Counts]:
    """Return the counts of each file: statements, those that ran, branches, those taken."""
    gathered = Coverage(data_file=str(data))
    gathered.load()
    with TemporaryDirectory() as folder:
        report = Path(folder) / "coverage.json"
        gathered.json_report(outfile=str(report))
        told: Mapping[str, Any] = json.loads(report.read_text(encoding="utf-8"))["files"]
    return {name: _counts(file["summary"]) for name, file in told.items()}


def _counts(summary: Mapping[str, int]) -> Counts:
    statements, lines, branches, taken = (summary[kind] for kind in _KINDS)
    return statements, lines, branches, taken


def section(files: Mapping[str, Counts], tests: str) -> str:
    """Return the section: a line for each package, all of them, and the modules below `LEAST`."""
    packages: dict[str, list[Counts]] = defaultdict(list)
    for name, counts in sorted(files.items()):
        packages[_package(name)].append(counts)
    rows = [_row(name, many) for name, many in sorted(packages.items())]
    rows.append(_row("all", files.values()))
    low = [
        f"* `{_module(name)}`: {share:.0f} %"
        for name, counts in sorted(files.items())
        if (share := _share(counts)) < LEAST
    ]
    day = datetime.now(UTC).date().isoformat()
    return "\n\n".join(
        [
            f"{day}: {described(['coverage', 'pytest'])}. Run: {tests}.",
            "`%` is of statements and branches together, as coverage.py counts them.",
            markdown_table(_HEADING, rows),
            f"Modules below {LEAST:.0f} %:" if low else f"No module is below {LEAST:.0f} %.",
            *(["\n".join(low)] if low else []),
        ]
    )


def _package(name: str) -> str:
    inside = Path(name).parts
    return f"`{inside[1]}/`" if len(inside) > 2 else "top level"


def _module(name: str) -> str:
    """A name that stays true when the file is called otherwise: it is no path of today's."""
    return ".".join(Path(name).with_suffix("").parts)


def _row(name: str, many: Iterable[Counts]) -> list[str]:
    statements, lines, branches, taken = (sum(kind) for kind in zip(*many, strict=True))
    share = _share((statements, lines, branches, taken))
    return [
        name, f"{statements:,}", f"{lines:,}", f"{branches:,}", f"{taken:,}", f"{share:.1f}",
    ]  # fmt: skip


def _share(counts: Counts) -> float:
    statements, lines, branches, taken = counts
    whole = statements + branches
    return 100.0 * (lines + taken) / whole if whole else 100.0  # an empty file lacks nothing
