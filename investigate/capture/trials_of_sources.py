"""The cheapest calls about what is before the functions: rules, topics and streams."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

Parameters = dict[str, Any]
Calls = Iterator[tuple[str, Parameters]]
_NOBODY = "investigate-doctor"  # a rule, a topic and a stream that do not exist
_SHARD = {"ShardId": "shardId-000000000000", "ShardIteratorType": "AT_SEQUENCE_NUMBER"}
_SEQUENCE = "0" * 21  # the shortest that DynamoDB Streams takes


class TriedPipeline(Protocol):
    """The pipeline whose permissions are tried."""

    @property
    def function_arns(self) -> tuple[str, ...]:
        """The ARN of each function that can be read."""
        ...


def _rule_names(subject: TriedPipeline) -> Calls:
    for arn in subject.function_arns[:1]:
        yield "*", {"TargetArn": arn}


def _rule(subject: TriedPipeline) -> Calls:
    for _ in subject.function_arns[:1]:
        yield "*", {"Name": _NOBODY}


def _targets(subject: TriedPipeline) -> Calls:
    for _ in subject.function_arns[:1]:
        yield "*", {"Rule": _NOBODY}


def _topic(subject: TriedPipeline) -> Calls:
    for arn in subject.function_arns[:1]:
        yield "*", {"TopicArn": _beside(arn, "sns", _NOBODY)}


def _subscription(subject: TriedPipeline) -> Calls:
    for arn in subject.function_arns[:1]:
        nobody = f"{_NOBODY}:00000000-0000-0000-0000-000000000000"
        yield "*", {"SubscriptionArn": _beside(arn, "sns", nobody)}


def _stream(subject: TriedPipeline) -> Calls:
    for arn in subject.function_arns[:1]:
        yield "*", {"StreamARN": _beside(arn, "kinesis", f"stream/{_NOBODY}")}


def _shard(subject: TriedPipeline) -> Calls:
    for resource, asked in _stream(subject):
        yield resource, {**asked, **_SHARD, "StartingSequenceNumber": "0"}


def _table_shard(subject: TriedPipeline) -> Calls:
    for arn in subject.function_arns[:1]:
        stream = f"table/{_NOBODY}/stream/2000-01-01T00:00:00.000"
        asked = {**_SHARD, "ShardId": "shardId-00000000000000000000", "SequenceNumber": _SEQUENCE}
        yield "*", {"StreamArn": _beside(arn, "dynamodb", stream), **asked}


def _beside(function_arn: str, service: str, resource: str) -> str:
    """Return the ARN of another resource in the account and region of a function."""
    parts = function_arn.split(":")
    return ":".join([*parts[:2], service, *parts[3:5], resource])


CALLS: Mapping[str, Callable[[TriedPipeline], Calls]] = {
    "events:ListRuleNamesByTarget": _rule_names,
    "events:DescribeRule": _rule,
    "events:ListTargetsByRule": _targets,
    "sns:ListSubscriptionsByTopic": _topic,
    "sns:GetSubscriptionAttributes": _subscription,
    "kinesis:DescribeStreamSummary": _stream,
    "kinesis:GetShardIterator": _shard,
    "dynamodb:GetShardIterator": _table_shard,
}
# Not tried, and why.
UNTRIED = dict.fromkeys(
    ("kinesis:GetRecords", "dynamodb:GetRecords"), "it needs a place in a stream that exists"
)
