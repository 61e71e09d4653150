"""A sample of a queue's messages: when it may be taken, how carefully, and of how many it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from investigate.capture.source import QUEUE_COUNTS, Source, between, coverage_of_error
from investigate.capture.values import json_object, whole
from investigate.errors import AccessError

MESSAGES_AT_ONCE = 10  # the most that SQS hands out
HIDDEN_SECONDS = 30  # a sampled message is back for its consumers after this time
# A short poll asks only some of a queue's servers and may miss every message of a small queue;
# one that waits asks them all. Even then one empty answer proves nothing.
WAIT_SECONDS = 1
EMPTY_RECEIVES = 5
# The counts of a queue are right about so long after the last message was sent.
COUNTS_SETTLE = timedelta(minutes=1)
_FORCE = "(--force-sampling)"


@dataclass
class Sample:
    """The messages of one queue that were received, of about how many, and what must be said."""

    waiting: int
    messages: dict[str, Mapping[str, Any]] = field(default_factory=dict)  # by their id
    notes: list[str] = field(default_factory=list)
    stopped: bool = False

    @property
    def whole(self) -> bool:
        """Whether as many were received as the queue said it had."""
        return len(self.messages) >= self.waiting and not self.stopped

    @property
    def patience(self) -> int:
        """How many empty answers are needed to believe that there is no more."""
        return 1 if self.whole else EMPTY_RECEIVES

    @property
    def reason(self) -> str:
        """How many of how many, and what was risked or stopped it."""
        return "; ".join([f"{len(self.messages)} of about {self.waiting}", *self.notes])

    def stop(self, why: str) -> None:
        """Receive no more, for this reason."""
        self.stopped = True
        self.notes.append(why)


def counts_of(attributes: Mapping[str, str]) -> dict[str, int]:
    """Return what a queue says of its messages, by the columns of `queue_state`."""
    return {column: int(attributes[name]) for column, name in QUEUE_COUNTS.items()}


def redrive_of(attributes: Mapping[str, str]) -> dict[str, Any]:
    """Return a queue's redrive policy; empty if it has none."""
    return json_object(attributes.get("RedrivePolicy", "")) or {}


def refusal(attributes: Mapping[str, str], *, force: bool) -> str | None:
    """Return why no message of a queue may be received, or None."""
    if redrive := redrive_of(attributes):
        most = whole(redrive.get("maxReceiveCount"))
        policy = f"the queue has a redrive policy (maxReceiveCount {most}): receiving a message"
        if most is None or most < 2:
            return f"{policy} would send it to the dead-letter queue the next time; never done"
        if not force:
            return f"{policy} could move it to the dead-letter queue {_FORCE}"
    if attributes.get("FifoQueue") == "true" and not force:
        return (
            f"a FIFO queue: receiving a message would hold up all later ones of its group {_FORCE}"
        )
    return None


def take(source: Source, url: str, attributes: Mapping[str, str]) -> Sample:
    """Return the sample of a queue that `refusal` lets through; raise `AccessError` if denied.

    What was received stays: each was hidden for it, and its receive count is one higher now.
    """
    counts = counts_of(attributes)
    sample = Sample(sum(counts.values()), notes=_risks(attributes))
    most = whole(redrive_of(attributes).get("maxReceiveCount"))
    wanted = source.options.sample_messages if counts["visible"] else 0
    if most:  # not even a look for messages that the queue did not count
        wanted = min(wanted, sample.waiting)
    forced = refusal(attributes, force=False) is not None
    empty = 0
    while len(sample.messages) < wanted and empty < sample.patience and not sample.stopped:
        before = len(sample.messages)
        # One at a time where a receive can do harm: then it can do it to one message only.
        at_once = 1 if forced else min(MESSAGES_AT_ONCE, wanted - before)
        for message in _receive(sample, source, url, at_once):
            _take_one(sample, message, most)
        empty = empty + 1 if len(sample.messages) == before else 0
    return sample


def horizon(source: Source) -> str:
    """Return the time in which whatever was sent is counted, if it is still there."""
    return between(None, source.options.captured_at - COUNTS_SETTLE)


def message_attributes(message: Mapping[str, Any]) -> dict[str, str]:
    """Return the attributes a sender gave a message, those that are texts or numbers."""
    given = message.get("MessageAttributes", {})
    return {name: one["StringValue"] for name, one in given.items() if "StringValue" in one}


def _risks(attributes: Mapping[str, str]) -> list[str]:
    """What sampling risks although it was forced, which belongs to the evidence."""
    risks = []
    if redrive := redrive_of(attributes):
        risks.append(
            "forced: each receive counts towards the redrive policy "
            f"(maxReceiveCount {whole(redrive.get('maxReceiveCount'))})"
        )
    if attributes.get("FifoQueue") == "true":
        risks.append(
            f"forced: later messages of a received one's group waited up to {HIDDEN_SECONDS} s"
        )
    return risks


def _receive(sample: Sample, source: Source, url: str, at_once: int) -> list[dict[str, Any]]:
    try:
        answer = source.connection.call(
            "sqs",
            "ReceiveMessage",
            QueueUrl=url,
            MaxNumberOfMessages=at_once,
            VisibilityTimeout=HIDDEN_SECONDS,
            WaitTimeSeconds=WAIT_SECONDS,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
    except AccessError as error:
        if not sample.messages:
            raise
        sample.stop(str(coverage_of_error(error).reason))
        return []
    return list(answer.get("Messages", []))


def _take_one(sample: Sample, message: Mapping[str, Any], most: int | None) -> None:
    """Keep a message; stop where one receive more could move one to the dead-letter queue."""
    name = message["MessageId"]
    again = name in sample.messages
    sample.messages.setdefault(name, message)
    if most is None:
        return
    count = whole(message.get("Attributes", {}).get("ApproximateReceiveCount"))
    if count is None or count >= most:
        sample.stop(
            f"stopped: message {name} has been received {count or 'an unknown number of'} times, "
            "once more could move it to the dead-letter queue"
        )
    elif again:
        sample.stop(f"stopped: message {name} came back before the sample was whole")
