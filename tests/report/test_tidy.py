"""A message without the folders of this machine, whatever its home is."""

from __future__ import annotations

import pwd
import tempfile
from pathlib import Path

import pytest

from investigate.report.ending import Ending, RunState
from investigate.report.execute import Executed
from investigate.report.tidy import reason_of
from tests.report.samples import notebook

SAID = "no file raw/2026/03/x.json; see https://a/b"


def said(failure):
    return reason_of(
        Executed("04_sqs", Path("/srv/inv-1"), notebook(), Ending(RunState.CELL_FAILED, failure))
    )


def test_the_home_of_a_user_is_not_named(monkeypatch):
    monkeypatch.setenv("HOME", "/homes/ann")
    assert said("no file /homes/ann/x") == "no file <home>/x"


@pytest.mark.parametrize("home", ["/", "", "//"])
def test_a_home_that_is_the_root_leaves_texts_as_they_are(monkeypatch, home):
    monkeypatch.setenv("HOME", home)
    assert said(SAID) == SAID


def test_a_user_without_a_home_gets_the_same_text(monkeypatch):
    def unknown(uid):
        raise KeyError(uid)

    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert said("~ " + SAID) == "~ " + SAID


def test_a_root_for_temporary_files_leaves_texts_as_they_are(monkeypatch):
    monkeypatch.setattr(tempfile, "gettempdir", lambda: "/")
    assert said(SAID) == SAID
