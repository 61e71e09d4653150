"""`investigate regenerate`: it compares or writes, and refuses what is no notebook."""

from __future__ import annotations

import pytest

from investigate.report import regenerate
from investigate.report.tidy import written
from tests.report.samples import notebook


@pytest.fixture
def path(case, tmp_path, monkeypatch):
    """A notebook without outputs, whose case is a small one."""
    monkeypatch.setattr(regenerate, "DEFAULT_CASE", str(case))
    made = tmp_path / "small.ipynb"
    made.write_text(written(notebook("1 + 1")), encoding="utf-8")
    return made


def test_check_says_what_differs_writes_nothing_and_exits_with_1(ask, path):
    before = path.read_bytes()
    code, out, err = ask("regenerate", "--check", path)
    assert code == 1
    assert "small.ipynb: cell 3 (cell-0): an output is missing" in out.splitlines()
    assert "make regenerate" in err
    assert path.read_bytes() == before


def test_regenerate_writes_the_outputs_and_then_check_is_content(ask, path):
    code, out, err = ask("regenerate", path)
    assert (code, out) == (0, "small.ipynb: written\n")
    assert "1 of 1 notebooks changed" in err
    assert ask("regenerate", "--check", path)[:2] == (0, "")


@pytest.mark.parametrize("content", ["[]", "null", '{"cells": ' + "[" * 20_000])
def test_json_that_is_no_notebook_is_refused(ask, tmp_path, content):
    path = tmp_path / "thesis.ipynb"
    path.write_text(content, encoding="utf-8")
    code, out, err = ask("regenerate", "--check", str(path))
    assert (code, out) == (2, "")
    assert "is not a notebook: " in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("name", "told"),
    [("04_sq", "did you mean '04_sqs'"), ("thesis.tex", "is not a notebook: ")],
)
def test_what_is_no_notebook_is_refused(ask, tmp_path, monkeypatch, name, told):
    (tmp_path / "thesis.tex").write_text("mine", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    code, out, err = ask("regenerate", "--check", name)
    assert (code, out) == (2, "")
    assert told in err
    assert (tmp_path / "thesis.tex").read_text(encoding="utf-8") == "mine"
