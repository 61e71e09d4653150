"""Attempts that AWS repeats by itself, recognised by where they are seen."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from investigate.analysis.managed_retries import billed_sum, tries
from investigate.analysis.retries import document_rows
from investigate.engine import DuckDBEngine, literal_rows
from tests.builders import (
    Event,
    at,
    event_row,
    evidence_of,
    invocation_row,
    log_line,
    mapping_row,
    message_row,
    queue_row,
    raw_row,
)

A, B = Event("a"), Event("b")
SECOND = timedelta(seconds=1)


def loaded(event, request, moment):
    return log_line("processor_record_loaded", moment + SECOND, request, event_id=event.id)


def batches(*runs):
    """Log lines and invocations of (request, seconds after 06:00, status, events)."""
    lines, calls = [], []
    for request, after, status, events in runs:
        moment = at(6) + timedelta(seconds=after)
        calls.append(invocation_row(request, moment, function="processor", status=status))
        lines += [loaded(event, request, moment) for event in events]
    return {"log_lines": lines, "invocations": calls}


def told(tmp_path, **tables: Any):
    return [
        (row["group"], row["channel"], row["pattern"], row["sequences"], row["attempts"],
         row["median_gap_s"])
        for row in document_rows(evidence_of(tmp_path, **tables))
    ]  # fmt: skip


def replayed(request, after):
    """The line and the invocation of a replay that sent one day of events."""
    moment = at(6) + timedelta(seconds=after)
    line = log_line(
        "replay_enqueued", moment + SECOND, request, entity_id="e1", scanned=1, sent=1,
        start="2026-03-10T00:00:00Z", end="2026-03-11T00:00:00Z",
    )  # fmt: skip
    return line, invocation_row(request, moment, function="replay")


# The queue


def test_what_comes_back_after_a_failed_batch_is_the_queue_trying_again(tmp_path):
    seen = batches(("r1", 0, "error", [A, B]), ("r2", 65, "ok", [A, B]))
    assert told(tmp_path, **seen, queue_state=[queue_row(name="q")]) == [
        ("q", "queue", "sqs-visibility", 2, 4, 65.0)
    ]


def test_a_sequence_ends_when_the_batch_succeeds(tmp_path):
    seen = batches(
        ("r1", 0, "error", [A]), ("r2", 60, "timeout", [A]), ("r3", 121, "ok", [A]),
        ("r4", 400, "error", [A]), ("r5", 460, "ok", [A]),
    )  # fmt: skip
    assert told(tmp_path, **seen, queue_state=[queue_row(name="q")]) == [
        ("q", "queue", "sqs-visibility", 2, 5, 60.0)
    ]


@pytest.mark.parametrize(
    "runs",
    [
        [("r1", 0, "ok", [A]), ("r2", 65, "ok", [A])],  # nothing failed
        [("r1", 0, "error", [A]), ("r2", 59, "ok", [A])],  # sooner than it can come back
        [("r1", 0, "error", [A]), ("r2", 65, "ok", [B])],  # another event
    ],
)
def test_what_the_queue_cannot_have_handed_out_again_is_no_retry(tmp_path, runs):
    assert told(tmp_path, **batches(*runs), queue_state=[queue_row()]) == []


def test_what_was_sent_anew_meanwhile_is_no_retry(tmp_path):
    seen = batches(("r1", 10, "error", [A]), ("r2", 80, "ok", [A]))
    stores = {"raw": [raw_row(A)], "events": [event_row(A)], "queue_state": [queue_row(name="q")]}

    def with_replays(*times):
        both = [replayed(f"s{after}", after) for after in times]
        return {
            "log_lines": [*seen["log_lines"], *(line for line, _ in both)],
            "invocations": [*seen["invocations"], *(call for _, call in both)],
        }

    assert told(tmp_path, **with_replays(0), **stores)[0][3:5] == (1, 2)
    assert told(tmp_path, **with_replays(0, 70), **stores) == []


@pytest.mark.parametrize("missing", ["invocations", "queue_state", "log_lines"])
def test_without_every_part_of_the_evidence_nothing_is_claimed(tmp_path, missing):
    seen = {
        **batches(("r1", 0, "error", [A]), ("r2", 65, "ok", [A])), "queue_state": [queue_row()],
    }  # fmt: skip
    del seen[missing]
    assert told(tmp_path, **seen) == []


def test_of_two_queues_nobody_can_tell_which_handed_it_out(tmp_path):
    seen = batches(("r1", 0, "error", [A]), ("r2", 65, "ok", [A]))
    two = [queue_row(name="p", arn="arn:p"), queue_row(name="q", arn="arn:q")]
    assert told(tmp_path, **seen, queue_state=two) == []


def test_a_sampled_message_counts_its_receives_without_the_look_at_it(tmp_path):
    messages = [message_row(A, "m1", receive_count=6), message_row(B, "m2", receive_count=2)]
    assert told(tmp_path, messages=messages, queue_state=[queue_row(name="q")]) == [
        ("q", "queue", "sqs-visibility", 1, 5, None)
    ]


def test_a_message_whose_gaps_the_log_knows_counts_once(tmp_path):
    seen = batches(("r1", 0, "error", [A]), ("r2", 65, "error", [A]))
    message = message_row(A, "m1", receive_count=3)
    assert told(tmp_path, **seen, messages=[message], queue_state=[queue_row(name="q")]) == [
        ("q", "queue", "sqs-visibility", 1, 2, 65.0)
    ]


# Asynchronous invocations and streams


def test_invocations_of_one_request_are_lambda_trying_again(tmp_path):
    calls = [
        invocation_row("r1", at(6), ended_utc=at(6) + SECOND, function="f", status="error"),
        invocation_row(
            "r1", at(6) + 61 * SECOND, ended_utc=at(6) + 62 * SECOND, function="f", status="error"
        ),
        invocation_row("r1", at(6) + 182 * SECOND, function="f"),
        invocation_row("r2", at(6) + 5 * SECOND, function="f"),
    ]
    assert told(tmp_path, invocations=calls) == [("f", "function", "lambda-async", 1, 3, 90.0)]


def test_a_failed_batch_of_a_stream_is_handed_out_again(tmp_path):
    calls = [
        invocation_row(f"r{n}", at(6) + 10 * n * SECOND, ended_utc=at(6) + (10 * n + 1) * SECOND,
                       function="f", status=status)
        for n, status in enumerate(("ok", "error", "error", "ok", "ok"))
    ]  # fmt: skip
    stream = "arn:aws:kinesis:eu-west-1:123456789012:stream/s"
    maps = [mapping_row(function="arn:aws:lambda:eu-west-1:1:function:f", source_arn=stream)]
    assert told(tmp_path, invocations=calls, mappings=maps) == [
        ("f", "stream", "stream-mapping", 1, 3, 9.0)
    ]
    queues = [*maps, mapping_row(uuid="u2", function="f", source_arn="arn:aws:sqs:eu-west-1:1:q")]
    assert told(tmp_path, invocations=calls, mappings=queues) == []


# Dead letters


@pytest.mark.parametrize(
    ("channel", "attempts", "expected"),
    [
        ("sqs-redrive", 5, ("q", "queue", "sqs-visibility", 1, 5, None)),
        ("lambda-destination", 3, ("f", "function", "lambda-async", 1, 3, None)),
        ("stream-destination", 4, ("f", "stream", "stream-mapping", 1, 4, None)),
        ("eventbridge-dlq", 7, ("nightly", "rule", "eventbridge", 1, 8, None)),
    ],
)
def test_a_dead_letter_counts_the_attempts_of_its_channel(tmp_path, channel, attempts, expected):
    sources = {
        "sqs-redrive": "arn:aws:sqs:eu-west-1:1:q",
        "eventbridge-dlq": "arn:aws:events:eu-west-1:1:rule/bus/nightly",
    }
    letter = {
        "channel": channel, "message_id": "m1", "body": "{}", "queue_arn": "arn:dlq",
        "attempts": attempts, "source_arn": sources.get(channel),
        "target_arn": "arn:aws:lambda:eu-west-1:1:function:f:live",
    }  # fmt: skip
    assert told(tmp_path, dead_letters=[letter]) == [expected]


def test_a_dead_letter_that_does_not_say_how_often_it_was_tried_claims_nothing(tmp_path):
    letter = {
        "channel": "lambda-dlq", "message_id": "m1", "body": "{}", "queue_arn": "arn:dlq",
        "target_arn": "arn:aws:lambda:eu-west-1:1:function:f",
    }  # fmt: skip
    topic = {**letter, "channel": "sns-dlq", "message_id": "m2", "attempts": 9}
    assert told(tmp_path, dead_letters=[letter, topic]) == []


def test_attempts_inside_one_invocation_are_an_sdks_however_long_they_wait(tmp_path):
    lines = [
        log_line("event_ingested", at(6) + after * SECOND, "r1", event_id=A.id, s3_key=A.s3_key)
        for after in (0, 25, 50)
    ]
    once = [invocation_row("r1", at(6), ended_utc=at(6.1))]
    assert told(tmp_path, log_lines=lines, invocations=once)[0][:3] == ("web", "client", "sdk")
    twice = [*once, invocation_row("r1", at(6.2), log_stream="other")]
    assert ("web", "client", "lambda-async") in [
        row[:3] for row in told(tmp_path, log_lines=lines, invocations=twice)
    ]


def test_the_sum_of_what_was_billed_does_not_depend_on_the_order_of_its_parts():
    parts = [{"gb_s": 0.0001, "counts": True}] * 1345 + [{"gb_s": 5.0, "counts": False}]
    for listed in (parts, parts[::-1]):
        rows = literal_rows(listed, {"gb_s": "float64", "counts": "boolean"})
        assert DuckDBEngine().scalar(billed_sum(rows.gb_s, rows.counts)) == 0.1345
    assert sum(part["gb_s"] for part in parts if part["counts"]) != 0.1345


def test_of_runs_that_began_at_one_moment_the_first_does_not_depend_on_how_they_were_stored(
    tmp_path,
):
    runs = [invocation_row("r", at(5), billed_ms=billed) for billed in (300, 100, 200)]
    for stored in (runs, runs[::-1]):
        evidence = evidence_of(tmp_path, invocations=stored)
        rows = tries(evidence).filter(tries(evidence).again).order_by("ordinal")
        assert [round(row["gb_s"] * 2000) for row in evidence.engine.rows(rows)] == [200, 300]
