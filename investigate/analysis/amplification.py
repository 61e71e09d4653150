"""How far retries multiply the load, who pays for it, and what the repeated attempts cost.

Amplification is attempts per event or request: 1.0 if nothing was ever repeated. It is told of the
whole time and of the worst hour, because a storm of minutes disappears in days of quiet. Source:
"Timeouts, retries and backoff with jitter" (Amazon Builders' Library), "AWS Lambda Pricing".
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from investigate.analysis import retries
from investigate.analysis.managed_retries import RULE, billed_sum, lone_tries, tries
from investigate.analysis.redeliveries import QUEUE, gigabyte_seconds, loaded_ids
from investigate.engine import hour_of
from investigate.evidence import Evidence

USD_PER_GB_SECOND = 0.0000166667  # x86, first tier, us-east-1; arm64 is a fifth cheaper
WHO = ("group", "channel")
ATTEMPT = {
    "group": "string", "channel": "string", "sequence": "string", "event_id": "string",
    "request_id": "string", "ordinal": "int64", "gap_s": "float64", "at_utc": "timestamp(6)",
    "firsts": "int64", "repeats": "int64", "gb_s": "float64", "counted": "boolean",
}  # fmt: skip


def attempted(evidence: Evidence) -> ir.Table:
    """Return every attempt that is known of what was tried more than once, of clients in scope and
    of AWS, whether it was a repeat or not; `lone_attempt_counts` counts the others. Columns: group,
    channel, sequence, event_id, request_id, ordinal (0: the first), gap_s, at_utc, firsts and
    repeats (how many of each the row stands for), gb_s, what the attempt was billed (null if not
    known), and `counted`: no attempt that was seen, but the number in a dead letter or of
    receives."""
    return evidence.derived("attempted", _attempted)


def lone_attempt_counts(evidence: Evidence) -> ir.Table:
    """Return how many first attempts there were that no other followed, those of clients in scope
    and those of AWS: group, channel, hour (seconds since 1970; null if not known) and firsts."""
    return evidence.derived("lone_attempts", _lone)


def amplification(evidence: Evidence) -> ir.Table:
    """Return one row per group and channel that repeated attempts: group, channel, firsts, repeats,
    attempts, amplification (null where nobody knows what went well at once: of a rule, and where
    only dead letters or receives were counted), worst_hour (seconds since 1970), worst_repeats and
    worst_amplification of it, and wasted_gb_s, what the repeats were billed (null if the
    invocations of none are known)."""
    return evidence.derived("amplification", _amplification)


def _amplification(evidence: Evidence) -> ir.Table:
    rows, others = attempted(evidence), lone_attempt_counts(evidence)
    whole = rows.group_by(*WHO).agg(
        more=rows.firsts.sum(),
        repeats=rows.repeats.sum(),
        wasted_gb_s=billed_sum(rows.gb_s, rows.repeats > 0),
        seen_again=(~rows.counted).any(),
    )
    whole = whole.filter(whole.repeats > 0)
    once = others.group_by(*WHO).agg(once=others.firsts.sum())
    found = _beside(_beside(whole, once), _worst_hours(rows, others))
    found = found.mutate(
        firsts=found.more + found.once.fill_null(0), seen=found.seen_again | found.once.notnull()
    )
    # Letters are of failures alone: against their own number any retry would be a storm.
    uncounted = (found.channel == RULE) | (found.firsts == 0) | ~found.seen
    found = found.mutate(
        attempts=found.firsts + found.repeats,
        amplification=ibis.ifelse(
            uncounted, ibis.null("float64"), 1 + found.repeats / found.firsts.nullif(0)
        ),
        worst_amplification=ibis.ifelse(uncounted, ibis.null("float64"), found.worst_amplification),
    )
    return found.drop("seen", "seen_again", "more", "once")


def _beside(rows: ir.Table, more: ir.Table) -> ir.Table:
    """Add what is known of the same group and channel."""
    return rows.left_join(more, list(WHO)).drop("group_right", "channel_right")


def _worst_hours(rows: ir.Table, others: ir.Table) -> ir.Table:
    """The hour of each group with the most repeats. Attempts count in the hour in which they were
    made, and per sequence: a repeat after the full hour is one of a first attempt before it."""
    timed = rows.filter(rows.at_utc.notnull(), rows.gap_s.notnull() | (rows.repeats == 0))
    hours = timed.group_by(*WHO, hour=hour_of(timed.at_utc)).agg(
        worst_repeats=timed.repeats.sum(), tried=timed.sequence.nunique()
    )
    others = others.filter(others.hour.notnull())
    others = others.select(
        *WHO, "hour", worst_repeats=ibis.literal(0, "int64"), tried=others.firsts
    )
    hours = hours.union(others.cast(hours.schema()))
    hours = hours.group_by(*WHO, "hour").agg(
        worst_repeats=hours.worst_repeats.sum(), tried=hours.tried.sum()
    )
    order = [hours.worst_repeats.desc(), hours.hour.asc()]
    hours = hours.mutate(place=ibis.row_number().over(group_by=list(WHO), order_by=order))
    return hours.filter(hours.place == 0).select(
        *WHO, "worst_repeats", worst_hour="hour",
        worst_amplification=ibis.greatest(1.0, (hours.tried + hours.worst_repeats) / hours.tried),
    )  # fmt: skip


def _lone(evidence: Evidence) -> ir.Table:
    rows = lone_tries(evidence)
    if evidence.has("log_lines"):
        once = retries.lone_attempts(evidence)
        once = once.group_by("group", hour=hour_of(once.attempted_utc)).agg(firsts=once.count())
        once = once.mutate(channel=ibis.literal(retries.CHANNEL))
        rows = rows.union(once.select(*rows.columns).cast(rows.schema()))
    return rows


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
    rows = rows.mutate(ordinal=place)
    again = (rows.ordinal > 0).cast("int64")
    rows = rows.mutate(
        channel=ibis.literal(retries.CHANNEL), sequence="event_id", at_utc="attempted_utc",
        repeats=again, firsts=1 - again, counted=ibis.literal(False),
    )  # fmt: skip
    rows = _with_price(evidence, rows)
    return rows.select(list(ATTEMPT)).cast(ATTEMPT)


def _with_price(evidence: Evidence, rows: ir.Table) -> ir.Table:
    """Add what an attempt was billed: an equal part of what its request was, whose attempts may be
    several inside of one invocation."""
    if not evidence.has("invocations"):
        return rows.mutate(gb_s=ibis.null("float64"))
    calls = evidence["invocations"].semi_join(rows, "request_id")
    billed = calls.group_by("request_id").agg(whole=gigabyte_seconds(calls).sum())
    once = retries.lone_attempts(evidence, rows)
    once = once.group_by("request_id").agg(once=once.count())
    rows = rows.mutate(parts=rows.count().over(group_by="request_id"))
    for part in (billed, once):
        rows = rows.left_join(part, "request_id").drop("request_id_right")
    return rows.mutate(gb_s=rows.whole / (rows.parts + rows.once.fill_null(0)))


def _of_aws(evidence: Evidence) -> ir.Table:
    rows = tries(evidence)
    seen = rows.filter(~rows.counted)
    told = rows.filter(rows.counted)
    # Where the attempts themselves were seen, a letter that counts them would count them twice.
    known = ibis.union(seen.select(*WHO), lone_tries(evidence).select(*WHO), distinct=True)
    others = told.filter(told.channel != QUEUE).anti_join(known, list(WHO))
    of_queues = told.filter(told.channel == QUEUE)
    of_queues = of_queues.anti_join(loaded_ids(evidence, of_queues), "event_id")
    rows = seen.union(others, of_queues)
    again = rows.again.cast("int64")
    rows = rows.mutate(
        ordinal=ibis.ifelse(rows.again, ibis.greatest(rows.ordinal, 1), 0),
        firsts=ibis.ifelse(rows.counted, 1, 1 - again),
        repeats=ibis.ifelse(rows.counted, rows.attempts - 1, again),
    )
    return rows.select(list(ATTEMPT)).cast(ATTEMPT)
