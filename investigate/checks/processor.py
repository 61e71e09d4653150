"""Checks of the processor: does it consume, what failed in it, and which failures did it hide?"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from investigate.analysis import consumption, processing
from investigate.analysis.roles import invocations_of, require_role, unended_gap
from investigate.checks.registry import PartialRows, check
from investigate.evidence import Evidence
from investigate.model import Severity, counted

_STOP = (
    "Stop consumption with `aws lambda update-event-source-mapping --uuid UUID --no-enabled`: the "
    "messages stay, but their retention clock goes on. "
)
_NEVER = (
    "Never stop the processor by deploying EnableProcessor=false: the AggregatesTable hangs on the "
    "same condition and is deleted with it. "
)


@check(
    "processor/swallowed-errors",
    Severity.DANGEROUS,
    key="event_id",
    needs=("log_lines", "invocations"),
    ownerless=True,
    found="The processor failed on {count} event{s}, reported success, and SQS deleted {their} "
    "message{s}.",
    advice=_STOP + "Read the `processor_record_failed` lines for the cause; most often the key in "
    "the message names no object (`events/dangling-key`, `raw/missing`). Repair that, then send "
    "exactly these events again with a replay plan. For good: let the handler return the failed "
    "messages as batchItemFailures, set ReportBatchItemFailures on the mapping, and give the "
    "queue a dead-letter queue.",
    avoid=_NEVER + "Do not take Lambda's Errors metric or an empty queue as a sign that all went "
    "well. Do not replay before the cause is repaired: the records fail again, as silently.",
)
def swallowed_errors(evidence: Evidence) -> PartialRows:
    """Did the processor fail on a record and report success, so that its message was deleted?"""
    records = processing.failed_records(evidence)
    if not records:
        empty = evidence["log_lines"].select(key="event_id").filter(ibis.literal(False))
        return PartialRows(empty, consumption.failed_records_gap(evidence))
    rows = processing.failed(evidence)
    gaps = processing.sent_gaps(evidence) or [
        "they may have been processed later, or sent by something else than a logged replay"
    ]
    found = evidence.engine.count(rows)
    reason = "" if found >= records else f"{processing.swallowed(records)}: {'; '.join(gaps)}"
    return PartialRows(rows.mutate(key=rows.event_id), reason)


@check(
    "processor/not-consuming",
    Severity.DANGEROUS,
    key="function",
    needs=("queue_state", "functions"),
    whole=("mappings",),
    found="{count} processor{s} {are} not reading while messages wait.",
    advice="Look at `why`. No mapping: the stack was deployed with EnableProcessor=false, or "
    "somebody deleted it. Disabled: somebody paused it; ask who, then set Enabled=true. Creating "
    "or Enabling for more than a minute: read StateTransitionReason, most often a missing "
    "sqs:ReceiveMessage or KMS permission of the function's role. Reserved concurrency 0: somebody "
    "used the emergency brake; remove the setting. Sample the queue before you let it run, and "
    "start with a maximum concurrency of 2.",
    avoid=_NEVER + "Do not let it run while `processor/swallowed-errors` or `sqs/poison` is found "
    "too: repair those first, or every message it reads may be lost. Do not replay again while "
    "nothing consumes; the messages only pile up. Do not forget the clock: waiting messages expire "
    "with the queue's retention.",
)
def not_consuming(evidence: Evidence) -> ir.Table:
    """Are messages waiting while the mapping is absent, disabled or blocked?"""
    require_role(evidence, "processor")
    rows = consumption.obstacles(evidence)
    return rows.mutate(key=rows.function)


@check(
    "processor/errors",
    Severity.DANGEROUS,
    key="request_id",
    needs=("invocations", "functions"),
    found="{count} processor invocation{s} ended with an error.",
    advice="An error outside the record loop (grouping, writing the aggregate) fails the batch: "
    "none of its messages is deleted, and all come back after the visibility timeout. Group these "
    "rows by `error_type`; a throttled or refused PutItem heals itself once the table or the role "
    "is right, a record that breaks the grouping does not (`sqs/poison`).",
    avoid=_NEVER
    + "Do not judge by ProcessorErrorCount: a failed invocation prints no metric, so it misses "
    "exactly these.",
)
def errors(evidence: Evidence) -> PartialRows:
    """Which invocations of the processor ended with an error?"""
    return _ended(evidence, "error")


@check(
    "processor/timeouts",
    Severity.DANGEROUS,
    key="request_id",
    needs=("invocations", "functions"),
    found="{count} processor invocation{s} ran into the time limit.",
    advice="Compare the durations with the function's timeout and the queue's visibility timeout: "
    "AWS advises a visibility of six times the timeout, and with both at 60 s a message comes back "
    "while its first attempt still runs. Look for a slow S3 or DynamoDB call in the trace, and "
    "check the batch's days for aggregates written twice.",
    avoid="Do not raise the function's timeout alone: above the queue's visibility timeout every "
    "slow batch is processed twice.",
)
def timeouts(evidence: Evidence) -> PartialRows:
    """Which invocations of the processor ran into their time limit?"""
    return _ended(evidence, "timeout")


@check(
    "processor/out-of-memory",
    Severity.DANGEROUS,
    key="request_id",
    needs=("invocations", "functions"),
    found="{count} processor invocation{s} ran out of memory.",
    advice="See `max_memory_mb` against `memory_mb`, and the sizes of the batch's raw objects: all "
    "objects of a batch are held at once. Raise the memory, or lower the mapping's batch size; the "
    "messages come back by themselves.",
    avoid="Do not delete the big message to get the queue moving before its body and its raw "
    "object are saved.",
)
def out_of_memory(evidence: Evidence) -> PartialRows:
    """Which invocations of the processor ran out of memory?"""
    return _ended(evidence, "out-of-memory")


def _ended(evidence: Evidence, status: str) -> PartialRows:
    require_role(evidence, "processor")
    runs = invocations_of(evidence, "processor")
    rows = runs.filter(runs.status == status).select(
        "function", "started_utc", "duration_ms", "max_memory_mb", "memory_mb", "error_type",
        "error_message", key="request_id",
    )  # fmt: skip
    return PartialRows(rows, unended_gap(evidence, "processor"))


@check(
    "processor/throttles",
    Severity.DANGEROUS,
    key="function",
    needs=("metric_points", "functions"),
    found="{count} processor{s} {have} been throttled.",
    advice="A throttled batch goes back to the queue, and each time counts as a receive: a queue "
    "with a dead-letter queue moves good messages there. Set the mapping's maximum concurrency "
    "(at least 2) at or below what the function may use, and look for other functions that use "
    "up the account's concurrency.",
    avoid="Do not set a small reserved concurrency to calm a consumer down: the mapping goes on "
    "polling, and the throttled messages burn their receives. Limit the mapping instead.",
)
def throttles(evidence: Evidence) -> PartialRows:
    """Which processors were throttled?"""
    require_role(evidence, "processor")
    own = consumption.processors(evidence).select(function="name")
    sums = consumption.lambda_sums(evidence, "Throttles").semi_join(own, "function")
    found = sums.filter(sums.total > 0)
    measured = consumption.lambda_sums(evidence, "Invocations")
    dark = own.anti_join(measured, "function").anti_join(found, "function")
    names = [row["function"] for row in evidence.engine.rows(dark.order_by("function"))]
    reason = f"no Invocations metric of {', '.join(names)} was captured" if names else ""
    return PartialRows(found.mutate(key=found.function), reason)


@check(
    "processor/dry-run-loss",
    Severity.ESCALATE,
    key="function",
    needs=("functions", "invocations"),
    found="{count} processor{s} in DRY_RUN let messages be deleted without writing anything.",
    advice=_STOP + "Then set DRY_RUN=false, and send again what was taken: `sqs/lost` names the "
    "events, a replay plan of their entities and days sends them. CloudTrail "
    "(UpdateFunctionConfiguration) says who switched it on and when.",
    avoid=_NEVER + "Do not leave the mapping enabled while you look: every batch it hands over is "
    "gone.",
)
def dry_run_loss(evidence: Evidence) -> PartialRows:
    """Did a processor in DRY_RUN let messages be deleted without writing?"""
    require_role(evidence, "processor")
    runs = consumption.with_deletions(evidence, consumption.dry_runs(evidence))
    lossy = runs.filter((runs.started > 0) | (runs.deleted > 0).fill_null(False))
    untold = runs.filter((runs.started == 0) & runs.deleted.isnull())
    reasons = {
        "nothing tells whether the messages of {} in DRY_RUN were deleted": untold,
        "the DRY_RUN of {} is unknown": consumption.unknown_dry_run(evidence),
    }
    counts = {text: evidence.engine.count(rows) for text, rows in reasons.items()}
    reason = "; ".join(
        text.format(counted(count, "processor")) for text, count in counts.items() if count
    )
    return PartialRows(lossy.mutate(key=lossy.function), reason)
