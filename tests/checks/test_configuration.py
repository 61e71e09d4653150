"""The settings: what each rule objects to, what it lets pass, and when it cannot tell."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from investigate import numbers
from investigate.case import Coverage
from investigate.checks import book, offending_rows
from investigate.evidence import Evidence
from investigate.model import Outcome, Step
from tests.builders import (
    CAPTURED,
    DEAD_LETTERS_ARN,
    QUEUE_ARN,
    alarm_row,
    at,
    evidence_of,
    finding_of,
    function_row,
    invocation_row,
    log_line,
    mapping_row,
    queue_row,
)
from tests.spark import spark_sql

STREAM = "arn:aws:kinesis:eu-west-1:123456789012:stream/orders"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:alerts"


def invoker(*services: str) -> str:
    return json.dumps(
        [{"principal": f"{one}.amazonaws.com", "source_arn": None} for one in services]
    )


def by_alias(service: str) -> str:
    """Who may invoke an alias, and nothing else."""
    (one,) = json.loads(invoker(service))
    return json.dumps([{**one, "qualifier": "live"}])


KEPT = json.dumps({"live": {"on_failure_arn": "arn:aws:sqs:eu-west-1:1:failed"}})


def known(role: str = "processor", **changes: Any) -> dict[str, Any]:
    """A function of which every setting was captured, and each is as advised."""
    settled = {
        "runtime": "python3.11", "log_group_exists": True, "log_retention_days": 30,
        "invokers": "[]",
    }  # fmt: skip
    return function_row(role, **{**settled, **changes})


def dead_queue(**changes: Any) -> dict[str, Any]:
    row = {"name": "dead-letters", "arn": DEAD_LETTERS_ARN, "role": "dead-letter"}
    return queue_row(**{**row, "retention_s": 1_209_600, **changes})


def guarded(**changes: Any) -> dict[str, Any]:
    row = {"dead_letter_arn": DEAD_LETTERS_ARN, "max_receive_count": 5}
    return queue_row(**{**row, **changes})


def stream(**changes: Any) -> dict[str, Any]:
    row = {"source_arn": STREAM, "batch_size": 100, "bisect": True, "max_retry_attempts": 3}
    return mapping_row(**{**row, "on_failure_arn": QUEUE_ARN, **changes})


def delivery(**changes: Any) -> dict[str, Any]:
    row = {
        "arn": "rule#1", "kind": "eventbridge", "source_arn": "rule", "target_arn": "function",
        "dead_letter_arn": DEAD_LETTERS_ARN,
    }  # fmt: skip
    return {**row, **changes}


def point(metric: str, value: float, when: datetime, **changes: Any) -> dict[str, Any]:
    row = {
        "namespace": "AWS/Lambda", "metric": metric, "at_utc": when, "value": value,
        "dimensions": '{"FunctionName": "processor"}', "origin": "cloudwatch",
    }  # fmt: skip
    return {**row, **changes}


def keys(code: str, evidence: Evidence) -> list[str]:
    finding = finding_of(code, evidence)
    assert finding.outcome in (Outcome.FOUND, Outcome.PASSED), finding.reason
    return list(finding.keys)


QUEUE, UUID = ["replay-queue"], [mapping_row()["uuid"]]
# Code, the tables, and the keys found in them.
CASES: list[tuple[str, dict[str, Any], list[str]]] = [
    ("no-dead-letter-queue", {"queue_state": [queue_row(), dead_queue()]}, QUEUE),
    ("no-dead-letter-queue", {"queue_state": [guarded()]}, []),
    ("dead-letter-retention", {"queue_state": [guarded(), dead_queue()]}, []),
    (
        "dead-letter-retention",
        {"queue_state": [guarded(), dead_queue(retention_s=345_600)]},
        ["dead-letters"],
    ),
    (
        "dead-letter-retention",  # of FIFO queues the clock starts anew
        {"queue_state": [guarded(name="q.fifo"), dead_queue(retention_s=345_600)]},
        [],
    ),
    ("max-receive-count", {"queue_state": [guarded(max_receive_count=4)]}, QUEUE),
    ("max-receive-count", {"queue_state": [guarded()]}, []),
    ("max-receive-count", {"queue_state": [queue_row(max_receive_count=None)]}, []),  # nor gives up
    (
        "visibility-timeout",
        {
            "queue_state": [queue_row(visibility_timeout_s=364)],
            "mappings": [mapping_row(window_s=5)], "functions": [known()],
        },
        QUEUE,
    ),
    (
        "visibility-timeout",
        {
            "queue_state": [queue_row(visibility_timeout_s=365)],
            "mappings": [mapping_row(window_s=5)], "functions": [known()],
        },
        [],
    ),
    ("partial-batch-response", {"mappings": [mapping_row()]}, UUID),
    ("partial-batch-response", {"mappings": [mapping_row(batch_size=1)]}, []),
    ("partial-batch-response", {"mappings": [mapping_row(partial_batch_response=True)]}, []),
    (
        "mapping-disabled",
        {"mappings": [mapping_row(state="Disabled")], "functions": [known(), known("ingest")]},
        ["processor"],
    ),
    ("mapping-disabled", {"mappings": [], "functions": [known()]}, ["processor"]),
    (
        "mapping-disabled",
        {"mappings": [mapping_row(function=known()["arn"])], "functions": [known()]},
        [],
    ),
    (
        "concurrency",
        {"mappings": [mapping_row()], "functions": [known(reserved_concurrency=4)]},
        ["processor"],
    ),
    (
        "concurrency",
        {
            "mappings": [mapping_row(max_concurrency=2)],
            "functions": [known(reserved_concurrency=2)],
        },
        [],
    ),
    (
        "endless-retries",
        {"mappings": [stream(max_retry_attempts=-1, max_record_age_s=-1), mapping_row(uuid="q")]},
        UUID,
    ),
    ("endless-retries", {"mappings": [stream(max_retry_attempts=None)]}, UUID),
    ("endless-retries", {"mappings": [stream(max_retry_attempts=-1, max_record_age_s=60)]}, []),
    ("endless-retries", {"mappings": [stream(source_arn=None, max_retry_attempts=None)]}, []),
    ("no-bisect", {"mappings": [stream(bisect=None)]}, UUID),
    ("no-bisect", {"mappings": [stream(), mapping_row(uuid="q")]}, []),
    ("no-stream-destination", {"mappings": [stream(on_failure_arn=None)]}, UUID),
    ("no-stream-destination", {"mappings": [stream(), mapping_row(uuid="q")]}, []),
    ("no-async-destination", {"functions": [known(invokers=invoker("sns"))]}, ["processor"]),
    (
        "no-async-destination",
        {"functions": [known(invokers=invoker("apigateway")), known("ingest", invokers="[]")]},
        [],
    ),
    (
        "no-async-destination",  # who calls it does not matter where failures are kept
        {"functions": [known(invokers=None, on_failure_arn=QUEUE_ARN)]},
        [],
    ),
    ("no-async-destination", {"functions": [known(invokers=by_alias("sns"))]}, ["processor"]),
    (
        "no-async-destination",  # the alias that is called keeps its own failures
        {"functions": [known(invokers=by_alias("sns"), qualified_invoke_configs=KEPT)]},
        [],
    ),
    (
        "no-async-destination",  # and not those of who calls the function itself
        {"functions": [known(invokers=invoker("sns"), qualified_invoke_configs=KEPT)]},
        ["processor"],
    ),
    (
        "useless-dead-letters",  # an alias is called asynchronously
        {"functions": [known(invokers=by_alias("events"), dlq_arn=QUEUE_ARN)]},
        [],
    ),
    (
        "useless-dead-letters",
        {"functions": [known(invokers=invoker("apigateway"), dlq_arn=QUEUE_ARN)]},
        ["processor"],
    ),
    (
        "useless-dead-letters",
        {"functions": [known(invokers=invoker("apigateway", "events"), dlq_arn=QUEUE_ARN)]},
        [],
    ),
    (
        "unqualified-invoke-settings",
        {"functions": [known(qualified_invoke_configs='{"live": {}}')]},
        ["processor"],
    ),
    (
        "unqualified-invoke-settings",
        {"functions": [known(qualified_invoke_configs='{"live": {}}', on_failure_arn=QUEUE_ARN)]},
        [],
    ),
    (
        "api-timeout",
        {"functions": [known("ingest", invokers=invoker("apigateway")), known()]},
        ["ingest"],
    ),
    (
        "api-timeout",
        {"functions": [known("ingest", invokers=None, timeout_s=29), known(timeout_s=900)]},
        [],
    ),
    (
        "timeout-headroom",
        {"functions": [known()], "invocations": [invocation_row("a", at(1), duration_ms=54_000)]},
        ["processor"],
    ),
    (
        "timeout-headroom",  # what ran into the limit is found as such
        {
            "functions": [known()],
            "invocations": [
                invocation_row("a", at(1), duration_ms=53_999),
                invocation_row("b", at(1), duration_ms=60_000, status="timeout"),
            ],
        },
        [],
    ),
    (
        "memory-headroom",
        {"functions": [known()], "invocations": [invocation_row("a", at(1), max_memory_mb=461)]},
        ["processor"],
    ),
    (
        "memory-headroom",
        {"functions": [known()], "invocations": [invocation_row("a", at(1), max_memory_mb=460)]},
        [],
    ),
    ("tracing", {"functions": [known(tracing="PassThrough"), known("ingest")]}, ["processor"]),
    ("log-level", {"functions": [known(log_level="WARN"), known("ingest")]}, ["processor"]),
    ("log-level", {"functions": [known(log_level="info"), known("ingest", log_level="DEBUG")]}, []),
    ("log-retention", {"functions": [known(log_retention_days=13)]}, ["processor"]),
    (
        "log-retention",
        {"functions": [known(log_group_exists=False, log_retention_days=None)]},
        ["processor"],
    ),
    (
        "log-retention",  # 0: never deleted
        {"functions": [known(log_retention_days=0), known("ingest", log_retention_days=14)]},
        [],
    ),
    ("log-level", {"functions": [known(log_format="Text")]}, ["processor"]),
    (
        "mapping-disabled",  # what reads another queue does not read this one
        {
            "functions": [known()],
            "mappings": [mapping_row(state="Disabled"), mapping_row(uuid="b", source_arn="other")],
        },
        ["processor"],
    ),
    (
        "concurrency",  # as many batches as messages ask for
        {"mappings": [mapping_row()], "functions": [known(reserved_concurrency=100)]},
        ["processor"],
    ),
    (
        "concurrency",
        {
            "mappings": [
                mapping_row(max_concurrency=5),
                mapping_row(uuid="b", source_arn=QUEUE_ARN + "-2", max_concurrency=5),
            ],
            "functions": [known(reserved_concurrency=6)],
        },
        ["processor"],
    ),
    (
        "no-async-destination",
        {"functions": [known(invokers=invoker("logs.eu-west-1"))]},
        ["processor"],
    ),
    ("delivery-dead-letters", {"deliveries": [delivery(dead_letter_arn=None)]}, ["rule#1"]),
    ("delivery-dead-letters", {"deliveries": [delivery()]}, []),
    ("delivery-dead-letters", {"deliveries": []}, []),
    ("delivery-retries", {"deliveries": [delivery(max_retry_attempts=0)]}, ["rule#1"]),
    ("delivery-retries", {"deliveries": [delivery(max_event_age_s=3599)]}, ["rule#1"]),
    (
        "delivery-retries",
        {"deliveries": [delivery(max_event_age_s=3600), delivery(arn="s", kind="sns")]},
        [],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("code", "tables", "found"), CASES)
def test_a_setting_is_objected_to_exactly_where_it_is_not_as_advised(
    tmp_path: Path, code: str, tables: dict[str, Any], found: list[str]
) -> None:
    assert keys(f"configuration/{code}", evidence_of(tmp_path, **tables)) == found


def test_every_rule_about_a_setting_is_shown_to_object_and_to_pass() -> None:
    shown = {(code, bool(found)) for code, _, found in CASES}
    assert {code for code, object_ in shown if object_} >= {code for code, _ in shown}


@pytest.mark.parametrize(
    ("code", "tables", "setting"),
    [
        ("dead-letter-retention", {"queue_state": [guarded()]}, "MessageRetentionPeriod of 1 dead"),
        (
            "no-async-destination",
            {"functions": [function_row("ingest")]},
            "OnFailure of 1 function",
        ),
        ("log-level", {"functions": [function_row("ingest")]}, "LOG_LEVEL of 1 function"),
        (
            "unqualified-invoke-settings",
            {"functions": [function_row("ingest")]},
            "the settings of 1 function per version and alias",
        ),
        (
            "visibility-timeout",
            {"queue_state": [queue_row()], "mappings": [mapping_row()], "functions": []},
            "VisibilityTimeout of 1 queue",
        ),
        (
            "visibility-timeout",
            {"queue_state": [], "mappings": [mapping_row()], "functions": [known()]},
            "VisibilityTimeout of 1 queue",
        ),
        ("partial-batch-response", {"mappings": [mapping_row(batch_size=None)]}, "of 1 mapping"),
        ("no-bisect", {"mappings": [stream(batch_size=None, bisect=False)]}, "of 1 mapping"),
        (
            "timeout-headroom",
            {"functions": [known()], "invocations": [invocation_row("a", at(1), status="error")]},
            "no successful run of processor",
        ),
        (
            "memory-headroom",
            {"functions": [known()], "invocations": []},
            "no successful run of processor",
        ),
        ("log-retention", {"functions": [function_row("ingest")]}, "retentionInDays of 1 function"),
        ("api-timeout", {"functions": [function_row("ingest")]}, "Timeout of 1 function"),
    ],
)
def test_what_the_case_does_not_say_is_unknown_and_no_pass(
    tmp_path: Path, code: str, tables: dict[str, Any], setting: str
) -> None:
    finding = finding_of(f"configuration/{code}", evidence_of(tmp_path, **tables))
    assert finding.outcome is Outcome.NOT_EVALUATED
    assert setting in str(finding.reason)


def test_each_objection_says_setting_found_advised_source_and_loss(tmp_path: Path) -> None:
    evidence = evidence_of(
        tmp_path, queue_state=[queue_row()], mappings=[mapping_row()], functions=[known()]
    )
    rows = numbers.settings_advised(evidence)
    by_code = {row["code"]: row for row in rows}
    assert by_code["configuration/visibility-timeout"]["found"] == "60 s, timeout 60 s"
    assert by_code["configuration/visibility-timeout"]["advised"] == "360 s"
    assert by_code["configuration/no-dead-letter-queue"]["found"] == "none"
    assert rows[0]["severity"] == "dangerous"
    told = [row[name] for row in rows for name in ("setting", "advised", "source", "lost")]
    assert all(told)
    values = {
        (row["resource"], row["setting"]): row["value"] for row in numbers.settings_found(evidence)
    }
    assert values["replay-queue", "visibility_timeout_s"] == 60


# A handler that answers in the wrong shape

FAILED = log_line("processor_record_failed", at(31), err="NoSuchKey")
MOVED = {"namespace": "AWS/SQS", "dimensions": '{"QueueName": "replay-queue"}'}


@pytest.mark.parametrize(
    ("deleted", "outcome"),
    [(10.0, Outcome.FOUND), (9.0, Outcome.PASSED), (None, Outcome.NOT_EVALUATED)],
)
def test_failed_messages_that_are_all_deleted_were_not_reported(
    tmp_path: Path, deleted: float | None, outcome: Outcome
) -> None:
    flow = {"NumberOfMessagesReceived": 10.0, "NumberOfMessagesDeleted": deleted}
    points = [
        point(metric, value, at(31), **MOVED) for metric, value in flow.items() if value is not None
    ]
    evidence = evidence_of(
        tmp_path, mappings=[mapping_row(partial_batch_response=True)], log_lines=[FAILED],
        invocations=[invocation_row("r1", at(31))], metric_points=points if deleted else [],
    )  # fmt: skip
    assert finding_of("configuration/response-ignored", evidence).outcome is outcome


# Alarms


def watched(folder: Path, *alarms: dict[str, Any], points: Any = ()) -> Evidence:
    return evidence_of(
        folder, functions=[known()], queue_state=[guarded(), dead_queue()], alarms=list(alarms),
        metric_points=list(points),
    )  # fmt: skip


def test_every_metric_that_tells_of_failures_needs_an_alarm(tmp_path: Path) -> None:
    computed = alarm_row(
        "computed", metric=None, namespace=None, dimensions=None,
        metrics='[{"MetricStat": {"Metric": {"MetricName": "ProcessorErrorCount", "Dimensions": '
        '[{"Name": "Function", "Value": "processor"}]}}}]',
    )  # fmt: skip
    of_all = alarm_row("all", dimensions="{}")
    evidence = watched(tmp_path, computed, of_all)
    assert keys("configuration/no-alarm", evidence) == [
        "ApproximateAgeOfOldestMessage of replay-queue",
        "ApproximateNumberOfMessagesVisible of dead-letters",
    ]
    assert len(keys("configuration/no-alarm", watched(tmp_path))) == 4
    unlike = (
        {"dimensions": '{"FunctionName": "another"}'},
        {"comparison": "LessThanThreshold"},
    )
    for changes in unlike:
        evidence = watched(tmp_path, alarm_row(**changes))
        assert "Errors of processor" in keys("configuration/no-alarm", evidence)
    queue = {"namespace": "AWS/SQS", "metric": "ApproximateAgeOfOldestMessage"}
    evidence = watched(tmp_path, alarm_row(**queue, dimensions="{}"))  # there is no such metric
    assert len(keys("configuration/no-alarm", evidence)) == 4


def test_an_alarm_without_action_tells_nobody_unless_one_above_it_does(tmp_path: Path) -> None:
    mute, off = alarm_row("mute", actions=[]), alarm_row("off", actions_enabled=False)
    assert keys("configuration/alarm-unwired", watched(tmp_path, mute, off, alarm_row())) == [
        "mute", "off",
    ]  # fmt: skip
    above = {"name": "above", "rule": "ALARM(mute)", "actions": [TOPIC], "actions_enabled": True}
    assert keys("configuration/alarm-unwired", watched(tmp_path, mute, above)) == []
    between = {"name": "between", "rule": 'ALARM("mute")', "actions": []}
    top = {**above, "rule": "OK(x) OR ALARM(arn:aws:cloudwatch:eu-west-1:1:alarm:between)"}
    assert keys("configuration/alarm-unwired", watched(tmp_path, mute, between, top)) == []
    like = {**above, "rule": "ALARM(mute-2)"}
    assert keys("configuration/alarm-unwired", watched(tmp_path, mute, like)) == ["mute"]


@pytest.mark.parametrize(
    ("comparison", "threshold", "found"),
    [
        ("GreaterThanThreshold", 1e30, ["first"]),
        ("GreaterThanThreshold", float("inf"), ["first"]),
        ("GreaterThanThreshold", 1.0, ["first"]),
        ("GreaterThanThreshold", 0.0, []),
        ("GreaterThanOrEqualToThreshold", 2.0, ["first"]),
        ("GreaterThanOrEqualToThreshold", 1.0, []),
        ("LessThanThreshold", 0.0, ["first"]),
    ],
)
def test_the_first_dead_letter_must_set_an_alarm_off(
    tmp_path: Path, comparison: str, threshold: float, found: list[str]
) -> None:
    one = alarm_row(
        "first", namespace="AWS/SQS", metric="ApproximateNumberOfMessagesVisible",
        dimensions='{"QueueName": "dead-letters"}', comparison=comparison, threshold=threshold,
    )  # fmt: skip
    assert keys("configuration/alarm-misses-first", watched(tmp_path, one)) == found


ERRORS = [
    point("Errors", value, at(31) + timedelta(minutes=n)) for n, value in enumerate((1, 0, 1))
]


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        ({}, []),
        ({"threshold": 2.0}, ["alarm"]),
        ({"threshold": 2.0, "period_s": 300}, []),
        ({"evaluation_periods": 3, "datapoints_to_alarm": 2}, []),
        ({"evaluation_periods": 2, "datapoints_to_alarm": 2}, ["alarm"]),
        ({"threshold": 2.0, "period_s": 300, "statistic": "Maximum"}, ["alarm"]),
        ({"comparison": "GreaterThanThreshold"}, ["alarm"]),
        # After the last point all are missing.
        ({"threshold": 2.0, "treat_missing": "breaching"}, []),
    ],
)
def test_an_alarm_is_put_to_the_points_of_the_incident_by_its_own_rule(
    tmp_path: Path, rule: dict[str, Any], found: list[str]
) -> None:
    evidence = watched(tmp_path, alarm_row(**rule), points=ERRORS)
    assert keys("configuration/alarm-silent", evidence) == found


def test_missing_periods_breach_where_they_are_told_to(tmp_path: Path) -> None:
    far = [point("Errors", 1.0, at(31)), point("Errors", 0.0, at(31) + timedelta(minutes=5))]
    rule = {"threshold": 5.0, "evaluation_periods": 3, "datapoints_to_alarm": 3}
    silent = watched(tmp_path, alarm_row(**rule), points=far)
    assert keys("configuration/alarm-silent", silent) == ["alarm"]
    fires = watched(tmp_path, alarm_row(**rule, treat_missing="breaching"), points=far)
    assert keys("configuration/alarm-silent", fires) == []
    told = numbers.alarm_tests(fires)[0]
    assert (told["word"], told["began"]) == ("fired", "2026-03-11 07:00:00")
    assert told["fired"] == "2026-03-11 07:03:00"


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ({"statistic": "p99"}, "its statistic p99 cannot be reckoned"),
        ({"comparison": "GreaterThanUpperThreshold"}, "is no threshold"),
        ({"period_s": None}, "its period_s is unknown"),
        ({"threshold": None}, "its threshold is unknown"),
        ({"period_s": 10}, "its periods are shorter than those of the captured points"),
        ({"metric": None, "metrics": "[]"}, "it computes its metric"),
        (
            {"evaluation_periods": 3, "datapoints_to_alarm": 3, "treat_missing": "missing"},
            "periods without a point may count or not",
        ),
        ({"dimensions": '{"FunctionName": "other"}'}, "no point of its metric was captured"),
    ],
)
def test_an_alarm_that_cannot_be_put_to_the_points_is_unknown(
    tmp_path: Path, rule: dict[str, Any], why: str
) -> None:
    gone = [one for one in ERRORS if one["value"]]
    evidence = watched(tmp_path, alarm_row(**rule), points=gone)
    finding = finding_of("configuration/alarm-silent", evidence)
    assert finding.outcome is Outcome.NOT_EVALUATED
    assert why in str(finding.reason)


ODD = [
    "no JSON",
    "[1",
    "[]",
    '"text"',
    "null",
    "[" * 100_000,
    "1" * 5_000,
    '{"FunctionName": "\\ud800"}',
]


@pytest.mark.parametrize("odd", ODD, ids=[text[:24] for text in ODD])
def test_a_point_whose_dimensions_cannot_be_read_may_have_raised_an_alarm(
    tmp_path: Path, odd: str
) -> None:
    unread = point("Errors", 9.0, at(31), dimensions=odd)
    fires = watched(tmp_path, alarm_row(), points=[*ERRORS, unread])
    assert finding_of("configuration/alarm-silent", fires).outcome is Outcome.PASSED
    few, calm = [*ERRORS, unread], [point("Errors", 0.0, at(31)), unread]
    for points, threshold in ((few, 4.0), (calm, 1.0)):
        silent = watched(tmp_path, alarm_row(threshold=threshold), points=points)
        finding = finding_of("configuration/alarm-silent", silent)
        assert finding.outcome is Outcome.NOT_EVALUATED
        assert "the dimensions of some points of its metric cannot be read" in str(finding.reason)


@pytest.mark.parametrize("odd", ODD, ids=[text[:24] for text in ODD])
def test_an_alarm_whose_dimensions_cannot_be_read_is_unknown(tmp_path: Path, odd: str) -> None:
    evidence = watched(tmp_path, alarm_row(dimensions=odd), points=ERRORS)
    finding = finding_of("configuration/alarm-silent", evidence)
    assert finding.outcome is Outcome.NOT_EVALUATED
    assert "alarm: its dimensions cannot be read" in str(finding.reason)


# What changed


def changed(
    folder: Path, failed: list[datetime], modified: datetime, deployments: Any = None
) -> Evidence:
    calls = [invocation_row(f"r{n}", when, status="error") for n, when in enumerate(failed)]
    more = {} if deployments is None else {"deployments": deployments}
    return evidence_of(
        folder, functions=[known(last_modified_utc=modified)], invocations=calls, log_lines=[],
        **more,
    )  # fmt: skip


CHANGE = "configuration/change-before-failure"


def test_failures_that_begin_within_an_hour_of_a_change_point_at_it(tmp_path: Path) -> None:
    assert keys(CHANGE, changed(tmp_path, [at(31)], at(30), [])) == ["processor"]
    assert keys(CHANGE, changed(tmp_path, [at(31.01)], at(30), [])) == []
    assert keys(CHANGE, changed(tmp_path, [at(29.5), at(30.5)], at(30), [])) == []
    assert keys(CHANGE, changed(tmp_path, [at(28.5), at(30.5)], at(30), [])) == ["processor"]


def test_an_earlier_change_is_known_from_the_versions_only(tmp_path: Path) -> None:
    version = {
        "resource": "processor", "kind": "function", "at_utc": at(30), "what": "version published",
        "version": "7",
    }  # fmt: skip
    assert keys(CHANGE, changed(tmp_path, [at(30.5)], at(40), [version])) == ["processor"]
    finding = finding_of(CHANGE, changed(tmp_path, [at(30.5)], at(40)))
    assert finding.outcome is Outcome.NOT_EVALUATED
    assert "earlier changes are unknown" in str(finding.reason)
    half = {"deployments": Coverage("partial", "denied")}
    cut = evidence_of(
        tmp_path, coverage=half, deployments=[], functions=[known(last_modified_utc=at(40))],
        invocations=[invocation_row("r1", at(30.5), status="error")], log_lines=[],
    )  # fmt: skip
    assert finding_of(CHANGE, cut).outcome is Outcome.NOT_EVALUATED
    of_stack = {**version, "resource": "ProcessorFunction", "kind": "stack"}
    assert keys(CHANGE, changed(tmp_path, [at(30.5)], at(40), [of_stack])) == ["processor"]
    shown = numbers.changes_made(changed(tmp_path, [at(30.5)], at(40), [version]))
    assert [row["version"] for row in shown] == ["7", "$LATEST"]


# Logs and metrics

INGESTED = {"namespace": "PipelineInvestigationKit", "origin": "emf"}


def test_a_function_that_ran_without_a_line_has_no_log(tmp_path: Path) -> None:
    points = [point("Invocations", 3.0, at(31))]
    tables = {"functions": [known(), known("ingest")], "metric_points": points}
    silent = evidence_of(tmp_path, invocations=[], log_lines=[], **tables)
    assert keys("logs/missing", silent) == ["processor"]
    heard = evidence_of(tmp_path, invocations=[invocation_row("r1", at(31))], **tables)
    assert finding_of("logs/missing", heard).outcome is Outcome.NOT_EVALUATED  # of the lines
    denied = "AccessDenied: logs:FilterLogEvents of /aws/lambda/processor"
    half = {name: Coverage("partial", denied) for name in ("invocations", "log_lines")}
    refused = evidence_of(tmp_path, coverage=half, invocations=[], log_lines=[], **tables)
    finding = finding_of("logs/missing", refused)
    assert finding.outcome is Outcome.NOT_EVALUATED
    assert "the log of processor could not be read" in str(finding.reason)
    whole = evidence_of(
        tmp_path, invocations=[invocation_row("r1", at(31))], log_lines=[], **tables
    )
    assert keys("logs/missing", whole) == []


def test_a_metric_is_missing_only_where_the_function_ran(tmp_path: Path) -> None:
    runs = [invocation_row("r1", at(31))]
    functions = [known(), known("ingest")]
    own = {**INGESTED, "dimensions": '{"Function": "processor"}'}
    none = evidence_of(tmp_path, functions=functions, invocations=runs, metric_points=[])
    assert keys("metrics/missing", none) == [
        "Invocations of processor", "ProcessorMessageCount of processor",
    ]  # fmt: skip
    both = [point("Invocations", 1.0, at(31)), point("ProcessorMessageCount", 1.0, at(31), **own)]
    there = evidence_of(tmp_path, functions=functions, invocations=runs, metric_points=both)
    assert keys("metrics/missing", there) == []
    dry = evidence_of(
        tmp_path, functions=[known(dry_run=True)], invocations=runs, metric_points=both[:1]
    )
    assert keys("metrics/missing", dry) == []
    young = [invocation_row("r1", CAPTURED - timedelta(seconds=10))]
    fresh = evidence_of(tmp_path, functions=functions, invocations=young, metric_points=[])
    assert keys("metrics/missing", fresh) == []
    ingest = [invocation_row("r1", at(31), function="ingest")]
    own = {**INGESTED, "dimensions": '{"Function": "ingest"}'}
    there = {**point("Invocations", 1.0, at(31)), "dimensions": '{"FunctionName": "ingest"}'}
    refused = evidence_of(
        tmp_path, functions=functions, invocations=ingest,
        metric_points=[there, point("InvalidCount", 1.0, at(31), **own)],
    )  # fmt: skip
    assert keys("metrics/missing", refused) == []


@pytest.mark.parametrize(
    ("measured", "logged", "found"),
    [(100, 100, []), (100, 99, []), (100, 98, ["Invocations of processor"]), (0, 0, [])],
)
def test_metrics_and_logs_may_differ_by_one_in_a_hundred(
    tmp_path: Path, measured: int, logged: int, found: list[str]
) -> None:
    calls = [invocation_row(f"r{n}", at(31)) for n in range(logged)]
    evidence = evidence_of(
        tmp_path, functions=[known()], invocations=calls, log_lines=[],
        metric_points=[point("Invocations", float(measured), at(31))],
    )  # fmt: skip
    assert keys("metrics/disagree", evidence) == found


@pytest.mark.parametrize("log_format", ["JSON", "Text"])
def test_lines_that_never_arrive_disagree_with_nothing(tmp_path: Path, log_format: str) -> None:
    calls = [invocation_row("r1", at(31), function="ingest")]
    points = [
        {**point("Invocations", 1.0, at(31)), "dimensions": '{"FunctionName": "ingest"}'},
        point("IngestCount", 1.0, at(31), **INGESTED, dimensions='{"Function": "ingest"}'),
        point("Invocations", 5.0, at(31)),  # of the processor, whose log is missing
    ]
    evidence = evidence_of(
        tmp_path, functions=[known("ingest", log_format=log_format)], invocations=calls,
        log_lines=[], metric_points=points,
    )  # fmt: skip
    assert keys("metrics/disagree", evidence) == []


def test_only_the_time_of_which_both_tell_is_compared(tmp_path: Path) -> None:
    calls = [invocation_row("r1", at(31)), invocation_row("r2", at(20))]
    coverage = {"metric_points": Coverage("captured", horizon="2026-03-11T00:00:00Z/..")}
    evidence = evidence_of(
        tmp_path, functions=[known()], invocations=calls, log_lines=[], coverage=coverage,
        metric_points=[point("Invocations", 1.0, at(31)), point("Invocations", 9.0, at(20))],
    )  # fmt: skip
    assert finding_of("metrics/disagree", evidence).count == 0


def test_what_was_denied_to_a_function_or_to_the_capture_is_found(tmp_path: Path) -> None:
    said = (
        "User: arn:aws:sts::123456789012:assumed-role/processor-role/x is not authorized to "
        "perform: s3:GetObject on resource: arn:aws:s3:::raw/key because no policy allows it"
    )
    calls = [
        invocation_row("r1", at(31), status="error", error_type="AccessDenied", error_message=said)
    ]
    gap = {"events": Coverage("denied", "AccessDeniedException: dynamodb:Scan of demo-events")}
    evidence = evidence_of(tmp_path, invocations=calls, log_lines=[], coverage=gap)
    assert keys("access/denied", evidence) == ["dynamodb:Scan", "s3:GetObject"]
    told = evidence.engine.rows(offending_rows(book["access/denied"], evidence).rows)
    rows = {row["key"]: row for row in told}
    assert rows["s3:GetObject"]["whose"] == "processor-role"
    assert rows["dynamodb:Scan"]["resource"] == "demo-events"
    swallowed = log_line("processor_record_failed", at(31), err="AccessDenied: Access Denied")
    objects = {
        "raw": Coverage("partial", "unreadable: 3 denied (s3:GetObject, without s3:ListBucket)"),
        "functions": Coverage("denied", "DRY_RUN of the processor function is unknown"),
    }
    more = evidence_of(
        tmp_path, invocations=[invocation_row("r1", at(31))], log_lines=[swallowed],
        coverage=objects, raw=[],
    )  # fmt: skip
    told = more.engine.rows(offending_rows(book["access/denied"], more).rows)
    assert {(row["key"], row["whose"], row["resource"], row["seen"]) for row in told} == {
        ("s3:GetObject", "capture", "raw", 3),
        ("an action that the error does not name", "capture", "functions", 1),
        ("an action that the error does not name", "processor", None, 1),
    }
    unheard = {
        name: Coverage("denied", "AccessDenied: logs:FilterLogEvents of /aws/lambda/x")
        for name in ("invocations", "log_lines")
    }
    assert keys("access/denied", evidence_of(tmp_path, coverage=unheard)) == [
        "logs:FilterLogEvents"
    ]
    untold = finding_of("access/denied", evidence_of(tmp_path))
    assert untold.outcome is Outcome.NOT_EVALUATED
    fine = evidence_of(tmp_path, invocations=[invocation_row("r1", at(31))], log_lines=[])
    assert keys("access/denied", fine) == []


@pytest.mark.parametrize("code", [check.code for check in book.of(Step.CONFIGURATION)])
def test_every_rule_is_spark_sql_too(tmp_path: Path, code: str) -> None:
    evidence = evidence_of(
        tmp_path, functions=[known()], queue_state=[guarded(), dead_queue()],
        mappings=[mapping_row(), stream(uuid="s")], deliveries=[delivery()], alarms=[alarm_row()],
        deployments=[], invocations=[invocation_row("r1", at(31), status="error")],
        log_lines=[FAILED], metric_points=ERRORS,
    )  # fmt: skip
    assert spark_sql(offending_rows(book[code], evidence).rows)
