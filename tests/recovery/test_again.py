"""Nothing is sent twice, half, or while nobody looks: what goes wrong in the middle of a run."""

from __future__ import annotations

import io
import os
import signal
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from investigate.aws.failures import access_error
from investigate.case import RECORD
from investigate.errors import AccessError, RecoveryRefused
from investigate.model import isoformat
from investigate.recovery import redriving, replaying, undo
from investigate.recovery.live import Live
from investigate.recovery.pace import Pace, SendLimits
from investigate.recovery.record import DONE, ENABLE, INTENT, opened, read
from investigate.recovery.region_and_account import RegionAndAccount
from investigate.recovery.sending import Run
from investigate.recovery.signals import signals_noted
from tests.recovery.helpers import (
    LIMITS,
    dead_letters,
    full,
    ingest,
    mapping_state,
    plan_file,
    record_of,
)
from tests.recovery.test_rules import LETTER
from tests.sandbox.pipelines import DAY, depth, later, request, rows

WRITE = ("--allow-writes", "--yes", *LIMITS)


@pytest.fixture
def stopped(trouble):
    """A pipeline whose mapping is disabled."""
    trouble.sandbox.stop_consumer()
    return trouble


def repaired(trouble):
    later(trouble.sandbox, minutes=10)
    trouble.sandbox.set_dry_run("processor", False)
    return trouble.capture()


def replay_plan(ask, trouble, case, entity):
    scope = ("--entity", entity, "--start", DAY[0], "--end", DAY[1])
    return plan_file(ask, trouble.folder, "replay-plan", case, *scope)


def test_an_event_is_sent_once_whatever_case_and_command_it_is_asked_of(ask, trouble):
    sandbox = trouble.sandbox
    dead_letters(sandbox, "failed", 2)
    case = repaired(trouble)
    redrive = plan_file(ask, trouble.folder, "redrive-plan", case)
    replay = replay_plan(ask, trouble, case, "failed")
    aws = trouble.aws()
    # They are dead letters: no replay sends them.
    code, out, _ = ask("replay", case, "--plan", replay, *WRITE, *aws)
    assert (code, sum(depth(sandbox))) == (0, 0)
    assert "is a dead letter" in " ".join(out.split())
    assert ask("redrive", case, "--plan", redrive, *WRITE, *aws)[0] == 0
    assert ask("replay", case, "--plan", replay, *WRITE, *aws)[0] == 0
    assert sum(depth(sandbox)) == 2
    # Another case of the same pipeline, which looked at no message.
    again = trouble.capture(sample_messages=0, force_sampling=False)
    plan = replay_plan(ask, trouble, again, "failed")
    for more in ((), ("--again",)):
        code, out, _ = ask("replay", again, "--plan", plan, *WRITE, *trouble.aws(), *more)
        assert code == 0
        assert "was sent as a dead letter of the case case-1" in " ".join(out.split())
        assert sum(depth(sandbox)) == 2
    # They left the queue, and nobody saw them any more: then a person may say so.
    sandbox.clients.sqs.purge_queue(QueueUrl=sandbox.names.replay_queue_url)
    third = trouble.capture()
    plan = replay_plan(ask, trouble, third, "failed")
    assert ask("replay", third, "--plan", plan, *WRITE, *trouble.aws())[0] == 0
    assert sum(depth(sandbox)) == 0
    code, out, err = ask("replay", third, "--plan", plan, *WRITE, *trouble.aws(), "--again")
    assert code == 0, err
    assert sum(depth(sandbox)) == 2


def test_a_replay_sends_also_what_the_pipelines_own_would_miss(ask, stopped):
    for number, when in enumerate(("2026-03-10T00:00:00.500Z", "2026-03-10T05:00:00Z")):
        stopped.sandbox.ingest(request(f"e-{number}", entity_id="acme", event_time=when))
    case = repaired(stopped)
    plan = replay_plan(ask, stopped, case, "acme")
    code, out, err = ask("replay", case, "--plan", plan, *WRITE, *stopped.aws())
    assert code == 0, err
    assert "2 messages" in out
    assert sum(depth(stopped.sandbox)) == 2


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        (("events", "raw"), "how many messages wait was not captured: an event may be among them"),
        (("events", "raw", "queue_state"), "1 message waits unseen: an event may be among them"),
    ],
)
def test_a_replay_says_what_of_the_queue_nobody_saw(ask, stopped, tables, said):
    ingest(stopped.sandbox, "acme", 1)
    stopped.sandbox.replay("acme", *DAY)
    unsampled = {"sample_messages": 0, "force_sampling": False}
    case = stopped.capture(only=tables, **unsampled)
    plan = replay_plan(ask, stopped, case, "acme")
    code, out, err = ask("replay", case, "--plan", plan, *WRITE, *stopped.aws())
    assert code == 0, err
    assert said in " ".join((out + err).split())


def test_a_replay_that_a_signal_ends_is_no_success(ask, stopped, monkeypatch):
    ingest(stopped.sandbox, "acme", 4)
    case = repaired(stopped)
    plan = replay_plan(ask, stopped, case, "acme")
    send = replaying._send

    def interrupted(*given):
        os.kill(os.getpid(), signal.SIGTERM)
        return send(*given)

    monkeypatch.setattr(replaying, "_send", interrupted)
    code, out, _ = ask("replay", case, "--plan", plan, *WRITE, *stopped.aws())
    assert code == 1
    assert "only a part of 4 messages is sent" in " ".join(out.split())
    monkeypatch.setattr(replaying, "_send", send)
    assert ask("replay", case, "--plan", plan, *WRITE, *stopped.aws())[0] == 0
    assert sum(depth(stopped.sandbox)) == 4


def test_what_was_sent_stands_in_the_end_although_the_pipeline_is_gone(ask, stopped, monkeypatch):
    ingest(stopped.sandbox, "acme", 2)
    case = repaired(stopped)
    plan = replay_plan(ask, stopped, case, "acme")
    lambda_ = stopped.sandbox.clients.lambda_
    (mapping,) = lambda_.list_event_source_mappings()["EventSourceMappings"]
    send = replaying._send

    def and_gone(*given):
        if lambda_.list_event_source_mappings()["EventSourceMappings"]:
            lambda_.delete_event_source_mapping(UUID=mapping["UUID"])
        return send(*given)

    monkeypatch.setattr(replaying, "_send", and_gone)
    code, out, _ = ask("replay", case, "--plan", plan, *WRITE, *stopped.aws())
    assert (code, "2 messages" in out) == (3, True)
    assert "unknown    how the pipeline is now: " in out
    assert "capture the case again to see what came of it" in out
    assert record_of(case)[-1]["action"] == "run"


@pytest.fixture
def waiting(ask, stopped):
    """Three messages that wait, a case of it, and the plan."""
    ingest(stopped.sandbox, "acme", 3)
    stopped.sandbox.replay("acme", *DAY)
    case = repaired(stopped)
    return case, plan_file(ask, stopped.folder, "process-plan", case)


def test_records_that_fail_behind_the_last_look_are_no_success(ask, stopped, waiting, monkeypatch):
    case, plan = waiting
    for row in rows(stopped.sandbox, "events"):
        stopped.sandbox.clients.s3.delete_object(Bucket=row["s3_bucket"], Key=row["s3_key"])
    # Not one line reaches CloudWatch in time.
    monkeypatch.setattr(Live, "errors_since", lambda live, moment: {})
    code, out, _ = ask("process-briefly", case, "--plan", plan, *WRITE, *stopped.aws())
    assert code == 3
    assert "no aggregate of their days is newer" in " ".join(out.split())


def test_a_line_that_comes_after_the_mapping_was_disabled_is_seen(
    ask, stopped, waiting, monkeypatch
):
    case, plan = waiting
    for row in rows(stopped.sandbox, "events"):
        stopped.sandbox.clients.s3.delete_object(Bucket=row["s3_bucket"], Key=row["s3_key"])
    errors_since = Live.errors_since

    def late(live, moment):
        disabled = any(line["action"] == "disable-mapping" for line in read(case))
        return errors_since(live, moment) if disabled else {}

    monkeypatch.setattr(Live, "errors_since", late)
    code, out, _ = ask("process-briefly", case, "--plan", plan, *WRITE, *stopped.aws())
    assert code == 1
    assert "the processor failed" in out


def test_what_arrives_meanwhile_hides_nothing_that_is_processed(ask, stopped, waiting, monkeypatch):
    case, plan = waiting
    url = stopped.sandbox.names.replay_queue_url
    sqs, arrived = stopped.sandbox.clients.sqs, []
    queues = stopped.sandbox.corrections._backend("sqs").queues
    body = queues[url.rpartition("/")[2]]._messages[0].body  # to receive it would count
    replay_queue = Live.replay_queue

    def and_more(live):
        # As many as the processor takes at a look: the counts stand still.
        if mapping_state(stopped.sandbox) == "Enabled" and len(arrived) < 90:
            arrived.extend(sqs.send_message(QueueUrl=url, MessageBody=body) for _ in range(3))
        return replay_queue(live)

    monkeypatch.setattr(Live, "replay_queue", and_more)
    most = ("--max-messages", "8")
    _, out, _ = ask("process-briefly", case, "--plan", plan, *WRITE, *most, *stopped.aws())
    assert "9 messages left the queue, more than --max-messages 8" in " ".join(out.split())
    assert len(arrived) == 6
    assert mapping_state(stopped.sandbox) == "Disabled"


def test_a_way_back_that_is_denied_is_told_with_what_was_done(ask, stopped, waiting, monkeypatch):
    case, plan = waiting

    def denied(*given):
        raise access_error("AccessDenied", "lambda:UpdateEventSourceMapping", "no", "eu-west-1")

    monkeypatch.setattr(undo, "_disabled", denied)
    code, out, err = ask("process-briefly", case, "--plan", plan, *WRITE, *stopped.aws())
    assert code == 1
    assert "MAY STILL BE ENABLED" in err
    assert "3 messages" in out
    assert record_of(case)[-1]["action"] == "run"


def test_a_mapping_that_a_person_enabled_while_asked_stays_enabled(
    ask, stopped, waiting, monkeypatch
):
    case, plan = waiting
    stopped.served.work = None
    terminal = io.StringIO()
    terminal.isatty = lambda: True

    def answer():
        stopped.sandbox.start_consumer()
        return "yes\n"

    terminal.readline = answer
    monkeypatch.setattr("sys.stdin", terminal)
    options = ("--plan", plan, "--allow-writes", *LIMITS, *stopped.aws())
    code, _, err = ask("process-briefly", case, *options)
    assert code == 2
    assert "refused (mapping-enabled)" in err
    assert mapping_state(stopped.sandbox) == "Enabled"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_at_the_prompt_ends_the_command(ask, stopped, waiting, monkeypatch, number):
    case, plan = waiting
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    handlers = []

    def answer():
        handlers.append(signal.getsignal(number))
        raise KeyboardInterrupt

    terminal.readline = answer
    monkeypatch.setattr("sys.stdin", terminal)
    ask("process-briefly", case, "--plan", plan, "--allow-writes", *LIMITS, *stopped.aws())
    assert handlers == [signal.SIG_DFL if number == signal.SIGTERM else signal.default_int_handler]
    assert read(case) == []


def uuid_of(sandbox) -> str:
    (mapping,) = sandbox.clients.lambda_.list_event_source_mappings()["EventSourceMappings"]
    return mapping["UUID"]


def test_an_undo_of_another_case_undoes_and_tells_what_is(ask, stopped, waiting):
    case, _ = waiting
    other = stopped.capture()
    uuid = uuid_of(stopped.sandbox)
    stopped.served.work = None
    stopped.sandbox.start_consumer()
    command = ("process-briefly", other, "--undo", "--allow-writes", *stopped.aws())
    code, out, _ = ask(*command)
    assert f"the mapping {uuid} is Enabled: no command is known" in " ".join(out.split())
    with opened(case, "eu-west-1-123456789012-demo-replay") as record:
        record.write(INTENT, ENABLE, "t", item=uuid, plan="p")
    code, out, _ = ask(*command)
    assert code == 0
    assert f"the mapping {uuid} is Disabled" in " ".join(out.split())
    assert mapping_state(stopped.sandbox) == "Disabled"


NOW = datetime(2026, 3, 12, tzinfo=UTC)


def pace(rate=None, seconds=60.0):
    return Pace(SendLimits(50, seconds, rate), lambda: NOW, poll_seconds=0.0)


def reached(account="1" * 12, region="eu-west-1", **mapping):
    """A connection that leads to a place, and what answers there for the mapping."""
    connection = SimpleNamespace(region=region, account=lambda: account)
    known = {"UUID": "u", "State": "Enabled", "LastModified": NOW, **mapping}
    return SimpleNamespace(connection=connection, mapping=lambda: known, place=RegionAndAccount())


@pytest.fixture
def not_there(monkeypatch):
    """AWS knows no such mapping."""

    def call(*given, **parameters):
        raise access_error("ResourceNotFoundException", "lambda", "none", "eu-west-1")

    monkeypatch.setattr(undo.WriteDoor, "call", call)


def test_a_mapping_is_gone_only_where_it_was_enabled(tmp_path, not_there):
    with opened(tmp_path) as record:
        record.write(INTENT, ENABLE, "t", item="u", region="eu-west-1", account="1" * 12)
        for elsewhere in (reached(region="us-east-1"), reached(account="2" * 12)):
            with pytest.raises(RecoveryRefused, match="other-place"):
                undo.undo_open(record, elsewhere, pace())
            with pytest.raises(AccessError, match="MAY STILL BE ENABLED"):
                undo.disable(record, elsewhere, pace(), "u", why="x")
            assert list(record.open_mappings()) == ["u"]
        undo.undo_open(record, reached(), pace())
        assert record.open_mappings() == {}


def test_a_full_disk_does_not_hide_that_a_mapping_may_still_be_enabled(tmp_path, not_there):
    with opened(tmp_path) as record:
        record.write(INTENT, ENABLE, "t", item="u", region="us-east-1")
    with (
        full(tmp_path / RECORD),
        pytest.raises(AccessError, match="THE MAPPING u MAY STILL BE ENABLED"),
        opened(tmp_path) as record,
    ):
        undo.disable(record, reached(), pace(), "u", why="x")
    assert [(line["kind"], line["action"]) for line in read(tmp_path)] == [(INTENT, ENABLE)]


def test_a_mapping_that_was_disabled_is_so_on_a_full_disk_too(tmp_path, monkeypatch):
    answer = {"State": "Disabling"}
    monkeypatch.setattr(undo.WriteDoor, "call", lambda *given, **parameters: answer)
    with opened(tmp_path) as record:
        record.write(INTENT, ENABLE, "t", item="u")
        with full(record.path):
            assert undo.disable(record, reached(), pace(), "u", why="x") == answer
        assert list(record.open_mappings()) == ["u"], "the next command disables it once more"


def test_a_line_that_a_full_disk_cut_leaves_nothing_behind(tmp_path):
    with opened(tmp_path) as record:
        record.write(INTENT, "send", "t", item="a")
        size = record.path.stat().st_size
        with full(record.path, room=10), pytest.raises(OSError, match="too large"):
            record.write(DONE, "send", "t", item="a")
        assert record.path.stat().st_size == size
        record.write(DONE, "send", "t", item="a")
    assert [line["kind"] for line in read(tmp_path)] == [INTENT, DONE]


def test_an_answer_without_a_state_closes_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(undo.WriteDoor, "call", lambda *given, **parameters: {})
    monkeypatch.setattr(undo, "ATTEMPTS", 1)
    with opened(tmp_path) as record:
        record.write(INTENT, ENABLE, "t", item="u")
        with pytest.raises(AccessError, match="tells no state"):
            undo.undo_open(record, reached(), pace())
        assert list(record.open_mappings()) == ["u"]


@pytest.mark.parametrize(
    ("later_by", "state", "left"), [(60, "Enabled", True), (1, "Enabled", False)]
)
def test_what_somebody_changed_later_is_left_to_them(tmp_path, monkeypatch, later_by, state, left):
    asked = []

    def call(*given, **parameters):
        asked.append(parameters)
        return {"State": "Disabling"}

    monkeypatch.setattr(undo.WriteDoor, "call", call)
    with opened(tmp_path) as record:
        record.write(INTENT, ENABLE, "t", item="u", modified=isoformat(NOW))
        changed = reached(State=state, LastModified=NOW + timedelta(minutes=later_by))
        (said,) = undo.undo_open(record, changed, pace())
        assert ("was not disabled" in said) == left
        assert bool(asked) != left
        assert record.open_mappings() == {}


class Letters:
    """A dead-letter queue that gives one letter at a time, and what was asked of it."""

    def __init__(self, letters, hidden=0.0):
        self.letters, self.asked, self.hidden = list(letters), [], hidden

    def call(self, service, operation, **parameters):
        self.asked.append((operation, parameters))
        if operation == "ReceiveMessage":
            time.sleep(self.hidden)
            most = parameters["MaxNumberOfMessages"]
            found = self.letters[:most]
            return {"Messages": [{"MessageId": one, "Body": "", "ReceiptHandle": one}
                                 for one in found]}  # fmt: skip
        if operation == "DeleteMessage":
            self.letters.remove(parameters["ReceiptHandle"])
        return {"MessageId": "new"}

    def receives(self):
        return [given for operation, given in self.asked if operation == "ReceiveMessage"]


def redriven(folder, door, given, ids):
    with opened(folder) as record:
        watch = SimpleNamespace(trouble=lambda: "", taken=0)
        run = Run(record, given, watch, "plan")
        letters = {
            one: SimpleNamespace(**{**vars_of(LETTER), "message_id": one, "body_sha": None})
            for one in ids
        }
        redriving._redrive(run, door, ("take", "send"), letters)
        return run


def vars_of(letter):
    return {name: getattr(letter, name) for name in letter.__dataclass_fields__}


def test_at_a_slow_rate_no_more_letters_are_held_than_are_sent_in_time(tmp_path):
    door = Letters(["a", "b", "c"])
    run = redriven(tmp_path, door, pace(rate=0.05, seconds=1.0), ["a", "b", "c"])
    assert {given["MaxNumberOfMessages"] for given in door.receives()} == {1}
    assert run.summary.done == 1, "the second one is not due before the time is over"
    assert len(door.receives()) == 1, "and it is not received before it is due"
    assert run.watch.taken == 1


def test_a_letter_that_was_held_too_long_is_received_again(tmp_path, monkeypatch):
    monkeypatch.setattr(redriving, "HELD_SECONDS", 0.15)
    door = Letters(["a", "b"])
    run = redriven(tmp_path, door, pace(rate=5.0), ["a", "b"])
    assert run.summary.done == 2
    assert len(door.receives()) == 2, "the second one was due after it was held too long"


def test_a_signal_ends_the_search_for_a_letter(tmp_path):
    known = pace()
    door = Letters(["other"])
    with signals_noted(known.stop):
        os.kill(os.getpid(), signal.SIGINT)
        run = redriven(tmp_path, door, known, ["a"])
    assert (run.summary.stopped, door.receives()) == ("a signal asked to stop", [])
    assert DONE not in {line["kind"] for line in run.record.lines}
