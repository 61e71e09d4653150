"""The real notebooks on a demo case: they come to their end, and two runs give the same bytes."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from investigate.investigation import RESULT_MIME
from investigate.report.notebooks import NOTEBOOKS
from tests.report.markup import ADDRESS, Markup

ROOT = Path(__file__).resolve().parent.parent.parent
CASE = ROOT / "data" / "cases" / "midnight-duplicates"


def report(here: Path, **environment: str) -> Path:
    """A report written by another process in another folder, time zone and hash order."""
    here.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "investigate", "report", str(CASE), "--out", "out"],
        cwd=here, env={**os.environ, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    return here / "out"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    base = tmp_path_factory.mktemp("walk")
    first = report(base / "one", TZ="UTC", PYTHONHASHSEED="1")
    second = report(base / "the-other", TZ="Asia/Tokyo", PYTHONHASHSEED="2", LC_ALL="C")
    return first, second


def digests(out: Path) -> dict[str, str]:
    return {
        path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file()
    }


def test_two_runs_give_the_same_bytes_in_every_file(runs):
    first, second = map(digests, runs)
    assert first == second


def test_every_notebook_came_to_its_end_with_the_verdict_of_the_findings(runs):
    document = json.loads((runs[0] / "findings.json").read_text(encoding="utf-8"))
    verdicts = {entry["step"]: entry["verdict"] for entry in document["steps"]}
    for name, step in NOTEBOOKS.items():
        notebook = json.loads((runs[0] / f"{name}.ipynb").read_text(encoding="utf-8"))
        (output,) = notebook["cells"][-1]["outputs"]
        said = output["data"][RESULT_MIME]["verdict"]
        assert said == (verdicts[step.value] if step else document["verdict"]), name


def test_no_page_names_another_host_or_a_folder_of_this_machine(runs):
    for path in [*runs[0].glob("*.html"), *runs[0].glob("*.ipynb")]:
        text = path.read_text(encoding="utf-8")
        assert re.search(ADDRESS, text) is None, path.name
        assert str(ROOT) not in text, path.name
        assert str(Path.home()) + "/" not in text, path.name


def test_every_link_leads_to_a_place_in_the_report(runs):
    pages = {path.name: Markup(path.read_text(encoding="utf-8")) for path in runs[0].glob("*.html")}
    for name, page in pages.items():
        for link in page.values("a", "href"):
            file, _, place = link.partition("#")
            assert not file or (runs[0] / file).is_file(), f"{name}: {link}"
            assert not place or place in pages[file or name].ids, f"{name}: {link}"


def test_the_newest_run_is_also_in_a_folder_of_its_own(runs):
    record = json.loads((runs[0] / "run.json").read_text(encoding="utf-8"))
    own = runs[0] / record["place"]
    assert (own / "findings.json").read_bytes() == (runs[0] / "findings.json").read_bytes()
    assert {path.name for path in own.glob("*.ipynb")} == {f"{name}.ipynb" for name in NOTEBOOKS}


def test_no_page_is_larger_than_a_browser_likes(runs):
    sizes = {path.name: path.stat().st_size for path in runs[0].glob("*.html")}
    assert {name for name, size in sizes.items() if size > 500_000} == set()
