"""Checks of what failed for good: what waits, what will soon be gone, what returns or vanished."""

from __future__ import annotations

import ibis.expr.types as ir

from investigate.analysis.dead_letters import LOOP, letter_decisions
from investigate.analysis.discards import discard_gaps, discards
from investigate.checks.registry import PartialRows, check
from investigate.evidence import Evidence
from investigate.model import Severity, counted

_PLAN = (
    "`investigate redrive-plan CASE` says of each letter whether to retry, repair, archive or "
    "escalate it, why, and until when."
)
_SHOWN = (
    "channel", "queue_arn", "event_id", "entity_id", "event_time_utc", "fingerprint", "until_utc",
    "decision", "reason",
)  # fmt: skip


@check(
    "dead-letters/waiting",
    Severity.DANGEROUS,
    key="message_id",
    ownerless=True,
    reads=("dead_letters", "queue_state", "functions", "mappings", "deliveries"),
    found="{count} message{s} failed for good and wait{_s} in a dead-letter queue.",
    advice=_PLAN + " Group by fingerprint: most incidents are one fault many times. Repair the "
    "cause first, then send back only what did not get through meanwhile.",
    avoid="Do not press redrive for the whole queue: it cannot leave anything out, it gives every "
    "message a new id and a new clock, and what fails again comes back. Do not receive by hand to "
    "have a look; each receive counts.",
)
def waiting(evidence: Evidence) -> PartialRows:
    """Did something fail for good, and is it waiting in a dead-letter queue?"""
    return _partial_rows(evidence, letter_decisions(evidence))


@check(
    "dead-letters/expiring",
    Severity.ESCALATE,
    key="message_id",
    ownerless=True,
    reads=("dead_letters", "queue_state", "functions", "mappings", "deliveries"),
    found="{count} dead letter{s} will soon be gone, or {are} already.",
    advice="Save the bodies first: they are in the case. Of a stream a letter in a queue holds "
    "only pointers, so fetch its records now (GetShardIterator AT_SEQUENCE_NUMBER, then GetRecords "
    "up to the end sequence), before the stream lets go of them; an object in a bucket holds the "
    "records themselves. Then raise MessageRetentionPeriod of "
    "the queue, up to 14 days, which holds for messages already there. " + _PLAN,
    avoid="Do not count on the move to the dead-letter queue: on a standard queue the clock goes "
    "on from the first sending. Do not lower any retention, which deletes at once.",
)
def expiring(evidence: Evidence) -> PartialRows:
    """Will a dead letter, or what it points at, be gone before somebody can save it?"""
    rows = letter_decisions(evidence)
    soon = rows.filter((rows.left_s < evidence.thresholds.expiring_seconds).fill_null(False))
    unknown = evidence.engine.count(rows.filter(rows.left_s.isnull()))
    gap = f"until when {counted(unknown, 'dead letter')} can be saved is unknown"
    return _partial_rows(evidence, soon, gap if unknown else "")


@check(
    "dead-letters/looping",
    Severity.DANGEROUS,
    key="message_id",
    ownerless=True,
    reads=("dead_letters", "queue_state", "functions", "mappings", "deliveries"),
    found="{count} dead letter{s} hold{_s} what has been dead-lettered before.",
    advice="Somebody sent it back before the cause was repaired, or sent it twice. Compare the "
    "fingerprints of the two: if they are the same, nothing has changed. Deploy the repair, then "
    "send back one of them and archive the other. " + _PLAN,
    avoid="Do not redrive it once more: each round costs a batch its attempts and hides the first "
    "failure's time, because a redriven message starts with a new id and a new clock.",
)
def looping(evidence: Evidence) -> PartialRows:
    """Does the same content stand in more than one dead letter, so that it has come back?"""
    rows = letter_decisions(evidence)
    return _partial_rows(evidence, rows.filter(rows.times >= LOOP), more=("times",))


@check(
    "dead-letters/silent-discard",
    Severity.ESCALATE,
    key="function",
    reads=("invocations", "functions", "mappings", "metric_points"),
    found="{count} function{s} gave up on events of which nothing was kept.",
    advice="What the function was called with is gone from Lambda. Look for the events where they "
    "came from (raw objects, the topic's or bus's archive, the producer). Give the function an "
    "on-failure destination, which keeps the event, the error and the attempts, and an alarm on "
    "it (`configuration` says what else lacks one).",
    avoid="Do not take an empty dead-letter queue as proof that nothing failed, and do not raise "
    "the number of retries instead: what fails for a permanent reason is then discarded later.",
)
def silent_discard(evidence: Evidence) -> PartialRows:
    """Were failures of a function discarded, with no queue or destination that kept them?"""
    evidence.require_one(("invocations", "metric_points"))
    rows = discards(evidence)
    gaps = evidence.gaps(("invocations", "functions", "metric_points"))
    gaps += discard_gaps(evidence)
    return PartialRows(rows.mutate(key=rows.function), "; ".join(gaps))


def _partial_rows(
    evidence: Evidence, rows: ir.Table, gap: str = "", *, more: tuple[str, ...] = ()
) -> PartialRows:
    """Return the offending letters; which ones were not received, the coverage tells."""
    shown = rows.select(*_SHOWN, *more, key="message_id")
    lacking = evidence.gaps(("dead_letters",)) if evidence.has("dead_letters") else []
    return PartialRows(shown, "; ".join(filter(None, [gap, *lacking])))
