"""Streams of DynamoDB as AWS answers about them, where moto fails instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.core.exceptions import JsonRESTError


def refuse_unknown_streams(streams: Any) -> None:
    """Let an emulated DynamoDB Streams refuse what does not exist."""
    iterator: Callable[..., Any] = streams.get_shard_iterator
    records: Callable[..., Any] = streams.get_records

    def get_shard_iterator(
        arn: str, shard_id: str, shard_iterator_type: str, sequence_number: int | None = None
    ) -> Any:
        name = arn.split(":", 6)[5].split("/")[1]
        table = streams.dynamodb.tables.get(name)
        shard = table and table.stream_shard
        if shard is None or shard.id != shard_id:
            said = f"Requested resource not found: Stream: {arn} not found"
            raise JsonRESTError("ResourceNotFoundException", said)
        return iterator(arn, shard_id, shard_iterator_type, sequence_number)

    def get_records(iterator_arn: str, limit: int) -> Any:
        if iterator_arn not in streams.shard_iterators:
            raise JsonRESTError("ValidationException", "Invalid ShardIterator")
        return records(iterator_arn, limit)

    streams.get_shard_iterator = get_shard_iterator
    streams.get_records = get_records
