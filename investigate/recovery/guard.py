"""A second pair of eyes on the time: the mapping is disabled although a look takes for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from investigate.aws.writing import WriteDoor, WriteTargets
from investigate.errors import AccessError
from investigate.recovery.live import Live
from investigate.recovery.pace import Pace

GRACE_SECONDS = 2.0  # that the run itself has, once its time is over, before this is done for it
_TICK = 0.1


@contextmanager
def disabled_in_time(live: Live, pace: Pace, uuid: str) -> Iterator[None]:
    """Disable a mapping from another thread if the block still lasts a while after the time is
    over or a signal came: a watch that waits for AWS must not keep it enabled.

    It puts nothing on record and reports nothing: the run disables the mapping again, on record.
    """
    ended = threading.Event()
    # A client of its own, opened now: that takes a while, and may fail.
    door = WriteDoor(live.connection, WriteTargets(mappings=frozenset({uuid})))
    door.client("lambda")

    def guard() -> None:
        over = None
        while not ended.wait(_TICK):
            if pace.over() and over is None:
                over = time.monotonic()
            if over is not None and time.monotonic() - over >= GRACE_SECONDS:
                with suppress(AccessError):
                    door.call("lambda", "UpdateEventSourceMapping", UUID=uuid, Enabled=False)
                    return
                # It is being enabled, or AWS is busy: tried again in a moment.
                ended.wait(pace.poll_seconds)

    thread = threading.Thread(target=guard, name="disable-in-time", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
