"""Follow one event through a large case: the engine's focus, beside pandas over whole tables."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from benchmarks.days_case import write_case
from investigate.case import open_case
from investigate.evidence import Evidence
from investigate.trace.story import story_of

TABLES = {"raw": "event_id", "events": "event_id"}


def run(events: int, repeats: int) -> int:
    """Time both sides on one synthetic case, for events of a usual day and of a day with a version
    that nothing explains; print the figures, and return 1 if they disagree."""
    with tempfile.TemporaryDirectory() as folder:
        case = Path(folder) / "case"
        versions = write_case(case, events)
        print(f"{events:,} events, {versions:,} aggregate versions; best of {repeats}")
        agree = [_compared(case, *chosen, repeats) for chosen in _chosen(case).items()]
    return 0 if all(agree) else 1


def _compared(case: Path, kind: str, event_id: str, repeats: int) -> bool:
    evidence = Evidence(open_case(case))
    ours, story = _timed(lambda: _objects_and_rows(evidence, event_id), repeats)
    theirs, rows = _timed(lambda: _by_hand(case, event_id), repeats)
    print(f"  {kind}: investigate {ours:.2f} s, pandas {theirs:.2f} s ({theirs / ours:.1f} times)")
    print(f"    objects and rows of the event: {'equal' if story == rows else 'NOT EQUAL'}")
    return story == rows


def _objects_and_rows(evidence: Evidence, event_id: str) -> dict[str, int]:
    """A fresh evidence for each run: nothing may stay from the one before."""
    effects = story_of(Evidence(evidence.case), event_id).effects
    return {"raw": effects["raw objects"], "events": effects["rows"]}


def _by_hand(case: Path, event_id: str) -> dict[str, int]:
    """Read every table and keep the event's rows, which tells where it is and nothing more."""
    found = {}
    for table, column in TABLES.items():
        rows = pd.read_parquet(case / table)
        found[table] = int((rows[column] == event_id).sum())
    return found


def _chosen(case: Path) -> dict[str, str]:
    """An event of a day whose versions are all explained, and one of a day with a forged one."""
    rows = pd.read_parquet(case / "events", columns=["event_id", "entity_id", "event_time"])
    rows = rows.assign(day=rows.event_time.str[:10]).sort_values(["entity_id", "event_time"])
    forged = rows[(rows.entity_id == "e0") & (rows.day == "2026-03-01")]  # number 0 of 50
    usual = rows[(rows.entity_id == "e0") & (rows.day == "2026-03-02")]
    return {
        "usual day": str(usual.event_id.iloc[0]),
        "day with an unexplained version": str(forged.event_id.iloc[0]),
    }


def _timed(work: Callable[[], dict[str, int]], repeats: int) -> tuple[float, dict[str, int]]:
    best, answer = float("inf"), {}
    for _ in range(max(repeats, 1)):
        started = time.perf_counter()
        answer = work()
        best = min(best, time.perf_counter() - started)
    return best, answer
