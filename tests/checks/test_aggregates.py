from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from investigate.analysis import candidate_inputs
from investigate.analysis.aggregates import document_rows
from investigate.case import Coverage
from investigate.checks import book, offending_rows
from investigate.evidence import Evidence, Scope
from investigate.model import Outcome, Window
from tests.builders import (
    CAPTURED,
    END,
    Event,
    aggregate_row,
    at,
    dedupe_row,
    event_row,
    evidence_of,
    finding_of,
    function_row,
    invocation_row,
    log_line,
    message_row,
    queue_row,
    raw_row,
)

A, B, C = Event("a", at(1)), Event("b", at(2)), Event("c", at(3))
DAY = f"e1 {A.day}"
YOUNG = CAPTURED - timedelta(seconds=60)


def written(version: dict[str, Any], request_id: str, /, **changes: Any) -> dict[str, Any]:
    known = ("entity_id", "day", "version", "inputs_hash", "input_count")
    fields = {**{name: version[name] for name in known}, **changes}
    return log_line("processor_aggregate_written", at(30), request_id, **fields)


def loaded(event: Event, when: datetime | None = None) -> dict[str, Any]:
    return log_line(
        "processor_record_loaded", when or at(30), event_id=event.id, entity_id=event.entity_id,
        event_time=event.body["event_time"], s3_key=event.s3_key,
    )  # fmt: skip


def a_case(
    folder: Path, stored: Sequence[Event], versions: Sequence[dict[str, Any]], /, **tables: Any
) -> Evidence:
    """These events, stored and indexed; these versions, each told by the log; nothing waiting.

    A table given as None was not captured.
    """
    known = {
        "raw": [raw_row(event) for event in stored],
        "events": [event_row(event) for event in stored],
        "aggregates": list(versions),
        "messages": [],
        "log_lines": [
            log_line("replay_enqueued", at(29), "p1", scanned=0, sent=0),
            log_line("processor_start", at(30), "r1", records=1),
            *(written(version, "r1") for version in versions),
        ],
        "functions": [function_row("replay"), function_row("processor")],
        "invocations": [invocation_row("r1", at(30))],
        "queue_state": [queue_row()],
        **tables,
    }
    present = {name: rows for name, rows in known.items() if rows is not None}
    options = {name: present.pop(name) for name in ("coverage", "scope") if name in present}
    return evidence_of(folder, **options, **present)


CODES = ("missing", "partial", "split", "inflated", "stale", "overwritten", "unexplained", "churn")


@pytest.mark.parametrize("code", CODES)
def test_a_day_whose_one_version_holds_it_passes(tmp_path, code):
    evidence = a_case(tmp_path, [A, B], [aggregate_row([A, B])])
    assert finding_of(f"aggregates/{code}", evidence).outcome is Outcome.PASSED


@pytest.mark.parametrize("code", CODES)
def test_without_aggregates_and_logs_nothing_is_said(tmp_path, code):
    evidence = a_case(tmp_path, [A, B], [], aggregates=None, log_lines=None)
    assert finding_of(f"aggregates/{code}", evidence).outcome is Outcome.NOT_EVALUATED


@pytest.mark.parametrize("code", ["partial", "split", "inflated", "stale", "unexplained"])
def test_without_events_of_any_store_nothing_is_said(tmp_path, code):
    evidence = a_case(tmp_path, [], [aggregate_row([A])], raw=None, events=None)
    assert finding_of(f"aggregates/{code}", evidence).outcome is Outcome.NOT_EVALUATED


@pytest.mark.parametrize("code", ["missing", "partial", "split", "stale"])
def test_what_rests_on_a_versions_absence_needs_all_versions(tmp_path, code):
    part = {"aggregates": Coverage("partial", "stopped early")}
    evidence = a_case(tmp_path, [A, B], [aggregate_row([A])], coverage=part)
    finding = finding_of(f"aggregates/{code}", evidence)
    assert finding.outcome is Outcome.NOT_EVALUATED
    assert "stopped early" in (finding.reason or "")


def keys(code: str, evidence: Evidence) -> tuple[str, ...]:
    return finding_of(f"aggregates/{code}", evidence).keys


def test_a_sent_day_without_a_version_is_missing(tmp_path):
    lines = [loaded(A), log_line("replay_enqueued", at(29), "p1", scanned=0, sent=0)]
    other = Event("x", at(5), entity_id="e2")
    evidence = a_case(tmp_path, [A, other], [aggregate_row([other])], log_lines=lines)
    assert keys("missing", evidence) == (DAY,)


def test_a_day_with_a_message_still_waiting_is_not_missing(tmp_path):
    lines = [loaded(A), log_line("replay_enqueued", at(29), "p1", scanned=0, sent=0)]
    evidence = a_case(tmp_path, [A], [], log_lines=lines, messages=[message_row(A)])
    assert finding_of("aggregates/missing", evidence).outcome is Outcome.PASSED


def test_a_day_sent_just_now_is_not_missing_yet(tmp_path):
    lines = [loaded(A, YOUNG), log_line("replay_enqueued", at(29), "p1", scanned=0, sent=0)]
    evidence = a_case(tmp_path, [A], [], log_lines=lines)
    assert finding_of("aggregates/missing", evidence).outcome is Outcome.PASSED


@pytest.mark.parametrize("code", ["missing", "partial"])
def test_with_unseen_messages_a_gap_may_still_be_waiting(tmp_path, code):
    versions = [aggregate_row([A])] if code == "partial" else []
    unseen = {"messages": None, "queue_state": [queue_row(visible=4)]}
    evidence = a_case(tmp_path, [A, B], versions, log_lines=[loaded(A), loaded(B)], **unseen)
    finding = finding_of(f"aggregates/{code}", evidence)
    assert finding.outcome is Outcome.NOT_EVALUATED
    assert "still waiting" in (finding.reason or "")


def test_missing_needs_the_log_to_know_what_was_sent(tmp_path):
    thin = a_case(
        tmp_path, [A], [], log_lines=[], functions=[function_row("replay", log_format="Text")]
    )
    assert finding_of("aggregates/missing", thin).outcome is Outcome.NOT_EVALUATED


def test_events_that_no_version_counts_make_a_day_partial(tmp_path):
    evidence = a_case(tmp_path, [A, B, C], [aggregate_row([A]), aggregate_row([B], at(31))])
    assert keys("partial", evidence) == (DAY,)
    assert keys("split", evidence) == ()


def test_events_left_out_but_waiting_do_not_make_a_day_partial(tmp_path):
    evidence = a_case(tmp_path, [A, B], [aggregate_row([A])], messages=[message_row(B)])
    assert finding_of("aggregates/partial", evidence).outcome is Outcome.PASSED


def test_one_left_out_event_that_does_not_wait_is_enough(tmp_path):
    evidence = a_case(tmp_path, [A, B, C], [aggregate_row([A])], messages=[message_row(B)])
    assert keys("partial", evidence) == (DAY,)


def test_an_event_that_arrived_after_the_newest_version_is_not_left_out(tmp_path):
    late = Event("late", at(4), lag=timedelta(hours=30))
    evidence = a_case(tmp_path, [A, late], [aggregate_row([A])])
    assert finding_of("aggregates/partial", evidence).outcome is Outcome.PASSED
    assert keys("stale", evidence) == (DAY,)


def test_an_event_that_arrived_in_the_moment_of_the_newest_version_is_left_out(tmp_path):
    same = Event("same", at(4), lag=timedelta(hours=26))
    evidence = a_case(tmp_path, [A, same], [aggregate_row([A], same.ingested)])
    assert keys("partial", evidence) == (DAY,)


def test_a_day_that_is_still_being_computed_is_not_judged(tmp_path):
    evidence = a_case(tmp_path, [A, B], [aggregate_row([A], YOUNG)])
    assert finding_of("aggregates/partial", evidence).outcome is Outcome.PASSED


def test_the_first_arrival_counts_although_a_duplicate_overwrote_the_row(tmp_path):
    again = event_row(B, ingest_time="2026-03-11T12:00:00Z", ingest_time_utc=at(36))
    evidence = a_case(
        tmp_path, [A, B], [aggregate_row([A])], events=[event_row(A), again],
        dedupe=[dedupe_row(A), dedupe_row(B)],
    )  # fmt: skip
    assert keys("partial", evidence) == (DAY,)


def test_a_pass_is_not_given_where_one_store_was_not_captured(tmp_path):
    evidence = a_case(tmp_path, [A, B], [aggregate_row([A, B])], events=None)
    for code in ("partial", "split", "stale"):
        assert finding_of(f"aggregates/{code}", evidence).outcome is Outcome.NOT_EVALUATED


def test_batches_that_hold_the_day_only_together_split_it(tmp_path):
    evidence = a_case(tmp_path, [A, B, C], [aggregate_row([A, B]), aggregate_row([C], at(31))])
    assert keys("split", evidence) == (DAY,)
    assert keys("partial", evidence) == ()


def test_a_version_that_holds_the_day_ends_the_split(tmp_path):
    versions = [aggregate_row([A]), aggregate_row([A, B], at(31)), aggregate_row([B], at(32))]
    evidence = a_case(tmp_path, [A, B], versions)
    assert finding_of("aggregates/split", evidence).outcome is Outcome.PASSED


def test_a_day_with_an_unexplained_version_is_no_pass(tmp_path):
    forged = aggregate_row([A], at(31), inputs_hash="f" * 64)
    evidence = a_case(tmp_path, [A, B], [aggregate_row([A]), forged])
    for code in ("partial", "split", "stale"):
        finding = finding_of(f"aggregates/{code}", evidence)
        assert finding.outcome is Outcome.NOT_EVALUATED
        assert "inputs are unknown" in (finding.reason or "")


def test_a_newest_version_without_a_time_is_no_pass(tmp_path):
    timeless = aggregate_row([A], computed_at=None, computed_at_utc=None)
    evidence = a_case(tmp_path, [A, B], [timeless])
    for code in ("partial", "split", "stale"):
        finding = finding_of(f"aggregates/{code}", evidence)
        assert finding.outcome is Outcome.NOT_EVALUATED
        assert "no time" in (finding.reason or "")
    assert [row["verdict"] for row in document_rows(evidence)] == ["pending"]


def test_a_row_of_another_kind_is_no_missing_day(tmp_path):
    lines = [log_line("replay_enqueued", at(29), "p1", scanned=0, sent=0)]
    lines.append(log_line("processor_start", at(30), "r1", records=1))
    evidence = a_case(tmp_path, [], [], aggregates=[{"pk": "LOCK", "sk": "LOCK"}], log_lines=lines)
    assert finding_of("aggregates/missing", evidence).outcome is Outcome.PASSED


def test_an_event_counted_twice_inflates_its_day(tmp_path):
    other = Event("x", at(5), entity_id="e2")
    evidence = a_case(tmp_path, [A, B, other], [aggregate_row([A, A, B]), aggregate_row([other])])
    assert keys("inflated", evidence) == (DAY,)


def test_an_event_counted_once_in_each_of_two_versions_inflates_nothing(tmp_path):
    evidence = a_case(tmp_path, [A, B], [aggregate_row([A, B]), aggregate_row([A, B], at(31))])
    assert finding_of("aggregates/inflated", evidence).outcome is Outcome.PASSED


def test_an_unexplained_version_may_count_twice(tmp_path):
    evidence = a_case(tmp_path, [A], [aggregate_row([A], inputs_hash="f" * 64)])
    finding = finding_of("aggregates/inflated", evidence)
    assert finding.outcome is Outcome.NOT_EVALUATED
    assert "inputs are unknown" in (finding.reason or "")


def test_a_late_event_that_is_not_settled_makes_nothing_stale(tmp_path):
    late = Event("late", at(4), lag=YOUNG - at(4))
    evidence = a_case(tmp_path, [A, late], [aggregate_row([A])])
    assert finding_of("aggregates/stale", evidence).outcome is Outcome.PASSED


def test_a_version_that_was_incomplete_before_the_late_event_is_not_stale(tmp_path):
    late = Event("late", at(4), lag=timedelta(hours=30))
    evidence = a_case(tmp_path, [A, B, late], [aggregate_row([A])])
    assert keys("stale", evidence) == ()
    assert keys("partial", evidence) == (DAY,)


def test_two_requests_that_write_one_version_with_other_inputs_overwrite(tmp_path):
    version = aggregate_row([A])
    lines = [written(version, "r1"), written(version, "r2", inputs_hash="f" * 64)]
    evidence = a_case(tmp_path, [A, B], [version], log_lines=lines)
    assert keys("overwritten", evidence) == (DAY,)


def test_a_retried_write_of_the_same_inputs_overwrites_nothing(tmp_path):
    version = aggregate_row([A])
    lines = [
        log_line("processor_start", at(30), "r1", records=1),
        written(version, "r1"), written(version, "r2"),
    ]  # fmt: skip
    evidence = a_case(tmp_path, [A], [version], log_lines=lines)
    assert finding_of("aggregates/overwritten", evidence).outcome is Outcome.PASSED


def test_one_request_that_tells_of_a_version_twice_overwrites_nothing(tmp_path):
    version = aggregate_row([A])
    lines = [
        log_line("processor_start", at(30), "r1", records=1),
        written(version, "r1"), written(version, "r1", inputs_hash="f" * 64),
    ]  # fmt: skip
    evidence = a_case(tmp_path, [A, B], [version], log_lines=lines)
    assert finding_of("aggregates/overwritten", evidence).outcome is Outcome.PASSED


@pytest.mark.parametrize("lacking", ["entity_id", "day", "version"])
def test_lines_that_do_not_tell_their_version_overwrite_nothing(tmp_path, lacking):
    version = aggregate_row([A])
    lines = [
        log_line("processor_start", at(30), "r1", records=1),
        written(version, "r1"),
        written(version, "r2", **{lacking: None}),
        written(version, "r3", **{lacking: None, "inputs_hash": "f" * 64}),
    ]
    evidence = a_case(tmp_path, [A], [version], log_lines=lines)
    assert finding_of("aggregates/overwritten", evidence).outcome is Outcome.PASSED


def test_versions_of_different_seconds_overwrite_nothing(tmp_path):
    evidence = a_case(tmp_path, [A, B], [aggregate_row([A]), aggregate_row([B], at(31))])
    assert finding_of("aggregates/overwritten", evidence).outcome is Outcome.PASSED


def test_the_line_of_a_version_is_found_whatever_letters_its_entity_has(tmp_path):
    """Python's JSON writes é as an escape; the column has the letter."""
    event = A.but(entity_id="café")
    evidence = a_case(tmp_path, [event], [aggregate_row([event])])
    assert finding_of("aggregates/overwritten", evidence).outcome is Outcome.PASSED


def test_a_version_that_no_log_line_tells_of_is_no_pass(tmp_path):
    start = log_line("processor_start", at(30), "r1", records=1)
    evidence = a_case(tmp_path, [A], [aggregate_row([A])], log_lines=[start])
    finding = finding_of("aggregates/overwritten", evidence)
    assert finding.outcome is Outcome.NOT_EVALUATED
    assert "no processor_aggregate_written line" in (finding.reason or "")


def test_a_hash_that_no_known_events_have_is_unexplained(tmp_path):
    other = Event("x", at(5), entity_id="e2")
    versions = [aggregate_row([A, B], inputs_hash="f" * 64), aggregate_row([other])]
    evidence = a_case(tmp_path, [A, B, other], versions)
    assert keys("unexplained", evidence) == (DAY,)


def test_a_version_of_events_nobody_knows_is_unexplained(tmp_path):
    evidence = a_case(tmp_path, [A], [aggregate_row([A, B])])
    assert keys("unexplained", evidence) == (DAY,)


@pytest.mark.parametrize("table", ["raw", "events"])
def test_nothing_is_unexplained_while_events_may_be_missing(tmp_path, table):
    evidence = a_case(tmp_path, [A], [aggregate_row([A, B])], **{table: None})
    finding = finding_of("aggregates/unexplained", evidence)
    assert finding.outcome is Outcome.NOT_EVALUATED
    assert table in (finding.reason or "")


def test_an_explained_version_is_proof_even_with_one_store(tmp_path):
    evidence = a_case(tmp_path, [A, B], [aggregate_row([A, B])], events=None)
    assert finding_of("aggregates/unexplained", evidence).outcome is Outcome.PASSED


def test_a_version_computed_just_now_is_not_called_unexplained(tmp_path):
    evidence = a_case(tmp_path, [A], [aggregate_row([A, B], YOUNG)])
    assert finding_of("aggregates/unexplained", evidence).outcome is Outcome.PASSED


def test_a_version_with_too_many_runs_to_try_is_no_finding_and_no_pass(tmp_path, monkeypatch):
    monkeypatch.setattr(candidate_inputs, "RUN_DAY_EVENTS", 1)
    evidence = a_case(tmp_path, [A, B], [aggregate_row([A, B], inputs_hash="f" * 64)])
    finding = finding_of("aggregates/unexplained", evidence)
    assert finding.outcome is Outcome.NOT_EVALUATED
    assert "too many runs" in (finding.reason or "")


def test_more_than_one_version_is_churn(tmp_path):
    other = Event("x", at(5), entity_id="e2")
    versions = [aggregate_row([A]), aggregate_row([A], at(31)), aggregate_row([other])]
    assert keys("churn", a_case(tmp_path, [A, other], versions)) == (DAY,)


@pytest.mark.parametrize("code", CODES)
def test_a_version_that_was_read_twice_is_one_version(tmp_path, code):
    row = aggregate_row([A, B])
    evidence = a_case(tmp_path, [A, B], [row, row])
    assert finding_of(f"aggregates/{code}", evidence).outcome is Outcome.PASSED


def test_of_a_version_read_with_different_contents_nothing_is_claimed(tmp_path):
    row = aggregate_row([A, B])
    evidence = a_case(tmp_path, [A, B], [row, {**row, "inputs_hash": "f" * 64}])
    for code in ("partial", "split", "inflated", "stale", "unexplained"):
        finding = finding_of(f"aggregates/{code}", evidence)
        assert finding.outcome is Outcome.NOT_EVALUATED
    unexplained = finding_of("aggregates/unexplained", evidence)
    assert "1 version read more than once, with different contents" in str(unexplained.reason)
    assert keys("churn", evidence) == ()


def test_contents_of_which_nobody_knows_which_is_stored_are_no_hash_of_churn(tmp_path):
    row, second = aggregate_row([A, B]), aggregate_row([A], at(40))
    torn = [row, {**row, "inputs_hash": "f" * 64}, second]
    evidence = a_case(tmp_path, [A, B], torn)
    rows = evidence.engine.rows(offending_rows(book["aggregates/churn"], evidence).rows)
    assert [(row["versions"], row["distinct_hashes"]) for row in rows] == [(2, 1)]


def test_a_version_outside_the_scope_with_different_contents_is_no_gap(tmp_path):
    row = aggregate_row([A, B])
    evidence = a_case(tmp_path, [A, B], [row, {**row, "value": 9.0}], scope=ELSEWHERE)
    assert finding_of("aggregates/unexplained", evidence).outcome is Outcome.PASSED


def test_a_day_outside_the_scope_is_not_reported(tmp_path):
    scope = Scope(Window(END, END + timedelta(days=1)))
    evidence = a_case(tmp_path, [A, B], [aggregate_row([A])], scope=scope)
    assert finding_of("aggregates/partial", evidence).outcome is Outcome.PASSED


ELSEWHERE = Scope(Window(END, END + timedelta(days=1)))


@pytest.mark.parametrize("code", ["missing", "partial"])
def test_a_day_outside_the_scope_whose_messages_may_wait_is_no_gap(tmp_path, code):
    lines = [
        log_line("replay_enqueued", at(29), "p1", scanned=0, sent=0),
        log_line("processor_start", at(30), "r1", records=2),
        loaded(A),
        loaded(B),
    ]
    versions = [] if code == "missing" else [aggregate_row([A])]
    unseen = {
        "queue_state": [queue_row(visible=9)],
        "messages": None,
        "log_lines": [*lines, *(written(version, "r1") for version in versions)],
    }
    evidence = a_case(tmp_path, [A, B], versions, **unseen)
    assert "waiting is unknown" in (finding_of(f"aggregates/{code}", evidence).reason or "")
    evidence = a_case(tmp_path, [A, B], versions, **unseen, scope=ELSEWHERE)
    assert finding_of(f"aggregates/{code}", evidence).outcome is Outcome.PASSED


def test_a_split_day_outside_the_scope_is_no_day_that_may_lack_events(tmp_path):
    versions = [aggregate_row([A]), aggregate_row([B], at(31))]
    evidence = a_case(tmp_path, [A, B], versions, events=None)
    assert "1 day looked split" in (finding_of("aggregates/split", evidence).reason or "")
    evidence = a_case(tmp_path, [A, B], versions, events=None, scope=ELSEWHERE)
    assert "looked split" not in (finding_of("aggregates/split", evidence).reason or "")


@pytest.mark.parametrize("lacking", ["raw", "events"])
def test_an_unexplained_version_outside_the_scope_is_no_gap(tmp_path, lacking):
    forged = aggregate_row([A], inputs_hash="f" * 64)
    evidence = a_case(tmp_path, [A], [forged], **{lacking: None})
    assert "versions are unexplained" in (
        finding_of("aggregates/unexplained", evidence).reason or ""
    )
    evidence = a_case(tmp_path, [A], [forged], **{lacking: None}, scope=ELSEWHERE)
    assert finding_of("aggregates/unexplained", evidence).outcome is Outcome.PASSED


def test_only_untried_versions_of_the_scope_are_counted_as_untried(tmp_path, monkeypatch):
    monkeypatch.setattr(candidate_inputs, "RUN_DAY_EVENTS", 1)
    forged = aggregate_row([A, B], inputs_hash="f" * 64)
    evidence = a_case(tmp_path, [A, B], [forged], scope=ELSEWHERE)
    assert finding_of("aggregates/unexplained", evidence).outcome is Outcome.PASSED


def test_versions_that_were_tried_are_not_counted_as_untried(tmp_path, monkeypatch):
    monkeypatch.setattr(candidate_inputs, "RUN_DAY_EVENTS", 1)
    few = Event("x", at(5), entity_id="e2")
    versions = [
        aggregate_row([A, B], inputs_hash="f" * 64),
        aggregate_row([few], inputs_hash="e" * 64),
    ]
    finding = finding_of("aggregates/unexplained", a_case(tmp_path, [A, B, few], versions))
    assert finding.keys == (f"e2 {few.day}",)
    assert finding.reason == "too many runs to try for 1 version"


def test_a_sent_day_without_a_version_leaves_no_inputs_unknown(tmp_path):
    lines = [
        log_line("replay_enqueued", at(29), "p1", scanned=0, sent=0),
        log_line("processor_start", at(30), "r1", records=1),
        loaded(A),
    ]
    evidence = a_case(tmp_path, [A], [], log_lines=lines)
    assert keys("missing", evidence) == (DAY,)
    assert finding_of("aggregates/split", evidence).outcome is Outcome.PASSED


def test_a_version_outside_the_scope_that_no_line_tells_of_is_no_gap(tmp_path):
    lines = [log_line("processor_start", at(30), "r1", records=1)]
    evidence = a_case(tmp_path, [A], [aggregate_row([A])], log_lines=lines)
    assert "no processor_aggregate_written line" in (
        finding_of("aggregates/overwritten", evidence).reason or ""
    )
    evidence = Evidence(evidence.case, evidence.engine, scope=ELSEWHERE)
    assert finding_of("aggregates/overwritten", evidence).outcome is Outcome.PASSED


def test_a_version_outside_the_scope_with_unknown_inputs_is_no_gap(tmp_path):
    forged = aggregate_row([A], inputs_hash="f" * 64)
    evidence = a_case(tmp_path, [A], [forged])
    assert "inputs are unknown" in (finding_of("aggregates/split", evidence).reason or "")
    evidence = Evidence(evidence.case, evidence.engine, scope=ELSEWHERE)
    assert finding_of("aggregates/split", evidence).outcome is Outcome.PASSED
