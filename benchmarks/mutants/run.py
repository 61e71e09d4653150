"""`python -m benchmarks mutants`: which wrong checks the tests would let through."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.mutants.mutate import Mutant, mutants
from benchmarks.mutants.plugin import NAMED
from investigate.report.text import table

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE = 300  # seconds for the tests of one mutant; one that never ends is found out as well
# The modules whose conditions are the diagnosis, and the tests that answer for each.
TESTS = {
    "checks.aggregates": ["checks/test_aggregates.py"],
    "checks.dedupe": ["checks/test_dedupe.py"],
    "checks.events": ["checks/test_events.py"],
    "checks.processor": ["checks/test_processor.py"],
    "checks.raw": ["checks/test_raw.py"],
    "checks.raw_timing": ["checks/test_raw.py"],
    "checks.replay": ["checks/test_replay.py"],
    "checks.sqs": ["checks/test_sqs.py"],
    "analysis.aggregate_days": ["checks/test_aggregates.py", "analysis/test_aggregates.py"],
    "analysis.consumption": ["checks/test_processor.py", "checks/test_sqs.py"],
    "analysis.duplicates": ["checks/test_events.py"],
    "analysis.gaps": ["checks/test_raw.py"],
    "analysis.managed_retries": ["analysis/test_managed_retries.py"],
    "analysis.meanings": ["analysis/test_meanings.py"],
    "analysis.retry_patterns": ["analysis/test_retries.py"],
    "ledger.repeats": ["ledger/test_repeats.py"],
}


@dataclass(frozen=True, slots=True)
class Tried:
    """A mutant and whether a test noticed it."""

    module: str
    mutant: Mutant
    noticed: bool


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this benchmark."""
    parser.add_argument("--only", action="append", choices=list(TESTS), help="this module; again")
    parser.add_argument("--number", type=int, action="append", help="this mutant of it; again")
    parser.add_argument("--workers", type=int, default=2, help="processes (2)")
    parser.add_argument("--show", action="store_true", help="print the mutants, and no more")


def run(chosen: argparse.Namespace) -> int:
    """Try every mutant and print the table and the survivors; 1 if one survived."""
    listed = [
        (module, mutant)
        for module in chosen.only or TESTS
        for mutant in mutants(_path(module).read_text(encoding="utf-8"))
        if not chosen.number or mutant.number in chosen.number
    ]
    if chosen.show:
        print("\n".join(_named(module, mutant) for module, mutant in listed))
        return 0
    with ThreadPoolExecutor(chosen.workers) as pool:
        tried = list(pool.map(partial(_tried, len(listed)), range(len(listed)), listed))
    print(_table(tried))
    survivors = [one for one in tried if not one.noticed]
    print("\nSURVIVORS\n" if survivors else "\nSURVIVORS: none")
    print("\n".join(_named(one.module, one.mutant) for one in survivors))
    return int(bool(survivors))


def _tried(total: int, place: int, one: tuple[str, Mutant]) -> Tried:
    module, mutant = one
    command = [
        sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider",
        "-p", "benchmarks.mutants.plugin", *(f"tests/{path}" for path in TESTS[module]),
    ]  # fmt: skip
    environment = {**os.environ, NAMED: f"investigate.{module}:{mutant.number}"}
    try:
        done = subprocess.run(  # noqa: S603
            command, cwd=ROOT, env=environment, capture_output=True, timeout=PATIENCE, check=False
        )
        noticed = done.returncode != 0
    except subprocess.TimeoutExpired:
        noticed = True
    word = "noticed" if noticed else "SURVIVED"
    print(f"{place + 1}/{total} {word} {_named(module, mutant)}", file=sys.stderr)
    return Tried(module, mutant, noticed)


def _path(module: str) -> Path:
    return (ROOT / "investigate" / module.replace(".", "/")).with_suffix(".py")


def _named(module: str, mutant: Mutant) -> str:
    change = " ".join(mutant.change.split())
    return f"{module}:{mutant.number} {mutant.function} line {mutant.line}: {change}"


def _table(tried: Sequence[Tried]) -> str:
    rows = [("MODULE", "MUTANTS", "NOTICED", "SURVIVED")]
    for module in TESTS:
        own = [one for one in tried if one.module == module]
        if own:
            noticed = sum(one.noticed for one in own)
            rows.append((module, str(len(own)), str(noticed), str(len(own) - noticed)))
    noticed = sum(one.noticed for one in tried)
    rows.append(("all", str(len(tried)), str(noticed), str(len(tried) - noticed)))
    return table(rows)
