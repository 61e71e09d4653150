"""What is settled before anything is read; nothing is written until it is."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from investigate.aws import Connection
from investigate.capture import CaptureOptions
from investigate.capture.preparation import first_look, prepare
from investigate.errors import AccessError, SettingsError, UsageError
from investigate.model import Window
from investigate.settings import PipelineNames
from investigate.tables import TABLES
from tests.builders import END, START, at
from tests.capture.helpers import refuse
from tests.capture.whole import over, take

STACK = {
    "RawBucket": ("AWS::S3::Bucket", "demo-raw"),
    "EventsTable": ("AWS::DynamoDB::Table", "demo-events"),
    "DedupeTable": ("AWS::DynamoDB::Table", "demo-dedupe"),
    "AggregatesTable": ("AWS::DynamoDB::Table", "demo-aggregates"),
    "IngestFunction": ("AWS::Lambda::Function", "demo-ingest"),
    "ProcessorFunction": ("AWS::Lambda::Function", "demo-processor"),
}


def options(**changed: Any) -> CaptureOptions:
    return CaptureOptions(Window(START, END), at(20), **changed)


def answer(connection: Connection, service: str, operation: str, said: dict[str, Any]) -> None:
    """Let AWS answer an operation with this from now on."""
    client = connection.client(service)
    name = client.meta.service_model.service_id.hyphenize()
    client.meta.events.register(
        f"before-call.{name}.{operation}",
        lambda **_: (SimpleNamespace(status_code=200, headers={}, raw=None), said),
    )


def describe(connection: Connection) -> None:
    """Let there be a stack."""
    resources = [
        {
            "LogicalResourceId": logical,
            "ResourceType": kind,
            "PhysicalResourceId": name,
            "ResourceStatus": "CREATE_COMPLETE",
        }
        for logical, (kind, name) in STACK.items()
    ]
    page = {"StackResourceSummaries": resources, "ResponseMetadata": {}}
    answer(connection, "cloudformation", "ListStackResources", page)


def sent(connection: Connection) -> set[str]:
    return set(connection.meter.snapshot()["requests"])


def test_the_names_in_the_configuration_are_each_looked_at_once(world):
    connection = over(world)
    prepared = prepare(connection, world.names, options())
    assert prepared.names == replace(world.names, account_id="123456789012")
    assert prepared.account == "123456789012"
    assert prepared.wanted == tuple(TABLES)
    assert connection.meter.snapshot()["requests"] == {
        "sts:GetCallerIdentity": 1,
        "s3:ListObjectsV2": 1,
        "dynamodb:Scan": 3,
        "sqs:GetQueueAttributes": 1,
        "lambda:GetFunctionConfiguration": 3,
    }


def test_only_what_is_asked_for_is_looked_at(world):
    connection = over(world)
    prepare(connection, world.names, options(only=("functions",)))
    assert sent(connection) == {"sts:GetCallerIdentity", "lambda:GetFunctionConfiguration"}


def test_credentials_of_another_account_end_it_before_any_resource_is_looked_at(world, tmp_path):
    connection = over(world)
    names = replace(world.names, account_id="999999999999")
    with pytest.raises(AccessError) as refused:
        take(world, tmp_path / "case", names, connection=connection)
    assert str(refused.value) == (
        "these credentials belong to account 123456789012, the configuration is about 999999999999"
        "\n  use --profile NAME with a profile of that account, or correct account_id"
    )
    assert sent(connection) == {"sts:GetCallerIdentity"}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("region", ["eu-central-1", "us-east-1"])
def test_a_bucket_in_another_region_is_said_with_both(world, tmp_path, region):
    connection = over(world)
    headers = {"HTTPHeaders": {"x-amz-bucket-region": region}}
    answer(connection, "s3", "ListObjectsV2", {"ResponseMetadata": headers})
    with pytest.raises(AccessError) as refused:
        take(world, tmp_path / "case", connection=connection)
    assert refused.value.message == f"the bucket demo-raw is in {region}, not in eu-west-1"
    assert refused.value.hint == f'--region {region}, or region = "{region}" under [pipeline]'
    assert (refused.value.kind, refused.value.code) == ("not-found", "WrongRegion")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("region", ["eu-west-1", None])
def test_a_bucket_whose_region_fits_or_is_not_told_is_taken(world, region):
    connection = over(world)
    headers = {"x-amz-bucket-region": region} if region else {}
    answer(connection, "s3", "ListObjectsV2", {"ResponseMetadata": {"HTTPHeaders": headers}})
    first_look(connection, world.names, ("raw",))


HERE = "https://sqs.eu-west-1.amazonaws.com/123456789012/demo-replay"


@pytest.mark.parametrize("entry", ["replay_queue_url", "dead_letter_queue_urls"])
@pytest.mark.parametrize("host", ["sqs.us-east-1.amazonaws.com", "us-east-1.queue.amazonaws.com"])
def test_the_url_of_a_queue_in_another_region_is_refused_with_both(world, tmp_path, entry, host):
    url = f"https://{host}/123456789012/demo-replay"
    value = url if entry == "replay_queue_url" else (url,)
    with pytest.raises(AccessError) as refused:
        take(world, tmp_path / "case", replace(world.names, **{entry: value}))
    assert refused.value.message == f"the queue {url} is in us-east-1, not in eu-west-1"
    assert refused.value.hint.startswith("--region us-east-1, or region = ")
    assert (refused.value.kind, refused.value.code) == ("not-found", "WrongRegion")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arn", ["eu-west-1:999999999999:demo-replay", "eu-west-1:123456789012:x"])
def test_a_queue_that_answers_as_another_one_is_refused(world, arn):
    connection = over(world)
    attributes = {"QueueArn": f"arn:aws:sqs:{arn}"}
    answer(connection, "sqs", "GetQueueAttributes", {"Attributes": attributes})
    with pytest.raises(AccessError, match=f"{HERE} answers as arn:aws:sqs:{arn}"):
        first_look(connection, PipelineNames(replay_queue_url=HERE), ("queue_state",))


def test_the_url_of_an_emulator_says_no_region_and_is_taken(world):
    connection = over(world)
    attributes = {"QueueArn": "arn:aws:sqs:eu-west-1:000000000000:queue"}
    answer(connection, "sqs", "GetQueueAttributes", {"Attributes": attributes})
    for url in ("http://localhost:4566/1/queue", "http://sqs.localhost.localstack.cloud/1/queue"):
        first_look(connection, PipelineNames(replay_queue_url=url), ("queue_state",))


def test_names_of_the_file_win_over_those_of_the_stack(world):
    connection = over(world)
    describe(connection)
    mine = {"processor": "demo-replay"}
    names = PipelineNames(stack="orders", dedupe_table="demo-events", functions=mine)
    prepared = prepare(connection, names, options())
    assert prepared.names.raw_bucket == "demo-raw"
    assert prepared.names.events_table == "demo-events"
    assert prepared.names.dedupe_table == "demo-events"
    assert dict(prepared.names.functions) == {"ingest": "demo-ingest", **mine}
    assert prepared.names.stack == "orders"


def test_what_a_stack_names_and_what_is_not_there_any_more_is_said(world, tmp_path):
    connection = over(world)
    describe(connection)
    world.clients.dynamodb.delete_table(TableName="demo-dedupe")
    with pytest.raises(AccessError, match="dynamodb:Scan of demo-dedupe: ResourceNotFound"):
        take(world, tmp_path / "case", PipelineNames(stack="orders"), connection=connection)
    assert list(tmp_path.iterdir()) == []


def test_a_capture_by_its_stack_alone_is_one(world, tmp_path):
    world.ingest({"entity_id": "e0"})
    connection = over(world)
    describe(connection)
    names = PipelineNames(stack="orders")
    case = take(world, tmp_path / "case", names, connection=connection)
    assert case.coverage["events"].status == "captured"
    assert case.pipeline["events_table"] == "demo-events"
    assert case.coverage["queue_state"].reason == "the stack orders has no ReplayQueue"


@pytest.mark.parametrize(
    ("changed", "only", "hint"),
    [
        ({"events_table": None}, (), "name events_table under [pipeline]"),
        ({}, ("raw", "dedupe"), "add events to --only"),
    ],
)
def test_an_entity_needs_the_rows_of_its_events(world, tmp_path, changed, only, hint):
    names = replace(world.names, **changed)
    with pytest.raises(UsageError, match="by the rows of its events") as refused:
        take(world, tmp_path / "case", names, entities=("e0",), only=only)
    assert refused.value.hint == hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("code", ["AccessDenied", "NotImplemented", "SlowDown"])
def test_what_is_denied_at_the_first_look_is_left_to_its_reader(world, code):
    connection = over(world)
    for service, operation in (
        ("s3", "ListObjectsV2"),
        ("dynamodb", "Scan"),
        ("sqs", "GetQueueAttributes"),
        ("lambda", "GetFunctionConfiguration"),
    ):
        refuse(connection, service, operation, code)
    assert prepare(connection, world.names, options()).account == "123456789012"


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidClientTokenId", "NoSuchBucket"])
def test_what_no_later_request_can_mend_ends_it(world, code):
    connection = over(world)
    refuse(connection, "s3", "ListObjectsV2", code)
    with pytest.raises(AccessError, match=f"s3:ListBucket of demo-raw: {code}"):
        prepare(connection, world.names, options())


def test_what_cannot_be_masked_is_refused_before_anything_is_asked(world):
    connection = over(world)
    with pytest.raises(UsageError, match="event_id"):
        prepare(connection, world.names, options(mask=("event_id",)))
    assert sent(connection) == set()


def test_a_report_with_a_wrong_address_is_refused_before_anything_is_written(world, tmp_path):
    names = replace(world.names, raw_inventory="s3://reports/data/1.parquet")
    with pytest.raises(SettingsError, match="no manifest of an inventory report"):
        take(world, tmp_path / "case", names)
    assert list(tmp_path.iterdir()) == []


def test_reports_of_tables_that_are_not_asked_for_do_not_matter(world):
    wrong = "s3://reports/nothing"
    names = replace(world.names, raw_inventory=wrong, dedupe_export=wrong)
    prepare(over(world), names, options(only=("events",)))
