"""A mapping's real settings, the bad record the logs tell of, and whether the walk is as logged."""

from __future__ import annotations

from dataclasses import replace

import pytest

from investigate.analysis.batch_walk_rules import QueueSettings, StreamSettings
from investigate.analysis.batch_walks import batches, settings_of
from investigate.errors import NotEvaluable
from investigate.evidence import Evidence
from investigate.numbers import batch_walk, batch_walks
from tests.analysis.test_amplification import EVENTS, a_case, loads, seconds
from tests.builders import DEAD_LETTERS_ARN, at, evidence_of, mapping_row, queue_row

STREAM = {"source_arn": "arn:aws:kinesis:eu-west-1:123456789012:stream/orders", "function": "job"}
BAD = EVENTS[2]
GOOD = [event for event in EVENTS[:4] if event is not BAD]


def whole(number, status="error"):
    return (f"p{number}", at(30) + seconds(61 * number), status, EVENTS[:4])


def walked(folder, mapping=None, queue=None, told=()):
    return a_case(
        folder,
        mappings=[mapping_row(**(mapping or {}))],
        queue_state=[queue_row(**(queue or {}))],
        **loads(*told),
    )


@pytest.mark.parametrize(
    ("changes", "settings"),
    [
        ({}, QueueSettings(5)),
        ({"partial_batch_response": True}, QueueSettings(5, report_failures=True)),
        (STREAM, StreamSettings(-1)),
        ({**STREAM, "max_retry_attempts": 2, "bisect": True}, StreamSettings(2, bisect=True)),
    ],
)
def test_settings_are_those_of_the_api(changes, settings):
    nothing = {"max_retry_attempts": None, "bisect": None}
    assert settings_of(nothing | mapping_row(**changes), 5) == settings


def test_a_batch_without_a_logged_one_is_supposed_with_a_bad_record_in_its_middle(tmp_path):
    (batch,) = batches(walked(tmp_path))
    assert (batch.records, batch.bad, batch.logged, batch.agrees) == (10, (5,), (), None)


def test_a_logged_batch_is_walked_with_the_record_that_never_succeeded(tmp_path):
    told = [whole(n) for n in range(3)]
    told.append(("p8", at(30) + seconds(250), "ok", GOOD))
    (batch,) = batches(walked(tmp_path, told=told))
    assert (batch.records, batch.bad) == (4, (3,))
    assert [one.records for one in batch.logged] == [(1, 2, 3, 4)] * 3 + [(1, 2, 4)]
    assert batch.agrees is False  # the queue took the neighbours into another batch


def test_a_batch_of_one_bad_record_without_redrive_policy_comes_again_without_end(tmp_path):
    told = [(f"p{n}", at(30) + seconds(61 * n), "error", [BAD]) for n in range(6)]
    (batch,) = batches(walked(tmp_path, told=told))
    assert batch.agrees is True
    assert batch.walk.endless == (1, 1)
    assert batch.end_of(1) == "endless"


def test_with_partial_answers_only_the_bad_record_comes_back(tmp_path):
    partial = {"partial_batch_response": True}
    queue = {"max_receive_count": 3, "dead_letter_arn": DEAD_LETTERS_ARN}
    rows = batch_walk(walked(tmp_path, partial, queue))
    states = {(row["invocation"], row["record"]): row["state"] for row in rows}
    assert states[1, 1] == "delivered"
    assert [states[n, 5] for n in (1, 2, 3, 0)] == ["bad", "bad", "bad", "dead-lettered"]
    assert (2, 1) not in states


@pytest.mark.parametrize(
    ("changes", "end"),
    [({}, "discarded"), ({"on_failure_arn": "arn:aws:s3:::failures"}, "dead-lettered")],
)
def test_what_a_stream_gives_up_is_kept_only_at_a_destination(tmp_path, changes, end):
    mapping = {**STREAM, "max_retry_attempts": 1, "batch_size": 4, "bisect": False, **changes}
    rows = batch_walk(walked(tmp_path, mapping))
    assert [row["state"] for row in rows if row["invocation"] == 0] == [end] * 4
    assert {row["deliveries"] for row in rows} == {2}


def test_a_split_batch_ends_with_the_bad_record_alone(tmp_path):
    mapping = {**STREAM, "max_retry_attempts": 1, "batch_size": 4, "bisect": True}
    (row,) = batch_walks(walked(tmp_path, mapping))
    assert (row["given_up"], row["kept"], row["bad"]) == (1, False, "2")
    assert row["settings"] == "1 retries, split in two, no partial answers"


def test_healthy_records_beside_a_bad_one_are_returned_with_it(tmp_path):
    rows = batch_walk(walked(tmp_path, {"batch_size": 3}))
    first = {row["record"]: row["state"] for row in rows if row["invocation"] == 1}
    assert first == {1: "returned", 2: "bad", 3: "returned"}


def test_a_large_batch_is_shown_by_its_first_records(tmp_path):
    rows = batch_walk(walked(tmp_path, {**STREAM, "batch_size": 10_000}))
    assert {row["records"] for row in rows} == {40}
    assert len(rows) < 2000


def test_with_partial_answers_what_lies_between_two_bad_records_is_done(tmp_path):
    partial = {"partial_batch_response": True}
    told = [whole(0), ("p1", at(30) + seconds(61), "error", [EVENTS[0], BAD])]
    told.append(("p2", at(30) + seconds(62), "ok", [EVENTS[1], EVENTS[3]]))
    (batch,) = batches(walked(tmp_path, partial, {"max_receive_count": 2}, told))
    assert batch.bad == (1, 3)
    assert batch.invocations == ((1, 2, 3, 4), (1, 3))


@pytest.mark.parametrize("state", [None, [], [queue_row(arn="arn:aws:sqs:eu-west-1:1:other")]])
def test_a_redrive_policy_that_nobody_looked_at_is_not_none(tmp_path, state):
    tables = {"mappings": [mapping_row()]} | ({} if state is None else {"queue_state": state})
    evidence = evidence_of(tmp_path, **tables)
    (row,) = batch_walks(evidence)
    assert (row["source"], row["basis"], row["endless"]) == ("replay-queue", "not known", None)
    assert "the redrive policy of its queue is unknown" in row["settings"]
    with pytest.raises(NotEvaluable, match="the redrive policy of its queue is unknown"):
        batch_walk(evidence)


def test_what_is_neither_queue_nor_stream_has_other_rules(tmp_path):
    kafka = mapping_row(uuid="2", source_arn="arn:aws:kafka:eu-west-1:1:cluster/c/1")
    rows = batch_walks(a_case(tmp_path, mappings=[kafka, mapping_row()]))
    assert [row["basis"] for row in rows] == ["a supposed batch", "not known"]
    assert "not modelled" in rows[1]["settings"]


MIXED = [event.but(entity_id="e1" if n in (2, 5) else "e2") for n, event in enumerate(EVENTS)]
OF_MIXED = (
    ("p0", at(30), "error", MIXED),
    ("p1", at(30) + seconds(61), "ok", MIXED[:5]),
    ("p2", at(30) + seconds(62), "error", MIXED[5:]),
)


def test_of_a_case_of_some_entities_the_batch_is_supposed(tmp_path):
    evidence = walked(tmp_path, told=OF_MIXED)
    (batch,) = batches(evidence)
    assert (batch.records, batch.bad) == (6, (6,))
    narrow = Evidence(replace(evidence.case, scope_entities=("e1",)))
    (batch,) = batches(narrow)
    assert (batch.records, batch.bad, batch.logged) == (10, (5,), ())
