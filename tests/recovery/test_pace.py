"""The rate, the guard of the time, and which failures of AWS say that nothing was done."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from itertools import pairwise
from types import SimpleNamespace
from typing import ClassVar

import boto3
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from botocore.stub import Stubber

from investigate.aws.connection import Connection
from investigate.aws.failures import as_access_errors
from investigate.aws.writing import WriteDoor, WriteTargets, surely_refused
from investigate.errors import AccessError
from investigate.recovery import guard
from investigate.recovery.live import FailureWatch
from investigate.recovery.pace import Pace, SendLimits
from investigate.recovery.processing_briefly import unproved
from investigate.recovery.record import FAILED, INTENT, opened
from investigate.recovery.sending import Run, send_each

NOW = datetime(2026, 3, 12, tzinfo=UTC)
CALM = SimpleNamespace(trouble=lambda: "")
URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/q"


def pace(rate: float | None = None, seconds: float = 60.0) -> Pace:
    return Pace(SendLimits(50, seconds, rate), lambda: NOW, poll_seconds=0.0)


def test_after_a_stall_no_burst_follows(tmp_path):
    when = []

    def send():
        when.append(time.monotonic())
        if len(when) == 1:
            time.sleep(0.5)

    with opened(tmp_path) as record:
        run = Run(record, pace(rate=10), CALM, "plan")
        send_each(run, "send-event", [(f"e{number}", send) for number in range(4)])
    assert run.summary.done == 4
    assert min(after - before for before, after in pairwise(when)) > 0.08


@pytest.mark.parametrize(
    ("status", "code", "state"),
    [
        (400, "InvalidParameterValue", FAILED),
        (400, "KmsDisabled", FAILED),
        (400, "RequestTimeout", INTENT),
        (408, "RequestTimeoutException", INTENT),
        (500, "InternalError", INTENT),
        (503, "ServiceUnavailable", INTENT),
    ],
)
def test_what_aws_refused_was_not_done_and_of_the_rest_nobody_knows(tmp_path, status, code, state):
    client = boto3.client(
        "sqs", region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    connection = Connection(boto3.Session("a", "b", None, "eu-west-1"))
    connection.open_with = lambda service, config: client
    door = WriteDoor(connection, WriteTargets(send_to=frozenset({URL})))
    with Stubber(client) as stub, opened(tmp_path) as record:
        stub.add_client_error("send_message", code, "no", http_status_code=status)
        run = Run(record, pace(), CALM, "plan")
        run.once("send", "e", lambda: door.call("sqs", "SendMessage", QueueUrl=URL, MessageBody=""))
        assert record.state_of("send", "e") == state
        assert run.summary.unknown == (["e"] if state == INTENT else [])


@pytest.mark.parametrize("error", [ReadTimeoutError(endpoint_url="x"), ClientError({}, "x")])
def test_without_an_answer_nobody_knows(error):
    with pytest.raises(AccessError) as caught, as_access_errors("sqs:SendMessage", "eu-west-1", {}):
        raise error
    assert not surely_refused(caught.value)


def test_trouble_after_a_limit_is_told(tmp_path):
    with opened(tmp_path) as record:
        run = Run(record, pace(), CALM, "plan")
        run.stop("the queue is empty")
        run.stop("the processor failed", failed=True)
    assert run.summary.stopped == "the queue is empty; then the processor failed"
    assert run.summary.failed


class Door:
    """Takes down when it was asked to disable."""

    asked: ClassVar[list[float]] = []

    def __init__(self, connection, targets):
        assert targets.mappings == {"u"}

    def client(self, service):
        return None

    def call(self, service, operation, **parameters):
        assert (operation, parameters) == (
            "UpdateEventSourceMapping",
            {"UUID": "u", "Enabled": False},
        )
        self.asked.append(time.monotonic())
        if len(self.asked) == 1:
            raise AccessError("it is being enabled", code="ResourceInUseException")


@pytest.mark.parametrize("why", ["time", "signal"])
def test_a_look_that_takes_for_ever_does_not_keep_the_mapping_enabled(monkeypatch, why):
    monkeypatch.setattr(guard, "WriteDoor", Door)
    monkeypatch.setattr(guard, "GRACE_SECONDS", 0.1)
    monkeypatch.setattr(Door, "asked", [])
    live = SimpleNamespace(connection=None)
    known = pace(seconds=0.2 if why == "time" else 60.0)
    known.begin()
    if why == "signal":
        threading.Timer(0.1, known.stop.set).start()
    with guard.disabled_in_time(live, known, "u"):
        time.sleep(1.5)
        assert len(Door.asked) == 2, "and once more after it was refused"


def test_a_run_that_ends_in_time_is_left_to_itself(monkeypatch):
    monkeypatch.setattr(guard, "WriteDoor", Door)
    monkeypatch.setattr(Door, "asked", [])
    with guard.disabled_in_time(SimpleNamespace(connection=None), pace(seconds=0.1), "u"):
        time.sleep(0.5)
    assert Door.asked == []


def watched(*counts: int):
    """A watch on a dead-letter queue that holds so many at each look."""
    left = list(counts)

    def queues():
        return [SimpleNamespace(waiting=left.pop(0) if len(left) > 1 else left[0])]

    live = SimpleNamespace(dead_letter_queues=queues, errors_since=lambda moment: {})
    return FailureWatch(live, NOW, 0.0)


@pytest.mark.parametrize(
    ("counts", "taken", "trouble"),
    [
        ((6, 5), 1, ""),
        ((6, 6), 1, "1 more dead letters than before"),
        ((6, 7), 0, "1 more dead letters than before"),
        # The count still holds for a while what was taken away.
        ((6, 6, 6, 5), 1, ""),
        ((6, 4), 1, ""),
    ],
)
def test_what_we_took_away_hides_no_new_dead_letter(counts, taken, trouble):
    watch = watched(*counts)
    watch.taken = taken
    assert watch.trouble() == trouble


@pytest.mark.parametrize(
    ("after", "done", "sampled", "said"),
    [
        (1, 3, True, "no aggregate of their days is newer"),
        (2, 3, True, ""),
        (1, 0, True, ""),
        (2, 3, False, "none of the processed days was sampled"),
    ],
)
def test_what_left_the_queue_must_show_in_the_aggregates(after, done, sampled, said):
    def days(version):
        return {"aggregates": [{"entity_id": "e", "day": "d", "version": version}]}

    told = unproved(days(1), days(after), done, sampled=sampled)
    assert said in told
    assert bool(said) == bool(told)
