from __future__ import annotations

import errno
import fcntl
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from investigate.capture.draft import JOURNAL, PLAN, CaptureDraft, begun_at, draft_folder_of
from investigate.errors import CaseDamagedError, UsageError

PLANNED = {"captured_at": "2026-03-12T00:00:00Z", "region": "eu-west-1"}
ORDER = ("key",)


def rows(*keys: str) -> pa.Table:
    return pa.table({"key": list(keys)})


def write(draft: CaptureDraft, unit: str, keys: str, note: Any) -> None:
    draft.write(unit, {"raw": (rows(*keys), ORDER)}, note)


def kept(draft: CaptureDraft) -> list[str]:
    return [
        key for part in draft.parts("raw") for key in pq.read_table(part.path)["key"].to_pylist()
    ]


def interrupted(case: Path, *steps: str, plan: Mapping[str, Any] = PLANNED) -> Path:
    """A draft whose capture broke off after some steps of rows."""
    draft = CaptureDraft(case, plan).__enter__()
    for number, keys in enumerate(steps):
        write(draft, "raw", keys, {"after": number})
    draft.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    return draft.folder


def test_rows_and_the_note_of_their_unit_are_kept_together(tmp_path):
    with CaptureDraft(tmp_path / "case", PLANNED) as draft:
        assert (draft.note("raw"), draft.rows("raw")) == (None, 0)
        write(draft, "raw", "abc", {"after": "c"})
        assert (draft.note("raw"), draft.rows("raw")) == ({"after": "c"}, 3)
        (part,) = draft.parts("raw")
        assert (part.first, part.last, part.rows) == (("a",), ("c",), 3)
        assert part.bytes == part.path.stat().st_size


def test_a_step_without_rows_keeps_its_note_and_writes_no_file(tmp_path):
    with CaptureDraft(tmp_path / "case", PLANNED) as draft:
        write(draft, "raw", "", {"after": "nothing"})
        assert (draft.parts("raw"), draft.note("raw")) == ([], {"after": "nothing"})


def test_a_draft_is_gone_when_the_capture_ended_or_nothing_was_read(tmp_path):
    with CaptureDraft(tmp_path / "case", PLANNED) as draft:
        write(draft, "raw", "a", {})
    assert not draft.folder.exists()
    assert not interrupted(tmp_path / "case").exists()


def test_a_capture_that_broke_off_goes_on_with_what_it_had(tmp_path):
    case = tmp_path / "case"
    interrupted(case, "ab", "cd")
    assert begun_at(case) == PLANNED["captured_at"]
    later = {**PLANNED, "captured_at": "2026-03-13T00:00:00Z"}
    with CaptureDraft(case, later, resume=True) as draft:
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
    with CaptureDraft(case, PLANNED, resume=True) as draft:
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
    with CaptureDraft(case, PLANNED, resume=True) as draft:
        assert not (folder / "000002.parquet").exists()
        write(draft, "raw", "cd", {})
        assert kept(draft) == [*"abcd"]


def test_a_file_that_is_shorter_than_its_line_says_is_refused(tmp_path):
    case = tmp_path / "case"
    folder = interrupted(case, "ab")
    (folder / "000001.parquet").write_bytes(b"")
    with pytest.raises(CaseDamagedError, match="000001"), CaptureDraft(case, PLANNED, resume=True):
        pass
    assert folder.exists()


def test_an_unfinished_capture_is_not_begun_again_by_mistake(tmp_path):
    folder = interrupted(tmp_path / "case", "ab")
    with pytest.raises(UsageError) as raised, CaptureDraft(tmp_path / "case", PLANNED):
        pass
    assert "--resume" in str(raised.value.hint)
    assert (folder / "000001.parquet").exists()


def test_a_capture_does_not_go_on_with_other_options_and_says_which(tmp_path):
    interrupted(tmp_path / "case", "ab")
    other = {**PLANNED, "region": "us-east-1"}
    with pytest.raises(UsageError, match="the region 'eu-west-1', not with the region 'us-east-1'"):
        CaptureDraft(tmp_path / "case", other, resume=True).__enter__()


@pytest.mark.parametrize(
    ("begun", "asked", "said"),
    [
        ({"payloads": True}, {"payloads": False}, "without --no-payloads, not with --no-payloads"),
        (
            {"mask_account": True, "account_id": "hash"},
            {"mask_account": False, "account_id": "123"},
            "with --mask-account, not without --mask-account",
        ),
        ({"only": ["raw", "events"]}, {"only": []}, "with --only 'raw,events', not without --only"),
        ({"sample_messages": 0}, {"sample_messages": 9}, "not with --sample-messages 9"),
        ({"events_table": "a"}, {"events_table": "b"}, "with events_table 'a', not with events_"),
    ],
)
def test_what_is_asked_otherwise_is_named_as_it_is_written(tmp_path, begun, asked, said):
    interrupted(tmp_path / "case", "ab", plan={**PLANNED, **begun})
    with pytest.raises(UsageError, match=said):
        CaptureDraft(tmp_path / "case", {**PLANNED, **asked}, resume=True).__enter__()


def test_another_version_does_not_go_on_and_is_told_which_one_does(tmp_path):
    interrupted(tmp_path / "case", "ab", plan={**PLANNED, "investigate": "1.0", "z": 1})
    asked = {**PLANNED, "investigate": "1.1", "a": 2}
    with pytest.raises(UsageError, match=r"with version '1.0', not with version '1.1'") as raised:
        CaptureDraft(tmp_path / "case", asked, resume=True).__enter__()
    assert "go on with version 1.0" in raised.value.hint


@pytest.mark.parametrize(
    ("now", "said"),
    [("2026-03-13T00:00:01Z", "more than 24 hours ago"), ("2026-03-11T23:59:59Z", "is after")],
)
def test_a_capture_goes_on_within_a_day_or_not_at_all(tmp_path, now, said):
    folder = interrupted(tmp_path / "case", "ab")
    with pytest.raises(UsageError, match=said):
        CaptureDraft(tmp_path / "case", {**PLANNED, "captured_at": now}, resume=True).__enter__()
    assert folder.exists()


def test_it_is_noted_when_a_capture_went_on(tmp_path):
    interrupted(tmp_path / "case", "ab")
    for hour in (1, 2):
        later = {**PLANNED, "captured_at": f"2026-03-12T0{hour}:00:00Z"}
        draft = CaptureDraft(tmp_path / "case", later, resume=True).__enter__()
        draft.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert draft.resumed() == ["2026-03-12T01:00:00Z", "2026-03-12T02:00:00Z"]


def test_a_line_that_lacks_only_its_end_takes_no_later_step_with_it(tmp_path):
    case = tmp_path / "case"
    folder = interrupted(case, "ab", "cd")
    (folder / JOURNAL).write_bytes((folder / JOURNAL).read_bytes()[:-1])
    draft = CaptureDraft(case, PLANNED, resume=True).__enter__()
    assert kept(draft) == [*"ab"]
    write(draft, "raw", "ef", {"after": 2})
    write(draft, "raw", "gh", {"after": 3})
    draft.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    with CaptureDraft(case, PLANNED, resume=True) as again:
        assert (kept(again), again.note("raw")) == ([*"abefgh"], {"after": 3})


def test_what_a_killed_merge_left_is_gone(tmp_path):
    folder = interrupted(tmp_path / "case", "ab")
    (folder / "merged-x").mkdir()
    (folder / "merged-x" / "1-0.parquet").write_bytes(b"half")
    with CaptureDraft(tmp_path / "case", PLANNED, resume=True):
        assert not (folder / "merged-x").exists()


def test_a_draft_is_locked_until_it_is_gone(tmp_path, monkeypatch):
    """Else what another capture begins meanwhile would be removed."""
    case, refused = tmp_path / "case", []
    unlink = Path.unlink

    def meanwhile(path):
        with pytest.raises(UsageError) as raised:
            CaptureDraft(case, PLANNED).__enter__()
        refused.append(str(raised.value))
        unlink(path)

    with CaptureDraft(case, PLANNED) as draft:
        write(draft, "raw", "ab", {})
        monkeypatch.setattr(Path, "unlink", meanwhile)
    assert {said.splitlines()[0] for said in refused} == {
        f"another process is capturing {case} right now"
    }
    assert not draft.folder.exists()


def test_where_a_disk_knows_no_locks_it_is_captured_without(tmp_path, monkeypatch):
    def flock(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    with CaptureDraft(tmp_path / "case", PLANNED) as draft:
        write(draft, "raw", "ab", {})
    assert not draft.folder.exists()


def test_the_fields_that_were_met_are_known_to_the_next_run(tmp_path):
    draft = CaptureDraft(tmp_path / "case", PLANNED).__enter__()
    write(draft, "raw", "a", {"masked": ["email"]})
    write(draft, "events", "b", {"masked": ["phone"]})
    draft.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    with CaptureDraft(tmp_path / "case", PLANNED, resume=True) as again:
        assert again.masked() == {"email", "phone"}


def test_without_an_unfinished_capture_there_is_nothing_to_go_on_with(tmp_path):
    with pytest.raises(UsageError, match="no unfinished capture"):
        CaptureDraft(tmp_path / "case", PLANNED, resume=True).__enter__()
    assert begun_at(tmp_path / "case") is None


@pytest.mark.parametrize("resume", [True, False])
def test_two_captures_of_one_case_do_not_write_at_the_same_time(tmp_path, resume):
    case = tmp_path / "case"
    with CaptureDraft(case, PLANNED) as draft:
        write(draft, "raw", "ab", {})
        with pytest.raises(UsageError):
            CaptureDraft(case, PLANNED, resume=resume).__enter__()
        assert kept(draft) == [*"ab"]


def test_a_finished_case_is_never_captured_over(tmp_path):
    (tmp_path / "case").mkdir()
    with pytest.raises(UsageError, match="never overwritten"):
        CaptureDraft(tmp_path / "case", PLANNED).__enter__()


def test_what_was_consumed_is_what_the_newest_note_says(tmp_path):
    with CaptureDraft(tmp_path / "case", PLANNED) as draft:
        assert draft.consumed() == {}
        write(draft, "raw", "a", {"consumed": {"read_units": 1.5}})
        write(draft, "other", "b", {})
        assert draft.consumed() == {"read_units": 1.5}


def test_the_plan_stands_in_the_draft_as_it_was_asked(tmp_path):
    folder = interrupted(tmp_path / "case", "a")
    assert folder == draft_folder_of(tmp_path / "case")
    assert json.loads((folder / PLAN).read_text(encoding="utf-8")) == PLANNED


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "{}", '{"captured_at": 3}', "[" * 100_000])
def test_a_plan_that_says_nothing_any_more_is_refused_with_what_to_type(tmp_path, text):
    case = tmp_path / "case"
    (interrupted(case, "ab") / PLAN).write_text(text, encoding="utf-8")
    for ask in (
        lambda: begun_at(case),
        lambda: CaptureDraft(case, PLANNED, resume=True).__enter__(),
    ):
        with pytest.raises(UsageError, match="does not say any more") as raised:
            ask()
        assert f"remove {draft_folder_of(case)} and begin again" in raised.value.hint
