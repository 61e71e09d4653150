"""What the tests of streams share: a table with a stream, as the emulator makes it."""

from __future__ import annotations

from typing import Any

# The one shard of an emulated stream, and the number of its first record.
TABLE_SHARD = "shardId-00000001541626099285-f35f62ef"
TABLE_START = "1100000000017454423009"


def changed_table(world: Any) -> str:
    """A table with a stream and two changes in it; the ARN of the stream."""
    made = world.clients.dynamodb.create_table(
        TableName="orders",
        KeySchema=[{"AttributeName": "event_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "event_id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    for name in ("a", "b"):
        item = {"event_id": {"S": name}, "blob": {"B": b"\xff"}}
        world.clients.dynamodb.put_item(TableName="orders", Item=item)
    return str(made["TableDescription"]["LatestStreamArn"])
