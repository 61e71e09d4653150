"""Attempts that AWS repeats by itself: a queue, Lambda's own queue, a stream, a rule.

What repeats them is told by where they were seen, before any statistics of their gaps: a record
that comes back after its invocation failed and its queue's visibility timeout ran out; invocations
that share a request id; a failed batch of a stream; a dead letter that counts its attempts.
Sources: "How Lambda processes records" (SQS, streams), "How Lambda handles errors and retries with
asynchronous invocation", "How EventBridge retries delivering events".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis
import ibis.expr.types as ir

from investigate.analysis import logs, replays
from investigate.analysis.queues import named
from investigate.analysis.reach import of_entities
from investigate.engine import differ, literal_rows, seconds_between
from investigate.errors import NotEvaluable
from investigate.evidence import Evidence

QUEUE, FUNCTION, STREAM, RULE = "queue", "function", "stream", "rule"
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
    "single": "boolean",
}  # fmt: skip


def tries(evidence: Evidence) -> ir.Table:
    """Return every attempt that AWS made, the first ones too: group (queue, function or rule),
    channel, pattern, sequence, ordinal (0 for the first), attempts (so far), gap_s, `again`
    (whether it is a repeat), event_id and request_id where it has one, at_utc (when it started),
    gb_s, its part of the billed gigabyte-seconds of its invocation (null if not known), `returned`
    (it may have failed in an invocation that succeeded; null where that cannot be) and `single` (it
    is known to be the only one of its sequence). What only counts its attempts is one row,
    `counted`, with an unknown gap."""
    return evidence.derived("managed_tries", _tries)


def repeats(evidence: Evidence) -> ir.Table:
    """Return every repeated attempt that AWS made: group (queue, function or rule), channel,
    pattern, sequence, ordinal (1 for the first repeat), attempts (so far, the first included) and
    gap_s; of what only counts its attempts, one row with an unknown gap."""
    rows = tries(evidence)
    return rows.filter(rows.again).select(list(_REPEAT))


def gigabyte_seconds(calls: ir.Table) -> ir.FloatingValue:
    """Return what each invocation was billed: its time, times the memory it was given."""
    return calls.billed_ms * calls.memory_mb / (1000.0 * 1024.0)


def billed_sum(gb_s: ir.FloatingValue, where: ir.BooleanValue) -> ir.FloatingValue:
    """Return the sum of gigabyte-seconds, to the billionth.

    Fractions give another last digit in another order, and an engine adds in any; whole numbers
    do not, so a sum that is shown rounded is the same in every run.
    """
    billionths = (gb_s * 1_000_000_000).round().cast("int64")
    return billionths.sum(where=where).cast("float64") / 1_000_000_000


def managed(evidence: Evidence) -> ir.Table:
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
    ways = (_redelivered, _received, _invoked, _streamed, _dead)
    parts = [part for way in ways if (part := way(evidence)) is not None]
    known = [_as_tried(part) for part in parts]
    return ibis.union(literal_rows([], _TRIED), *known) if known else literal_rows([], _TRIED)


def _as_tried(part: ir.Table) -> ir.Table:
    lacking = {"returned": ibis.null("boolean"), "single": ibis.literal(False)}
    part = part.mutate(**{name: value for name, value in lacking.items() if name not in part})
    return part.select(list(_TRIED)).cast(_TRIED)


def _numbered(rows: ir.Table, group: str, *order: str) -> ir.Table:
    """Number the attempts of rows that say whether each is tried `again`. The sequence of
    an attempt is its group and the number of first attempts up to it."""
    so_far = ibis.window(group_by=group, order_by=list(order), preceding=None, following=0)
    rows = rows.mutate(run=(~rows.again).cast("int64").sum().over(so_far))
    place = ibis.row_number().over(group_by=[group, "run"], order_by=list(order))
    rows = rows.mutate(ordinal=place, attempts=place + 1)
    return rows.mutate(
        sequence=rows[group] + "/" + rows.run.cast("string"), counted=ibis.literal(False)
    )


def _redelivered(evidence: Evidence) -> ir.Table | None:
    """Records that were loaded once more after the invocation before had failed. What was sent anew
    meanwhile, or comes back sooner than the queue can hand it out, is another message."""
    if not all(evidence.has(name) for name in ("log_lines", "invocations", "queue_state")):
        return None
    queue = _queue(evidence)
    if queue is None:
        return None
    loads = evidence.derived("queue_loads", lambda known: _loads(known, queue))
    # Nearly every record is loaded once: only the loads of the others are put in order.
    counts = loads.group_by("event_id").agg(loads=loads.count())
    several = counts.filter(counts.loads > 1)
    again = evidence.derived(
        "redelivered",
        lambda known: _put_in_order(known, loads.semi_join(several, "event_id"), queue),
    )
    once = loads.anti_join(several, "event_id")
    once = once.mutate(
        again=ibis.literal(False), ordinal=0, attempts=1, gap_s=ibis.null("float64"),
        sequence=once.event_id + "/1", counted=ibis.literal(False), single=ibis.literal(True),
    )  # fmt: skip
    return _as_tried(again).union(_as_tried(_of_queue(once, queue)))


def _loads(evidence: Evidence, queue: Mapping[str, Any]) -> ir.Table:
    """Every record that was loaded, once per run of its invocation, and how that ended."""
    told = logs.lines(evidence, "processor_record_loaded")
    told = told.filter(told.event_id.notnull() & of_entities(evidence, told.entity_id))
    calls = evidence["invocations"]
    calls = calls.select("request_id", "status", "started_utc", whole=gigabyte_seconds(calls))
    loads = told.select("event_id", "request_id").distinct()
    sizes = loads.group_by("request_id").agg(records=loads.count())
    loads = loads.inner_join(sizes.inner_join(calls, "request_id"), "request_id")
    return _with_returned(evidence, loads, queue["arn"])


def _put_in_order(evidence: Evidence, loads: ir.Table, queue: Mapping[str, Any]) -> ir.Table:
    order = ["started_utc", "request_id"]
    one_back = ibis.window(group_by="event_id", order_by=order)
    comes_back = differ(loads.status, "ok") | loads.returned
    rows = loads.mutate(
        before=comes_back.lag().over(one_back), before_utc=loads.started_utc.lag().over(one_back)
    )
    gap = seconds_between(rows.before_utc, rows.started_utc)
    late = gap >= queue["visibility_timeout_s"]
    rows = rows.mutate(gap_s=gap, again=(rows.before & late).fill_null(False))
    rows = _without_sent_again(evidence, rows)
    return _of_queue(_numbered(rows, "event_id", *order), queue)


def _of_queue(rows: ir.Table, queue: Mapping[str, Any]) -> ir.Table:
    return rows.mutate(
        group=ibis.literal(queue["name"]), channel=ibis.literal(QUEUE), at_utc="started_utc",
        pattern=ibis.literal("sqs-visibility"), gb_s=rows.whole / rows.records,
    )  # fmt: skip


def _with_returned(evidence: Evidence, loads: ir.Table, arn: str) -> ir.Table:
    """Add whether a record may have been `returned` by an invocation that succeeded: its mapping
    takes partial answers, and a record of it failed. Which one, the line does not tell; one that
    then comes back after the visibility timeout was."""
    if not evidence.has("mappings"):
        return loads.mutate(returned=ibis.literal(False))
    maps = evidence["mappings"]
    partial = maps.filter(maps.source_arn == arn, maps.partial_batch_response.fill_null(False))
    lines = logs.lines(evidence, "processor_record_failed")
    if not evidence.engine.scalar(partial.count()):
        lines = lines.limit(0)
    known = lines.select("request_id", returned=ibis.literal(True)).distinct()
    loads = loads.left_join(known, "request_id").drop("request_id_right")
    return loads.mutate(returned=loads.returned.fill_null(False) & (loads.status == "ok"))


def replay_queue(evidence: Evidence) -> Mapping[str, Any]:
    """Return the name, arn and visibility_timeout_s of the replay queue. Raises `NotEvaluable` if
    it is not known, if its timeout is not, or if there are several: nobody can tell which of them
    handed a record out."""
    listed = evidence.fact("replay queues", _replay_queues)
    if not listed:
        raise NotEvaluable("queue_state: no queue has the role replay")
    if len(listed) > 1:
        raise NotEvaluable(
            "queue_state: which of several replay queues a record came from is unknown"
        )
    if listed[0]["visibility_timeout_s"] is None:
        raise NotEvaluable(f"queue_state: the visibility timeout of {listed[0]['name']} is unknown")
    return dict(listed[0])


def _replay_queues(evidence: Evidence) -> list[dict[str, Any]]:
    queues = evidence["queue_state"].select("name", "role", "arn", "visibility_timeout_s")
    queues = queues.filter(queues.role == "replay").drop("role")
    return evidence.engine.rows(queues.order_by("name").limit(2))


def _queue(evidence: Evidence) -> Mapping[str, Any] | None:
    try:
        return replay_queue(evidence)
    except NotEvaluable:
        return None


def _without_sent_again(evidence: Evidence, rows: ir.Table) -> ir.Table:
    """Take back `again` of what a replay sent anew in between. Without the events nobody knows what
    it sent: then it may have been any record (`retry_gaps.sent_anew`)."""
    known = evidence.has("events")
    sent = replays.reconstructed(evidence) if known else replays.logged(evidence)
    # A replay sends from its start on; its line comes when the first messages may be processed.
    calls = evidence["invocations"].group_by("request_id").agg(began=ibis._.started_utc.min())
    sent = sent.left_join(calls, "request_id")
    sent = sent.mutate(sent_utc=ibis.coalesce(sent.began, sent.logged_utc))
    sent = sent.select("sent_utc", *(["event_id"] if known else []))
    again = rows.filter(rows.again)
    pairs = again.inner_join(sent, "event_id") if known else again.cross_join(sent)
    between = (pairs.sent_utc > pairs.before_utc) & (pairs.sent_utc <= pairs.started_utc)
    anew = pairs.filter(between).select("event_id", "request_id", anew=True).distinct()
    rows = rows.left_join(anew, ["event_id", "request_id"])
    return rows.mutate(again=rows.again & rows.anew.isnull()).drop(
        "anew", "event_id_right", "request_id_right"
    )


def _received(evidence: Evidence) -> ir.Table | None:
    """Sampled messages that were received more than once; the sample was one of the receives."""
    if not (evidence.has("messages") and evidence.has("queue_state")):
        return None
    queue = _queue(evidence)
    if queue is None:
        return None
    rows = evidence["messages"]
    rows = rows.select("message_id", "event_id", "receive_count", "first_received_utc")
    rows = rows.filter(rows.receive_count > 2)
    seen = _redelivered(evidence)
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
    calls = _runs(evidence)
    calls = calls.filter(calls.request_id.notnull())
    request = ["function", "request_id"]
    counts = calls.group_by(*request).agg(runs=calls.count())
    counts = counts.filter(counts.runs > 1)
    several, alone = calls.semi_join(counts, request), calls.anti_join(counts, request)
    one_back = ibis.window(group_by=request, order_by=["started_utc", "log_stream"])
    place = ibis.row_number().over(one_back)
    several = several.mutate(
        ordinal=place, attempts=place + 1, single=ibis.literal(False),
        gap_s=seconds_between(several.ended_utc.lag().over(one_back), several.started_utc),
    )  # fmt: skip
    alone = alone.mutate(
        ordinal=ibis.literal(0, "int64"), attempts=ibis.literal(1, "int64"),
        single=ibis.literal(True), gap_s=ibis.null("float64"),
    )  # fmt: skip
    rows = several.union(alone.cast(several.schema()))
    return rows.mutate(
        group="function", channel=ibis.literal(FUNCTION), pattern=ibis.literal("lambda-async"),
        sequence="request_id", again=rows.ordinal > 0, counted=ibis.literal(False),
        event_id=ibis.null("string"), at_utc="started_utc", gb_s=gigabyte_seconds(rows),
    )  # fmt: skip


def _streamed(evidence: Evidence) -> ir.Table | None:
    """Failed batches of functions that read nothing but one stream, and what came after them."""
    if not (evidence.has("invocations") and evidence.has("mappings")):
        return None
    readers = stream_readers(evidence)
    calls = _runs(evidence).semi_join(readers.filter(~readers.abreast), "function")
    order = ["started_utc", "request_id"]
    one_back = ibis.window(group_by="function", order_by=order)
    before = calls.status.lag().over(one_back)
    rows = calls.mutate(
        again=(before.notnull() & differ(before, "ok")).fill_null(False),
        gap_s=seconds_between(calls.ended_utc.lag().over(one_back), calls.started_utc),
    )
    return _numbered(rows, "function", *order).mutate(
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
    calls = evidence["invocations"]
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
    name = ibis.ifelse(from_source, arn.re_extract("([^:/]+)$", 1), named(arn))
    rows = letters.mutate(
        group=name, attempts=counted, sequence="message_id", ordinal=1,
        pattern=ibis.cases(*((is_, pattern) for is_, (_, pattern, _) in known)),
        channel=ibis.cases(*((is_, channel) for is_, (channel, _, _) in known)),
        gap_s=ibis.null("float64"), again=ibis.literal(True), counted=ibis.literal(True),
        at_utc="last_failed_utc", gb_s=ibis.null("float64"),
    )  # fmt: skip
    return rows.filter((rows.attempts > 1) & rows.pattern.notnull() & rows.group.notnull())
