"""Add thousands of runs to one history, and print what the first and the last of them cost."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from investigate.model import Step
from investigate.report.folder import report_draft
from investigate.report.history import FINDINGS, RunEntry, read_list
from investigate.report.publish import add_run
from investigate.report.runs import RUNS, Run

INCIDENTS = 2
AROUND = 100  # additions of which the median is printed
FULL = INCIDENTS * 100  # so many runs fill every list for the first time
ENOUGH = 1.5  # times what an addition cost then; more would be a cost that grows


def run(many: int) -> int:
    """Add so many runs of two incidents and print the CPU time and the bytes of an addition at the
    beginning and at the end; 1 if the last ones cost more, or a run is missing."""
    if many < FULL + 2 * AROUND:
        print(f"{many} runs are too few to compare: give {FULL + 2 * AROUND} or more")
        return 2
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "reports"
        costs = list(_additions(out, many))
        listed = read_list(out / RUNS, None)
        rows = len(listed.rows) + sum(_rows(page) for page in (out / RUNS).glob("[0-9]*.json"))
    first, full, last = costs[:1], costs[FULL : FULL + AROUND], costs[-AROUND:]
    for name, some in (("the first", first), ("lists just full", full), ("the last 100", last)):
        print(f"{name:>15}: {_told(some)}")
    print(f"{rows:,} of {many:,} runs are in the list of all")
    slower = median(cpu for cpu, _ in last) / median(cpu for cpu, _ in full)
    print(f"the last additions cost {slower:.2f} times what those to lists just full did")
    return 0 if rows == many and slower < ENOUGH else 1


def _additions(out: Path, many: int) -> Iterator[tuple[float, int]]:
    """Add the runs one after another, and yield the CPU seconds and the bytes moved of each."""
    for number in range(many):
        begun, moved = time.process_time(), _bytes_moved()
        _add(out, number)
        yield time.process_time() - begun, _bytes_moved() - moved


def _add(out: Path, number: int) -> None:
    told = _document(number)
    with report_draft(out) as draft:

        def write_index(entry: RunEntry) -> None:
            for folder in (draft.files, draft.run):
                (folder / "index.html").write_text(f"{number}", encoding="utf-8")
                (folder / FINDINGS).write_text(json.dumps(told), encoding="utf-8")

        asked = {"number": number, "pipeline": "", "thresholds": {}}
        add_run(draft, Run(f"incident-{number % INCIDENTS}", asked), told, {}, write_index)


def _document(number: int) -> dict[str, Any]:
    """A findings document with one finding, which every third run does not have."""
    found = number % 3 > 0
    check = {
        "code": "raw/missing", "step": "raw", "outcome": "found" if found else "passed",
        "severity": "escalate", "key": "event_id", "count": int(found), "keys": ["a"] * found,
        "keys_shown": int(found), "reason": None,
    }  # fmt: skip
    steps = [{"step": step.value, "verdict": "passed"} for step in Step]
    return {
        "schema": "investigate.findings/1", "case": "sample", "verdict": "escalate",
        "window": {"start": "2026-03-10T00:00:00Z", "end": "2026-03-11T00:00:00Z"},
        "captured_at": "2026-03-12T00:00:00Z", "settled_until": "2026-03-11T23:55:00Z",
        "steps": steps, "checks": [check],
    }  # fmt: skip


def _bytes_moved() -> int:
    """Return how many bytes this process has read and written so far; 0 where nobody counts."""
    try:
        told = Path("/proc/self/io").read_text(encoding="ascii")
    except OSError:
        return 0
    counted = dict(line.split(": ") for line in told.splitlines())
    return int(counted["rchar"]) + int(counted["wchar"])


def _rows(page: Path) -> int:
    return len(json.loads(page.read_text(encoding="utf-8"))["rows"])


def _told(costs: Sequence[tuple[float, int]]) -> str:
    cpu, moved = median(cpu for cpu, _ in costs), median(moved for _, moved in costs)
    return f"{cpu * 1000:,.1f} ms of CPU, {moved / 1000:,.0f} kB read and written"
