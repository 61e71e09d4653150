"""The record of a server against the list of what may be asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from investigate.aws import READ_ONLY, SIDE_EFFECTS
from investigate.sandbox.weather import CALM, Weather
from tests.capture.campaigns import OPTIONS, campaigning

# Asked by an estimate, of a stack, of sampled traces, and of a queue known by its ARN alone.
ELSEWHERE = {
    ("dynamodb", "DescribeTable"),
    ("cloudformation", "ListStackResources"),
    ("cloudformation", "DescribeStackEvents"),
    ("xray", "BatchGetTraces"),
    ("sqs", "GetQueueUrl"),
}
# Asked of a stream that a received dead letter points into; DynamoDB Streams signs as DynamoDB.
RESCUE = {("kinesis", "GetShardIterator"), ("kinesis", "GetRecords")}
RESCUE_OF_TABLES = {("dynamodb", "GetShardIterator"), ("dynamodb", "GetRecords")}


def test_all_kinds_of_captures_together_ask_for_everything_on_the_list_and_nothing_else(
    tmp_path: Path,
) -> None:
    asked: set[tuple[str, str]] = set()
    with campaigning() as campaign:

        def take(name: str, weather: Weather = CALM, **options: Any) -> None:
            campaign.served.become(weather)
            campaign.take(tmp_path / name, options=replace(OPTIONS, **options))
            asked.update(campaign.served.requests)

        take("plain")
        take("entity", entities=("room-1",))
        take("denied", Weather(denied=frozenset({"lambda:ListFunctionEventInvokeConfigs"})))
        clients, names = campaign.sandbox.clients, campaign.sandbox.names
        kept = {"Status": "Enabled"}
        clients.s3.put_bucket_versioning(Bucket=names.raw_bucket, VersioningConfiguration=kept)
        take("versions")
        assert asked == pairs(READ_ONLY) - ELSEWHERE
        campaign.sandbox.send_message("one")
        take("sampled", sample_messages=10)
    assert asked == pairs(READ_ONLY) - ELSEWHERE | pairs(SIDE_EFFECTS)


def pairs(operations: Mapping[str, frozenset[str]]) -> set[tuple[str, str]]:
    return {(service, name) for service, names in operations.items() for name in names}
