"""The record: appended to, held by one, and legible after a kill in the middle of a line."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from investigate.case import RECORD
from investigate.errors import CaseDamagedError, RecoveryRefused
from investigate.recovery import undo
from investigate.recovery.pace import Pace, SendLimits
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
from tests.recovery.helpers import full


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


@pytest.fixture
def case(tmp_path):
    """A folder of a case, beside which no other test leaves a record of its pipeline."""
    folder = tmp_path / "case"
    folder.mkdir()
    return folder


def test_a_full_disk_under_a_record_is_named(case):
    with opened(case, "p") as record:
        record.write(INTENT, ENABLE, "t1", item="u")
    path = case / RECORD
    before = path.read_bytes()
    with full(path), opened(case, "p") as record, pytest.raises(OSError, match="large") as refused:
        record.write(INTENT, ENABLE, "t2", item="v")
    assert refused.value.filename in (str(path), str(shared_path(case, "p")))
    assert path.read_bytes() == before


def test_a_record_with_a_cut_line_tells_what_is_enabled_on_a_full_disk_too(case, monkeypatch):
    monkeypatch.setattr(undo.WriteDoor, "call", lambda *given, **parameters: {"State": "Disabling"})
    with opened(case, "p") as record:
        record.write(INTENT, ENABLE, "t1", item="u")
    paths = (case / RECORD, shared_path(case, "p"))
    for path in paths:
        path.write_bytes(path.read_bytes() + b'{"at": "t2", "kind": "do')
    texts = [path.read_bytes() for path in paths]
    pace = Pace(SendLimits(1, 1.0, 1.0), lambda: datetime(2026, 3, 12, tzinfo=UTC), 0.0)
    with full(paths[0]), opened(case, "p") as record:
        live = SimpleNamespace(connection=None)
        assert undo.disable(record, live, pace, "u", why="x") == {"State": "Disabling"}
        assert list(record.open_mappings()) == ["u"], "the next command disables it once more"
    assert [path.read_bytes() for path in paths] == texts
    # Once there is room, the next line is a line of its own, and so is the one after that.
    with opened(case, "p") as record:
        undo.disable(record, live, pace, "u", why="x")
    for path, text in zip(paths, texts, strict=True):
        rest = path.read_bytes().removeprefix(text)
        assert [bool(line) for line in rest.split(b"\n")] == [False, True, True, False]
    assert left_open(case, "p") == []


SENT = {"kind": DONE, "action": "send-letter", "at": "t2", "item": "d1 arn", "event": "x"}


@pytest.mark.parametrize(
    "changes",
    [
        {"item": None}, {"item": ["x"]}, {"kind": None}, {"at": 5}, {"event": ["x"]},
        {"after": "m"},
    ],
)  # fmt: skip
@pytest.mark.parametrize("shared", [False, True])
def test_a_damaged_line_is_refused_by_its_number_and_hides_no_mapping(case, changes, shared):
    with opened(case, "p") as record:
        record.write(INTENT, ENABLE, "t1", item="u")
    path = shared_path(case, "p") if shared else case / RECORD
    line = {name: value for name, value in {**SENT, **changes}.items() if value is not None}
    path.write_bytes(path.read_bytes() + json.dumps(line).encode("ascii") + b"\n")
    with opened(case, "p") as record:
        assert list(record.open_mappings()) == ["u"], "it can still be undone"
        for ask in (record.refuse_damaged, record.sent):
            with pytest.raises(CaseDamagedError, match=r"line 2 of .*is damaged") as caught:
                ask()
            assert str(path) in caught.value.message
            assert f"sed -n 2p {path}" in caught.value.hint
    assert left_open(case, "p") == ["u"]
    if not shared:
        with pytest.raises(CaseDamagedError):
            read(case)


def test_a_line_of_what_no_version_here_writes_is_no_damage(tmp_path):
    with opened(tmp_path) as record:
        record.write(DONE, "snapshot", "t1")
        record.write(DONE, "of a later version", "t2", item=["x"])
    with opened(tmp_path) as record:
        record.refuse_damaged()
        assert len(record.lines) == 2


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


def two_cases(tmp_path):
    """One case whose sends surely failed, and another that has sent the same since."""
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    with opened(one, "p") as record:
        for kind, at in ((INTENT, "2026-03-12T00:00:01Z"), (FAILED, "2026-03-12T00:00:02Z")):
            record.write(kind, "send-letter", at, item="d1 arn", event="e1")
    with opened(other, "p") as record:
        record.write(INTENT, "send-letter", "2026-03-12T01:00:00Z", item="d1 arn", event="e1")
        after = {"message_id": "m"}
        record.write(
            DONE, "send-letter", "2026-03-12T01:00:01Z", item="d1 arn", event="e1", after=after
        )
    return one


def test_what_another_case_did_later_counts_more_than_what_this_one_did_before(tmp_path):
    with opened(two_cases(tmp_path), "p") as record:
        assert record.letter_state("send-letter", "d1 arn") == DONE
        sent = record.sent()["e1"]
        assert (sent.case, sent.message_id) == ("other", "m")


def test_what_this_case_did_last_counts_more_than_what_another_did_before(tmp_path):
    with opened(two_cases(tmp_path), "p") as record:
        record.write(INTENT, "send-letter", "2026-03-12T02:00:00Z", item="d1 arn", event="e1")
        assert record.letter_state("send-letter", "d1 arn") == INTENT
        sent = record.sent()["e1"]
        assert (sent.case, sent.message_id) == (None, None)


def test_a_record_of_the_pipeline_that_was_lost_does_not_hide_the_own_one(tmp_path):
    one = two_cases(tmp_path)
    shared_path(one, "p").unlink()
    with opened(one, "p") as record:
        assert record.letter_state("send-letter", "d1 arn") == FAILED
        assert record.sent() == {}


def tried(folder, *lines, item="d1 arn", event="e1"):
    """A case in which a letter was tried to be sent: what stands on record, by minute."""
    folder.mkdir(exist_ok=True)
    with opened(folder, "p") as record:
        for kind, minute in lines:
            after = {"after": {"message_id": "m"}} if kind == DONE else {}
            at = f"2026-03-12T00:{minute:02d}:00Z"
            record.write(kind, "send-letter", at, item=item, event=event, **after)


def known(folder):
    """What another case of the pipeline knows: the state of the letter, and of its event."""
    folder.mkdir(exist_ok=True)
    with opened(folder, "p") as record:
        return record.letter_state("send-letter", "d1 arn"), record.sent().get("e1")


@pytest.mark.parametrize("item", ["d1 arn", "d2 arn"])
def test_a_try_that_failed_does_not_hide_what_was_sent_before(tmp_path, item):
    tried(tmp_path / "a", (INTENT, 1), (DONE, 2))
    tried(tmp_path / "b", (INTENT, 3), (FAILED, 4), item=item)
    for case, by in (("a", None), ("b", "a"), ("c", "a")):
        state, sent = known(tmp_path / case)
        assert state == DONE
        assert (sent.message_id, sent.case, sent.at) == ("m", by, "2026-03-12T00:02:00Z")


def test_a_try_that_failed_does_not_hide_one_that_nobody_knows_the_end_of(tmp_path):
    tried(tmp_path / "a", (INTENT, 1))
    tried(tmp_path / "b", (INTENT, 2), (FAILED, 3))
    state, sent = known(tmp_path / "c")
    assert state == INTENT
    assert (sent.message_id, sent.case, sent.at) == (None, "a", "2026-03-12T00:01:00Z")
    tried(tmp_path / "b", (INTENT, 4), (DONE, 5))
    state, sent = known(tmp_path / "c")
    assert (state, sent.message_id, sent.case) == (DONE, "m", "b")


def test_tries_that_all_failed_are_known_to_have_sent_nothing(tmp_path):
    tried(tmp_path / "a", (INTENT, 1), (FAILED, 2))
    tried(tmp_path / "b", (INTENT, 3), (FAILED, 4))
    assert known(tmp_path / "c") == (FAILED, None)


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
