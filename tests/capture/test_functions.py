from __future__ import annotations

import json
from datetime import timedelta, timezone

import boto3
import pytest

from investigate.capture import functions
from investigate.capture import mappings as event_sources
from investigate.capture.invokers import invokers_in
from investigate.capture.source import Gathered
from investigate.case import Coverage
from tests.builders import START
from tests.capture.helpers import coverage, refuse, rows_of, source_of

PROCESSOR = "demo-processor"


def read(source):
    (captured,) = functions.read_functions(source)
    return captured


def mappings(source):
    (captured,) = event_sources.read_mappings(source)
    return captured


def test_every_named_function_is_a_row_with_its_role(world):
    captured = read(source_of(world))
    assert coverage(captured) == ("captured", None)
    rows = {row["role"]: row for row in rows_of(captured)}
    assert list(rows) == ["ingest", "replay", "processor"]
    row = rows["processor"]
    assert row.pop("code_sha256")
    assert row == {
        "name": PROCESSOR,
        "role": "processor",
        "arn": f"arn:aws:lambda:eu-west-1:123456789012:function:{PROCESSOR}",
        "timeout_s": 60,
        "memory_mb": 512,
        "dlq_arn": None,
        "log_group": f"/aws/lambda/{PROCESSOR}",
        "log_format": "JSON",
        "tracing": "Active",
        "dry_run": False,
        "last_modified_utc": START,
        "reserved_concurrency": None,
        "qualified_invoke_configs": None,
        "handler": "handlers.processor",
        "runtime": "python3.11",
        "log_level": "INFO",
        "log_group_exists": True,
        "log_retention_days": 0,
        "invokers": "[]",
    }


def test_the_retention_of_the_log_group_is_of_exactly_that_name(world):
    logs = world.clients.logs
    logs.create_log_group(logGroupName=f"/aws/lambda/{PROCESSOR}-two")
    logs.put_retention_policy(logGroupName=f"/aws/lambda/{PROCESSOR}-two", retentionInDays=1)
    logs.put_retention_policy(logGroupName=f"/aws/lambda/{PROCESSOR}", retentionInDays=30)
    logs.delete_log_group(logGroupName="/aws/lambda/demo-ingest")
    ingest, replay, processor = rows_of(read(source_of(world)))
    assert (processor["log_group_exists"], processor["log_retention_days"]) == (True, 30)
    assert (replay["log_group_exists"], replay["log_retention_days"]) == (True, 0)
    assert ingest["log_group_exists"] is False
    assert "log_retention_days" not in ingest


def test_who_may_invoke_a_function_is_in_its_policy(world):
    topic = "arn:aws:sns:eu-west-1:123456789012:orders"
    world.clients.lambda_.add_permission(
        FunctionName=PROCESSOR, StatementId="topic", Action="lambda:InvokeFunction",
        Principal="sns.amazonaws.com", SourceArn=topic,
    )  # fmt: skip
    row = rows_of(read(source_of(world)))[2]
    assert json.loads(row["invokers"]) == [{"principal": "sns.amazonaws.com", "source_arn": topic}]


def test_every_form_of_a_policy_is_read():
    allow = {"Effect": "Allow", "Action": "lambda:InvokeFunction"}
    said = [
        {**allow, "Principal": {"Service": ["a", "b"]}},
        {**allow, "Principal": "*", "Condition": {"StringEquals": {"aws:SourceArn": ["x", "y"]}}},
        {"Effect": "Deny", "Principal": {"AWS": "no"}},
    ]
    found = [(one["principal"], one["source_arn"]) for one in invokers_in({"Statement": said})]
    assert found == [("a", None), ("b", None), ("*", "x"), ("*", "y")]
    (single,) = invokers_in({"Statement": {**allow, "Principal": {"AWS": "1"}}})
    assert single == {"principal": "1", "source_arn": None}


@pytest.mark.parametrize(
    ("service", "operation", "column"),
    [
        ("lambda", "GetPolicy", "invokers"),
        ("lambda", "ListAliases", "invokers"),
        ("logs", "DescribeLogGroups", "log_group_exists"),
    ],
)
def test_what_others_say_of_a_function_is_unknown_where_it_is_denied(
    world, service, operation, column
):
    source = source_of(world)
    refuse(source.connection, service, operation)
    captured = read(source)
    assert captured.coverage.status == "partial"
    assert f"{service}:{operation}" in str(captured.coverage.reason)
    assert [row.get(column) for row in rows_of(captured)] == [None, None, None]


@pytest.mark.parametrize(
    ("variables", "level"),
    [
        ({"LOG_LEVEL": "debug"}, "DEBUG"),
        ({"POWERTOOLS_LOG_LEVEL": "WARN"}, "WARN"),
        ({"LOG_LEVEL": "hunter2", "POWERTOOLS_LOG_LEVEL": "ERROR"}, "ERROR"),
        ({"LOG_LEVEL": "hunter2"}, None),
        ({"LEVEL": "INFO"}, None),
    ],
)
def test_the_level_of_the_log_is_a_known_word_of_two_variables(variables, level):
    known = {"FunctionName": "f", "FunctionArn": "a", "Environment": {"Variables": variables}}
    assert functions.function_row("ingest", known)["log_level"] == level
    logging = {"LoggingConfig": {"ApplicationLogLevel": "FATAL"}}
    assert functions.function_row("ingest", {**known, **logging})["log_level"] == "FATAL"


def test_concurrency_and_the_settings_of_asynchronous_calls_are_read(world):
    world.set_reserved_concurrency("processor", 0)
    world.clients.lambda_.put_function_event_invoke_config(
        FunctionName=PROCESSOR,
        MaximumRetryAttempts=1,
        MaximumEventAgeInSeconds=600,
        DestinationConfig={
            "OnFailure": {"Destination": "arn:aws:sqs:eu-west-1:123456789012:failed"}
        },
    )
    row = rows_of(read(source_of(world)))[2]
    assert row["reserved_concurrency"] == 0
    assert (row["max_retry_attempts"], row["max_event_age_s"]) == (1, 600)
    assert row["on_failure_arn"] == "arn:aws:sqs:eu-west-1:123456789012:failed"


def test_the_settings_of_an_alias_stand_beside_those_of_the_function_itself():
    arn = "arn:aws:lambda:eu-west-1:1:function:f"
    configs = [
        {"FunctionArn": f"{arn}:live", "MaximumRetryAttempts": 0},
        {"FunctionArn": f"{arn}:$LATEST", "MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": 9},
    ]
    row = functions.invoke_settings(configs)
    assert (row["max_retry_attempts"], row["max_event_age_s"]) == (2, 9)
    assert json.loads(row["qualified_invoke_configs"]) == {
        "live": {"max_retry_attempts": 0, "max_event_age_s": None, "on_failure_arn": None}
    }


def test_settings_of_an_alias_alone_are_not_those_of_the_function():
    configs = [{"FunctionArn": "arn:aws:lambda:eu-west-1:1:function:f:live"}]
    assert "max_retry_attempts" not in functions.invoke_settings(configs)


def test_where_not_all_settings_may_be_listed_those_of_the_function_itself_are_asked_for(world):
    world.clients.lambda_.put_function_event_invoke_config(
        FunctionName=PROCESSOR, MaximumRetryAttempts=1
    )
    source = source_of(world)
    refuse(source.connection, "lambda", "ListFunctionEventInvokeConfigs")
    captured = read(source)
    assert captured.coverage.status == "partial"
    assert "lambda:ListFunctionEventInvokeConfigs of demo-ingest" in str(captured.coverage.reason)
    assert rows_of(captured)[2]["max_retry_attempts"] == 1
    assert "max_retry_attempts" not in rows_of(captured)[0]


@pytest.mark.parametrize(
    ("value", "dry"),
    [("true", True), ("TRUE", True), ("false", False), ("1", False), ("yes", False), ("", False)],
)
def test_a_dry_run_is_what_the_pipeline_itself_takes_for_one(value, dry):
    known = {
        "FunctionName": "f",
        "FunctionArn": "a",
        "Environment": {"Variables": {"DRY_RUN": value}},
    }
    assert functions.function_row("ingest", known)["dry_run"] is dry


def test_a_function_without_an_environment_is_in_no_dry_run():
    row = functions.function_row("ingest", {"FunctionName": "f", "FunctionArn": "a"})
    assert (row["dry_run"], row["log_group"], row["log_format"]) == (False, "/aws/lambda/f", "Text")


def test_no_value_of_the_environment_is_kept(world):
    world.clients.lambda_.update_function_configuration(
        FunctionName=PROCESSOR, Environment={"Variables": {"PASSWORD": "hunter2"}}
    )
    assert "hunter2" not in str(rows_of(read(source_of(world))))


def test_an_environment_that_cannot_be_decrypted_leaves_the_dry_run_unknown(world):
    source = source_of(world)
    known = dict(source.functions["ingest"])
    broken = {**known, "Environment": {"Error": {"ErrorCode": "AccessDeniedException"}}}
    source.functions = {**source.functions, "ingest": broken}
    captured = read(source)
    assert rows_of(captured)[0]["dry_run"] is None
    assert coverage(captured) == ("partial", "DRY_RUN of the ingest function is unknown")


def test_a_denied_setting_makes_the_table_partial(world):
    source = source_of(world)
    refuse(source.connection, "lambda", "GetFunctionConcurrency")
    captured = read(source)
    assert len(rows_of(captured)) == 3
    assert captured.coverage.status == "partial"
    assert "lambda:GetFunctionConcurrency of demo-ingest" in str(captured.coverage.reason)


def test_a_denied_function_is_left_out_and_all_denied_leave_no_table(world):
    source = source_of(world)
    refuse(
        source.connection, "lambda", "GetFunctionConfiguration",
        only=lambda asked: "demo-replay" in asked["url"],
    )  # fmt: skip
    captured = read(source)
    assert [row["role"] for row in rows_of(captured)] == ["ingest", "processor"]
    reason = "AccessDeniedException: lambda:GetFunctionConfiguration of demo-replay"
    assert coverage(captured) == ("partial", reason)
    everything = source_of(world)
    refuse(everything.connection, "lambda", "GetFunctionConfiguration")
    assert read(everything).coverage.status == "denied"


def test_functions_that_are_not_configured_are_skipped(world):
    status, reason = coverage(read(source_of(world, without=("functions",))))
    assert status == "skipped"
    assert reason == (
        "no ingest function is configured; no replay function is configured; "
        "no processor function is configured"
    )


def test_a_mapping_is_found_by_its_function_and_by_its_queue_once(world):
    captured = mappings(source_of(world))
    assert coverage(captured) == ("captured", None)
    (row,) = rows_of(captured)
    assert (row["function"], row["state"], row["batch_size"]) == (PROCESSOR, "Enabled", 10)
    assert row["source_arn"] == "arn:aws:sqs:eu-west-1:123456789012:demo-replay"
    assert row["partial_batch_response"] is False


def test_a_mapping_from_the_queue_to_another_function_is_found(world):
    world.clients.lambda_.create_event_source_mapping(
        FunctionName="demo-ingest",
        EventSourceArn="arn:aws:sqs:eu-west-1:123456789012:demo-replay",
    )
    found = sorted(row["function"] for row in rows_of(mappings(source_of(world))))
    assert found == ["demo-ingest", PROCESSOR]


def test_no_mapping_is_a_table_without_rows(world):
    world.remove_consumer()
    captured = mappings(source_of(world))
    assert (rows_of(captured), coverage(captured)) == ([], ("captured", None))


def test_a_mapping_that_is_denied_is_no_absent_mapping(world):
    source = source_of(world)
    refuse(source.connection, "lambda", "ListEventSourceMappings")
    assert mappings(source).coverage.status == "denied"


def test_without_a_processor_the_mappings_of_the_queue_are_known_in_part(world):
    captured = mappings(source_of(world, without=("functions",)))
    assert [row["function"] for row in rows_of(captured)] == [PROCESSOR]
    assert coverage(captured) == ("partial", "no processor function is configured")


def test_every_setting_of_a_mapping_has_its_column():
    row = event_sources.mapping_row(
        {
            "UUID": "u",
            "FunctionArn": "arn:aws:lambda:eu-west-1:1:function:f:live",
            "EventSourceArn": "arn:q",
            "State": "Disabled",
            "BatchSize": 5,
            "MaximumBatchingWindowInSeconds": 2,
            "MaximumRetryAttempts": -1,
            "MaximumRecordAgeInSeconds": 60,
            "BisectBatchOnFunctionError": True,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "DestinationConfig": {"OnFailure": {"Destination": "arn:d"}},
            "ScalingConfig": {"MaximumConcurrency": 3},
            "LastProcessingResult": "OK",
            "ParallelizationFactor": 4,
            "FilterCriteria": {"Filters": [{"Pattern": "{}"}]},
            "LastModified": START.astimezone(timezone(timedelta(hours=5))),
        }
    )
    assert row == {
        "uuid": "u",
        "function": "f",
        "source_arn": "arn:q",
        "state": "Disabled",
        "batch_size": 5,
        "window_s": 2,
        "max_retry_attempts": -1,
        "max_record_age_s": 60,
        "bisect": True,
        "partial_batch_response": True,
        "on_failure_arn": "arn:d",
        "max_concurrency": 3,
        "last_result": "OK",
        "parallelization": 4,
        "filters": '{"Filters": [{"Pattern": "{}"}]}',
        "last_modified_utc": START,
    }


def test_a_mapping_of_a_stream_says_how_long_the_stream_keeps_a_record(world):
    kinesis = boto3.client("kinesis")
    kinesis.create_stream(StreamName="orders", ShardCount=1)
    kinesis.increase_stream_retention_period(StreamName="orders", RetentionPeriodHours=48)
    arn = "arn:aws:kinesis:eu-west-1:123456789012:stream/orders"
    world.clients.lambda_.create_event_source_mapping(
        FunctionName=PROCESSOR, EventSourceArn=arn, StartingPosition="LATEST"
    )
    kept = {
        row["source_arn"]: row["source_retention_s"] for row in rows_of(mappings(source_of(world)))
    }
    assert kept == {arn: 48 * 3600, "arn:aws:sqs:eu-west-1:123456789012:demo-replay": None}
    denied = source_of(world)
    refuse(denied.connection, "kinesis", "DescribeStreamSummary")
    captured = mappings(denied)
    reason = f"AccessDeniedException: kinesis:DescribeStreamSummary of {arn}"
    assert coverage(captured) == ("partial", reason)
    assert {row["source_retention_s"] for row in rows_of(captured)} == {None}


def test_a_dynamodb_stream_keeps_its_records_for_a_day(world):
    arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/t/stream/2026-03-10T00:00:00.000"
    entry = {"UUID": "u", "FunctionArn": "f", "EventSourceArn": arn}
    source = source_of(world)
    source.once("mappings", lambda: Gathered([entry], places=1))
    (row,) = rows_of(mappings(source))
    assert row["source_retention_s"] == 86_400


def test_gathered_places_that_all_fail_are_denied_before_they_are_failed():
    gathered = Gathered()
    for status in ("skipped", "failed", "denied", "failed"):
        gathered.gaps.append(Coverage(status, f"because {status}"))
    captured = gathered.captured("functions")
    assert coverage(captured) == ("denied", "because skipped; because failed; because denied")
