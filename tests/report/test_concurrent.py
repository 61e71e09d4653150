"""Many reports published into one folder at once: nothing is lost, nothing is half."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from investigate.report.history import read_list
from tests.report.markup import Markup

ROOT = Path(__file__).resolve().parent.parent.parent
RUNS = 40


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("at-once") / "out"
    done = subprocess.run(
        [sys.executable, "-m", "tests.report.at_once", str(folder), str(RUNS)],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


def test_40_reports_at_once_are_all_in_the_list_each_with_a_number_of_its_own(out):
    rows = read_list(out / "runs", None).rows
    assert [row.number for row in rows] == list(range(1, RUNS + 1))
    assert len({row.id for row in rows}) == RUNS
    shown = Markup((out / "runs.html").read_text(encoding="utf-8")).values("tr", "data-verdict")
    assert len(shown) == RUNS


def test_40_reports_at_once_are_all_in_the_list_of_their_incident(out):
    for incident in (f"incident-{number}" for number in range(4)):
        rows = read_list(out / "runs" / incident, incident).rows
        assert [row.own_number for row in rows] == list(range(1, RUNS // 4 + 1))


def test_40_reports_at_once_each_have_their_own_files(out):
    for row in read_list(out / "runs", None).rows:
        folder = out / row.place
        asked = json.loads((folder / "run.json").read_text(encoding="utf-8"))["asked"]["n"]
        assert (folder / "index.html").read_text(encoding="utf-8") == str(asked)
        assert (folder / "findings.json").read_text(encoding="utf-8") == str(asked)


def test_the_newest_report_is_one_of_them_and_whole(out):
    newest = read_list(out / "runs", None).rows[-1]
    for name in ("run.json", "index.html", "findings.json"):
        assert (out / name).read_bytes() == (out / newest.place / name).read_bytes()


def test_nothing_stays_behind(out):
    assert {path.name for path in out.iterdir()} == {
        ".lock", "findings.json", "index.html", "run.json", "runs", "runs.html",
    }  # fmt: skip
