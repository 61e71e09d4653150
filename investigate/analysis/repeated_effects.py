"""Whether a repeated attempt did once more what an earlier one had done, or was guarded from it.

Of clients: ingest answers ACCEPTED once, and DUPLICATE to every repeat, as long as its gate holds.
Of the queue: the processor writes a new version per batch, with nothing that keeps it from writing
the same again (D12, D15, D22). If an attempt had written the aggregate of a record's day and then
failed, the next one writes it a second time. What somebody sent anew is no retry. Source: "Make
your Lambda function idempotent" (AWS re:Post); "At-least-once delivery" (Amazon SQS).
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from investigate.analysis import logs, retries
from investigate.analysis.managed_retries import tries
from investigate.analysis.redeliveries import QUEUE
from investigate.engine import literal_rows
from investigate.evidence import Evidence

REPEATED, GUARDED, WITHOUT = "repeated", "guarded", "without effect"
_COLUMNS = {
    "group": "string", "channel": "string", "sequence": "string", "event_id": "string",
    "entity_id": "string", "event_time_utc": "timestamp(6)", "ordinal": "int64",
    "request_id": "string", "at_utc": "timestamp(6)", "effect": "string", "what": "string",
}  # fmt: skip
_TAKEN = "accepted once more: a second raw object"
_WRITTEN = "written into an aggregate once more"


def effects(evidence: Evidence) -> ir.Table:
    """Return every repeated attempt with what came of it: group, channel (client or queue),
    sequence, event_id, entity_id, event_time_utc, ordinal, request_id, at_utc, effect and what.
    `repeated`: it did again what an earlier attempt had done. `guarded`: an earlier one had, and
    this one did not. `without effect`: none before it had. Raises `NotEvaluable` without log lines.
    """
    evidence.require(("log_lines",))
    return evidence.derived("repeated_effects", _effects)


def _effects(evidence: Evidence) -> ir.Table:
    parts = [literal_rows([], _COLUMNS), _of_clients(evidence)]
    if evidence.has("invocations"):
        parts.append(_of_queue(evidence))
    return ibis.union(*(part.select(list(_COLUMNS)).cast(_COLUMNS) for part in parts))


def _of_clients(evidence: Evidence) -> ir.Table:
    rows = retries.attempts(evidence)
    rows = rows.filter(rows.in_sequence).anti_join(retries.reused(evidence), "event_id")
    rows = rows.mutate(
        done=(rows.status == evidence.design.accepted).fill_null(False), sequence=rows.event_id,
        channel=ibis.literal(retries.CHANNEL), at_utc=rows.attempted_utc,
    )  # fmt: skip
    return _judged(rows, _TAKEN)


def _of_queue(evidence: Evidence) -> ir.Table:
    """Deliveries of a record after a failed one, by whether each wrote the day of the record."""
    rows = tries(evidence)
    rows = rows.filter((rows.channel == QUEUE) & ~rows.counted)
    told = logs.lines(evidence, "processor_record_loaded")
    told = told.semi_join(rows, ["request_id", "event_id"])
    told = told.group_by("request_id", "event_id").agg(
        entity_id=told.entity_id.min(),
        event_time_utc=logs.moment_of(logs.text_in(told.fields, "event_time")).min(),
    )
    rows = rows.inner_join(told, ["request_id", "event_id"])
    rows = rows.mutate(day=evidence.period_of(rows.event_time_utc))
    wrote = logs.lines(evidence, "processor_aggregate_written").semi_join(rows, "request_id")
    wrote = wrote.select(
        "request_id",
        entity_id=ibis.coalesce(wrote.entity_id, logs.text_in(wrote.fields, "entity_id")),
        day=logs.text_in(wrote.fields, "day"), done=True,
    ).distinct()  # fmt: skip
    rows = rows.left_join(wrote, ["request_id", "entity_id", "day"])
    # What was returned and came back had failed by itself: its neighbours were written without it.
    later = rows.ordinal.max().over(group_by="sequence") > rows.ordinal
    without = (rows.returned & later).fill_null(False)
    return _judged(rows.mutate(done=rows.done.fill_null(False) & ~without), _WRITTEN)


def _judged(rows: ir.Table, what: str) -> ir.Table:
    so_far = ibis.window(
        group_by=["group", "channel", "sequence"], order_by="ordinal", preceding=None, following=0
    )
    done = rows.done.cast("int64")
    rows = rows.mutate(earlier=done.sum().over(so_far) - done > 0)
    effect = ibis.cases(
        (rows.earlier & rows.done, REPEATED), (rows.earlier, GUARDED), else_=WITHOUT
    )
    said = ibis.ifelse(rows.earlier & rows.done, what, ibis.null("string"))
    return rows.filter(rows.ordinal > 0).mutate(effect=effect, what=said)
