"""What a stack holds becomes names; what is missing or could be two things is said."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from investigate.aws import Connection, connect
from investigate.capture.dead_letter_queues import url_of
from investigate.capture.discovery import (
    check_account,
    discover,
    lacking,
)
from investigate.errors import AccessError, SettingsError, UsageError
from investigate.settings import PipelineNames
from tests.capture.helpers import refuse

BUCKET, TABLE = "AWS::S3::Bucket", "AWS::DynamoDB::Table"
QUEUE, FUNCTION = "AWS::SQS::Queue", "AWS::Lambda::Function"
STACK = "AWS::CloudFormation::Stack"
URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/"
WHOLE = {
    "RawBucket": BUCKET,
    "EventsTable": TABLE,
    "DedupeTable": TABLE,
    "AggregatesTable": TABLE,
    "ReplayQueue": QUEUE,
    "IngestFunction": FUNCTION,
    "ReplayFunction": FUNCTION,
    "ProcessorFunction": FUNCTION,
}
FOUND = PipelineNames(
    stack="orders",
    raw_bucket="RawBucket-name",
    events_table="EventsTable-name",
    dedupe_table="DedupeTable-name",
    aggregates_table="AggregatesTable-name",
    replay_queue_url=f"{URL}ReplayQueue-name",
    functions={
        "ingest": "IngestFunction-name",
        "replay": "ReplayFunction-name",
        "processor": "ProcessorFunction-name",
    },
)


def entry(logical: str, kind: str, name: str | None = None, status: str = "CREATE_COMPLETE") -> Any:
    """One resource as CloudFormation lists it; a queue's physical id is its URL."""
    physical = name or f"{URL if kind == QUEUE else ''}{logical}-name"
    return {
        "LogicalResourceId": logical,
        "PhysicalResourceId": physical,
        "ResourceType": kind,
        "ResourceStatus": status,
    }


def connected(*resources: Any, **nested: list[Any]) -> Connection:
    """A connection whose CloudFormation knows the stack `orders`, and others by physical id."""
    stacks = {"orders": list(resources), **nested}
    connection = connect()

    def answer(params: dict[str, Any], **_: Any) -> Any:
        body = params["body"]
        listed = stacks[body["StackName"]]
        # One resource a page: a reader that stops after the first one shows.
        start = int(body.get("NextToken", 0))
        page = {"StackResourceSummaries": listed[start : start + 1]}
        more = {"NextToken": str(start + 1)} if start + 1 < len(listed) else {}
        return SimpleNamespace(status_code=200, headers={}, raw=None), {
            **page,
            **more,
            "ResponseMetadata": {"HTTPStatusCode": 200, "HTTPHeaders": {}},
        }

    events = connection.client("cloudformation").meta.events
    events.register("before-call.cloudformation.ListStackResources", answer)
    return connection


def found(*resources: Any, names: PipelineNames | None = None, **nested: list[Any]) -> Any:
    return discover(connected(*resources, **nested), "orders", names or PipelineNames())


def test_every_resource_is_found_by_its_logical_id_and_type():
    assert found(*[entry(name, kind) for name, kind in WHOLE.items()]) == FOUND


@pytest.mark.parametrize("suffix", ["8F3A2B1C", ""])
@pytest.mark.parametrize("prefix", ["", "Orders", "OrdersProd"])
def test_what_tools_put_around_a_logical_id_is_looked_through(prefix, suffix):
    listed = [
        entry(f"{prefix}{name}{suffix}", kind, FOUND_NAMES[name]) for name, kind in WHOLE.items()
    ]
    assert found(*listed) == FOUND


FOUND_NAMES = {name: f"{URL if kind == QUEUE else ''}{name}-name" for name, kind in WHOLE.items()}


@pytest.mark.parametrize(
    ("logical", "kind", "role"),
    [
        ("Events", TABLE, "events_table"),
        ("EventTable", TABLE, "events_table"),
        ("EventsTableV2", TABLE, "events_table"),
        ("EventsTable", "AWS::DynamoDB::GlobalTable", "events_table"),
        ("DedupTable", TABLE, "dedupe_table"),
        ("OrdersRaw8F3A2B1C", BUCKET, "raw_bucket"),
    ],
)
def test_usual_variations_of_a_logical_id_are_understood(logical, kind, role):
    assert getattr(found(entry(logical, kind, "found")), role) == "found"


@pytest.mark.parametrize(
    ("logical", "kind"),
    [
        ("EventsTable", BUCKET),
        ("RawBucketPolicy", "AWS::S3::BucketPolicy"),
        ("RawBucketAccessLogs", BUCKET),
        ("PreprocessorFunction", FUNCTION),
        ("ReplayDeadLetterQueue", QUEUE),
        ("ReplayDLQ", QUEUE),
        ("ReplayQueueDlq8F3A2B1C", QUEUE),
        ("IngestFunctionLogRetention", FUNCTION),
    ],
)
def test_what_only_looks_alike_is_not_taken(logical, kind):
    names = found(entry("IngestFunction", FUNCTION), entry(logical, kind))
    assert names.functions == {"ingest": "IngestFunction-name"}
    assert (names.raw_bucket, names.events_table, names.replay_queue_url) == (None, None, None)


def test_the_exact_id_wins_over_those_that_contain_it():
    names = found(
        entry("OldEventsTable", TABLE), entry("EventsTable", TABLE), entry("EventsTableV2", TABLE)
    )
    assert names.events_table == "EventsTable-name"


def test_every_dead_letter_queue_of_the_stack_is_known():
    names = found(
        entry("ReplayQueue", QUEUE), entry("ReplayDLQ", QUEUE), entry("IngestDeadLetters", QUEUE)
    )
    assert names.replay_queue_url == f"{URL}ReplayQueue-name"
    assert names.dead_letter_queue_urls == (f"{URL}IngestDeadLetters-name", f"{URL}ReplayDLQ-name")


def test_a_table_that_was_deleted_with_the_processor_is_absent_and_said_to_be():
    listed = [entry(name, kind) for name, kind in WHOLE.items() if name != "AggregatesTable"]
    names = found(*listed, entry("AggregatesTable", TABLE, status="DELETE_COMPLETE"))
    assert names.aggregates_table is None
    assert lacking(names) == ["the stack orders has no AggregatesTable"]


def test_what_failed_to_be_created_is_not_there():
    failed = {**entry("RawBucket", BUCKET, status="CREATE_FAILED")}
    del failed["PhysicalResourceId"]
    assert found(failed, entry("EventsTable", TABLE)).raw_bucket is None


def test_stacks_within_the_stack_are_read_too():
    names = found(
        entry("Storage", STACK, "storage-id"),
        entry("ReplayQueue", QUEUE),
        **{
            "storage-id": [entry("RawBucket", BUCKET), entry("Tables", STACK, "tables-id")],
            "tables-id": [entry("EventsTable", TABLE), entry("Around", STACK, "storage-id")],
        },
    )
    assert (names.raw_bucket, names.events_table) == ("RawBucket-name", "EventsTable-name")


def test_two_that_fit_are_an_error_that_names_both_and_what_to_write():
    with pytest.raises(SettingsError) as refused:
        found(
            entry("OrdersEventsTable", TABLE, "a"),
            entry("ReturnsEventsTable", TABLE, "b"),
            entry("BlueIngestFunction", FUNCTION, "c"),
            entry("GreenIngestFunction", FUNCTION, "d"),
        )
    assert refused.value.message == (
        "the stack orders has more than one EventsTable: OrdersEventsTable (a), "
        "ReturnsEventsTable (b); write events_table under [pipeline], "
        'for example events_table = "a"; and more than one IngestFunction: '
        "BlueIngestFunction (c), GreenIngestFunction (d); "
        'write ingest under [pipeline.functions], for example ingest = "c"'
    )


def test_names_in_the_file_win_and_are_not_looked_for():
    given = PipelineNames(
        region="eu-west-1",
        events_table="mine",
        functions={"ingest": "my-ingest"},
        dead_letter_queue_urls=(f"{URL}mine",),
    )
    names = found(
        entry("OrdersEventsTable", TABLE),
        entry("ReturnsEventsTable", TABLE),
        entry("IngestFunction", FUNCTION),
        entry("ReplayFunction", FUNCTION),
        entry("ReplayDLQ", QUEUE),
        names=given,
    )
    assert names == PipelineNames(
        stack="orders",
        region="eu-west-1",
        events_table="mine",
        functions={"ingest": "my-ingest", "replay": "ReplayFunction-name"},
        dead_letter_queue_urls=(f"{URL}mine",),
    )


def test_a_stack_with_nothing_of_a_pipeline_says_what_it_has():
    with pytest.raises(SettingsError, match="no resource of a pipeline; it has Topic, Website"):
        found(entry("Website", BUCKET), entry("Topic", "AWS::SNS::Topic"))


@mock_aws
def test_a_stack_of_cloudformation_is_read():
    template = {"Resources": {"RawBucket": {"Type": BUCKET}, "ReplayQueue": {"Type": QUEUE}}}
    boto3.client("cloudformation").create_stack(
        StackName="orders", TemplateBody=json.dumps(template)
    )
    names = discover(connect(), "orders", PipelineNames())
    assert str(names.raw_bucket).startswith("orders-rawbucket-")
    assert str(names.replay_queue_url).startswith(
        "https://sqs.eu-west-1.amazonaws.com/123456789012"
    )


@mock_aws
def test_a_stack_that_is_not_there_is_said_with_the_region_and_the_account():
    with pytest.raises(AccessError) as refused:
        discover(connect(), "ordres", PipelineNames())
    assert refused.value.message == "there is no stack ordres in eu-west-1 of account 123456789012"
    assert refused.value.kind == "not-found"


def test_a_denied_listing_names_the_action():
    connection = connect()
    refuse(connection, "cloudformation", "ListStackResources", "AccessDenied")
    with pytest.raises(AccessError, match="cloudformation:ListStackResources") as refused:
        discover(connection, "orders", PipelineNames())
    assert refused.value.kind == "denied"


@mock_aws
def test_credentials_of_another_account_are_refused():
    other = "9" * 12
    assert check_account(connect(), PipelineNames()) == "123456789012"
    assert check_account(connect(), PipelineNames(account_id="123456789012")) == "123456789012"
    with pytest.raises(AccessError) as refused:
        check_account(connect(), PipelineNames(account_id=other))
    assert refused.value.message == (
        f"these credentials belong to account 123456789012, the configuration is about {other}"
    )


def test_only_a_queue_has_a_queue_url():
    with pytest.raises(UsageError, match="not the ARN of a queue"):
        url_of(connect(), "arn:aws:sns:eu-west-1:123456789012:topic")
