"""`investigate report`: where it writes, what it refuses, and how it exits."""

from __future__ import annotations

import pytest

from investigate.commands import report
from investigate.report.history import read_list
from investigate.report.notebooks import NOTEBOOKS
from tests.commands.conftest import HEALTHY, LOST
from tests.report.samples import seven_notebooks


def index_of(out):
    return (out / "index.html").read_text(encoding="utf-8")


@pytest.fixture
def notebooks(tmp_path, monkeypatch):
    """Seven small notebooks in the place of the real ones."""

    def put(**code: list[str]) -> None:
        folder = seven_notebooks(tmp_path / "notebooks", **code)
        monkeypatch.setattr(report, "default_folder", lambda: folder)

    return put


def test_report_says_where_it_is_and_exits_as_check_does(ask, notebooks, tmp_path):
    notebooks()
    code, out, err = ask("report", HEALTHY, "--out", tmp_path / "out")
    assert code == 0
    assert out.splitlines()[0] == "EXPECTED  healthy"
    assert out.rstrip().endswith(str(tmp_path / "out" / "index.html"))
    assert (tmp_path / "out" / "index.html").is_file()
    assert err.count(": done") == len(NOTEBOOKS)


def test_a_notebook_that_fails_still_leaves_a_report_and_exits_with_3(ask, notebooks, tmp_path):
    notebooks(nb_02=["1 / 0"])
    code, _, err = ask("report", HEALTHY, "--out", tmp_path / "out", "--allow-gaps")
    assert code == 3
    assert "02_events_table: cell 3 failed: ZeroDivisionError" in err
    assert "did not come to its end" in (tmp_path / "out" / "index.html").read_text(
        encoding="utf-8"
    )


def test_report_refuses_a_folder_with_other_files_before_it_computes_anything(ask, tmp_path):
    (tmp_path / "thesis.tex").write_text("mine", encoding="utf-8")
    code, out, err = ask("report", HEALTHY, "--out", tmp_path)
    assert (code, out) == (2, "")
    assert "thesis.tex" in err
    assert "running" not in err


def test_report_without_notebooks_says_what_is_missing_and_writes_nothing(
    ask, tmp_path, monkeypatch
):
    monkeypatch.setattr(report, "default_folder", lambda: tmp_path / "nowhere")
    code, _, err = ask("report", HEALTHY, "--out", tmp_path / "out")
    assert code == 2
    assert "00_overview.ipynb" in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("below", "said"),
    [("file/out", "no report can be written to"), ("x" * 256, "File name too long")],
)
def test_report_refuses_a_place_it_cannot_write_to_before_it_computes_anything(
    ask, tmp_path, below, said
):
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    code, out, err = ask("report", HEALTHY, "--out", tmp_path / below)
    assert (code, out) == (2, "")
    assert said in err
    assert "running" not in err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_history_goes_on_under_the_name_that_was_given(ask, notebooks, tmp_path):
    notebooks()
    out = tmp_path / "out"
    assert ask("report", HEALTHY, "--out", out)[0] == 0
    assert ask("report", LOST, "--out", out)[0] == 1
    assert ask("report", LOST, "--out", out, "--incident", "healthy")[0] == 1
    assert "Since the last run" in index_of(out)
    rows = read_list(out / "runs", None).rows
    assert [(row.incident, row.case) for row in rows] == [
        ("healthy", "healthy"), ("lost-events", "lost-events"), ("healthy", "lost-events"),
    ]  # fmt: skip
    assert rows[-1].changes["new"] > 0
    assert "--incident healthy" in index_of(out)


def test_the_same_report_twice_is_one_run_with_the_same_bytes(ask, notebooks, tmp_path):
    notebooks()
    out = tmp_path / "out"
    ask("report", HEALTHY, "--out", out)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    ask("report", HEALTHY, "--out", out)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("name", ["a\nb", "x" * 200, " "])
def test_a_name_of_an_incident_that_cannot_be_shown_is_refused(ask, tmp_path, name):
    code, out, err = ask("report", HEALTHY, "--out", tmp_path / "out", "--incident", name)
    assert (code, out) == (2, "")
    assert "is no name for an incident" in err
    assert "--incident orders-2026-03" in err
    assert list(tmp_path.iterdir()) == []


def test_a_history_of_a_newer_version_is_refused_before_anything_is_computed(ask, tmp_path):
    (tmp_path / "out" / "runs").mkdir(parents=True)
    newer = tmp_path / "out" / "runs" / "index.json"
    newer.write_text('{"schema": "investigate.runs/2"}', encoding="utf-8")
    code, out, err = ask("report", HEALTHY, "--out", tmp_path / "out")
    assert (code, out) == (2, "")
    assert "its schema is 'investigate.runs/2', this version knows 'investigate.runs/1'" in err
    assert "running" not in err
    assert [path.name for path in (tmp_path / "out").rglob("*")] == ["runs", "index.json"]
