from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from investigate import pipeline
from investigate.aws import connect
from investigate.capture import dead_letter_queues, queues, sampling
from investigate.errors import AccessError
from investigate.sandbox.world import SandboxOptions, emulator
from investigate.settings import PipelineNames
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


SENDER = "AIDAIT2UOQQY3AUEKVGXU"  # whoever sends to an emulated queue


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
            "delay_s": 0,
            "fifo": False,
            "redrive_allow": None,
            "last_modified_utc": START,
        }
    ]


def test_what_a_queue_says_of_its_settings_stands_in_its_row(world):
    allow = json.dumps({"redrivePermission": "denyAll"})
    said = {"DelaySeconds": "7", "RedriveAllowPolicy": allow, "FifoQueue": "true"}
    source = source_of(world)
    source.connection.client("sqs").meta.events.register(
        "after-call.sqs.GetQueueAttributes", lambda parsed, **_: parsed["Attributes"].update(said)
    )
    (row,) = rows_of(state(source))
    assert (row["delay_s"], row["fifo"], row["redrive_allow"]) == (7, True, allow)


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
    assert coverage(captured) == ("captured", "23 of about 23")
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
    assert (rows_of(captured), coverage(captured)) == ([], ("captured", "0 of about 0"))
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
    world.clock.move_to(world.clock.now() + timedelta(seconds=sampling.HIDDEN_SECONDS + 1))
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
        "sender_id": SENDER,
        "trace_id": None,
        "attributes": None,
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
    assert len(received) == sampling.EMPTY_RECEIVES


def test_once_all_are_there_one_empty_answer_is_enough(world):
    world.send_message(BODY)
    source = source_of(world, sample_messages=10)
    received = calls_of(source, "ReceiveMessage")
    assert coverage(messages(source)) == ("captured", "1 of about 1")
    assert len(received) == 2


def test_a_message_more_than_the_queue_counted_is_seen(world):
    world.send_message(BODY)
    world.send_message("{}")
    source = source_of(world, sample_messages=1)
    source.replay_queue = {**source.replay_queue, "ApproximateNumberOfMessages": "0"}
    assert coverage(messages(source)) == ("captured", "0 of about 0")
    source.replay_queue = {**source.replay_queue, "ApproximateNumberOfMessages": "1"}
    source.options = replace(source.options, sample_messages=10)
    assert coverage(messages(source)) == ("captured", "2 of about 1")


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
    received = calls_of(source, "ReceiveMessage")
    captured = messages(source)
    assert len(rows_of(captured)) == 10
    assert len(received) == 2  # and none after the one that failed
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


def test_all_that_sqs_knows_of_a_message_is_asked_for_and_kept(world):
    world.clients.sqs.send_message(
        QueueUrl=world.names.replay_queue_url,
        MessageBody="{}",
        MessageAttributes={"tenant": {"DataType": "String", "StringValue": "t-1"}},
        MessageSystemAttributes={
            "AWSTraceHeader": {
                "DataType": "String",
                "StringValue": "Root=1-69af5a00-000000000000000000000001;Sampled=1",
            }
        },
    )
    (row,) = rows_of(messages(source_of(world, sample_messages=1)))
    assert row["attributes"] == '{"tenant": "t-1"}'
    assert row["trace_id"] == "1-69af5a00-000000000000000000000001"


def test_without_payloads_the_hash_of_a_message_stays_and_not_its_text(world):
    world.send_message(BODY)
    (row,) = rows_of(messages(source_of(world, sample_messages=1, payloads=False)))
    assert (row["body"], row["body_sha"]) == (None, pipeline.sha256(BODY))
    assert row["event_id"] == EVENT.id


def test_what_was_sent_in_the_last_minute_need_not_be_counted_yet(world):
    world.send_message(BODY)
    source = source_of(world, sample_messages=10, captured_at=START + timedelta(hours=1))
    for captured in (state(source), messages(source)):
        assert captured.coverage.horizon == "../2026-03-10T00:59:00Z"


# Forced sampling of a queue whose redrive policy counts every receive.


def guarded(receives):
    return emulator(SandboxOptions(start=START, dead_letter_queue=True, max_receive_count=receives))


def test_a_forced_sample_says_what_it_risked_and_takes_one_message_at_a_time():
    with guarded(5) as world:
        for number in range(3):
            world.send_message(str(number))
        source = source_of(world, sample_messages=10, force_sampling=True)
        asked = []
        source.connection.client("sqs").meta.events.register(
            "provide-client-params.sqs.ReceiveMessage",
            lambda params, **_: asked.append(params["MaxNumberOfMessages"]),
        )
        captured = messages(source)
    assert (len(rows_of(captured)), asked) == (3, [1, 1, 1])
    forced = "forced: each receive counts towards the redrive policy (maxReceiveCount 5)"
    assert coverage(captured) == ("captured", f"3 of about 3; {forced}")


def test_a_forced_sample_stops_at_a_message_that_one_receive_more_would_move():
    with guarded(2) as world:
        for number in range(3):
            world.send_message(str(number))
        url = world.names.replay_queue_url
        world.clients.sqs.receive_message(QueueUrl=url, VisibilityTimeout=0)
        world.clock.move_to(START + timedelta(minutes=1))
        captured = messages(source_of(world, sample_messages=10, force_sampling=True))
        dead = world.clients.sqs.get_queue_attributes(
            QueueUrl=world.names.dead_letter_queue_urls[0], AttributeNames=["All"]
        )
    (row,) = rows_of(captured)
    assert row["receive_count"] == 2
    status, reason = coverage(captured)
    assert status == "partial"
    assert f"stopped: message {row['message_id']} has been received 2 times" in str(reason)
    assert dead["Attributes"]["ApproximateNumberOfMessages"] == "0"


def test_a_forced_sample_stops_when_a_message_comes_back():
    with guarded(5) as world:
        for number in range(2):
            world.send_message(str(number))
        source = source_of(world, sample_messages=10, force_sampling=True)
        first = []

        def repeat(parsed, **_):
            first.extend(parsed.get("Messages", []))
            parsed["Messages"] = first[:1]

        source.connection.client("sqs").meta.events.register(
            "after-call.sqs.ReceiveMessage", repeat
        )
        status, reason = coverage(messages(source))
    assert (status, str(reason).endswith("came back before the sample was whole")) == (
        "partial",
        True,
    )


def test_a_queue_that_forgives_no_receive_is_refused_even_if_forced():
    with guarded(1) as world:
        world.send_message(BODY)
        source = source_of(world, sample_messages=10, force_sampling=True)
        received = calls_of(source, "ReceiveMessage")
        status, reason = coverage(messages(source))
    assert (status, received) == ("skipped", [])
    assert "would send it to the dead-letter queue the next time; never done" in str(reason)


def test_a_forced_sample_of_a_fifo_queue_says_that_it_held_groups_up(world):
    url = world.clients.sqs.create_queue(
        QueueName="ordered.fifo",
        Attributes={"FifoQueue": "true", "ContentBasedDeduplication": "true"},
    )["QueueUrl"]
    world.clients.sqs.send_message(QueueUrl=url, MessageBody=BODY, MessageGroupId="g")
    source = source_of(world, sample_messages=10, force_sampling=True)
    source.names = replace(source.names, replay_queue_url=url)
    received = calls_of(source, "ReceiveMessage")
    captured = messages(source)
    assert [row["group_id"] for row in rows_of(captured)] == ["g"]
    assert {json.loads(one["body"])["MaxNumberOfMessages"] for one in received} == {1}
    forced = "forced: later messages of a received one's group waited up to 30 s"
    assert coverage(captured) == ("captured", f"1 of about 1; {forced}")


# Which queues take what could not be processed.

REPLAY_ONLY = ("dead_letter_queue_urls",)
FAILED = "arn:aws:sqs:eu-west-1:123456789012:failed"


def on_failure(world, destination):
    world.clients.lambda_.put_function_event_invoke_config(
        FunctionName="demo-processor", DestinationConfig={"OnFailure": {"Destination": destination}}
    )


def test_a_queue_known_only_from_the_redrive_policy_has_its_row():
    with guarded(3) as world:
        captured = state(source_of(world, without=REPLAY_ONLY))
    rows = {row["name"]: row["role"] for row in rows_of(captured)}
    assert rows == {"demo-replay": "replay", "demo-dead-letters": "dead-letter"}
    assert coverage(captured) == ("captured", None)


def test_a_queue_that_is_named_and_in_the_redrive_policy_is_read_once():
    with guarded(3) as world:
        source = source_of(world)
        asked = calls_of(source, "GetQueueUrl")
        names = [row["name"] for row in rows_of(state(source))]
    assert (names, asked) == (["demo-replay", "demo-dead-letters"], [])


@pytest.mark.parametrize("code", ["AccessDenied", "AWS.SimpleQueueService.NonExistentQueue"])
def test_a_dead_letter_queue_that_cannot_be_found_is_a_gap_and_its_name_stays(code):
    with guarded(3) as world:
        source = source_of(world, without=REPLAY_ONLY)
        refuse(source.connection, "sqs", "GetQueueUrl", code)
        captured = state(source)
    (row,) = rows_of(captured)
    assert row["dead_letter_arn"] == "arn:aws:sqs:eu-west-1:123456789012:demo-dead-letters"
    why = f"{code}: sqs:GetQueueUrl of demo-dead-letters"
    said = f"{row['dead_letter_arn']} takes failed messages: {why}"
    assert coverage(captured) == ("partial", said)


def test_a_queue_of_the_same_name_in_another_region_is_not_taken_for_it():
    with guarded(3) as world:
        elsewhere = "arn:aws:sqs:us-east-1:123456789012:demo-dead-letters"
        found = dead_letter_queues.FailureTargets(queues=[elsewhere])
        (known,) = dead_letter_queues.opened(source_of(world), found)
    assert (known.status, "not in this region (eu-west-1)" in known.reason) == ("failed", True)


def named_by(names, connection=None):
    connection = connection or connect(region="eu-west-1", objects="botocore")
    return dead_letter_queues.named_with_all(connection, names)[0].dead_letter_queue_urls


def test_every_queue_that_takes_failures_becomes_known_once():
    with guarded(3) as world:
        (dead,) = world.names.dead_letter_queue_urls
        failed = world.clients.sqs.create_queue(QueueName="failed")["QueueUrl"]
        on_failure(world, FAILED)
        unnamed = replace(world.names, dead_letter_queue_urls=())
        assert named_by(unnamed) == named_by(world.names) == (dead, failed)


def test_without_failures_to_go_anywhere_the_names_stay_as_they_are(world):
    assert named_by(world.names) == ()
    assert named_by(PipelineNames()) == ()


def test_a_queue_that_is_gone_is_left_out_and_one_that_may_not_be_asked_for_is_not():
    with guarded(3) as world:
        (dead,) = world.names.dead_letter_queue_urls
        unnamed = replace(world.names, dead_letter_queue_urls=())
        connection = connect(region="eu-west-1", objects="botocore")
        refuse(connection, "sqs", "GetQueueUrl", "AccessDenied")
        assert named_by(unnamed, connection) == (dead,)
        world.clients.sqs.delete_queue(QueueUrl=dead)
        assert named_by(unnamed) == ()


def test_queues_that_take_failures_of_functions_are_dead_letter_queues_too(world):
    world.clients.sqs.create_queue(QueueName="failed")
    on_failure(world, FAILED)
    names = {row["name"]: row["role"] for row in rows_of(state(source_of(world)))}
    assert names == {"demo-replay": "replay", "failed": "dead-letter"}


def test_a_function_that_cannot_be_asked_leaves_it_open_where_its_failures_go():
    with guarded(3) as world:
        source = source_of(world, sample_messages=1)
        refuse(source.connection, "lambda", "ListFunctionEventInvokeConfigs")
        (letters,) = queues.read_dead_letters(source)
    status, reason = coverage(letters)
    assert status == "partial"
    assert "lambda:ListFunctionEventInvokeConfigs of demo-processor" in str(reason)


def test_failures_that_go_to_a_topic_are_said_not_to_be_read(world):
    on_failure(world, "arn:aws:sns:eu-west-1:123456789012:alerts")
    assert dead_letters(source_of(world, sample_messages=5)) == (
        "skipped",
        "failures of demo-processor go to arn:aws:sns:eu-west-1:123456789012:alerts, "
        "which is neither queue nor bucket and is not read",
    )


def dead_letters(source):
    (captured,) = queues.read_dead_letters(source)
    return coverage(captured)


def test_without_a_dead_letter_queue_the_reason_says_so(world):
    assert dead_letters(source_of(world)) == ("skipped", "no dead-letter queue is configured")


def test_a_redrive_policy_that_may_not_be_read_is_no_absent_one(world):
    source = source_of(world)
    refuse(source.connection, "sqs", "GetQueueAttributes", "AccessDenied")
    assert dead_letters(source)[0] == "denied"


@pytest.mark.parametrize("without", [(), REPLAY_ONLY], ids=["named", "not named"])
def test_dead_letters_are_not_received_unless_asked_for(without):
    with guarded(3) as world:
        source = source_of(world, without=without)
        received = calls_of(source, "ReceiveMessage")
        status, reason = dead_letters(source)
    assert (status, received) == ("skipped", [])
    assert "receiving from demo-dead-letters" in str(reason)
    assert "--sample-messages" in str(reason)


def test_a_message_that_was_received_too_often_is_a_dead_letter():
    with guarded(3) as world:
        sent = world.send_message(BODY)
        url = world.names.replay_queue_url
        for minute in range(4):
            world.clock.move_to(START + timedelta(minutes=2 * minute))
            world.clients.sqs.receive_message(QueueUrl=url, VisibilityTimeout=60)
        (captured,) = queues.read_dead_letters(source_of(world, sample_messages=10))
    assert coverage(captured) == ("captured", "demo-dead-letters: 1 of about 1")
    (row,) = rows_of(captured)
    assert (row["channel"], row["message_id"], row["body"]) == ("sqs-redrive", sent, BODY)
    assert (row["event_id"], row["attempts"]) == (EVENT.id, 3)
    assert row["expires_utc"] == START + timedelta(days=14)


def test_dead_letters_are_sampled_queue_by_queue_and_each_says_of_how_many():
    with guarded(3) as world:
        failed = world.clients.sqs.create_queue(QueueName="failed")["QueueUrl"]
        on_failure(world, FAILED)
        for url, many in ((failed, 3), (world.names.dead_letter_queue_urls[0], 12)):
            for number in range(many):
                world.clients.sqs.send_message(QueueUrl=url, MessageBody=str(number))
        (captured,) = queues.read_dead_letters(source_of(world, sample_messages=5))
    assert len(rows_of(captured)) == 8
    assert coverage(captured) == (
        "partial",
        "demo-dead-letters: 5 of about 12; failed: 3 of about 3",
    )


def test_a_dead_letter_queue_with_a_redrive_policy_of_its_own_is_refused():
    with guarded(3) as world:
        dead = world.names.dead_letter_queue_urls[0]
        world.clients.sqs.create_queue(QueueName="failed")
        world.clients.sqs.set_queue_attributes(
            QueueUrl=dead,
            Attributes={
                "RedrivePolicy": json.dumps({"deadLetterTargetArn": FAILED, "maxReceiveCount": 2})
            },
        )
        status, reason = dead_letters(source_of(world, sample_messages=5))
    assert (status, str(reason).startswith("demo-dead-letters: the queue has a redrive")) == (
        "skipped",
        True,
    )


def test_a_denied_receive_of_dead_letters_is_a_gap():
    with guarded(3) as world:
        world.clients.sqs.send_message(
            QueueUrl=world.names.dead_letter_queue_urls[0], MessageBody="{}"
        )
        source = source_of(world, sample_messages=5)
        refuse(source.connection, "sqs", "ReceiveMessage", "AccessDenied")
        status, reason = dead_letters(source)
    assert (status, "AccessDenied: sqs:ReceiveMessage" in str(reason)) == ("denied", True)


def test_without_payloads_a_dead_letter_keeps_its_hash_and_its_error():
    with guarded(3) as world:
        world.clients.sqs.send_message(
            QueueUrl=world.names.dead_letter_queue_urls[0],
            MessageBody=BODY,
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value}
                for name, value in (("RequestID", "r"), ("ErrorCode", "200"))
            },
        )
        source = source_of(world, sample_messages=5, payloads=False)
        (captured,) = queues.read_dead_letters(source)
    (row,) = rows_of(captured)
    assert (row["body"], row["attributes"]) == (None, None)
    assert (row["body_sha"], row["error_code"]) == (pipeline.sha256(BODY), "200")
