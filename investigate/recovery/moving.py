"""`redrive --move`: a whole dead-letter queue sent back by SQS itself, as a message move task.

Source: StartMessageMoveTask, ListMessageMoveTasks and CancelMessageMoveTask of the Amazon SQS API.
A task takes all that lies in a queue, cannot choose, and does not move back what it moved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from investigate.aws.writing import WriteDoor, WriteTargets
from investigate.capture.dead_letters import SQS_REDRIVE
from investigate.errors import AccessError
from investigate.recovery.live import Live
from investigate.recovery.pace import SendLimits
from investigate.recovery.record import DONE, MOVE_LETTERS
from investigate.recovery.rules import refused
from investigate.recovery.sending import Run
from investigate.redrive_plan import PlannedLetter, RedrivePlan

FASTEST = 500  # messages a second that a task may be told
END = "move-ended"
_WHOLE = "COMPLETED"
_OVER = ("COMPLETED", "CANCELLED", "FAILED")


def refuse_move(
    plan: RedrivePlan, letters: Sequence[PlannedLetter], live: Live, limits: SendLimits
) -> list[str]:
    """Return the ARNs of the queues to move, each wholly planned; raise `RecoveryRefused`
    (move-too-slow, not-from-a-queue, move-not-whole, over-the-limit)."""
    if limits.rate is not None and limits.rate < 1:
        raise refused("move-too-slow", rate=limits.rate)
    for letter in plan.letters:
        if letter.channel != SQS_REDRIVE:
            queue = str(letter.queue_arn).rpartition(":")[2]
            raise refused(
                "not-from-a-queue", letter=letter.message_id, queue=queue, channel=letter.channel
            )
    arns = list(dict.fromkeys(str(letter.queue_arn) for letter in letters))
    for arn in arns:
        planned = sum(letter.queue_arn == arn for letter in letters)
        waiting = live.queue(arn).waiting
        if waiting != planned:
            name = arn.rpartition(":")[2]
            raise refused("move-not-whole", queue=name, waiting=waiting, planned=planned)
    if len(letters) > limits.messages:
        raise refused("over-the-limit", many=len(letters), most=limits.messages)
    return arns


def move(run: Run, live: Live, arns: Sequence[str]) -> None:
    """Move each queue's letters back to where they came from, and cancel at trouble or a limit."""
    for arn in arns:
        door = WriteDoor(live.connection, WriteTargets(move_from=frozenset({arn})))
        item = f"{run.plan} {arn}"
        if not run.fresh(MOVE_LETTERS, item):
            if (ended := _end_of(run, item)) != _WHOLE:
                words = f"an earlier move of {arn} ended as {ended or 'nobody knows what'}"
                run.stop(f"{words}: capture again", failed=True)
            continue
        rate = max(1, min(int(run.pace.limits.rate or 1), FASTEST))
        if not run.once(MOVE_LETTERS, item, partial(_start, door, arn, rate)):
            return
        handle = run.record.lines[-1]["after"]["handle"]
        status, moved = _follow(run, door, arn, handle)
        run.summary.done += moved
        run.record.write(
            DONE, END, run.pace.stamp(), item=item, plan=run.plan,
            after={"status": status, "moved": moved},
        )  # fmt: skip
        if run.summary.stopped:
            return


def _end_of(run: Run, item: str) -> str | None:
    ends = [one for one in run.record.lines if one["action"] == END and one.get("item") == item]
    return str(ends[-1]["after"]["status"]) if ends else None


def _start(door: WriteDoor, arn: str, rate: int) -> dict[str, str]:
    answer = door.call(
        "sqs", "StartMessageMoveTask", SourceArn=arn, MaxNumberOfMessagesPerSecond=rate
    )
    return {"handle": answer["TaskHandle"]}


def _follow(run: Run, door: WriteDoor, arn: str, handle: str) -> tuple[str, int]:
    """Watch a task to its end, and return how it ended and what it moved; what it has moved when
    it is cancelled stays moved."""
    moved, taken = 0, run.watch.taken
    while True:
        try:
            task = _newest(door, arn)
        except AccessError as error:
            # A task that nobody can see any more must not go on.
            run.stop(f"the move cannot be seen: {error.message}", failed=True)
            task = {}
        moved = int(task.get("ApproximateNumberOfMessagesMoved") or moved)
        run.watch.taken = taken + moved
        if task.get("Status") in _OVER:
            if task["Status"] != _WHOLE:
                run.stop(f"the move is {task['Status']}: {task.get('FailureReason')}", failed=True)
            return str(task["Status"]), moved
        if not run.summary.stopped and run.look() and (reason := run.pace.over()):
            run.stop(reason)
        if run.summary.stopped:
            cancelled = run.once("cancel-move", handle, partial(_cancel, door, handle))
            if not cancelled:
                return "cancelling it failed", moved
            told = run.record.lines[-1]["after"]["moved"]
            return "CANCELLED", moved if told is None else int(told)
        run.pace.wait()


def _newest(door: WriteDoor, arn: str) -> Mapping[str, Any]:
    tasks = door.call("sqs", "ListMessageMoveTasks", SourceArn=arn, MaxResults=1)["Results"]
    return tasks[0] if tasks else {}


def _cancel(door: WriteDoor, handle: str) -> dict[str, Any]:
    answer = door.call("sqs", "CancelMessageMoveTask", TaskHandle=handle)
    return {"moved": answer.get("ApproximateNumberOfMessagesMoved")}
