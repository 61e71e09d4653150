"""Checks of queues and of the mappings that read them: may a message fail, and be kept then?"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from investigate.analysis import consumption, failures
from investigate.analysis.logs import text_in
from investigate.analysis.queues import last_part, named
from investigate.checks.configuration.advice import AuditRule, apply_rule, seconds
from investigate.checks.registry import PartialRows, check
from investigate.engine import literal_rows
from investigate.evidence import Evidence
from investigate.model import Severity

VISIBILITY_FACTOR = 6  # of the function's timeout; "Using Lambda with Amazon SQS"
LEAST_RECEIVES = 5
_SQS = "Using Lambda with Amazon SQS (AWS Lambda Developer Guide)"
_DEAD = "Amazon SQS dead-letter queues (Amazon SQS Developer Guide)"
_READING = ("Enabled", "Enabling", "Creating", "Updating")


@check(
    "configuration/no-dead-letter-queue",
    Severity.DANGEROUS,
    key="queue",
    needs=("queue_state",),
    found="{count} queue{s} {have} no dead-letter queue.",
    advice="Give the queue a RedrivePolicy with a dead-letter queue of the same kind, "
    "maxReceiveCount 5, retention 14 days, and an alarm on the first message in it.",
    avoid="Do not configure it on the function instead: a function's own dead-letter queue is for "
    "asynchronous calls, and a queue's mapping never uses it.",
)
def no_dead_letter_queue(evidence: Evidence) -> PartialRows:
    """Does a queue lack a place for messages that fail again and again?"""
    queues = _sources(evidence)
    rule = AuditRule(
        "RedrivePolicy", "a dead-letter queue with maxReceiveCount 5", _DEAD,
        "what cannot be processed comes back until its retention ends, and is then deleted "
        "without a trace",
    )  # fmt: skip
    return apply_rule(
        evidence, queues, rule, found=queues.dead_letter_arn,
        bad=queues.dead_letter_arn.isnull(), noun="queue",
    )  # fmt: skip


@check(
    "configuration/dead-letter-retention",
    Severity.DANGEROUS,
    key="queue",
    needs=("queue_state",),
    found="{count} dead-letter queue{s} keep{_s} messages no longer than the queue before it.",
    advice="Set MessageRetentionPeriod of the dead-letter queue to 1209600 (14 days). The change "
    "holds at once, also for messages that are in it.",
    avoid="Do not shorten the retention of the source queue to get there: that deletes what waits.",
)
def dead_letter_retention(evidence: Evidence) -> PartialRows:
    """Does a dead-letter queue keep messages longer than the queue they come from?"""
    queues = _sources(evidence)
    dead = evidence["queue_state"].select(
        dead_arn="arn", dead_name="name", dead_retention="retention_s"
    )
    pairs = queues.filter(queues.dead_letter_arn.notnull())
    pairs = pairs.left_join(dead, pairs.dead_letter_arn == dead.dead_arn)
    pairs = pairs.mutate(key=pairs.dead_name.fill_null(last_part(pairs.dead_letter_arn)))
    # A FIFO queue starts the clock anew with the move; a standard queue does not.
    short = ibis.ifelse(
        pairs.name.endswith(".fifo"),
        pairs.dead_retention < pairs.retention_s,
        pairs.dead_retention <= pairs.retention_s,
    )
    rule = AuditRule(
        "MessageRetentionPeriod", "1209600 s, and more than the source queue's", _DEAD,
        "on a standard queue the clock runs from the first sending: what was moved late is "
        "deleted soon after, or at once",
    )  # fmt: skip
    found = seconds(pairs.dead_retention) + " after " + seconds(pairs.retention_s)
    return apply_rule(evidence, pairs, rule, found=found, bad=short, noun="dead-letter queue")


@check(
    "configuration/max-receive-count",
    Severity.SUSPECT,
    key="queue",
    needs=("queue_state",),
    found="{count} queue{s} give{_s} up on a message after very few receives.",
    advice="Set maxReceiveCount to at least 5. A throttled batch and a look by hand count as "
    "receives too, although nothing was tried.",
    avoid="Do not take maxReceiveCount for the number of attempts of your code.",
)
def max_receive_count(evidence: Evidence) -> PartialRows:
    """Does a queue allow enough receives before it gives a message up?"""
    queues = _sources(evidence)
    queues = queues.filter(queues.dead_letter_arn.notnull())
    rule = AuditRule(
        "maxReceiveCount", f"at least {LEAST_RECEIVES}", _SQS,
        "good messages go to the dead-letter queue because of a throttled minute",
    )  # fmt: skip
    return apply_rule(
        evidence, queues, rule, found=queues.max_receive_count,
        bad=queues.max_receive_count < LEAST_RECEIVES, noun="queue",
    )  # fmt: skip


@check(
    "configuration/visibility-timeout",
    Severity.SUSPECT,
    key="queue",
    needs=("queue_state", "mappings", "functions"),
    found="{count} queue{s} show{_s} a message again before its batch must have ended.",
    advice="Set VisibilityTimeout of the queue to six times the function's timeout, plus the "
    "batching window.",
    avoid="Do not raise the function's timeout without it. Do not take the default of 30 s for "
    "advice.",
)
def visibility_timeout(evidence: Evidence) -> PartialRows:
    """Is a queue's visibility timeout long enough for its function, retries within it included?"""
    maps = _mapped(evidence)
    maps = maps.filter(maps.source_arn.contains(":sqs:"))
    queues = _sources(evidence).select("arn", "visibility_timeout_s")
    pairs = maps.left_join(queues, maps.source_arn == queues.arn)
    pairs = pairs.mutate(key=last_part(pairs.source_arn))
    needed = VISIBILITY_FACTOR * pairs.timeout_s + pairs.window_s.fill_null(0)
    rule = AuditRule(
        "VisibilityTimeout", "", _SQS,
        "a message comes back while its first attempt still runs: it is processed twice, and its "
        "receives are used up",
    )  # fmt: skip
    found = seconds(pairs.visibility_timeout_s) + ", timeout " + seconds(pairs.timeout_s)
    return apply_rule(
        evidence, pairs, rule, found=found, advised=seconds(needed),
        bad=pairs.visibility_timeout_s < needed, noun="queue",
    )  # fmt: skip


@check(
    "configuration/partial-batch-response",
    Severity.SUSPECT,
    key="mapping",
    needs=("mappings",),
    found="{count} mapping{s} can only fail or succeed with a whole batch.",
    advice="Let the handler return `batchItemFailures` with the message ids that failed, then set "
    "FunctionResponseTypes to ReportBatchItemFailures. In this order: before the handler returns "
    "them, the setting changes nothing.",
    avoid="Do not catch the error of a record and return normally without it: the message is then "
    "deleted (`processor/swallowed-errors`).",
)
def partial_batch_response(evidence: Evidence) -> PartialRows:
    """Can a batch say which of its messages failed?"""
    maps = _by_uuid(evidence["mappings"])
    maps = maps.filter((maps.batch_size > 1).fill_null(True))
    unknown = maps.batch_size.isnull() & ~maps.partial_batch_response
    rule = AuditRule(
        "FunctionResponseTypes", "ReportBatchItemFailures", _SQS,
        "one bad message makes the good ones of its batch come again, up to the dead-letter queue",
    )  # fmt: skip
    return apply_rule(
        evidence, maps, rule, found=ibis.null("string"), noun="mapping",
        bad=unknown.ifelse(ibis.null("boolean"), ~maps.partial_batch_response),
    )  # fmt: skip


@check(
    "configuration/response-ignored",
    Severity.DANGEROUS,
    key="mapping",
    needs=("mappings", "log_lines"),
    found="{count} mapping{s} {are} told of no failed message, although records fail.",
    advice="Read what the handler returns: the key must be exactly `batchItemFailures`, a list of "
    '{"itemIdentifier": messageId}, and it must be returned, not raised. A wrong name at the '
    "top means success.",
    avoid="Do not take the setting on the mapping for proof that failed messages come back.",
)
def response_ignored(evidence: Evidence) -> PartialRows:
    """Does a handler whose failed messages could be reported let them be deleted?"""
    maps = _by_uuid(evidence["mappings"])
    maps = maps.filter(maps.partial_batch_response, maps.source_arn.contains(":sqs:"))
    failed = failures.failures(evidence)
    failed = failed.filter(failed.failure == failures.SWALLOWED)
    failed = failed.group_by("function").agg(failed=failed.count())
    maps = maps.mutate(name=named(maps.function), queue=last_part(maps.source_arn))
    maps = maps.inner_join(failed, maps.name == failed.function).drop("function_right")
    flow = _received_and_deleted(evidence)
    maps = maps.left_join(flow, "queue").drop("queue_right")
    # AWS's own test: what is reported as failed is received, and is not deleted.
    rule = AuditRule(
        "the response of the handler", "batchItemFailures with each failed message id",
        "Implementing partial batch responses (AWS Lambda Developer Guide)",
        "each failed message is deleted as if it had been processed",
    )  # fmt: skip
    found = maps.failed.cast("string") + " failed, every received message deleted"
    return apply_rule(
        evidence, maps, rule, found=found, bad=maps.deleted >= maps.received, noun="mapping"
    )


@check(
    "configuration/mapping-disabled",
    Severity.SUSPECT,
    key="function",
    needs=("functions",),
    whole=("mappings",),
    found="{count} processor{s} {are} not told to read {their} queue.",
    advice="Ask who switched it off and why. If nobody knows, look at what waits "
    "(`sqs/backlog`, `sqs/malformed`), then enable the mapping, best for a moment and watched: "
    "`investigate process-briefly`.",
    avoid="Never deploy EnableProcessor=false to pause it: the AggregatesTable hangs on the same "
    "condition and is deleted with it.",
)
def mapping_disabled(evidence: Evidence) -> PartialRows:
    """Is a processor's event source mapping absent or switched off?"""
    processors = consumption.processors(evidence).select(key="name")
    maps = evidence["mappings"]
    maps = maps.mutate(name=named(maps.function), on=maps.state.isin(_READING).cast("int64"))
    # What reads another queue does not read this one.
    queues = maps.group_by("name", "source_arn").agg(on=maps.on.max(), state=maps.state.min())
    states = queues.group_by("name").agg(on=queues.on.min(), state=queues.state.min())
    pairs = processors.left_join(states, processors.key == states.name)
    rule = AuditRule(
        "State", "Enabled", "Event source mappings (AWS Lambda Developer Guide)",
        "messages wait until the queue's retention deletes them",
    )  # fmt: skip
    return apply_rule(
        evidence, pairs, rule, found=pairs.state.fill_null("no mapping"),
        bad=(pairs.on != 1).fill_null(True), noun="processor",
    )  # fmt: skip


@check(
    "configuration/concurrency",
    Severity.SUSPECT,
    key="function",
    needs=("mappings", "functions"),
    found="{count} function{s} may be throttled by {their} own queue.",
    advice="Set MaximumConcurrency of the mapping (2 or more) at or below the function's reserved "
    "concurrency. Reserved concurrency 0 is the emergency brake: take it away if the emergency is "
    "over.",
    avoid="Do not calm a consumer down with a small reserved concurrency: the mapping goes on "
    "polling, and each throttled batch uses up a receive of its messages.",
)
def concurrency(evidence: Evidence) -> PartialRows:
    """Does a queue's mapping start no more batches than its function may run?"""
    maps = _mapped(evidence)
    maps = maps.filter(maps.source_arn.contains(":sqs:"), maps.reserved_concurrency.notnull())
    maps = maps.group_by(key="name").agg(
        reserved_concurrency=maps.reserved_concurrency.min(),
        wanted=maps.max_concurrency.sum(),
        unlimited=maps.max_concurrency.isnull().cast("int64").max(),
    )
    endless = maps.unlimited == 1
    rule = AuditRule(
        "ReservedConcurrentExecutions", "at least MaximumConcurrency of the mapping", _SQS,
        "throttled batches count as receives, and good messages end in the dead-letter queue",
    )  # fmt: skip
    starts = endless.ifelse(ibis.literal("as many as it likes"), maps.wanted.cast("string"))
    found = maps.reserved_concurrency.cast("string") + ", its mappings start up to " + starts
    return apply_rule(
        evidence, maps, rule, found=found, noun="function",
        bad=endless | (maps.reserved_concurrency < maps.wanted),
    )  # fmt: skip


def _sources(evidence: Evidence) -> ir.Table:
    """The queues that are read, which are those of no other queue's failures."""
    queues = evidence["queue_state"]
    return queues.filter(queues.role != "dead-letter").mutate(key=queues.name)


def _by_uuid(mappings: ir.Table) -> ir.Table:
    return mappings.mutate(key=mappings.uuid)


def _mapped(evidence: Evidence) -> ir.Table:
    """The mappings with the limits of their functions: null of one that was not captured."""
    maps = evidence["mappings"]
    maps = maps.mutate(name=named(maps.function))
    functions = evidence["functions"].select("timeout_s", "reserved_concurrency", own="name")
    return maps.left_join(functions, maps.name == functions.own).drop("own")


def _received_and_deleted(evidence: Evidence) -> ir.Table:
    """(queue, received, deleted) as CloudWatch counts them; no row where it has no points."""
    columns = {"queue": "string", "received": "float64", "deleted": "float64"}
    if not evidence.has("metric_points"):
        return literal_rows([], columns)
    points = evidence["metric_points"]
    points = points.filter(points.namespace == "AWS/SQS", points.origin == "cloudwatch")
    points = points.mutate(queue=text_in(points.dimensions, "QueueName"))
    return points.group_by("queue").agg(
        received=points.value.sum(where=points.metric == "NumberOfMessagesReceived"),
        deleted=points.value.sum(where=points.metric == "NumberOfMessagesDeleted"),
    )
