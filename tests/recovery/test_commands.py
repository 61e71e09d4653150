"""The three commands against one pipeline over HTTP: their guards, and what a second run does."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import shutil
import signal
from copy import deepcopy

import pytest

from investigate import cli
from investigate.case import RECORD
from investigate.commands import redrive
from investigate.commands.recovering import _USED
from investigate.recovery.record import DONE, ENABLE, INTENT, Record, opened, read
from investigate.sandbox.weather import CALM, Weather
from tests.recovery.helpers import (
    LIMITS,
    configuration,
    dead_letters,
    incident,
    ingest,
    mapping_state,
    plan_file,
)
from tests.sandbox.pipelines import DAY, depth, later

WRITE = ("--allow-writes", "--yes", *LIMITS)
SCOPE = ("--entity", "never-sent", "--start", DAY[0], "--end", DAY[1])


@pytest.fixture(scope="module")
def staged(tmp_path_factory):
    """Three letters, five events that were never sent, one waiting message; and the case of it."""
    with incident(tmp_path_factory.mktemp("staged")) as known:
        dead_letters(known.sandbox, "failed", 3)
        ingest(known.sandbox, "never-sent", 5)
        ingest(known.sandbox, "waiting", 1)
        known.sandbox.replay("waiting", *DAY)
        later(known.sandbox, minutes=10)
        known.sandbox.set_dry_run("processor", False)  # the repair is deployed
        known.capture()
        yield known


@pytest.fixture
def trouble(staged):
    """The pipeline with its queues as they were, in calm weather, and nothing tried yet."""
    sandbox = staged.sandbox
    backend = sandbox.corrections._backend("sqs")
    before = {name: deepcopy(queue._messages) for name, queue in backend.queues.items()}
    works = staged.served.work
    staged.served.become(CALM)  # the record of requests begins anew
    yield staged
    staged.served.become(CALM)
    staged.served.work, staged.served.hook = works, None
    later(sandbox, minutes=2)
    for name, queue in backend.queues.items():
        queue._messages[:] = before[name]
        queue.deleted_messages.clear()
    sandbox.stop_consumer()


@pytest.fixture
def case(trouble, tmp_path):
    copy = tmp_path / "case"
    shutil.copytree(trouble.folder / "case-1", copy)
    return copy


@pytest.fixture(scope="module")
def plans(staged, tmp_path_factory):
    """The plan of each command."""
    folder, case = tmp_path_factory.mktemp("plans"), staged.folder / "case-1"

    def ask(*command):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = cli.main([str(part) for part in command])
        return code, out.getvalue(), err.getvalue()

    return {
        "replay": plan_file(ask, folder, "replay-plan", case, *SCOPE),
        "redrive": plan_file(ask, folder, "redrive-plan", case),
        "process-briefly": plan_file(ask, folder, "process-plan", case),
    }


COMMANDS = ("replay", "redrive", "process-briefly")


WRITING = {"SendMessage", "DeleteMessage", "ReceiveMessage", "UpdateEventSourceMapping"}


@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_is_written_without_leave_a_plan_limits_and_a_yes(
    ask, trouble, case, plans, command
):
    plan = ("--plan", plans[command])
    said = {
        "writes-not-allowed": (*plan, *LIMITS, "--yes"),
        "no-plan": ("--allow-writes", *LIMITS, "--yes"),
        "no-limits": (*plan, "--allow-writes", "--yes", *LIMITS[:2]),
        "not-confirmed": (*plan, "--allow-writes", *LIMITS),
    }
    for rule, options in said.items():
        code, out, err = ask(command, case, *options, *trouble.aws())
        assert (code, out) == (2, ""), rule
        assert f"refused ({rule})" in err
    assert read(case) == []
    assert WRITING.isdisjoint(operation for _, operation in trouble.served.requests)


def test_another_pipeline_and_a_second_command_are_refused(ask, trouble, case, plans, tmp_path):
    config = tmp_path / "other.toml"
    config.write_text(
        configuration(trouble.sandbox.names, aggregates_table="other"), encoding="utf-8"
    )
    options = ("--plan", plans["replay"], *WRITE, *trouble.aws())
    _, _, err = ask("replay", case, *options, "--config", config)
    assert "refused (other-pipeline)" in err
    with opened(case):
        _, _, err = ask("replay", case, *options)
    assert "refused (already-running)" in err


def test_a_replay_sends_everything_once_and_nothing_the_second_time(ask, trouble, case, plans):
    options = ("--plan", plans["replay"], *WRITE, *trouble.aws())
    waiting = sum(depth(trouble.sandbox))
    code, out, err = ask("replay", case, *options)
    assert code == 0, err
    assert "5 messages" in out
    assert sum(depth(trouble.sandbox)) == waiting + 5
    code, out, _ = ask("replay", case, *options)
    assert code == 0
    assert "0 messages" in out
    assert "5 messages by an earlier run" in out
    assert sum(depth(trouble.sandbox)) == waiting + 5
    first = read(case)[0]
    assert first["action"] == "snapshot"
    assert first["before"]["mapping"]["State"] == "Disabled"
    assert first["before"]["aggregates"] == [
        {"entity_id": "never-sent", "day": "2026-03-10", "version": None, "inputs_hash": None,
         "input_count": None}
    ]  # fmt: skip


def test_what_may_have_been_sent_is_told_and_not_sent_again(ask, trouble, case, plans):
    plan = json.loads(plans["replay"].read_text(encoding="utf-8"))
    event = plan["send"][0]["event_id"]
    with opened(case) as record:
        record.write(INTENT, "send-event", "t", item=event, plan=plan["digest"])
    waiting = sum(depth(trouble.sandbox))
    code, out, _ = ask("replay", case, "--plan", plans["replay"], *WRITE, *trouble.aws())
    assert code == 3
    assert f"{event}: look before sending it again" in " ".join(out.split())
    assert sum(depth(trouble.sandbox)) == waiting + 4


def test_a_write_that_aws_denies_ends_the_run_and_is_sent_by_the_next(ask, trouble, case, plans):
    options = ("--plan", plans["replay"], *WRITE, *trouble.aws())
    trouble.served.become(Weather(denied=frozenset({"sqs:SendMessage"})))
    code, out, _ = ask("replay", case, *options)
    assert code == 1
    assert "AccessDenied" in out
    assert "look into what ended it; then run the same again: what is on record is not" in out
    trouble.served.become(CALM)
    code, out, _ = ask("replay", case, *options)
    assert code == 0
    assert "5 messages" in out


def test_a_redrive_goes_on_where_the_one_before_ended(ask, trouble, case, plans):
    dead = trouble.sandbox.names.dead_letter_queue_urls[0]
    options = ("--plan", plans["redrive"], *WRITE, *trouble.aws())
    one = ("--max-messages", "1")
    code, out, err = ask("redrive", case, *options, *one)
    assert code == 0, err
    assert "--max-messages 1 are sent" in out
    assert "run the same again for the rest: what is on record is not done twice" in out
    assert sum(depth(trouble.sandbox, dead)) == 2
    later(trouble.sandbox, minutes=2)
    sent = [line for line in read(case) if line["action"] == "send-letter"]
    assert [line["kind"] for line in sent] == ["intent", "done"]
    # As if it had been killed after sending the second letter, and before deleting it.
    plan = json.loads(plans["redrive"].read_text(encoding="utf-8"))
    letter = next(
        one for one in plan["letters"]
        if f"{one['message_id']} {one['queue_arn']}" != sent[0]["item"]
    )  # fmt: skip
    with opened(case) as record:
        record.write(DONE, "send-letter", "t", item=f"{letter['message_id']} {letter['queue_arn']}")
    waiting = sum(depth(trouble.sandbox))
    code, out, err = ask("redrive", case, *options)
    assert code == 0, err
    assert sum(depth(trouble.sandbox, dead)) == 0
    assert sum(depth(trouble.sandbox)) == waiting + 1


@pytest.mark.parametrize("failed", [False, True])
def test_after_a_move_that_was_stopped_nobody_is_told_to_run_the_same_again(
    ask, trouble, case, plans, monkeypatch, failed
):
    # No emulator has the operation; see test_moving for the requests.
    def cancelled(run, *_):
        run.stop("the processor failed" if failed else "--max-seconds 30 are over", failed=failed)

    monkeypatch.setattr(redrive, "move", cancelled)
    options = ("--plan", plans["redrive"], "--move", *WRITE, *trouble.aws())
    code, out, err = ask("redrive", case, *options)
    assert code == int(failed), err
    told = " ".join(out.split())
    ended = "look into what ended it; then " if failed else ""
    assert f"next {ended}capture the case again and make a new plan" in told
    assert "run the same again" not in told


def test_a_letter_that_is_gone_is_told(ask, trouble, case, plans):
    dead = trouble.sandbox.names.dead_letter_queue_urls[0]
    trouble.sandbox.clients.sqs.purge_queue(QueueUrl=dead)
    code, out, _ = ask("redrive", case, "--plan", plans["redrive"], *WRITE, *trouble.aws())
    assert code == 3
    assert "not in its queue any more" in " ".join(out.split())


def brief(trouble, plans):
    return ("--plan", plans["process-briefly"], *WRITE, *trouble.aws())


def test_processing_ends_when_the_queue_is_empty_and_is_not_done_twice(ask, trouble, case, plans):
    code, out, err = ask("process-briefly", case, *brief(trouble, plans))
    assert code == 0, err
    assert "the queue is empty" in out
    assert (mapping_state(trouble.sandbox), depth(trouble.sandbox)) == ("Disabled", (0, 0))
    code, _, err = ask("process-briefly", case, *brief(trouble, plans))
    assert code == 2
    assert "refused (run-before)" in err


def test_processing_stops_at_the_first_failure(ask, trouble, case, plans):
    trouble.served.work = lambda: trouble.sandbox.consume(batches=1, failure="timeout")
    code, out, _ = ask("process-briefly", case, *brief(trouble, plans))
    assert code == 1
    assert "the processor failed" in out
    assert _USED in " ".join(out.split())
    assert mapping_state(trouble.sandbox) == "Disabled"


def test_processing_stops_at_a_new_dead_letter(ask, trouble, case, plans):
    dead = trouble.sandbox.names.dead_letter_queue_urls[0]

    def work():
        if mapping_state(trouble.sandbox) == "Enabled":
            trouble.sandbox.clients.sqs.send_message(QueueUrl=dead, MessageBody="{}")

    trouble.served.work = work
    code, out, _ = ask("process-briefly", case, *brief(trouble, plans))
    assert code == 1
    assert "more dead letters than before" in out
    assert mapping_state(trouble.sandbox) == "Disabled"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_processing_in_order(ask, trouble, case, plans, number):
    def work():
        if mapping_state(trouble.sandbox) == "Enabled":
            os.kill(os.getpid(), number)

    trouble.served.work = work
    code, out, err = ask("process-briefly", case, *brief(trouble, plans))
    assert code == 0, err
    assert "a signal asked to stop" in out
    assert mapping_state(trouble.sandbox) == "Disabled"


def test_who_may_not_disable_does_not_enable(ask, trouble, case, plans):
    trouble.served.become(Weather(denied=frozenset({"lambda:UpdateEventSourceMapping"})))
    code, out, _ = ask("process-briefly", case, *brief(trouble, plans))
    assert code == 1
    assert "AccessDenied" in out
    assert ENABLE not in {line["action"] for line in read(case)}
    assert mapping_state(trouble.sandbox) == "Disabled"


def test_a_full_disk_does_not_keep_the_mapping_enabled(ask, trouble, case, plans, monkeypatch):
    write = Record.write

    def fails_once_enabled(record, kind, action, at, **told):
        if mapping_state(trouble.sandbox) == "Enabled":
            raise OSError(errno.ENOSPC, "No space left on device")
        write(record, kind, action, at, **told)

    monkeypatch.setattr(Record, "write", fails_once_enabled)
    trouble.served.work = None
    code, _, err = ask("process-briefly", case, *brief(trouble, plans))
    assert code == 2
    assert "No space left" in err
    assert mapping_state(trouble.sandbox) == "Disabled"


@pytest.mark.parametrize(("answer", "code"), [("yes\n", 0), ("no\n", 2), ("", 2)])
def test_at_a_terminal_the_plan_is_shown_and_asked_for(
    ask, trouble, case, plans, monkeypatch, answer, code
):
    terminal = io.StringIO(answer)
    terminal.isatty = lambda: True
    monkeypatch.setattr("sys.stdin", terminal)
    options = ("--plan", plans["replay"], "--allow-writes", *LIMITS, *trouble.aws())
    given, _, err = ask("replay", case, *options)
    assert given == code
    assert "REPLAY of never-sent" in err
    assert "5 messages, 1000 a second" in err
    assert ("refused (not-confirmed)" in err) == bool(code)


def test_what_was_left_enabled_is_told_to_who_may_not_write_and_undone_by_who_may(
    ask, trouble, case
):
    uuid = trouble.sandbox.clients.lambda_.list_event_source_mappings()["EventSourceMappings"][0][
        "UUID"
    ]
    trouble.served.work = None
    with opened(case) as record:
        record.write(INTENT, ENABLE, "t", item=uuid, plan="p")
    trouble.sandbox.start_consumer()
    _, _, err = ask("replay", case, *trouble.aws())
    assert f"THE MAPPING {uuid} MAY STILL BE ENABLED" in err
    assert mapping_state(trouble.sandbox) == "Enabled"
    trouble.served.become(Weather(denied=frozenset({"lambda:UpdateEventSourceMapping"})))
    undo = ("process-briefly", case, "--undo", "--allow-writes", *trouble.aws())
    code, _, err = ask(*undo)
    assert (code, f"THE MAPPING {uuid} MAY STILL BE ENABLED" in err) == (2, True)
    trouble.served.become(CALM)
    code, out, _ = ask(*undo)
    assert code == 0
    assert "enabled any more" in out
    assert mapping_state(trouble.sandbox) == "Disabled"


def test_a_damaged_record_ends_a_command_in_words_after_what_is_enabled_was_disabled(
    ask, trouble, case, plans
):
    uuid = trouble.sandbox.clients.lambda_.list_event_source_mappings()["EventSourceMappings"][0][
        "UUID"
    ]
    with opened(case) as record:
        record.write(INTENT, ENABLE, "t", item=uuid, plan="p")
        record.write(DONE, "send-letter", "t", event="x")  # of which letter?
    trouble.served.work = None
    trouble.sandbox.start_consumer()
    code, _, err = ask("replay", case, "--plan", plans["replay"], *WRITE, *trouble.aws())
    assert (code, "it is disabled again" in err) == (2, True)
    assert f"line 2 of {case / RECORD} is damaged" in err
    assert mapping_state(trouble.sandbox) == "Disabled"
    assert "SendMessage" not in {operation for _, operation in trouble.served.requests}


def test_a_case_is_whole_with_its_record_and_with_nothing_else(ask, trouble, case):
    with opened(case) as record:
        record.write(DONE, "snapshot", "t")
    assert ask("verify", case)[0] == 0
    (case / RECORD).with_name("other.txt").write_text("x", encoding="utf-8")
    code, _, err = ask("verify", case)
    assert code == 2
    assert "recovery/other.txt" in err
