"""Messages of the replay queue, dead letters of every dialect, and failures kept in a bucket."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from benchmarks.fuzz.target import Target, expect, fits, parts_of, seed, text_of, texts_in
from investigate.capture import dead_letters, failure_objects
from investigate.capture.dead_letter_queues import Folder
from investigate.capture.dead_letters import LetterQueue
from investigate.capture.queues import message_row
from investigate.capture.sampling import redrive_of
from investigate.pipeline import REFERENCE

_ARN = "arn:aws:sqs:eu-west-1:123456789012:dead"
_BODY = {
    "event_id": "e", "entity_id": "u1", "event_time": "2026-03-10T00:00:00Z",
    "s3_bucket": "raw", "s3_key": "raw/k",
}  # fmt: skip
_SYSTEM = {
    "SentTimestamp": "1773100800000", "ApproximateFirstReceiveTimestamp": "1773100801000",
    "ApproximateReceiveCount": "3", "AWSTraceHeader": "Root=1-2-3;Parent=4;Sampled=1",
}  # fmt: skip
_CONTEXT = {
    "requestContext": {
        "requestId": "r", "functionArn": "arn:f", "condition": "RetriesExhausted",
        "approximateInvokeCount": 3,
    },
    "responseContext": {"statusCode": 200, "functionError": "Unhandled"},
    "timestamp": "2026-03-10T00:00:00.000Z",
}  # fmt: skip
_BATCH = {
    "shardId": "shardId-0", "startSequenceNumber": "1", "endSequenceNumber": "9",
    "approximateArrivalOfFirstRecord": "2026-03-10T00:00:00Z", "streamArn": "arn:s",
}  # fmt: skip
_POLICY = {
    "Statement": [
        {
            "Effect": "Allow",
            "Condition": {"ArnEquals": {"aws:SourceArn": "arn:aws:sns:eu-west-1:1:t"}},
        }
    ]
}
_LETTERS: tuple[tuple[Any, ...], ...] = (
    (_BODY, {**_SYSTEM, "DeadLetterQueueSourceArn": "arn:q"}, {}, {}),
    (_BODY, _SYSTEM, {"RequestID": "r", "ErrorCode": "200", "ErrorMessage": "m"}, {}),
    ({**_CONTEXT, "requestPayload": _BODY, "responsePayload": {"errorType": "E"}}, _SYSTEM, {}, {}),
    ({**_CONTEXT, "DDBStreamBatchInfo": _BATCH}, _SYSTEM, {}, {}),
    ({**_CONTEXT, "KinesisBatchInfo": _BATCH}, _SYSTEM, {}, {}),
    ({"detail": _BODY}, _SYSTEM, {"RULE_ARN": "arn:r", "RETRY_ATTEMPTS": "2"}, {}),
    ({"subscriberArn": "a", "errorCode": "e", "failedMessages": [], "retryAttempts": 1}, {}, {}),
    ({"Type": "Notification", "TopicArn": "arn:t", "Message": '{"event_id":"e"}'}, _SYSTEM, {}, {}),
    ("plain", _SYSTEM, {}, _POLICY),
)


def _received(data: bytes) -> dict[str, Any]:
    body, system, given, _ = parts_of(data, 4)
    return {
        "MessageId": "m",
        "Body": text_of(body),
        "Attributes": texts_in(system),
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": value}
            for name, value in texts_in(given).items()
        },
    }


def _message(data: bytes) -> None:
    message = _received(data)
    row = message_row(message, REFERENCE)
    fits("messages", [row])
    expect(row["body"] == message["Body"], "a body is kept as it was")
    expect(not row["well_formed"] or row["s3_key"], "a message with its reference has a key")


def _dead_letter(data: bytes) -> None:
    message, policy = _received(data), text_of(parts_of(data, 4)[3])
    topics = dead_letters.topics_of(policy)
    redrive_of({"RedrivePolicy": policy})
    for retention in (None, 1_209_600):
        place = LetterQueue(_ARN, retention, topics, ("arn:f",))
        row = dead_letters.row_of(dead_letters.taken_apart(message, place, REFERENCE))
        fits("dead_letters", [row])
        expect(row["channel"], "a dead letter came through a channel")


def _failure(data: bytes) -> None:
    listed = {"Key": "aws/lambda/async/f/k", "LastModified": datetime(2026, 3, 10, tzinfo=UTC)}
    folder = Folder("arn:aws:s3:::failures", "aws/lambda/async/f/", "f")
    row = failure_objects.row_of(folder, listed, data, REFERENCE)
    if row is not None:
        fits("dead_letters", [row])


TARGETS = (
    Target(
        "message",
        "a body, its system attributes and its sender's",
        _message,
        (seed(_BODY, _SYSTEM, {"a": "1"}), seed({**_BODY, "s3_key": ""}, {}), seed("[1]")),
    ),
    Target(
        "dead-letter",
        "a body, its system attributes, its sender's, and the policy of its queue",
        _dead_letter,
        tuple(seed(*letter) for letter in _LETTERS),
    ),
    Target(
        "destination-record",
        "an object that Lambda put into a bucket on a failure",
        _failure,
        tuple(seed(letter[0]) for letter in _LETTERS if "requestContext" in letter[0]),
    ),
)
