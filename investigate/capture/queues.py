"""The queues: their state, and on request a sample of the messages and dead letters in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from investigate.capture import dead_letter_queues, dead_letters, failure_objects, sampling
from investigate.capture.dead_letter_queues import DeadLetterQueue, FailureTargets, name_of
from investigate.capture.metrics import Series, latest
from investigate.capture.source import (
    Captured,
    Gathered,
    Row,
    Source,
    coverage_of_error,
)
from investigate.capture.values import (
    from_millis,
    json_object,
    moment,
    text,
    trace_of,
    utc,
    whole,
)
from investigate.case import Coverage
from investigate.errors import AccessError
from investigate.pipeline import Design, sha256

AGE_LOOKBACK = timedelta(hours=1)
_REFERENCE = ("s3_bucket", "s3_key")


def read_state(source: Source) -> list[Captured]:
    """Return the table `queue_state`: the replay queue and every dead-letter queue."""
    gathered, ages = Gathered(), list[Coverage]()
    if not source.names.replay_queue_url:
        gathered.gaps.append(source.lacks("replay queue"))
    for role, attributes in _queues(source):
        if isinstance(attributes, Coverage):
            gathered.gaps.append(attributes)
            continue
        state, age_gap = _state(source, role, attributes)
        gathered.add([state])
        ages.extend(age_gap)
    every_queue = not gathered.gaps
    gathered.gaps.extend(ages)
    captured = gathered.captured("queue_state")
    if every_queue and ages:  # only the age of the oldest message is lacking
        captured = replace(captured, coverage=replace(captured.coverage, listed=True))
    return [_with_horizon(source, captured)]


def read_messages(source: Source) -> list[Captured]:
    """Return the table `messages`; whole only if it holds as many as the queue said it had."""
    reason = _refusal(source)
    if reason:
        return [Captured("messages", Coverage("skipped", reason))]
    attributes, url = source.replay_queue, str(source.names.replay_queue_url)
    sample = sampling.take(source, url, attributes)
    status = "captured" if sample.whole else "partial"
    coverage = Coverage(status, sample.reason, sampling.horizon(source))
    rows = [
        _kept(source, message_row(one, source.names.design)) for one in sample.messages.values()
    ]
    return [Captured("messages", coverage, rows)]


def read_dead_letters(source: Source) -> list[Captured]:
    """Return the table `dead_letters`: on request a sample of each dead-letter queue, and the
    failures that Lambda put into a bucket, which are read in any case."""
    targets = dead_letter_queues.targets(source)
    reason = _why_not_received(source, targets)
    if reason and not targets.folders:
        return [Captured("dead_letters", reason)]
    gathered = Gathered(gaps=targets.gaps)
    if reason:
        gathered.gaps.append(reason)
    for folder in targets.folders:
        failure_objects.gather(source, folder, gathered)
    told = []
    for queue in () if reason else dead_letter_queues.opened(source, targets):
        if isinstance(queue, Coverage):
            gathered.gaps.append(queue)
            continue
        told.append(_read_letters(source, queue, gathered))
    for arn, whose in targets.others.items():
        said = f"failures of {whose} go to {arn}, which is neither queue nor bucket and is not read"
        gathered.gaps.append(Coverage("skipped", said))
    return [_with_horizon(source, _told(gathered.captured("dead_letters"), told))]


def _told(captured: Captured, told: list[str]) -> Captured:
    """Return the table with what was received of each queue before what is lacking."""
    reasons = [*told, captured.coverage.reason]
    reason = "; ".join(dict.fromkeys(filter(None, reasons))) or None
    return replace(captured, coverage=replace(captured.coverage, reason=reason))


def _why_not_received(source: Source, targets: FailureTargets) -> Coverage | None:
    """Why no dead-letter queue is received from, or None."""
    if not targets:
        return next(iter(targets.gaps), source.lacks("dead-letter queue"))
    if source.options.sample_messages or not (targets.names or targets.others):
        return None
    queues = f" from {' and '.join(targets.names)}" if targets.names else ""
    return Coverage(
        "skipped",
        f"not asked for: receiving{queues} hides a dead letter for a moment and raises its "
        "receive count for good (--sample-messages N)",
    )


def _read_letters(source: Source, queue: DeadLetterQueue, gathered: Gathered) -> str:
    """Add the dead letters of one queue; return how many of how many they are."""
    name = name_of(queue.attributes["QueueArn"])
    refused = sampling.refusal(queue.attributes, force=source.options.force_sampling)
    if refused:
        gathered.gaps.append(Coverage("skipped", f"{name}: {refused}"))
        return ""
    try:
        sample = sampling.take(source, queue.url, queue.attributes)
    except AccessError as error:
        gathered.gaps.append(coverage_of_error(error))
        return ""
    place = _place(source, queue.attributes)
    design = source.names.design
    letters = [dead_letters.taken_apart(one, place, design) for one in sample.messages.values()]
    gathered.add(_kept(source, dead_letters.row_of(letter)) for letter in letters)
    if not sample.whole:
        gathered.gaps.append(Coverage("failed"))  # what is lacking stands in what is returned
    return f"{name}: {sample.reason}"


def _place(source: Source, attributes: Mapping[str, str]) -> dead_letters.LetterQueue:
    arn = attributes["QueueArn"]
    functions = (known for known in source.functions.values() if not isinstance(known, Coverage))
    return dead_letters.LetterQueue(
        arn=arn,
        retention_s=whole(attributes.get("MessageRetentionPeriod")),
        topics=dead_letters.topics_of(attributes.get("Policy")),
        functions=tuple(
            known["FunctionArn"]
            for known in functions
            if known.get("DeadLetterConfig", {}).get("TargetArn") == arn
        ),
    )


def _queues(source: Source) -> Iterator[tuple[str, Mapping[str, str] | Coverage]]:
    """Yield the role of each queue with its attributes, or why they could not be read."""
    if source.names.replay_queue_url:
        try:
            yield "replay", source.replay_queue
        except AccessError as error:
            yield "replay", coverage_of_error(error)
    for queue in dead_letter_queues.opened(source, dead_letter_queues.targets(source)):
        yield "dead-letter", queue if isinstance(queue, Coverage) else queue.attributes


def _state(source: Source, role: str, attributes: Mapping[str, str]) -> tuple[Row, list[Coverage]]:
    arn = attributes["QueueArn"]
    redrive = sampling.redrive_of(attributes)
    age, gaps = _oldest_age(source, name_of(arn))
    state = {
        "name": name_of(arn),
        "arn": arn,
        "role": role,
        **sampling.counts_of(attributes),
        "oldest_age_s": age,
        "retention_s": whole(attributes.get("MessageRetentionPeriod")),
        "visibility_timeout_s": whole(attributes.get("VisibilityTimeout")),
        "dead_letter_arn": text(redrive.get("deadLetterTargetArn")),
        "max_receive_count": whole(redrive.get("maxReceiveCount")),
        "delay_s": whole(attributes.get("DelaySeconds")),
        "fifo": attributes.get("FifoQueue") == "true",
        "redrive_allow": attributes.get("RedriveAllowPolicy"),
        "last_modified_utc": utc(attributes.get("LastModifiedTimestamp")),
    }
    return state, gaps


def _oldest_age(source: Source, queue: str) -> tuple[int | None, list[Coverage]]:
    series = Series("AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", queue, "Maximum")
    try:
        age = latest(source, series, AGE_LOOKBACK)
    except AccessError as error:
        return None, [coverage_of_error(error)]
    return (None if age is None else int(age)), []


def _refusal(source: Source) -> str | None:
    """Why no message of the replay queue may be received, or None."""
    if not source.names.replay_queue_url:
        return str(source.lacks("replay queue").reason)
    if not source.options.sample_messages:
        return "not asked for: receiving a message hides it for a moment (--sample-messages N)"
    return sampling.refusal(source.replay_queue, force=source.options.force_sampling)


def _kept(source: Source, row: Row) -> Row:
    """Return a row without what it was sent with, if only hashes are to be kept."""
    return row if source.options.payloads else {**row, "body": None, "attributes": None}


def _with_horizon(source: Source, captured: Captured) -> Captured:
    if captured.rows is None:
        return captured
    known = replace(captured.coverage, horizon=sampling.horizon(source))
    return replace(captured, coverage=known)


def message_row(message: Mapping[str, Any], design: Design) -> Row:
    """Return a received message as a row of `messages`."""
    body = message["Body"]
    system = message.get("Attributes", {})
    given = sampling.message_attributes(message)
    given_as = json_object(body) or {}
    fields = {name: given_as.get(told) for name, told in design.message_fields.items()}
    return {
        "message_id": message["MessageId"],
        "body": body,
        "body_sha": sha256(body),
        "well_formed": all(isinstance(fields.get(one), str) and fields[one] for one in _REFERENCE),
        **{one: text(fields.get(one)) for one in ("event_id", "entity_id", "event_time")},
        **{one: text(fields.get(one)) for one in _REFERENCE},
        "event_time_utc": moment(fields.get("event_time")),
        "sent_utc": from_millis(system.get("SentTimestamp")),
        "first_received_utc": from_millis(system.get("ApproximateFirstReceiveTimestamp")),
        "receive_count": whole(system.get("ApproximateReceiveCount")),
        "group_id": text(system.get("MessageGroupId")),
        "sender_id": text(system.get("SenderId")),
        "trace_id": trace_of(system.get("AWSTraceHeader")),
        "attributes": text(given) if given else None,
    }
