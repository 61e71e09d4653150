"""Failures as the notebook of retries shows them: classes, new errors, lacking permissions."""

from __future__ import annotations

from datetime import timedelta

from investigate.numbers import denied_access, failure_classes, failure_fingerprints
from tests.builders import Event, at, evidence_of, function_row, invocation_row, log_line

DENIED = (
    "User: arn:aws:sts::123456789012:assumed-role/orders-role/orders is not authorized to "
    "perform: s3:GetObject on resource: arn:aws:s3:::orders/raw because no policy allows it"
)


def failed(name, moment, message, kind="ClientError"):
    return invocation_row(name, moment, status="error", error_type=kind, error_message=message)


def a_case(folder, *calls, lines=()):
    functions = [function_row("processor")]
    return evidence_of(folder, invocations=list(calls), log_lines=list(lines), functions=functions)


def test_failures_are_counted_by_class_in_either_half(tmp_path):
    calls = [
        failed("a", at(2), "Rate exceeded", "ThrottlingException"),
        failed("b", at(40), "Rate exceeded", "ThrottlingException"),
        failed("c", at(41), "Rate exceeded", "ThrottlingException"),
        invocation_row("d", at(3), status="timeout"),
        invocation_row("e", at(4)),
    ]
    rows = failure_classes(a_case(tmp_path, *calls))
    told = [(row["failure"], row["earlier"], row["later"], row["runs"]) for row in rows]
    assert told == [("throttle", 1, 2, 5), ("timeout", 1, 0, 5)]


def test_an_error_that_is_new_stands_before_one_that_was_always_there(tmp_path):
    old = [failed(f"o{n}", at(1 + n * 10), f"order {n} not found", "KeyError") for n in range(4)]
    new = [failed(f"n{n}", at(40), f"no column {n}", "ValueError") for n in range(2)]
    rows = failure_fingerprints(a_case(tmp_path, *old, *new))
    assert [(row["rank"], row["fingerprint"], row["more"]) for row in rows] == [
        (1, "ValueError: no column <n>", 2),
        (2, "KeyError: order <n> not found", -2),
    ]


def test_a_timeout_without_words_may_pass_when_it_is_tried_again(tmp_path):
    (row,) = failure_fingerprints(a_case(tmp_path, invocation_row("d", at(3), status="timeout")))
    assert (row["fingerprint"], row["lasting"]) == ("(no message)", "transient")


def test_denied_access_names_action_resource_and_role(tmp_path):
    line = log_line("processor_record_failed", at(5), "ok", err=DENIED, event_id=Event("a").id)
    calls = [failed("a", at(2), DENIED), invocation_row("ok", at(5) - timedelta(seconds=1))]
    (row,) = denied_access(a_case(tmp_path, *calls, lines=[line]))
    assert (row["action"], row["role"]) == ("s3:GetObject", "orders-role")
    assert row["resource"] == "arn:aws:s3:::orders/raw"
    assert row["failures"] == 2  # one failed invocation, one swallowed record


def test_what_names_no_permission_is_still_told(tmp_path):
    rows = denied_access(a_case(tmp_path, failed("a", at(2), "Access Denied", "AccessDenied")))
    assert [(row["action"], row["resource"], row["role"]) for row in rows] == [(None, None, None)]
