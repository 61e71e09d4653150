from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from investigate.capture.draft import JOURNAL, PLAN, Draft, begun_at, draft_of
from investigate.errors import CaseDamagedError, UsageError

PLANNED = {"captured_at": "2026-03-12T00:00:00Z", "region": "eu-west-1"}
ORDER = ("key",)


def rows(*keys: str) -> pa.Table:
    return pa.table({"key": list(keys)})


def write(draft: Draft, unit: str, keys: str, note: Any) -> None:
    draft.write(unit, {"raw": (rows(*keys), ORDER)}, note)


def kept(draft: Draft) -> list[str]:
    return [
        key for part in draft.parts("raw") for key in pq.read_table(part.path)["key"].to_pylist()
    ]


def interrupted(case: Path, *steps: str) -> Path:
    """A draft whose capture broke off after some steps of rows."""
    draft = Draft(case, PLANNED).__enter__()
    for number, keys in enumerate(steps):
        write(draft, "raw", keys, {"after": number})
    draft.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    return draft.folder


def test_rows_and_the_note_of_their_unit_are_kept_together(tmp_path):
    with Draft(tmp_path / "case", PLANNED) as draft:
        assert (draft.note("raw"), draft.rows("raw")) == (None, 0)
        write(draft, "raw", "abc", {"after": "c"})
        assert (draft.note("raw"), draft.rows("raw")) == ({"after": "c"}, 3)
        (part,) = draft.parts("raw")
        assert (part.first, part.last, part.rows) == (("a",), ("c",), 3)
        assert part.bytes == part.path.stat().st_size


def test_a_step_without_rows_keeps_its_note_and_writes_no_file(tmp_path):
    with Draft(tmp_path / "case", PLANNED) as draft:
        write(draft, "raw", "", {"after": "nothing"})
        assert (draft.parts("raw"), draft.note("raw")) == ([], {"after": "nothing"})


def test_a_draft_is_gone_when_the_capture_ended_or_nothing_was_read(tmp_path):
    with Draft(tmp_path / "case", PLANNED) as draft:
        write(draft, "raw", "a", {})
    assert not draft.folder.exists()
    assert not interrupted(tmp_path / "case").exists()


def test_a_capture_that_broke_off_goes_on_with_what_it_had(tmp_path):
    case = tmp_path / "case"
    interrupted(case, "ab", "cd")
    assert begun_at(case) == PLANNED["captured_at"]
    later = {**PLANNED, "captured_at": "2026-03-13T00:00:00Z"}
    with Draft(case, later, resume=True) as draft:
        assert draft.plan == PLANNED
        assert (kept(draft), draft.note("raw")) == ([*"abcd"], {"after": 1})
        write(draft, "raw", "ef", {"after": 2})
        assert kept(draft) == [*"abcdef"]


@pytest.mark.parametrize("cut", [1, 10])
def test_a_step_whose_line_was_not_written_to_its_end_never_was(tmp_path, cut):
    case = tmp_path / "case"
    folder = interrupted(case, "ab", "cd")
    journal = (folder / JOURNAL).read_bytes()
    (folder / JOURNAL).write_bytes(journal[:-cut] if cut > 1 else journal + b'{"unit": "ra')
    with Draft(case, PLANNED, resume=True) as draft:
        expected = [*"ab"] if cut > 1 else [*"abcd"]
        assert kept(draft) == expected
        assert len(list(folder.glob("*.parquet"))) == len(expected) // 2
        write(draft, "raw", "ef", {"after": 2})
        assert kept(draft) == [*expected, "e", "f"]
    assert draft.note("raw") == {"after": 2}


def test_a_file_that_no_line_names_does_not_count_and_its_number_is_taken_again(tmp_path):
    case = tmp_path / "case"
    folder = interrupted(case, "ab")
    (folder / "000002.parquet").write_bytes(b"half a fi")
    with Draft(case, PLANNED, resume=True) as draft:
        assert not (folder / "000002.parquet").exists()
        write(draft, "raw", "cd", {})
        assert kept(draft) == [*"abcd"]


def test_a_file_that_is_shorter_than_its_line_says_is_refused(tmp_path):
    case = tmp_path / "case"
    folder = interrupted(case, "ab")
    (folder / "000001.parquet").write_bytes(b"")
    with pytest.raises(CaseDamagedError, match="000001"), Draft(case, PLANNED, resume=True):
        pass
    assert folder.exists()


def test_an_unfinished_capture_is_not_begun_again_by_mistake(tmp_path):
    folder = interrupted(tmp_path / "case", "ab")
    with pytest.raises(UsageError) as raised, Draft(tmp_path / "case", PLANNED):
        pass
    assert "--resume" in str(raised.value.hint)
    assert (folder / "000001.parquet").exists()


def test_a_capture_does_not_go_on_with_other_options_and_says_which(tmp_path):
    interrupted(tmp_path / "case", "ab")
    other = {**PLANNED, "region": "us-east-1"}
    with pytest.raises(UsageError, match="region 'eu-west-1', not 'us-east-1'"):
        Draft(tmp_path / "case", other, resume=True).__enter__()


def test_without_an_unfinished_capture_there_is_nothing_to_go_on_with(tmp_path):
    with pytest.raises(UsageError, match="no unfinished capture"):
        Draft(tmp_path / "case", PLANNED, resume=True).__enter__()
    assert begun_at(tmp_path / "case") is None


@pytest.mark.parametrize("resume", [True, False])
def test_two_captures_of_one_case_do_not_write_at_the_same_time(tmp_path, resume):
    case = tmp_path / "case"
    with Draft(case, PLANNED) as draft:
        write(draft, "raw", "ab", {})
        with pytest.raises(UsageError):
            Draft(case, PLANNED, resume=resume).__enter__()
        assert kept(draft) == [*"ab"]


def test_a_finished_case_is_never_captured_over(tmp_path):
    (tmp_path / "case").mkdir()
    with pytest.raises(UsageError, match="never overwritten"):
        Draft(tmp_path / "case", PLANNED).__enter__()


def test_what_was_consumed_is_what_the_newest_note_says(tmp_path):
    with Draft(tmp_path / "case", PLANNED) as draft:
        assert draft.consumed() == {}
        write(draft, "raw", "a", {"consumed": {"read_units": 1.5}})
        write(draft, "other", "b", {})
        assert draft.consumed() == {"read_units": 1.5}


def test_the_plan_stands_in_the_draft_as_it_was_asked(tmp_path):
    folder = interrupted(tmp_path / "case", "a")
    assert folder == draft_of(tmp_path / "case")
    assert json.loads((folder / PLAN).read_text(encoding="utf-8")) == PLANNED
