"""The record of a server against the list of what may be asked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3

from investigate.aws import READ_ONLY, SIDE_EFFECTS
from investigate.sandbox.weather import CALM, Weather
from investigate.sandbox.world import Sandbox
from tests.capture.campaigns import OPTIONS, campaigning
from tests.capture.streams import TABLE_SHARD, TABLE_START, changed_table
from tests.capture.test_failure_objects import OF_A_STREAM

# Asked by an estimate, of a stack and of sampled traces.
ELSEWHERE = {
    ("dynamodb", "DescribeTable"),
    ("cloudformation", "ListStackResources"),
    ("cloudformation", "DescribeStackEvents"),
    ("xray", "BatchGetTraces"),
}
# Asked of a stream that a received dead letter points into.
RESCUE = {
    (service, operation)
    for service in ("kinesis", "dynamodbstreams")
    for operation in ("GetShardIterator", "GetRecords")
}


def test_all_kinds_of_captures_together_ask_for_everything_on_the_list_and_nothing_else(
    tmp_path: Path,
) -> None:
    asked: set[tuple[str, str]] = set()
    with campaigning() as campaign:

        def take(name: str, weather: Weather = CALM, **options: Any) -> None:
            campaign.served.become(weather)
            campaign.take(tmp_path / name, options=replace(OPTIONS, **options))
            asked.update(campaign.served.requests)

        before_the_functions(campaign.sandbox)
        take("plain")
        take("entity", entities=("room-1",))
        take("denied", Weather(denied=frozenset({"lambda:ListFunctionEventInvokeConfigs"})))
        clients, names = campaign.sandbox.clients, campaign.sandbox.names
        kept = {"Status": "Enabled"}
        clients.s3.put_bucket_versioning(Bucket=names.raw_bucket, VersioningConfiguration=kept)
        take("versions")
        assert asked == pairs(READ_ONLY) - ELSEWHERE - RESCUE
        campaign.sandbox.send_message("one")
        take("sampled", sample_messages=10)
    assert asked == pairs(READ_ONLY) - ELSEWHERE | pairs(SIDE_EFFECTS)


def before_the_functions(sandbox: Sandbox) -> None:
    """A rule, a topic and two streams, with a dead letter that points into each stream."""
    lambda_, account = sandbox.clients.lambda_, "arn:aws:{}:eu-west-1:123456789012:{}"
    function = account.format("lambda", "function:demo-processor")
    stream = account.format("kinesis", "stream/orders")
    boto3.client("kinesis").create_stream(StreamName="orders", ShardCount=1)
    lambda_.create_event_source_mapping(
        FunctionName="demo-processor", EventSourceArn=stream, StartingPosition="LATEST"
    )
    events = boto3.client("events")
    events.put_rule(Name="orders", ScheduleExpression="rate(1 day)")
    failed = {"Arn": account.format("sqs", "failed")}
    target = {"Id": "a", "Arn": function, "DeadLetterConfig": failed}
    events.put_targets(Rule="orders", Targets=[target])
    sns = boto3.client("sns")
    topic = sns.create_topic(Name="orders")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=function)
    lambda_.add_permission(
        FunctionName="demo-processor", StatementId="a", Action="lambda:InvokeFunction",
        Principal="sns.amazonaws.com", SourceArn=topic,
    )  # fmt: skip
    url = sandbox.clients.sqs.create_queue(QueueName="failed")["QueueUrl"]
    table = changed_table(sandbox)
    for kind, batch in (
        ("KinesisBatchInfo", {"streamArn": stream, "shardId": "shardId-000000000000"}),
        ("DDBStreamBatchInfo", {"streamArn": table, "shardId": TABLE_SHARD}),
    ):
        numbers = {"startSequenceNumber": TABLE_START, "endSequenceNumber": TABLE_START}
        body = {kind: {**OF_A_STREAM["KinesisBatchInfo"], **batch, **numbers}}
        sandbox.clients.sqs.send_message(QueueUrl=url, MessageBody=json.dumps(body))


def pairs(operations: Mapping[str, frozenset[str]]) -> set[tuple[str, str]]:
    return {(service, name) for service, names in operations.items() for name in names}
