"""Failures that left no trace: given up by Lambda, with no place where they were kept.

Sources: "How Lambda handles errors and retries with asynchronous invocation" (two retries by
default), "Types of metrics for Lambda functions" (AsyncEventsDropped, DeadLetterErrors,
DestinationDeliveryFailures).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis
import ibis.expr.types as ir

from investigate.analysis import invokers
from investigate.analysis.consumption import lambda_sums
from investigate.analysis.queues import named
from investigate.engine import literal_rows
from investigate.evidence import Evidence
from investigate.model import counted

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


def discard_gaps(evidence: Evidence) -> list[str]:
    """Return of which functions a request failed for good that may have been discarded, with no
    means to tell: it may have been made to a version or alias with settings of its own, or by a
    caller that waits and knows of the failure, or an attempt of it may have ended well."""
    if not (evidence.has("invocations") and evidence.has("functions")):
        return []
    rows = _failed_requests(evidence)
    qualified = rows.qualified_invoke_configs.notnull() & rows.dlq_arn.isnull()
    once = ~qualified & _keeps_none(rows) & (rows.attempts == 1) & (rows.max_retry_attempts == 0)
    doubtful = (once & (rows.asynchronous.isnull() | rows.asynchronous) & ~_only(rows)).fill_null(
        False
    )
    endless = ~qualified & _keeps_none(rows) & _used_up(rows) & (rows.open > 0)
    rows = rows.mutate(qualified=qualified.fill_null(False), doubtful=doubtful, endless=endless)
    found = rows.group_by("function").agg(
        qualified=rows.qualified.sum(), doubtful=rows.doubtful.sum(), endless=rows.endless.sum()
    )
    found = found.filter(found.qualified + found.doubtful + found.endless > 0)
    listed = evidence.engine.rows(found.order_by("function"))
    return [text for row in listed for text in _untold(row)]


_UNTOLD = {
    "qualified": "failed, and which version or alias was called, each with its own settings, is "
    "unknown",
    "doubtful": "failed at the only attempt, and whether the caller waited for it is unknown",
    "endless": "failed, and how one of the attempts ended is unknown",
}


def _untold(row: Mapping[str, Any]) -> list[str]:
    return [
        f"{row['function']}: {counted(row[kind], 'request')} {text}"
        for kind, text in _UNTOLD.items()
        if row[kind]
    ]


def _given_up(evidence: Evidence) -> ir.Table:
    """Requests whose every allowed attempt failed, of functions that keep no failures. Several
    attempts with one request id are made by Lambda's own queue alone; a single one is the last if
    no other is allowed, and if nobody calls the function but those who do not wait."""
    rows = _failed_requests(evidence)
    # What a version or alias is set to may hold for these attempts: then nobody can tell.
    rows = rows.filter(rows.qualified_invoke_configs.isnull() & _keeps_none(rows))
    surely = (rows.attempts > 1) | (rows.asynchronous & _only(rows)).fill_null(False)
    given_up = rows.filter(surely & _used_up(rows) & (rows.open == 0))
    found = given_up.group_by("function").agg(
        lost=given_up.count(), example=given_up.request_id.min()
    )
    return found.mutate(why=ibis.literal("asynchronous requests whose every attempt failed"))


def _failed_requests(evidence: Evidence) -> ir.Table:
    """Requests that failed and are not known to have succeeded: function, request_id, attempts,
    `open` (those whose end is unknown), the settings of the function, `asynchronous` (whether a
    service that does not wait may invoke it), `others` (whether anybody else may) and `mapped`
    (whether a mapping does); null if unknown."""
    return evidence.derived("failed_requests", _build_failed_requests)


def _build_failed_requests(evidence: Evidence) -> ir.Table:
    calls = evidence["invocations"]
    failed = calls.filter(calls.status != "ok").select("function", "request_id")
    calls = calls.semi_join(failed, ["function", "request_id"])
    requests = calls.group_by("function", "request_id").agg(
        attempts=calls.count(), well=(calls.status == "ok").fill_null(False).sum(),
        open=calls.status.isnull().sum(),
    )  # fmt: skip
    requests = requests.filter(requests.well == 0).drop("well")
    functions = evidence["functions"]
    functions = functions.select(
        "max_retry_attempts", "qualified_invoke_configs", "dlq_arn", "on_failure_arn", name="name",
        asynchronous=invokers.asynchronous(functions.invokers),
        others=invokers.waiting(functions.invokers),
    )  # fmt: skip
    rows = requests.inner_join(functions, requests.function == functions.name)
    if not evidence.has("mappings"):
        return rows.mutate(mapped=ibis.null("boolean"))
    maps = evidence["mappings"]
    mapped = maps.select(reader=named(maps.function), mapped=ibis.literal(True)).distinct()
    rows = rows.left_join(mapped, rows.function == mapped.reader)
    return rows.mutate(mapped=rows.mapped.fill_null(False))


def _used_up(rows: ir.Table) -> ir.BooleanValue:
    """Whether no attempt is left of those that the function's settings allow."""
    return rows.attempts >= rows.max_retry_attempts.fill_null(DEFAULT_RETRIES) + 1


def _keeps_none(rows: ir.Table) -> ir.BooleanValue:
    return rows.dlq_arn.isnull() & rows.on_failure_arn.isnull()


def _only(rows: ir.Table) -> ir.BooleanValue:
    """Whether every known caller hands an event over and does not wait; false if unknown."""
    return (~rows.others & ~rows.mapped).fill_null(False)


def _counted(evidence: Evidence, metric: str, why: str) -> ir.Table:
    sums = lambda_sums(evidence, metric)
    return sums.filter(sums.total > 0).select(
        "function", why=ibis.literal(f"{why} ({metric})"), lost=sums.total.round().cast("int64"),
        example=ibis.null("string"),
    )  # fmt: skip
