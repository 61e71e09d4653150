"""`replay`: the planned messages, sent as the replay function sends them, but each exactly once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from investigate import pipeline
from investigate.analysis.prospects import READABLE
from investigate.analysis.replays import AFTER_LIMIT
from investigate.aws.writing import Targets, WriteDoor
from investigate.recovery.live import Live
from investigate.recovery.pace import Limits
from investigate.recovery.rules import refused
from investigate.recovery.sending import Run, send_each

SCHEMA = "investigate.replay-plan/1"
ACTION = "send-event"

Row = Mapping[str, Any]


def to_send(plan: Mapping[str, Any], limits: Limits) -> list[Row]:
    """Return the rows whose messages are sent: wanted, with an object that can be read.

    Raises `RecoveryRefused`: unscoped-replay, truncated-replay, unreadable-object,
    over-the-limit.
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
    cut = [row for row in plan["leave_out"] if row["wanted"] and row["reason"] == AFTER_LIMIT]
    if cut:
        raise refused("truncated-replay", missed=len(cut), limit=plan["limit"])
    wanted = [row for row in plan["send"] if row["wanted"]]
    broken = [row for row in wanted if row["prospect"] != READABLE]
    if broken:
        raise refused("unreadable-object", event=broken[0]["event_id"], why=broken[0]["why"])
    if len(wanted) > limits.messages:
        raise refused("over-the-limit", many=len(wanted), most=limits.messages)
    return wanted


def days(plan: Mapping[str, Any], rows: Sequence[Row]) -> list[dict[str, str]]:
    """Return the entity-days that the rows belong to."""
    found = sorted({str(row["event_time"])[:10] for row in rows})
    return [{"entity_id": str(plan["entity_id"]), "day": day} for day in found]


def replay(run: Run, live: Live, plan: Mapping[str, Any], rows: Sequence[Row]) -> None:
    """Send the rows' messages to the replay queue, in the order of their sort keys."""
    url = live.replay_queue().url
    door = WriteDoor(live.connection, Targets(send_to=frozenset({url})))
    items = [
        (str(row["event_id"]), partial(_send, door, url, {"entity_id": plan["entity_id"], **row}))
        for row in sorted(rows, key=lambda row: str(row["sk"]))
    ]
    send_each(run, ACTION, items)


def _send(door: WriteDoor, url: str, row: Row) -> dict[str, Any]:
    body = pipeline.replay_message(row)
    sent = door.call("sqs", "SendMessage", QueueUrl=url, MessageBody=body)
    return {"message_id": sent["MessageId"]}
