"""Attempts that AWS repeats by itself: a queue, Lambda's own queue, a stream, a rule.

What repeats them is told by where they were seen, before any statistics of their gaps: a record
that comes back after its invocation failed and its queue's visibility timeout ran out; invocations
that share a request id; a failed batch of a stream; a dead letter that counts its attempts.
Sources: "How Lambda processes records" (SQS, streams), "How Lambda handles errors and retries with
asynchronous invocation", "How EventBridge retries delivering events".
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from investigate.analysis.queues import last_part, named
from investigate.analysis.redeliveries import (
    QUEUE,
    gigabyte_seconds,
    known_queue,
    lone_loads,
    numbered,
    redelivered,
    repeated_requests,
)
from investigate.engine import differ, hour_of, literal_rows, seconds_between
from investigate.evidence import Evidence

FUNCTION, STREAM, RULE = "function", "stream", "rule"
# Channel of a dead letter: where its attempts were made, by whom, and how many more attempts there
# were than it counts (EventBridge counts the retries only).
LETTERS = {
    "sqs-redrive": (QUEUE, "sqs-visibility", 0),
    "lambda-dlq": (FUNCTION, "lambda-async", 0),
    "lambda-destination": (FUNCTION, "lambda-async", 0),
    "stream-destination": (STREAM, "stream-mapping", 0),
    "eventbridge-dlq": (RULE, "eventbridge", 1),
}
CONFIDENCE = {
    QUEUE: "high: each came back after its invocation failed and the visibility timeout ran out, "
    "or counts its receives",
    FUNCTION: "high: the attempts carry one request id",
    STREAM: "medium: a stream hands a failed batch out again; batches of a shard whose runs never "
    "overlapped the others may lie between",
    RULE: "high: the dead letter counts the attempts",
}
_REPEAT = {
    "group": "string", "channel": "string", "pattern": "string", "sequence": "string",
    "ordinal": "int64", "attempts": "int64", "gap_s": "float64",
}  # fmt: skip
_TRIED = {
    **_REPEAT, "again": "boolean", "counted": "boolean", "event_id": "string",
    "request_id": "string", "at_utc": "timestamp(6)", "gb_s": "float64", "returned": "boolean",
}  # fmt: skip

# What else puts runs of one moment in order, so that every look at them finds the same first one.
_AT_ONE_MOMENT = ("ended_utc", "status", "billed_ms", "memory_mb")
_LONE = {"group": "string", "channel": "string", "hour": "int64", "firsts": "int64"}


def tries(evidence: Evidence) -> ir.Table:
    """Return the attempts that AWS made of what it tried more than once, and the loads of records
    by invocations that failed; `lone_tries` counts the others. Columns: group (queue, function or
    rule), channel, pattern, sequence, ordinal (0 for the first), attempts (so far), gap_s, `again`
    (whether it is a repeat), event_id and request_id where it has one, at_utc (when it started),
    gb_s, its part of the billed gigabyte-seconds of its invocation (null if not known) and
    `returned` (it may have failed in an invocation that succeeded; null where that cannot be). What
    only counts its attempts is one row, `counted`, with an unknown gap."""
    return evidence.derived("managed_tries", _tries)


def lone_tries(evidence: Evidence) -> ir.Table:
    """Return how many attempts AWS made that are not in `tries`: group, channel, hour (seconds
    since 1970; null if not known) and firsts. Most are, so they are counted and not put in order.
    """
    return evidence.derived("lone_tries", _lone_tries)


def _lone_tries(evidence: Evidence) -> ir.Table:
    parts = [part for way in (lone_loads, _lone_runs) if (part := way(evidence)) is not None]
    known = [part.select(list(_LONE)).cast(_LONE) for part in parts]
    return ibis.union(literal_rows([], _LONE), *known)


def repeats(evidence: Evidence) -> ir.Table:
    """Return every repeated attempt that AWS made: group (queue, function or rule), channel,
    pattern, sequence, ordinal (1 for the first repeat), attempts (so far, the first included) and
    gap_s; of what only counts its attempts, one row with an unknown gap."""
    rows = tries(evidence)
    return rows.filter(rows.again).select(list(_REPEAT))


def billed_sum(gb_s: ir.FloatingValue, where: ir.BooleanValue) -> ir.FloatingValue:
    """Return the sum of gigabyte-seconds, to the billionth.

    Fractions give another last digit in another order, and an engine adds in any; whole numbers
    do not, so a sum that is shown rounded is the same in every run.
    """
    billionths = (gb_s * 1_000_000_000).round().cast("int64")
    return billionths.sum(where=where).cast("float64") / 1_000_000_000


def managed_patterns(evidence: Evidence) -> ir.Table:
    """Return one row per group and channel in which AWS repeated attempts: group, channel, pattern,
    sequences, attempts, median_gap_s (null where no gap was seen) and confidence. They are those of
    the whole case: AWS repeats batches and requests, which are of no single event or time."""
    rows = repeats(evidence)
    where = ["group", "channel", "pattern"]
    each = rows.group_by(*where, "sequence").agg(attempts=rows.attempts.max())
    totals = each.group_by(*where).agg(sequences=each.count(), attempts=each.attempts.sum())
    gaps = rows.group_by(*where).agg(median_gap_s=rows.gap_s.median())
    told = totals.inner_join(gaps, where)
    named_so = [(told.channel == channel, words) for channel, words in CONFIDENCE.items()]
    return told.mutate(confidence=ibis.cases(*named_so))


def _tries(evidence: Evidence) -> ir.Table:
    ways = (redelivered, _received, _invoked, _streamed, _dead)
    parts = [part for way in ways if (part := way(evidence)) is not None]
    parts = [
        part if "returned" in part.columns else part.mutate(returned=ibis.null("boolean"))
        for part in parts
    ]
    known = [part.select(list(_TRIED)).cast(_TRIED) for part in parts]
    return ibis.union(literal_rows([], _TRIED), *known)


def _received(evidence: Evidence) -> ir.Table | None:
    """Sampled messages that were received more than once; the sample was one of the receives."""
    if not (evidence.has("messages") and evidence.has("queue_state")):
        return None
    queue = known_queue(evidence)
    if queue is None:
        return None
    rows = evidence["messages"]
    rows = rows.select("message_id", "event_id", "receive_count", "first_received_utc")
    rows = rows.filter(rows.receive_count > 2)
    seen = redelivered(evidence)
    if seen is not None:  # its gaps are known from the log
        rows = rows.anti_join(seen.filter(seen.again), "event_id")
    return rows.mutate(
        group=ibis.literal(queue["name"]), channel=ibis.literal(QUEUE),
        pattern=ibis.literal("sqs-visibility"), sequence="message_id", ordinal=1,
        attempts=rows.receive_count - 1, gap_s=ibis.null("float64"), again=ibis.literal(True),
        counted=ibis.literal(True), request_id=ibis.null("string"), at_utc="first_received_utc",
        gb_s=ibis.null("float64"),
    )  # fmt: skip


def _invoked(evidence: Evidence) -> ir.Table | None:
    """Invocations that share a request id: Lambda's own queue tries them again."""
    if not evidence.has("invocations"):
        return None
    calls = _runs(evidence).semi_join(repeated_requests(evidence), "request_id")
    order = ["started_utc", "log_stream", *_AT_ONE_MOMENT]
    one_back = ibis.window(group_by=["function", "request_id"], order_by=order)
    place = ibis.row_number().over(one_back)
    rows = calls.mutate(
        ordinal=place, attempts=place + 1,
        gap_s=seconds_between(calls.ended_utc.lag().over(one_back), calls.started_utc),
    )  # fmt: skip
    return rows.mutate(
        group="function", channel=ibis.literal(FUNCTION), pattern=ibis.literal("lambda-async"),
        sequence="request_id", again=rows.ordinal > 0, counted=ibis.literal(False),
        event_id=ibis.null("string"), at_utc="started_utc", gb_s=gigabyte_seconds(rows),
    )  # fmt: skip


def _lone_runs(evidence: Evidence) -> ir.Table | None:
    if not evidence.has("invocations"):
        return None
    calls = evidence["invocations"]
    calls = calls.filter(calls.request_id.notnull())
    calls = calls.anti_join(repeated_requests(evidence), "request_id")
    each = calls.group_by(group="function", hour=hour_of(calls.started_utc))
    return each.agg(firsts=calls.count()).mutate(channel=ibis.literal(FUNCTION))


def _streamed(evidence: Evidence) -> ir.Table | None:
    """Failed batches of functions that read nothing but one stream, and what came after them."""
    if not (evidence.has("invocations") and evidence.has("mappings")):
        return None
    readers = stream_readers(evidence)
    calls = _runs(evidence).semi_join(readers.filter(~readers.abreast), "function")
    order = ["started_utc", "request_id", "log_stream", *_AT_ONE_MOMENT]
    one_back = ibis.window(group_by="function", order_by=order)
    before = calls.status.lag().over(one_back)
    rows = calls.mutate(
        again=(before.notnull() & differ(before, "ok")).fill_null(False),
        gap_s=seconds_between(calls.ended_utc.lag().over(one_back), calls.started_utc),
    )
    return numbered(rows, "function", *order).mutate(
        group="function", channel=ibis.literal(STREAM), pattern=ibis.literal("stream-mapping"),
        event_id=ibis.null("string"), at_utc="started_utc", gb_s=gigabyte_seconds(rows),
    )  # fmt: skip


def _runs(evidence: Evidence) -> ir.Table:
    return evidence["invocations"].select(
        "function", "request_id", "log_stream", "started_utc", "ended_utc", "status", "billed_ms",
        "memory_mb",
    )  # fmt: skip


def stream_readers(evidence: Evidence) -> ir.Table:
    """Return the functions that read nothing but streams: function, failed (runs), and `abreast`,
    whether several shards, streams or batches of a shard are handled side by side. One shard's
    batches come strictly one after another, so runs that overlap are of several; nothing tells
    which, so that a run after a failed one need not repeat it.

    Raises `NotEvaluable` without mappings or invocations."""
    maps = evidence["mappings"]
    stream = maps.source_arn.re_search("^arn:[^:]*:(kinesis|dynamodb):").fill_null(False)
    each = maps.group_by(function=named(maps.function)).agg(
        only=stream.cast("int8").min() == 1, many=maps.count() > 1,
        parallel=(maps.parallelization.fill_null(1) > 1).any(),
    )  # fmt: skip
    each = each.filter(each.only)
    calls = evidence["invocations"].semi_join(each, "function")
    by_time = ibis.window(group_by="function", order_by=["started_utc", "request_id"])
    overlaps = calls.mutate(beside=calls.ended_utc.lag().over(by_time) > calls.started_utc)
    runs = overlaps.group_by("function").agg(
        beside=overlaps.beside.fill_null(False).any(), failed=differ(overlaps.status, "ok").sum()
    )
    rows = each.left_join(runs, "function").drop("function_right")
    return rows.select(
        "function", failed=rows.failed.fill_null(0),
        abreast=rows.many | rows.parallel | rows.beside.fill_null(False),
    )  # fmt: skip


def _dead(evidence: Evidence) -> ir.Table | None:
    """Dead letters that count their attempts."""
    if not evidence.has("dead_letters"):
        return None
    letters = evidence["dead_letters"].select(
        "channel", "attempts", "source_arn", "target_arn", "message_id", "event_id", "request_id",
        "last_failed_utc",
    )  # fmt: skip
    known = [(letters.channel == name, place) for name, place in LETTERS.items()]
    counted = letters.attempts + ibis.cases(*((is_, more) for is_, (_, _, more) in known), else_=0)
    from_source = letters.channel.isin(("sqs-redrive", "eventbridge-dlq"))
    arn = ibis.ifelse(from_source, letters.source_arn, letters.target_arn)
    name = ibis.ifelse(from_source, last_part(arn), named(arn))
    rows = letters.mutate(
        group=name, attempts=counted, sequence="message_id", ordinal=1,
        pattern=ibis.cases(*((is_, pattern) for is_, (_, pattern, _) in known)),
        channel=ibis.cases(*((is_, channel) for is_, (channel, _, _) in known)),
        gap_s=ibis.null("float64"), again=ibis.literal(True), counted=ibis.literal(True),
        at_utc="last_failed_utc", gb_s=ibis.null("float64"),
    )  # fmt: skip
    return rows.filter((rows.attempts > 1) & rows.pattern.notnull() & rows.group.notnull())
