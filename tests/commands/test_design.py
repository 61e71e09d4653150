"""What every command says of a case whose pipeline nobody here knows."""

from __future__ import annotations

import pytest

from tests.test_designs import a_case_of


@pytest.mark.parametrize("command", [("check",), ("report", "--out", "out"), ("verify",)])
def test_a_case_of_a_design_that_is_not_installed_says_what_to_type(
    ask, tmp_path, monkeypatch, command
):
    monkeypatch.chdir(tmp_path)
    a_case_of(tmp_path / "case", {"name": "orders", "facts": {}})
    name, *options = command
    code, out, err = ask(name, "case", *options)
    assert (code, out) == (2, "")
    assert "there is no design of a pipeline 'orders' here (known: reference, meter-read" in err
    assert "INVESTIGATE_PIPELINES=module:name" in err
    assert not (tmp_path / "out").exists()
