"""Checks of the AggregatesTable: does every day have a version that holds it, once and provably?"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from investigate.analysis import logs, processing
from investigate.analysis.aggregates import days, overwritten, versions
from investigate.analysis.explanation import BEYOND_BUDGET, version_rows
from investigate.analysis.queues import waiting_gap
from investigate.analysis.stored_events import stored_events_gap, version_inputs_gap
from investigate.checks.registry import PartialRows, check
from investigate.errors import NotEvaluable
from investigate.evidence import Evidence
from investigate.model import Severity, counted, joined


@check(
    "aggregates/missing",
    Severity.DANGEROUS,
    key="entity_id day",
    needs=("log_lines",),
    whole=("aggregates",),
    found="{count} day{s} {have} been sent for processing and {have} no aggregate at all.",
    advice="Follow one of the day's events first: it was loaded, it failed, or it was never "
    "received. Look at the findings of sqs and processor for the cause, remove it, and then "
    "replay the day of this entity once. Until then recount it from the raw objects.",
    avoid="Do not read a missing aggregate as a count of zero, and do not replay before the cause "
    "is known: the same fault would take the messages again.",
)
def missing(evidence: Evidence) -> PartialRows:
    """Was a day sent for processing, with nothing left waiting, and has no aggregate?"""
    rows = days(evidence)
    rows = rows.filter(rows.missing)
    _refuse_if_waiting_is_unknown(evidence, rows, "had no aggregate")
    return PartialRows(_shown(rows, "sent"), "; ".join(processing.sent_gaps(evidence)))


@check(
    "aggregates/partial",
    Severity.DANGEROUS,
    key="entity_id day",
    whole=("aggregates",),
    either=("raw", "events"),
    found="{count} day{s} {have} events that no version counts, though they had arrived.",
    advice="Recount the day from the raw objects: that is the answer to give. Then find out why "
    "the left-out events never reached the processor (`sqs/lost`, `processor/swallowed-errors`, "
    "`replay/truncated`) and, with the cause removed, replay the whole day of this entity.",
    avoid="Do not add the versions up and do not correct a row by hand: aggregates are an output "
    "to diagnose with, and the next replay would contradict your correction.",
)
def partial(evidence: Evidence) -> PartialRows:
    """Do all versions together leave out events of the day that had arrived when the newest was
    computed?"""
    rows = days(evidence)
    found = rows.filter(rows.partial)
    _refuse_if_waiting_is_unknown(evidence, found, "left events out")
    gaps = joined(_unexplained_gap(evidence, rows), stored_events_gap(evidence))
    return PartialRows(_shown(found, "expected", "held_by_union", "lost"), gaps)


@check(
    "aggregates/split",
    Severity.SUSPECT,
    key="entity_id day",
    whole=("aggregates",),
    either=("raw", "events"),
    found="{count} day{s} {are} spread over versions of which none holds the whole day.",
    advice="The processor counts the batch, not the day: 25 events arrive as 10, 10 and 5. Add up "
    "distinct inputs over the versions, never their values, or recount from the raw objects. No "
    "event is lost; tell the readers of this table what a version is.",
    avoid="Do not take the newest version for the day's value, and do not replay to get one "
    "version: a replay of more than one batch is split again.",
)
def split(evidence: Evidence) -> PartialRows:
    """Does no single version hold the day, though all together do?"""
    rows = days(evidence)
    found = rows.filter(rows.split)
    gap = _refuse_if_events_are_unknown(evidence, found, "looked split")
    shown = _shown(found, "expected", "held_by_newest", "versions")
    return PartialRows(shown, joined(_unexplained_gap(evidence, rows), gap))


@check(
    "aggregates/inflated",
    Severity.DANGEROUS,
    key="entity_id day",
    needs=("aggregates",),
    found="{count} day{s} {have} a version that counts an event more than once.",
    advice="A message was delivered twice into one batch, or a replay included duplicates, and the "
    "processor does not tell repeats apart. The inputs of the version name the events. Recount "
    "from the raw objects by event id, and make the processor drop repeated ids of a batch.",
    avoid="Do not blame the DedupeTable: it guards ingest, not the queue. Do not subtract the "
    "repeats by hand.",
)
def inflated(evidence: Evidence) -> PartialRows:
    """Does a version count an event twice?"""
    rows = days(evidence)
    found = _shown(rows.filter(rows.inflated), "doubled", "versions")
    return PartialRows(found, _unexplained_gap(evidence, rows))


@check(
    "aggregates/stale",
    Severity.SUSPECT,
    key="entity_id day",
    whole=("aggregates",),
    either=("raw", "events"),
    found="{count} day{s} {were} complete when last computed, and events have arrived since.",
    advice="Nothing recomputes a day when late events arrive. See `raw/late` for who sends late, "
    "and replay these days of these entities once, after the last late event is in.",
    avoid="Do not treat the stored value as wrong at its time: it was right when it was computed. "
    "Do not replay every day to be safe; each replay adds a version.",
)
def stale(evidence: Evidence) -> PartialRows:
    """Was the newest version complete when it was computed, and have events arrived since?"""
    rows = days(evidence)
    found = rows.filter(rows.stale)
    gap = _refuse_if_events_are_unknown(evidence, found, "looked stale")
    shown = _shown(found, "expected", "arrived_since", "computed_at_utc")
    return PartialRows(shown, joined(_unexplained_gap(evidence, rows), gap))


@check(
    "aggregates/overwritten",
    Severity.DANGEROUS,
    key="entity_id day",
    needs=("log_lines",),
    found="{count} day{s} {have} a version that was written over by another in the same second.",
    advice="The version number is whole seconds, so two batches of one entity and day collide and "
    "the first is gone. The log lines still hold both inputs hashes. Recount the day from the raw "
    "objects, and replay it in one go, small enough that a second holds one batch.",
    avoid="Do not trust the table to be append-only, and do not raise the processor's concurrency "
    "for this entity while replaying.",
)
def overwritten_versions(evidence: Evidence) -> PartialRows:
    """Were two versions written under one sort key (same second)?"""
    rows = overwritten(evidence)
    reasons = [logs.info_lines_gap(evidence, "processor"), _unlogged(evidence)]
    return PartialRows(
        _shown(rows, "version", "requests", "hashes"),
        "; ".join(reason for reason in reasons if reason),
    )


@check(
    "aggregates/unexplained",
    Severity.DANGEROUS,
    key="entity_id day",
    needs=("aggregates",),
    found="{count} day{s} {have} a version that no set of known events reproduces.",
    advice="Either its inputs are gone or changed since (`raw/overwritten`, `raw/missing`, "
    "`events/payload-conflict`), or the row was written past the processor. Look up its sample "
    "ids, see whether the processor's code changed around that time, and keep the row as evidence. "
    "For the value, recount from the raw objects.",
    avoid="Do not delete or recompute the version before somebody has explained it, and do not "
    "call it wrong: its hash only says that it counted something we do not hold.",
)
def unexplained(evidence: Evidence) -> PartialRows:
    """Is there a version whose inputs hash no set of known events reproduces?"""
    rows = versions(evidence)
    rows = rows.filter(rows.agrees_with.isnull() & ~rows.torn)
    rows = evidence.settled(rows, "computed_at_utc", "raw", "events")
    lacking = [*evidence.gaps(("raw", "events")), version_inputs_gap(evidence)]
    lacking = [gap for gap in lacking if gap]
    if lacking and evidence.engine.count(evidence.in_scope(rows)):
        raise NotEvaluable(
            "versions are unexplained, but their inputs may be among the events that are not here: "
            + "; ".join(lacking)
        )
    untried = rows.explained_by == BEYOND_BUDGET
    left_out = evidence.engine.count(evidence.in_scope(rows.filter(untried)))
    shown = _shown(
        rows.filter(~untried), "version", "inputs_hash", "input_count", "computed_at_utc"
    )
    too_many = f"too many runs to try for {counted(left_out, 'version')}" if left_out else ""
    return PartialRows(shown, joined(too_many, _torn(evidence)))


@check(
    "aggregates/churn",
    Severity.EXPECTED,
    key="entity_id day",
    needs=("aggregates",),
    found="{count} day{s} {have} more than one version.",
    advice="Every replay and every batch adds a version, so this is how the table works. Equal "
    "inputs hashes mean that nothing changed in between; where they differ, compare two versions "
    "to see which events made the difference.",
    avoid="Do not delete old versions: they show what was known at which time.",
)
def churn(evidence: Evidence) -> ir.Table:
    """How many versions, with how many distinct inputs hashes, does the day have?"""
    rows = version_rows(evidence)
    counts = rows.group_by("entity_id", "day").agg(
        versions=rows.count(), distinct_hashes=rows.inputs_hash.nunique()
    )
    return _shown(counts.filter(counts.versions > 1), "versions", "distinct_hashes")


def _shown(rows: ir.Table, *columns: str) -> ir.Table:
    key = rows.entity_id.fill_null("(no entity)") + " " + rows.day.fill_null("(no day)")
    return rows.select("entity_id", "day", *columns, key=key)


def _periods(evidence: Evidence, size: int) -> str:
    """Say how many days, or hours, there are of what aggregates are of."""
    return counted(size, evidence.design.aggregate.period)


def _refuse_if_waiting_is_unknown(evidence: Evidence, rows: ir.Table, what: str) -> None:
    """Raise `NotEvaluable` if there are such days and messages may wait that we do not hold."""
    size = evidence.engine.count(evidence.in_scope(rows))
    gap = waiting_gap(evidence) if size else ""
    if gap:
        raise NotEvaluable(
            f"{_periods(evidence, size)} {what}, but what is still waiting is unknown: {gap}"
        )


def _refuse_if_events_are_unknown(evidence: Evidence, rows: ir.Table, what: str) -> str:
    """Return why events of these days may be unknown; raise `NotEvaluable` if there are such days,
    as an event that no version holds would make them partial."""
    gap = stored_events_gap(evidence)
    size = evidence.engine.count(evidence.in_scope(rows)) if gap else 0
    if size:
        raise NotEvaluable(f"{_periods(evidence, size)} {what}, but may lack events: {gap}")
    return gap


def _unexplained_gap(evidence: Evidence, rows: ir.Table) -> str:
    untimed = (rows.versions > 0) & rows.computed_at_utc.isnull()
    unknown = rows.filter((rows.unexplained > 0) | untimed)
    size = evidence.engine.count(evidence.in_scope(unknown))
    return (
        f"versions of {_periods(evidence, size)} whose inputs are unknown, or with no time"
        if size
        else ""
    )


def _torn(evidence: Evidence) -> str:
    rows = version_rows(evidence)
    size = evidence.engine.count(evidence.in_scope(rows.filter(rows.torn)))
    return (
        f"{counted(size, 'version')} read more than once, with different contents" if size else ""
    )


def _unlogged(evidence: Evidence) -> str:
    """Say how many versions no log line tells of; the line of a rival may be lacking as well."""
    if not evidence.has("aggregates"):
        return ""
    lines = logs.lines(evidence, "processor_aggregate_written")
    told = lines.select(
        entity_id=ibis.coalesce(lines.entity_id, logs.text_in(lines.fields, "entity_id")),
        day=logs.text_in(lines.fields, "day"),
        version=logs.whole_in(lines.fields, "version"),
    )
    known = evidence["aggregates"].select("pk", "sk", "entity_id", "day", "version").distinct()
    silent = known.anti_join(told, ["entity_id", "day", "version"])
    size = evidence.engine.count(evidence.in_scope(silent))
    return f"no processor_aggregate_written line for {counted(size, 'version')}" if size else ""
