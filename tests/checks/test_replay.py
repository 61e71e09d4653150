from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from investigate import pipeline
from investigate.analysis import replays
from investigate.case import Coverage
from investigate.checks.registry import book, offending_rows
from investigate.evidence import Evidence, Scope
from investigate.model import Finding, Outcome, Step, Window
from investigate.settings import Thresholds
from tests.builders import (
    CAPTURED,
    END,
    START,
    Event,
    at,
    event_row,
    evidence_of,
    finding_of,
    function_row,
    invocation_row,
    log_line,
    raw_row,
    unreadable_row,
)
from tests.spark import spark_sql

A, B, C = Event("a", at(1)), Event("b", at(2)), Event("c", at(3))
HALF = timedelta(milliseconds=500)
EARLY, NEXT = Event("early", START + HALF), Event("next", END + HALF)
FROM, TO = "2026-03-10T00:00:00Z", "2026-03-11T00:00:00Z"
NO_CASE = "not in this test"


def replayed(scanned: int, sent: int, **changes: Any) -> dict[str, Any]:
    fields = {"entity_id": "e1", "start": FROM, "end": TO, **changes}
    return log_line("replay_enqueued", at(30), "p1", scanned=scanned, sent=sent, **fields)


def a_case(folder: Path, *lines: dict[str, Any], **changes: Any) -> Evidence:
    """Three events of one entity, and one replay that read and sent all three of them."""
    tables: dict[str, Any] = {
        "events": [event_row(event) for event in (A, B, C)],
        "raw": [raw_row(event) for event in (A, B, C)],
        "log_lines": lines or (replayed(3, 3),),
        "functions": [function_row(role) for role in ("ingest", "replay", "processor")],
        "invocations": [invocation_row("p1", at(30), function="replay")],
        **changes,
    }
    options = {name: tables.pop(name, None) for name in ("coverage", "scope", "thresholds")}
    present = {name: rows for name, rows in tables.items() if rows is not None}
    return evidence_of(folder, **options, **present)


def the(finding: Finding) -> tuple[Outcome, tuple[str, ...]]:
    return finding.outcome, finding.keys


def found(*keys: str) -> tuple[Outcome, tuple[str, ...]]:
    return Outcome.FOUND, tuple(sorted(keys))


PASSED = (Outcome.PASSED, ())
THIN = {"log_lines": [], "functions": [function_row("replay", log_format="Text")]}
CODES = [check.code for check in book.of(Step.REPLAY)]


@pytest.mark.parametrize("code", CODES)
def test_a_sound_replay_passes_every_check(tmp_path: Path, code: str) -> None:
    assert the(finding_of(code, a_case(tmp_path))) == PASSED


@pytest.mark.parametrize("code", CODES)
def test_a_check_without_its_evidence_is_not_evaluated(tmp_path: Path, code: str) -> None:
    finding = finding_of(code, evidence_of(tmp_path))
    assert finding.outcome is Outcome.NOT_EVALUATED
    assert NO_CASE in str(finding.reason)


@pytest.mark.parametrize("code", CODES)
def test_every_check_is_an_expression_of_spark_too(tmp_path: Path, code: str) -> None:
    rows = offending_rows(book[code], a_case(tmp_path)).rows
    assert "SELECT" in spark_sql(rows.select("key"))


@pytest.mark.parametrize("code", ["replay/truncated", "replay/boundary", "replay/nothing-sent"])
def test_thin_logs_never_pass(tmp_path: Path, code: str) -> None:
    """D20: with the text format no line of a replay arrives."""
    finding = finding_of(code, a_case(tmp_path, **THIN))
    assert finding.outcome is Outcome.NOT_EVALUATED
    assert "D20" in str(finding.reason)


@pytest.mark.parametrize("code", ["replay/truncated", "replay/boundary", "replay/nothing-sent"])
def test_a_replay_that_left_no_line_never_passes(tmp_path: Path, code: str) -> None:
    runs = [invocation_row(name, at(30), function="replay") for name in ("p1", "p2")]
    finding = finding_of(code, a_case(tmp_path, invocations=runs))
    assert finding.outcome is Outcome.NOT_EVALUATED
    assert "1 invocation of the role replay left no replay_enqueued line" in str(finding.reason)


@pytest.mark.parametrize("code", ["replay/truncated", "replay/boundary", "replay/nothing-sent"])
def test_where_no_replay_ran_nothing_was_cut_short(tmp_path: Path, code: str) -> None:
    assert the(finding_of(code, a_case(tmp_path, log_lines=[], invocations=[]))) == PASSED


@pytest.mark.parametrize("code", ["replay/truncated", "replay/boundary"])
def test_without_log_lines_the_replays_that_ran_are_unknown(tmp_path: Path, code: str) -> None:
    finding = finding_of(code, a_case(tmp_path, log_lines=None))
    assert finding.outcome is Outcome.NOT_EVALUATED
    assert "replays that ran: log_lines" in str(finding.reason)


def test_an_event_that_arrives_while_a_replay_sends_was_not_cut_off(tmp_path: Path) -> None:
    """The replay scanned three rows and sent for twenty seconds; D came in before its line."""
    arriving = Event("d", at(30) - timedelta(seconds=10), lag=timedelta(0))
    rows = [event_row(event) for event in (A, B, C, arriving)]
    case = a_case(tmp_path, replayed(3, 3, end="2026-03-12T00:00:00Z"), events=rows)
    assert the(finding_of("replay/truncated", case)) == PASSED


def test_a_replay_that_scanned_less_than_its_window_held_was_truncated(tmp_path: Path) -> None:
    case = a_case(tmp_path, replayed(2, 2))
    assert the(finding_of("replay/truncated", case)) == found("e1")
    (row,) = case.engine.rows(offending_rows(book["replay/truncated"], case).rows)
    assert (row["how"], row["scanned"], row["rows"]) == ("did stop early", 2, 3)


def test_a_row_that_arrived_after_the_replay_does_not_truncate_it(tmp_path: Path) -> None:
    rows = [event_row(event) for event in (A, B, C.but(lag=timedelta(hours=30)))]
    case = a_case(tmp_path, replayed(2, 2), events=rows, raw=None)
    assert the(finding_of("replay/truncated", case)) == PASSED


def test_a_replay_just_before_the_capture_is_not_judged(tmp_path: Path) -> None:
    line = replayed(2, 2) | {"logged_utc": CAPTURED - timedelta(seconds=10)}
    assert the(finding_of("replay/truncated", a_case(tmp_path, line))) == PASSED


def test_a_replay_would_be_truncated_at_its_limit(tmp_path: Path) -> None:
    exact = a_case(tmp_path, thresholds=Thresholds(replay_limit=3))
    assert the(finding_of("replay/truncated", exact)) == PASSED
    short = a_case(tmp_path, thresholds=Thresholds(replay_limit=2), **THIN)
    finding = finding_of("replay/truncated", short)
    assert the(finding) == found("e1")
    assert "D20" in str(finding.reason)


def test_it_says_whether_the_limit_or_the_page_would_stop_it(tmp_path: Path) -> None:
    def how(**tables: Any) -> list[str]:
        case = a_case(tmp_path, **tables)
        told = case.engine.rows(offending_rows(book["replay/truncated"], case).rows)
        return [row["how"] for row in told]

    assert how(thresholds=Thresholds(replay_limit=2)) == ["would stop at the limit"]
    wide = [{**event_row(event), "attributes": "x"} for event in (A, B, C)]
    wide[0]["attributes"] = "x" * (pipeline.QUERY_PAGE_BYTES - 2)
    assert how(events=wide) == []  # a page is full only beyond its last byte
    wide[0]["attributes"] += "x"
    assert how(events=wide, thresholds=Thresholds(replay_limit=3)) == ["would stop at 1 MB"]


def test_what_a_replay_does_not_scan_does_not_fill_its_limit(tmp_path: Path) -> None:
    edge = Event("edge", START + timedelta(milliseconds=500))  # before the start, as text
    rows = [event_row(event) for event in (edge, A, B, C)]
    case = a_case(tmp_path, events=rows, thresholds=Thresholds(replay_limit=3))
    assert the(finding_of("replay/truncated", case)) == PASSED


def test_a_replay_would_be_truncated_at_a_megabyte(tmp_path: Path) -> None:
    fat = event_row(A) | {"attributes": json.dumps("x" * pipeline.QUERY_PAGE_BYTES)}
    case = a_case(tmp_path, events=[fat, event_row(B), event_row(C)])
    assert the(finding_of("replay/truncated", case)) == found("e1")


def test_the_rows_of_another_entity_count_for_it_alone(tmp_path: Path) -> None:
    rows = [event_row(event.but(entity_id=f"e{n}")) for n, event in enumerate((A, B, C))]
    case = a_case(tmp_path, replayed(1, 1), events=rows, thresholds=Thresholds(replay_limit=1))
    assert the(finding_of("replay/truncated", case)) == PASSED


def test_events_at_the_edges_are_in_by_time_or_by_text_but_not_by_both(tmp_path: Path) -> None:
    rows = [event_row(event) for event in (EARLY, A, NEXT)]
    case = a_case(tmp_path, replayed(2, 2), events=rows)
    assert the(finding_of("replay/boundary", case)) == found(EARLY.id, NEXT.id)


def test_an_edge_of_a_logged_replay_counts_even_inside_the_window(tmp_path: Path) -> None:
    inner = Event("inner", at(6) + HALF)
    rows = [event_row(event) for event in (A, inner)]
    line = replayed(1, 1, start="2026-03-10T06:00:00Z")
    case = a_case(tmp_path, line, events=rows)
    assert the(finding_of("replay/boundary", case)) == found(inner.id)


def test_the_edge_of_a_replay_of_another_entity_does_not_count(tmp_path: Path) -> None:
    inner = event_row(Event("inner", at(6) + HALF))
    line = replayed(0, 0, start="2026-03-10T06:00:00Z", entity_id="e2")
    case = a_case(tmp_path, line, events=[inner])
    assert the(finding_of("replay/boundary", case)) == PASSED


def test_the_window_asked_about_has_edges_of_its_own(tmp_path: Path) -> None:
    rows = [event_row(event) for event in (EARLY, A)]
    scope = Scope(Window(at(1), at(5)))
    assert the(finding_of("replay/boundary", a_case(
        tmp_path, events=rows, log_lines=[], invocations=[], scope=scope
    ))) == PASSED  # fmt: skip


def test_a_message_without_an_object_would_fail(tmp_path: Path) -> None:
    case = a_case(tmp_path, raw=[raw_row(A), unreadable_row(B)])
    assert the(finding_of("replay/would-fail", case)) == found(B.id, C.id)


def test_a_dangling_key_would_fail_although_the_object_exists(tmp_path: Path) -> None:
    moved = event_row(C, s3_key=C.s3_key.replace("2026-03-10", "2026-03-12"))
    case = a_case(tmp_path, events=[event_row(A), event_row(B), moved])
    assert the(finding_of("replay/would-fail", case)) == found(C.id)


def test_a_row_that_is_not_sent_cannot_fail(tmp_path: Path) -> None:
    later = Event("later", at(30))
    rows = [event_row(A), event_row(B, s3_key=None), event_row(later)]
    case = a_case(tmp_path, events=rows, raw=[raw_row(A)])
    assert the(finding_of("replay/would-fail", case)) == PASSED


def test_a_row_just_before_the_capture_may_still_get_its_object(tmp_path: Path) -> None:
    fresh = event_row(A, ingest_time_utc=CAPTURED - timedelta(seconds=10))
    case = a_case(tmp_path, events=[fresh], raw=[])
    assert the(finding_of("replay/would-fail", case)) == PASSED


def test_objects_captured_in_part_prove_what_is_broken_but_not_what_is_absent(
    tmp_path: Path,
) -> None:
    partial = {"raw": Coverage("partial", "two objects")}
    broken = a_case(tmp_path, raw=[raw_row(A), unreadable_row(B)], coverage=partial)
    assert the(finding_of("replay/would-fail", broken)) == found(B.id)
    unknown = finding_of("replay/would-fail", a_case(tmp_path, raw=[raw_row(A)], coverage=partial))
    assert unknown.outcome is Outcome.NOT_EVALUATED


def test_an_object_nobody_could_look_at_is_no_failure_and_no_pass(tmp_path: Path) -> None:
    raw = [raw_row(A), raw_row(B), unreadable_row(C, "denied")]
    finding = finding_of("replay/would-fail", a_case(tmp_path, raw=raw))
    assert finding.outcome is Outcome.NOT_EVALUATED
    assert "1 of the objects could not be looked at" in str(finding.reason)


@pytest.mark.parametrize(
    ("line", "rows", "why"),
    [
        (replayed(0, 0, start=TO, end="2026-03-12T00:00:00Z"), [A], "no rows in the window"),
        (replayed(0, 0), [A], "nothing scanned although rows are there"),
        (replayed(1, 0), [], "no row has refs"),
    ],
)
def test_a_replay_that_sent_nothing_is_named_with_its_reason(
    tmp_path: Path, line: dict[str, Any], rows: list[Event], why: str
) -> None:
    case = a_case(tmp_path, line, events=[event_row(event) for event in rows])
    assert the(finding_of("replay/nothing-sent", case)) == found("e1")
    (row,) = case.engine.rows(offending_rows(book["replay/nothing-sent"], case).rows)
    assert row["why"] == why


def test_a_function_in_dry_run_shows_nothing(tmp_path: Path) -> None:
    functions = [function_row("ingest"), function_row("replay", dry_run=True)]
    assert the(finding_of("replay/dry-run", a_case(tmp_path, functions=functions))) == found(
        "replay"
    )


def test_a_function_whose_dry_run_is_unknown_is_no_pass(tmp_path: Path) -> None:
    functions = [function_row("ingest", dry_run=None)]
    finding = finding_of("replay/dry-run", a_case(tmp_path, functions=functions))
    assert finding.outcome is Outcome.NOT_EVALUATED


def test_replays_that_did_not_end_well_are_named(tmp_path: Path) -> None:
    runs = [
        invocation_row("p1", at(30), function="replay"),
        invocation_row("p2", at(31), function="replay", status="timeout"),
        invocation_row("p3", at(31), function="replay", status="error"),
        invocation_row("r1", at(31), status="error"),
    ]
    case = a_case(tmp_path, invocations=runs)
    assert the(finding_of("replay/failures", case)) == found("p2", "p3")


def test_without_a_replay_function_its_failures_are_unknown(tmp_path: Path) -> None:
    finding = finding_of("replay/failures", a_case(tmp_path, functions=[function_row("ingest")]))
    assert finding.outcome is Outcome.NOT_EVALUATED


def test_what_ended_just_before_the_capture_is_not_judged(tmp_path: Path) -> None:
    young = CAPTURED - timedelta(seconds=10)
    line = replayed(0, 0) | {"logged_utc": young}
    assert the(finding_of("replay/nothing-sent", a_case(tmp_path, line))) == PASSED
    run = invocation_row("p9", young, function="replay", status="error", ended_utc=young)
    case = a_case(tmp_path, invocations=[invocation_row("p1", at(30), function="replay"), run])
    assert the(finding_of("replay/failures", case)) == PASSED


def test_a_replay_that_scanned_nothing_did_not_stop_early(tmp_path: Path) -> None:
    case = a_case(tmp_path, replayed(0, 0))
    assert the(finding_of("replay/truncated", case)) == PASSED
    assert finding_of("replay/nothing-sent", case).outcome is Outcome.FOUND


def test_a_row_of_unknown_time_is_at_no_edge(tmp_path: Path) -> None:
    rows = [event_row(Event("odd", at(3)), event_time=None, event_time_utc=None)]
    case = a_case(tmp_path, replayed(1, 1), events=rows)
    assert the(finding_of("replay/boundary", case)) == PASSED


def test_a_replay_without_an_end_is_no_pass(tmp_path: Path) -> None:
    calls = [invocation_row("p1", at(30), function="replay", status=None, ended_utc=None)]
    finding = finding_of("replay/failures", a_case(tmp_path, invocations=calls))
    assert finding.outcome is Outcome.NOT_EVALUATED
    assert "the end of 1 replay invocation is not in the log" in str(finding.reason)


@pytest.mark.parametrize("unread", ["start", "end", "entity_id"])
def test_a_replay_whose_line_names_no_window_has_no_known_number_of_rows(
    tmp_path: Path, unread: str
) -> None:
    case = a_case(tmp_path, replayed(0, 0, **{unread: None}))
    (row,) = case.engine.rows(offending_rows(book["replay/nothing-sent"], case).rows)
    assert (row["rows_there"], row["why"]) == (None, "its window is not in the log")
    (row,) = case.engine.rows(replays.outcomes(case))
    assert row["rows_with_refs"] is None


@pytest.mark.parametrize("unread", ["start", "end", "entity_id"])
def test_a_replay_whose_line_names_no_window_may_have_stopped_early(
    tmp_path: Path, unread: str
) -> None:
    finding = finding_of("replay/truncated", a_case(tmp_path, replayed(100, 100, **{unread: None})))
    assert finding.outcome is Outcome.NOT_EVALUATED
    assert "1 logged replay whose window or scanned rows are not in the log" in str(finding.reason)


def test_a_replay_of_unknown_size_may_have_stopped_early_but_none_of_another_scope(
    tmp_path: Path,
) -> None:
    asked = {"entity_id": "e1", "start": FROM, "end": TO, "sent": 0}
    line = log_line("replay_enqueued", at(30), "p1", **asked)
    finding = finding_of("replay/truncated", a_case(tmp_path, line))
    assert finding.outcome is Outcome.NOT_EVALUATED
    other = a_case(tmp_path, line, scope=Scope(Window(START, END), ("e2",)))
    assert the(finding_of("replay/truncated", other)) == PASSED
