"""What the replay queue handed out again, and which records it handed out only once.

A record comes back after its invocation failed and the queue's visibility timeout ran out; what a
replay sent anew meanwhile is another message. Most records are loaded once: these are counted by
the hour, and only the others are put in order. Source: "How Lambda processes records" (SQS).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis
import ibis.expr.types as ir

from investigate.analysis import logs, replays
from investigate.analysis.capture_scope import of_entities
from investigate.engine import differ, hour_of, seconds_between
from investigate.errors import NotEvaluable
from investigate.evidence import Evidence

QUEUE = "queue"
# Of the loads of a record; the last two only where runs of one request began at one moment.
_ORDER = ("started_utc", "request_id", "status", "whole")


def gigabyte_seconds(calls: ir.Table) -> ir.FloatingValue:
    """Return what each invocation was billed: its time, times the memory it was given."""
    return calls.billed_ms * calls.memory_mb / (1000.0 * 1024.0)


def numbered(rows: ir.Table, group: str, *order: str) -> ir.Table:
    """Number the attempts of rows that say whether each is tried `again`. The sequence of
    an attempt is its group and the number of first attempts up to it."""
    so_far = ibis.window(group_by=group, order_by=list(order), preceding=None, following=0)
    rows = rows.mutate(run=(~rows.again).cast("int64").sum().over(so_far))
    place = ibis.row_number().over(group_by=[group, "run"], order_by=list(order))
    rows = rows.mutate(ordinal=place, attempts=place + 1)
    return rows.mutate(
        sequence=rows[group] + "/" + rows.run.cast("string"), counted=ibis.literal(False)
    )


def repeated_requests(evidence: Evidence) -> ir.Table:
    """Return the ids (request_id) under which more than one invocation ran."""
    return evidence.derived("repeated_requests", _repeated_requests)


def _repeated_requests(evidence: Evidence) -> ir.Table:
    calls = evidence["invocations"]
    each = calls.group_by("request_id").agg(runs=calls.count())
    return each.filter(each.runs > 1).select("request_id")


def redelivered(evidence: Evidence) -> ir.Table | None:
    """Return the loads of the records that were loaded more than once, or by an invocation that
    failed, with whether each came `again`, as `managed_retries.tries` gives them; None if that
    cannot be told."""
    queue = _known_queue(evidence)
    if queue is None:
        return None
    return evidence.derived("redelivered", lambda known: _build_redelivered(known, queue))


def lone_loads(evidence: Evidence) -> ir.Table | None:
    """Return how many records were loaded once, by an invocation that did not fail: group (the
    queue), channel, hour and firsts; None if that cannot be told."""
    queue = _known_queue(evidence)
    if queue is None:
        return None
    told = _loads(evidence).anti_join(_loaded_again(evidence), "event_id")
    calls = evidence["invocations"]
    calls = calls.select("request_id", hour=hour_of(calls.started_utc))
    rows = told.inner_join(calls, "request_id")
    counts = rows.group_by("hour").agg(firsts=rows.count())
    return counts.mutate(group=ibis.literal(queue["name"]), channel=ibis.literal(QUEUE))


def loaded_ids(evidence: Evidence, rows: ir.Table) -> ir.Table:
    """Return those ids (event_id) of these rows whose record a known invocation loaded; none where
    that cannot be told."""
    if _known_queue(evidence) is None:
        return rows.select("event_id").limit(0)
    told = _loads(evidence).semi_join(rows, "event_id")
    return told.semi_join(evidence["invocations"], "request_id").select("event_id")


def _known_queue(evidence: Evidence) -> Mapping[str, Any] | None:
    if not all(evidence.has(name) for name in ("log_lines", "invocations", "queue_state")):
        return None
    return known_queue(evidence)


def _loads(evidence: Evidence) -> ir.Table:
    told = logs.lines(evidence, "processor_record_loaded")
    return told.filter(told.event_id.notnull() & of_entities(evidence, told.entity_id)).select(
        "event_id", "request_id"
    )


def _loaded_again(evidence: Evidence) -> ir.Table:
    """The ids of records that were loaded by more than one run, or by one that failed."""
    return evidence.derived("loaded_again", _build_loaded_again)


def _build_loaded_again(evidence: Evidence) -> ir.Table:
    told, calls = _loads(evidence), evidence["invocations"]
    each = told.group_by("event_id").agg(lines=told.count())
    odd = calls.filter(differ(calls.status, "ok")).select("request_id")
    odd = odd.union(repeated_requests(evidence))
    by_run = told.semi_join(odd, "request_id").select("event_id")
    return ibis.union(each.filter(each.lines > 1).select("event_id"), by_run, distinct=True)


def _build_redelivered(evidence: Evidence, queue: Mapping[str, Any]) -> ir.Table:
    rows = evidence.derived("queue_loads", lambda known: _with_gaps(known, queue))
    rows = _without_sent_again(evidence, rows)
    return numbered(rows, "event_id", *_ORDER).mutate(
        group=ibis.literal(queue["name"]), channel=ibis.literal(QUEUE), at_utc="started_utc",
        pattern=ibis.literal("sqs-visibility"), gb_s=rows.whole / rows.records,
    )  # fmt: skip


def _with_gaps(evidence: Evidence, queue: Mapping[str, Any]) -> ir.Table:
    told = _loads(evidence)
    loads = told.semi_join(_loaded_again(evidence), "event_id").distinct()
    records = told.semi_join(loads, "request_id").distinct()
    records = records.group_by("request_id").agg(records=records.count())
    calls = evidence["invocations"]
    calls = calls.select("request_id", "status", "started_utc", whole=gigabyte_seconds(calls))
    loads = loads.inner_join(calls.inner_join(records, "request_id"), "request_id")
    loads = _with_returned(evidence, loads, queue["arn"])
    one_back = ibis.window(group_by="event_id", order_by=list(_ORDER))
    comes_back = differ(loads.status, "ok") | loads.returned
    rows = loads.mutate(
        before=comes_back.lag().over(one_back), before_utc=loads.started_utc.lag().over(one_back)
    )
    gap = seconds_between(rows.before_utc, rows.started_utc)
    late = gap >= queue["visibility_timeout_s"]
    return rows.mutate(gap_s=gap, again=(rows.before & late).fill_null(False))


def _with_returned(evidence: Evidence, loads: ir.Table, arn: str) -> ir.Table:
    """Add whether a record may have been `returned` by an invocation that succeeded: its mapping
    takes partial answers, and a record of it failed. Which one, the line does not tell; one that
    then comes back after the visibility timeout was."""
    if not evidence.has("mappings"):
        return loads.mutate(returned=ibis.literal(False))
    maps = evidence["mappings"]
    partial = maps.filter(maps.source_arn == arn, maps.partial_batch_response.fill_null(False))
    lines = logs.lines(evidence, "processor_record_failed")
    if not evidence.engine.count(partial):
        lines = lines.limit(0)
    known = lines.select("request_id", returned=ibis.literal(True)).distinct()
    loads = loads.left_join(known, "request_id").drop("request_id_right")
    return loads.mutate(returned=loads.returned.fill_null(False) & (loads.status == "ok"))


def _without_sent_again(evidence: Evidence, rows: ir.Table) -> ir.Table:
    """Take back `again` of what a replay sent anew in between. Without the events nobody knows what
    it sent: then it may have been any record (`retry_evidence_gaps.of_queue`)."""
    known = evidence.has("events")
    sent = replays.reconstructed(evidence) if known else replays.logged(evidence)
    again = rows.filter(rows.again)
    if known:
        sent = sent.semi_join(again, "event_id")
    # A replay sends from its start on; its line comes when the first messages may be processed.
    calls = evidence["invocations"].semi_join(replays.logged(evidence), "request_id")
    calls = calls.group_by("request_id").agg(began=calls.started_utc.min())
    sent = sent.left_join(calls, "request_id")
    sent = sent.mutate(sent_utc=ibis.coalesce(sent.began, sent.logged_utc))
    sent = sent.select("sent_utc", *(["event_id"] if known else []))
    pairs = again.inner_join(sent, "event_id") if known else again.cross_join(sent)
    between = (pairs.sent_utc > pairs.before_utc) & (pairs.sent_utc <= pairs.started_utc)
    anew = pairs.filter(between).select("event_id", "request_id", anew=True).distinct()
    rows = rows.left_join(anew, ["event_id", "request_id"])
    return rows.mutate(again=rows.again & rows.anew.isnull()).drop(
        "anew", "event_id_right", "request_id_right"
    )


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


def known_queue(evidence: Evidence) -> Mapping[str, Any] | None:
    """Return what `replay_queue` returns, or None where it would raise."""
    try:
        return replay_queue(evidence)
    except NotEvaluable:
        return None
