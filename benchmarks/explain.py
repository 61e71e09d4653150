"""Explain every aggregate version: the engine's one query for all days, beside pandas and loops."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import by_hand
from benchmarks.days_case import write_case
from investigate.analysis.explanation import versions
from investigate.case import open_case
from investigate.evidence import Evidence

Answers = dict[tuple[str, str], tuple[str, str | None]]


def run(events: int, repeats: int) -> int:
    """Time both sides on one synthetic case, print the figures, and return 1 if they disagree."""
    with tempfile.TemporaryDirectory() as folder:
        case = Path(folder) / "case"
        count = write_case(case, events)
        print(f"{events:,} events, {count:,} aggregate versions; best of {repeats}")
        query, by_query = _timed(lambda: _by_query(case), repeats)
        loops, by_loops = _timed(lambda: by_hand.explain(case), repeats)
    print(f"  engine   {query:8.2f} s")
    print(f"  by hand  {loops:8.2f} s   {loops / query:.1f} times the engine's time")
    different = sorted(key for key in by_loops if by_query.get(key) != by_loops[key])
    for key in different[:5]:
        print(f"  they differ on {key}: {by_query.get(key)} and {by_loops[key]}")
    agree = not different and len(by_query) == len(by_loops)
    print(f"  answers  {'equal' if agree else 'NOT EQUAL'} for {len(by_loops):,} versions")
    return 0 if agree else 1


def _by_query(case: Path) -> Answers:
    evidence = Evidence(open_case(case))
    rows = versions(evidence).select("pk", "sk", "explained_by", "agrees_with")
    return {
        (row["pk"], row["sk"]): (row["explained_by"], row["agrees_with"])
        for row in evidence.engine.rows(rows)
    }


def _timed(work: Callable[[], Answers], repeats: int) -> tuple[float, Answers]:
    best, answers = float("inf"), {}
    for _ in range(max(repeats, 1)):
        started = time.perf_counter()
        answers = work()
        best = min(best, time.perf_counter() - started)
    return best, answers
