"""`redrive`: the letters decided `retry`, sent back to their queue one by one and then deleted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from investigate import pipeline
from investigate.analysis.dead_letters import RETRY
from investigate.analysis.error_rules import TRANSIENT
from investigate.aws.writing import Targets, WriteDoor
from investigate.errors import RecoveryRefused
from investigate.recovery.live import Live, Queue
from investigate.recovery.record import DONE
from investigate.recovery.rules import refused
from investigate.recovery.sending import Run
from investigate.redrive_plan import PlannedLetter, RedrivePlan

SEND, DELETE = "send-letter", "delete-letter"
HIDDEN_SECONDS = 30  # a received letter is hidden so long, planned or not
_EMPTY = 3  # receives in a row without a letter that was not seen: there are no more
SQS_REDRIVE = "sqs-redrive"

Held = list[tuple[PlannedLetter, RecoveryRefused]]


def sorted_out(plan: RedrivePlan, replay_queue: Queue) -> tuple[list[PlannedLetter], Held]:
    """Return the letters that may go back, and those that are held back with the rule that does.

    Raises the first such `RecoveryRefused` if none may go back: not-from-a-queue, fifo-order,
    no-newer-deployment, other-destination; or permanent-error if none is decided `retry`.
    """
    wanted = [letter for letter in plan.letters if letter.decision == RETRY]
    if not wanted:
        decided = ", ".join(f"{many} {name}" for name, many in plan.counts.items() if many)
        raise refused("permanent-error", decided=decided or "the plan holds no letter")
    held = [(letter, error) for letter in wanted if (error := _forbidden(letter, replay_queue))]
    back = [letter for letter in wanted if all(letter is not other for other, _ in held)]
    if not back:
        raise held[0][1]
    return back, held


def _forbidden(letter: PlannedLetter, replay_queue: Queue) -> RecoveryRefused | None:
    place = str(letter.queue_arn).rpartition(":")[2]
    about = {"letter": letter.message_id, "queue": place}
    if letter.channel != SQS_REDRIVE:
        return refused("not-from-a-queue", channel=letter.channel, **about)
    if letter.fifo:
        return refused("fifo-order", **about)
    if letter.lasting != TRANSIENT and not letter.deployed_since:
        unknown = letter.deployed_since is None
        return refused(
            "no-newer-deployment",
            function=letter.function or "the consumer",
            deployed="not known to be deployed" if unknown else "not deployed",
            failed=letter.message_id,
            error=letter.fingerprint or "an unknown error",
        )
    # Some emulators do not say where a letter came from; the queue's own policy does.
    came_from = letter.destination or (
        replay_queue.arn if replay_queue.dead_letter_arn == letter.queue_arn else "nobody knows"
    )
    if came_from.rpartition(":")[2] != replay_queue.name:
        return refused(
            "other-destination",
            letter=letter.message_id,
            destination=came_from,
            queue=replay_queue.name,
        )
    return None


def redrive(run: Run, live: Live, letters: Sequence[PlannedLetter]) -> None:
    """Send letters back and delete them, the most urgent queue first. A letter that was sent before
    is only deleted; one that may have been sent is left alone."""
    back = live.replay_queue()
    for name in dict.fromkeys(str(letter.queue_arn) for letter in letters):
        queue = live.queue(name)
        targets = Targets(send_to=frozenset({back.url}), take_from=frozenset({queue.url}))
        door = WriteDoor(live.connection, targets)
        mine = {letter.message_id: letter for letter in letters if letter.queue_arn == name}
        _redrive(run, door, (queue.url, back.url), mine)
        if run.summary.stopped:
            return
    run.look(always=True)


def _redrive(
    run: Run, door: WriteDoor, urls: tuple[str, str], letters: Mapping[str, PlannedLetter]
) -> None:
    pending = {
        message_id: letter
        for message_id, letter in letters.items()
        if run.record.state_of(DELETE, _item(letter)) == DONE
        or run.record.state_of(SEND, _item(letter)) == DONE
        or run.fresh(SEND, _item(letter))
    }
    finished = {
        name for name, one in pending.items() if run.record.state_of(DELETE, _item(one)) == DONE
    }
    run.summary.before += len(finished)
    pending = {name: letter for name, letter in pending.items() if name not in finished}
    if not pending:
        return
    for message in _received(door, urls[0]):
        letter = pending.pop(message["MessageId"], None)
        if letter is None:
            continue
        if not _one(run, door, urls, letter, message) or not pending:
            break
    if not run.summary.stopped:
        run.summary.absent += sorted(pending)


def _one(
    run: Run,
    door: WriteDoor,
    urls: tuple[str, str],
    letter: PlannedLetter,
    message: Mapping[str, Any],
) -> bool:
    """Send one letter back and delete it; return whether the run goes on."""
    take, send = urls
    item = _item(letter)
    if letter.body_sha and pipeline.sha256(message["Body"]) != letter.body_sha:
        return run.stop(f"{letter.message_id} has another body than in the case", failed=True)
    if run.record.state_of(SEND, item) != DONE:
        if not run.may_go_on():
            return False
        before = {"message_id": letter.message_id, "queue": str(letter.queue_arn)}
        if not run.once(SEND, item, partial(_send, door, send, message), before=before):
            return False
        run.summary.done += 1
    deletion = partial(
        door.call, "sqs", "DeleteMessage", QueueUrl=take, ReceiptHandle=message["ReceiptHandle"]
    )
    return run.once(DELETE, item, lambda: bool(deletion()))


def _item(letter: PlannedLetter) -> str:
    return f"{letter.message_id} {letter.queue_arn}"


def _received(door: WriteDoor, url: str) -> Iterator[Mapping[str, Any]]:
    """Yield the messages of a dead-letter queue, each once, until no new one comes."""
    seen: set[str] = set()
    empty = 0
    while empty < _EMPTY:
        found = door.call(
            "sqs",
            "ReceiveMessage",
            QueueUrl=url,
            MaxNumberOfMessages=10,
            VisibilityTimeout=HIDDEN_SECONDS,
            WaitTimeSeconds=1,
            MessageAttributeNames=["All"],
        )
        new = [m for m in found.get("Messages", []) if m["MessageId"] not in seen]
        seen.update(message["MessageId"] for message in new)
        empty = 0 if new else empty + 1
        yield from new


def _send(door: WriteDoor, url: str, message: Mapping[str, Any]) -> dict[str, Any]:
    given = message.get("MessageAttributes", {})
    kept = ("DataType", "StringValue", "BinaryValue")
    attributes = {
        name: {part: value[part] for part in kept if part in value} for name, value in given.items()
    }
    more = {"MessageAttributes": attributes} if attributes else {}
    sent = door.call("sqs", "SendMessage", QueueUrl=url, MessageBody=message["Body"], **more)
    return {"message_id": sent["MessageId"]}
