"""What made a duplicate: a client that tried again, a replay upstream, or a double charge."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from investigate.analysis.arrivals import arrivals
from investigate.analysis.logs import lines
from investigate.analysis.objects import readable_objects
from investigate.analysis.roles import invocations_of
from investigate.engine import differ, seconds_between
from investigate.evidence import Evidence

CLIENT_TIMEOUT = "client-timeout"  # sent again because the first request failed or timed out
DOUBLE_SEND = "double-send"  # sooner than a client can have had an answer
CLIENT_RETRY = "client-retry"
UPSTREAM_REPLAY = "upstream-replay"  # many of one source at once, long after they first came
LATE_REPEAT = "late-repeat"


def refusals(evidence: Evidence) -> ir.Table:
    """Return the rows of status DUPLICATE, whatever they hide, with `arrived_utc` (first arrival),
    `gap_seconds` until the refused attempt, and `made_by`.

    Without log_lines or invocations a `client-timeout` cannot be told from a `client-retry`.
    """
    return evidence.derived("refusals", _build)


def duplicates(evidence: Evidence) -> ir.Table:
    """Return the refusals of events that are stored exactly as they were sent again."""
    return evidence.derived("duplicates", _repeated)


def _build(evidence: Evidence) -> ir.Table:
    rows = _with_runs(evidence, evidence.derived("refused_rows", _refused))
    refused = evidence.derived("refused_rows", _refused)
    died = _first_attempt_failed(evidence, refused.filter(refused.soon))
    rows = rows.left_join(died, [("event_id", "died_id")])
    at_once = rows.gap_seconds < evidence.thresholds.double_send_seconds
    made_by = ibis.cases(
        (rows.soon & rows.died_id.notnull(), CLIENT_TIMEOUT),
        (rows.soon & at_once, DOUBLE_SEND),
        (rows.soon, CLIENT_RETRY),
        (rows.in_run, UPSTREAM_REPLAY),
        else_=LATE_REPEAT,
    )
    return rows.mutate(made_by=made_by).drop("soon", "in_run", "died_id")


def _refused(evidence: Evidence) -> ir.Table:
    events = evidence["events"]
    rows = events.filter(events.status == evidence.design.duplicate).drop("attributes")
    return _with_gaps(evidence, rows)


def _repeated(evidence: Evidence) -> ir.Table:
    rows, objects = refusals(evidence), readable_objects(evidence)
    same = [rows[name] == objects[name] for name in ("payload_sha", "event_time", "event_type")]
    same += [
        rows.event_id == objects.rid,
        rows.entity_id == objects.entity_id,
        rows.source.identical_to(objects.source),  # ingest takes an event without a source (D27)
    ]
    return rows.semi_join(objects, same)


def _with_gaps(evidence: Evidence, rows: ir.Table) -> ir.Table:
    known = arrivals(evidence).semi_join(rows, "event_id")
    rows = rows.left_join(known, "event_id").drop("event_id_right")
    rows = rows.mutate(gap_seconds=seconds_between(rows.arrived_utc, rows.ingest_time_utc))
    soon = rows.gap_seconds <= evidence.thresholds.client_retry_seconds
    return rows.mutate(soon=soon.fill_null(False))


def _with_runs(evidence: Evidence, rows: ir.Table) -> ir.Table:
    """Mark rows that are one of enough refusals of their source within the time allowed."""
    others = max(evidence.thresholds.upstream_replay_events, 1) - 1
    order = ["ingest_time_utc", "event_id", "sk"]
    ahead = ibis.window(group_by=["soon", "source"], order_by=order)
    latest = rows.ingest_time_utc + ibis.interval(
        seconds=evidence.thresholds.upstream_replay_seconds
    )
    opens = rows.ingest_time_utc.lead(others).over(ahead) <= latest
    rows = rows.mutate(opens_run=opens.fill_null(False))
    behind = ibis.window(group_by=["soon", "source"], order_by=order, preceding=others, following=0)
    return rows.mutate(in_run=rows.opens_run.any().over(behind)).drop("opens_run")


def _first_attempt_failed(evidence: Evidence, rows: ir.Table) -> ir.Table:
    """The ids (died_id) whose first ingest request is known to have failed or timed out."""
    known = rows.filter(ibis.literal(False)).select(died_id="event_id")
    if not evidence.has("invocations"):
        return known
    if evidence.has("log_lines"):
        known = known.union(_failed_by_log(evidence))
    if evidence.has("functions"):
        known = known.union(_failed_by_time(evidence, rows))
    return known.distinct()


def _failed_by_log(evidence: Evidence) -> ir.Table:
    refused = evidence.derived("refused_rows", _refused)
    told = lines(evidence, "event_ingested").semi_join(refused, "event_id")
    place = ibis.row_number().over(group_by="event_id", order_by=["logged_utc", "request_id"])
    told = told.filter(told.event_id.notnull()).mutate(place=place)
    calls = evidence["invocations"]
    failed = calls.filter(differ(calls.status, "ok"))
    return told.filter(told.place == 0).semi_join(failed, "request_id").select(died_id="event_id")


def _failed_by_time(evidence: Evidence, rows: ir.Table) -> ir.Table:
    """A request that died may have logged nothing; then the arrival falls into its run, and into
    no other that ended well."""
    calls = invocations_of(evidence, "ingest").select("started_utc", "ended_utc", "status")
    rows = rows.select("event_id", "arrived_utc")
    # Few runs failed: what arrived in one of these is all that the runs that ended well are asked.
    inside = _carried(rows, calls.filter(differ(calls.status, "ok"))).distinct()
    well = _carried(inside, calls.filter(calls.status == "ok"))
    return inside.anti_join(well, "event_id").select(died_id="event_id")


def _carried(rows: ir.Table, calls: ir.Table) -> ir.Table:
    """The arrivals that fall into one of these runs, once for each."""
    spans = [calls.started_utc <= rows.arrived_utc, rows.arrived_utc <= calls.ended_utc]
    return rows.join(calls, spans).select("event_id", "arrived_utc")


def semantic_duplicates(evidence: Evidence) -> ir.Table:
    """Return the rows of events whose entity, source, type and payload came under another id a
    few seconds earlier by event time: `earlier_utc`, and `earlier_event_id` of the row before."""
    events = evidence["events"].drop("attributes")
    events = events.filter(
        events.event_id.notnull(), events.payload_sha.notnull(), events.event_time_utc.notnull()
    )
    same, order = (
        ["entity_id", "source", "event_type", "payload_sha"],
        ["event_time_utc", "event_id"],
    )
    one_back = ibis.window(group_by=same, order_by=order)
    rows = events.mutate(
        before_id=events.event_id.lag().over(one_back),
        before_utc=events.event_time_utc.lag().over(one_back),
    )
    other = differ(rows.before_id, rows.event_id)
    rows = rows.mutate(
        earlier_event_id=ibis.ifelse(other, rows.before_id, ibis.null("string")),
        other_utc=ibis.ifelse(other, rows.before_utc, ibis.null("timestamp")),
    )
    # Rows of one id in a row all follow the other id that stood before the first of them.
    so_far = ibis.cumulative_window(group_by=same, order_by=order)
    rows = rows.mutate(earlier_utc=rows.other_utc.max().over(so_far))
    allowed = ibis.interval(seconds=evidence.thresholds.semantic_duplicate_seconds)
    close = rows.event_time_utc <= rows.earlier_utc + allowed
    return rows.filter(close).drop("before_id", "before_utc", "other_utc")
