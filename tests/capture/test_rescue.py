"""Records that dead letters only point at, fetched while the stream still has them."""

from __future__ import annotations

import json
from base64 import b64encode
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from investigate.capture import dead_letters, queues, rescue, shards
from investigate.capture.run import _settle
from investigate.capture.values import MASKED
from investigate.errors import AccessError
from investigate.pipeline import REFERENCE
from investigate.tables import schema_of
from tests.builders import START
from tests.capture.helpers import coverage, loaded, refuse, rows_of, source_of
from tests.capture.streams import TABLE_SHARD, TABLE_START, changed_table
from tests.capture.test_failure_objects import OF_A_STREAM

DEAD = "arn:aws:sqs:eu-west-1:123456789012:dead"
EVENT = json.dumps({"event_id": "e1"}).encode()


@pytest.fixture
def stream(world: Any) -> Any:
    """A Kinesis stream with three records, the second of which is no text."""
    kinesis = boto3.client("kinesis")
    kinesis.create_stream(StreamName="orders", ShardCount=1)
    for data in (EVENT, b"\xff\x00", b"third"):
        kinesis.put_record(StreamName="orders", Data=data, PartitionKey="k")
    return kinesis.describe_stream_summary(StreamName="orders")["StreamDescriptionSummary"]


def letter(name: str = "m1", queue: str = DEAD, **batch: Any) -> dict[str, Any]:
    """A dead letter as a queue holds it, as a row."""
    known = {**OF_A_STREAM["KinesisBatchInfo"], "shardId": "shardId-000000000000", **batch}
    body = {**OF_A_STREAM, "KinesisBatchInfo": known}
    message = {"MessageId": name, "Body": json.dumps(body)}
    return dead_letters.row_of(
        dead_letters.taken_apart(message, dead_letters.LetterQueue(queue), REFERENCE)
    )


def source_with(
    world: Any, *letters: dict[str, Any], status: str = "captured", **options: Any
) -> Any:
    """A source whose dead letters were read already."""
    source = source_of(world, **{"sample_messages": 10, **options})
    known = rescue.Coverage(status, "1 of about 2" if status == "partial" else None)
    _settle(source, "tables dead_letters", [queues.Captured("dead_letters", known, list(letters))])
    return source


def read(source: Any) -> Any:
    (captured,) = rescue.read_rescued(source)
    return loaded(source, captured)


def told(captured: Any) -> list[tuple[Any, ...]]:
    return [(row["status"], row["sequence"], row["data"]) for row in rows_of(captured)]


def test_each_record_of_a_letter_is_a_row(world, stream):
    source = source_with(world, letter(startSequenceNumber="1", endSequenceNumber="2"))
    captured = read(source)
    assert coverage(captured) == ("captured", None)
    first, second = rows_of(captured)
    assert first == {
        "message_id": "m1",
        "queue_arn": DEAD,
        "stream_arn": stream["StreamARN"],
        "shard_id": "shardId-000000000000",
        "sequence": "1",
        "status": "fetched",
        "partition_key": "k",
        "arrived_utc": START,
        "data": EVENT.decode(),
        "event_id": "e1",
        "error": None,
    }
    assert set(first) == set(schema_of("rescued").names)
    assert (second["sequence"], second["data"]) == ("2", b64encode(b"\xff\x00").decode())
    assert second["event_id"] is None


def test_without_payloads_the_data_is_dropped_and_the_event_is_named(world, stream):
    pointing = letter(startSequenceNumber="1", endSequenceNumber="1")
    (row,) = rows_of(read(source_with(world, pointing, payloads=False)))
    assert (row["data"], row["partition_key"], row["event_id"]) == (None, None, "e1")


def test_a_masked_account_is_known_to_the_requests_only(world, stream):
    pointing = letter(startSequenceNumber="1", endSequenceNumber="1")
    pointing["source_arn"] = pointing["source_arn"].replace("123456789012", MASKED)
    source = source_with(world, pointing, mask_account=True)
    source.names = type(source.names)(account_id="123456789012")
    assert [status for status, *_ in told(read(source))] == ["fetched"]


@pytest.mark.parametrize(
    ("end", "left", "found", "error"),
    [
        ("2", ["3"], [], "the stream does not hold the records any more"),
        ("3", ["3"], ["3"], "the stream does not hold the records before 3 any more"),
        ("10", ["3", "9"], ["3", "9"], "the stream does not hold the records before 3 any more"),
        ("2", [], [], "the stream does not hold the records any more"),
    ],
)
def test_what_kinesis_has_trimmed_is_expired(end, left, found, error):
    # Kinesis answers about what it has trimmed with what is left.
    pointer = rescue.Pointer("m", DEAD, "s", "shard", "1", end)
    records = []
    with pytest.raises(shards.Gone, match=error):
        records.extend(record["sequence"] for record in rescue._records(Left(left), pointer))
    assert records == found


@pytest.mark.parametrize("answers", [[["1"]], [], [["1"], [], [], ["2"]]])
@pytest.mark.parametrize("stream", ["kinesis:r:1:stream/s", "dynamodb:r:1:table/t/stream/1"])
def test_a_shard_that_was_not_read_to_the_end_failed_and_did_not_expire(answers, stream):
    pointer = rescue.Pointer("m", DEAD, f"arn:aws:{stream}", "shard", "1", "3")
    source = SimpleNamespace(connection=Endless(answers))
    *fetched, last = rescue._rows(source, pointer)
    assert [row["sequence"] for row in fetched] == [one for page in answers for one in page]
    assert (last["status"], last["error"]) == (
        "failed",
        "not read to the end: 20 answers in a row had no records",
    )


def test_a_pause_of_records_is_not_the_end_of_a_shard():
    pointer = rescue.Pointer("m", DEAD, "arn:aws:kinesis:r:1:stream/s", "shard", "1", "2")
    source = SimpleNamespace(connection=Endless([["1"], *[[]] * 19, ["2"]]))
    assert [row["status"] for row in rescue._rows(source, pointer)] == ["fetched", "fetched"]


def test_a_shard_that_ends_before_the_last_record_of_a_letter_failed():
    pointer = rescue.Pointer("m", DEAD, "s", "shard", "1", "3")
    with pytest.raises(shards.Unfinished, match="nothing from 2 to 3"):
        list(rescue._records(Left(["1", "2"]), pointer))


class Endless:
    """A shard that gives these records page by page, then always answers that it has more."""

    def __init__(self, pages: list[list[str]]) -> None:
        self._pages = iter(pages)

    def call(self, service: str, operation: str, **_: Any) -> dict[str, Any]:
        if operation == "GetShardIterator":
            return {"ShardIterator": "i"}
        record = _of_kinesis if service == "kinesis" else _of_dynamodb
        records = [record(sequence) for sequence in next(self._pages, [])]
        return {"Records": records, "NextShardIterator": "i", "MillisBehindLatest": 1000}


def _of_kinesis(sequence: str) -> dict[str, Any]:
    return {"Data": b"x", "SequenceNumber": sequence, "PartitionKey": "k"}


def _of_dynamodb(sequence: str) -> dict[str, Any]:
    return {"eventName": "INSERT", "dynamodb": {"SequenceNumber": sequence}}


class Left:
    """A stream with what is left."""

    def __init__(self, sequences: list[str]) -> None:
        self._sequences = sequences

    def records(self, shard: str, start: str) -> Any:
        return iter([{"sequence": one} for one in self._sequences])


def test_an_expired_letter_is_one_row_and_no_lack_of_the_capture(world, stream):
    source = source_with(world, letter(startSequenceNumber="7", endSequenceNumber="9"))
    captured = read(source)
    assert told(captured) == [("expired", None, None)]
    assert coverage(captured) == ("captured", None)


def test_a_denied_letter_is_one_row_and_the_next_is_fetched(world, stream):
    letters = [
        letter(name, startSequenceNumber=number, endSequenceNumber=number)
        for name, number in (("m1", "1"), ("m2", "3"))
    ]
    source = source_with(world, *letters)
    refuse(
        source.connection, "kinesis", "GetShardIterator",
        only=lambda asked: b'"StartingSequenceNumber": "1"' in asked["body"],
    )  # fmt: skip
    captured = read(source)
    reason = f"AccessDeniedException: kinesis:GetShardIterator of {stream['StreamARN']}"
    assert told(captured) == [("denied", None, None), ("fetched", "3", "third")]
    assert rows_of(captured)[0]["error"] == reason
    assert coverage(captured) == ("partial", reason)


def test_a_letter_that_does_not_say_its_records_fails(world):
    source = source_with(world, letter(startSequenceNumber=None))
    (row,) = rows_of(read(source))
    assert row["status"] == "failed"
    assert row["error"] == "dead letter m1 does not say which records it is about"


def test_a_letter_of_what_is_no_stream_fails(world):
    (row,) = rows_of(read(source_with(world, letter(streamArn="arn:aws:kafka:r:1:topic"))))
    assert row["error"] == "'arn:aws:kafka:r:1:topic' is no stream of Kinesis or DynamoDB"


def test_no_more_than_so_many_records_of_a_letter_are_fetched(world, stream, monkeypatch):
    monkeypatch.setattr(rescue, "MOST_RECORDS", 2)
    source = source_with(world, letter(startSequenceNumber="1", endSequenceNumber="3"))
    assert [status for status, *_ in told(read(source))] == ["fetched", "fetched", "failed"]


def test_letters_in_a_bucket_hold_their_records_already(world):
    captured = read(source_with(world, letter(queue="arn:aws:s3:::failures")))
    assert (rows_of(captured), coverage(captured)) == ([], ("captured", None))


def test_a_sample_of_the_letters_is_said(world):
    captured = read(source_with(world, status="partial"))
    assert coverage(captured) == ("partial", "of the dead letters: 1 of about 2")


def test_nothing_is_fetched_unless_letters_are_received(world):
    captured = read(source_of(world))
    assert captured.coverage.status == "skipped"
    assert "--sample-messages" in str(captured.coverage.reason)


def test_letters_that_were_not_read_point_at_nothing(world):
    source = source_of(world, sample_messages=1)
    assert coverage(read(source)) == ("failed", "the dead letters were not read")
    unread = queues.Captured("dead_letters", rescue.Coverage("denied", "AccessDenied: sqs"))
    _settle(source, "tables dead_letters", [unread])
    assert coverage(read(source)) == ("denied", "no dead letters: AccessDenied: sqs")


def test_what_was_fetched_before_a_capture_stopped_is_not_fetched_again(world, stream):
    letters = [
        letter(name, startSequenceNumber="1", endSequenceNumber="1") for name in ("m1", "m2")
    ]
    source = source_with(world, *letters)
    refuse(source.connection, "kinesis", "GetRecords", "ExpiredTokenException", Second())
    with pytest.raises(AccessError):
        read(source)
    again = source_of(world, sample_messages=10)
    again.draft = source.draft
    assert [row["message_id"] for row in rows_of(read(again))] == ["m1", "m2"]
    assert again.connection.meter.snapshot()["requests"]["kinesis:GetRecords"] == 1


class Second:
    """Whether it is asked for the second time, or later."""

    def __init__(self) -> None:
        self._asked = 0

    def __call__(self, request: Any) -> bool:
        self._asked += 1
        return self._asked > 1


@pytest.fixture
def changed(world: Any) -> str:
    return changed_table(world)


def of_table(stream_arn: str) -> dict[str, Any]:
    return letter(
        streamArn=stream_arn, shardId=TABLE_SHARD,
        startSequenceNumber=TABLE_START, endSequenceNumber=str(int(TABLE_START) + 1),
    )  # fmt: skip


def test_a_change_of_a_table_is_a_record_with_its_keys_and_images(world, changed):
    first, second = rows_of(read(source_with(world, of_table(changed))))
    assert (first["event_id"], second["event_id"]) == ("a", "b")
    assert first["partition_key"] == '{"event_id": "a"}'
    data = json.loads(first["data"])
    assert (data["eventName"], data["NewImage"]["blob"]) == ("INSERT", "/w==")
    assert first["arrived_utc"] == START


def test_a_change_that_the_stream_has_trimmed_is_expired(world, changed):
    source = source_with(world, of_table(changed))
    refuse(source.connection, "dynamodbstreams", "GetShardIterator", "TrimmedDataAccessException")
    (row,) = rows_of(read(source))
    assert row["status"] == "expired"
    assert row["error"] == f"TrimmedDataAccessException: dynamodb:GetShardIterator of {changed}"


def test_a_removal_is_known_by_what_was_removed():
    change = {"Keys": {"pk": {"S": "x"}}, "OldImage": {"event_id": {"S": "gone"}}}
    row = shards.dynamodb_record(
        {"eventName": "REMOVE", "dynamodb": {**change, "SequenceNumber": "1"}}
    )
    assert (row["event_id"], row["arrived_utc"]) == ("gone", None)
