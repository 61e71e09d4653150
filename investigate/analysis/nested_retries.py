"""Retries inside of retries: what one caller repeats, the next one repeats, and they multiply.

Inside of a request an SDK or Lambda's own queue may try several times, and the client, the queue or
the stream asks again for the whole of it. Told by several attempts under one request id, and by
botocore's own words "(reached max retries: 4)". Source: "Timeouts, retries and backoff with jitter"
(Amazon Builders' Library): three layers of three attempts are 27; "Retries" (Boto3 guide).
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from investigate.analysis import logs, retries
from investigate.analysis.error_rules import error_text
from investigate.analysis.managed_retries import tries
from investigate.engine import literal_rows
from investigate.evidence import Evidence

SDK, ASYNCHRONOUS = "sdk", "lambda-async"
_TOLD = r"reached max retries: ([0-9]+)"
_COLUMNS = {
    "group": "string", "outer": "string", "inner": "string", "sequences": "int64",
    "outer_attempts": "int64", "attempts": "int64", "most": "int64",
}  # fmt: skip


def nested(evidence: Evidence) -> ir.Table:
    """Return one row per group, outer and inner retrier that multiply: group, outer (client, queue,
    stream or function), inner (sdk, or lambda-async), sequences, outer_attempts, attempts (those of
    the innermost, in all) and most (of one sequence). Empty if nothing tells of any."""
    parts = [literal_rows([], _COLUMNS)]
    if evidence.has("log_lines"):
        parts.append(_summed(_in_requests(evidence)))
    if evidence.has("invocations"):
        parts.append(_summed(_told_by_errors(evidence)))
    return ibis.union(*(part.select(list(_COLUMNS)).cast(_COLUMNS) for part in parts))


def _summed(rows: ir.Table) -> ir.Table:
    """Each row is a sequence: group, outer, inner, outer_attempts and attempts."""
    rows = rows.filter((rows.outer_attempts > 1) & (rows.attempts > rows.outer_attempts))
    return rows.group_by("group", "outer", "inner").agg(
        sequences=rows.count(), outer_attempts=rows.outer_attempts.sum(),
        attempts=rows.attempts.sum(), most=rows.attempts.max(),
    )  # fmt: skip


def _in_requests(evidence: Evidence) -> ir.Table:
    """Clients whose requests were attempted several times each, inside or by Lambda's own queue."""
    rows = retries.attempts(evidence)
    rows = evidence.in_scope(rows.filter(rows.in_sequence))
    rows = rows.anti_join(retries.reused(evidence), "event_id")
    asked = rows.group_by("group", "event_id", "request_id").agg(
        lines=rows.count(), runs=rows.runs.max().fill_null(1)
    )
    asked = asked.mutate(tried=ibis.greatest(asked.lines, asked.runs))
    found = asked.group_by("group", "event_id").agg(
        outer_attempts=asked.count(), attempts=asked.tried.sum(), runs=asked.runs.max()
    )
    inner = ibis.ifelse(found.runs > 1, ASYNCHRONOUS, SDK)
    return found.mutate(outer=ibis.literal(retries.CHANNEL), inner=inner)


def _told_by_errors(evidence: Evidence) -> ir.Table:
    """What AWS repeated although an SDK had given up inside of each attempt."""
    calls = evidence["invocations"]
    words = calls.select("request_id", error=error_text(calls.error_type, calls.error_message))
    if evidence.has("log_lines"):
        failed = logs.lines(evidence, "processor_record_failed")
        told = logs.text_in(failed.fields, "err").fill_null("")
        words = words.union(failed.select("request_id", error=told))
    number = words.error.re_extract(_TOLD, 1).nullif("").try_cast("int64")
    words = words.mutate(tried=number + 1)
    inside = words.filter(words.tried.notnull())
    inside = inside.group_by("request_id").agg(tried=inside.tried.max())
    rows = tries(evidence)
    rows = rows.filter(~rows.counted).left_join(inside, "request_id").drop("request_id_right")
    found = rows.group_by("group", "sequence", outer="channel").agg(
        outer_attempts=rows.count(), attempts=rows.tried.fill_null(1).sum()
    )
    return found.mutate(inner=ibis.literal(SDK))
