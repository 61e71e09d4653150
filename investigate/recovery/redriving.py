"""`redrive`: the letters decided `retry`, sent back to their queue one by one and then deleted."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from investigate.analysis.dead_letters import RETRY
from investigate.analysis.error_rules import TRANSIENT
from investigate.aws.writing import WriteDoor, WriteTargets
from investigate.capture.dead_letters import SQS_REDRIVE
from investigate.errors import RecoveryRefused
from investigate.pipeline import sha256
from investigate.recovery.live import Live, Queue
from investigate.recovery.record import DELETE_LETTER, DONE, INTENT, SEND_LETTER
from investigate.recovery.rules import refused
from investigate.recovery.sending import Run
from investigate.recovery.under_way import UnderWay
from investigate.redrive_plan import PlannedLetter, RedrivePlan

HIDDEN_SECONDS = 30  # a received letter is hidden so long, planned or not
HELD_SECONDS = 25  # so long it is surely hidden; the request to send it takes time, too
_SENT_SECONDS = 20  # in which what was received together is to be sent
_MOST = 10  # messages of one receive
_EMPTY = 3  # receives in a row without a letter that was not seen: there are no more

NOTHING = UnderWay()  # is known of events that are on their way

Held = list[tuple[PlannedLetter, RecoveryRefused]]


def split_by_rules(
    plan: RedrivePlan, replay_queue: Queue, known: UnderWay = NOTHING
) -> tuple[list[PlannedLetter], Held]:
    """Return the letters that may go back, one for each event, and those that are held back with
    the rule that does.

    Raises the first such `RecoveryRefused` if none may go back: not-from-a-queue, fifo-order,
    no-newer-deployment, other-destination, sent-before; or permanent-error if none is decided
    `retry`.
    """
    wanted = [letter for letter in plan.letters if letter.decision == RETRY]
    if not wanted:
        decided = ", ".join(f"{many} {name}" for name, many in plan.counts.items() if many)
        raise refused("permanent-error", decided=decided or "the plan holds no letter")
    back: list[PlannedLetter] = []
    held: Held = []
    first: dict[str, str] = {}  # by event
    for letter in wanted:
        error = _forbidden(letter, replay_queue) or _repeated(letter, known, first)
        if error:
            held.append((letter, error))
        else:
            back.append(letter)
            first[str(letter.event_id)] = letter.message_id
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


def _repeated(
    letter: PlannedLetter, known: UnderWay, first: Mapping[str, str]
) -> RecoveryRefused | None:
    why = known.of_letter(letter.event_id, _item(letter), letter.message_id)
    if letter.event_id and letter.event_id in first:
        why = f"the letter {first[letter.event_id]} brings back already"
    if not why:
        return None
    return refused("sent-before", item=letter.message_id, event=letter.event_id, why=why)


def redrive(run: Run, live: Live, letters: Sequence[PlannedLetter]) -> None:
    """Send letters back and delete them, the most urgent queue first. A letter that was sent before
    is only deleted; one that may have been sent is left alone."""
    back = live.replay_queue()
    for name in dict.fromkeys(str(letter.queue_arn) for letter in letters):
        queue = live.queue(name)
        targets = WriteTargets(send_to=frozenset({back.url}), take_from=frozenset({queue.url}))
        door = WriteDoor(live.connection, targets)
        mine = {letter.message_id: letter for letter in letters if letter.queue_arn == name}
        _redrive(run, door, (queue.url, back.url), mine)
        if run.summary.stopped:
            return
    run.look(always=True)


def _redrive(
    run: Run, door: WriteDoor, urls: tuple[str, str], letters: Mapping[str, PlannedLetter]
) -> None:
    pending = _pending(run, letters)
    seen: set[str] = set()
    empty = 0
    # Until no new one comes; each look may take a second, so limits and signals are asked before.
    while pending and empty < _EMPTY and run.may_go_on():
        until = time.monotonic() + HELD_SECONDS
        messages = _received(run, door, urls[0])
        new = [message for message in messages if message["MessageId"] not in seen]
        empty = 0 if new else empty + 1
        for message in new:
            letter = pending.get(message["MessageId"])
            if letter and not _ready(run, letter):
                return
            if letter and time.monotonic() > until:
                continue  # soon it is visible to others: it is left, and received again
            seen.add(message["MessageId"])
            if letter and not _one(run, door, urls, letter, message):
                return
            pending.pop(message["MessageId"], None)
    if not run.summary.stopped:
        run.summary.absent += sorted(pending)


def _pending(run: Run, letters: Mapping[str, PlannedLetter]) -> dict[str, PlannedLetter]:
    """Return the letters to be sent or deleted by their message ids; count the others."""
    state, pending = run.record.letter_state, dict[str, PlannedLetter]()
    for message_id, letter in letters.items():
        item = _item(letter)
        if state(DELETE_LETTER, item) == DONE:
            run.summary.before += 1
        elif state(SEND_LETTER, item) == INTENT:
            run.summary.unknown.append(item)
        else:
            pending[message_id] = letter
    return pending


def _ready(run: Run, letter: PlannedLetter) -> bool:
    """Whether the run goes on with a letter; one that was sent before is only deleted."""
    return run.record.letter_state(SEND_LETTER, _item(letter)) == DONE or run.may_go_on()


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
    if letter.body_sha and sha256(message["Body"]) != letter.body_sha:
        return run.stop(f"{letter.message_id} has another body than in the case", failed=True)
    if run.record.letter_state(SEND_LETTER, item) != DONE:
        before = {"message_id": letter.message_id, "queue": str(letter.queue_arn)}
        send_it = partial(_send, door, send, message)
        run.pace.sending()
        if not run.once(SEND_LETTER, item, send_it, before=before, event=letter.event_id):
            return False
        run.summary.done += 1
    deletion = partial(
        door.call, "sqs", "DeleteMessage", QueueUrl=take, ReceiptHandle=message["ReceiptHandle"]
    )
    if not run.once(DELETE_LETTER, item, lambda: bool(deletion())):
        return False
    run.watch.taken += 1
    return True


def _item(letter: PlannedLetter) -> str:
    return f"{letter.message_id} {letter.queue_arn}"


def _received(run: Run, door: WriteDoor, url: str) -> list[Mapping[str, Any]]:
    """Return some messages of a dead-letter queue: as many as the rate lets go in time."""
    rate = run.pace.limits.rate
    many = _MOST if not rate else max(1, min(_MOST, int(rate * _SENT_SECONDS)))
    found: list[Mapping[str, Any]] = door.call(
        "sqs",
        "ReceiveMessage",
        QueueUrl=url,
        MaxNumberOfMessages=many,
        VisibilityTimeout=HIDDEN_SECONDS,
        WaitTimeSeconds=1,
        MessageAttributeNames=["All"],
    ).get("Messages", [])
    return found


def _send(door: WriteDoor, url: str, message: Mapping[str, Any]) -> dict[str, Any]:
    given = message.get("MessageAttributes", {})
    kept = ("DataType", "StringValue", "BinaryValue")
    attributes = {
        name: {part: value[part] for part in kept if part in value} for name, value in given.items()
    }
    more = {"MessageAttributes": attributes} if attributes else {}
    sent = door.call("sqs", "SendMessage", QueueUrl=url, MessageBody=message["Body"], **more)
    return {"message_id": sent["MessageId"]}
