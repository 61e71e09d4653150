"""How far retries multiply the load, who pays for it, and what the repeated attempts cost.

Amplification is attempts per event or request: 1.0 if nothing was ever repeated. It is told of the
whole time and of the worst hour, because a storm of minutes disappears in days of quiet. Source:
"Timeouts, retries and backoff with jitter" (Amazon Builders' Library), "AWS Lambda Pricing".
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from investigate.analysis import retries
from investigate.analysis.managed_retries import QUEUE, RULE, billed_sum, gigabyte_seconds, tries
from investigate.engine import seconds_since_1970
from investigate.evidence import Evidence

USD_PER_GB_SECOND = 0.0000166667  # x86, first tier, us-east-1; arm64 is a fifth cheaper
HOUR = 3600
WHO = ("group", "channel")
ATTEMPT = {
    "group": "string", "channel": "string", "sequence": "string", "event_id": "string",
    "request_id": "string", "ordinal": "int64", "gap_s": "float64", "at_utc": "timestamp(6)",
    "firsts": "int64", "repeats": "int64", "gb_s": "float64", "counted": "boolean",
    "single": "boolean",
}  # fmt: skip


def attempted(evidence: Evidence) -> ir.Table:
    """Return every attempt that is known, of clients in scope and of AWS, whether it was a repeat
    or not: group, channel, sequence, event_id, request_id, ordinal (0: the first), gap_s, at_utc,
    firsts and repeats (how many of each the row stands for), gb_s, what a repeat was billed (null
    if not known), `counted`: no attempt that was seen, but the number in a dead letter or of
    receives, and `single`: known to be the only attempt of its sequence."""
    return evidence.derived("attempted", _attempted)


def amplification(evidence: Evidence) -> ir.Table:
    """Return one row per group and channel that repeated attempts: group, channel, firsts, repeats,
    attempts, amplification (null where nobody knows what went well at once: of a rule, and where
    only dead letters or receives were counted), worst_hour (seconds since 1970), worst_repeats and
    worst_amplification of it, and wasted_gb_s, what the repeats were billed (null if the
    invocations of none are known)."""
    return evidence.derived("amplification", _amplification)


def _amplification(evidence: Evidence) -> ir.Table:
    rows = attempted(evidence)
    whole = rows.group_by(*WHO).agg(
        firsts=rows.firsts.sum(),
        repeats=rows.repeats.sum(),
        wasted_gb_s=billed_sum(rows.gb_s, rows.repeats > 0),
        seen=(~rows.counted).any(),
    )
    whole = whole.filter(whole.repeats > 0)
    found = whole.left_join(_worst_hours(rows), list(WHO)).drop("group_right", "channel_right")
    # Letters are of failures alone: against their own number any retry would be a storm.
    uncounted = (found.channel == RULE) | (found.firsts == 0) | ~found.seen
    found = found.mutate(
        attempts=found.firsts + found.repeats,
        amplification=ibis.ifelse(
            uncounted, ibis.null("float64"), 1 + found.repeats / found.firsts.nullif(0)
        ),
        worst_amplification=ibis.ifelse(uncounted, ibis.null("float64"), found.worst_amplification),
    )
    return found.drop("seen")


def _worst_hours(rows: ir.Table) -> ir.Table:
    """The hour of each group with the most repeats. Attempts count in the hour in which they were
    made, and per sequence: a repeat after the full hour is one of a first attempt before it."""
    timed = rows.filter(rows.at_utc.notnull(), rows.gap_s.notnull() | (rows.repeats == 0))
    second = seconds_since_1970(timed.at_utc)
    timed = timed.mutate(hour=second - second % HOUR)
    hours = timed.group_by(*WHO, "hour").agg(
        worst_repeats=timed.repeats.sum(),
        tried=timed.single.sum() + timed.sequence.nunique(where=~timed.single),
    )
    order = [hours.worst_repeats.desc(), hours.hour.asc()]
    hours = hours.mutate(place=ibis.row_number().over(group_by=list(WHO), order_by=order))
    return hours.filter(hours.place == 0).select(
        *WHO, "worst_repeats", worst_hour="hour",
        worst_amplification=ibis.greatest(1.0, (hours.tried + hours.worst_repeats) / hours.tried),
    )  # fmt: skip


def _attempted(evidence: Evidence) -> ir.Table:
    rows = _of_aws(evidence)
    if evidence.has("log_lines"):
        rows = rows.union(_of_clients(evidence))
    return rows


def _of_clients(evidence: Evidence) -> ir.Table:
    rows = retries.attempts(evidence)
    rows = evidence.in_scope(rows.filter(rows.in_sequence))
    rows = rows.anti_join(retries.reused(evidence), "event_id")
    # Two sources may share an id whose parts they cut differently (D25): each has its own first.
    place = ibis.row_number().over(group_by=["group", "event_id"], order_by="ordinal")
    several = rows.filter(~rows.single).mutate(ordinal=place)
    several = _with_price(evidence, several, rows)
    alone = rows.filter(rows.single).mutate(gb_s=ibis.null("float64"))
    return _as_attempts(several).union(_as_attempts(alone))


def _as_attempts(rows: ir.Table) -> ir.Table:
    again = (rows.ordinal > 0).cast("int64")
    rows = rows.mutate(
        channel=ibis.literal(retries.CHANNEL), sequence="event_id", at_utc="attempted_utc",
        repeats=again, firsts=1 - again, counted=ibis.literal(False),
    )  # fmt: skip
    return rows.select(list(ATTEMPT)).cast(ATTEMPT)


def _with_price(evidence: Evidence, rows: ir.Table, attempts: ir.Table) -> ir.Table:
    """Add what a repeat was billed: an equal part of what its request was, of whose attempts
    several may be inside of one invocation."""
    if not evidence.has("invocations"):
        return rows.mutate(gb_s=ibis.null("float64"))
    asked = rows.filter(rows.ordinal > 0).select("request_id").distinct()
    calls = evidence["invocations"].semi_join(asked, "request_id")
    billed = calls.group_by("request_id").agg(whole=gigabyte_seconds(calls).sum())
    made = attempts.semi_join(asked, "request_id")
    parts = made.group_by("request_id").agg(parts=made.count())
    prices = billed.inner_join(parts, "request_id")
    rows = rows.left_join(prices, "request_id").drop("request_id_right")
    gb_s = ibis.ifelse(rows.ordinal > 0, rows.whole / rows.parts, ibis.null("float64"))
    return rows.mutate(gb_s=gb_s)


def _of_aws(evidence: Evidence) -> ir.Table:
    rows = tries(evidence)
    seen = rows.filter(~rows.counted)
    told = rows.filter(rows.counted)
    # Where the attempts themselves were seen, a letter that counts them would count them twice.
    others = told.filter(told.channel != QUEUE).anti_join(seen.select(*WHO).distinct(), list(WHO))
    of_queues = told.filter(told.channel == QUEUE)
    loaded = seen.filter(seen.channel == QUEUE, seen.event_id.notnull())
    of_queues = of_queues.anti_join(loaded.select("event_id").distinct(), "event_id")
    rows = seen.union(others, of_queues)
    again = rows.again.cast("int64")
    rows = rows.mutate(
        ordinal=ibis.ifelse(rows.again, ibis.greatest(rows.ordinal, 1), 0),
        firsts=ibis.ifelse(rows.counted, 1, 1 - again),
        repeats=ibis.ifelse(rows.counted, rows.attempts - 1, again),
    )
    return rows.select(list(ATTEMPT)).cast(ATTEMPT)
