"""How functions failed: the class of each failure, and what was swallowed."""

from __future__ import annotations

import pytest

from investigate.analysis.failures import failures, groups
from investigate.errors import NotEvaluable
from tests.builders import at, evidence_of, invocation_row, log_line

FAILED = "processor_record_failed"


def classes(evidence):
    rows = evidence.engine.rows(failures(evidence).order_by("at_utc", "request_id", "error"))
    return [(row["request_id"], row["failure"]) for row in rows]


@pytest.mark.parametrize(
    ("changes", "failure"),
    [
        ({"status": "timeout"}, "timeout"),
        ({"status": "out-of-memory", "error_type": "Runtime.ExitError"}, "out-of-memory"),
        ({"error_type": "Runtime.ImportModuleError"}, "import-or-handler"),
        ({"error_type": "Runtime.MarshalError"}, "marshal"),
        ({"error_message": "x is not authorized to perform: s3:GetObject"}, "access-denied"),
        ({"error_type": "ClientError", "error_message": "ThrottlingException"}, "throttle"),
        ({"error_message": "An error occurred (InternalServerError)"}, "service"),
        ({"error_type": "KeyError", "error_message": "'x'"}, "unhandled"),
        ({}, "unhandled"),
    ],
)
def test_every_failed_attempt_has_a_class(tmp_path, changes, failure):
    calls = [
        invocation_row("r1", at(1)),
        invocation_row("r2", at(2), **{"status": "error"} | changes),
    ]
    assert classes(evidence_of(tmp_path, invocations=calls)) == [("r2", failure)]


def test_an_attempt_whose_end_is_not_known_has_not_failed(tmp_path):
    calls = [invocation_row("r1", at(1), status=None)]
    assert classes(evidence_of(tmp_path, invocations=calls)) == []


def test_a_record_that_failed_in_a_run_that_did_not_was_swallowed(tmp_path):
    evidence = evidence_of(
        tmp_path,
        invocations=[invocation_row("r1", at(1)), invocation_row("r2", at(2), status="error")],
        log_lines=[log_line(FAILED, at(1), "r1", err="x"), log_line(FAILED, at(2), "r2", err="y")],
    )
    assert classes(evidence) == [("r1", "swallowed"), ("r2", "unhandled")]


@pytest.mark.parametrize("calls", [[], [invocation_row("r2", at(2))]])
def test_a_record_whose_run_left_no_line_of_its_own_was_swallowed_too(tmp_path, calls):
    lines = [log_line(FAILED, at(1), "r1", err="x")]
    assert classes(evidence_of(tmp_path, invocations=calls, log_lines=lines)) == [
        ("r1", "swallowed")
    ]


def test_an_error_with_quotes_keeps_its_words(tmp_path):
    line = log_line(FAILED, at(1), "r1", err='not authorized to perform: s3:GetObject on "arn:x"')
    rows = evidence_of(tmp_path, log_lines=[line])
    (row,) = rows.engine.rows(failures(rows))
    assert row["error"] == 'not authorized to perform: s3:GetObject on "arn:x"'


def test_without_invocations_the_lines_tell_alone(tmp_path):
    evidence = evidence_of(tmp_path, log_lines=[log_line(FAILED, at(1), "r1", err="x")])
    assert classes(evidence) == [("r1", "swallowed")]
    assert [row["runs"] for row in evidence.engine.rows(groups(evidence))] == [None]


def test_without_either_nothing_is_said(tmp_path):
    with pytest.raises(NotEvaluable):
        failures(evidence_of(tmp_path))


def test_groups_count_the_same_error_once_per_function_and_half_of_the_window(tmp_path):
    def broken(name, hour, message, **more):
        changes = {"status": "error", "error_message": message, **more}
        return invocation_row(name, at(hour), **changes)

    calls = [
        broken("r1", 1, "no entity 17"),
        broken("r2", 24, "no entity 4"),  # the middle between the window's start and the capture
        broken("r3", 23.9, "no entity 5"),
        broken("r4", 25, "no entity 5", function="replay"),
        broken("r5", 26, "other"),
        invocation_row("r6", at(27)),
    ]
    evidence = evidence_of(tmp_path, invocations=calls)
    rows = evidence.engine.rows(groups(evidence).order_by("function", "fingerprint"))
    told = [
        (row["function"], row["fingerprint"], row["failures"], row["earlier"], row["later"])
        for row in rows
    ]
    assert told == [
        ("processor", "no entity <n>", 3, 2, 1),
        ("processor", "other", 1, 0, 1),
        ("replay", "no entity <n>", 1, 0, 1),
    ]
    assert [row["runs"] for row in rows] == [5, 5, 1]
    assert rows[0]["example"] == "r1"
