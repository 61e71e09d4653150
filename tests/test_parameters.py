"""Parameters: texts stay texts, and a question that the case cannot answer is refused."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from investigate.errors import CaseError, UsageError
from investigate.model import Window
from investigate.parameters import CHECKOUT, DEFAULT_CASE, DEMO_CASES, Parameters, case_folder

CAPTURED = Window.parse("2026-03-10T00:00:00Z", "2026-03-13T00:00:00Z")


def asked(**values: str) -> Window:
    return Parameters(**values).window(CAPTURED)


def test_texts_that_look_like_numbers_stay_texts():
    assert Parameters.parse({"entity": "00123"}).entity == "00123"


def test_nothing_asked_means_the_whole_captured_window():
    assert asked() == CAPTURED


def test_a_window_may_be_given_by_one_end():
    assert asked(start="2026-03-11T00:00:00Z").end == CAPTURED.end
    assert asked(end="2026-03-11T00:00:00Z").start == CAPTURED.start


def test_times_of_another_offset_are_the_same_moment():
    assert asked(start="2026-03-10T02:00:00+02:00") == CAPTURED


@pytest.mark.parametrize(
    ("values", "said"),
    [
        pytest.param({"start": "yesterday"}, "not an ISO 8601 time", id="not-a-time"),
        pytest.param({"start": "2026-03-10T00:00:00"}, "no offset", id="no-offset"),
        pytest.param({"end": "2026-03-11"}, "no offset", id="a-day-has-no-offset"),
        pytest.param(
            {"start": "2026-03-12T00:00:00Z", "end": "2026-03-11T00:00:00Z"}, "empty", id="reversed"
        ),
        pytest.param(
            {"start": "2026-03-11T00:00:00Z", "end": "2026-03-11T00:00:00Z"}, "empty", id="empty"
        ),
        pytest.param({"start": "2026-03-09T23:59:59Z"}, "beyond what was captured", id="too-early"),
        pytest.param({"end": "2026-03-13T00:00:00.001Z"}, "beyond what was", id="too-late"),
        pytest.param(
            {"start": "2027-01-01T00:00:00Z", "end": "2027-01-02T00:00:00Z"},
            "beyond what was captured",
            id="elsewhere",
        ),
    ],
)
def test_a_window_that_the_case_cannot_answer_for_is_refused(values, said):
    with pytest.raises(UsageError, match=said):
        asked(**values)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        pytest.param({"entity": 123}, "entity must be a text, not int", id="number"),
        pytest.param({"case": None}, "case must be a text", id="none"),
        pytest.param({"findings": True}, "findings must be a text", id="flag"),
        pytest.param({"start": ["2026"]}, "start must be a text", id="list"),
        pytest.param({"case": ""}, "case is empty", id="no-case"),
        pytest.param({"entity": "e" * 5000}, "5,000 characters", id="absurdly-long"),
        pytest.param({"case": "a\0b"}, "U+0000", id="nul"),
        pytest.param({"event": "a\nb"}, "U+000A", id="a-line-in-an-id"),
        pytest.param({"entity": "\u202e"}, "U+202E", id="a-turn-of-direction"),
        pytest.param({"entity": "\u061c"}, "U+061C", id="an-arabic-letter-mark"),
        pytest.param({"entity": "e\u3164"}, "U+3164", id="a-filler"),
        pytest.param({"entity": "e\U000e0041"}, "U+E0041", id="a-tag-letter"),
        pytest.param({"event": 7}, "event must be a text", id="an-id-that-is-a-number"),
        pytest.param({"entitiy": "e1"}, "did you mean 'entity'", id="misspelt"),
        pytest.param({"threshold": "3"}, "unknown parameter", id="unknown"),
    ],
)
def test_a_name_or_a_type_that_is_wrong_is_refused(values, said):
    with pytest.raises(UsageError) as refused:
        Parameters.parse(values)
    assert said in str(refused.value)


@pytest.mark.parametrize("start", [CHECKOUT, CHECKOUT / "notebooks", Path("/")])
@pytest.mark.parametrize("asked", [DEFAULT_CASE, "data/cases/everything", "everything"])
def test_a_demo_case_is_found_wherever_a_notebook_is_started(monkeypatch, start, asked):
    monkeypatch.chdir(start)
    assert case_folder(asked).resolve() == DEMO_CASES / "everything"


def test_what_is_in_the_working_directory_comes_before_a_demo_case(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "everything").mkdir()
    assert case_folder("everything").resolve() == tmp_path / "everything"


def test_an_absolute_case_is_looked_for_nowhere_else(tmp_path):
    with pytest.raises(CaseError, match="nor any other"):
        case_folder(str(tmp_path / "everything"))


def test_a_case_that_is_nowhere_names_those_that_are(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "case.json").touch()
    with pytest.raises(CaseError) as refused:
        case_folder("mime")
    assert f"in {tmp_path}: mine" in str(refused.value)
    assert "healthy, lost-events" in str(refused.value)


def test_a_case_that_no_folder_could_be_called_is_one_clear_message():
    with pytest.raises(CaseError, match="cannot be looked for: File name too long"):
        case_folder("a" * 300)


def test_a_case_behind_a_folder_that_may_not_be_entered_is_one_clear_message(monkeypatch):
    def refused(path: Path) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "exists", refused)
    with pytest.raises(CaseError, match="/closed/case cannot be looked for: Permission denied"):
        case_folder("/closed/case")
