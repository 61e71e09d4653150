from __future__ import annotations

import json
from datetime import timedelta

import pytest

from investigate import pipeline
from investigate.capture import queues
from investigate.errors import AccessError
from investigate.sandbox.world import SandboxOptions, emulator
from tests.builders import START, Event
from tests.capture.helpers import coverage, refuse, rows_of, source_of

EVENT = Event("a")
BODY = json.dumps(
    {
        "event_id": EVENT.id,
        "entity_id": EVENT.entity_id,
        "event_time": EVENT.body["event_time"],
        "s3_bucket": "demo-raw",
        "s3_key": EVENT.s3_key,
    }
)


def state(source):
    (captured,) = queues.read_state(source)
    return captured


def messages(source):
    (captured,) = queues.read_messages(source)
    return captured


def calls_of(source, operation):
    made = []
    source.connection.client("sqs").meta.events.register(
        f"before-call.sqs.{operation}", lambda params, **_: made.append(params)
    )
    return made


def test_the_state_of_the_replay_queue(world):
    world.send_message(BODY)
    captured = state(source_of(world))
    assert coverage(captured) == ("captured", None)
    assert rows_of(captured) == [
        {
            "name": "demo-replay",
            "arn": "arn:aws:sqs:eu-west-1:123456789012:demo-replay",
            "role": "replay",
            "visible": 1,
            "not_visible": 0,
            "delayed": 0,
            "oldest_age_s": None,
            "retention_s": pipeline.QUEUE_RETENTION_SECONDS,
            "visibility_timeout_s": pipeline.QUEUE_VISIBILITY_SECONDS,
            "dead_letter_arn": None,
            "max_receive_count": None,
        }
    ]


def test_the_age_of_the_oldest_message_is_the_latest_that_cloudwatch_has(world):
    world.send_message(BODY)
    for seconds in (600, 1200):
        world.clock.move_to(START + timedelta(seconds=seconds))
    world.flush()
    captured_at = world.clock.now() + timedelta(minutes=10)
    (row,) = rows_of(state(source_of(world, captured_at=captured_at)))
    assert row["oldest_age_s"] == 1200


def test_a_denied_metric_leaves_the_age_unknown_and_the_table_partial(world):
    source = source_of(world)
    refuse(source.connection, "cloudwatch", "GetMetricData", "AccessDenied")
    captured = state(source)
    assert rows_of(captured)[0]["oldest_age_s"] is None
    assert coverage(captured) == ("partial", "AccessDenied: cloudwatch:GetMetricData")


def test_a_dead_letter_queue_has_its_own_row_and_the_replay_queue_names_it():
    options = SandboxOptions(start=START, dead_letter_queue=True, max_receive_count=4)
    with emulator(options) as world:
        replay, dead = rows_of(state(source_of(world)))
    assert (replay["role"], dead["role"]) == ("replay", "dead-letter")
    assert (replay["dead_letter_arn"], replay["max_receive_count"]) == (dead["arn"], 4)
    assert dead["name"] == "demo-dead-letters"


def test_a_denied_queue_is_left_out_with_the_code_as_the_reason(world):
    source = source_of(world)
    refuse(source.connection, "sqs", "GetQueueAttributes", "AccessDenied")
    status, reason = coverage(state(source))
    assert status == "denied"
    assert reason == f"AccessDenied: sqs:GetQueueAttributes of {world.names.replay_queue_url}"


def test_without_a_replay_queue_its_state_is_skipped(world):
    captured = state(source_of(world, without=("replay_queue_url",)))
    assert coverage(captured) == ("skipped", "no replay queue is configured")


def test_messages_are_not_received_unless_asked_for(world):
    world.send_message(BODY)
    source = source_of(world)
    received = calls_of(source, "ReceiveMessage")
    status, reason = coverage(messages(source))
    assert (status, "--sample-messages" in str(reason)) == ("skipped", True)
    assert received == []


def test_every_message_of_a_queue_is_sampled_once(world):
    sent = {world.send_message(json.dumps({"n": number})) for number in range(23)}
    captured = messages(source_of(world, sample_messages=100))
    assert coverage(captured) == ("captured", None)
    assert sorted(row["message_id"] for row in rows_of(captured)) == sorted(sent)


def test_a_smaller_sample_says_how_many_of_how_many(world):
    for number in range(23):
        world.send_message(str(number))
    captured = messages(source_of(world, sample_messages=12))
    assert len(rows_of(captured)) == 12
    assert coverage(captured) == ("partial", "12 of about 23")


def test_messages_that_a_consumer_holds_make_a_sample_partial(world):
    world.send_message(BODY)
    world.clients.sqs.receive_message(QueueUrl=world.names.replay_queue_url)
    source = source_of(world, sample_messages=10)
    received = calls_of(source, "ReceiveMessage")
    captured = messages(source)
    assert (rows_of(captured), coverage(captured)) == ([], ("partial", "0 of about 1"))
    assert received == []


def test_an_empty_queue_is_known_whole_without_receiving(world):
    source = source_of(world, sample_messages=10)
    received = calls_of(source, "ReceiveMessage")
    captured = messages(source)
    assert (rows_of(captured), coverage(captured)) == ([], ("captured", None))
    assert received == []


def test_a_queue_that_does_not_say_how_many_wait_is_not_an_empty_one(world):
    source = source_of(world, sample_messages=10)
    source.connection.client("sqs").meta.events.register(
        "after-call.sqs.GetQueueAttributes",
        lambda parsed, **_: parsed["Attributes"].pop("ApproximateNumberOfMessagesDelayed"),
    )
    assert state(source).coverage.status == "failed"
    with pytest.raises(AccessError, match="the answer lacks ApproximateNumberOfMessagesDelayed"):
        queues.read_messages(source)


def test_a_sampled_message_comes_back_after_a_moment(world):
    world.send_message(BODY)
    messages(source_of(world, sample_messages=10))
    assert world.consume() == 0
    world.clock.move_to(world.clock.now() + timedelta(seconds=queues.HIDDEN_SECONDS + 1))
    assert len(rows_of(messages(source_of(world, sample_messages=10)))) == 1


def test_a_sampled_message_gives_every_column(world):
    message_id = world.send_message(BODY)
    world.clock.move_to(START + timedelta(hours=1))
    (row,) = rows_of(messages(source_of(world, sample_messages=1)))
    assert row == {
        "message_id": message_id,
        "body": BODY,
        "body_sha": pipeline.sha256(BODY),
        "well_formed": True,
        "event_id": EVENT.id,
        "entity_id": EVENT.entity_id,
        "event_time": EVENT.body["event_time"],
        "event_time_utc": EVENT.when,
        "s3_bucket": "demo-raw",
        "s3_key": EVENT.s3_key,
        "sent_utc": START,
        "first_received_utc": START + timedelta(hours=1),
        "receive_count": 1,
        "group_id": None,
    }


@pytest.mark.parametrize(
    "body",
    ["not json", "[]", "{}", '{"s3_bucket": "b"}', '{"s3_bucket": "", "s3_key": "k"}',
     '{"s3_bucket": "b", "s3_key": 5}', '{"s3_bucket": "b", "s3_key": null}'],
)  # fmt: skip
def test_a_message_without_its_reference_is_not_well_formed(world, body):
    world.send_message(body)
    (row,) = rows_of(messages(source_of(world, sample_messages=1)))
    assert (row["well_formed"], row["body"]) == (False, body)


def test_a_queue_that_a_receive_could_drain_into_dead_letters_is_refused():
    with emulator(SandboxOptions(start=START, dead_letter_queue=True)) as world:
        world.send_message(BODY)
        source = source_of(world, sample_messages=10)
        received = calls_of(source, "ReceiveMessage")
        status, reason = coverage(messages(source))
    assert (status, received) == ("skipped", [])
    assert "redrive policy (maxReceiveCount 3)" in str(reason)


def test_a_fifo_queue_is_refused(world):
    made = world.clients.sqs.create_queue(
        QueueName="ordered.fifo", Attributes={"FifoQueue": "true"}
    )
    source = source_of(world, sample_messages=10)
    source.replay_queue = source.queue(made["QueueUrl"])
    status, reason = coverage(messages(source))
    assert (status, str(reason).startswith("a FIFO queue")) == ("skipped", True)


def test_a_queue_that_hands_out_nothing_does_not_hold_up_a_capture(world):
    world.send_message(BODY)
    source = source_of(world, sample_messages=10)
    source.connection.client("sqs").meta.events.register(
        "after-call.sqs.ReceiveMessage", lambda parsed, **_: parsed.pop("Messages", None)
    )
    received = calls_of(source, "ReceiveMessage")
    assert coverage(messages(source)) == ("partial", "0 of about 1")
    assert len(received) == queues.EMPTY_RECEIVES


def test_a_denied_receive_is_an_access_error(world):
    world.send_message(BODY)
    source = source_of(world, sample_messages=10)
    refuse(source.connection, "sqs", "ReceiveMessage", "AccessDenied")
    with pytest.raises(AccessError):
        queues.read_messages(source)


def test_what_was_received_before_a_receive_failed_is_kept(world):
    for number in range(15):
        world.send_message(str(number))
    source = source_of(world, sample_messages=100)
    sqs = source.connection.client("sqs")
    sqs.meta.events.register_first(
        "after-call.sqs.ReceiveMessage",
        lambda **_: refuse(source.connection, "sqs", "ReceiveMessage", "RequestThrottled"),
    )
    captured = messages(source)
    assert len(rows_of(captured)) == 10
    status, reason = coverage(captured)
    assert (status, str(reason).startswith("10 of about 15; RequestThrottled: sqs:Re")) == (
        "partial",
        True,
    )


def test_a_receive_waits_so_that_every_server_of_the_queue_is_asked(world):
    world.send_message(BODY)
    source = source_of(world, sample_messages=1)
    asked = []
    source.connection.client("sqs").meta.events.register(
        "provide-client-params.sqs.ReceiveMessage", lambda params, **_: asked.append(params)
    )
    messages(source)
    assert {one["WaitTimeSeconds"] > 0 for one in asked} == {True}


def dead_letters(source):
    (captured,) = queues.read_dead_letters(source)
    return coverage(captured)


def test_without_a_dead_letter_queue_the_reason_says_so(world):
    assert dead_letters(source_of(world)) == ("skipped", "no dead-letter queue is configured")


@pytest.mark.parametrize("without", [(), ("dead_letter_queue_urls",)], ids=["named", "not named"])
def test_a_dead_letter_queue_that_the_redrive_policy_knows_is_not_denied_to_exist(without):
    with emulator(SandboxOptions(start=START, dead_letter_queue=True)) as world:
        known = dead_letters(source_of(world, without=without))
    assert known == ("skipped", "reading dead letters is not part of this version")
