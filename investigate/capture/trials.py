"""Which actions are granted: the cheapest call of each is tried, and none that has an effect."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Literal

from investigate.aws import Connection
from investigate.capture.dead_letter_queues import FAILURES_PREFIX, place_of_url
from investigate.capture.exports import summary_of
from investigate.capture.functions import log_group
from investigate.capture.inventory import manifest_of
from investigate.capture.permissions import NEEDS, Need
from investigate.capture.trials_of_sources import CALLS, UNTRIED
from investigate.capture.values import to_millis
from investigate.capture.verified import ObjectLocation
from investigate.errors import AccessError
from investigate.settings import PipelineNames

Status = Literal["granted", "denied", "not found", "not configured", "not tried", "unknown"]
Parameters = dict[str, Any]
_NOBODY = "investigate-doctor"  # a key, an id and an entity that do not exist
_NO_TRACE = "1-00000000-000000000000000000000000"
_STOPPING = ("expired", "credentials", "unreachable")


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of one action on one resource."""

    need: Need
    resource: str
    status: Status
    note: str = ""


@dataclass(frozen=True)
class Subject:
    """The pipeline whose permissions are tried, at one moment."""

    connection: Connection
    names: PipelineNames
    moment: datetime
    failure_buckets: tuple[str, ...] = ()  # that Lambda puts failures into

    @property
    def tables(self) -> dict[str, str]:
        """The names of the DynamoDB tables by the tables of a case, but for those with an export,
        which are not asked themselves."""
        named = {
            name: getattr(self.names, f"{name}_table")
            for name in ("events", "dedupe", "aggregates")
            if not getattr(self.names, f"{name}_export")
        }
        return {name: value for name, value in named.items() if value}

    @property
    def queues(self) -> list[str]:
        """The URLs of the queues."""
        urls = (self.names.replay_queue_url, *self.names.dead_letter_queue_urls)
        return [url for url in urls if url]

    @cached_property
    def log_groups(self) -> tuple[str, ...]:
        """The log group of each function: its own, or the default one if that cannot be read."""
        return tuple(dict.fromkeys(log_group(known) for known in self._functions))

    @property
    def function_arns(self) -> tuple[str, ...]:
        """The ARN of each function that can be read."""
        return tuple(known["FunctionArn"] for known in self._functions if "FunctionArn" in known)

    @cached_property
    def _functions(self) -> list[Parameters]:
        """The configuration of each function; of one that cannot be read, only its name."""
        return [self._function(name) for name in self.names.functions.values()]

    def _function(self, name: str) -> Parameters:
        try:
            return self.connection.call("lambda", "GetFunctionConfiguration", FunctionName=name)
        except AccessError as error:
            if error.kind in _STOPPING:
                raise
            return {"FunctionName": name}


def try_all(subject: Subject) -> list[Trial]:
    """Return what became of every action; raise `AccessError` if nothing can be asked at all."""
    return [trial for need in NEEDS for trial in _trials(subject, need)]


def needed_but_lacking(trials: Sequence[Trial]) -> list[Need]:
    """Return the needs of every capture that were denied, or of which nothing is known."""
    lacking = [
        trial.need
        for trial in trials
        if trial.status in ("denied", "unknown") and not trial.need.only_for
    ]
    return list(dict.fromkeys(lacking))


def _trials(subject: Subject, need: Need) -> Iterator[Trial]:
    untried = "it has an effect" if need.has_effect else UNTRIED.get(need.action)
    if untried:
        yield Trial(need, "", "not tried", untried)
        return
    calls = list(_CALLS[need.action](subject))
    if not calls:
        yield Trial(need, "", "not configured")
    for resource, parameters in calls:
        status, note = _tried(subject, need, parameters)
        yield Trial(need, resource, status, note)


def _tried(subject: Subject, need: Need, parameters: Parameters) -> tuple[Status, str]:
    try:
        if need.operation == "GetObject":
            subject.connection.read_object(**parameters)
        else:
            subject.connection.call(need.service, need.operation, **parameters)
    except AccessError as error:
        return _judged(subject, need, parameters, error)
    return "granted", ""


def _judged(
    subject: Subject, need: Need, parameters: Parameters, error: AccessError
) -> tuple[Status, str]:
    """What an error says of the permission: some can only be given to who may ask."""
    if error.kind in _STOPPING:
        raise error
    # A report has a name, which may be wrong; another object is made up.
    made_up = need.kind != "object" or parameters["Key"].endswith(_NOBODY)
    if error.kind == "denied":
        hidden = need.kind == "object" and made_up and not _may_list(subject, parameters)
        return "denied", _HIDDEN if hidden else ""
    if made_up and error.code in _ABSENT.get(need.action, ()):
        return "granted", _NOTES.get(need.action, "")
    if error.kind == "not-found" or "does not exist" in error.message:
        return "not found", error.code
    return "unknown", error.code


def _may_list(subject: Subject, parameters: Parameters) -> bool:
    asked = {"Bucket": parameters["Bucket"], "Prefix": parameters["Key"], "MaxKeys": 1}
    try:
        subject.connection.call("s3", "ListObjectsV2", **asked)
    except AccessError:
        return False
    return True


_HIDDEN = "or only s3:ListBucket is: without it S3 says 403 of an object that is not there"
# What is answered only to who may ask, about what was made up or need not be there.
_ABSENT = {
    "s3:GetObject": ("NoSuchKey", "404"),
    "s3:GetObjectVersion": ("NoSuchKey", "NoSuchVersion", "404"),
    "logs:FilterLogEvents": ("ResourceNotFoundException",),
    "lambda:GetFunctionEventInvokeConfig": ("ResourceNotFoundException",),
    "lambda:GetPolicy": ("ResourceNotFoundException",),
    "events:DescribeRule": ("ResourceNotFoundException",),
    "events:ListTargetsByRule": ("ResourceNotFoundException",),
    "sns:ListSubscriptionsByTopic": ("NotFound", "NotFoundException"),
    "sns:GetSubscriptionAttributes": ("NotFound", "NotFoundException"),
    "kinesis:DescribeStreamSummary": ("ResourceNotFoundException",),
    "kinesis:GetShardIterator": ("ResourceNotFoundException",),
    "dynamodb:GetShardIterator": ("ResourceNotFoundException",),
}
_NOTES = {
    "logs:FilterLogEvents": "there is no such log group: the function has never written a line, "
    "or may not",
}


def _stack(subject: Subject) -> Iterator[tuple[str, Parameters]]:
    if subject.names.stack:
        yield subject.names.stack, {"StackName": subject.names.stack}


def _bucket(subject: Subject) -> Iterator[tuple[str, Parameters]]:
    if subject.names.raw_bucket:
        yield subject.names.raw_bucket, {"Bucket": subject.names.raw_bucket}


def _list_keys(subject: Subject) -> Iterator[tuple[str, Parameters]]:
    for name, bucket in _bucket(subject):
        yield name, {**bucket, "Prefix": subject.names.raw_prefix, "MaxKeys": 1}


def _listings(subject: Subject) -> Iterator[tuple[str, Parameters]]:
    yield from _list_keys(subject)
    for name in subject.failure_buckets:
        yield name, {"Bucket": name, "Prefix": FAILURES_PREFIX, "MaxKeys": 1}


def _object(subject: Subject) -> Iterator[tuple[str, Parameters]]:
    yield from _raw_object(subject)
    for place in _reports(subject.names):
        yield str(place), {"Bucket": place.bucket, "Key": place.key}
    for name in subject.failure_buckets:
        key = f"{FAILURES_PREFIX}{_NOBODY}"
        yield f"{name}/{FAILURES_PREFIX}*", {"Bucket": name, "Key": key}


def _reports(names: PipelineNames) -> Iterator[ObjectLocation]:
    if names.raw_inventory and names.raw_bucket:
        yield manifest_of(names.raw_inventory)
    for export in (names.events_export, names.dedupe_export, names.aggregates_export):
        if export:
            yield summary_of(export)


def _raw_object(subject: Subject) -> Iterator[tuple[str, Parameters]]:
    for name, bucket in _bucket(subject):
        prefix = subject.names.raw_prefix
        yield f"{name}/{prefix}*", {**bucket, "Key": f"{prefix}{_NOBODY}"}


def _version(subject: Subject) -> Iterator[tuple[str, Parameters]]:
    for name, asked in _raw_object(subject):
        yield name, {**asked, "VersionId": "null"}


def _describe(subject: Subject) -> Iterator[tuple[str, Parameters]]:
    for name in subject.tables.values():
        yield name, {"TableName": name}


def _scan(subject: Subject) -> Iterator[tuple[str, Parameters]]:
    for name, asked in _describe(subject):
        yield name, {**asked, "Limit": 1}


def _query(subject: Subject) -> Iterator[tuple[str, Parameters]]:
    for table in ("events", "aggregates"):
        if name := subject.tables.get(table):
            key = {":pk": {"S": subject.names.design.event_pk(_NOBODY)}}
            asked = {"KeyConditionExpression": "PK = :pk", "ExpressionAttributeValues": key}
            yield name, {"TableName": name, **asked, "Limit": 1}


def _items(subject: Subject) -> Iterator[tuple[str, Parameters]]:
    if name := subject.tables.get("dedupe"):
        yield name, {"RequestItems": {name: {"Keys": [{"event_id": {"S": _NOBODY}}]}}}


def _attributes(subject: Subject) -> Iterator[tuple[str, Parameters]]:
    for url in subject.queues:
        yield place_of_url(url)[1], {"QueueUrl": url, "AttributeNames": ["QueueArn"]}


def _url(subject: Subject) -> Iterator[tuple[str, Parameters]]:
    for url in subject.queues:
        name = place_of_url(url)[1]
        yield name, {"QueueName": name}


def _function(subject: Subject) -> Iterator[tuple[str, Parameters]]:
    for name in subject.names.functions.values():
        yield name, {"FunctionName": name}


def _mappings(subject: Subject) -> Iterator[tuple[str, Parameters]]:
    yield "*", {"MaxItems": 1}


def _lines(subject: Subject) -> Iterator[tuple[str, Parameters]]:
    end = to_millis(subject.moment)
    for group in subject.log_groups:
        yield group, {"logGroupName": group, "startTime": end - 1000, "endTime": end, "limit": 1}


def _groups(subject: Subject) -> Iterator[tuple[str, Parameters]]:
    yield "*", {"limit": 1}


def _metric(subject: Subject) -> Iterator[tuple[str, Parameters]]:
    metric = {"Namespace": "AWS/Lambda", "MetricName": "Invocations"}
    query = {"Id": "m", "MetricStat": {"Metric": metric, "Period": 300, "Stat": "Sum"}}
    start = subject.moment - timedelta(minutes=5)
    yield "*", {"MetricDataQueries": [query], "StartTime": start, "EndTime": subject.moment}


def _alarms(subject: Subject) -> Iterator[tuple[str, Parameters]]:
    yield "*", {"MaxRecords": 1}


def _summaries(subject: Subject) -> Iterator[tuple[str, Parameters]]:
    start = subject.moment - timedelta(seconds=1)
    yield "*", {"StartTime": start, "EndTime": subject.moment}


def _traces(subject: Subject) -> Iterator[tuple[str, Parameters]]:
    yield "*", {"TraceIds": [_NO_TRACE]}


_CALLS: Mapping[str, Callable[[Subject], Iterator[tuple[str, Parameters]]]] = {
    "cloudformation:ListStackResources": _stack,
    "cloudformation:DescribeStackEvents": _stack,
    "s3:ListBucket": _listings,
    "s3:GetObject": _object,
    "s3:GetBucketVersioning": _bucket,
    "s3:ListBucketVersions": _list_keys,
    "s3:GetObjectVersion": _version,
    "dynamodb:Scan": _scan,
    "dynamodb:Query": _query,
    "dynamodb:BatchGetItem": _items,
    "dynamodb:DescribeTable": _describe,
    "sqs:GetQueueAttributes": _attributes,
    "sqs:GetQueueUrl": _url,
    "lambda:GetFunctionConfiguration": _function,
    "lambda:GetFunctionConcurrency": _function,
    "lambda:GetFunctionEventInvokeConfig": _function,
    "lambda:ListFunctionEventInvokeConfigs": _function,
    "lambda:GetPolicy": _function,
    "lambda:ListAliases": _function,
    "lambda:ListVersionsByFunction": _function,
    "lambda:ListEventSourceMappings": _mappings,
    "logs:FilterLogEvents": _lines,
    "logs:DescribeLogGroups": _groups,
    "cloudwatch:GetMetricData": _metric,
    "cloudwatch:DescribeAlarms": _alarms,
    "xray:GetTraceSummaries": _summaries,
    "xray:BatchGetTraces": _traces,
    **CALLS,
}
