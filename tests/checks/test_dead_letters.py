"""What failed for good: what waits, what expires, what returns, what vanished, what to do."""

from __future__ import annotations

from datetime import timedelta

import pytest

from investigate.analysis.dead_letters import letter_decisions, urgent_first
from investigate.case import Coverage
from investigate.checks.registry import book, offending_rows
from investigate.model import Outcome, Step
from tests.builders import (
    CAPTURED,
    DEAD_LETTERS_ARN,
    Event,
    aggregate_row,
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

A, B = Event("a", at(1)), Event("b", at(2))
DLQ = queue_row(name="dead-letters", arn=DEAD_LETTERS_ARN, role="dead-letter")
CODES = [check.code for check in book.of(Step.DEAD_LETTERS)]
OF_LETTERS = [code for code in CODES if code != "dead-letters/silent-discard"]


def a_case(folder, letters=(), **changes):
    """A processor with a dead-letter queue, in which these letters lie; None: not captured."""
    tables = {
        "dead_letters": None if letters is None else list(letters),
        "events": [event_row(event) for event in (A, B)],
        "raw": [raw_row(event) for event in (A, B)],
        "aggregates": [],
        "queue_state": [queue_row(dead_letter_arn=DEAD_LETTERS_ARN, max_receive_count=5), DLQ],
        "functions": [function_row(role) for role in ("ingest", "replay", "processor")],
        "mappings": [mapping_row()],
        "deliveries": [],
        "invocations": [invocation_row("r1", at(31))],
        "log_lines": [],
        "metric_points": [],
        **changes,
    }
    options = {
        name: tables.pop(name) for name in ("coverage", "scope", "thresholds") if name in tables
    }
    present = {name: rows for name, rows in tables.items() if rows is not None}
    return evidence_of(folder, **options, **present)


def outcome(code, evidence):
    finding = finding_of(f"dead-letters/{code}", evidence)
    return finding.outcome, list(finding.keys)


PASSED = (Outcome.PASSED, [])


def found(*keys):
    return Outcome.FOUND, sorted(keys)


@pytest.mark.parametrize("code", CODES)
def test_an_empty_dead_letter_queue_passes_every_check(tmp_path, code):
    assert finding_of(code, a_case(tmp_path)).outcome is Outcome.PASSED


@pytest.mark.parametrize("code", CODES)
def test_without_evidence_nothing_is_said(tmp_path, code):
    finding = finding_of(code, evidence_of(tmp_path))
    assert finding.outcome is Outcome.NOT_EVALUATED
    assert "not in this test" in finding.reason


@pytest.mark.parametrize("code", CODES)
def test_every_check_is_an_expression_of_spark_too(tmp_path, code):
    evidence = a_case(tmp_path, [letter_row(A), letter_row(A, "d2")])
    assert "SELECT" in spark_sql(offending_rows(book[code], evidence).rows.select("key"))


def test_a_pipeline_without_any_place_for_failures_has_no_dead_letter(tmp_path):
    nowhere = {"queue_state": [queue_row()]}
    for code in OF_LETTERS:
        assert finding_of(code, a_case(tmp_path, None, **nowhere)).outcome is Outcome.PASSED


QUALIFIED = '{"prod": {"on_failure_arn": "arn:aws:sns:eu-west-1:123456789012:t"}}'


@pytest.mark.parametrize(
    "changes",
    [
        {"functions": [function_row("processor", dlq_arn="arn:aws:sns:eu-west-1:123456789012:t")]},
        {"functions": [function_row("processor", on_failure_arn="arn:aws:s3:::failures")]},
        {"mappings": [mapping_row(on_failure_arn="arn:aws:s3:::failures")]},
        {"queue_state": [queue_row(dead_letter_arn=DEAD_LETTERS_ARN)]},
        {"functions": [function_row("processor", qualified_invoke_configs=QUALIFIED)]},
        {"deliveries": [{"arn": "r#1", "kind": "eventbridge", "dead_letter_arn": "arn:aws:sqs:q"}]},
        {"functions": None},
        {"mappings": None},
        {"queue_state": None},
        {"deliveries": None},
    ],
)
def test_letters_that_may_lie_somewhere_unseen_are_no_pass(tmp_path, changes):
    evidence = a_case(tmp_path, None, **{"queue_state": [queue_row()]} | changes)
    for code in OF_LETTERS:
        finding = finding_of(code, evidence)
        assert finding.outcome is Outcome.NOT_EVALUATED
        assert "dead_letters: skipped" in finding.reason


def test_letters_that_were_not_received_are_counted(tmp_path):
    waiting = {"queue_state": [queue_row(), {**DLQ, "visible": 3}]}
    finding = finding_of("dead-letters/waiting", a_case(tmp_path, None, **waiting))
    assert "3 dead letters wait that were not received" in finding.reason


def test_every_letter_waits(tmp_path):
    letters = [letter_row(A), letter_row(None, "d2")]
    assert outcome("waiting", a_case(tmp_path, letters)) == found("d1", "d2")


def test_a_sample_of_no_letters_is_no_pass(tmp_path):
    part = {"dead_letters": Coverage("partial", "0 of 4 received")}
    finding = finding_of("dead-letters/waiting", a_case(tmp_path, coverage=part))
    assert finding.outcome is Outcome.NOT_EVALUATED
    assert "0 of 4 received" in finding.reason


@pytest.mark.parametrize(("seconds", "expires"), [(86_399, True), (86_400, False), (-5, True)])
def test_a_letter_expires_within_the_threshold(tmp_path, seconds, expires):
    letter = letter_row(A, expires_utc=CAPTURED + timedelta(seconds=seconds))
    assert outcome("expiring", a_case(tmp_path, [letter])) == (found("d1") if expires else PASSED)


def test_a_letter_without_a_known_end_is_no_pass(tmp_path):
    finding = finding_of(
        "dead-letters/expiring", a_case(tmp_path, [letter_row(A, expires_utc=None)])
    )
    assert finding.outcome is Outcome.NOT_EVALUATED
    assert "until when 1 dead letter can be saved is unknown" in finding.reason


def test_the_same_body_in_two_letters_has_come_back(tmp_path):
    letters = [
        letter_row(A, "d1"),
        letter_row(A, "d2"),
        letter_row(B, "d3"),
        letter_row(None, "d4"),
    ]
    assert outcome("looping", a_case(tmp_path, letters)) == found("d1", "d2")


def pointer(message_id, sequence, **changes):
    return letter_row(
        None, message_id, channel="stream-destination", shard_id="s-1", start_sequence=sequence,
        end_sequence=sequence, source_arn="arn:aws:kinesis:eu-west-1:123456789012:stream/x",
        target_arn="arn:aws:lambda:eu-west-1:123456789012:function:processor", **changes,
    )  # fmt: skip


def test_pointers_are_the_same_if_they_point_at_the_same_records(tmp_path):
    letters = [pointer("d1", "1"), pointer("d2", "1"), pointer("d3", "2")]
    assert outcome("looping", a_case(tmp_path, letters)) == found("d1", "d2")


def test_two_functions_that_fail_on_one_record_of_a_stream_are_no_loop(tmp_path):
    other = "arn:aws:lambda:eu-west-1:123456789012:function:other"
    letters = [pointer("d1", "1"), {**pointer("d2", "1"), "target_arn": other}]
    assert outcome("looping", a_case(tmp_path, letters)) == PASSED


THROTTLED = {"error_message": "ThrottlingException"}
IN_BUCKET = {"queue_arn": "arn:aws:s3:::failures", "expires_utc": None, "first_failed_utc": at(24)}


def test_an_object_that_two_folders_list_is_one_letter(tmp_path):
    letters = [pointer("aws/lambda/1", "1", **IN_BUCKET)] * 2
    assert outcome("looping", a_case(tmp_path, letters)) == PASSED


STREAM = "arn:aws:kinesis:eu-west-1:123456789012:stream/x"


@pytest.mark.parametrize(
    ("changes", "hours"),
    [
        ({"expires_utc": None}, 24.5),  # as long as the stream keeps what arrived first
        ({"expires_utc": at(100)}, 24.5),
        ({"expires_utc": at(20)}, -28),
        ({"expires_utc": None, "source_arn": STREAM + "y"}, None),
        ({"expires_utc": None, "queue_arn": "arn:aws:s3:::failures"}, None),
    ],
)
def test_a_pointer_lasts_no_longer_than_its_stream_keeps_the_records(tmp_path, changes, hours):
    letter = {**pointer("d1", "1", first_failed_utc=at(48.5)), **changes}
    maps = [mapping_row(), mapping_row(uuid="2", source_arn=STREAM, source_retention_s=86_400)]
    evidence = a_case(tmp_path, [letter], mappings=maps)
    (row,) = evidence.engine.rows(letter_decisions(evidence))
    assert row["left_s"] == (None if hours is None else hours * 3600)


def test_an_object_holds_the_records_which_nobody_has_to_fetch(tmp_path):
    letter = pointer("d1", "1", **IN_BUCKET, **THROTTLED)
    evidence = a_case(tmp_path, [letter])
    (row,) = evidence.engine.rows(letter_decisions(evidence))
    assert (row["pointer"], row["decision"]) == (False, "repair")
    assert "the object holds the records" in row["reason"]


def test_destination_records_are_the_same_if_they_are_about_one_event(tmp_path):
    letters = [
        letter_row(A, name, channel="lambda-destination", body_sha=name) for name in ("d1", "d2")
    ]
    letters.append(letter_row(None, "d3", channel="lambda-destination"))
    assert outcome("looping", a_case(tmp_path, letters)) == found("d1", "d2")


def attempts(request, *statuses, function="processor"):
    return [
        invocation_row(request, at(30 + n / 60), function=function, status=status)
        for n, status in enumerate(statuses)
    ]


@pytest.mark.parametrize(
    ("statuses", "given_up"),
    [
        (("error", "error", "timeout"), True),
        (("error", "error"), False),
        (("error", "error", "ok"), False),
        (("error",), False),
    ],
)
def test_a_request_whose_every_attempt_failed_was_discarded(tmp_path, statuses, given_up):
    evidence = a_case(tmp_path, invocations=attempts("r1", *statuses))
    assert outcome("silent-discard", evidence) == (found("processor") if given_up else PASSED)


@pytest.mark.parametrize(
    ("changes", "given_up"),
    [
        ({"max_retry_attempts": 1}, True),
        ({"dlq_arn": DEAD_LETTERS_ARN}, False),
        ({"on_failure_arn": DEAD_LETTERS_ARN}, False),
    ],
)
def test_the_settings_of_the_function_say_what_was_kept(tmp_path, changes, given_up):
    evidence = a_case(
        tmp_path, functions=[function_row("processor", **changes)],
        invocations=attempts("r1", "error", "error", *(() if given_up else ("error",))),
    )  # fmt: skip
    assert outcome("silent-discard", evidence) == (found("processor") if given_up else PASSED)


def test_which_version_or_alias_failed_is_unknown_and_so_is_what_was_kept(tmp_path):
    functions = [function_row("processor", qualified_invoke_configs='{"live": {}}')]
    failed = attempts("r1", "error", "error", "error")
    evidence = a_case(tmp_path, functions=functions, invocations=failed)
    finding = finding_of("dead-letters/silent-discard", evidence)
    assert finding.outcome is Outcome.NOT_EVALUATED
    assert "which version or alias was called" in finding.reason
    went_well = a_case(tmp_path, functions=functions, invocations=attempts("r1", "error", "ok"))
    assert outcome("silent-discard", went_well) == PASSED


BY_S3 = '[{"principal": "s3.amazonaws.com", "source_arn": "arn:aws:s3:::b"}]'
BY_API = '[{"principal": "apigateway.amazonaws.com", "source_arn": null}]'


@pytest.mark.parametrize(
    ("changes", "more", "wanted"),
    [
        ({"invokers": BY_S3}, {}, Outcome.FOUND),
        ({"invokers": BY_S3, "on_failure_arn": DEAD_LETTERS_ARN}, {}, Outcome.PASSED),
        ({"invokers": BY_S3, "max_retry_attempts": 1}, {}, Outcome.PASSED),
        ({"invokers": BY_API}, {}, Outcome.PASSED),
        ({"invokers": BY_S3[:-1] + ", " + BY_API[1:]}, {}, Outcome.NOT_EVALUATED),
        ({"invokers": None}, {}, Outcome.NOT_EVALUATED),
        ({"invokers": BY_S3}, {"mappings": None}, Outcome.NOT_EVALUATED),
        ({"invokers": BY_S3}, {"mappings": [mapping_row(function="ingest")]},
         Outcome.NOT_EVALUATED),
    ],
)  # fmt: skip
def test_without_retries_a_single_failed_attempt_was_discarded(tmp_path, changes, more, wanted):
    functions = [function_row("ingest", **{"max_retry_attempts": 0} | changes)]
    evidence = a_case(
        tmp_path,
        functions=functions,
        invocations=attempts("r1", "error", function="ingest"),
        **more,
    )
    assert finding_of("dead-letters/silent-discard", evidence).outcome is wanted


@pytest.mark.parametrize(
    "metric", ["AsyncEventsDropped", "DeadLetterErrors", "DestinationDeliveryFailures"]
)
def test_metrics_tell_of_discards_too(tmp_path, metric):
    point = {
        "namespace": "AWS/Lambda", "metric": metric, "dimensions": '{"FunctionName": "ingest"}',
        "at_utc": at(1), "value": 2.0, "origin": "cloudwatch",
    }  # fmt: skip
    evidence = a_case(tmp_path, metric_points=[point, {**point, "metric": "Errors"}])
    assert outcome("silent-discard", evidence) == found("ingest")
    (row,) = evidence.engine.rows(
        offending_rows(book["dead-letters/silent-discard"], evidence).rows
    )
    assert (row["lost"], metric in row["why"]) == (2, True)


def test_without_metrics_no_discard_is_no_pass(tmp_path):
    finding = finding_of("dead-letters/silent-discard", a_case(tmp_path, metric_points=None))
    assert finding.outcome is Outcome.NOT_EVALUATED


# what to do with each


def decision(evidence):
    (row,) = evidence.engine.rows(letter_decisions(evidence))
    return row["decision"], row["reason"]


SINCE = {"functions": [function_row("processor", last_modified_utc=at(40))]}
BEFORE = {"functions": [function_row("processor", last_modified_utc=at(20))]}
DENIED = {"error_message": "x is not authorized to perform: s3:GetObject"}
ODD = {"error_message": "odd"}
MALFORMED = {"error_message": "JSONDecodeError: Expecting value"}


@pytest.mark.parametrize(
    ("letter", "changes", "wanted", "reason"),
    [
        (THROTTLED, BEFORE, "retry", "it may pass now"),
        (DENIED, BEFORE, "escalate", "nothing was deployed since"),
        (DENIED, SINCE, "retry", "the function was deployed since"),
        (DENIED, {"functions": None}, "escalate", "whether anything was deployed since is unknown"),
        (MALFORMED, SINCE, "repair", "the same input fails again"),
        ({"error_message": "NoSuchKey"}, SINCE, "repair", "what it refers to is not there"),
        (ODD, BEFORE, "escalate", "nothing tells whether it lasts"),
        (ODD, SINCE, "retry", "the function was deployed since"),
        ({**THROTTLED, "expires_utc": CAPTURED}, BEFORE, "escalate", "it has expired"),
    ],
)
def test_the_error_and_the_deployments_decide(tmp_path, letter, changes, wanted, reason):
    evidence = a_case(tmp_path, [letter_row(A, **letter)], **changes)
    told, why = decision(evidence)
    assert told == wanted
    assert reason in why


def test_what_is_counted_already_is_archived(tmp_path):
    evidence = a_case(tmp_path, [letter_row(A, **THROTTLED)], aggregates=[aggregate_row([A])])
    assert decision(evidence) == (
        "archive",
        "a version counts its event: again would be a duplicate",
    )


def test_a_pointer_needs_its_records_first(tmp_path):
    assert decision(a_case(tmp_path, [pointer("d1", "1", **THROTTLED)]))[0] == "repair"


def test_what_came_back_without_a_deployment_is_escalated(tmp_path):
    letters = [letter_row(A, name, **THROTTLED) for name in ("d1", "d2")]
    rows = (evidence := a_case(tmp_path, letters, **BEFORE)).engine.rows(letter_decisions(evidence))
    assert {row["decision"] for row in rows} == {"escalate"}
    assert "dead-lettered 2 times, and nothing was deployed since" in rows[0]["reason"]
    rows = (evidence := a_case(tmp_path, letters, **SINCE)).engine.rows(letter_decisions(evidence))
    assert {row["decision"] for row in rows} == {"retry"}


def test_the_logs_name_the_error_that_a_moved_message_does_not(tmp_path):
    loads = [
        log_line("processor_record_loaded", at(28), "r1", event_id=A.id, entity_id="e1"),
        log_line("processor_record_loaded", at(29), "r2", event_id=A.id, entity_id="e1"),
    ]
    calls = [
        invocation_row("r1", at(28), status="error", error_type="KeyError", error_message="'x'"),
        invocation_row("r2", at(29), status="timeout"),
        invocation_row("r3", at(30), status="error", error_message="of another event"),
    ]
    evidence = a_case(tmp_path, [letter_row(A)], log_lines=loads[:1], invocations=calls)
    (row,) = evidence.engine.rows(letter_decisions(evidence))
    assert (row["error"], row["kind"], row["function"]) == (
        "KeyError: 'x'",
        "malformed",
        "processor",
    )


def test_a_request_id_leads_to_the_logged_error(tmp_path):
    letter = letter_row(
        None, channel="lambda-dlq", request_id="r1", error_code="200", error_message=None,
        target_arn="arn:aws:lambda:eu-west-1:123456789012:function:ingest",
    )  # fmt: skip
    calls = [invocation_row("r1", at(28), status="error", error_message="ThrottlingException")]
    evidence = a_case(tmp_path, [letter], invocations=calls)
    (row,) = evidence.engine.rows(letter_decisions(evidence))
    assert (row["kind"], row["function"]) == ("throttle", "ingest")


def test_the_consumers_are_those_that_read_the_queue(tmp_path):
    maps = [mapping_row(), mapping_row(uuid="2"), mapping_row(uuid="3", state="Disabled")]
    evidence = a_case(tmp_path, [letter_row(A)], mappings=maps)
    assert [row["consumers"] for row in evidence.engine.rows(letter_decisions(evidence))] == [2]


def test_the_most_urgent_comes_first(tmp_path):
    letters = [
        letter_row(A, "d1", expires_utc=at(90)),
        letter_row(B, "d2", expires_utc=None),
        letter_row(None, "d3", expires_utc=at(80)),
    ]
    evidence = a_case(tmp_path, letters)
    rows = evidence.engine.rows(urgent_first(letter_decisions(evidence)))
    assert [row["message_id"] for row in rows] == ["d3", "d1", "d2"]


def test_of_a_request_s_errors_the_newest_counts_and_not_the_last_of_the_alphabet(tmp_path):
    letter = letter_row(
        None, channel="lambda-dlq", request_id="r1", error_code="200", error_message=None,
        target_arn="arn:aws:lambda:eu-west-1:123456789012:function:ingest",
    )  # fmt: skip
    calls = [
        invocation_row("r1", at(28), status="error", error_message="ThrottlingException"),
        invocation_row("r1", at(29), status="error", error_message="NoSuchKey"),
        invocation_row("r1", at(30), status="timeout"),  # which says nothing
    ]
    evidence = a_case(tmp_path, [letter], invocations=calls)
    (row,) = evidence.engine.rows(letter_decisions(evidence))
    assert row["error"] == "NoSuchKey"


@pytest.mark.parametrize(
    ("statuses", "changes", "wanted"),
    [
        (("error", "error", None), {}, Outcome.NOT_EVALUATED),
        (("error", None), {}, Outcome.PASSED),
        (("error", "ok", None), {}, Outcome.PASSED),
        (("error", "error", None), {"on_failure_arn": DEAD_LETTERS_ARN}, Outcome.PASSED),
    ],
)
def test_an_attempt_without_a_known_end_leaves_open_what_was_discarded(
    tmp_path, statuses, changes, wanted
):
    functions = [function_row("processor", **changes)]
    evidence = a_case(tmp_path, functions=functions, invocations=attempts("r1", *statuses))
    finding = finding_of("dead-letters/silent-discard", evidence)
    assert finding.outcome is wanted
    if wanted is Outcome.NOT_EVALUATED:
        assert finding.reason.endswith(
            "processor: 1 request failed, and how one of the attempts ended is unknown"
        )


def test_principals_with_a_region_do_not_wait_either(tmp_path):
    by_logs = '[{"principal": "logs.eu-west-1.amazonaws.com", "source_arn": null}]'
    functions = [function_row("ingest", max_retry_attempts=0, invokers=by_logs)]
    calls = attempts("r1", "error", function="ingest")
    evidence = a_case(tmp_path, functions=functions, invocations=calls)
    assert outcome("silent-discard", evidence) == found("ingest")
