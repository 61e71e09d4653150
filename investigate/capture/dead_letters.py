"""Dead letters: every dialect in which AWS puts a failure into a queue, as rows of one table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from investigate.capture.sampling import message_attributes
from investigate.capture.values import from_millis, json_object, later, moment, text, whole
from investigate.pipeline import Design, sha256

# DynamoDB keeps the records of a stream so long, always (DynamoDB developer guide, "Change data
# capture for DynamoDB Streams": "24 hours").
DYNAMODB_STREAM_KEEPS = timedelta(hours=24)
SQS_REDRIVE = "sqs-redrive"  # the channel of what SQS itself moved
BATCHES = ("KinesisBatchInfo", "DDBStreamBatchInfo")
_OF_EVENTBRIDGE = {"RULE_ARN", "TARGET_ARN"}
# What a custom event bus of version 2 writes, as JSON (EventBridge user guide, "Custom event bus").
_OF_SUBSCRIBER = {"subscriberArn", "errorCode", "failedMessages"}
_OF_LAMBDA = {"RequestID", "ErrorCode"}


@dataclass(frozen=True, slots=True)
class LetterQueue:
    """The queue that a dead letter lies in, and who is known to send failures there."""

    arn: str
    retention_s: int | None = None
    topics: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()  # whose dead-letter queue it is


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message of a dead-letter queue, taken apart."""

    place: LetterQueue
    message_id: str
    body: str
    record: Mapping[str, Any]  # the body, if it is a JSON object
    system: Mapping[str, str]
    given: Mapping[str, str]  # the attributes that its sender gave it
    id_name: str  # how a message of the pipeline calls the id of its event

    @property
    def sent(self) -> datetime | None:
        """When it was sent to the queue it lies in; of a standard queue's redrive, to the first."""
        return from_millis(self.system.get("SentTimestamp"))

    @property
    def expires(self) -> datetime | None:
        """When the queue deletes it: a redrive between standard queues keeps the first sending."""
        sent, kept = self.sent, self.place.retention_s
        return None if sent is None or kept is None else later(sent, timedelta(seconds=kept))

    def id_in(self, record: Mapping[str, Any]) -> str | None:
        """Return the id of the event that a record names, as a message or as itself."""
        return text(record.get(self.id_name, record.get("event_id")))


def taken_apart(message: Mapping[str, Any], place: LetterQueue, design: Design) -> DeadLetter:
    """Return a message that was received from a dead-letter queue, taken apart."""
    return DeadLetter(
        place=place,
        message_id=message["MessageId"],
        body=message["Body"],
        record=json_object(message["Body"]) or {},
        system=message.get("Attributes", {}),
        given=message_attributes(message),
        id_name=design.message_fields["event_id"],
    )


def row_of(letter: DeadLetter) -> dict[str, Any]:
    """Return a dead letter as a row of `dead_letters`; what its dialect does not say is null."""
    channel = channel_of(letter)
    return {
        "channel": channel,
        "message_id": letter.message_id,
        "body": letter.body,
        "body_sha": sha256(letter.body),
        "sent_utc": letter.sent,
        "expires_utc": letter.expires,
        "queue_arn": letter.place.arn,
        "attributes": text(dict(letter.given)) if letter.given else None,
        **_DIALECTS[channel](letter),
    }


def channel_of(letter: DeadLetter) -> str:
    """Return the failure channel that a dead letter came through, by its shape."""
    # What SQS itself moved is a message of the first queue, whatever is in it.
    if letter.system.get("DeadLetterQueueSourceArn"):
        return SQS_REDRIVE
    return next((name for name, fits in _SHAPES if fits(letter)), SQS_REDRIVE)


def _is_stream(letter: DeadLetter) -> bool:
    return any(isinstance(letter.record.get(name), dict) for name in BATCHES)


def _is_destination(letter: DeadLetter) -> bool:
    return "requestPayload" in letter.record and isinstance(
        letter.record.get("requestContext"), dict
    )


def _is_notification(letter: DeadLetter) -> bool:
    return letter.record.get("Type") == "Notification" and "TopicArn" in letter.record


_SHAPES: tuple[tuple[str, Callable[[DeadLetter], bool]], ...] = (
    ("eventbridge-dlq", lambda letter: not letter.given.keys().isdisjoint(_OF_EVENTBRIDGE)),
    ("eventbridge-dlq", lambda letter: letter.record.keys() >= _OF_SUBSCRIBER),
    ("sns-dlq", _is_notification),
    ("lambda-dlq", lambda letter: letter.given.keys() >= _OF_LAMBDA),
    ("stream-destination", _is_stream),
    ("lambda-destination", _is_destination),
    # With raw delivery a notification is its bare text: then only the queue's policy tells.
    ("sns-dlq", lambda letter: bool(letter.place.topics)),
)


def _redrive(letter: DeadLetter) -> dict[str, Any]:
    received = whole(letter.system.get("ApproximateReceiveCount"))
    return {
        "source_arn": letter.system.get("DeadLetterQueueSourceArn"),
        "event_id": letter.id_in(letter.record),
        # The look that brought it here was one of the receives, and no attempt.
        "attempts": received - 1 if received and received > 1 else None,
    }


def _lambda_dlq(letter: DeadLetter) -> dict[str, Any]:
    function = _only(letter.place.functions)
    return {
        "source_arn": function,
        "target_arn": function,
        "request_id": letter.given["RequestID"],
        "event_id": letter.id_in(letter.record),
        "error_code": letter.given["ErrorCode"],
        "error_message": letter.given.get("ErrorMessage"),
        "last_failed_utc": letter.sent,
    }


def _lambda_destination(letter: DeadLetter) -> dict[str, Any]:
    payload = letter.record["requestPayload"]
    answer = _object(letter.record, "responsePayload")
    return {
        **_requested(letter),
        "source_arn": text(_object(letter.record, "requestContext").get("functionArn")),
        "event_id": letter.id_in(payload if isinstance(payload, dict) else {}),
        **({"error_code": text(answer["errorType"])} if answer.get("errorType") else {}),
        "error_message": text(answer.get("errorMessage")),
    }


def _stream_destination(letter: DeadLetter) -> dict[str, Any]:
    kind = next(name for name in BATCHES if isinstance(letter.record.get(name), dict))
    batch = letter.record[kind]
    return {
        **_requested(letter),
        "source_arn": text(batch.get("streamArn")),
        "first_failed_utc": moment(batch.get("approximateArrivalOfFirstRecord")),
        "expires_utc": _stream_expiry(letter, kind),
        "shard_id": text(batch.get("shardId")),
        "start_sequence": text(batch.get("startSequenceNumber")),
        "end_sequence": text(batch.get("endSequenceNumber")),
    }


def _stream_expiry(letter: DeadLetter, kind: str) -> datetime | None:
    """When the records that the letter points at are gone; how long Kinesis keeps them, the
    letter does not say."""
    first = moment(letter.record[kind].get("approximateArrivalOfFirstRecord"))
    if kind != "DDBStreamBatchInfo" or first is None:
        return None
    ends = (later(first, DYNAMODB_STREAM_KEEPS), letter.expires)
    return min((end for end in ends if end), default=None)


def _requested(letter: DeadLetter) -> dict[str, Any]:
    """What the records of both kinds of Lambda destination say."""
    context = _object(letter.record, "requestContext")
    response = _object(letter.record, "responseContext")
    return {
        "request_id": text(context.get("requestId")),
        "target_arn": text(context.get("functionArn")),
        "condition": text(context.get("condition")),
        "attempts": whole(context.get("approximateInvokeCount")),
        "error_code": text(response.get("functionError")),
        "last_failed_utc": moment(letter.record.get("timestamp")),
    }


def _eventbridge(letter: DeadLetter) -> dict[str, Any]:
    if letter.record.keys() >= _OF_SUBSCRIBER:
        return _subscriber(letter)
    return {
        "source_arn": letter.given.get("RULE_ARN"),
        "target_arn": letter.given.get("TARGET_ARN"),
        "event_id": letter.id_in(letter.record) or letter.id_in(_object(letter.record, "detail")),
        "error_code": letter.given.get("ERROR_CODE"),
        "error_message": letter.given.get("ERROR_MESSAGE"),
        "condition": letter.given.get("EXHAUSTED_RETRY_CONDITION"),
        "attempts": whole(letter.given.get("RETRY_ATTEMPTS")),
        "last_failed_utc": letter.sent,
    }


def _subscriber(letter: DeadLetter) -> dict[str, Any]:
    """What a subscriber of version 2 says, which stands where a rule stood; its events are named by
    ids of EventBridge's own."""
    return {
        "source_arn": text(letter.record["subscriberArn"]),
        "target_arn": text(letter.record.get("targetArn")),
        "error_code": text(letter.record["errorCode"]),
        "error_message": text(letter.record.get("errorMessage")),
        "condition": text(letter.record.get("exhaustedRetryCondition")),
        "attempts": whole(letter.record.get("retryAttempts")),
        "last_failed_utc": letter.sent,
    }


def _sns(letter: DeadLetter) -> dict[str, Any]:
    enveloped = _is_notification(letter)
    said = text(letter.record.get("Message")) if enveloped else letter.body
    topic = text(letter.record["TopicArn"]) if enveloped else _only(letter.place.topics)
    return {
        "source_arn": topic,
        "request_id": letter.given.get("RequestID"),
        "event_id": letter.id_in(json_object(said or "") or {}),
        "error_code": letter.given.get("ErrorCode"),
        "error_message": letter.given.get("ErrorMessage"),
        "last_failed_utc": letter.sent,
    }


_DIALECTS: Mapping[str, Callable[[DeadLetter], dict[str, Any]]] = {
    SQS_REDRIVE: _redrive,
    "lambda-dlq": _lambda_dlq,
    "lambda-destination": _lambda_destination,
    "stream-destination": _stream_destination,
    "eventbridge-dlq": _eventbridge,
    "sns-dlq": _sns,
}


def _only(names: tuple[str, ...]) -> str | None:
    return names[0] if len(names) == 1 else None


def _object(record: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = record.get(name)
    return found if isinstance(found, dict) else {}


def topics_of(policy: str | None) -> tuple[str, ...]:
    """Return the SNS topics that a queue's policy lets send to it."""
    statements = (json_object(policy or "") or {}).get("Statement", [])
    found = dict.fromkeys(
        arn
        for statement in (statements if isinstance(statements, list) else [statements])
        if isinstance(statement, dict) and statement.get("Effect") == "Allow"
        for arn in _texts_in(statement.get("Condition"))
        if arn.split(":")[2:3] == ["sns"]
    )
    return tuple(found)


def _texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts_in(part)
