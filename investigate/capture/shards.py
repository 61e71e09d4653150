"""Records of one shard of a stream from a sequence number on: Kinesis and DynamoDB Streams."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from investigate.aws import Connection
from investigate.capture.values import json_object, plain, text, utc
from investigate.errors import AccessError, UsageError

_AT_ONCE = 1_000  # records of one request; DynamoDB Streams gives no more
# A page without records proves nothing: the next may have some. So many in a row end the reading,
# and what was not reached by then stays unknown.
_EMPTY_PAGES = 20
_TRIMMED = "TrimmedDataAccessException"


class Gone(Exception):
    """The stream does not hold the records any more."""


class Unfinished(Exception):
    """A shard was not read to the end: whether it holds the records is unknown."""


class Reader(Protocol):
    """Reads a stream."""

    def records(self, shard: str, start: str) -> Iterator[Mapping[str, Any]]:
        """Yield the records of a shard from a sequence number on, up to the newest, as columns of
        `rescued`; raise `Gone`, `AccessError`, and `Unfinished` if the stream has more."""
        ...


def reader_of(connection: Connection, stream_arn: str) -> Reader:
    """Return what reads a stream; raise `UsageError` for what is none."""
    service = [*stream_arn.split(":"), "", "", ""][2]
    if service == "kinesis":
        return _Kinesis(connection, stream_arn)
    if service == "dynamodb":
        return _DynamoDb(connection, stream_arn)
    raise UsageError(f"{stream_arn!r} is no stream of Kinesis or DynamoDB")


class _Kinesis:
    def __init__(self, connection: Connection, arn: str) -> None:
        self._connection = connection
        self._arn = arn

    def records(self, shard: str, start: str) -> Iterator[Mapping[str, Any]]:
        asked = {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": start}
        answer = self._connection.call(
            "kinesis", "GetShardIterator", StreamARN=self._arn, ShardId=shard, **asked
        )
        yield from map(kinesis_record, _to_the_end(answer.get("ShardIterator"), self._page))

    def _page(self, iterator: str) -> dict[str, Any]:
        asked = {"StreamARN": self._arn, "ShardIterator": iterator, "Limit": _AT_ONCE}
        return self._connection.call("kinesis", "GetRecords", **asked)


class _DynamoDb:
    def __init__(self, connection: Connection, arn: str) -> None:
        self._connection = connection
        self._arn = arn

    def records(self, shard: str, start: str) -> Iterator[Mapping[str, Any]]:
        asked = {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "SequenceNumber": start}
        answer = self._call("GetShardIterator", StreamArn=self._arn, ShardId=shard, **asked)
        yield from map(dynamodb_record, _to_the_end(answer.get("ShardIterator"), self._page))

    def _page(self, iterator: str) -> dict[str, Any]:
        return self._call("GetRecords", ShardIterator=iterator, Limit=_AT_ONCE)

    def _call(self, operation: str, **asked: Any) -> dict[str, Any]:
        try:
            return self._connection.call("dynamodbstreams", operation, **asked)
        except AccessError as error:
            if error.code != _TRIMMED:
                raise
            raise Gone(f"{error.code}: {error.asked}") from error


def _to_the_end(
    iterator: str | None, page_at: Callable[[str], Mapping[str, Any]]
) -> Iterator[Mapping[str, Any]]:
    """Yield the records from an iterator on to the end of the shard; raise `Unfinished`.

    The end is where a closed shard gives no iterator, and where Kinesis says that nothing is newer
    (`MillisBehindLatest`); of an open shard, DynamoDB never says so.
    """
    empty = 0
    while iterator:
        if empty == _EMPTY_PAGES:
            raise Unfinished(f"not read to the end: {empty} answers in a row had no records")
        page = page_at(iterator)
        yield from page["Records"]
        empty = 0 if page["Records"] else empty + 1
        at_the_end = not page["Records"] and page.get("MillisBehindLatest") == 0
        iterator = None if at_the_end else page.get("NextShardIterator")


def kinesis_record(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record of Kinesis as columns of `rescued`; data that is no UTF-8 as base64."""
    data = as_text(record["Data"])
    return {
        "sequence": record["SequenceNumber"],
        "partition_key": record.get("PartitionKey"),
        "arrived_utc": utc(record.get("ApproximateArrivalTimestamp")),
        "data": data,
        "event_id": text((json_object(data) or {}).get("event_id")),
    }


def dynamodb_record(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record of a DynamoDB stream as columns of `rescued`: its data is the change as JSON,
    its items as plain values."""
    change = record["dynamodb"]
    images = {
        name: {key: plain(value) for key, value in change[name].items()}
        for name in ("Keys", "NewImage", "OldImage")
        if name in change
    }
    item = images.get("NewImage") or images.get("OldImage") or images.get("Keys", {})
    data = {"eventName": record.get("eventName"), **images}
    return {
        "sequence": change["SequenceNumber"],
        "partition_key": text(images.get("Keys")),
        "arrived_utc": utc(change.get("ApproximateCreationDateTime")),
        "data": json.dumps(data, sort_keys=True, ensure_ascii=False),
        "event_id": text(item.get("event_id")),
    }


def as_text(data: bytes) -> str:
    """Return bytes as the text they are, or as base64 if they are none in UTF-8."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return b64encode(data).decode("ascii")
