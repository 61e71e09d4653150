"""Disabling a mapping again: at the end of a run, or by the next command after a kill."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

from investigate.aws.writing import Targets, WriteDoor
from investigate.errors import AccessError
from investigate.recovery.live import Live
from investigate.recovery.pace import Pace
from investigate.recovery.record import DISABLE, DONE, FAILED, INTENT, Record

ATTEMPTS = 12  # of disabling; a mapping that is being enabled refuses it for some seconds
SETTLED_SECONDS = 60.0  # so long a mapping may be on its way to Disabled
_GONE = "not-found"


def disable(record: Record, live: Live, pace: Pace, uuid: str, *, why: str) -> dict[str, Any]:
    """Disable a mapping by UpdateEventSourceMapping and return its state, with intent and outcome
    on record; a mapping that is no more counts as disabled.

    Raises `AccessError` if it could not be done: then the record stays open, and the next command
    tries again.
    """
    door = WriteDoor(live.connection, Targets(mappings=frozenset({uuid})))
    with suppress(OSError):  # a full disk must not keep a mapping enabled
        record.write(INTENT, DISABLE, pace.stamp(), item=uuid, why=why)
    try:
        after = _disabled(door, uuid, pace)
    except AccessError as error:
        if error.kind != _GONE:
            record.write(FAILED, DISABLE, pace.stamp(), item=uuid, error=error.message)
            raise AccessError(
                f"THE MAPPING {uuid} MAY STILL BE ENABLED: {error.message}",
                hint="disable it now: aws lambda update-event-source-mapping --no-enabled --uuid "
                f"{uuid}; or investigate process-briefly CASE --undo --allow-writes",
                kind=error.kind,
                code=error.code,
                asked=error.asked,
            ) from error
        after = {"State": "gone"}
    record.write(DONE, DISABLE, pace.stamp(), item=uuid, why=why, after=after)
    return after


def _disabled(door: WriteDoor, uuid: str, pace: Pace) -> dict[str, Any]:
    """Ask until AWS has taken it; waits between the attempts are not ended by a signal."""
    for attempt in range(ATTEMPTS):
        try:
            answer = door.call("lambda", "UpdateEventSourceMapping", UUID=uuid, Enabled=False)
        except AccessError as error:
            lasting = error.kind in ("denied", "credentials", "expired", _GONE)
            if attempt == ATTEMPTS - 1 or lasting:
                raise
            time.sleep(min(2.0**attempt, 5.0) * pace.poll_seconds)
        else:
            return {"State": answer["State"]}
    raise AssertionError("the last attempt returns or raises")


def settle(live: Live, pace: Pace) -> None:
    """Return once AWS calls the mapping Disabled, or after a while, or if it does not tell: it has
    taken the request already."""
    until = time.monotonic() + SETTLED_SECONDS
    with suppress(AccessError):
        while live.mapping()["State"] != "Disabled" and time.monotonic() < until:
            time.sleep(pace.poll_seconds)


def undo_open(record: Record, live: Live, pace: Pace) -> list[str]:
    """Disable every mapping that an earlier command enabled and did not disable again, and return
    their UUIDs; raise `AccessError` if one could not be."""
    opened = list(record.open_mappings())
    for uuid in opened:
        disable(record, live, pace, uuid, why="an earlier command ended without disabling it")
    return opened
