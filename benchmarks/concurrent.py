"""Start many reports of demo cases into one folder at once, and look whether each is right."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from investigate.case import DEMO_CASES, open_case
from investigate.evidence import Evidence
from investigate.findings import dump, examine
from investigate.report.history import FINDINGS, RECORD, RunRow, read_list
from investigate.report.notebooks import NOTEBOOKS
from investigate.report.runs import RUNS

CASES = ("healthy", "lost-events", "midnight-duplicates", "everything")


def run(reports: int) -> int:
    """Start so many reports at once, and print how many are right; 1 if not every one is.

    Right: the exit code is that of the findings, the run is in the list of all and in that of its
    incident once, its findings are those of the case, and every notebook came to its end.
    """
    expected = {name: _findings(name) for name in CASES}
    begun, cpu = time.monotonic(), os.times()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "reports"
        processes = [_start(out, number) for number in range(reports)]
        told = [process.communicate()[1] for process in processes]
        codes = [process.returncode for process in processes]
        wrong = [
            _wrong_code(_case(n), codes[n]) or _wrong(out, n, expected[_case(n)])
            for n in range(reports)
        ]
        listed = len(read_list(out / RUNS, None).rows)
        left = sorted(path.name for path in out.iterdir() if path.name.startswith("."))
    for number in range(reports):
        if wrong[number]:
            print(f"report {number}: exit {codes[number]}, {wrong[number]}\n{told[number]}")
    used = os.times()
    spent = used.children_user + used.children_system - cpu.children_user - cpu.children_system
    right = sum(not why for why in wrong)
    print(f"{right} of {reports} reports are right, {listed} are in the list, left over: {left}")
    print(f"{time.monotonic() - begun:,.0f} s, {spent / reports:.1f} s of CPU for each")
    return 0 if right == listed == reports and left == [".lock"] else 1


def _case(number: int) -> str:
    return CASES[number % len(CASES)]


def _incident(number: int) -> str:
    """Every report is of an incident of its own, or it would be the same run as another one."""
    return f"incident-{number}"


def _findings(name: str) -> str:
    return dump(examine(Evidence(open_case(DEMO_CASES / name))).document)


def _wrong_code(case: str, code: int) -> str:
    """Return what is wrong with an exit code: every demo case but one has a dangerous finding."""
    return "" if code == (0 if case == "healthy" else 1) else f"its exit code is {code}"


def _start(out: Path, number: int) -> subprocess.Popen[str]:
    command: Sequence[str] = [
        sys.executable, "-m", "investigate", "report", str(DEMO_CASES / _case(number)),
        "--out", str(out), "--incident", _incident(number),
    ]  # fmt: skip
    return subprocess.Popen(  # noqa: S603 - our own command
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def _wrong(out: Path, number: int, findings: str) -> str:
    """Return what is wrong with one report, empty if it is right."""
    rows = [row for row in read_list(out / RUNS, None).rows if row.incident == _incident(number)]
    if len(rows) != 1:
        return f"it is in the list {len(rows)} times"
    (row,) = rows
    if read_list(out / RUNS / _incident(number), _incident(number)).added != 1:
        return "it is not in the list of its incident"
    return _wrong_run(out / row.place, row, findings)


def _wrong_run(folder: Path, row: RunRow, findings: str) -> str:
    record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    if row.failed or record["failed"]:
        return f"notebooks failed: {record['failed']}"
    if (folder / FINDINGS).read_text(encoding="utf-8") != findings:
        return "its findings are not those of the case"
    missing = [name for name in NOTEBOOKS if not (folder / f"{name}.html").is_file()]
    return f"pages are missing: {missing}" if missing else ""
