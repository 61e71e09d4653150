"""`replay`: the planned messages, sent as the replay function sends them, but each exactly once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from investigate.analysis.replay_prospects import READABLE, UNKNOWN
from investigate.analysis.replays import AFTER_LIMIT, BY_TIME_ONLY, NO_REFS
from investigate.aws.writing import WriteDoor, WriteTargets
from investigate.pipeline import Design
from investigate.recovery.live import Live
from investigate.recovery.pace import SendLimits
from investigate.recovery.record import FAILED, SEND_EVENT, Record
from investigate.recovery.rules import refused
from investigate.recovery.sending import Run, send_each
from investigate.recovery.under_way import UnderWay

Row = Mapping[str, Any]


def to_send(
    plan: Mapping[str, Any], limits: SendLimits, prospects: Mapping[str, Row] | None = None
) -> list[Row]:
    """Return the rows whose messages are sent: wanted, with an object that can be read. Also those
    that a replay of the pipeline's own would miss (D6); `prospects` tells of these, by sort key,
    what the plan does not.

    Raises `RecoveryRefused`: unscoped-replay, truncated-replay, wanted-left-out,
    unreadable-object, over-the-limit.
    """
    window = plan.get("window") or {}
    scope = {
        "entity": plan.get("entity_id"),
        "start": window.get("start"),
        "end": window.get("end"),
    }
    lacking = [name for name, value in scope.items() if not value]
    if lacking:
        raise refused("unscoped-replay", lacking=" and no ".join(lacking))
    missed = [row for row in plan["leave_out"] if row["wanted"]]
    cut = [row for row in missed if row["reason"] == AFTER_LIMIT]
    if cut:
        raise refused("truncated-replay", missed=len(cut), limit=plan["limit"])
    other = [row for row in missed if row["reason"] != BY_TIME_ONLY]
    if other:
        event = other[0]["event_id"] or other[0]["sk"]
        raise refused("wanted-left-out", event=event, reason=other[0]["reason"])
    unknown = {"prospect": UNKNOWN, "why": "the case does not hold its row"}
    known = prospects or {}
    wanted = [row for row in plan["send"] if row["wanted"]]
    wanted += [{**row, **known.get(str(row["sk"]), unknown)} for row in missed]
    broken = [row for row in wanted if row["prospect"] != READABLE]
    if broken:
        raise refused("unreadable-object", event=broken[0]["event_id"], why=broken[0]["why"])
    unnamed = [row for row in wanted if not (row["event_id"] and row["s3_bucket"])]
    if unnamed:
        raise refused("wanted-left-out", event=unnamed[0]["sk"], reason=NO_REFS)
    if len(wanted) > limits.messages:
        raise refused("over-the-limit", many=len(wanted), most=limits.messages)
    return wanted


def missed_keys(plan: Mapping[str, Any]) -> list[str]:
    """Return the sort keys of the wanted rows of which the plan does not say how they would end."""
    return [str(row["sk"]) for row in plan["leave_out"] if row["wanted"]]


def split_by_under_way(
    rows: Sequence[Row], known: UnderWay
) -> tuple[list[Row], list[tuple[Row, str]]]:
    """Return the rows that are sent, and those that are not, with the reason: their events are on
    their way already."""
    reasons = [(row, known.of_row(str(row["event_id"]))) for row in rows]
    return (
        [row for row, reason in reasons if not reason],
        [(row, reason) for row, reason in reasons if reason],
    )


def refuse_slow(rows: Sequence[Row], record: Record, limits: SendLimits) -> None:
    """Raise `RecoveryRefused` (too-slow) if what is still to be sent takes longer than the limit:
    a replay that ends early leaves a part of a day."""
    many = sum(record.state_of(SEND_EVENT, str(row["event_id"])) in (None, FAILED) for row in rows)
    rate = limits.rate or math.inf
    needed = max(0, many - 1) / rate
    if many and needed >= limits.seconds:
        raise refused("too-slow", many=many, needed=needed, rate=rate, seconds=limits.seconds)


def days(plan: Mapping[str, Any], rows: Sequence[Row], design: Design) -> list[dict[str, str]]:
    """Return the entity-days that the rows belong to."""
    found = sorted({design.aggregate.period_of(str(row["event_time"])) for row in rows})
    return [{"entity_id": str(plan["entity_id"]), "day": day} for day in found]


def replay(run: Run, live: Live, plan: Mapping[str, Any], rows: Sequence[Row]) -> None:
    """Send the rows' messages to the replay queue, in the order of their sort keys."""
    url = live.replay_queue().url
    door = WriteDoor(live.connection, WriteTargets(send_to=frozenset({url})))
    message = live.names.design.replay_message
    items = [
        (
            str(row["event_id"]),
            partial(_send, door, url, message({"entity_id": plan["entity_id"], **row})),
        )
        for row in sorted(rows, key=lambda row: str(row["sk"]))
    ]
    send_each(run, SEND_EVENT, items)
    if run.summary.stopped and run.summary.done + run.summary.before < len(items):
        run.stop(f"only a part of {len(items)} messages is sent; run the same again", failed=True)


def _send(door: WriteDoor, url: str, body: str) -> dict[str, Any]:
    sent = door.call("sqs", "SendMessage", QueueUrl=url, MessageBody=body)
    return {"message_id": sent["MessageId"]}
