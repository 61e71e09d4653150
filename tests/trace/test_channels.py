"""Who is told of a failure: "nobody" only where everything that could tell was listed."""

from __future__ import annotations

from investigate.case import Coverage
from investigate.trace.channels import channels_of
from tests.builders import alarm_row, evidence_of, queue_row

DENIED = Coverage("partial", "DescribeAlarms: not every page was answered")


def told(folder, **known):
    """The sentences about the queue and the alarms."""
    return channels_of(evidence_of(folder, **known))[1:]


def test_no_alarm_is_told_only_where_the_alarms_were_listed(tmp_path):
    _, listed = told(tmp_path, alarms=[])
    assert listed == "alarms: nobody; no alarm watches this pipeline"
    _, part = told(tmp_path, alarms=[], coverage={"alarms": DENIED})
    assert "nobody" not in part
    assert part == f"alarms: not known (alarms: partial ({DENIED.reason}))"


def test_alarms_without_an_action_are_not_nobody_where_others_may_be_missing(tmp_path):
    mute = [alarm_row("mute", actions=[])]
    _, listed = told(tmp_path, alarms=mute)
    assert listed == "alarms: nobody; no alarm has an action (without an action: mute)"
    _, part = told(tmp_path, alarms=mute, coverage={"alarms": DENIED})
    assert part == (
        f"alarms: none known that has an action (without an action: mute; alarms: partial "
        f"({DENIED.reason}))"
    )


def test_an_alarm_whose_switch_is_unknown_counts_as_the_checks_count_it(tmp_path):
    _, alarms = told(tmp_path, alarms=[alarm_row("a", actions_enabled=None)])
    assert alarms == "alarms: a"


def test_an_alarm_is_heard_through_the_composite_that_is_made_of_it(tmp_path):
    rows = [
        alarm_row("part", actions=[]),
        alarm_row("mute", actions=[]),
        alarm_row("whole", rule='ALARM("part")', namespace=None, metric=None),
    ]
    _, alarms = told(tmp_path, alarms=rows)
    assert alarms == "alarms: part, whole (without an action: mute)"


def test_a_queue_is_spoken_of_as_far_as_the_queues_were_listed(tmp_path):
    bare, _ = told(tmp_path, queue_state=[queue_row(visible=None)])
    assert bare.startswith("queue: nobody; replay-queue has no dead-letter queue")
    kept = [queue_row(dead_letter_arn="arn:aws:sqs:eu-west-1:123456789012:dead-letters")]
    whole, _ = told(tmp_path, queue_state=kept)
    assert whole == "queue: its dead-letter queue keeps what keeps failing"
    cut = {"queue_state": Coverage("partial", "GetQueueAttributes: denied")}
    part, _ = told(tmp_path, queue_state=kept, coverage=cut)
    assert part.endswith("(queue_state: partial (GetQueueAttributes: denied))")
    none, _ = told(tmp_path, queue_state=[], coverage=cut)
    assert none == "queue: not known (queue_state: partial (GetQueueAttributes: denied))"
    empty, _ = told(tmp_path, queue_state=[])
    assert empty == "queue: not known (queue_state: no queue has the role replay)"
