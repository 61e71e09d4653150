"""Failures in a bucket: read without an effect, with the records in them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from weakref import WeakValueDictionary

import pytest

from investigate import pipeline
from investigate.capture import dead_letter_queues, failure_objects, queues
from investigate.model import Window
from investigate.pipeline import REFERENCE
from tests.builders import START
from tests.capture.helpers import coverage, refuse, rows_of, source_of

BUCKET = "arn:aws:s3:::failures"
STREAM = "arn:aws:kinesis:eu-west-1:123456789012:stream/orders"
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:demo-ingest"
OF_A_STREAM = {
    "requestContext": {
        "requestId": "r1", "functionArn": FUNCTION, "condition": "RetryAttemptsExhausted",
        "approximateInvokeCount": 3,
    },
    "responseContext": {
        "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled",
    },
    "version": "1.0",
    "timestamp": "2026-03-10T00:00:06.021Z",
    "KinesisBatchInfo": {
        "shardId": "shardId-000000000001", "startSequenceNumber": "11", "endSequenceNumber": "12",
        "approximateArrivalOfFirstRecord": "2026-03-10T00:00:04.835Z",
        "approximateArrivalOfLastRecord": "2026-03-10T00:00:05.580Z",
        "batchSize": 2, "streamArn": STREAM,
    },
    "payload": '{"Records": []}',
}  # fmt: skip
OF_A_CALL = {
    "version": "1.0",
    "timestamp": "2026-03-10T00:00:06.021Z",
    "requestContext": {
        "requestId": "r2", "functionArn": FUNCTION, "condition": "RetriesExhausted",
        "approximateInvokeCount": 3,
    },
    "requestPayload": {"event_id": "e1"},
    "responseContext": {"statusCode": 200, "functionError": "Unhandled"},
    "responsePayload": {"errorType": "KeyError", "errorMessage": "'a'"},
}  # fmt: skip
KEY = "aws/lambda/async/demo-ingest/2026/03/10/2026-03-10T00.00.06-a"


@pytest.fixture
def failing(world: Any) -> Any:
    """A world whose ingest sends its failures to a bucket."""
    world.clients.s3.create_bucket(
        Bucket="failures", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    world.clients.lambda_.put_function_event_invoke_config(
        FunctionName="demo-ingest", DestinationConfig={"OnFailure": {"Destination": BUCKET}}
    )
    return world


def put(world: Any, key: str, body: Any) -> None:
    said = body if isinstance(body, bytes) else json.dumps(body).encode()
    world.clients.s3.put_object(Bucket="failures", Key=key, Body=said)


def read(source: Any) -> Any:
    (captured,) = queues.read_dead_letters(source)
    return captured


def folder(prefix: str = "aws/lambda/u/") -> dead_letter_queues.Folder:
    return dead_letter_queues.Folder(BUCKET, prefix, "the mapping u")


def row_of(body: Any) -> Any:
    listed = {"Key": "k", "LastModified": START}
    return failure_objects.row_of(folder(), listed, json.dumps(body).encode(), REFERENCE)


def test_a_failure_of_a_function_is_a_dead_letter_without_any_sampling(failing):
    put(failing, KEY, OF_A_CALL)
    put(failing, "aws/lambda/async/another/a", OF_A_CALL)
    captured = read(source_of(failing))
    assert coverage(captured) == ("captured", None)
    (row,) = rows_of(captured)
    body = json.dumps(OF_A_CALL)
    told = {name: row[name] for name in ("channel", "message_id", "queue_arn", "event_id")}
    assert told == {
        "channel": "lambda-destination", "message_id": KEY, "queue_arn": BUCKET, "event_id": "e1",
    }  # fmt: skip
    assert (row["body"], row["body_sha"]) == (body, pipeline.sha256(body))
    assert (row["error_code"], row["error_message"], row["attempts"]) == ("KeyError", "'a'", 3)
    assert (row["sent_utc"], row["expires_utc"]) == (START, None)


def test_a_failure_of_a_stream_holds_its_records_and_expires_with_no_stream():
    row = row_of(OF_A_STREAM)
    assert (row["channel"], row["source_arn"]) == ("stream-destination", STREAM)
    assert (row["start_sequence"], row["end_sequence"]) == ("11", "12")
    assert (row["condition"], row["expires_utc"]) == ("RetryAttemptsExhausted", None)
    assert json.loads(row["body"])["payload"] == '{"Records": []}'
    of_a_table = {**OF_A_STREAM, "DDBStreamBatchInfo": OF_A_STREAM["KinesisBatchInfo"]}
    del of_a_table["KinesisBatchInfo"]
    assert row_of(of_a_table)["expires_utc"] is None


def test_a_mapping_has_a_folder_of_its_own(world):
    source = source_of(world)
    entry = {"UUID": "u", "DestinationConfig": {"OnFailure": {"Destination": BUCKET}}}
    source.once("mappings", lambda: failure_objects.Gathered([entry], places=1))
    assert dead_letter_queues.targets(source).folders == [folder()]
    assert folder().place == "s3://failures/aws/lambda/u/"


def test_versions_and_aliases_that_share_a_folder_give_each_failure_once(failing):
    put(failing, KEY, OF_A_CALL)
    source = source_of(failing)
    to_the_bucket = {"DestinationConfig": {"OnFailure": {"Destination": BUCKET}}}
    configs = [
        {"FunctionArn": f"{FUNCTION}:{qualifier}", **to_the_bucket}
        for qualifier in ("$LATEST", "prod")
    ]
    source.__dict__["invoke_configs"] = {**source.invoke_configs, "ingest": configs}
    (only,) = dead_letter_queues.targets(source).folders
    assert only.prefix == "aws/lambda/async/demo-ingest/"
    assert [row["message_id"] for row in rows_of(read(source))] == [KEY]


def test_what_is_no_record_of_a_failure_is_said(failing):
    put(failing, KEY, b"not json")
    put(failing, f"{KEY}2", {"a": 1})
    captured = read(source_of(failing))
    assert rows_of(captured) == []
    reason = f"s3://failures/{KEY} is no record of a failure"
    assert coverage(captured) == ("partial", f"{reason}; {reason.replace(KEY, f'{KEY}2')}")


def test_without_payloads_only_the_hash_is_kept(failing):
    put(failing, KEY, OF_A_CALL)
    (row,) = rows_of(read(source_of(failing, payloads=False)))
    assert (row["body"], row["body_sha"]) == (None, pipeline.sha256(json.dumps(OF_A_CALL)))


def test_failures_from_before_the_window_are_left_out(failing):
    put(failing, KEY, OF_A_CALL)
    later = START + timedelta(hours=2)
    source = source_of(failing, captured_at=later + timedelta(hours=1))
    source.options = replace(source.options, window=Window(later, later + timedelta(days=1)))
    assert rows_of(read(source)) == []


def test_of_too_many_the_newest_are_read_and_the_rest_is_said(failing, monkeypatch):
    monkeypatch.setattr(failure_objects, "MOST_OBJECTS", 2)
    for number in range(3):
        failing.clock.move_to(START + timedelta(minutes=number))
        put(failing, f"{KEY}{number}", OF_A_CALL)
    captured = read(source_of(failing))
    assert [row["message_id"] for row in rows_of(captured)] == [f"{KEY}1", f"{KEY}2"]
    said = "s3://failures/aws/lambda/async/demo-ingest/: the newest 2 of 3 failures"
    assert coverage(captured) == ("partial", said)


class Object(dict[str, Any]):
    """An entry of a listing of which one can tell whether anybody still holds it."""


def test_no_more_failures_are_held_than_are_read(monkeypatch):
    monkeypatch.setattr(failure_objects, "MOST_OBJECTS", 3)
    held: WeakValueDictionary[int, Object] = WeakValueDictionary()
    most = []

    def pages(*_: Any, **__: Any) -> Iterator[dict[str, Any]]:
        for number in range(50):
            when = START + timedelta(minutes=number * 7 % 50)
            one = Object(Key=f"k{number:02d}", LastModified=when)
            held[number] = one
            most.append(len(held))
            yield {"Contents": [one]}

    source = SimpleNamespace(
        connection=SimpleNamespace(pages=pages), options=SimpleNamespace(since=START)
    )
    newest, many = failure_objects._newest(source, folder())
    assert [one["Key"] for one in newest] == ["k21", "k14", "k07"]
    assert many == 50
    assert max(most) < 10


@pytest.mark.parametrize(
    ("operation", "status"), [("ListObjectsV2", "denied"), ("GetObject", "partial")]
)
def test_a_denied_bucket_is_no_bucket_without_failures(failing, operation, status):
    put(failing, KEY, OF_A_CALL)
    source = source_of(failing)
    refuse(source.connection, "s3", operation, "AccessDenied")
    captured = read(source)
    assert captured.coverage.status == status
    assert "AccessDenied: s3:" in str(captured.coverage.reason)


def test_queues_that_are_not_sampled_leave_the_failures_in_the_bucket(failing):
    put(failing, KEY, OF_A_CALL)
    url = failing.clients.sqs.create_queue(QueueName="dead")["QueueUrl"]
    source = source_of(failing)
    source.names = replace(source.names, dead_letter_queue_urls=(url,))
    captured = read(source)
    assert len(rows_of(captured)) == 1
    assert captured.coverage.status == "partial"
    assert "--sample-messages" in str(captured.coverage.reason)
