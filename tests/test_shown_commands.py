"""Every command that a page shows runs: on the demo cases, or against a sandbox.

What takes minutes, or needs what is not here, is read by the parser of its program instead, and
stands in `PARSED` with the reason.
"""

from __future__ import annotations

import argparse
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from papermill.cli import papermill

from benchmarks.__main__ import main as benchmark
from investigate import cli
from investigate.commands.options import parse
from investigate.commands.sandbox import configuration
from investigate.model import isoformat
from investigate.sandbox.demo import staged
from investigate.sandbox.serve import serve
from investigate.sandbox.stories import CAPTURED, WINDOW
from tests.commands_shown import Shown, shown
from tests.layers import ROOT

OF_AWS = ("capture", "doctor")
# Cases that the pages speak of as captured already.
CASES = ("incident-42", "42", "orders-0310", "orders-0311")
# What is only parsed: by what the command line begins with or holds, and why.
PARSED = {
    "investigate report": "executes eleven notebooks, which takes minutes: tests/report",
    "investigate sandbox serve": "serves until it is stopped: tests/commands/test_sandbox.py",
    "--engine spark": "needs Java: tests/parity/test_engines.py",
    "--resume": "needs a capture that was killed: tests/capture/test_run.py",
    "--in-place": "a lake takes more than this sandbox: tests/lake/test_lake.py",
    "papermill": "executes a notebook: tests/test_scheduling.py",
    "python -m benchmarks": "takes minutes: tests/test_benchmarks.py",
    "python -m pytest": "runs tests",
    "make": "sets up an environment: .ci/run",
    "aws": "is not ours, and needs an account",
}
# What several pages show alike runs once.
EACH = list({one.words: one for one in reversed(shown())}.values())[::-1]
RUN = [one for one in EACH if not any(word in one.line for word in PARSED)]
ONLY_PARSED = [one for one in EACH if one not in RUN]


@dataclass(frozen=True, slots=True)
class Place:
    """A folder like the root of a checkout, with cases, and the options of a sandbox's AWS."""

    folder: Path
    aws: tuple[str, ...]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("data", "notebooks"):
        (folder / name).symlink_to(ROOT / name)
    with staged() as (sandbox, _), serve(sandbox) as served:
        text = configuration(sandbox.names, WINDOW)
        (folder / "pipeline.toml").write_text(text, encoding="utf-8")
        yield Place(folder, ("--endpoint-url", served.url, "--now", isoformat(CAPTURED)))


@pytest.fixture
def here(place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.chdir(place.folder)
    return place


def prepared(words: tuple[str, ...], place: Place) -> tuple[str, ...]:
    """Return the arguments of a command with what it needs here: its case, or a sandbox."""
    command = words[1]
    named = {word for word in words if word.startswith("cases/")}
    for path in (Path(word) for word in named):
        path.parent.mkdir(exist_ok=True)
        if path.is_symlink():
            path.unlink()
        if command != "capture":
            assert path.name in CASES, f"{path} is no case that the pages speak of"
            path.symlink_to(ROOT / "data/cases/lost-events")
    if command not in OF_AWS or "--policy" in words:
        return words[1:]
    options = place.aws if command == "capture" else place.aws[:2]
    return (*words[1:], *options)


def ids(some: list[Shown]) -> list[str]:
    return [f"{one.page}: {one.line.split('#')[0].strip()[:90]}" for one in some]


@pytest.mark.parametrize("one", RUN, ids=ids(RUN))
def test_a_command_that_a_page_shows_runs(one, here, capsys):
    assert one.program == "investigate", "only our own commands run here"
    arguments = prepared(one.words, here)
    code = cli.main(list(arguments))
    said = capsys.readouterr()
    # The demo cases are full of faults, which is what codes 1 and 3 say; 2 and 4 would be an error.
    assert code in ((0, 1, 3) if one.words[1] in ("check", "report") else (0, 1)), said.err
    assert said.out
    for path in Path("cases").glob("*"):
        if not path.is_symlink():
            path.rename(here.folder / f"done-{len(list(here.folder.iterdir()))}")


@pytest.mark.parametrize("one", ONLY_PARSED, ids=ids(ONLY_PARSED))
def test_a_command_that_is_too_much_to_run_is_one_that_its_program_takes(one, monkeypatch):
    PARSERS[one.program](one, monkeypatch)


def _ours(one: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    assert parse(one.words[1:]).module == one.words[1].replace("-", "_")


def _papermill(one: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    context = papermill.make_context("papermill", list(one.words[1:]))
    assert Path(context.params["notebook_path"]).is_file()


class Read(Exception):
    """The arguments were taken."""


def _benchmarks(one: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    reading = argparse.ArgumentParser.parse_args

    def read(parser: argparse.ArgumentParser, *arguments: object) -> None:
        raise Read(reading(parser, *arguments))

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", read)
    with pytest.raises(Read):
        benchmark(list(one.words[3:]))


def _pytest(one: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [word for word in one.words[3:] if not word.startswith("-")]
    assert files
    assert [name for name in files if not (ROOT / name).is_file()] == []


def _make(one: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    done = subprocess.run(
        ["make", "--dry-run", *one.words[1:]], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def _not_ours(one: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(one.words) > 1


PARSERS = {
    "investigate": _ours,
    "papermill": _papermill,
    "python -m benchmarks": _benchmarks,
    "python -m pytest": _pytest,
    "make": _make,
    "aws": _not_ours,
}


def test_each_reason_for_not_running_a_command_is_needed():
    assert [word for word in PARSED if not any(word in one.line for one in shown())] == []
    assert len(RUN) > len(ONLY_PARSED)


def test_nothing_that_is_run_here_could_write_to_a_pipeline():
    assert [one.line for one in RUN if "--allow-writes" in one.words] == []
    assert os.environ["AWS_ACCESS_KEY_ID"] == "test"
