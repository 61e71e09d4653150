"""One realistic record of every dialect, and what stands in the table for it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from investigate import pipeline
from investigate.capture.dead_letters import LetterQueue, channel_of, row_of, taken_apart, topics_of
from investigate.pipeline import REFERENCE
from investigate.tables import as_table

SENT = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:dead"
REPLAY = "arn:aws:sqs:eu-west-1:123456789012:replay"
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:orders"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:orders"
RULE = "arn:aws:events:eu-west-1:123456789012:rule/orders"
PLACE = LetterQueue(QUEUE, retention_s=4 * 86_400)
LETTER = {"event_id": "e-1", "s3_bucket": "raw", "s3_key": "raw/e-1.json"}


def message(body, given=None, **system):
    return {
        "MessageId": "m-1",
        "Body": body if isinstance(body, str) else json.dumps(body),
        "Attributes": {
            "SentTimestamp": str(int(SENT.timestamp() * 1000)),
            "ApproximateReceiveCount": "1",
            **system,
        },
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": value}
            for name, value in (given or {}).items()
        },
    }


def row(received, place=PLACE):
    found = row_of(taken_apart(received, place, REFERENCE))
    as_table("dead_letters", [found])  # every column is an agreed one, of the right type
    return {name: value for name, value in found.items() if value is not None}


OF_EVERY_LETTER = {"sent_utc", "expires_utc", "queue_arn", "body", "body_sha", "message_id"}


def told(received, place=PLACE):
    """What a dialect itself says."""
    found = row(received, place)
    return {name: value for name, value in found.items() if name not in OF_EVERY_LETTER}


def test_a_message_that_sqs_moved_keeps_its_body_and_its_first_sending():
    moved = message(LETTER, ApproximateReceiveCount="4", DeadLetterQueueSourceArn=REPLAY)
    assert row(moved) == {
        "channel": "sqs-redrive",
        "source_arn": REPLAY,
        "message_id": "m-1",
        "body": json.dumps(LETTER),
        "body_sha": pipeline.sha256(json.dumps(LETTER)),
        "event_id": "e-1",
        "attempts": 3,  # the look that brought it here was none
        "sent_utc": SENT,
        "expires_utc": SENT + timedelta(days=4),
        "queue_arn": QUEUE,
    }


FAILED_CALL = {"RequestID": "r-1", "ErrorCode": "200", "ErrorMessage": "Task timed out"}


def test_a_dead_letter_of_an_asynchronous_call_has_its_error_and_no_attempts():
    found = told(message(LETTER, FAILED_CALL), LetterQueue(QUEUE, 60, functions=(FUNCTION,)))
    assert json.loads(found.pop("attributes")) == FAILED_CALL
    assert found == {
        "channel": "lambda-dlq",
        "source_arn": FUNCTION,
        "target_arn": FUNCTION,
        "request_id": "r-1",
        "event_id": "e-1",
        "error_code": "200",
        "error_message": "Task timed out",
        "last_failed_utc": SENT,
    }


def test_of_several_functions_with_one_dead_letter_queue_none_is_named():
    found = told(
        message(LETTER, FAILED_CALL), LetterQueue(QUEUE, 60, functions=(FUNCTION, "other"))
    )
    assert "source_arn" not in found


DESTINATION = {
    "version": "1.0",
    "timestamp": "2026-03-10T11:59:58.021Z",
    "requestContext": {
        "requestId": "r-1",
        "functionArn": f"{FUNCTION}:$LATEST",
        "condition": "RetriesExhausted",
        "approximateInvokeCount": 3,
    },
    "requestPayload": LETTER,
    "responseContext": {
        "statusCode": 200,
        "executedVersion": "$LATEST",
        "functionError": "Unhandled",
    },
    "responsePayload": {
        "errorMessage": "no such key",
        "errorType": "KeyError",
        "stackTrace": ["..."],
    },
}


def test_a_destination_record_says_who_was_called_how_often_and_what_was_answered():
    assert told(message(DESTINATION)) == {
        "channel": "lambda-destination",
        "source_arn": f"{FUNCTION}:$LATEST",
        "target_arn": f"{FUNCTION}:$LATEST",
        "request_id": "r-1",
        "event_id": "e-1",
        "condition": "RetriesExhausted",
        "attempts": 3,
        "error_code": "KeyError",
        "error_message": "no such key",
        "last_failed_utc": datetime(2026, 3, 10, 11, 59, 58, 21_000, tzinfo=UTC),
    }


def test_a_destination_record_of_an_event_that_never_ran_has_no_answer():
    context = {**DESTINATION["requestContext"], "condition": "EventAgeExceeded"}
    expired = {
        **DESTINATION, "requestContext": context, "responseContext": None, "responsePayload": None,
    }  # fmt: skip
    found = told(message(expired))
    assert (found["channel"], found["condition"]) == ("lambda-destination", "EventAgeExceeded")
    assert {"error_code", "error_message"}.isdisjoint(found)


BATCH = {
    "shardId": "shardId-000000000001",
    "startSequenceNumber": "496",
    "endSequenceNumber": "498",
    "approximateArrivalOfFirstRecord": "2026-03-10T11:00:00.500Z",
    "approximateArrivalOfLastRecord": "2026-03-10T11:00:01Z",
    "batchSize": 3,
    "streamArn": "arn:aws:kinesis:eu-west-1:123456789012:stream/orders",
}


def pointer(kind):
    return {
        "requestContext": {
            "requestId": "r-1",
            "functionArn": FUNCTION,
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 1,
        },
        "responseContext": {"statusCode": 200, "functionError": "Unhandled"},
        "version": "1.0",
        "timestamp": "2026-03-10T11:05:00Z",
        kind: BATCH,
    }


def test_a_pointer_into_a_stream_says_where_and_since_when():
    assert told(message(pointer("KinesisBatchInfo"))) == {
        "channel": "stream-destination",
        "source_arn": BATCH["streamArn"],
        "target_arn": FUNCTION,
        "request_id": "r-1",
        "condition": "RetryAttemptsExhausted",
        "attempts": 1,
        "error_code": "Unhandled",
        "first_failed_utc": datetime(2026, 3, 10, 11, 0, 0, 500_000, tzinfo=UTC),
        "last_failed_utc": datetime(2026, 3, 10, 11, 5, tzinfo=UTC),
        "shard_id": "shardId-000000000001",
        "start_sequence": "496",
        "end_sequence": "498",
    }


def test_how_long_a_kinesis_stream_keeps_its_records_the_letter_does_not_say():
    assert "expires_utc" not in row(message(pointer("KinesisBatchInfo")))


def test_records_of_a_dynamodb_stream_are_gone_a_day_after_the_first_arrived():
    found = row(message(pointer("DDBStreamBatchInfo")))
    assert found["expires_utc"] == found["first_failed_utc"] + timedelta(hours=24)


def test_a_pointer_that_its_queue_deletes_sooner_expires_with_it():
    found = row(message(pointer("DDBStreamBatchInfo")), LetterQueue(QUEUE, retention_s=60))
    assert found["expires_utc"] == SENT + timedelta(seconds=60)


UNDELIVERED = {
    "RULE_ARN": RULE,
    "TARGET_ARN": FUNCTION,
    "ERROR_CODE": "NO_PERMISSIONS",
    "ERROR_MESSAGE": "not authorized",
    "EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts",
    "RETRY_ATTEMPTS": "185",
}


def test_an_event_that_eventbridge_could_not_deliver_says_why_in_its_attributes():
    event = {"id": "x", "detail-type": "order", "source": "shop", "detail": LETTER}
    found = told(message(event, UNDELIVERED))
    assert json.loads(found.pop("attributes")) == UNDELIVERED
    assert found == {
        "channel": "eventbridge-dlq",
        "source_arn": RULE,
        "target_arn": FUNCTION,
        "event_id": "e-1",
        "error_code": "NO_PERMISSIONS",
        "error_message": "not authorized",
        "condition": "MaximumRetryAttempts",
        "attempts": 185,
        "last_failed_utc": SENT,
    }


def test_an_event_that_a_bus_of_version_2_could_not_deliver_says_why_in_its_body():
    record = {
        "version": "1.0",
        "busArn": RULE.replace(":rule/", ":event-bus/"),
        "subscriberArn": RULE.replace(":rule/", ":subscriber/"),
        "targetArn": FUNCTION,
        "errorCode": "THROTTLING",
        "errorMessage": "slow down",
        "exhaustedRetryCondition": "MaximumEventAgeInSeconds",
        "retryAttempts": 5,
        "failedMessages": [{"eventId": "x", "timestamp": "2026-03-10T11:00:00Z"}],
    }
    assert told(message(record)) == {
        "channel": "eventbridge-dlq",
        "source_arn": record["subscriberArn"],
        "target_arn": FUNCTION,
        "error_code": "THROTTLING",
        "error_message": "slow down",
        "condition": "MaximumEventAgeInSeconds",
        "attempts": 5,
        "last_failed_utc": SENT,
    }


def test_a_notification_in_its_envelope_names_its_topic():
    envelope = {
        "Type": "Notification",
        "MessageId": "n-1",
        "TopicArn": TOPIC,
        "Message": json.dumps(LETTER),
        "Timestamp": "2026-03-10T11:00:00.000Z",
    }
    assert told(message(envelope)) == {
        "channel": "sns-dlq",
        "source_arn": TOPIC,
        "event_id": "e-1",
        "last_failed_utc": SENT,
    }


def test_a_raw_notification_is_known_by_the_policy_of_its_queue():
    found = told(message(LETTER), LetterQueue(QUEUE, 60, topics=(TOPIC,)))
    assert (found["channel"], found["source_arn"], found["event_id"]) == ("sns-dlq", TOPIC, "e-1")


def test_what_sqs_moved_is_its_own_whatever_stands_in_it():
    for body, given in ((DESTINATION, {}), (LETTER, FAILED_CALL), (LETTER, UNDELIVERED)):
        moved = message(body, given, DeadLetterQueueSourceArn=REPLAY)
        assert channel_of(taken_apart(moved, PLACE, REFERENCE)) == "sqs-redrive"


@pytest.mark.parametrize(
    "body",
    ["", "null", "[1]", "not json", '{"requestContext": 5, "requestPayload": 5}',
     '{"KinesisBatchInfo": []}', '{"event_id": {"a": 1}}', '{"Type": "Notification"}'],
)  # fmt: skip
def test_a_body_of_no_known_shape_is_kept_as_it_is(body):
    found = row(message(body))
    assert (found["channel"], found["body"]) == ("sqs-redrive", body)


@pytest.mark.parametrize(
    ("damaged", "channel"),
    [
        (
            {**DESTINATION, "responsePayload": "text", "requestPayload": [1], "timestamp": 5},
            "lambda-destination",
        ),
        (
            {**pointer("KinesisBatchInfo"), "requestContext": None, "KinesisBatchInfo": {}},
            "stream-destination",
        ),
        (
            {**pointer("DDBStreamBatchInfo"), "DDBStreamBatchInfo": {"shardId": 5}},
            "stream-destination",
        ),
        ({"Type": "Notification", "TopicArn": 5, "Message": {"a": 1}}, "sns-dlq"),
    ],
)
def test_a_damaged_record_is_a_row_with_what_can_be_read(damaged, channel):
    assert row(message(damaged))["channel"] == channel


def test_a_queue_whose_retention_is_unknown_leaves_the_expiry_unknown():
    assert "expires_utc" not in row(message(LETTER), LetterQueue(QUEUE))


def test_the_topics_in_a_policy_are_those_that_it_allows():
    def statement(effect, arn):
        condition = {"ArnEquals": {"aws:SourceArn": arn}}
        return {"Effect": effect, "Principal": {"Service": "x"}, "Condition": condition}

    policy = {"Statement": [statement("Allow", [TOPIC, RULE]), statement("Deny", f"{TOPIC}2")]}
    assert topics_of(json.dumps(policy)) == (TOPIC,)
    assert topics_of(json.dumps({"Statement": statement("Allow", TOPIC)})) == (TOPIC,)
    assert (topics_of(None), topics_of("{}"), topics_of("no json")) == ((), (), ())
