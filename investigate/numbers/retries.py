"""What the figures of retries show: attempts, their load, their beat, and whom they hit besides."""

from __future__ import annotations

from typing import Any

import ibis
import ibis.expr.types as ir

from investigate.analysis.amplification import USD_PER_GB_SECOND, amplification, attempted
from investigate.analysis.collateral import failed_batches
from investigate.analysis.nested_retries import nested
from investigate.analysis.repeated_effects import effects
from investigate.analysis.synchrony import retry_seconds, synchrony
from investigate.checks import rows_of
from investigate.engine import differ, seconds_between
from investigate.errors import NotEvaluable
from investigate.evidence import Evidence
from investigate.numbers.bins import listed

MOST_SEQUENCES, OF_A_GROUP, MOST_ATTEMPTS = 36, 4, 20
MOST_GROUPS = 20
MOST_SECONDS = 500
MOST_BATCHES = 40


def attempts_timeline(evidence: Evidence) -> list[dict[str, Any]]:
    """Return the attempts of the sequences that have most, at most four of a group: group, channel,
    sequence, attempt (1 for the first), time, after_s (since the first), gap_s, outcome (of its
    invocation: ok, failed, unknown), first (time of the first), attempts (of the sequence) and
    of_sequences (how many there are)."""
    _require(evidence)
    rows = attempted(evidence)
    rows = rows.filter(rows.at_utc.notnull())
    each = rows.group_by("group", "channel", "sequence").agg(
        first=rows.at_utc.min(), attempts=(rows.firsts + rows.repeats).sum(), seen=rows.count()
    )
    each = each.filter(each.seen > 1).drop("seen")
    each = each.mutate(of_sequences=each.count().over())
    order = [ibis.desc("attempts"), ibis.asc("sequence")]
    place = ibis.row_number().over(group_by=["group", "channel"], order_by=order)
    each = each.mutate(place=place)
    each = each.filter(each.place < OF_A_GROUP).order_by(
        ["place", ibis.desc("attempts"), "group", "channel", "sequence"]
    )
    each = each.limit(MOST_SEQUENCES).drop("place")
    shown = _with_outcome(evidence, rows.inner_join(each, ["group", "channel", "sequence"]))
    order = [shown.at_utc, shown.ordinal]
    number = ibis.row_number().over(group_by=["group", "channel", "sequence"], order_by=order) + 1
    shown = shown.mutate(attempt=number)
    shown = shown.filter(shown.attempt <= MOST_ATTEMPTS).select(
        "group", "channel", "sequence", "attempt", "outcome", "first", "attempts", "of_sequences",
        time="at_utc", gap_s=shown.gap_s.round(3),
        after_s=seconds_between(shown["first"], shown.at_utc).round(3),
    )  # fmt: skip
    return listed(
        evidence, shown.order_by("channel", "group", "sequence", "attempt"), "time", "first"
    )


def _with_outcome(evidence: Evidence, rows: ir.Table) -> ir.Table:
    if not evidence.has("invocations"):
        return rows.mutate(outcome=ibis.literal("unknown"))
    calls = evidence["invocations"]
    ends = calls.group_by("request_id", started="started_utc").agg(
        failed=differ(calls.status, "ok").any()
    )
    # Runs of one request have one id: each is known by its start as well.
    one = ends.group_by("request_id").agg(any_failed=ends.failed.any(), runs=ends.count())
    rows = rows.left_join(one, "request_id").drop("request_id_right")
    rows = rows.left_join(
        ends, [rows.request_id == ends.request_id, rows.at_utc == ends.started]
    ).drop("request_id_right", "started")
    alone = ibis.ifelse(rows.runs == 1, rows.any_failed, ibis.null("boolean"))
    failed = ibis.coalesce(rows.failed, alone)
    word = ibis.cases((failed.isnull(), "unknown"), (failed, "failed"), else_="ok")
    return rows.mutate(outcome=word)


def retry_load(evidence: Evidence) -> list[dict[str, Any]]:
    """Return how far retries multiply the load, the most first: group, channel, attempts, firsts,
    repeats, amplification, worst_hour, worst_amplification, wasted_gb_s, wasted_usd (list price),
    storm (whether the check objects), factor (the threshold) and of_groups."""
    _require(evidence)
    rows = amplification(evidence)
    storms = rows_of(evidence, "retries/storm").select("group", "channel", storm=ibis.literal(True))
    rows = rows.left_join(storms, ["group", "channel"]).drop("group_right", "channel_right")
    shown = rows.select(
        "group", "channel", "attempts", "firsts", "repeats", "worst_hour",
        amplification=rows.amplification.round(3),
        worst_amplification=rows.worst_amplification.round(3),
        wasted_gb_s=rows.wasted_gb_s.round(3),
        wasted_usd=(rows.wasted_gb_s * USD_PER_GB_SECOND).round(9),
        storm=rows.storm.fill_null(False),
        factor=ibis.literal(evidence.thresholds.storm_factor),
        of_groups=rows.count().over(),
    )  # fmt: skip
    order = [
        ibis.desc("storm"), ibis.desc("amplification", nulls_first=False), "group", "channel",
    ]  # fmt: skip
    return listed(evidence, shown.order_by(order), "worst_hour", most=MOST_GROUPS)


def retry_arrivals(evidence: Evidence) -> list[dict[str, Any]]:
    """Return the seconds in which clients retried, the fullest first if there are too many: group,
    time, retries (sequences that retried in it), beat (of the group) and of_seconds."""
    rows = retry_seconds(evidence)
    beats = synchrony(evidence).select("group", "beat")
    rows = rows.inner_join(beats, "group")
    rows = rows.mutate(of_seconds=rows.count().over())
    rows = rows.order_by([ibis.desc("retries"), "second", "group"]).limit(MOST_SECONDS)
    shown = rows.select("group", "retries", "beat", "of_seconds", time="second")
    return listed(evidence, shown.order_by("time", "group"), "time")


def retry_synchrony(evidence: Evidence) -> list[dict[str, Any]]:
    """Return whether clients retry at the same second: group, sequences, retries, fano (1 by
    chance), pairs (of one second), pairs_by_chance, busiest_second, busiest and beat."""
    rows = synchrony(evidence)
    shown = rows.mutate(
        fano=rows.fano.round(2), pairs_by_chance=rows.pairs_by_chance.round(2),
        pairs=rows.pairs.cast("int64"),
    )  # fmt: skip
    shown = shown.select(
        "group", "beat", "sequences", "retries", "fano", "pairs", "pairs_by_chance", "busiest",
        "busiest_second",
    )  # fmt: skip
    order = [ibis.desc("fano", nulls_first=False), "group"]
    return listed(evidence, shown.order_by(order), "busiest_second", most=MOST_GROUPS)


def nested_retries(evidence: Evidence) -> list[dict[str, Any]]:
    """Return who repeats what is repeated inside already: group, outer, inner, sequences,
    outer_attempts, attempts (of the innermost) and most (of one sequence)."""
    _require(evidence)
    rows = nested(evidence).order_by([ibis.desc("attempts"), "group", "outer", "inner"])
    return listed(evidence, rows, most=MOST_GROUPS)


def retry_effects(evidence: Evidence) -> list[dict[str, Any]]:
    """Return what repeated attempts did, per group: group, channel, repeated (an effect once more),
    guarded (kept from it), without_effect (none had been there) and attempts."""
    rows = evidence.in_scope(effects(evidence))
    counted = rows.group_by("group", "channel").agg(
        repeated=(rows.effect == "repeated").sum(),
        guarded=(rows.effect == "guarded").sum(),
        without_effect=(rows.effect == "without effect").sum(),
        attempts=rows.count(),
    )
    order = [ibis.desc("repeated"), ibis.desc("attempts"), "group", "channel"]
    return listed(evidence, counted.order_by(order), most=MOST_GROUPS)


def collateral_batches(evidence: Evidence) -> list[dict[str, Any]]:
    """Return the failed batches, those that sent most healthy records back first: request_id,
    time, records, again, bad, collateral, cause, wasted_gb_s and of_batches."""
    rows = failed_batches(evidence)
    shown = rows.select(
        "request_id", "records", "again", "bad", "collateral", "cause", time="at_utc",
        wasted_gb_s=rows.wasted_gb_s.round(3), of_batches=rows.count().over(),
    )  # fmt: skip
    order = [ibis.desc("collateral"), ibis.desc("again"), "time", "request_id"]
    return listed(evidence, shown.order_by(order), "time", most=MOST_BATCHES)


def _require(evidence: Evidence) -> None:
    if not (evidence.has("log_lines") or evidence.has("invocations")):
        told = (evidence.capture_gap(name) for name in ("log_lines", "invocations"))
        raise NotEvaluable("; ".join(told))
