"""`python -m benchmarks paper`: what 10^8 and 10^9 events would take, by what smaller ones did."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.documents import write_section
from benchmarks.paper.measured import Unusable, read
from benchmarks.paper.tables import as_markdown

EVENTS = (10**8, 10**9)
MEASURED = Path("docs/scale.json")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument(
        "--measured",
        type=Path,
        default=MEASURED,
        help=f"what `scale --json` wrote ({MEASURED.as_posix()})",
    )
    parser.add_argument("--write", type=Path, help="a page whose tables are written anew")


def run(chosen: argparse.Namespace) -> int:
    """Print the tables; 2 if there is nothing to reckon from, or no page to write to."""
    try:
        text = as_markdown(read(chosen.measured), EVENTS)
        print(text)
        if chosen.write:
            _write(chosen.write, text)
    except (Unusable, ValueError) as error:
        print(f"paper: {error}", file=sys.stderr)
        return 2
    return 0


def _write(page: Path, text: str) -> None:
    if not page.is_file():
        raise Unusable(f"{page} does not exist: its text is written by hand, only tables are not")
    write_section(page, "paper", text)
