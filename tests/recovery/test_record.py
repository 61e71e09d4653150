"""The record: appended to, held by one, and legible after a kill in the middle of a line."""

from __future__ import annotations

import pytest

from investigate.case import RECORD
from investigate.errors import RecoveryRefused
from investigate.recovery.record import DISABLE, DONE, ENABLE, FAILED, INTENT, opened, read


def test_what_was_written_is_read_again(tmp_path):
    with opened(tmp_path) as record:
        record.write(INTENT, "send", "t1", item="a")
        record.write(DONE, "send", "t2", item="a", after={"message_id": "m"})
    with opened(tmp_path) as record:
        assert record.state_of("send", "a") == DONE
        assert record.state_of("send", "b") is None
        assert record.lines[-1]["after"] == {"message_id": "m"}
    assert read(tmp_path) == record.lines


def test_an_intent_without_an_outcome_stays_unknown(tmp_path):
    with opened(tmp_path) as record:
        record.write(INTENT, "send", "t1", item="a")
        assert record.state_of("send", "a") == INTENT
        record.write(FAILED, "send", "t1", item="a")
        assert record.state_of("send", "a") == FAILED


def test_a_mapping_stays_open_until_it_was_surely_disabled(tmp_path):
    with opened(tmp_path) as record:
        record.write(INTENT, ENABLE, "t1", item="u")
        assert list(record.open_mappings()) == ["u"]
        record.write(INTENT, DISABLE, "t2", item="u")
        record.write(FAILED, DISABLE, "t3", item="u")
        assert list(record.open_mappings()) == ["u"]
        record.write(DONE, DISABLE, "t4", item="u")
        assert record.open_mappings() == {}


def test_a_line_that_a_kill_cut_is_passed_over_and_the_next_one_is_whole(tmp_path):
    with opened(tmp_path) as record:
        record.write(INTENT, "send", "t1", item="a")
    path = tmp_path / RECORD
    path.write_bytes(path.read_bytes() + b'{"at": "t2", "kind": "do')
    with opened(tmp_path) as record:
        assert record.state_of("send", "a") == INTENT
        record.write(DONE, "send", "t3", item="a")
    assert [line["kind"] for line in read(tmp_path)] == [INTENT, DONE]


def test_two_commands_do_not_work_on_one_case(tmp_path):
    with (
        opened(tmp_path),
        pytest.raises(RecoveryRefused, match="another command is at work"),
        opened(tmp_path),
    ):
        pass


def test_a_case_on_which_nothing_was_tried_has_no_record(tmp_path):
    assert read(tmp_path) == []
    assert list(tmp_path.iterdir()) == []
