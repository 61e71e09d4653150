from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from investigate.case import Coverage
from investigate.checks.registry import book, offending_rows
from investigate.evidence import Evidence
from investigate.model import Finding, Outcome, Step
from tests.builders import (
    Event,
    at,
    event_row,
    evidence_of,
    finding_of,
    function_row,
    invocation_row,
    log_line,
    mapping_row,
    message_row,
    queue_row,
    raw_row,
    unreadable_row,
)
from tests.spark import spark_sql

A, B, C = Event("a", at(1)), Event("b", at(2)), Event("c", at(3))
REPLAYED = log_line(
    "replay_enqueued", at(30), "p1", entity_id="e1", start="2026-03-10T00:00:00Z",
    end="2026-03-11T00:00:00Z", scanned=3, sent=3,
)  # fmt: skip
STARTED = log_line("processor_start", at(31), records=3)
FAILED = log_line("processor_record_failed", at(31), err="NoSuchKey")


def loaded(event: Event) -> dict[str, Any]:
    return log_line(
        "processor_record_loaded", at(31), event_id=event.id, entity_id=event.entity_id,
        event_time=event.body["event_time"],
    )  # fmt: skip


def point(metric: str, value: float, **changes: Any) -> dict[str, Any]:
    return {
        "namespace": "AWS/Lambda", "metric": metric, "dimensions": '{"FunctionName": "processor"}',
        "at_utc": at(31), "value": value, "origin": "cloudwatch", **changes,
    }  # fmt: skip


def deleted(value: float, **changes: Any) -> dict[str, Any]:
    queue = {"namespace": "AWS/SQS", "dimensions": '{"QueueName": "replay-queue"}'}
    return point("NumberOfMessagesDeleted", value, **{**queue, **changes})


def a_case(folder: Path, **changes: Any) -> Evidence:
    """Three events, replayed and loaded by a processor that reads its queue."""
    tables: dict[str, Any] = {
        "events": [event_row(event) for event in (A, B, C)],
        "raw": [raw_row(event) for event in (A, B, C)],
        "log_lines": [REPLAYED, STARTED, *(loaded(event) for event in (A, B, C))],
        "functions": [function_row("replay"), function_row("processor")],
        "invocations": [
            invocation_row("p1", at(30), function="replay"),
            invocation_row("r1", at(31)),
        ],
        "queue_state": [queue_row()],
        "mappings": [mapping_row()],
        "messages": [],
        "metric_points": [point("Invocations", 1.0)],
        **changes,
    }
    coverage = tables.pop("coverage", None)
    present = {name: rows for name, rows in tables.items() if rows is not None}
    return evidence_of(folder, coverage=coverage, **present)


def the(finding: Finding) -> tuple[Outcome, tuple[str, ...]]:
    return finding.outcome, finding.keys


def found(*keys: str) -> tuple[Outcome, tuple[str, ...]]:
    return Outcome.FOUND, tuple(sorted(keys))


def unknown(finding: Finding, reason: str) -> bool:
    return finding.outcome is Outcome.NOT_EVALUATED and reason in str(finding.reason)


PASSED = (Outcome.PASSED, ())
CODES = [check.code for check in book.of(Step.PROCESSOR)]


@pytest.mark.parametrize("code", CODES)
def test_a_sound_processor_passes_every_check(tmp_path: Path, code: str) -> None:
    assert the(finding_of(code, a_case(tmp_path))) == PASSED


@pytest.mark.parametrize("code", CODES)
def test_a_check_without_its_evidence_is_not_evaluated(tmp_path: Path, code: str) -> None:
    assert unknown(finding_of(code, evidence_of(tmp_path)), "not in this test")


@pytest.mark.parametrize("code", CODES)
def test_every_check_is_an_expression_of_spark_too(tmp_path: Path, code: str) -> None:
    case = a_case(
        tmp_path, log_lines=[REPLAYED, STARTED, FAILED], queue_state=[queue_row(visible=1)],
        functions=[function_row("processor", dry_run=True, last_modified_utc=at(1))],
    )  # fmt: skip
    assert "SELECT" in spark_sql(offending_rows(book[code], case).rows.select("key"))


def test_failures_as_many_as_the_missing_events_are_theirs(tmp_path: Path) -> None:
    case = a_case(tmp_path, log_lines=[REPLAYED, STARTED, loaded(A), FAILED, FAILED])
    finding = finding_of("processor/swallowed-errors", case)
    assert the(finding) == found(B.id, C.id)
    assert finding.reason is None  # all that failed are named


def test_fewer_failures_are_those_of_objects_that_cannot_be_read(tmp_path: Path) -> None:
    case = a_case(
        tmp_path, log_lines=[REPLAYED, STARTED, FAILED],
        raw=[raw_row(A), unreadable_row(B), raw_row(C)],
    )  # fmt: skip
    assert the(finding_of("processor/swallowed-errors", case)) == found(B.id)


def test_a_message_that_named_a_dangling_key_failed(tmp_path: Path) -> None:
    moved = event_row(C, s3_key=C.s3_key.replace("2026-03-10", "2026-03-12"))
    case = a_case(
        tmp_path, log_lines=[REPLAYED, STARTED, FAILED],
        events=[event_row(A), event_row(B), moved],
    )  # fmt: skip
    assert the(finding_of("processor/swallowed-errors", case)) == found(C.id)


def test_failures_of_a_batch_that_failed_as_a_whole_were_not_swallowed(tmp_path: Path) -> None:
    runs = [invocation_row("r1", at(31), status="error")]
    case = a_case(tmp_path, log_lines=[REPLAYED, STARTED, FAILED], invocations=runs)
    assert the(finding_of("processor/swallowed-errors", case)) == PASSED


def test_a_waiting_event_has_not_failed(tmp_path: Path) -> None:
    lines = [REPLAYED, STARTED, loaded(A), FAILED]
    case = a_case(tmp_path, log_lines=lines, messages=[message_row(B)])
    assert the(finding_of("processor/swallowed-errors", case)) == found(C.id)


def test_failures_of_events_that_nobody_misses_are_no_pass(tmp_path: Path) -> None:
    lines = [REPLAYED, STARTED, FAILED, *(loaded(event) for event in (A, B, C))]
    finding = finding_of("processor/swallowed-errors", a_case(tmp_path, log_lines=lines))
    assert unknown(finding, "1 record failed in invocations that reported success")
    assert unknown(finding, "they may have been processed later")


def test_with_thin_logs_the_failures_are_counted_and_not_named(tmp_path: Path) -> None:
    functions = [function_row(role, log_format="Text") for role in ("replay", "processor")]
    case = a_case(tmp_path, log_lines=[FAILED, FAILED], functions=functions)
    finding = finding_of("processor/swallowed-errors", case)
    assert unknown(finding, "2 records failed in invocations that reported success")
    assert "D20" in str(finding.reason)


def test_with_thin_logs_and_no_failure_none_was_swallowed(tmp_path: Path) -> None:
    """Lines of level WARNING arrive whatever the log format."""
    functions = [function_row("processor", log_format="Text")]
    case = a_case(tmp_path, log_lines=[], functions=functions)
    assert the(finding_of("processor/swallowed-errors", case)) == PASSED


def test_failures_are_counted_and_not_named_while_the_queue_is_unknown(tmp_path: Path) -> None:
    case = a_case(
        tmp_path, log_lines=[REPLAYED, STARTED, FAILED], queue_state=[queue_row(visible=9)],
        messages=[message_row(A)], coverage={"messages": Coverage("partial", "1 of 9 messages")},
    )  # fmt: skip
    finding = finding_of("processor/swallowed-errors", case)
    assert unknown(finding, "1 record failed")
    assert unknown(finding, "1 of 9 messages")


def test_a_failure_of_an_invocation_that_was_not_captured_is_no_pass(tmp_path: Path) -> None:
    case = a_case(tmp_path, log_lines=[FAILED], invocations=[])
    finding = finding_of("processor/swallowed-errors", case)
    assert unknown(finding, "the invocations of 1 failed record were not captured")


def test_an_error_count_without_a_line_is_no_pass(tmp_path: Path) -> None:
    counted = point("ProcessorErrorCount", 2.0, namespace="PipelineInvestigationKit", origin="emf")
    finding = finding_of("processor/swallowed-errors", a_case(tmp_path, metric_points=[counted]))
    assert unknown(finding, "ProcessorErrorCount is 2")


OBSTACLES: dict[str, dict[str, Any]] = {
    "no mapping from the queue to the function": {"mappings": []},
    "the mapping is Disabled": {"mappings": [mapping_row(state="Disabled")]},
    "the mapping is Creating": {"mappings": [mapping_row(state="Creating")]},
    "the mapping is in an unknown state": {"mappings": [mapping_row(state=None)]},
    "reserved concurrency is 0": {"functions": [function_row("processor", reserved_concurrency=0)]},
}


@pytest.mark.parametrize(("why", "changes"), OBSTACLES.items(), ids=OBSTACLES)
def test_a_processor_that_does_not_read_is_named_with_the_reason(
    tmp_path: Path, why: str, changes: dict[str, Any]
) -> None:
    case = a_case(tmp_path, queue_state=[queue_row(visible=3)], **changes)
    assert the(finding_of("processor/not-consuming", case)) == found("processor")
    (row,) = case.engine.rows(offending_rows(book["processor/not-consuming"], case).rows)
    assert (row["why"], row["ready"]) == (why, 3)


def test_a_processor_need_not_read_an_empty_queue(tmp_path: Path) -> None:
    assert the(finding_of("processor/not-consuming", a_case(tmp_path, mappings=[]))) == PASSED


def test_a_processor_need_not_read_what_another_one_reads(tmp_path: Path) -> None:
    pair = [function_row("processor"), function_row("processor", name="old-processor")]
    case = a_case(tmp_path, queue_state=[queue_row(visible=3)], functions=pair)
    assert the(finding_of("processor/not-consuming", case)) == PASSED


def test_another_function_on_the_queue_does_not_make_the_processor_read(tmp_path: Path) -> None:
    case = a_case(
        tmp_path, queue_state=[queue_row(visible=3)], mappings=[mapping_row(function="thief")]
    )
    assert the(finding_of("processor/not-consuming", case)) == found("processor")
    assert the(finding_of("sqs/backlog", case)) == PASSED


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("processor/errors", "error"),
        ("processor/timeouts", "timeout"),
        ("processor/out-of-memory", "out-of-memory"),
    ],
)
def test_invocations_are_named_by_the_way_they_ended(
    tmp_path: Path, code: str, status: str
) -> None:
    statuses = ("ok", "error", "timeout", "out-of-memory")
    runs = [invocation_row(f"r-{name}", at(31), status=name) for name in statuses]
    runs.append(invocation_row("p1", at(30), function="replay", status=status))
    case = a_case(tmp_path, invocations=runs)
    assert the(finding_of(code, case)) == found(f"r-{status}")


ROLE_CODES = [code for code in CODES if code != "processor/swallowed-errors"]


@pytest.mark.parametrize("code", ROLE_CODES)
def test_without_a_processor_nothing_passes(tmp_path: Path, code: str) -> None:
    case = a_case(tmp_path, functions=[function_row("replay")])
    assert unknown(finding_of(code, case), "none has the role processor")


def test_a_throttled_processor_is_named(tmp_path: Path) -> None:
    points = [point("Invocations", 9.0), point("Throttles", 0.0), point("Throttles", 2.0)]
    case = a_case(tmp_path, metric_points=points)
    assert the(finding_of("processor/throttles", case)) == found("processor")


def test_throttles_of_another_function_or_origin_do_not_count(tmp_path: Path) -> None:
    points = [
        point("Invocations", 9.0),
        point("Throttles", 2.0, dimensions='{"FunctionName": "replay"}'),
        point("Throttles", 2.0, origin="emf"),
        point("Throttles", 2.0, namespace="Other"),
    ]
    assert the(finding_of("processor/throttles", a_case(tmp_path, metric_points=points))) == PASSED


@pytest.mark.parametrize("points", [[], [point("Throttles", 0.0)]])
def test_without_a_point_of_its_invocations_a_processor_was_not_measured(
    tmp_path: Path, points: list[dict[str, Any]]
) -> None:
    finding = finding_of("processor/throttles", a_case(tmp_path, metric_points=points))
    assert unknown(finding, "no Invocations metric of processor was captured")


def test_a_processor_throttled_to_nothing_is_named_although_it_never_ran(tmp_path: Path) -> None:
    case = a_case(tmp_path, metric_points=[point("Throttles", 2.0)])
    assert the(finding_of("processor/throttles", case)) == found("processor")


DRY = [function_row("processor", dry_run=True, last_modified_utc=at(20))]


def test_a_dry_processor_that_started_lost_its_messages(tmp_path: Path) -> None:
    finding = finding_of("processor/dry-run-loss", a_case(tmp_path, functions=DRY))
    assert the(finding) == found("processor")
    assert finding.reason is None  # its lines tell, so no deletion need be counted


def test_a_processor_that_ran_before_it_was_dry_lost_nothing(tmp_path: Path) -> None:
    functions = [function_row("processor", dry_run=True, last_modified_utc=at(40))]
    case = a_case(tmp_path, functions=functions)
    assert the(finding_of("processor/dry-run-loss", case)) == PASSED


@pytest.mark.parametrize(
    ("points", "outcome"),
    [
        ([deleted(3.0)], Outcome.FOUND),
        ([deleted(0.0)], Outcome.PASSED),
        ([deleted(3.0, at_utc=at(10)), deleted(0.0)], Outcome.PASSED),
        ([deleted(3.0, dimensions='{"QueueName": "other"}')], Outcome.NOT_EVALUATED),
        ([], Outcome.NOT_EVALUATED),
        (None, Outcome.NOT_EVALUATED),
    ],
)
def test_without_its_lines_the_queues_deletions_tell_what_a_dry_processor_did(
    tmp_path: Path, points: list[dict[str, Any]] | None, outcome: Outcome
) -> None:
    case = a_case(tmp_path, functions=DRY, log_lines=[], metric_points=points)
    assert finding_of("processor/dry-run-loss", case).outcome is outcome


def test_without_log_lines_deletions_tell_too(tmp_path: Path) -> None:
    case = a_case(tmp_path, functions=DRY, log_lines=None, metric_points=[deleted(3.0)])
    assert the(finding_of("processor/dry-run-loss", case)) == found("processor")


def test_a_processor_whose_dry_run_is_unknown_is_no_pass(tmp_path: Path) -> None:
    case = a_case(tmp_path, functions=[function_row("processor", dry_run=None)])
    finding = finding_of("processor/dry-run-loss", case)
    assert unknown(finding, "the DRY_RUN of 1 processor is unknown")


@pytest.mark.parametrize("code", ["errors", "timeouts", "out-of-memory"])
def test_a_run_without_an_end_is_no_pass(tmp_path: Path, code: str) -> None:
    calls = [invocation_row("r1", at(31), status=None, ended_utc=None)]
    finding = finding_of(f"processor/{code}", a_case(tmp_path, invocations=calls))
    assert unknown(finding, "the end of 1 processor invocation is not in the log")


def test_a_failure_in_a_run_without_an_end_may_have_been_swallowed(tmp_path: Path) -> None:
    calls = [invocation_row("r1", at(31), status=None, ended_utc=None)]
    case = a_case(tmp_path, log_lines=[REPLAYED, STARTED, FAILED], invocations=calls)
    assert finding_of("processor/swallowed-errors", case).outcome is Outcome.NOT_EVALUATED


@pytest.mark.parametrize(
    ("before", "since", "outcome"),
    [
        (100.0, 0.0, Outcome.NOT_EVALUATED),
        (0.0, 0.0, Outcome.PASSED),
        (100.0, 1.0, Outcome.FOUND),
    ],
)
def test_deletions_of_the_minute_of_the_change_are_of_either_side(
    tmp_path: Path, before: float, since: float, outcome: Outcome
) -> None:
    changed = at(31) + timedelta(seconds=20)
    dry = [function_row("processor", dry_run=True, log_format="Text", last_modified_utc=changed)]
    points = [deleted(before), deleted(since, at_utc=at(31) + timedelta(minutes=1))]
    calls = [invocation_row("r1", changed + timedelta(seconds=5))]
    case = a_case(tmp_path, functions=dry, metric_points=points, invocations=calls, log_lines=[])
    assert finding_of("processor/dry-run-loss", case).outcome is outcome
