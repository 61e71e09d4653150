"""Retries: who multiplies the load, who does not back off, and which repeats had an effect."""

from __future__ import annotations

from datetime import timedelta

import pytest

from investigate.analysis.repeated_effects import GUARDED, REPEATED, WITHOUT, effects
from investigate.case import Coverage
from investigate.checks.registry import book, offending_rows
from investigate.model import Outcome, Step
from investigate.settings import Thresholds
from tests.builders import (
    Event,
    at,
    event_row,
    evidence_of,
    finding_of,
    function_row,
    invocation_row,
    letter_row,
    log_line,
    mapping_row,
    queue_row,
    raw_row,
)
from tests.spark import spark_sql

CODES = [check.code for check in book.of(Step.RETRIES)]
EVENTS = [Event(f"e{n}", at(n)) for n in range(8)]
DAY = "2026-03-10"


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def sent_again(events, waits, statuses=None):
    """Lines and invocations of clients that sent each event once, and again after these waits."""
    lines, calls = [], []
    for event in events:
        moment = event.ingested
        for n, wait in enumerate((0.0, *waits)):
            moment += seconds(wait)
            status = (statuses or ["ACCEPTED", *["DUPLICATE"] * len(waits)])[n]
            request = f"{event.name}-{n}"
            lines.append(
                log_line(
                    "event_ingested", moment, request, event_id=event.id, status=status,
                    s3_key=event.s3_key,
                )
            )  # fmt: skip
            calls.append(
                invocation_row(request, moment - seconds(0.05), function="ingest", memory_mb=1024)
            )
    return {"log_lines": lines, "invocations": calls}


def batch(request_id, started, status, *events, wrote=()):
    """Lines and the invocation of a processor that loaded these events, and wrote some days."""
    lines = [log_line("processor_start", started, request_id, records=len(events))]
    lines += [
        log_line(
            "processor_record_loaded", started + seconds(n / 1000), request_id, event_id=e.id,
            entity_id=e.entity_id, event_time=e.body["event_time"],
        )
        for n, e in enumerate(events, 1)
    ]  # fmt: skip
    lines += [
        log_line(
            "processor_aggregate_written", started + seconds(0.05), request_id,
            entity_id=entity_id, day=DAY, inputs_hash="h",
        )
        for entity_id in wrote
    ]  # fmt: skip
    return lines, [invocation_row(request_id, started, status=status)]


def batches(*parts):
    told = [batch(*part[:3], *part[3], wrote=part[4]) for part in parts]
    return {
        "log_lines": [line for lines, _ in told for line in lines],
        "invocations": [call for _, calls in told for call in calls],
    }


def a_case(folder, **changes):
    tables = {
        "log_lines": [],
        "invocations": [],
        "events": [event_row(event) for event in EVENTS],
        "raw": [raw_row(event) for event in EVENTS],
        "functions": [function_row(role) for role in ("ingest", "replay", "processor")],
        "queue_state": [queue_row()],
        "mappings": [mapping_row()],
        **changes,
    }
    options = {
        name: tables.pop(name) for name in ("coverage", "scope", "thresholds") if name in tables
    }
    present = {name: rows for name, rows in tables.items() if rows is not None}
    return evidence_of(folder, **options, **present)


def outcome(code, evidence):
    finding = finding_of(f"retries/{code}", evidence)
    return finding.outcome, list(finding.keys)


PASSED = (Outcome.PASSED, [])
FOUND_WEB = (Outcome.FOUND, ["web"])
FOUND_QUEUE = (Outcome.FOUND, ["replay-queue"])


def rows_of(code, evidence):
    return evidence.engine.rows(offending_rows(book[f"retries/{code}"], evidence).rows)


@pytest.mark.parametrize("code", CODES)
def test_events_that_came_once_pass_every_check(tmp_path, code):
    evidence = a_case(tmp_path, **sent_again(EVENTS, []))
    assert finding_of(code, evidence).outcome is Outcome.PASSED


@pytest.mark.parametrize("code", CODES)
def test_without_evidence_nothing_is_said(tmp_path, code):
    finding = finding_of(code, evidence_of(tmp_path))
    assert finding.outcome is Outcome.NOT_EVALUATED
    assert "not in this test" in finding.reason


@pytest.mark.parametrize("code", CODES)
def test_with_a_part_of_the_log_lines_none_passes(tmp_path, code):
    part = {"log_lines": Coverage("partial", "cut off")}
    evidence = a_case(tmp_path, coverage=part, **sent_again(EVENTS, []))
    finding = finding_of(code, evidence)
    assert finding.outcome is Outcome.NOT_EVALUATED
    assert "cut off" in finding.reason


@pytest.mark.parametrize("code", CODES)
def test_lines_that_never_arrive_are_no_pass(tmp_path, code):
    text = [function_row(role, log_format="Text") for role in ("ingest", "replay", "processor")]
    calls = [invocation_row("i1", at(1), function="ingest")]
    finding = finding_of(code, a_case(tmp_path, functions=text, invocations=calls))
    assert finding.outcome is Outcome.NOT_EVALUATED
    assert "never arrive (D20)" in finding.reason


@pytest.mark.parametrize("code", CODES)
def test_every_check_is_an_expression_of_spark_too(tmp_path, code):
    evidence = a_case(tmp_path, **sent_again(EVENTS, [4.0] * 5))
    assert "SELECT" in spark_sql(offending_rows(book[code], evidence).rows.select("key"))


def test_a_storm_is_many_attempts_per_event_and_says_what_they_cost(tmp_path):
    evidence = a_case(tmp_path, **sent_again(EVENTS, [1.0, 2.0, 4.0]))
    assert outcome("storm", evidence) == FOUND_WEB
    (row,) = rows_of("storm", evidence)
    assert (row["attempts"], row["repeats"], row["amplification"]) == (32, 24, 4.0)
    assert row["wasted_gb_s"] == pytest.approx(24 * 0.120)  # one gigabyte each


def test_few_repeats_are_no_storm_however_often_one_event_came(tmp_path):
    evidence = a_case(tmp_path, **sent_again(EVENTS[:1], [1.0] * 19))
    assert outcome("storm", evidence) == PASSED


@pytest.mark.parametrize(("factor", "found"), [(4.0, FOUND_WEB), (4.1, PASSED)])
def test_from_which_amplification_it_is_a_storm_is_a_threshold(tmp_path, factor, found):
    thresholds = Thresholds(storm_factor=factor)
    evidence = a_case(tmp_path, thresholds=thresholds, **sent_again(EVENTS, [1.0, 2.0, 4.0]))
    assert outcome("storm", evidence) == found


def test_a_storm_of_an_hour_is_seen_among_days_of_quiet(tmp_path):
    quiet = [Event(f"q{n}", at(8 + n / 10)) for n in range(150)]
    told, stormy = sent_again(quiet, []), sent_again(EVENTS[:1], [1.0] * 25)
    both = {name: told[name] + stormy[name] for name in told}
    evidence = a_case(tmp_path, **both)
    assert outcome("storm", evidence) == FOUND_WEB
    (row,) = rows_of("storm", evidence)
    assert row["amplification"] < 1.2
    assert row["worst_amplification"] == 26.0


def test_a_key_used_again_for_other_data_is_no_retry(tmp_path):
    other = [raw_row(e, payload_sha="f" * 64, s3_key=f"raw/{e.name}.json") for e in EVENTS]
    raw = [raw_row(event) for event in EVENTS] + other
    evidence = a_case(tmp_path, raw=raw, **sent_again(EVENTS, [1.0, 2.0, 4.0]))
    assert outcome("storm", evidence) == PASSED


def test_requests_that_lambda_repeats_are_counted_per_function(tmp_path):
    calls = [
        invocation_row(f"r{n}", at(30 + n / 10) + seconds(60 * k), function="job", status="error")
        for n in range(12)
        for k in range(3)
    ]
    evidence = a_case(tmp_path, invocations=calls)
    assert outcome("storm", evidence) == (Outcome.FOUND, ["job"])
    (row,) = rows_of("storm", evidence)
    assert (row["channel"], row["amplification"]) == ("function", 3.0)


def test_a_client_with_a_fixed_short_wait_does_not_back_off(tmp_path):
    evidence = a_case(tmp_path, **sent_again(EVENTS, [4.0] * 5))
    assert outcome("no-backoff", evidence) == FOUND_WEB
    (row,) = rows_of("no-backoff", evidence)
    assert (row["gaps"], round(row["median_gap_s"])) == ("fixed", 4)


def test_a_client_whose_waits_shrink_does_not_back_off(tmp_path):
    evidence = a_case(tmp_path, **sent_again(EVENTS, [25.0, 11.0, 6.0, 3.0, 1.4, 0.7]))
    assert outcome("no-backoff", evidence) == FOUND_WEB
    assert [row["gaps"] for row in rows_of("no-backoff", evidence)] == ["shrinking"]


@pytest.mark.parametrize(
    "waits",
    [
        [1.0, 2.0, 4.0, 8.0, 16.0],
        [120.0] * 5,  # fixed, and long enough for whatever failed
        [3.0],  # too few to tell
        [5.0, 2.0, 7.0, 3.0, 6.0, 4.0],
    ],
)
def test_growing_long_few_or_random_waits_are_no_fault(tmp_path, waits):
    evidence = a_case(tmp_path, **sent_again(EVENTS, waits))
    assert outcome("no-backoff", evidence) == PASSED


def test_what_a_queue_repeats_is_never_a_client_without_backoff(tmp_path):
    runs = [(f"p{n}", at(30) + seconds(65 * n), "error", EVENTS[:2], ()) for n in range(6)]
    evidence = a_case(tmp_path, thresholds=Thresholds(no_backoff_seconds=99), **batches(*runs))
    assert outcome("no-backoff", evidence) == PASSED


def test_a_batch_that_wrote_and_then_failed_is_written_once_more(tmp_path):
    runs = [
        ("p1", at(30), "timeout", EVENTS[:2], ("e1",)),
        ("p2", at(30.1), "ok", EVENTS[:2], ("e1",)),
    ]
    evidence = a_case(tmp_path, **batches(*runs))
    assert outcome("side-effects", evidence) == FOUND_QUEUE
    (row,) = rows_of("side-effects", evidence)
    assert (row["attempts"], row["events"], row["guarded"]) == (2, 2, 0)
    assert "once more" in row["what"]


def effects_of(evidence):
    rows = evidence.engine.rows(effects(evidence))
    return sorted(row["effect"] for row in rows)


@pytest.mark.parametrize(
    ("wrote", "what"),
    [(((), ("e1",)), WITHOUT), ((("e1",), ()), GUARDED), ((("e2",), ("e1",)), WITHOUT)],
)
def test_a_repeat_without_an_earlier_effect_or_guarded_from_it_is_none(tmp_path, wrote, what):
    first, second = wrote
    runs = [("p1", at(30), "error", EVENTS[:2], first), ("p2", at(30.1), "ok", EVENTS[:2], second)]
    evidence = a_case(tmp_path, **batches(*runs))
    assert outcome("side-effects", evidence) == PASSED
    assert effects_of(evidence) == [what, what]


def test_an_event_processed_twice_because_it_was_sent_twice_is_no_retry(tmp_path):
    runs = [
        ("p1", at(30), "ok", EVENTS[:2], ("e1",)),
        ("p2", at(31), "ok", EVENTS[:2], ("e1",)),
    ]
    evidence = a_case(tmp_path, **batches(*runs))
    assert outcome("side-effects", evidence) == PASSED
    assert effects_of(evidence) == []


def test_a_client_that_was_let_in_twice_repeated_an_effect(tmp_path):
    evidence = a_case(tmp_path, **sent_again(EVENTS[:1], [4.0], ["ACCEPTED", "ACCEPTED"]))
    assert outcome("side-effects", evidence) == FOUND_WEB
    assert effects_of(evidence) == [REPEATED]


def test_a_gate_that_refused_every_repeat_kept_clients_from_repeating_effects(tmp_path):
    evidence = a_case(tmp_path, **sent_again(EVENTS, [4.0] * 2))
    assert outcome("side-effects", evidence) == PASSED
    assert set(effects_of(evidence)) == {GUARDED}


def test_runs_of_the_processor_without_lines_are_no_pass(tmp_path):
    told = sent_again(EVENTS, [])
    told["invocations"].append(invocation_row("mute", at(30)))
    finding = finding_of("retries/side-effects", a_case(tmp_path, **told))
    assert finding.outcome is Outcome.NOT_EVALUATED
    assert "left no processor_start line" in finding.reason


ROUNDS = batches(*((f"p{n}", at(30) + seconds(65 * n), "error", EVENTS, ()) for n in range(6)))
PARTIAL = [mapping_row(partial_batch_response=True)]


def reason_of(code, evidence):
    finding = finding_of(f"retries/{code}", evidence)
    assert finding.outcome is Outcome.NOT_EVALUATED
    return finding.reason


def test_a_batch_that_comes_back_again_and_again_is_a_storm_of_its_queue(tmp_path):
    assert outcome("storm", a_case(tmp_path, **ROUNDS)) == FOUND_QUEUE


@pytest.mark.parametrize("code", ["storm", "side-effects"])
@pytest.mark.parametrize(
    ("queues", "why"),
    [
        (None, "queue_state: skipped"),
        ([], "no queue has the role replay"),
        ([queue_row(visibility_timeout_s=None)], "visibility timeout of replay-queue is unknown"),
        ([queue_row(name="p"), queue_row(name="q")], "which of several replay queues"),
    ],
)
def test_without_the_settings_of_the_queue_its_retries_are_unseen(tmp_path, code, queues, why):
    evidence = a_case(tmp_path, queue_state=queues, **ROUNDS)
    assert why in reason_of(code, evidence)


def test_without_the_mappings_the_retries_of_a_stream_are_unseen(tmp_path):
    evidence = a_case(tmp_path, mappings=None, **sent_again(EVENTS, []))
    assert "mappings: skipped" in reason_of("storm", evidence)


def test_without_a_line_of_a_loaded_record_what_came_back_is_unseen(tmp_path):
    functions = [function_row(role) for role in ("ingest", "replay")]
    functions.append(function_row("processor", log_format="Text"))
    evidence = a_case(tmp_path, functions=functions, **sent_again(EVENTS, []))
    assert "processor_record_loaded" in reason_of("storm", evidence)


def returned(wrote=()):
    """One record that each of many successful runs reported as failed."""
    runs = [(f"p{n}", at(30) + seconds(65 * n), "ok", EVENTS[:1], wrote) for n in range(40)]
    told = batches(*runs)
    failed = [
        log_line("processor_record_failed", run[1], run[0], err="KeyError: 'x'") for run in runs
    ]
    return {**told, "log_lines": told["log_lines"] + failed}


def test_a_record_that_partial_answers_return_for_ever_is_a_storm(tmp_path):
    assert outcome("storm", a_case(tmp_path, mappings=PARTIAL, **returned())) == FOUND_QUEUE
    assert outcome("storm", a_case(tmp_path, **returned())) == PASSED  # D11: swallowed, and gone


def test_what_was_returned_had_no_effect_although_its_neighbours_were_written(tmp_path):
    evidence = a_case(tmp_path, mappings=PARTIAL, **returned(wrote=("e1",)))
    assert set(effects_of(evidence)) == {WITHOUT}


@pytest.mark.parametrize("code", ["storm", "side-effects"])
def test_a_failed_record_that_was_never_loaded_may_have_been_returned(tmp_path, code):
    told = batches(("p1", at(30), "ok", EVENTS[:1], ()))
    told["log_lines"].append(log_line("processor_record_failed", at(30), "p1", err="no such key"))
    assert outcome(code, a_case(tmp_path, **told)) == PASSED
    reason = reason_of(code, a_case(tmp_path, mappings=PARTIAL, **told))
    assert "1 record failed in a run that may have returned it" in reason


def test_dead_letters_alone_do_not_tell_how_far_retries_multiply_the_load(tmp_path):
    letters = [letter_row(Event(f"d{n}"), f"d{n}", attempts=5) for n in range(6)]
    calls = [invocation_row(f"r{n}", at(30 + n / 100)) for n in range(100)]
    evidence = a_case(tmp_path, invocations=calls, dead_letters=letters)
    assert "replay-queue: 24 repeats counted by what failed alone" in reason_of("storm", evidence)


def test_without_the_events_nobody_knows_what_a_replay_sent_anew(tmp_path):
    told = batches(
        ("p1", at(30), "timeout", EVENTS[:2], ("e1",)), ("p2", at(31), "ok", EVENTS[:2], ("e1",))
    )
    line = log_line(
        "replay_enqueued", at(30.9), "s1", entity_id="e1", scanned=8, sent=8,
        start="2026-03-10T00:00:00Z", end="2026-03-11T00:00:00Z",
    )  # fmt: skip
    lines = [*told["log_lines"], line]
    calls = [*told["invocations"], invocation_row("s1", at(30.9), function="replay")]
    evidence = a_case(tmp_path, events=None, log_lines=lines, invocations=calls)
    assert "what replays sent anew is unknown" in reason_of("side-effects", evidence)
    assert outcome("side-effects", a_case(tmp_path, events=None, **told)) == FOUND_QUEUE


def test_shards_that_are_handled_side_by_side_do_not_repeat_each_other(tmp_path):
    stream = mapping_row(uuid="u2", function="f", source_arn="arn:aws:kinesis:eu-west-1:1:stream/s")
    calls = [
        invocation_row(
            f"r{n}", at(30) + seconds(n), ended_utc=at(30) + seconds(n + 1.5), function="f",
            status="error" if n % 2 else "ok",
        )
        for n in range(60)
    ]  # fmt: skip
    maps = [mapping_row(), stream]
    reason = reason_of("storm", a_case(tmp_path, mappings=maps, invocations=calls))
    assert "f handles batches of a stream side by side" in reason
