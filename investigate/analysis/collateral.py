"""Records that were delivered again because a neighbour in their batch failed, or all of it did.

A queue's batch fails as a whole unless the mapping takes partial answers: one bad record sends its
healthy neighbours back too (D12). Which one was bad, the later attempts tell: the neighbours
succeed in other company, and it does not. Source: "Handling errors for an SQS event source in
Lambda".
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from investigate.analysis import logs
from investigate.analysis.managed_retries import billed_sum, tries
from investigate.analysis.redeliveries import QUEUE
from investigate.engine import differ
from investigate.evidence import Evidence

A_RECORD, THE_INVOCATION, OPEN = "a record", "the invocation", "not known"
_DELIVERIES = {
    "group": "string", "event_id": "string", "request_id": "string", "at_utc": "timestamp(6)",
    "ordinal": "int64", "again": "boolean", "failed": "boolean", "sequence": "string",
    "gb_s": "float64", "succeeds": "boolean", "last": "boolean",
}  # fmt: skip


def deliveries(evidence: Evidence) -> ir.Table:
    """Return every load of the records that the processor loaded from the queue more than once, or
    in an invocation that failed: group (the
    queue), event_id, request_id, at_utc, ordinal (0 for the first delivery), `again`, `failed`
    (its invocation), sequence, gb_s, `succeeds` (in this or a later delivery of the sequence) and
    `last` (of the sequence). What a failed invocation did not come to load is not among them.

    Raises `NotEvaluable` without log lines or invocations.
    """
    evidence.require(("log_lines", "invocations"))
    return evidence.derived("queue_deliveries", _deliveries)


def _deliveries(evidence: Evidence) -> ir.Table:
    rows = tries(evidence)
    rows = rows.filter((rows.channel == QUEUE) & ~rows.counted)
    calls = evidence["invocations"]
    calls = calls.semi_join(rows, "request_id")
    calls = calls.group_by("request_id").agg(failed=differ(calls.status, "ok").any())
    rows = rows.left_join(calls, "request_id").drop("request_id_right")
    rows = rows.mutate(failed=rows.failed.fill_null(False))
    each = ibis.window(group_by="sequence")
    rows = rows.mutate(
        succeeds=(~rows.failed).any().over(each), last=rows.ordinal == rows.ordinal.max().over(each)
    )
    return rows.select(list(_DELIVERIES)).cast(_DELIVERIES)


def failed_batches(evidence: Evidence) -> ir.Table:
    """Return one row per failed invocation of the processor that had loaded records: request_id,
    at_utc, group, records (loaded), again (how many of them were delivered again later), bad (those
    that never succeeded, once every one of the others has), collateral (the others, delivered again
    because of them), `cause` (a record, the invocation if all succeed later, not known if none
    does) and wasted_gb_s (what its healthy records were billed here). Raises like `deliveries`."""
    rows = deliveries(evidence)
    rows = rows.filter(rows.failed)
    found = rows.group_by("request_id", "group").agg(
        at_utc=rows.at_utc.min(),
        records=rows.count(),
        again=(~rows["last"]).sum(),
        healthy=rows.succeeds.sum(),
        wasted_gb_s=billed_sum(rows.gb_s, rows.succeeds),
    )
    cause = ibis.cases(
        (found.healthy == found.records, THE_INVOCATION),
        (found.healthy > 0, A_RECORD),
        ((found.records == 1) & (found.healthy == 0), A_RECORD),
        else_=OPEN,
    )
    found = found.mutate(cause=cause)
    by_record = found.cause == A_RECORD
    return found.mutate(
        bad=ibis.ifelse(by_record, found.records - found.healthy, 0),
        collateral=ibis.ifelse(by_record, found.healthy, 0),
    )


def load_order(evidence: Evidence) -> ir.Table:
    """Return in which order an invocation loaded its records: request_id, event_id and place
    (from 1). Raises `NotEvaluable` without log lines."""
    told = logs.lines(evidence, "processor_record_loaded")
    told = told.filter(told.event_id.notnull())
    first = told.group_by("request_id", "event_id").agg(logged_utc=told.logged_utc.min())
    order = ["logged_utc", "event_id"]
    place = ibis.row_number().over(group_by="request_id", order_by=order) + 1
    return first.mutate(place=place).select("request_id", "event_id", "place")
