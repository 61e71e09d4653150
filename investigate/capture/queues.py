"""The queues: their state, and on request a sample of the messages that wait for the replay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from investigate import pipeline
from investigate.capture.metrics import Series, latest
from investigate.capture.source import (
    QUEUE_COUNTS,
    Captured,
    Gathered,
    Row,
    Source,
    gap,
    not_configured,
)
from investigate.capture.values import from_millis, json_object, moment, text, whole
from investigate.case import Coverage
from investigate.errors import AccessError

MESSAGES_AT_ONCE = 10  # the most that SQS hands out
HIDDEN_SECONDS = 30  # a sampled message is back for its consumers after this time
# A short poll asks only some of a queue's servers and may miss every message of a small queue;
# one that waits asks them all. Even then one empty answer proves nothing.
WAIT_SECONDS = 1
EMPTY_RECEIVES = 5
AGE_LOOKBACK = timedelta(hours=1)


def read_state(source: Source) -> list[Captured]:
    """Return the table `queue_state`: the replay queue and every dead-letter queue."""
    gathered = Gathered()
    if not source.names.replay_queue_url:
        gathered.gaps.append(not_configured("replay queue"))
    for role, url in _queues(source):
        try:
            state, age_gap = _state(source, role, url)
        except AccessError as error:
            gathered.gaps.append(gap(error))
            continue
        gathered.add([state])
        gathered.gaps.extend(age_gap)
    return [gathered.captured("queue_state")]


def read_messages(source: Source) -> list[Captured]:
    """Return the table `messages`; whole only if it holds as many as the queue said it had."""
    reason = _refusal(source)
    if reason:
        return [Captured("messages", Coverage("skipped", reason))]
    counts = _counts(source.replay_queue)
    waiting = sum(counts.values())
    sampled, stopped = _sample(source) if counts["visible"] else ([], None)
    if len(sampled) >= waiting and not stopped:
        return [Captured("messages", Coverage("captured"), sampled)]
    known = f"{len(sampled)} of about {waiting}" + (f"; {stopped.reason}" if stopped else "")
    return [Captured("messages", Coverage("partial", known), sampled)]


def read_dead_letters(source: Source) -> list[Captured]:
    """Return why the table `dead_letters` is left out."""
    configured = bool(source.names.dead_letter_queue_urls)
    if not configured and source.names.replay_queue_url:
        configured = "RedrivePolicy" in source.replay_queue
    reason = (
        "reading dead letters is not part of this version"
        if configured
        else "no dead-letter queue is configured"
    )
    return [Captured("dead_letters", Coverage("skipped", reason))]


def _queues(source: Source) -> Iterator[tuple[str, str]]:
    if source.names.replay_queue_url:
        yield "replay", source.names.replay_queue_url
    for url in source.names.dead_letter_queue_urls:
        yield "dead-letter", url


def _state(source: Source, role: str, url: str) -> tuple[Row, list[Coverage]]:
    attributes = source.replay_queue if role == "replay" else source.queue(url)
    arn = attributes["QueueArn"]
    redrive = json_object(attributes.get("RedrivePolicy", "")) or {}
    age, gaps = _oldest_age(source, name_of(arn))
    state = {
        "name": name_of(arn),
        "arn": arn,
        "role": role,
        **_counts(attributes),
        "oldest_age_s": age,
        "retention_s": whole(attributes.get("MessageRetentionPeriod")),
        "visibility_timeout_s": whole(attributes.get("VisibilityTimeout")),
        "dead_letter_arn": text(redrive.get("deadLetterTargetArn")),
        "max_receive_count": whole(redrive.get("maxReceiveCount")),
    }
    return state, gaps


def _counts(attributes: Mapping[str, str]) -> dict[str, int]:
    return {column: int(attributes[name]) for column, name in QUEUE_COUNTS.items()}


def name_of(queue_arn: str) -> str:
    """Return the name of a queue, the last part of its ARN."""
    return queue_arn.rsplit(":", 1)[-1]


def _oldest_age(source: Source, queue: str) -> tuple[int | None, list[Coverage]]:
    series = Series("AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", queue, "Maximum")
    try:
        age = latest(source, series, AGE_LOOKBACK)
    except AccessError as error:
        return None, [gap(error)]
    return (None if age is None else int(age)), []


def _refusal(source: Source) -> str | None:
    """Why no message may be received, or None."""
    if not source.names.replay_queue_url:
        return str(not_configured("replay queue").reason)
    if not source.options.sample_messages:
        return "not asked for: receiving a message hides it for a moment (--sample-messages N)"
    attributes = source.replay_queue
    if attributes.get("FifoQueue") == "true":
        return "a FIFO queue: receiving a message would hold up all later ones of its group"
    redrive = json_object(attributes.get("RedrivePolicy", ""))
    if redrive:
        most = redrive.get("maxReceiveCount")
        return (
            f"the queue has a redrive policy (maxReceiveCount {most}): receiving a message "
            "could move it to the dead-letter queue"
        )
    return None


def _sample(source: Source) -> tuple[list[Row], Coverage | None]:
    """Return the messages received and what ended it early, if anything did.

    What was received stays: each was hidden for it, and its receive count is one higher now.
    """
    wanted = source.options.sample_messages
    found: dict[str, Row] = {}
    empty = 0
    while len(found) < wanted and empty < EMPTY_RECEIVES:
        before = len(found)
        try:
            received = _receive(source, min(MESSAGES_AT_ONCE, wanted - before))
        except AccessError as error:
            if not found:
                raise
            return list(found.values()), gap(error)
        for message in received:
            found.setdefault(message["MessageId"], message_row(message))
        empty = empty + 1 if len(found) == before else 0
    return list(found.values()), None


def _receive(source: Source, count: int) -> list[dict[str, Any]]:
    answer = source.connection.call(
        "sqs",
        "ReceiveMessage",
        QueueUrl=source.names.replay_queue_url,
        MaxNumberOfMessages=count,
        VisibilityTimeout=HIDDEN_SECONDS,
        WaitTimeSeconds=WAIT_SECONDS,
        MessageSystemAttributeNames=["All"],
    )
    return list(answer.get("Messages", []))


def message_row(message: Mapping[str, Any]) -> Row:
    """Return a received message as a row of `messages`."""
    body = message["Body"]
    system = message.get("Attributes", {})
    fields = json_object(body) or {}
    return {
        "message_id": message["MessageId"],
        "body": body,
        "body_sha": pipeline.sha256(body),
        "well_formed": all(
            isinstance(fields.get(name), str) and fields[name] for name in ("s3_bucket", "s3_key")
        ),
        **{
            name: text(fields.get(name))
            for name in ("event_id", "entity_id", "event_time", "s3_bucket", "s3_key")
        },
        "event_time_utc": moment(fields.get("event_time")),
        "sent_utc": from_millis(system.get("SentTimestamp")),
        "first_received_utc": from_millis(system.get("ApproximateFirstReceiveTimestamp")),
        "receive_count": whole(system.get("ApproximateReceiveCount")),
        "group_id": text(system.get("MessageGroupId")),
    }
