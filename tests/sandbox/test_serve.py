from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest

from investigate.aws import READ_ONLY, connect
from investigate.capture import CaptureOptions, capture
from investigate.model import Window
from investigate.sandbox.clock import LogicalClock
from investigate.sandbox.serve import Served, serve
from investigate.sandbox.world import Sandbox, SandboxOptions, connected
from investigate.settings import Settings
from tests.sandbox.pipelines import DAY, START, depth, ingest_many, keys, log, rows, running


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with running() as started:
        yield started


@pytest.fixture
def served(sandbox: Sandbox) -> Iterator[Served]:
    with serve(sandbox) as started:
        yield started


def client(served: Served, service: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=served.url,
        region_name="eu-west-1",
        aws_access_key_id="a",
        aws_secret_access_key="b",
    )


def test_the_state_of_a_sandbox_is_seen_over_http(sandbox: Sandbox, served: Served) -> None:
    ingest_many(sandbox, 2)
    sandbox.replay("e1", *DAY)
    listed = client(served, "s3").list_objects_v2(Bucket=sandbox.names.raw_bucket)
    assert [item["Key"] for item in listed["Contents"]] == keys(sandbox)
    counted = client(served, "dynamodb").scan(TableName=sandbox.names.events_table)["Count"]
    assert counted == 2
    queue = client(served, "sqs").get_queue_attributes(
        QueueUrl=sandbox.names.replay_queue_url, AttributeNames=["All"]
    )
    assert queue["Attributes"]["ApproximateNumberOfMessages"] == "2"


def test_requests_are_recorded_by_service_and_operation(sandbox: Sandbox, served: Served) -> None:
    ingest_many(sandbox, 1)
    (key,) = keys(sandbox)
    bucket, function = sandbox.names.raw_bucket, sandbox.names.functions["ingest"]
    s3, lambda_ = client(served, "s3"), client(served, "lambda")
    s3.list_objects_v2(Bucket=bucket)
    s3.get_object(Bucket=bucket, Key=key)
    s3.head_object(Bucket=bucket, Key=key)
    s3.get_bucket_versioning(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="raw/a b", Body=b"")
    s3.delete_object(Bucket=bucket, Key="raw/a b")
    client(served, "dynamodb").scan(TableName=sandbox.names.events_table)
    client(served, "sqs").receive_message(
        QueueUrl=sandbox.names.replay_queue_url, WaitTimeSeconds=20
    )
    lambda_.get_function_configuration(FunctionName=function)
    lambda_.list_event_source_mappings()
    client(served, "logs").filter_log_events(logGroupName=f"/aws/lambda/{function}")
    client(served, "cloudwatch").list_metrics()
    assert client(served, "sts").get_caller_identity()["Account"] == "123456789012"
    assert served.requests == [
        ("s3", "ListObjectsV2"), ("s3", "GetObject"), ("s3", "HeadObject"),
        ("s3", "GetBucketVersioning"), ("s3", "PutObject"), ("s3", "DeleteObject"),
        ("dynamodb", "Scan"), ("sqs", "ReceiveMessage"),
        ("lambda", "GetFunctionConfiguration"), ("lambda", "ListEventSourceMappings"),
        ("logs", "FilterLogEvents"), ("cloudwatch", "ListMetrics"),
        ("sts", "GetCallerIdentity"),
    ]  # fmt: skip
    assert [asked.number for asked in served.record] == list(range(1, 14))
    assert {asked.status for asked in served.record} == {200, 204}  # nothing to say of a deletion
    assert {asked.fate for asked in served.record} == {None}


def test_a_capture_leaves_only_reading_operations_in_the_record_of_the_server(
    sandbox: Sandbox, served: Served, tmp_path: Path
) -> None:
    ingest_many(sandbox, 3)
    window = Window(START, START + timedelta(days=1))
    connection = connect(region=sandbox.options.region, endpoint_url=served.url)
    options = CaptureOptions(window=window, captured_at=window.end)
    case = capture(tmp_path / "case", Settings(sandbox.names, window), connection, options)
    assert case.rows["raw"] == 3
    asked = set(served.requests)
    assert ("s3", "GetObject") in asked
    assert {(s, op) for s, op in asked if op not in READ_ONLY.get(s, ())} == set()


def test_the_same_code_runs_a_pipeline_behind_an_endpoint(served: Served) -> None:
    options = SandboxOptions(start=START, name="other", endpoint_url=served.url)
    other = connected(options, clock=LogicalClock(START))
    ingest_many(other, 3)
    other.replay("e1", *DAY)
    assert depth(other) == (3, 0)
    assert other.consume() == 3
    assert [row["input_count"] for row in rows(other, "aggregates")] == [3]
    assert len(log(other, "ingest")) == 3 + 4 * 3
    known = other.clients.cloudwatch.list_metrics(Namespace="AWS/Lambda")
    assert known["Metrics"] == []  # behind an endpoint, metrics are the business of AWS
