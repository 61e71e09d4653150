"""The record: appended to, held by one, and legible after a kill in the middle of a line."""

from __future__ import annotations

import pytest

from investigate.case import RECORD
from investigate.errors import RecoveryRefused
from investigate.recovery.record import (
    DISABLE,
    DONE,
    ENABLE,
    FAILED,
    INTENT,
    left_open,
    opened,
    read,
    shared_path,
)


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


def test_another_case_of_the_same_pipeline_knows_what_was_sent_and_enabled(tmp_path):
    one, other, far = tmp_path / "one", tmp_path / "other", tmp_path / "deep" / "far"
    for folder in (one, other, far):
        folder.mkdir(parents=True)
    with opened(one, "p") as record:
        record.write(INTENT, ENABLE, "t1", item="u")
        record.write(INTENT, "send-event", "t2", item="e1")
        record.write(DONE, "send-event", "t3", item="e1", after={"message_id": "m"})
        record.write(INTENT, "send-letter", "t4", item="d1 arn", event="e2")
        record.write(INTENT, "send-event", "t5", item="e3")
        record.write(FAILED, "send-event", "t6", item="e3")
    assert left_open(other, "p") == ["u"]
    with opened(other, "p") as record:
        assert record.lines == []
        sent = record.sent()
        assert sorted(sent) == ["e1", "e2"]
        assert (sent["e1"].message_id, sent["e1"].case, sent["e2"].message_id) == ("m", "one", None)
        assert record.letter_state("send-letter", "d1 arn") == INTENT
        assert record.state_of("send-event", "e1") is None
        record.write(DONE, DISABLE, "t7", item="u")
    # What the other one disabled is not open for the first one either.
    assert left_open(one, "p") == []
    with opened(one, "p") as record:
        assert record.sent()["e1"].case is None, "its own"
    assert left_open(far, "p") == []
    assert left_open(other, "another pipeline") == []


def test_two_commands_do_not_work_on_one_pipeline(tmp_path):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    with (
        opened(tmp_path / "one", "p"),
        pytest.raises(RecoveryRefused, match="another command is at work"),
        opened(tmp_path / "other", "p"),
    ):
        pass
    with opened(tmp_path / "one", "p"), opened(tmp_path / "other", "another"):
        pass


def test_the_record_of_a_pipeline_stays_beside_the_case(tmp_path):
    assert shared_path(tmp_path / "case", "../../p").parent == tmp_path.resolve() / ".recovery"
