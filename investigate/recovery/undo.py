"""Disabling a mapping again: at the end of a run, or by the next command after a kill."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from investigate.aws.writing import WriteDoor, WriteTargets
from investigate.errors import AccessError, RecoveryRefused
from investigate.model import parse_time
from investigate.recovery.live import Live
from investigate.recovery.pace import Pace
from investigate.recovery.record import DISABLE, DONE, FAILED, INTENT, Record
from investigate.recovery.region_and_account import RegionAndAccount, region_and_account

ATTEMPTS = 12  # of disabling; a mapping that is being enabled refuses it for some seconds
SETTLED_SECONDS = 60.0  # so long a mapping may be on its way to Disabled
OURS = timedelta(minutes=3)  # so long after the intent a modification may be our own
RUNNING = ("Enabled", "Enabling", "Creating", "Updating")
_GONE = "not-found"


def disable(record: Record, live: Live, pace: Pace, uuid: str, *, why: str) -> dict[str, Any]:
    """Disable a mapping by UpdateEventSourceMapping and return its state, with intent and outcome
    on record; a mapping that is no more counts as disabled, where it was enabled.

    Raises `AccessError` if it could not be done: then the record stays open, and the next command
    tries again.
    """
    door = WriteDoor(live.connection, WriteTargets(mappings=frozenset({uuid})))
    with suppress(OSError):  # a full disk must not keep a mapping enabled
        record.write(INTENT, DISABLE, pace.stamp(), item=uuid, why=why)
    try:
        after = _disabled(door, uuid, pace)
    except AccessError as error:
        if error.kind != _GONE or not _here(record, live, uuid):
            with suppress(OSError):  # nor keep anybody from being told
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
    with suppress(OSError):  # it is disabled; without the line the next command does it once more
        record.write(DONE, DISABLE, pace.stamp(), item=uuid, why=why, after=after)
    return after


def _here(record: Record, live: Live, uuid: str) -> bool:
    """Whether the connection surely leads to where the mapping was enabled; elsewhere AWS knows
    no such mapping either."""
    known = _place(record.open_mappings().get(uuid, {})).or_else(live.place)
    if known.region and known.region != live.connection.region:
        return False
    try:
        return not known.account or live.connection.account() == known.account
    except AccessError:
        return False


def _place(line: Mapping[str, Any]) -> RegionAndAccount:
    return region_and_account(line.get("region"), line.get("account"))


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
            if answer.get("State"):
                return {"State": answer["State"]}
            # AWS always tells it; an answer without it is of something else.
            raise AccessError("lambda:UpdateEventSourceMapping: the answer tells no state")
    raise AssertionError("the last attempt returns or raises")


def settle(live: Live, pace: Pace) -> None:
    """Return once AWS calls the mapping Disabled, or after a while, or if it does not tell: it has
    taken the request already."""
    until = time.monotonic() + SETTLED_SECONDS
    with suppress(AccessError, RecoveryRefused):
        while live.mapping()["State"] != "Disabled" and time.monotonic() < until:
            time.sleep(pace.poll_seconds)


def undo_open(record: Record, live: Live, pace: Pace) -> list[str]:
    """Disable every mapping that an earlier command enabled and did not disable again, and return
    what was done, in words. One that somebody changed later is theirs, and is left alone.

    Raises `AccessError` if one could not be disabled, and `RecoveryRefused` (other-place) if it
    was enabled in another place than this connection leads to.
    """
    said = []
    for uuid, line in record.open_mappings().items():
        _place(line).refuse_other(_reached(live), f"what answers for the mapping {uuid}")
        if state := _somebody_elses(live, uuid, line):
            after = {"State": state, "left": "changed by somebody since"}
            with suppress(OSError):  # without the line the next command looks, and says, once more
                record.write(DONE, DISABLE, pace.stamp(), item=uuid, why="an undo", after=after)
            said.append(
                f"the mapping {uuid} was left enabled by a killed command, and changed by somebody "
                f"since: it is {state}, and was not disabled"
            )
            continue
        disable(record, live, pace, uuid, why="an earlier command ended without disabling it")
        said.append(
            f"the mapping {uuid} was left enabled by a killed command: it is disabled again"
        )
    return said


def _reached(live: Live) -> RegionAndAccount:
    """Where this connection leads to; the account only if the credentials tell."""
    try:
        account = live.connection.account()
    except AccessError:
        account = None
    return region_and_account(live.connection.region, account)


def _somebody_elses(live: Live, uuid: str, line: Mapping[str, Any]) -> str:
    """Return the state of a running mapping that was changed after we enabled it; else empty.

    AWS counts a change of state as a modification, and enabling takes a while: what is changed
    within `OURS` cannot be told from that, and is taken for ours. Both times are of AWS's clock.
    """
    before = line.get("modified")
    if not before:
        return ""
    try:
        mapping = live.mapping()
    except (AccessError, RecoveryRefused):
        return ""
    now, state = mapping.get("LastModified"), str(mapping["State"])
    if mapping["UUID"] != uuid or not isinstance(now, datetime) or state not in RUNNING:
        return ""
    return state if now - parse_time(before) > OURS else ""
