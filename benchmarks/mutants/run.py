"""`python -m benchmarks mutants`: which wrong checks the tests would let through."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path

import pytest

from benchmarks.mutants.document import row_of, write_lines
from benchmarks.mutants.mutate import Mutant, mutants
from benchmarks.mutants.plugin import Telling, put
from benchmarks.mutants.subjects import TESTS
from investigate.terminal_text import table

ROOT = Path(__file__).resolve().parent.parent.parent
# Seconds of a processor for the tests of one mutant, and by the clock, as one may wait for ever: a
# mutant whose tests never end is found out as well.
PATIENCE, PATIENCE_BY_CLOCK = 300, 1_800


@dataclass(frozen=True, slots=True)
class Tried:
    """A mutant and whether a test noticed it."""

    module: str
    mutant: Mutant
    noticed: bool
    seconds: float  # of a processor


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument("--only", action="append", choices=list(TESTS), help="this module; again")
    parser.add_argument("--number", type=int, action="append", help="this mutant of it; again")
    parser.add_argument("--every", type=int, default=1, help="of a module only every Nth")
    parser.add_argument("--write", default="", help="a document whose lines are written anew")
    parser.add_argument("--workers", type=int, default=2, help="processes (2)")
    parser.add_argument("--show", action="store_true", help="print the mutants, and no more")


def run(chosen: argparse.Namespace) -> int:
    """Try every mutant and print the table and the survivors; 1 if one survived."""
    if chosen.every < 1 or (chosen.number and chosen.write):
        print("--every is 1 or more, and --number is not written down", file=sys.stderr)
        return 2
    modules = {
        module: mutants(_path(module).read_text(encoding="utf-8"))
        for module in chosen.only or TESTS
    }
    listed = [
        (module, mutant)
        for module, own in modules.items()
        for mutant in own[:: chosen.every]
        if not chosen.number or mutant.number in chosen.number
    ]
    if not listed:
        print("there is no mutant of this number", file=sys.stderr)
        return 2
    if chosen.show:
        print("\n".join(_named(module, mutant) for module, mutant in listed))
        return 0
    _warm()
    tried: list[Tried] = []
    with get_context("fork").Pool(chosen.workers, maxtasksperchild=1) as pool:
        apart = {TESTS[module]: module for module in modules}.values()  # one of each set of tests
        for one in pool.imap(_tried, [(module, _unchanged(module)) for module in apart]):
            if one.noticed:
                raise SystemExit(f"the tests of {one.module} fail without any change")
            print(f"the tests of {one.module} pass without a change", file=sys.stderr)
        for place, one in enumerate(pool.imap(_tried, listed, chunksize=1), 1):
            word = "noticed" if one.noticed else "SURVIVED"
            print(f"{place}/{len(listed)} {word} {_named(one.module, one.mutant)}", file=sys.stderr)
            tried.append(one)
    rows = [_row(module, len(own), tried) for module, own in modules.items()]
    print(table([("MODULE", "MUTANTS", "TRIED", "NOTICED", "%", "CPU S"), *map(tuple, rows)]))
    survivors = [_named(one.module, one.mutant) for one in tried if not one.noticed]
    print("\nSURVIVORS\n" if survivors else "\nSURVIVORS: none")
    print("\n".join(survivors))
    if chosen.write:
        day = datetime.now(UTC).date().isoformat()
        write_lines(Path(chosen.write), [[*row, day] for row in rows], survivors)
    return int(bool(survivors))


def _row(module: str, mutants: int, tried: Sequence[Tried]) -> list[str]:
    own = [one for one in tried if one.module == module]
    noticed, seconds = sum(one.noticed for one in own), sum(one.seconds for one in own)
    return row_of(module, mutants, len(own), noticed, seconds)


def _warm() -> None:
    """Load what every mutant's tests need and no mutant changes: its process is a fork of this."""
    for name in ("duckdb", "ibis.backends.duckdb", "pandas", "pyarrow.parquet", "hypothesis"):
        import_module(name)


def _tried(one: tuple[str, Mutant]) -> Tried:
    """Run a mutant's tests in this process, which does nothing else."""
    module, mutant = one
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    put(f"investigate.{module}", mutant.source)
    for number in (signal.SIGALRM, signal.SIGPROF):
        signal.signal(number, _too_long)
    signal.alarm(PATIENCE_BY_CLOCK)
    signal.setitimer(signal.ITIMER_PROF, PATIENCE)
    arguments = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist",
                 "-W", "ignore::pytest.PytestAssertRewriteWarning"]  # fmt: skip
    paths = [f"tests/{path}" for path in TESTS[module]]
    try:
        with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
            noticed = pytest.main([*arguments, *paths], plugins=[Telling(mutant.codes)]) != 0
    except TimeoutError:
        noticed = True
    used = os.times()
    return Tried(module, mutant, noticed, sum(used[:4]))  # with those of its own processes


def _too_long(*_: object) -> None:
    raise TimeoutError


def _unchanged(module: str) -> Mutant:
    """The module as it is: tests that fail with it would notice anything."""
    return Mutant(-1, "", 0, "nothing", _path(module).read_text(encoding="utf-8"), ())


def _path(module: str) -> Path:
    return (ROOT / "investigate" / module.replace(".", "/")).with_suffix(".py")


def _named(module: str, mutant: Mutant) -> str:
    change = " ".join(mutant.change.split())
    return f"{module}:{mutant.number} {mutant.function} line {mutant.line}: {change}"
