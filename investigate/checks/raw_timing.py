"""Checks of when raw objects arrived: silences, late events, fast clocks, failed requests."""

from __future__ import annotations

import ibis

from investigate.analysis.capture_scope import unkept_gap
from investigate.analysis.objects import (
    objects_gap,
    readable_objects,
    shown,
    unfetched_gap,
    unfetched_objects,
)
from investigate.analysis.roles import invocations_of, require_role, unended_gap
from investigate.analysis.silences import silences, source_activity_gap
from investigate.checks.registry import PartialRows, check
from investigate.engine import differ, seconds_between
from investigate.errors import NotEvaluable
from investigate.evidence import Evidence
from investigate.model import Severity, joined


@check(
    "raw/gap",
    Severity.SUSPECT,
    key="source type start end",
    whole=("raw",),
    found="{count} silence{s} in regular sources {are} far too long for {their} own rhythm.",
    advice="Ask the producer whether it sent anything in that time; look at API Gateway 4XX and "
    "5XX and at ingest errors (`raw/ingest-failures`) for the same minutes. Events refused by "
    "throttling or validation leave no object, only a metric.",
    avoid="Do not take a silence for loss, nor for a quiet hour, before the producer's own count "
    "is known.",
)
def gap(evidence: Evidence) -> PartialRows:
    """Is there a silence in a regular source that is too long for its own rhythm?"""
    if unkept_gap(evidence):
        raise NotEvaluable("raw: the rhythm of a source is that of all its entities")
    rows = silences(evidence)
    key = ibis.literal(" ").join([rows.source, rows.event_type, rows.start, rows.end])
    index = evidence.end_gap("events") if evidence.case.event_dates else ""
    others = source_activity_gap(evidence) or index
    return PartialRows(rows.mutate(key=key), joined(unfetched_gap(evidence), others))


@check(
    "raw/late",
    Severity.SUSPECT,
    key="event_id",
    needs=("raw",),
    found="{count} event{s} arrived long after {their} event time.",
    advice="Compare with the aggregates of the day: a version computed before the arrival does "
    "not hold the event (`aggregates/stale`). If one source is late as a whole, its producer "
    "buffers or has been offline.",
    avoid="Do not rewrite event times to the ingest time.",
)
def late(evidence: Evidence) -> PartialRows:
    """Did the event arrive later than the threshold?"""
    objects = readable_objects(evidence)
    times = shown(objects, ingest_time_utc="ingest_time_utc")
    first = times.ingest_time_utc.min().over(ibis.window(group_by=times.key))
    times = evidence.settled(times.mutate(first_ingest_utc=first), "ingest_time_utc", "raw")
    lag = seconds_between(times.event_time_utc, times.first_ingest_utc)
    rows = times.mutate(lag_seconds=lag)
    found = rows.filter(rows.lag_seconds > evidence.thresholds.late_seconds)
    if unfetched_gap(evidence):  # another object of the event may tell of an earlier arrival
        found = found.anti_join(unfetched_objects(evidence).select("rid"), [("key", "rid")])
    return PartialRows(found, objects_gap(evidence))


@check(
    "raw/clock-skew",
    Severity.SUSPECT,
    key="event_id",
    needs=("raw",),
    found="{count} event{s} {have} an event time after {their} ingest time.",
    advice="The producer's clock is ahead. The stored lag is clamped to 0, so the lag metric hides "
    "it. Such events can fall into the next day's aggregate and outside a replay's window: check "
    "both, and have the producer's clock synchronised.",
    avoid="Do not trust IngestLagMs of this source, and do not shift event times by hand.",
)
def clock_skew(evidence: Evidence) -> PartialRows:
    """Is the event's time after its ingest time (the stored lag is clamped to 0)?"""
    objects = evidence.settled(readable_objects(evidence), "ingest_time_utc", "raw")
    allowed = ibis.interval(seconds=evidence.thresholds.clock_skew_seconds)
    ahead = objects.filter(objects.event_time_utc > objects.ingest_time_utc + allowed)
    return PartialRows(shown(ahead, ingested="ingest_time_utc"), objects_gap(evidence))


@check(
    "raw/ingest-failures",
    Severity.DANGEROUS,
    key="request_id",
    needs=("invocations", "functions"),
    found="{count} ingest request{s} failed, timed out or ran out of memory.",
    advice="Read the log of each request by its id. A request that died between the dedupe row "
    "and the raw object leaves an event that can never be stored again: see `dedupe/orphan` and "
    "`raw/missing`. One that died later is healed by the client's retry.",
    avoid="Do not count failures by IngestCount: the metric is printed at the end of a request, "
    "so a failed one leaves none.",
)
def ingest_failures(evidence: Evidence) -> PartialRows:
    """Did a request to the ingest function fail, and may it have lost an event?"""
    require_role(evidence, "ingest")
    calls = evidence.settled(invocations_of(evidence, "ingest"), "ended_utc")
    failed = calls.filter(differ(calls.status, "ok"))
    rows = failed.select(
        "function", "started_utc", "ended_utc", "status", "error_type", "error_message",
        key=failed.request_id,
    )  # fmt: skip
    return PartialRows(rows, unended_gap(evidence, "ingest"))
