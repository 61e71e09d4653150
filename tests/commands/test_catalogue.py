"""`investigate checks` and `investigate verify`."""

from __future__ import annotations

import json

import pytest

from investigate.checks import book
from tests.commands.conftest import HEALTHY


def test_the_catalogue_lists_every_check_once(ask):
    code, out, _ = ask("checks")
    listed = [line.split()[0] for line in out.splitlines()[1:]]
    assert code == 0
    assert sorted(listed) == sorted(check.code for check in book)


def test_the_catalogue_says_all_about_a_check_named(ask):
    _, out, _ = ask("checks", "raw/missing")
    check = book["raw/missing"]
    flat = " ".join(out.split())
    assert check.question in flat
    assert check.advice in flat
    assert check.avoid in flat
    assert len(json.loads(ask("checks", "--format", "json")[1])) == len(list(book))


def test_verify_says_that_a_case_is_whole(ask):
    code, out, _ = ask("verify", HEALTHY)
    assert code == 0
    assert "are what the manifest says" in out


@pytest.mark.parametrize("name", ["raw/part-1.parquet", "notes.txt"])
def test_verify_names_files_that_the_manifest_does_not_know(ask, case, name):
    (case / name).write_bytes(b"more")
    code, out, err = ask("verify", case)
    assert (code, out) == (2, "")
    assert f"does not know: {name}" in err
