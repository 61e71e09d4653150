"""The evidence, put on the servers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.capture.evidence import BUCKET, REGION, TABLE, Event, events
from benchmarks.capture.servers import KEY

_WRITERS = 8
_ITEMS_PER_REQUEST = 25  # as many as BatchWriteItem takes


def put_objects(url: str, count: int) -> None:
    """Put so many raw objects into the bucket of an S3 server."""
    import obstore
    from obstore.store import S3Store

    where = {"LocationConstraint": REGION}
    _client("s3", url).create_bucket(Bucket=BUCKET, CreateBucketConfiguration=where)
    store = S3Store(
        BUCKET,
        endpoint=url,
        region=REGION,
        access_key_id=KEY,
        secret_access_key=KEY,
        virtual_hosted_style_request=False,
        client_options={"allow_http": True},
    )

    def put(event: Event) -> None:
        obstore.put(store, event.key, event.data)

    with ThreadPoolExecutor(_WRITERS) as pool:
        for _ in pool.map(put, events(count)):
            pass


def put_files(served: Path, count: int) -> None:
    """Make so many raw objects of the folder that rclone serves; those that exist stay."""
    made: set[Path] = set()
    for event in events(count):
        path = served / BUCKET / event.key
        if path.parent not in made:
            path.parent.mkdir(parents=True, exist_ok=True)
            made.add(path.parent)
        if not path.exists():
            path.write_bytes(event.data)


def put_rows(url: str, count: int) -> None:
    """Put so many rows into the EventsTable of a DynamoDB server."""
    client = _client("dynamodb", url)
    keys = {"PK": "HASH", "SK": "RANGE"}
    client.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys.items()],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in keys],
        BillingMode="PAY_PER_REQUEST",
    )
    client.get_waiter("table_exists").wait(TableName=TABLE)
    puts = [{"PutRequest": {"Item": event.item}} for event in events(count)]
    for start in range(0, count, _ITEMS_PER_REQUEST):
        batch = puts[start : start + _ITEMS_PER_REQUEST]
        left = client.batch_write_item(RequestItems={TABLE: batch})["UnprocessedItems"]
        if left:
            raise RuntimeError("a server without limits left rows unwritten")


def _client(service: str, url: str) -> Any:
    import boto3

    return boto3.client(
        service,  # type: ignore[call-overload]
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=KEY,
        aws_secret_access_key=KEY,
    )
