"""Write a whole report: `investigate report` beside a loop of papermill and jupyter nbconvert."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from investigate.case import open_case
from investigate.errors import InvestigationError
from investigate.report.notebooks import NOTEBOOKS, default_folder, sources

DEFAULT_CASE = Path(__file__).resolve().parent.parent / "data" / "cases" / "everything"
ENDED = "application/vnd.investigate.result+json"  # the last cell's proof of the end
FOUND_FAULTS = (0, 1, 3)  # exit codes of a report that was written


@dataclass(frozen=True, slots=True)
class Side:
    """What one side took: seconds by the clock, and seconds of work on all cores."""

    wall: float
    cpu: float
    pages: frozenset[str]


def run(case: str) -> int:
    """Time both sides on one case, one after the other, print the figures, and return 1 if either
    did not make every page; 2 if there is no such case."""
    try:
        name = open_case(case).name
    except InvestigationError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"case {name}: {len(NOTEBOOKS)} notebooks, each side in one run")
    with tempfile.TemporaryDirectory() as folder:
        place, found = Path(folder), Path(case).resolve()
        ours = _timed(lambda: _investigate(found, place / "ours"))
        theirs = _timed(lambda: _loop(found, place / "theirs"))
    print(f"  investigate report          {ours.wall:7.1f} s, {ours.cpu:7.1f} s of CPU")
    print(f"  papermill and nbconvert     {theirs.wall:7.1f} s, {theirs.cpu:7.1f} s of CPU")
    wall, cpu = ours.wall / theirs.wall, ours.cpu / theirs.cpu
    print(f"  investigate to the loop     {wall:7.2f}  , {cpu:7.2f}")
    return 0 if all([_is_whole("investigate", ours), _is_whole("the loop", theirs)]) else 1


def _investigate(case: Path, out: Path) -> frozenset[str]:
    command = [sys.executable, "-m", "investigate", "report", str(case), "--out", str(out)]
    _call(command, allowed=FOUND_FAULTS)
    return _pages(out)


def _loop(case: Path, out: Path) -> frozenset[str]:
    """What a shell script would do: for each notebook a run, then a page of it."""
    out.mkdir()
    for source in sources(default_folder()):
        executed = out / source.name
        run = ["papermill", str(source), str(executed), "-r", "case", str(case)]
        _call([sys.executable, "-m", *run, "-k", "python3", "--no-progress-bar"])
        page = ["jupyter", "nbconvert", "--to", "html", str(executed)]
        _call([sys.executable, "-m", *page])
    return _pages(out)


def _timed(work: Callable[[], frozenset[str]]) -> Side:
    started, cpu = time.perf_counter(), _cpu_of_children()
    pages = work()
    return Side(time.perf_counter() - started, _cpu_of_children() - cpu, pages)


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _is_whole(name: str, side: Side) -> bool:
    missing = sorted(set(NOTEBOOKS) - side.pages)
    print(f"  {name}: {'every page' if not missing else 'NO page of ' + ', '.join(missing)}")
    return not missing


def _call(command: Sequence[str], allowed: Sequence[int] = (0,)) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode not in allowed:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")


def _pages(out: Path) -> frozenset[str]:
    """The notebooks that ran to their end and of which there is a page."""
    return frozenset(
        name
        for name in NOTEBOOKS
        if (out / f"{name}.html").is_file()
        and ENDED in (out / f"{name}.ipynb").read_text(encoding="utf-8")
    )
