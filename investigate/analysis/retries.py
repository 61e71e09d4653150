"""How clients repeat their attempts, per source: sequences of attempts and the rule behind them.

A sequence is an event's first logged attempt and every later one, each at most
`client_retry_seconds` after the one before. What comes after a longer silence is not a retry but
somebody sending old events again (a replay upstream, a late repeat), and is left out. So is an id
that stands for several payloads: an idempotency key used again is not a retry.
"""

from __future__ import annotations

import re
from typing import Any

import ibis
import ibis.expr.types as ir

from investigate.analysis import logs
from investigate.analysis.identities import identities
from investigate.analysis.known_ids import known_ids
from investigate.analysis.managed_retries import managed_patterns
from investigate.analysis.retry_patterns import classify
from investigate.engine import literal_rows, seconds_between
from investigate.evidence import Evidence

CHANNEL = "client"
UNKNOWN_SOURCE = "(unknown source)"
SDK_SECONDS = 20  # an SDK waits at most this long between its attempts


def attempts(evidence: Evidence) -> ir.Table:
    """Return every attempt to ingest the events of which more than one was logged, whether it was a
    retry or not; those of which a single one was are counted by `lone_attempts`.

    Columns: group (the source), event_id, entity_id, event_time_utc, request_id, status (what
    ingest answered), attempted_utc, ordinal (0 for the first), gap_s (since the attempt before,
    from its end to this one's start where the invocations are known), runs (invocations of its
    request; null if not known) and `in_sequence`. Raises `NotEvaluable` without log lines.
    """
    return evidence.derived("attempts", _attempts)


def lone_attempts(evidence: Evidence, requests: ir.Table | None = None) -> ir.Table:
    """Return the attempts within the scope to ingest the events of which no other was logged,
    without the `reused` ids: group, request_id and attempted_utc; or only those in the requests of
    these rows. They are most of all attempts, so they are not kept. Raises `NotEvaluable` without
    log lines."""
    told = _told(evidence).anti_join(_logged_again(evidence), "event_id")
    rows = _read(evidence, told if requests is None else told.semi_join(requests, "request_id"))
    rows = evidence.in_scope(_with_group(evidence, rows, identities(evidence)))
    rows = rows.anti_join(reused(evidence), "event_id")
    return rows.select("group", "request_id", "attempted_utc")


def sequences(evidence: Evidence) -> ir.Table:
    """Return every sequence of two attempts or more: group, event_id, entity_id, event_time_utc,
    attempts, requests, runs (of a request at most; null if not known), first_utc, last_utc,
    longest_gap_s."""
    return evidence.derived("retry_sequences", _sequences)


def _sequences(evidence: Evidence) -> ir.Table:
    rows = attempts(evidence)
    rows = rows.filter(rows.in_sequence).anti_join(reused(evidence), "event_id")
    found = rows.group_by("group", "event_id", "entity_id", "event_time_utc").agg(
        attempts=rows.count(),
        requests=rows.request_id.nunique(),
        runs=rows.runs.max(),
        first_utc=rows.attempted_utc.min(),
        last_utc=rows.attempted_utc.max(),
        longest_gap_s=rows.gap_s.max(),
    )
    return found.filter(found.attempts > 1)


def patterns(evidence: Evidence) -> ir.Table:
    """Return one row per group that retried, within the scope: group, channel, pattern, sequences,
    attempts, median_gap_s, confidence, and the figures of `retry_patterns.classify`."""
    return evidence.derived("retry_patterns", _patterns)


def _patterns(evidence: Evidence) -> ir.Table:
    known = evidence.in_scope(sequences(evidence))
    gaps = attempts(evidence).semi_join(known, "event_id")
    gaps = gaps.filter(gaps.in_sequence & (gaps.ordinal > 0))
    gaps = gaps.select("group", "ordinal", "gap_s", sequence="event_id")
    totals = known.group_by("group").agg(
        sequences=known.count(),
        attempts=known.attempts.sum(),
        in_one_request=(known.requests == 1).sum(),
        runs=known.runs.max(where=known.requests == 1),
    )
    medians = gaps.group_by("group").agg(median_gap_s=gaps.gap_s.median())
    rows = classify(gaps)
    for part in (totals, medians):
        rows = rows.inner_join(part, "group")
    return _with_managed(rows).mutate(channel=ibis.literal(CHANNEL))


def document_rows(evidence: Evidence) -> list[dict[str, Any]]:
    """Return the `retries` of the findings document: those of clients, where log lines were
    captured, and those that AWS makes by itself. A gap that nothing tells is null."""
    rows = managed_patterns(evidence)
    if evidence.has("log_lines"):
        rows = rows.union(patterns(evidence).select(*rows.columns).cast(rows.schema()))
    listed = evidence.engine.rows(rows.order_by("group", "channel"))
    return [{**row, "median_gap_s": _rounded(row["median_gap_s"])} for row in listed]


def _rounded(gap: float | None) -> float | None:
    return None if gap is None else round(gap, 3)


def reused(evidence: Evidence) -> ir.Table:
    """Return the ids (event_id) that raw and events together know with more than one payload: such
    an id is a key used again, not a retry."""
    if not (evidence.has("raw") or evidence.has("events")):
        return literal_rows([], {"event_id": "string"})
    ids = known_ids(evidence)
    return ids.filter(ids.reused).select("event_id")


def _attempts(evidence: Evidence) -> ir.Table:
    rows = _logged_again(evidence)
    known = identities(evidence).semi_join(rows, "event_id")
    rows = _with_runs(evidence, _with_group(evidence, rows, known))
    return _with_gaps(rows, evidence.thresholds.client_retry_seconds)


def _logged_again(evidence: Evidence) -> ir.Table:
    """The attempts of the events of which more than one was logged. Few are, as a rule: whatever
    sorts attempts sorts these only."""

    def chosen(known: Evidence) -> ir.Table:
        told = _told(known)
        each = told.group_by("event_id").agg(lines=told.count())
        return _read(known, told.semi_join(each.filter(each.lines > 1), "event_id"))

    return evidence.derived("logged_again", chosen)


def _told(evidence: Evidence) -> ir.Table:
    told = logs.lines(evidence, "event_ingested")
    return told.filter(told.event_id.notnull() & told.logged_utc.notnull())


def _read(evidence: Evidence, told: ir.Table) -> ir.Table:
    """What the lines say of each attempt."""
    told = logs.with_text(told, "s3_key")
    return told.select(
        "event_id", "request_id", attempted_utc=told.logged_utc,
        status=logs.text_in(told.fields, "status"),
        in_key=_source_in(evidence, told.s3_key.fill_null("")),
    )  # fmt: skip


def _source_in(evidence: Evidence, key: ir.StringValue) -> ir.StringValue:
    """The source in an object's key: from the first word before one to the last behind it."""
    layout = evidence.design.raw_layout
    words = layout.marks_of("source")
    if words is None:
        prefix = str(evidence.case.pipeline.get("raw_prefix") or "")
        return key.re_extract(layout.part_in_key("source", prefix), 1).nullif("")
    lead, mark = words
    start, end = key.find(lead) + len(lead), key.find(mark)
    one = (end >= start) & (start >= len(lead)) & ~key.substr(end + len(mark)).contains(mark)
    # Where the mark stands once, as in nearly every key, no pattern has to look for the last.
    matched = key.re_extract(f"(?s){re.escape(lead)}(.*){re.escape(mark)}", 1)
    return ibis.ifelse(one, key.substr(start, end - start), matched).nullif("")


def _with_group(evidence: Evidence, rows: ir.Table, known: ir.Table) -> ir.Table:
    """Add whose event each attempt was for, and the group: its source."""
    rows = rows.left_join(known, "event_id").drop("event_id_right")
    if evidence.case.scope_entities:  # whose the other ids are, nothing tells
        rows = rows.filter(rows.entity_id.isin(evidence.case.scope_entities))
    group = ibis.coalesce(rows.in_key, rows.source, ibis.literal(UNKNOWN_SOURCE))
    return rows.mutate(group=group).drop("in_key", "source")


def _with_runs(evidence: Evidence, rows: ir.Table) -> ir.Table:
    """Add how many invocations the request that made the attempt had (`runs`), and when it started
    and ended, if it had one."""
    if not evidence.has("invocations"):
        nothing = ibis.null("timestamp")
        return rows.mutate(started_utc=nothing, ended_utc=nothing, runs=ibis.null("int64"))
    calls = evidence["invocations"].semi_join(rows, "request_id")
    known = calls.group_by("request_id").agg(
        runs=calls.count(), started_utc=calls.started_utc.min(), ended_utc=calls.ended_utc.max()
    )
    nothing = ibis.null("timestamp")
    known = known.mutate(
        started_utc=ibis.ifelse(known.runs == 1, known.started_utc, nothing),
        ended_utc=ibis.ifelse(known.runs == 1, known.ended_utc, nothing),
    )
    return rows.left_join(known, "request_id").drop("request_id_right")


def _with_gaps(rows: ir.Table, limit: int) -> ir.Table:
    order = ibis.window(group_by="event_id", order_by=["attempted_utc", "request_id"])
    logged = seconds_between(rows.attempted_utc.lag().over(order), rows.attempted_utc)
    waited = seconds_between(rows.ended_utc.lag().over(order), rows.started_utc)
    rows = rows.mutate(
        ordinal=ibis.row_number().over(order),
        # Requests that overlap (the client gave up waiting) leave only the distance of their lines.
        gap_s=ibis.ifelse((waited > 0).fill_null(False), waited, logged),
        broken=(logged > limit).fill_null(False).cast("int64"),
    )
    so_far = ibis.window(group_by="event_id", order_by="ordinal", preceding=None, following=0)
    rows = rows.mutate(in_sequence=rows.broken.sum().over(so_far) == 0)
    return rows.drop("started_utc", "ended_utc", "broken")


def _with_managed(rows: ir.Table) -> ir.Table:
    """Attempts of one request are made by AWS, not by a client; that is known before any gap."""
    by_aws = rows.in_one_request * 2 > rows.sequences
    # Lambda's own queue starts an invocation per attempt; an SDK tries again inside of one.
    several = ibis.ifelse(rows.runs.isnull(), rows.median_gap_s >= SDK_SECONDS, rows.runs > 1)
    asynchronous = by_aws & several
    pattern = ibis.cases((asynchronous, "lambda-async"), (by_aws, "sdk"), else_=rows.pattern)
    told = "high: the attempts carry one request id"
    return rows.mutate(pattern=pattern, confidence=ibis.ifelse(by_aws, told, rows.confidence)).drop(
        "in_one_request", "runs"
    )
