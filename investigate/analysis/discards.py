"""Failures that left no trace: given up by Lambda, with no place where they were kept.

Sources: "How Lambda handles errors and retries with asynchronous invocation" (two retries by
default), "Types of metrics for Lambda functions" (AsyncEventsDropped, DeadLetterErrors,
DestinationDeliveryFailures).
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from investigate.analysis.consumption import lambda_sums
from investigate.engine import literal_rows
from investigate.evidence import Evidence

DEFAULT_RETRIES = 2  # of an asynchronous invocation; at most as many can be configured
# Metric of AWS/Lambda: what each of its counts is.
METRICS = {
    "AsyncEventsDropped": "events dropped by Lambda's own queue",
    "DeadLetterErrors": "events that could not be put into the dead-letter queue",
    "DestinationDeliveryFailures": "events that could not be sent to the destination",
}
_COLUMNS = {"function": "string", "why": "string", "lost": "int64", "example": "string"}


def discards(evidence: Evidence) -> ir.Table:
    """Return, per function and reason, how many failures were given up with nothing kept of them:
    function, why, lost, and an example (a request id, where the logs tell)."""
    parts = [literal_rows([], _COLUMNS)]
    if evidence.has("invocations") and evidence.has("functions"):
        parts.append(_given_up(evidence))
    if evidence.has("metric_points"):
        parts += [_counted(evidence, metric, why) for metric, why in METRICS.items()]
    return ibis.union(*(part.select(list(_COLUMNS)).cast(_COLUMNS) for part in parts))


def _given_up(evidence: Evidence) -> ir.Table:
    """Requests whose every allowed attempt failed, of functions that keep no failures. Several
    attempts with one request id are made by Lambda's own queue alone."""
    calls = evidence["invocations"]
    requests = calls.group_by("function", "request_id").agg(
        attempts=calls.count(), failed=(calls.status != "ok").sum()
    )
    functions = evidence["functions"]
    keeps_none = functions.filter(functions.dlq_arn.isnull() & functions.on_failure_arn.isnull())
    keeps_none = keeps_none.select("max_retry_attempts", "qualified_invoke_configs", name="name")
    # What a version or alias is set to may hold for these attempts: then nobody can tell.
    keeps_none = keeps_none.filter(keeps_none.qualified_invoke_configs.isnull())
    rows = requests.inner_join(keeps_none, requests.function == keeps_none.name)
    allowed = rows.max_retry_attempts.fill_null(DEFAULT_RETRIES) + 1
    several = (rows.attempts > 1) & (rows.failed == rows.attempts)
    given_up = rows.filter(several & (rows.attempts >= allowed))
    found = given_up.group_by("function").agg(
        lost=given_up.count(), example=given_up.request_id.min()
    )
    return found.mutate(why=ibis.literal("asynchronous requests whose every attempt failed"))


def _counted(evidence: Evidence, metric: str, why: str) -> ir.Table:
    sums = lambda_sums(evidence, metric)
    return sums.filter(sums.total > 0).select(
        "function", why=ibis.literal(f"{why} ({metric})"), lost=sums.total.cast("int64"),
        example=ibis.null("string"),
    )  # fmt: skip
