"""How many messages a brief run has let through, and what ends it: looks at a queue, one by one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from investigate.errors import AccessError
from investigate.recovery.live import Queue
from investigate.recovery.pace import Pace, SendLimits
from investigate.recovery.processing_briefly import _Count, _look_back, _watch
from investigate.recovery.record import opened
from investigate.recovery.sending import Run

NOW = datetime(2026, 3, 12, tzinfo=UTC)


class Scripted:
    """A pipeline whose queue shows one (visible, hidden) after the other, then the last for ever;
    the log tells as many records more with each look as `logged` says."""

    def __init__(self, *shown, logged=()):
        self.shown, self.logged = list(shown), list(logged)
        self.records = {"before": 7}  # what was begun with before the run is not counted

    def replay_queue(self):
        shown = self.shown.pop(0) if len(self.shown) > 1 else self.shown[0]
        if isinstance(shown, Exception):
            raise shown
        visible, hidden = shown
        return Queue("https://q", "arn:aws:sqs:eu-west-1:123456789012:q", visible, hidden, 0, None)

    def records_since(self, moment):
        assert moment < NOW  # clocks differ
        known = dict(self.records)
        if self.logged:
            self.records[f"line-{len(self.logged)}"] = self.logged.pop(0)
        return known

    def trouble(self):
        return ""


@pytest.fixture
def watched(tmp_path):
    """The summary of a run that watches a scripted queue."""

    def run(*shown, logged=(), most=10, rate=None, batch=1, seconds=60.0):
        live = Scripted(*shown, logged=logged)
        pace = Pace(SendLimits(most, seconds, rate), lambda: NOW, poll_seconds=0.0)
        with opened(tmp_path) as record:
            run = Run(record, pace, live, "plan")
            _watch(run, _Count(live, NOW), batch)
        return run.summary

    return run


def test_what_leaves_the_queue_is_counted_until_it_is_empty(watched):
    summary = watched((3, 0), (2, 1), (1, 0), (0, 0))
    assert (summary.done, summary.stopped, summary.failed) == (3, "the queue is empty", False)


def test_what_was_hidden_before_is_not_ours_and_what_is_hidden_since_is(watched):
    summary = watched((5, 2), (3, 4), most=2)
    assert summary.done == 2
    assert summary.stopped == "another batch could pass --max-messages 2"


def test_another_batch_must_still_be_within_the_limit(watched):
    summary = watched((20, 0), (13, 0), batch=10, most=16)
    assert (summary.done, summary.failed) == (7, False)
    assert summary.stopped == "another batch could pass --max-messages 16"
    # Of three that are left no batch of ten is made.
    rest = watched((10, 0), (3, 0), (0, 0), batch=10, most=10)
    assert (rest.done, rest.stopped) == (10, "the queue is empty")


def test_what_arrives_ends_the_run_as_nobody_looked_at_it(watched):
    summary = watched((3, 0), (2, 0), (4, 0))
    assert (summary.done, summary.failed) == (1, True)
    assert summary.stopped == "2 messages arrived, which nobody looked at"


def test_as_many_arrivals_as_drops_are_seen_by_the_log(watched):
    summary = watched((3, 0), logged=[2, 2], most=3)
    assert (summary.done, summary.failed) == (4, True)
    assert summary.stopped == "4 messages left the queue, more than --max-messages 3"


def test_messages_that_leave_faster_than_the_rate_end_the_run(watched):
    summary = watched((9, 0), (4, 0), rate=1.0, batch=3)
    assert (summary.done, summary.failed) == (5, True)
    assert summary.stopped == "messages leave faster than --rate 1 a second"
    # A batch at once is what the mapping takes, whatever the rate.
    assert watched((4, 0), (0, 0), rate=1.0, batch=3).stopped == "the queue is empty"


def test_the_seconds_end_a_run_that_nothing_else_ends(watched):
    summary = watched((3, 0), seconds=0.0)
    assert (summary.stopped, summary.failed) == ("--max-seconds 0 are over", False)


@pytest.mark.parametrize(
    ("last", "said", "done"),
    [
        ((0, 0), "the limit; then 3 messages left the queue, more than --max-messages 2", 3),
        (AccessError("denied"), "the limit; then the queue cannot be seen: denied", 0),
        ((1, 0), "the limit", 2),
    ],
)
def test_the_last_look_tells_what_was_under_way(tmp_path, last, said, done):
    live = Scripted((3, 0), last)
    pace = Pace(SendLimits(2, 60.0, None), lambda: NOW, poll_seconds=0.0)
    with opened(tmp_path) as record:
        run = Run(record, pace, live, "plan")
        run.stop("the limit")
        _look_back(run, _Count(live, NOW))
    assert (run.summary.stopped, run.summary.done) == (said, done)
    assert run.summary.failed == ("then" in said)
