"""Every rule refuses what it forbids, by name, and says what to type next."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from investigate.analysis.replays import BY_TIME_ONLY, DUPLICATE
from investigate.case import MANIFEST, digest, open_case
from investigate.errors import RecoveryRefused, UsageError
from investigate.model import isoformat, parse_time
from investigate.pipeline import REFERENCE
from investigate.plan_integrity import Shape, shape_error, with_digest
from investigate.process_plan import SHAPE as PROCESS_SHAPE
from investigate.process_plan import document
from investigate.recovery.live import Live, Queue
from investigate.recovery.moving import refuse_move
from investigate.recovery.pace import SendLimits
from investigate.recovery.plan_file import PlanRequest, plan_for
from investigate.recovery.processing_briefly import (
    refuse_by_plan,
    refuse_by_state,
    refuse_second_run,
    refuse_sent_since,
)
from investigate.recovery.record import DONE, ENABLE, INTENT, Sent, opened
from investigate.recovery.redriving import split_by_rules
from investigate.recovery.region_and_account import RegionAndAccount, region_and_account_of
from investigate.recovery.replaying import missed_keys, refuse_slow, to_send
from investigate.recovery.replaying import split_by_under_way as replay_split
from investigate.recovery.rules import RULES
from investigate.recovery.under_way import UnderWay
from investigate.redrive_plan import PlannedLetter, RedrivePlan
from investigate.replay_plan import SHAPE as REPLAY_SHAPE
from tests.builders import (
    DEAD_LETTERS_ARN,
    QUEUE_ARN,
    Event,
    at,
    evidence_of,
    function_row,
    invocation_row,
    mapping_row,
    message_row,
    queue_row,
    raw_row,
)

QUEUE = Queue("https://q", QUEUE_ARN, 0, 0, 0, DEAD_LETTERS_ARN)
LIMITS = SendLimits(10, 60.0, 5.0)
LETTER = PlannedLetter(
    message_id="d1", queue_arn=DEAD_LETTERS_ARN, channel="sqs-redrive", destination=QUEUE_ARN,
    event_id="e", function="processor", fingerprint="KeyError", lasting="transient", times=1,
    attempts=5, processed=False, deployed_since=False, consumers=0, fifo=False, pointer=False,
    until=None, expired=False, body_sha="0", decision="retry", reason="it may pass now",
)  # fmt: skip
ROW = {
    "event_id": "e1", "event_time": "2026-03-10T05:00:00Z", "sk": "TS#1", "s3_bucket": "b",
    "s3_key": "k", "wanted": True, "prospect": "readable", "why": None, "reason": "in the window",
}  # fmt: skip


def replay_plan(*send, **changes):
    window = {"start": "2026-03-10T00:00:00Z", "end": "2026-03-11T00:00:00Z"}
    known = {"entity_id": "e1", "window": window, "limit": 500, "send": send, "leave_out": []}
    return {**known, **changes}


def redrive_plan(*letters):
    return RedrivePlan("case", "2026-03-12T00:00:00Z", "0" * 64, letters)


def process_plan(folder: Path, **tables):
    known = {
        "queue_state": [queue_row(visible=3)],
        "mappings": [mapping_row(state="Disabled")],
        "functions": [function_row("processor")],
        "messages": [message_row(Event("a"))],
        "raw": [raw_row(Event("a"))],
        "invocations": [],
        "log_lines": [],
    }
    wanted = {name: rows for name, rows in {**known, **tables}.items() if rows is not None}
    return document(evidence_of(folder, **wanted))


UUID = mapping_row()["uuid"]


def live(state="Disabled", uuid=UUID, waiting=1, dry_run=False, batch=1):
    """A pipeline that answers what a test needs."""

    def refuse_dry_run():
        if dry_run:
            raise RULES["dry-run"].refusal(function="processor", seen="now")

    return SimpleNamespace(
        names=SimpleNamespace(design=REFERENCE),
        mapping=lambda: {"UUID": uuid, "State": state, "BatchSize": batch},
        replay_queue=lambda: replace(QUEUE, visible=waiting),
        queue=lambda arn: replace(QUEUE, arn=arn, visible=waiting),
        refuse_dry_run=refuse_dry_run,
    )


def refusal_of(action) -> RecoveryRefused:
    with pytest.raises(RecoveryRefused) as caught:
        action()
    error = caught.value
    assert error.message.startswith(f"refused ({error.rule}): ")
    assert "{" not in error.message + error.hint, "every place for a fact is filled"
    assert error.hint
    return error


@pytest.mark.parametrize(
    ("rule", "plan"),
    [
        ("unscoped-replay", replay_plan(ROW, entity_id="")),
        ("unscoped-replay", replay_plan(ROW, window={"start": "", "end": ""})),
        ("truncated-replay", replay_plan(ROW, leave_out=[{**ROW, "reason": "after the limit"}])),
        ("wanted-left-out", replay_plan(ROW, leave_out=[{**ROW, "reason": "no refs"}])),
        ("wanted-left-out", replay_plan(ROW, leave_out=[{**ROW, "reason": DUPLICATE}])),
        ("wanted-left-out", replay_plan({**ROW, "s3_bucket": None})),
        ("unreadable-object", replay_plan(ROW, leave_out=[{**ROW, "reason": BY_TIME_ONLY}])),
        ("unreadable-object", replay_plan({**ROW, "prospect": "would fail", "why": "missing"})),
        ("unreadable-object", replay_plan({**ROW, "prospect": "unknown", "why": "not seen"})),
        ("over-the-limit", replay_plan(*[ROW] * 11)),
    ],
)
def test_a_replay_is_refused(rule, plan):
    assert refusal_of(lambda: to_send(plan, LIMITS)).rule == rule


def test_a_replay_sends_what_is_wanted_and_nothing_else():
    outside = {**ROW, "event_id": "e2", "wanted": False}
    assert to_send(replay_plan(ROW, outside), LIMITS) == [ROW]


def test_a_row_that_the_pipelines_own_replay_would_miss_is_sent():
    outside = {**ROW, "event_id": "e2", "sk": "TS#2", "reason": BY_TIME_ONLY}
    del outside["prospect"], outside["why"]
    plan = replay_plan(ROW, leave_out=[outside])
    assert missed_keys(plan) == ["TS#2"]
    known = {"TS#2": {"prospect": "readable", "why": None}}
    assert [row["event_id"] for row in to_send(plan, LIMITS, known)] == ["e1", "e2"]


def test_a_replay_that_would_not_end_in_time_is_refused(tmp_path):
    rows = [{**ROW, "event_id": f"e{number}"} for number in range(4)]
    with opened(tmp_path) as record:
        slow = SendLimits(10, 3.0, 1.0)
        assert refusal_of(lambda: refuse_slow(rows, record, slow)).rule == "too-slow"
        refuse_slow(rows[:3], record, slow)
        record.write(DONE, "send-event", "t", item="e0")
        refuse_slow(rows, record, slow)  # three are left


def test_without_locks_nothing_is_recovered(tmp_path, monkeypatch):
    def flock(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", flock)
    with pytest.raises(RecoveryRefused) as caught, opened(tmp_path):
        pytest.fail("a record that cannot be locked was opened")
    assert caught.value.rule == "no-locks"
    assert str(tmp_path) in caught.value.message


def test_recovery_is_there_to_say_so_where_the_system_has_no_such_locks(tmp_path):
    code = (
        "import sys; sys.modules['fcntl'] = None\n"
        "from pathlib import Path\n"
        "from investigate.commands import process_briefly, redrive, replay\n"
        "from investigate.errors import RecoveryRefused\n"
        "from investigate.recovery.record import opened\n"
        "try:\n"
        "    with opened(Path(sys.argv[1])): pass\n"
        "except RecoveryRefused as error: print(error.rule)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "no-locks"


def sent(at="2026-03-12T00:00:00Z", action="send-event", item="x", message=None, case="other"):
    return Sent(at, action, item, message, case)


@pytest.mark.parametrize(
    ("known", "said"),
    [
        (UnderWay(), ""),
        (UnderWay(waiting=frozenset({"e1"})), "waits in the replay queue"),
        (UnderWay(dead=frozenset({"e1"})), "is a dead letter"),
        (UnderWay(sent={"e1": sent(message="m")}), "was sent in a replay of the case other"),
        (UnderWay(sent={"e1": sent()}), "may have been sent in a replay"),
        (UnderWay(sent={"e1": sent(action="send-letter")}), "as a dead letter"),
        # Its own record counts what this case has sent.
        (UnderWay(sent={"e1": sent(case=None)}), ""),
    ],
)
def test_an_event_that_is_on_its_way_is_not_replayed(known, said):
    rows, held = replay_split([ROW], known)
    assert (len(rows), len(held)) == ((0, 1) if said else (1, 0))
    assert said in "".join(reason for _, reason in held)


ITEM = f"d1 {DEAD_LETTERS_ARN}"


@pytest.mark.parametrize(
    ("known", "back"),
    [
        (UnderWay(waiting=frozenset({"e"})), False),
        (UnderWay(sent={"e": sent()}), False),
        (UnderWay(sent={"e": sent(action="send-letter", item="d9 arn", message="m9")}), False),
        # This letter itself: its record counts it. Or the message that was sent, dead again.
        (UnderWay(sent={"e": sent(action="send-letter", item=ITEM)}), True),
        (UnderWay(sent={"e": sent(item="e", message="d1")}), True),
    ],
)
def test_a_letter_whose_event_is_on_its_way_is_held_back(known, back):
    plan = redrive_plan(LETTER)
    if back:
        assert split_by_rules(plan, QUEUE, known) == ([LETTER], [])
    else:
        assert refusal_of(lambda: split_by_rules(plan, QUEUE, known)).rule == "sent-before"


def test_of_two_letters_of_one_event_one_goes_back():
    twin = replace(LETTER, message_id="d2")
    other = replace(LETTER, message_id="d3", event_id=None)
    unknown = replace(other, message_id="d4")
    back, held = split_by_rules(redrive_plan(LETTER, twin, other, unknown), QUEUE)
    assert [letter.message_id for letter in back] == ["d1", "d3", "d4"]
    assert [(letter.message_id, error.rule) for letter, error in held] == [("d2", "sent-before")]


@pytest.mark.parametrize(
    ("rule", "letter"),
    [
        ("permanent-error", replace(LETTER, decision="repair")),
        ("permanent-error", replace(LETTER, decision="archive")),
        ("permanent-error", replace(LETTER, decision="escalate")),
        ("not-from-a-queue", replace(LETTER, channel="lambda-dlq")),
        ("fifo-order", replace(LETTER, fifo=True)),
        ("no-newer-deployment", replace(LETTER, lasting="permanent")),
        ("no-newer-deployment", replace(LETTER, lasting="unknown", deployed_since=None)),
        ("other-destination", replace(LETTER, destination=f"{QUEUE_ARN}-2")),
        ("other-destination", replace(LETTER, destination=None, queue_arn="arn:elsewhere")),
    ],
)
def test_a_letter_is_not_sent_back(rule, letter):
    assert refusal_of(lambda: split_by_rules(redrive_plan(letter), QUEUE)).rule == rule


def test_letters_that_may_go_back_do_although_others_may_not():
    held = replace(LETTER, message_id="d2", fifo=True)
    archived = replace(LETTER, message_id="d3", decision="archive")
    deployed = replace(LETTER, message_id="d4", lasting="permanent", deployed_since=True)
    deployed = replace(deployed, event_id="e4")
    unnamed = replace(LETTER, message_id="d5", event_id="e5", destination=None)
    plan = redrive_plan(LETTER, held, archived, deployed, unnamed)
    back, kept = split_by_rules(plan, QUEUE)
    assert [letter.message_id for letter in back] == ["d1", "d4", "d5"]
    assert [(letter.message_id, error.rule) for letter, error in kept] == [("d2", "fifo-order")]


@pytest.mark.parametrize(
    ("rule", "letters", "waiting", "limits"),
    [
        ("not-from-a-queue", [LETTER, replace(LETTER, channel="eventbridge-dlq")], 2, LIMITS),
        ("move-not-whole", [LETTER], 2, LIMITS),
        ("over-the-limit", [LETTER], 1, SendLimits(0, 60.0, 5.0)),
        ("move-too-slow", [LETTER], 1, SendLimits(10, 60.0, 0.2)),
    ],
)
def test_a_message_move_is_refused(rule, letters, waiting, limits):
    plan, planned = redrive_plan(*letters), letters[:1]
    refused = refusal_of(lambda: refuse_move(plan, planned, live(waiting=waiting), limits))
    assert refused.rule == rule


FAILED = invocation_row("r1", at(2), status="error", error_type="OSError", error_message="odd")
FAILED["function"] = "processor"
TIMED_OUT = {**FAILED, "status": "timeout", "error_message": "Task timed out"}


@pytest.fixture(scope="module")
def fine(tmp_path_factory):
    """The plan of a case in which nothing speaks against processing."""
    return process_plan(tmp_path_factory.mktemp("fine"))


SAMPLE = {"messages": 1, "malformed": 0, "unloadable": 0, "stuck": 0, "unlooked": 0}
LASTING = {"at_utc": "t", "request_id": "r", "error": "odd"}


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        ("dry-run", {"processor": {"name": "processor", "dry_run": True}}),
        ("dry-run-unknown", {"processor": {"name": "processor", "dry_run": None}}),
        ("processor-unknown", {"processor": None}),
        ("mapping-absent", {"mappings": []}),
        ("mapping-absent", {"mappings": [{"uuid": "1"}, {"uuid": "2"}]}),
        ("sample-unread", {"sample": None}),
        ("sample-unread", {"sample": {"messages": 0, "malformed": 0}}),
        ("poison-waiting", {"sample": {"messages": 2, "malformed": 1, "malformed_ids": ["m"]}}),
        ("poison-waiting", {"sample": {**SAMPLE, "unloadable": 1, "unloadable_ids": ["m"]}}),
        ("poison-waiting", {"sample": {**SAMPLE, "stuck": 1, "stuck_ids": ["m"]}}),
        ("objects-unseen", {"sample": {**SAMPLE, "unlooked": 1}}),
        ("objects-unseen", {"sample": {**SAMPLE, "unloadable": None}}),
        ("objects-unseen", {"sample": {"messages": 1, "malformed": 0}}),
        ("failures-unread", {"failures": None}),
        ("no-newer-deployment", {"failures": {"last_lasting": LASTING, "deployed_since": False}}),
        ("no-newer-deployment", {"failures": {"last_lasting": LASTING, "deployed_since": None}}),
    ],
)
def test_processing_is_refused_by_what_the_case_shows(fine, rule, changes):
    assert refusal_of(lambda: refuse_by_plan({**fine, **changes})).rule == rule


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"failures": {"last_lasting": None, "deployed_since": None}},
        {"failures": {"last_lasting": LASTING, "deployed_since": True}},
        {"queue": {"name": "q", "visible": 0}, "sample": None},
    ],
    ids=["nothing is wrong", "it may pass now", "it was repaired since", "nothing waits"],
)
def test_processing_is_allowed_where_nothing_speaks_against_it(fine, changes):
    plan = {**fine, **changes}
    assert refuse_by_plan(plan) is None


def test_a_process_plan_tells_what_waits_and_of_whom(fine):
    assert (fine["queue"]["visible"], fine["mappings"][0]["state"]) == (3, "Disabled")
    assert fine["sample"] == {
        "messages": 1, "malformed": 0, "malformed_ids": [], "unloadable": 0, "unloadable_ids": [],
        "stuck": 0, "stuck_ids": [], "unlooked": 0, "most_receives": 1,
        "days": [{"entity_id": "e1", "day": "2026-03-10"}],
    }  # fmt: skip


def test_a_case_without_a_processor_is_told_so_and_not_that_its_settings_are_secret(tmp_path):
    refused = refusal_of(lambda: refuse_by_plan(process_plan(tmp_path, functions=[])))
    assert refused.rule == "processor-unknown"
    assert "the case names no processor" in refused.message
    assert "[pipeline.functions]" in refused.hint
    assert "kms" not in refused.hint


def test_a_process_plan_tells_failures_that_last_from_those_that_may_pass(tmp_path):
    late = function_row("processor", last_modified_utc=at(3))
    missing = {**FAILED, "request_id": "r3", "error_message": "NoSuchKey: x"}
    plan = process_plan(
        tmp_path,
        invocations=[FAILED, {**TIMED_OUT, "request_id": "r2"}, missing],
        functions=[late],
        messages=[message_row(Event("a"), well_formed=False)],
    )
    known = plan["failures"]
    assert (known["count"], known["transient"], known["deployed_since"]) == (2, 1, True)
    assert known["last_lasting"]["request_id"] == "r1"
    assert plan["sample"]["malformed_ids"] == ["m1"]


def test_a_process_plan_counts_the_messages_that_would_be_lost(tmp_path):
    lost, often = Event("lost"), Event("often")
    plan = process_plan(
        tmp_path,
        messages=[
            message_row(lost, "m1"),
            message_row(often, "m2", receive_count=9),
            message_row(Event("bad"), "m3", well_formed=False),
        ],
        raw=[raw_row(often), raw_row(Event("bad"))],
    )
    sample = plan["sample"]
    assert (sample["unloadable_ids"], sample["stuck_ids"]) == (["m1"], ["m2"])
    assert (sample["malformed_ids"], sample["unlooked"]) == (["m3"], 0)
    unseen = process_plan(tmp_path, raw=None)["sample"]
    assert (unseen["unloadable"], unseen["unlooked"]) == (None, 1)


def test_a_process_plan_without_logs_does_not_know_of_failures(tmp_path):
    plan = process_plan(tmp_path, invocations=None, log_lines=None, messages=None)
    assert (plan["failures"], plan["sample"]) == (None, None)


@pytest.mark.parametrize(
    ("rule", "state"),
    [
        ("mapping-enabled", {"state": "Enabled"}),
        ("mapping-enabled", {"state": "Enabling"}),
        ("mapping-absent", {"uuid": "another"}),
        ("more-waiting", {"waiting": 4}),
        ("batch-over-the-limit", {"waiting": 3, "batch": 3}),
        ("dry-run", {"dry_run": True}),
    ],
)
def test_processing_is_refused_by_what_the_pipeline_is_now(fine, rule, state):
    assert refusal_of(lambda: refuse_by_state(fine, live(**state), 2)).rule == rule


DENIED = {"Error": {"ErrorCode": "AccessDeniedException", "Message": "kms:Decrypt"}}


def live_with(environment):
    """A pipeline whose processor answers with this environment."""
    answer = {"FunctionName": "processor", **environment}
    connection = SimpleNamespace(call=lambda *_, **__: answer)
    return Live(connection, SimpleNamespace(functions={"processor": "processor"}))


@pytest.mark.parametrize(
    ("rule", "environment"),
    [
        ("dry-run", {"Environment": {"Variables": {"DRY_RUN": "True"}}}),
        ("dry-run-unknown", {"Environment": DENIED}),
    ],
)
def test_nothing_is_sent_to_a_processor_that_is_or_may_be_in_dry_run(rule, environment):
    assert refusal_of(live_with(environment).refuse_dry_run).rule == rule


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"Environment": {}},
        {"Environment": {"Variables": {}}},
        {"Environment": {"Variables": {"DRY_RUN": "1"}}},  # which the pipeline takes for no
    ],
)
def test_a_processor_that_is_surely_not_in_dry_run_is_sent_to(environment):
    assert live_with(environment).refuse_dry_run() is None


def test_a_plan_older_than_what_was_sent_is_refused(fine, tmp_path):
    with opened(tmp_path) as record:
        refuse_sent_since(record, fine)
        record.write(DONE, "send-event", "2026-03-09T00:00:00Z", item="e0")
        refuse_sent_since(record, fine)
        record.write(DONE, "send-letter", "2027-03-09T00:00:00Z", item="d1")
        assert refusal_of(lambda: refuse_sent_since(record, fine)).rule == "sent-since"


def test_a_queue_in_another_place_is_refused():
    here, there = region_and_account_of(QUEUE_ARN), RegionAndAccount("us-east-1", None)
    assert refusal_of(lambda: here.refuse_other(there, "the queue q")).rule == "other-place"


def test_a_plan_enables_a_mapping_once(tmp_path):
    with opened(tmp_path) as record:
        refuse_second_run(record, "plan")
        record.write(INTENT, ENABLE, "t1", item="u", plan="plan")
        assert refusal_of(lambda: refuse_second_run(record, "plan")).rule == "run-before"
        summary = {"stopped": "the queue is empty"}
        record.write(DONE, "run", "t2", plan="plan", summary=summary)
        refused = refusal_of(lambda: refuse_second_run(record, "plan"))
        assert "the queue is empty" in refused.message
        refuse_second_run(record, "another plan")


@pytest.fixture
def asked(tmp_path):
    case = open_case(evidence_of(tmp_path, queue_state=[queue_row()]).case.folder)
    path = tmp_path / "plan.json"
    plan = {
        "schema": "investigate.process-plan/1",
        "case": case.name,
        "captured_at": isoformat(case.captured_at),
        "manifest": digest(case.folder / MANIFEST),
    }
    path.write_text(json.dumps(with_digest(plan)), encoding="utf-8")
    return PlanRequest(case, path, case.captured_at + timedelta(minutes=5), timedelta(minutes=60))


def changed(asked, **values):
    plan = {**json.loads(asked.path.read_text(encoding="utf-8")), **values}
    asked.path.write_text(json.dumps(plan), encoding="utf-8")
    return plan


SCHEMA = "investigate.process-plan/1"
ANY: dict[str, Shape] = {}


def test_a_plan_of_this_case_is_read(asked):
    plan = plan_for(asked, SCHEMA, ANY)
    assert parse_time(plan["captured_at"]) == asked.case.captured_at


def test_a_plan_that_was_edited_is_refused(asked):
    changed(asked, case="another name")
    assert refusal_of(lambda: plan_for(asked, SCHEMA, ANY)).rule == "plan-changed"


def test_a_plan_of_another_case_is_refused(asked):
    asked.path.write_text(
        json.dumps(with_digest(changed(asked, manifest="0" * 64))), encoding="utf-8"
    )
    assert refusal_of(lambda: plan_for(asked, SCHEMA, ANY)).rule == "other-case"


def test_a_plan_that_is_too_old_is_refused(asked):
    late = replace(asked, moment=asked.case.captured_at + timedelta(minutes=61))
    refused = refusal_of(lambda: plan_for(late, SCHEMA, ANY))
    assert refused.rule == "plan-too-old"
    assert "61 minutes ago" in refused.message


def test_a_plan_of_the_future_is_refused(asked):
    early = replace(asked, moment=asked.case.captured_at - timedelta(minutes=2))
    assert refusal_of(lambda: plan_for(early, SCHEMA, ANY)).rule == "plan-from-the-future"
    nearly = replace(asked, moment=asked.case.captured_at - timedelta(seconds=50))
    assert plan_for(nearly, SCHEMA, ANY)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"schema": "investigate.replay-plan/1"}'])
def test_a_file_that_is_no_such_plan_is_an_error_of_use(asked, text):
    asked.path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=r"plan\.json"):
        plan_for(asked, SCHEMA, ANY)


@pytest.mark.parametrize(
    ("send", "said"),
    [
        ([], ""),
        ([ROW], ""),
        ([{**ROW, "s3_key": None}], ""),
        ([ROW, {"event_id": "e2"}], "send[1] has no event_time"),
        ([{**ROW, "wanted": 1}], "send[0].wanted is 1"),
        ([{**ROW, "sk": None}], "send[0].sk is None"),
        ([None], "send[0] is None"),
        ({}, "send is {}"),
    ],
)
def test_a_replay_plan_is_read_only_if_its_rows_hold_what_is_sent(send, said):
    assert shape_error(replay_plan(send=send), REPLAY_SHAPE) == said


def test_a_limit_is_no_flag_and_a_window_may_be_missing():
    assert shape_error(replay_plan(send=[], limit=True), REPLAY_SHAPE) == "limit is True"
    assert shape_error(replay_plan(send=[], window=None), REPLAY_SHAPE) == ""
    assert shape_error(replay_plan(send=[], window={"start": 1, "end": None}), REPLAY_SHAPE) == (
        "window.start is 1"
    )


def test_a_process_plan_of_today_is_whole_and_one_of_nothing_is_not(tmp_path):
    whole, blind = tmp_path / "whole", tmp_path / "blind"
    whole.mkdir()
    blind.mkdir()
    assert shape_error(process_plan(whole), PROCESS_SHAPE) == ""
    bare = process_plan(blind, messages=None, invocations=None, log_lines=None)
    assert shape_error(bare, PROCESS_SHAPE) == ""
    assert shape_error({}, PROCESS_SHAPE) == "it has no queue"


def test_a_sealed_plan_that_lacks_something_is_refused_with_what_to_type(asked):
    with pytest.raises(UsageError, match=r"plan\.json is not whole: it has no queue") as refused:
        plan_for(asked, SCHEMA, PROCESS_SHAPE)
    assert "investigate process-plan CASE" in refused.value.hint
