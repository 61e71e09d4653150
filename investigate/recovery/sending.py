"""Doing planned things one by one: each once, within limits, stopped by trouble, on record."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from investigate.aws.writing import surely_refused
from investigate.errors import AccessError
from investigate.recovery.live import FailureWatch
from investigate.recovery.pace import Pace
from investigate.recovery.record import DONE, FAILED, INTENT, Record

# With these AWS has refused before doing anything; after any other failure nobody knows.
_NOT_DONE = ("denied", "not-found", "credentials", "expired")


@dataclass
class Summary:
    """What came of a run: counts, the items nobody knows about, and why it ended early."""

    done: int = 0
    before: int = 0  # done by an earlier run
    unknown: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)  # not found any more
    held: list[str] = field(default_factory=list)  # on their way already, and therefore not sent
    unproved: str = ""  # why nobody knows whether what was done had its effect
    stopped: str = ""
    failed: bool = False  # it was trouble that stopped it, and not a limit

    def as_json(self) -> dict[str, Any]:
        """Return what stands in the record."""
        return {
            "done": self.done, "done_before": self.before, "unknown": self.unknown,
            "absent": self.absent, "stopped": self.stopped, "unproved": self.unproved,
            "held": self.held,
        }  # fmt: skip


@dataclass
class Run:
    """One run of one plan: its record, its pace, its watch and its summary."""

    record: Record
    pace: Pace
    watch: FailureWatch
    plan: str  # the digest
    summary: Summary = field(default_factory=Summary)
    _looked: float = field(default_factory=time.monotonic)

    def fresh(self, action: str, item: str) -> bool:
        """Whether an item is to be done; one that was done before, or may have been, is counted."""
        state = self.record.state_of(action, item)
        if state == DONE:
            self.summary.before += 1
        elif state == INTENT:
            self.summary.unknown.append(item)
        return state in (None, FAILED)

    def may_go_on(self) -> bool:
        """Whether one more message may be sent now, waiting until the rate allows it."""
        limits = self.pace.limits
        if self.summary.stopped:
            return False
        if self.summary.done >= limits.messages:
            return self.stop(f"--max-messages {limits.messages} are sent")
        self.pace.wait_turn()
        if reason := self.pace.over():
            return self.stop(reason)
        return self.look()

    def look(self, *, always: bool = False) -> bool:
        """Whether all is well, by a look at the pipeline now and then."""
        if not always and time.monotonic() - self._looked < self.pace.poll_seconds:
            return True
        self._looked = time.monotonic()
        trouble = self.watch.trouble()
        return self.stop(trouble, failed=True) if trouble else True

    def stop(self, reason: str, *, failed: bool = False) -> bool:
        """End the run with a reason; return False. Trouble after a limit is told, too."""
        summary = self.summary
        if failed and not summary.failed and summary.stopped:
            summary.stopped = f"{summary.stopped}; then {reason}"
        summary.stopped = summary.stopped or reason
        summary.failed = summary.failed or failed
        return False

    def once(self, action: str, item: str, write: Callable[[], Any], **told: Any) -> bool:
        """Do one write with its intent and its outcome on record; return whether it was done.
        A failure ends the run."""
        common = {"item": item, "plan": self.plan, **told}
        self.record.write(INTENT, action, self.pace.stamp(), **common)
        try:
            after = write()
        except AccessError as error:
            self.stop(error.message, failed=True)
            if error.kind in _NOT_DONE or "hrottl" in error.code or surely_refused(error):
                self.record.write(FAILED, action, self.pace.stamp(), **common, error=error.message)
            else:
                self.summary.unknown.append(item)
            return False
        self.record.write(DONE, action, self.pace.stamp(), **common, after=after)
        return True


def send_each(
    run: Run, action: str, items: Iterable[tuple[str, Callable[[], Any]]], **told: Any
) -> None:
    """Send every item that was not sent before, in order, until something ends the run."""
    for item, write in items:
        if not run.fresh(action, item):
            continue
        if not run.may_go_on():
            return
        run.pace.sending()
        run.summary.done += run.once(action, item, write, **told)
    run.look(always=True)
