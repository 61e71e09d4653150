"""A command line run in this process, or in one of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from investigate import cli
from tests.builders import Event, event_row, evidence_of, raw_row

ROOT = Path(__file__).resolve().parent.parent.parent
CASES = ROOT / "data" / "cases"
HEALTHY, LOST = str(CASES / "healthy"), str(CASES / "lost-events")
START, END = "2026-03-10T00:00:00Z", "2026-03-13T00:00:00Z"
INVESTIGATE = [sys.executable, "-m", "investigate"]


@pytest.fixture
def ask(capsys):
    """Run a command line; return its exit code, standard output and standard error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        code = cli.main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def case(tmp_path):
    """A small case of which only the raw objects and the index were captured."""
    event = Event("a")
    return evidence_of(tmp_path, raw=[raw_row(event)], events=[event_row(event)]).case.folder


def process(*arguments: str, **options):
    return subprocess.run(
        [*INVESTIGATE, *arguments], capture_output=True, text=True, check=False, **options
    )
