"""A message move: the exact requests, since none of the sandbox's emulators has the operation."""

from __future__ import annotations

from datetime import UTC, datetime

import boto3
import pytest
from botocore.stub import Stubber

from investigate.aws.connection import Connection
from investigate.recovery import moving
from investigate.recovery.pace import Pace, SendLimits
from investigate.recovery.record import opened
from investigate.recovery.sending import Run
from tests.builders import DEAD_LETTERS_ARN

NOW = datetime(2026, 3, 12, tzinfo=UTC)
START = {"SourceArn": DEAD_LETTERS_ARN, "MaxNumberOfMessagesPerSecond": 5}
LIST = {"SourceArn": DEAD_LETTERS_ARN, "MaxResults": 1}


class Watch:
    """A watch that sees what it is told to."""

    def __init__(self, *seen: str) -> None:
        self.seen = list(seen)
        self.taken = 0

    def trouble(self) -> str:
        return self.seen.pop(0) if self.seen else ""


@pytest.fixture
def live():
    """A connection whose SQS client answers from a list."""
    return type("Live", (), {"connection": Connection(boto3.Session("a", "b", None, "eu-west-1"))})


@pytest.fixture
def stub(live, monkeypatch):
    client = boto3.client(
        "sqs", region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    monkeypatch.setattr(live.connection, "open_with", lambda service, config: client)
    with Stubber(client) as stubbed:
        yield stubbed
        stubbed.assert_no_pending_responses()


@pytest.fixture
def run(tmp_path):
    def made(watch: Watch, seconds: float = 60.0) -> Run:
        pace = Pace(SendLimits(10, seconds, 5.0), lambda: NOW, poll_seconds=0.0)
        return Run(record, pace, watch, "plan")

    with opened(tmp_path) as record:
        yield made


def task(status: str, moved: int) -> dict:
    return {"Results": [{"Status": status, "ApproximateNumberOfMessagesMoved": moved}]}


def test_a_queue_is_moved_at_the_rate_and_followed_to_its_end(live, stub, run):
    stub.add_response("start_message_move_task", {"TaskHandle": "h"}, START)
    stub.add_response("list_message_move_tasks", task("RUNNING", 1), LIST)
    stub.add_response("list_message_move_tasks", task("COMPLETED", 3), LIST)
    once = run(Watch())
    moving.move(once, live, [DEAD_LETTERS_ARN])
    assert (once.summary.done, once.summary.stopped) == (3, "")
    again = run(Watch())
    moving.move(again, live, [DEAD_LETTERS_ARN])
    assert (again.summary.done, again.summary.before) == (0, 1)


def test_a_move_is_cancelled_at_the_first_trouble(live, stub, run):
    stub.add_response("start_message_move_task", {"TaskHandle": "h"}, START)
    stub.add_response("list_message_move_tasks", task("RUNNING", 1), LIST)
    stub.add_response(
        "cancel_message_move_task", {"ApproximateNumberOfMessagesMoved": 2}, {"TaskHandle": "h"}
    )
    once = run(Watch("the processor failed: x"))
    moving.move(once, live, [DEAD_LETTERS_ARN])
    assert once.summary.stopped == "the processor failed: x"
    last = once.record.lines[-2]
    assert (last["action"], last["kind"], last["after"]) == ("cancel-move", "done", {"moved": 2})


def test_a_move_is_cancelled_when_its_time_is_over(live, stub, run):
    stub.add_response("start_message_move_task", {"TaskHandle": "h"}, START)
    stub.add_response("list_message_move_tasks", task("RUNNING", 0), LIST)
    stub.add_response("cancel_message_move_task", {}, {"TaskHandle": "h"})
    once = run(Watch(), seconds=0.0)
    moving.move(once, live, [DEAD_LETTERS_ARN])
    assert once.summary.stopped == "--max-seconds 0 are over"


def test_a_move_that_aws_fails_is_told(live, stub, run):
    stub.add_response("start_message_move_task", {"TaskHandle": "h"}, START)
    failed = {"Results": [{"Status": "FAILED", "FailureReason": "no permission"}]}
    stub.add_response("list_message_move_tasks", failed, LIST)
    once = run(Watch())
    moving.move(once, live, [DEAD_LETTERS_ARN])
    assert once.summary.stopped == "the move is FAILED: no permission"
    assert once.summary.failed


def test_a_move_that_may_have_begun_is_not_begun_again(live, stub, run):
    stub.add_client_error("start_message_move_task", "InternalError", "oops", 500)
    once = run(Watch())
    moving.move(once, live, [DEAD_LETTERS_ARN])
    assert once.summary.unknown == [f"plan {DEAD_LETTERS_ARN}"]
    again = run(Watch())
    moving.move(again, live, [DEAD_LETTERS_ARN])
    assert again.summary.unknown == [f"plan {DEAD_LETTERS_ARN}"]


def test_a_move_that_cannot_be_seen_is_cancelled_and_told_again(live, stub, run):
    stub.add_response("start_message_move_task", {"TaskHandle": "h"}, START)
    stub.add_client_error("list_message_move_tasks", "ThrottlingException", "slow down")
    stub.add_response(
        "cancel_message_move_task", {"ApproximateNumberOfMessagesMoved": 1}, {"TaskHandle": "h"}
    )
    once = run(Watch())
    moving.move(once, live, [DEAD_LETTERS_ARN])
    assert once.summary.failed
    assert "the move cannot be seen" in once.summary.stopped
    assert once.record.lines[-1]["after"] == {"status": "CANCELLED", "moved": 1}
    again = run(Watch())
    moving.move(again, live, [DEAD_LETTERS_ARN])
    assert again.summary.failed
    assert "ended as CANCELLED" in again.summary.stopped


def test_the_letters_that_a_move_took_hide_no_new_ones(live, stub, run):
    stub.add_response("start_message_move_task", {"TaskHandle": "h"}, START)
    stub.add_response("list_message_move_tasks", task("COMPLETED", 3), LIST)
    watch = Watch()
    moving.move(run(watch), live, [DEAD_LETTERS_ARN])
    assert watch.taken == 3
