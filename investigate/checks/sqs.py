"""Checks of the replay queue: what waits in it, what will never leave it, and what is gone."""

from __future__ import annotations

from datetime import datetime

import ibis
import ibis.expr.types as ir

from investigate.analysis import processing
from investigate.analysis.queues import readers, replay_queues, waiting_gap
from investigate.checks.registry import PartialRows, check
from investigate.errors import NotEvaluable
from investigate.evidence import Evidence
from investigate.model import Severity, counted


@check(
    "sqs/malformed",
    Severity.DANGEROUS,
    key="message_id",
    needs=("messages",),
    ownerless=True,
    found="{count} message{s} cannot be parsed or {have} no S3 reference.",
    advice="The replay does not write such messages, so find the sender: the bodies are in the "
    "case, CloudTrail and the SenderId name who has sqs:SendMessage. Stop the consumer before it "
    "reaches them (UpdateEventSourceMapping Enabled=false), keep the bodies, and send the events "
    "again by a replay.",
    avoid="Do not leave the processor running meanwhile: it fails on such a record, reports "
    "success, and SQS deletes the message. Do not stop it with EnableProcessor=false, which "
    "deletes the AggregatesTable with it.",
)
def malformed(evidence: Evidence) -> ir.Table:
    """Is there a message the processor cannot parse or that lacks its S3 reference?"""
    messages = evidence["messages"]
    return _shown(messages.filter(~messages.well_formed), "body", "sent_utc", "receive_count")


@check(
    "sqs/poison",
    Severity.DANGEROUS,
    key="message_id",
    needs=("messages",),
    ownerless=True,
    found="{count} message{s} {have} been received again and again without being deleted.",
    advice="The batch that holds such a message fails as a whole and comes back every visibility "
    "timeout until its retention ends, and takes its neighbours along. Read the processor's error "
    "at the times of the receives (`processor/errors`), save the body, repair the cause, and give "
    "the queue a dead-letter queue with maxReceiveCount of at least 5 and the mapping "
    "ReportBatchItemFailures.",
    avoid="Do not receive by hand to have a look: each receive counts, and on a queue with a "
    "redrive policy it can push a good message out. Do not purge the queue; that takes the "
    "waiting events too. The end of a visibility timeout loses nothing; it brings messages back.",
)
def poison(evidence: Evidence) -> ir.Table:
    """Has a message been received at least as often as the threshold without being deleted?"""
    messages = evidence["messages"]
    stuck = messages.filter(messages.receive_count >= evidence.thresholds.poison_receives)
    return _shown(stuck, "receive_count", "sent_utc", "first_received_utc")


def _shown(messages: ir.Table, *columns: str) -> ir.Table:
    return messages.select("event_id", "event_time_utc", "entity_id", *columns, key="message_id")


@check(
    "sqs/backlog",
    Severity.SUSPECT,
    key="queue",
    needs=("queue_state",),
    whole=("mappings",),
    found="{count} replay queue{s} {have} messages waiting that nothing reads.",
    advice="If somebody paused consumption on purpose, note until when the messages live "
    "(`sqs/expiring`). Otherwise see `processor/not-consuming` for what stands in the way. Look "
    "at what is in the queue first (step 4), then switch the mapping on with "
    "UpdateEventSourceMapping Enabled=true and a maximum concurrency of 2, and watch.",
    avoid="Do not replay again because nothing happens: it puts every message into the queue a "
    "second time. Do not enable the processor before the waiting messages are known to be good.",
)
def backlog(evidence: Evidence) -> PartialRows:
    """Are messages waiting while nothing consumes them?"""
    queues = replay_queues(evidence)
    reads = readers(evidence)
    waiting = queues.filter(queues.ready > 0)
    unread = waiting.anti_join(reads.filter(reads.reads), waiting.name == reads.queue)
    rows = unread.select(
        "visible", "not_visible", "delayed", "oldest_age_s", "retention_s", key="name"
    )
    blind = "" if evidence.has("functions") else evidence.capture_gap("functions")
    return PartialRows(rows, f"whether a reader is blocked: {blind}" if blind else "")


@check(
    "sqs/expiring",
    Severity.DANGEROUS,
    key="queue",
    needs=("queue_state",),
    found="{count} replay queue{s} {have} messages that SQS will soon delete for {their} age.",
    advice="The clock is the first sending and it never stops: not while the mapping is off, not "
    "on a receive. Save the bodies now (they are in the case as far as sampled), then either let "
    "the queue drain or raise MessageRetentionPeriod, up to 14 days, which holds for messages "
    "already there. Events that do expire can be sent again by a replay, as long as their raw "
    "objects live.",
    avoid="Do not lower the retention, which deletes at once, and do not count on a move to a "
    "dead-letter queue: on a standard queue the message keeps its first sending time.",
)
def expiring(evidence: Evidence) -> PartialRows:
    """Will messages reach the retention limit before the backlog drains?"""
    queues = replay_queues(evidence)
    aged = _with_age(evidence, queues.filter(queues.waiting > 0))
    left = aged.mutate(left_s=aged.retention_s - aged.age_s)
    unknown = evidence.engine.count(left.filter(left.left_s.isnull()))
    if unknown:
        raise NotEvaluable(
            "the age of the oldest message or the retention of "
            f"{counted(unknown, 'waiting queue')} is unknown"
        )
    # A message is not old because its queue keeps messages for less than the threshold.
    soon = ibis.least(left.retention_s / 2, evidence.thresholds.expiring_seconds)
    rows = left.filter(left.left_s < soon)
    rows = rows.select("waiting", "age_s", "retention_s", "left_s", key="name")
    # The queue's own figure leaves out messages that were received three times.
    gap = waiting_gap(evidence) if evidence.engine.count(aged) else ""
    return PartialRows(rows, f"the oldest message may be one that nobody saw; {gap}" if gap else "")


def _with_age(evidence: Evidence, queues: ir.Table) -> ir.Table:
    """Add `age_s`, the age of the oldest message: the greater of what the queue says and what was
    sampled, since the queue leaves messages received three times out of its figure."""
    if not evidence.has("messages"):
        return queues.mutate(age_s=queues.oldest_age_s)
    oldest = evidence.engine.scalar(evidence["messages"].sent_utc.min())
    sampled = _age(evidence, oldest) if oldest else ibis.null("int64")
    return queues.mutate(
        age_s=ibis.greatest(
            queues.oldest_age_s.fill_null(sampled), ibis.coalesce(sampled, queues.oldest_age_s)
        )
    )


def _age(evidence: Evidence, sent: datetime) -> ir.IntegerScalar:
    age = evidence.case.captured_at.replace(tzinfo=None) - sent
    return ibis.literal(int(age.total_seconds()), "int64")


@check(
    "sqs/duplicate-messages",
    Severity.SUSPECT,
    key="event_id",
    needs=("messages",),
    ownerless=True,
    found="{count} event{s} {have} more than one message waiting.",
    advice="The usual cause is a replay that ran twice, by hand or by a client that retried after "
    "a 504: the API gives up at 29 s while the function goes on sending. Compare `sent_utc` of "
    "the messages with the replays. The processor counts an event twice when both of its messages "
    "come in one batch; expect `aggregates/inflated` and recompute those days afterwards.",
    avoid="Do not delete messages by hand to clear this up: a receive hides and counts the others, "
    "and a wrong receipt handle deletes nothing. One extra version does less harm than a lost "
    "event.",
)
def duplicate_messages(evidence: Evidence) -> ir.Table:
    """Does one event stand in more than one waiting message?"""
    messages = evidence["messages"]
    formed = messages.filter(messages.well_formed, messages.event_id.notnull())
    counted = formed.group_by("event_id").agg(
        messages=formed.message_id.nunique(),
        first_sent_utc=formed.sent_utc.min(),
        last_sent_utc=formed.sent_utc.max(),
        event_time_utc=formed.event_time_utc.min(),
        entity_id=formed.entity_id.min(),
    )
    return counted.filter(counted.messages > 1).mutate(key=counted.event_id)


@check(
    "sqs/lost",
    Severity.ESCALATE,
    key="event_id",
    needs=("log_lines",),
    ownerless=True,
    found="{count} event{s} sent for processing {are} now nowhere: not waiting, not "
    "dead-lettered, in no aggregate, and not known as failed.",
    advice="Nothing in the pipeline will bring these back, but a replay can, as far as their raw "
    "objects are readable. Once you know the cause, run `investigate replay-plan` per entity, with "
    "a window as narrow as these events: it lists what else would be sent, and what would fail. "
    "Look for "
    "PurgeQueue, SetQueueAttributes (a lowered retention) and DeleteMessage in CloudTrail, for "
    "another consumer of the queue, for a processor in DRY_RUN (`processor/dry-run-loss`), and "
    "for messages that reached the retention of the queue.",
    avoid="Do not replay the whole window to be safe: every event that is not lost gets another "
    "message and its day another version. Do not enable anything that deletes messages before "
    "the cause is known.",
)
def lost(evidence: Evidence) -> PartialRows:
    """Was an event sent for processing and is now neither waiting, nor dead-lettered, nor in any
    aggregate, nor known as failed?"""
    missing = processing.unaccounted(evidence)
    reason = "; ".join(processing.sent_gaps(evidence))
    count = evidence.engine.count(evidence.in_scope(missing))
    if not count:
        return PartialRows(missing.mutate(key=missing.event_id), reason)
    gaps = processing.accounting_gaps(evidence)
    if gaps:
        raise NotEvaluable(
            f"{count:,} sent events are not accounted for, but may be where nobody looked: "
            + "; ".join(gaps)
        )
    rows = missing.anti_join(processing.failed(evidence), "event_id")
    return PartialRows(rows.mutate(key=rows.event_id), reason)
