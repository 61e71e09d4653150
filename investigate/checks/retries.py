"""Checks of repeated attempts: how far they multiply the load, how they wait, what they repeat."""

from __future__ import annotations

import ibis

from investigate.analysis import logs, retries, retry_evidence_gaps
from investigate.analysis.amplification import amplification
from investigate.analysis.repeated_effects import GUARDED, REPEATED, effects
from investigate.analysis.retry_patterns import EIGHT_GAPS, GROWTH, TAU
from investigate.checks.registry import PartialRows, check
from investigate.evidence import Evidence
from investigate.model import Severity, joined

_INGESTED = "event_ingested"


@check(
    "retries/storm",
    Severity.SUSPECT,
    key="group",
    reads=(
        "log_lines",
        "invocations",
        "queue_state",
        "mappings",
        "dead_letters",
        "events",
        "functions",
    ),
    found="{count} group{s} of retries raise{_s} the load several times over.",
    advice="Look at `amplification`, attempts per event or request, at the worst hour, and at what "
    "the repeats were billed. Find what failed first: a storm begins with a fault and outlives it. "
    "Retry at one place only, with a budget (so many retries per hundred requests) and growing, "
    "jittered waits; of a queue, give the bad message a redrive policy.",
    avoid="Do not raise the number of retries, the timeout or the concurrency to get through: each "
    "adds load to what is already failing.",
)
def storm(evidence: Evidence) -> PartialRows:
    """Do retries multiply the load, so that most attempts are repeats?"""
    evidence.require_one(("log_lines", "invocations"))
    limits = evidence.thresholds
    rows = amplification(evidence)
    whole = (rows.amplification >= limits.storm_factor) & (rows.repeats >= limits.storm_repeats)
    worst = rows.worst_amplification >= limits.storm_factor
    worst = worst & (rows.worst_repeats >= limits.storm_repeats)
    found = rows.filter(whole.fill_null(False) | worst.fill_null(False))
    gaps = [
        _gaps(evidence, ("log_lines", "invocations")), *retry_evidence_gaps.of_queue(evidence),
        *retry_evidence_gaps.of_loads(evidence), *retry_evidence_gaps.of_streams(evidence),
        *retry_evidence_gaps.of_letters(evidence),
    ]  # fmt: skip
    return PartialRows(found.mutate(key=found.group), joined(*gaps))


@check(
    "retries/no-backoff",
    Severity.SUSPECT,
    key="group",
    needs=("log_lines",),
    reads=("invocations",),
    found="{count} client{s} repeat{_s} at short intervals that do not grow.",
    advice="Give the client exponential backoff with a cap and full jitter, and a limit of "
    "attempts (AWS SDKs: retry mode `standard` or `adaptive`). Until then slow it at the door: a "
    "usage plan of API Gateway, or a queue in front.",
    avoid="Do not only lengthen the fixed interval: clients that failed together come back "
    "together, each time.",
)
def no_backoff(evidence: Evidence) -> PartialRows:
    """Does a client repeat its attempts at short intervals that are fixed or shrink?"""
    rows = retries.patterns(evidence)
    steady = rows.pattern == "fixed"
    # Shrinking gaps do not grow either: of enough of them, growth and rank point down.
    falling = (rows.growth <= -GROWTH) & (rows.tau < -TAU) & (rows.evidence >= EIGHT_GAPS)
    shrinking = (rows.pattern == "randomised") & falling
    short = rows.median_gap_s < evidence.thresholds.no_backoff_seconds
    found = rows.filter((steady | shrinking) & short)
    found = found.select(
        "group", "channel", "pattern", "sequences", "attempts", "confidence",
        "median_gap_s", key="group",
        gaps=ibis.ifelse(found.pattern == "fixed", "fixed", "shrinking"),
    )  # fmt: skip
    # With a part of the invocations some gaps end where a request started, and others at a line.
    calls = ("invocations",) if evidence.has("invocations") else ()
    return PartialRows(found, _gaps(evidence, ("log_lines", *calls)))


@check(
    "retries/side-effects",
    Severity.DANGEROUS,
    key="group",
    needs=("log_lines",),
    reads=("invocations", "queue_state", "mappings", "events", "functions"),
    found="{count} group{s} of retries repeated an effect of an earlier attempt.",
    advice="The repeated attempts are in `attempts`, those that a guard refused in `guarded`. Look "
    "at the days of these entities in `aggregates`: count what stands there twice before anybody "
    "uses the sums. Then make the effect idempotent: write under a key that is made from the "
    "inputs (inputs_hash), or on a condition, and write last what tells that all is done.",
    avoid="Do not redrive or replay what failed until then: each further attempt repeats the "
    "effect. Do not switch retries off instead, which loses what failed for a moment.",
)
def side_effects(evidence: Evidence) -> PartialRows:
    """Did a repeated attempt repeat an effect that an earlier attempt already had?"""
    rows = evidence.in_scope(effects(evidence))
    rows = rows.mutate(repeated=rows.effect == REPEATED, refused=rows.effect == GUARDED)
    found = rows.group_by("group", "channel").agg(
        attempts=rows.repeated.sum(),
        guarded=rows.refused.sum(),
        events=rows.event_id.nunique(where=rows.repeated),
        what=rows.what.max(),
        first_utc=rows.at_utc.min(where=rows.repeated),
        example=rows.event_id.min(where=rows.repeated),
    )
    found = found.filter(found.attempts > 0)
    reasons = [
        _gaps(evidence, ("log_lines", "invocations")), logs.info_lines_gap(evidence, "processor"),
        *retry_evidence_gaps.of_queue(evidence), *retry_evidence_gaps.of_loads(evidence),
    ]  # fmt: skip
    return PartialRows(found.mutate(key=found.group), joined(*reasons))


def _gaps(evidence: Evidence, tables: tuple[str, ...]) -> str:
    """Say why retries may be unseen: rows that were not captured, or lines that never arrive."""
    reasons = evidence.gaps(tables)
    if evidence.has("log_lines"):
        reasons.append(logs.message_gap(evidence, "ingest", _INGESTED))
    return joined(*reasons)
