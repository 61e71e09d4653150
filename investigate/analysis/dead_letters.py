"""Dead letters: what failed for good, why, until when it can be saved, and what to do with each.

Sources: "Using dead-letter queues in Amazon SQS", "Retaining records of asynchronous invocations",
"Retain records of failed invocations" (streams), "Using dead-letter queues to process undelivered
events" (EventBridge), "Dead-letter queues" (SNS).
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from investigate.analysis import logs
from investigate.analysis.error_rules import (
    PERMANENT,
    TRANSIENT,
    error_text,
    fingerprint_of,
    kind_of,
    lasting_of,
    why_of,
)
from investigate.analysis.failures import failures
from investigate.analysis.queues import named
from investigate.analysis.stages import stages_of
from investigate.engine import blank
from investigate.errors import NotEvaluable
from investigate.evidence import Evidence, timestamp
from investigate.model import counted
from investigate.tables import schema_of

RETRY, REPAIR, ARCHIVE, ESCALATE = "retry", "repair", "archive", "escalate"
DECISIONS = (RETRY, REPAIR, ARCHIVE, ESCALATE)
# A letter of these is made anew for each failure, so its body says nothing about a return.
_MADE_ANEW = ("lambda-destination", "stream-destination")
# What a letter tells of itself.
_TOLD = (
    "message_id", "channel", "queue_arn", "source_arn", "target_arn", "event_id", "request_id",
    "error_code", "error_message", "first_failed_utc", "last_failed_utc", "sent_utc", "expires_utc",
    "attempts", "shard_id", "start_sequence", "body_sha",
)  # fmt: skip
LOOP = 2  # letters with one content: it has come back


def letters(evidence: Evidence) -> ir.Table:
    """Return the captured dead letters; none, if there is provably no place for any.

    Raises `NotEvaluable` where letters may wait that the case does not hold.
    """
    if evidence.has("dead_letters"):
        return evidence["dead_letters"]
    if gap := _letters_gap(evidence):
        raise NotEvaluable(gap)
    return ibis.memtable(schema_of("dead_letters").empty_table())


def _letters_gap(evidence: Evidence) -> str:
    """Why dead letters may wait although none was captured; empty if there is no place for them."""
    reason = evidence.capture_gap("dead_letters")
    for table in ("queue_state", "functions", "mappings", "deliveries"):
        if not evidence.is_listed(table):
            return f"{reason}; whether there is a place for any: {evidence.capture_gap(table)}"
    queues = evidence["queue_state"]
    dead = queues.filter(queues.role == "dead-letter")
    waiting = evidence.engine.scalar(dead.visible.sum())
    if waiting:
        return f"{reason}; {counted(waiting, 'dead letter')} wait that were not received"
    places = (
        dead.select(arn="arn"),
        queues.select(arn="dead_letter_arn"),
        evidence["functions"].select(arn="dlq_arn"),
        evidence["functions"].select(arn="on_failure_arn"),
        evidence["mappings"].select(arn="on_failure_arn"),
        evidence["deliveries"].select(arn="dead_letter_arn"),
        _of_qualifiers(evidence["functions"]),
    )
    known = ibis.union(*places)
    exists = evidence.engine.count(known.filter(known.arn.notnull()))
    return reason if exists else ""


def _of_qualifiers(functions: ir.Table) -> ir.Table:
    """Where versions and aliases send their failures, one place of each function, if any."""
    named_in = functions.qualified_invoke_configs.re_extract('"on_failure_arn" *: *"([^"]+)"', 1)
    return functions.select(arn=named_in.nullif(""))


def letter_decisions(evidence: Evidence) -> ir.Table:
    """Return one row per dead letter with what is known of it and what to do, in no order
    (`urgent_first` gives one): message_id, channel, queue_arn, destination (where it came from),
    event_id, entity_id, event_time_utc, error, fingerprint, kind, lasting, why, function,
    failed_utc, deployed_since, processed, consumers, times (letters with this content), until_utc,
    left_s, attempts, fifo, pointer, body_sha, decision and reason. What the evidence does not tell
    is null."""
    return evidence.derived("judged_dead_letters", _judged)


def _judged(evidence: Evidence) -> ir.Table:
    rows = letters(evidence).select(*_TOLD)
    rows = rows.mutate(
        destination=ibis.coalesce(rows.source_arn, rows.target_arn),
        failed_utc=ibis.coalesce(rows.last_failed_utc, rows.sent_utc),
        fifo=rows.queue_arn.endswith(".fifo").fill_null(False),
        pointer=rows.shard_id.notnull() & ~_in_bucket(rows),
        holds=rows.shard_id.notnull() & _in_bucket(rows),
        content=_content(rows),
    )
    rows = _with_errors(evidence, rows)
    rows = _with_function(evidence, rows)
    rows = _with_event(evidence, rows)
    return _decided(_with_times(evidence, rows))


def _in_bucket(rows: ir.Table) -> ir.BooleanValue:
    """An object in a bucket holds the records of a failed batch, not pointers to them."""
    return rows.queue_arn.re_search("^arn:[^:]*:s3:").fill_null(False)


def _content(rows: ir.Table) -> ir.StringValue:
    """What makes two letters the same: the records pointed at and the function that failed on
    them, the event, or the body. Several functions may read one stream, each with a letter."""
    pointer = rows.source_arn + "|" + rows.shard_id + "|" + rows.start_sequence
    pointer = pointer + "|" + rows.target_arn.fill_null("")
    made_anew = rows.channel.isin(_MADE_ANEW) | (rows.channel == "sns-dlq")
    return ibis.coalesce(
        pointer, ibis.ifelse(made_anew, rows.event_id, ibis.null("string")), rows.body_sha
    )


def _with_errors(evidence: Evidence, rows: ir.Table) -> ir.Table:
    """Add the error: the letter's own words, else what the logs say of its request or its event."""
    own = error_text(ibis.ifelse(_is_status(rows), "", rows.error_code), rows.error_message)
    own = ibis.ifelse(rows.error_code == "Unhandled", rows.error_message.fill_null(""), own)
    by_request, by_event = _logged(evidence)
    rows = rows.mutate(own=own.nullif(""))
    rows = rows.left_join(by_request, rows.request_id == by_request.known_request)
    rows = rows.left_join(by_event, rows.event_id == by_event.known_event)
    rows = rows.mutate(error=ibis.coalesce(rows.own, rows.request_error, rows.event_error))
    text = rows.error.fill_null("")
    return rows.mutate(
        fingerprint=fingerprint_of(text), kind=kind_of(text), lasting=lasting_of(text),
        why=why_of(text),
    ).drop("own", "known_request", "request_error", "known_event", "event_error")  # fmt: skip


def _is_status(rows: ir.Table) -> ir.BooleanValue:
    """A dead-letter queue of Lambda has the HTTP status for an error code."""
    return rows.error_code.re_search(r"^[0-9]+\z").fill_null(False)


def _logged(evidence: Evidence) -> tuple[ir.Table, ir.Table]:
    """The newest logged error of each request, and of each event whose load came before it."""
    try:
        known = failures(evidence)
    except NotEvaluable:
        nothing = ibis.memtable(schema_of("log_lines").empty_table())
        return (
            nothing.select(known_request="request_id", request_error="message"),
            nothing.select(known_event="event_id", event_error="message"),
        )
    newest = _newest(known)
    by_request = newest.select(known_request="request_id", request_error="error")
    if not evidence.has("log_lines"):
        return by_request, newest.select(known_event="request_id", event_error="error").limit(0)
    loads = logs.lines(evidence, "processor_record_loaded").select("event_id", "request_id")
    loads = loads.semi_join(letters(evidence), "event_id")
    pairs = loads.distinct().inner_join(newest, "request_id")
    order = ibis.window(group_by="event_id", order_by=[pairs.at_utc.desc(), pairs.request_id])
    last = pairs.mutate(place=ibis.row_number().over(order))
    last = last.filter(last.place == 0)
    return by_request, last.select(known_event="event_id", event_error="error")


def _newest(known: ir.Table) -> ir.Table:
    """The newest error of each request that says anything, and when the request last failed."""
    of_request = ibis.window(group_by="request_id")
    order = [blank(known.error), known.at_utc.desc(), known.error]
    place = ibis.row_number().over(group_by="request_id", order_by=order)
    rows = known.mutate(place=place, newest_utc=known.at_utc.max().over(of_request))
    rows = rows.filter(rows.place == 0)
    return rows.select("request_id", "error", at_utc=rows.newest_utc)


def _with_function(evidence: Evidence, rows: ir.Table) -> ir.Table:
    """Add the function that failed, whether it was deployed since, and how many consumers a letter
    put back into its queue would meet."""
    rows = rows.mutate(of_target=named(rows.target_arn))
    if evidence.has("mappings"):
        maps = evidence["mappings"]
        maps = maps.mutate(reads=(maps.state == "Enabled").fill_null(False))
        per_source = maps.group_by(mapped_arn="source_arn").agg(
            mapped=named(maps.function).min(), consumers=maps.reads.sum()
        )
        rows = rows.left_join(per_source, rows.source_arn == per_source.mapped_arn)
        rows = rows.drop("mapped_arn")
    else:
        rows = rows.mutate(mapped=ibis.null("string"), consumers=ibis.null("int64"))
    rows = rows.mutate(function=ibis.coalesce(rows.of_target, rows.mapped))
    rows = rows.drop("of_target", "mapped")
    if not evidence.has("functions"):
        return rows.mutate(deployed_since=ibis.null("boolean"))
    known = evidence["functions"].select(known_name="name", modified_utc="last_modified_utc")
    rows = rows.left_join(known, rows.function == known.known_name)
    return rows.mutate(deployed_since=rows.modified_utc > rows.failed_utc).drop(
        "known_name", "modified_utc"
    )


def _with_event(evidence: Evidence, rows: ir.Table) -> ir.Table:
    """Add whose event a letter is about, when it was, and whether a version counts it already."""
    try:
        known = stages_of(evidence, letters(evidence))
    except NotEvaluable:
        return rows.mutate(
            entity_id=ibis.null("string"), event_time_utc=ibis.null("timestamp"),
            processed=ibis.null("boolean"),
        )  # fmt: skip
    known = known.select(
        "entity_id", "event_time_utc", known_event="event_id", processed="aggregated"
    )
    return rows.left_join(known, rows.event_id == known.known_event).drop("known_event")


def _with_times(evidence: Evidence, rows: ir.Table) -> ir.Table:
    # An object that two folders list is one letter.
    one = rows.message_id + "|" + rows.queue_arn.fill_null("")
    same = rows.mutate(one=one).group_by(same="content").agg(known=ibis._.one.nunique())
    rows = rows.left_join(same, rows.content == same.same)
    # Without a content a letter is like no other.
    rows = rows.mutate(times=ibis.coalesce(rows.known, 1)).drop("same", "known")
    until = _until(evidence, rows)
    left = until.delta(timestamp(evidence.case.captured_at), unit="second")
    return rows.mutate(until_utc=until, left_s=left)


def _until(evidence: Evidence, rows: ir.Table) -> ir.TimestampValue:
    """Until when a letter can be saved: as it tells itself, and no longer than the stream keeps the
    first of the records that it points at. Null if neither is known."""
    gone = [
        (rows.source_arn == arn, rows.first_failed_utc + ibis.interval(seconds=seconds))
        for arn, seconds in _kept_seconds(evidence)
    ]
    if not gone:
        return rows.expires_utc
    # Of a stream's letter `first_failed_utc` is when the first of its records arrived.
    records = ibis.ifelse(rows.pointer, ibis.cases(*gone), ibis.null("timestamp"))
    both = rows.expires_utc.notnull() & records.notnull()
    return ibis.ifelse(
        both, ibis.least(rows.expires_utc, records), ibis.coalesce(rows.expires_utc, records)
    )


def _kept_seconds(evidence: Evidence) -> list[tuple[str, int]]:
    """The streams of the mappings with how long each keeps a record, where that is known."""
    if not evidence.has("mappings"):
        return []
    maps = evidence["mappings"]
    maps = maps.filter(maps.source_retention_s.notnull(), maps.source_arn.notnull())
    kept = maps.group_by("source_arn").agg(seconds=maps.source_retention_s.min())
    listed = evidence.engine.rows(kept.order_by("source_arn"))
    return [(row["source_arn"], row["seconds"]) for row in listed]


def _decided(rows: ir.Table) -> ir.Table:
    deployed = rows.deployed_since.fill_null(False)
    lasting, kind = rows.lasting, rows.kind
    text = ibis.literal
    loop = text("its content was dead-lettered ") + rows.times.cast("string") + " times, and "
    since = ibis.ifelse(
        rows.deployed_since.isnull(),
        "whether anything was deployed since is unknown",
        "nothing was deployed since",
    )
    fault = rows.why + "; "
    cases = (
        (rows.left_s <= 0, ESCALATE, text("it has expired: only a copy elsewhere can help")),
        (rows.processed, ARCHIVE, text("a version counts its event: again would be a duplicate")),
        (rows.pointer, REPAIR, text("it only points at records: fetch them from their stream")),
        (rows.holds, REPAIR, text("the object holds the records: they are read from there")),
        ((rows.times >= LOOP) & ~deployed, ESCALATE, loop + since),
        (lasting == TRANSIENT, RETRY, fault + "it may pass now"),
        (kind == "malformed", REPAIR, rows.why),
        (kind == "missing", REPAIR, rows.why),
        ((lasting == PERMANENT) & deployed, RETRY, fault + "the function was deployed since"),
        (lasting == PERMANENT, ESCALATE, fault + since),
        (deployed, RETRY, fault + "the function was deployed since"),
    )
    known = [
        (condition.fill_null(False), decision, reason) for condition, decision, reason in cases
    ]
    rows = rows.mutate(
        decision=ibis.cases(*((when, decision) for when, decision, _ in known), else_=ESCALATE),
        reason=ibis.cases(*((when, reason) for when, _, reason in known), else_=fault + since),
    )
    shown = (
        "message_id", "channel", "queue_arn", "destination", "event_id", "entity_id",
        "event_time_utc", "error", "fingerprint", "kind", "lasting", "why", "function",
        "failed_utc", "deployed_since", "processed", "consumers", "times", "until_utc", "left_s",
        "attempts", "fifo", "pointer", "body_sha", "decision", "reason",
    )  # fmt: skip
    return rows.select(*shown)


def urgent_first(rows: ir.Table) -> ir.Table:
    """Return letters in the order in which they need a hand: the one that expires first comes
    first, those without a known end last."""
    return rows.order_by(
        [rows.until_utc.isnull(), rows.until_utc, rows.channel, rows.message_id, rows.queue_arn]
    )
