"""What the figures of the processor show: its invocations and its records, over time."""

from __future__ import annotations

from typing import Any

import ibis
import ibis.expr.types as ir

from investigate.analysis import logs
from investigate.analysis.queues import replay_queues
from investigate.analysis.roles import invocations_of
from investigate.errors import NotEvaluable
from investigate.evidence import Evidence
from investigate.numbers.bins import (
    bin_seconds,
    binned,
    listed,
    sample_ids,
    span_of,
    with_ids,
)

LINES = {"loaded": "processor_record_loaded", "failed": "processor_record_failed"}

SHORTEST_BIN = 60  # seconds; a single batch is no rate per second


def invocations_over_time(evidence: Evidence) -> list[dict[str, Any]]:
    """Return how many invocations of the processors ended how, per bin of time: time, status,
    invocations, seconds (the length of a bin), ids (of requests: first and last of few)."""
    rows = invocations_of(evidence, "processor")
    return _over_time(
        evidence, rows.select(at="started_utc", what="status", id="request_id"), "status"
    )


def records_over_time(evidence: Evidence) -> list[dict[str, Any]]:
    """Return how many records the processor loaded and failed on by its log lines, and how many
    messages were deleted from the replay queues by CloudWatch, per bin of time: time, what,
    records, seconds (the length of a bin), ids (of events: first and last of few). What no
    evidence tells is absent."""
    told = [_lines(evidence, what) for what in LINES] if evidence.has("log_lines") else []
    if evidence.has("metric_points") and evidence.has("queue_state"):
        told.append(_deletions(evidence))
    if not told:
        raise NotEvaluable(
            f"{evidence.capture_gap('log_lines')}; {evidence.capture_gap('metric_points')}"
        )
    rows = ibis.union(*told)
    return _over_time(evidence, rows, "what", "records")


def _over_time(
    evidence: Evidence, rows: ir.Table, name: str, counted: str = "invocations"
) -> list[dict[str, Any]]:
    """Sum up rows of (at, what, id, and many if one row stands for several) per bin."""
    rows = rows.filter(rows.at.notnull())
    many = rows.many.sum().cast("int64") if "many" in rows.columns else rows.count()
    seconds = max(bin_seconds(span_of(evidence, rows, "at")), SHORTEST_BIN)
    sums = rows.group_by(time=binned(rows.at, seconds), **{name: "what"}).agg(
        **{counted: many}, seconds=ibis.literal(seconds), **sample_ids(rows.id)
    )
    return with_ids(listed(evidence, sums.order_by("time", name), "time"), counted)


def _lines(evidence: Evidence, what: str) -> ir.Table:
    lines = logs.lines(evidence, LINES[what])
    return lines.select(
        at="logged_utc", what=ibis.literal(what), many=ibis.literal(1.0), id="event_id"
    )


def _deletions(evidence: Evidence) -> ir.Table:
    points = evidence["metric_points"]
    points = points.filter(
        points.metric == "NumberOfMessagesDeleted", points.origin == "cloudwatch"
    )
    points = points.mutate(queue=logs.text_in(points.dimensions, "QueueName"))
    points = points.semi_join(replay_queues(evidence), points.queue == replay_queues(evidence).name)
    return points.select(
        at="at_utc", what=ibis.literal("deleted"), many="value", id=ibis.null("string")
    )
