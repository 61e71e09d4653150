from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from investigate.analysis import processing
from investigate.case import Coverage
from investigate.errors import NotEvaluable
from investigate.evidence import Evidence
from tests.builders import (
    CAPTURED,
    Event,
    aggregate_row,
    at,
    event_row,
    evidence_of,
    function_row,
    invocation_row,
    log_line,
    message_row,
    queue_row,
    raw_row,
    unreadable_row,
)

A, B, C = Event("a", at(1)), Event("b", at(2)), Event("c", at(3))
START, END = "2026-03-10T00:00:00Z", "2026-03-11T00:00:00Z"


def replayed(scanned: int, sent: int, **changes: Any) -> dict[str, Any]:
    fields = {"entity_id": "e1", "start": START, "end": END, **changes}
    return log_line("replay_enqueued", at(30), "p1", scanned=scanned, sent=sent, **fields)


def loaded(event: Event) -> dict[str, Any]:
    return log_line(
        "processor_record_loaded", at(31), event_id=event.id, entity_id=event.entity_id,
        event_time=event.body["event_time"], s3_key=event.s3_key,
    )  # fmt: skip


def a_case(folder: Path, *lines: dict[str, Any], **tables: Any) -> Evidence:
    """Three events, replayed as the lines say; an empty queue, no aggregates."""
    known: dict[str, Any] = {
        "events": [event_row(event) for event in (A, B, C)],
        "raw": [raw_row(event) for event in (A, B, C)],
        "log_lines": lines,
        "functions": [function_row("replay"), function_row("processor")],
        "invocations": [
            invocation_row("p1", at(30), function="replay"),
            invocation_row("r1", at(31)),
        ],
        "queue_state": [queue_row()],
        "messages": [],
        **tables,
    }
    present = {name: rows for name, rows in known.items() if rows is not None}
    coverage = present.pop("coverage", None)
    return evidence_of(folder, coverage=coverage, **present)


def ids(evidence: Evidence, table: Any) -> set[str]:
    return {row["event_id"] for row in evidence.engine.rows(table)}


STARTED = log_line("processor_start", at(31), records=3)


def test_what_a_reconstructed_replay_sent_is_sent(tmp_path: Path) -> None:
    case = a_case(tmp_path, replayed(3, 3))
    rows = {row["event_id"]: row for row in case.engine.rows(processing.sent(case))}
    assert set(rows) == {A.id, B.id, C.id}
    assert rows[A.id]["entity_id"] == "e1"
    assert rows[A.id]["day"] == "2026-03-10"
    assert rows[A.id]["sent_utc"] == at(30).replace(tzinfo=None)
    assert rows[A.id]["s3_key"] == A.s3_key
    assert processing.sent_gaps(case) == []


def test_what_a_processor_loaded_was_sent_even_when_the_replay_is_unknown(tmp_path: Path) -> None:
    case = a_case(tmp_path, STARTED, loaded(B), events=None)
    rows = case.engine.rows(processing.sent(case))
    assert [(row["event_id"], row["day"]) for row in rows] == [(B.id, B.day)]


def test_the_earliest_sending_counts(tmp_path: Path) -> None:
    again = replayed(3, 3) | {"logged_utc": at(29), "request_id": "p0"}
    case = a_case(tmp_path, replayed(3, 3), again)
    times = {row["sent_utc"] for row in case.engine.rows(processing.sent(case))}
    assert times == {at(29).replace(tzinfo=None)}


def test_a_replay_that_cannot_be_reconstructed_is_a_gap(tmp_path: Path) -> None:
    case = a_case(tmp_path, replayed(5, 4))
    assert processing.unreconstructed(case) == 1
    assert "1 logged replay sent cannot be reconstructed" in processing.sent_gaps(case)[0]
    assert ids(case, processing.sent(case)) == set()


def test_a_replay_that_sent_nothing_leaves_no_gap(tmp_path: Path) -> None:
    assert processing.unreconstructed(a_case(tmp_path, replayed(5, 0))) == 0


def test_without_index_rows_only_the_number_of_unknown_replays_is_told(tmp_path: Path) -> None:
    assert processing.unreconstructed(a_case(tmp_path, replayed(3, 3), events=None)) == 1


def test_sent_cannot_be_told_without_log_lines(tmp_path: Path) -> None:
    with pytest.raises(NotEvaluable, match="log_lines"):
        processing.sent(a_case(tmp_path, log_lines=None))


def test_loaded_events_and_inputs_of_explained_versions_are_processed(tmp_path: Path) -> None:
    case = a_case(tmp_path, STARTED, loaded(A), aggregates=[aggregate_row([B])])
    assert ids(case, processing.processed(case)) == {A.id, B.id}


def test_what_was_processed_cannot_be_told_from_neither_logs_nor_aggregates(
    tmp_path: Path,
) -> None:
    with pytest.raises(NotEvaluable, match="neither"):
        processing.processed(a_case(tmp_path, log_lines=None))


def test_processor_lines_alone_tell_all_that_was_processed(tmp_path: Path) -> None:
    assert processing.processed_gap(a_case(tmp_path, STARTED)) == ""


def test_without_processor_lines_explained_aggregates_tell_what_was_processed(
    tmp_path: Path,
) -> None:
    assert processing.processed_gap(a_case(tmp_path, aggregates=[aggregate_row([A])])) == ""


def test_an_unexplained_version_may_hold_any_event(tmp_path: Path) -> None:
    strange = aggregate_row([A], inputs_hash="0" * 64)
    gap = processing.processed_gap(a_case(tmp_path, aggregates=[strange]))
    assert "1 unexplained aggregate version" in gap


def test_without_lines_and_aggregates_what_was_processed_is_not_known(tmp_path: Path) -> None:
    assert "aggregates" in processing.processed_gap(a_case(tmp_path))


def test_only_events_of_well_formed_messages_are_waiting(tmp_path: Path) -> None:
    messages = [message_row(A), message_row(B, "m2", well_formed=False)]
    case = a_case(tmp_path, messages=messages)
    assert ids(case, processing.waiting(case)) == {A.id}


def test_nothing_is_known_to_wait_when_messages_were_not_captured(tmp_path: Path) -> None:
    case = a_case(tmp_path, messages=None)
    assert ids(case, processing.waiting(case)) == set()


def test_an_event_sent_and_nowhere_since_is_unaccounted(tmp_path: Path) -> None:
    case = a_case(
        tmp_path, replayed(3, 3), STARTED, loaded(A), messages=[message_row(B)],
        dead_letters=[],
    )  # fmt: skip
    assert ids(case, processing.unaccounted(case)) == {C.id}


def test_a_dead_letter_accounts_for_its_event(tmp_path: Path) -> None:
    letter = {"channel": "sqs-redrive", "message_id": "m1", "event_id": A.id}
    case = a_case(tmp_path, replayed(3, 3), dead_letters=[letter])
    assert ids(case, processing.unaccounted(case)) == {B.id, C.id}


def test_an_event_sent_just_before_the_capture_is_not_judged(tmp_path: Path) -> None:
    late = replayed(3, 3) | {"logged_utc": CAPTURED - timedelta(seconds=10)}
    case = a_case(tmp_path, late)
    assert ids(case, processing.unaccounted(case)) == set()


FAILED = log_line("processor_record_failed", at(31), err="NoSuchKey")


def test_without_failures_nothing_failed(tmp_path: Path) -> None:
    case = a_case(tmp_path, replayed(3, 3), STARTED)
    assert ids(case, processing.failed(case)) == set()


def test_with_as_many_failures_as_unaccounted_events_all_of_them_failed(tmp_path: Path) -> None:
    case = a_case(tmp_path, replayed(3, 3), STARTED, loaded(A), FAILED, FAILED)
    assert processing.failed_records(case) == 2
    assert ids(case, processing.failed(case)) == {B.id, C.id}


def test_with_fewer_failures_only_those_whose_object_cannot_be_read_failed(tmp_path: Path) -> None:
    raw = [raw_row(A), unreadable_row(B), raw_row(C)]
    case = a_case(tmp_path, replayed(3, 3), STARTED, FAILED, raw=raw)
    assert ids(case, processing.failed(case)) == {B.id}


def test_two_failures_of_one_event_that_was_sent_twice_hide_no_loss(tmp_path: Path) -> None:
    raw = [raw_row(A), unreadable_row(B), raw_row(C)]
    one = event_row(B)
    twice = [replayed(1, 1, start=one["event_time"][:13] + ":00:00Z", end="2026-03-10T02:30:00Z")]
    case = a_case(tmp_path, replayed(3, 3), *twice, STARTED, loaded(A), FAILED, FAILED, raw=raw)
    assert ids(case, processing.unaccounted(case)) == {B.id, C.id}
    assert ids(case, processing.failed(case)) == {B.id}


def test_a_failure_in_an_invocation_that_was_retried_is_not_swallowed(tmp_path: Path) -> None:
    runs = [
        invocation_row("p1", at(30), function="replay"),
        invocation_row("r1", at(31), status="error"),
    ]
    case = a_case(tmp_path, replayed(3, 3), STARTED, FAILED, invocations=runs)
    assert processing.failed_records(case) == 0


def test_failures_cannot_be_named_while_the_queue_is_not_known(tmp_path: Path) -> None:
    case = a_case(
        tmp_path, replayed(3, 3), STARTED, FAILED, queue_state=[queue_row(visible=9)],
        coverage={"messages": Coverage("partial", "0 of 9 messages")},
    )  # fmt: skip
    with pytest.raises(NotEvaluable, match=r"1 record failed .*0 of 9 messages"):
        processing.failed(case)


def test_few_failures_cannot_be_named_without_raw(tmp_path: Path) -> None:
    case = a_case(tmp_path, replayed(3, 3), STARTED, FAILED, raw=None)
    with pytest.raises(NotEvaluable, match="raw: skipped"):
        processing.failed(case)


def test_failures_do_not_name_events_while_not_every_sent_event_is_known(tmp_path: Path) -> None:
    unknown = replayed(9, 9)
    case = a_case(tmp_path, replayed(3, 3), unknown, STARTED, loaded(A), FAILED, FAILED)
    assert processing.sent_gaps(case) != []
    with pytest.raises(NotEvaluable, match=r"2 events they were is unknown: .*reconstructed"):
        processing.failed(case)


def test_failures_in_invocations_that_were_not_captured_name_no_events(tmp_path: Path) -> None:
    case = a_case(
        tmp_path, replayed(3, 3), STARTED, FAILED, FAILED,
        invocations=[invocation_row("p1", at(30), function="replay")],
        coverage={"invocations": Coverage("partial", "half of it")},
    )  # fmt: skip
    with pytest.raises(NotEvaluable, match=r"2 records failed in invocations unknown"):
        processing.failed(case)
