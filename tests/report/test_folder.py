from __future__ import annotations

import pytest

from investigate.errors import UsageError
from investigate.report.folder import published, refuse_foreign


def a_report(folder):
    (folder / "assets").mkdir(parents=True)
    for name in (
        "index.html", "findings.html", "report.html", "findings.json",
        "00_overview.html", "00_overview.ipynb",
        "assets/plotly-7.1.0.min.js", "assets/report.js", "assets/figures.js",
    ):  # fmt: skip
        (folder / name).write_text("old", encoding="utf-8")
    return folder


def test_a_report_appears_whole_and_nothing_stays_beside_it(tmp_path):
    with published(tmp_path / "deep" / "out") as draft:
        (draft / "index.html").write_text("new", encoding="utf-8")
        assert not (tmp_path / "deep" / "out").exists()
    assert (tmp_path / "deep" / "out" / "index.html").read_text(encoding="utf-8") == "new"
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["out"]


def test_an_older_report_is_replaced_wholly(tmp_path):
    out = a_report(tmp_path / "out")
    with published(out) as draft:
        (draft / "index.html").write_text("new", encoding="utf-8")
    assert [path.name for path in out.iterdir()] == ["index.html"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_error_leaves_the_older_report_as_it_was(tmp_path):
    out = a_report(tmp_path / "out")
    with pytest.raises(KeyError), published(out):
        raise KeyError
    assert (out / "index.html").read_text(encoding="utf-8") == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("name", ["notes.txt", "assets/logo.png", "case.json", ".git/config"])
def test_files_that_no_report_wrote_are_never_replaced(tmp_path, name):
    out = a_report(tmp_path / "out")
    (out / name).parent.mkdir(exist_ok=True)
    (out / name).write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match=name), published(out):
        raise AssertionError("nothing may be written")
    assert (out / name).read_text(encoding="utf-8") == "mine"


def test_what_jupyter_leaves_behind_does_not_stand_in_the_way(tmp_path):
    out = a_report(tmp_path / "out")
    (out / ".ipynb_checkpoints").mkdir()
    (out / ".ipynb_checkpoints" / "00_overview-checkpoint.ipynb").write_text("", encoding="utf-8")
    refuse_foreign(out)


def test_a_link_in_the_place_of_a_file_is_foreign(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "secrets").symlink_to(tmp_path)
    with pytest.raises(UsageError, match="secrets"):
        refuse_foreign(out)


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "out").write_text("", encoding="utf-8")
    with pytest.raises(UsageError, match="is a file"):
        refuse_foreign(tmp_path / "out")


def test_the_folder_one_stands_in_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="the folder you are in"):
        refuse_foreign(tmp_path)
