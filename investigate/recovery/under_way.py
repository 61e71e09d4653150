"""Events that are on their way already: what is sent again on top of it is counted twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from investigate.analysis.queues import replay_queues
from investigate.analysis.replay_prospects import with_prospects
from investigate.capture.dead_letters import SQS_REDRIVE
from investigate.errors import NotEvaluable, UsageError
from investigate.evidence import Evidence
from investigate.model import isoformat, parse_time
from investigate.recovery.record import SEND_EVENT, Record, Sent

WAITS = "waits in the replay queue"
DEAD = "is a dead letter, which redrive sends back"


@dataclass(frozen=True, slots=True)
class UnderWay:
    """What of the events is known: those that wait, the dead letters, and those that were sent.

    `unseen` counts the waiting messages that nobody looked at: any event may be among them. None:
    how many wait is not known either.
    """

    waiting: frozenset[str] = frozenset()
    dead: frozenset[str] = frozenset()
    sent: Mapping[str, Sent] = field(default_factory=dict)
    unseen: int | None = None

    def of_row(self, event: str) -> str:
        """Return why an event of a replay must not be sent; empty if it may. What this case's own
        replays did is no reason: its record counts that."""
        sent = self.sent.get(event)
        if sent and (sent.action != SEND_EVENT or sent.case):
            return _told(sent)
        if event in self.waiting:
            return WAITS
        return DEAD if event in self.dead else ""

    def of_letter(self, event: str | None, item: str, message_id: str) -> str:
        """Return why a letter must not be sent back; empty if it may. It may if it is the very
        message that was sent, and has become a dead letter again."""
        if not event:
            return ""
        sent = self.sent.get(event)
        if sent and item != sent.item and message_id != sent.message_id:
            return _told(sent)
        return WAITS if event in self.waiting and not (sent and sent.item == item) else ""


def _told(sent: Sent) -> str:
    what = "in a replay" if sent.action == SEND_EVENT else "as a dead letter"
    by = f" of the case {sent.case}" if sent.case else ""
    sure = "was sent" if sent.message_id else "may have been sent"
    return f"{sure} {what}{by} at {sent.at}"


def under_way(evidence: Evidence, record: Record, *, again: bool = False) -> UnderWay:
    """Return what is known of a case's events, by the case and by the records of its pipeline.

    Somebody may ask for what was sent to be sent `again`. That holds for what was sent before the
    capture, and only if the replay queue was empty then: it has left it, to be processed or lost.
    """
    levels = _levels(evidence)
    captured = isoformat(evidence.case.captured_at)
    sent = {
        event: one
        for event, one in record.sent().items()
        if not (again and levels == 0 and _earlier(one.at, captured))
    }
    waiting = _ids(evidence, "messages")
    looked = len(waiting)
    if evidence.has("messages"):
        looked = evidence.engine.count(evidence["messages"])
    return UnderWay(
        frozenset(waiting),
        frozenset(_ids(evidence, "dead_letters", channel=SQS_REDRIVE)),
        sent,
        None if levels is None else max(0, levels - looked),
    )


def _levels(evidence: Evidence) -> int | None:
    """How many messages were in the replay queue; None: nobody looked, or there is no such row."""
    if not evidence.has("queue_state"):
        return None
    try:
        return int(evidence.engine.scalar(replay_queues(evidence).waiting.sum()))
    except NotEvaluable:
        return None


def _earlier(at: str, captured: str) -> bool:
    try:
        return parse_time(at) < parse_time(captured)
    except UsageError:
        return False


def _ids(evidence: Evidence, table: str, **only: str) -> set[str]:
    if not evidence.has(table):
        return set()
    rows = evidence[table]
    rows = rows.filter(*(rows[name] == value for name, value in only.items())) if only else rows
    found = evidence.engine.rows(rows.filter(rows.event_id.notnull()).select("event_id").distinct())
    return {str(row["event_id"]) for row in found}


def prospects(evidence: Evidence, entity: str, keys: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return `prospect` and `why` of an entity's EventsTable rows by their sort keys."""
    rows = evidence["events"]
    rows = rows.filter(rows.pk == evidence.design.event_pk(entity), rows.sk.isin(list(keys)))
    shown = with_prospects(evidence, rows).select("sk", "prospect", "why")
    return {str(row["sk"]): row for row in evidence.engine.rows(shown)}
