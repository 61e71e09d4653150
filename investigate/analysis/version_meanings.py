"""What each aggregate version is, in one word, and the counts that the word rests on."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from investigate.analysis.aggregate_days import DAY, day_events, overwritten
from investigate.analysis.candidate_inputs import DAY_WITHOUT_MISSING
from investigate.analysis.explanation import VERSION, version_inputs, versions
from investigate.engine import literal_rows
from investigate.evidence import Evidence

UNEXPLAINED = "unexplained"
OVERWRITTEN = "overwritten"
DOUBLED = "doubled"
EMPTY = "empty"
UNDATED = "undated"  # without a readable time nobody knows what it should have held
COMPLETE = "complete"
AS_OF_EARLIER = "as of an earlier time"
WITHOUT_MISSING = "without missing objects"
BATCH = "one batch"
# The first that holds, worst first.
MEANINGS = (
    UNEXPLAINED, OVERWRITTEN, DOUBLED, EMPTY, UNDATED, COMPLETE, AS_OF_EARLIER, WITHOUT_MISSING,
    BATCH,
)  # fmt: skip


def meanings(evidence: Evidence) -> ir.Table:
    """Return every aggregate version with its `meaning`, one of `MEANINGS`.

    Columns besides those of a version: explained_by, agrees_with, held (distinct events), doubled
    (events that it counts more than once), of_day (events of its day that are known by now),
    arrived (those that had arrived when it was computed) and lacking (those of the arrived whose
    object is missing). What an unexplained version holds is null.
    """
    return evidence.derived("version_meanings", _build)


def _build(evidence: Evidence) -> ir.Table:
    rows = versions(evidence).select(
        *VERSION, *DAY, "version", "computed_at_utc", "inputs_hash", "input_count", "explained_by",
        "agrees_with",
    )  # fmt: skip
    for part, keys in (
        (_held(evidence), VERSION),
        (_arrived(evidence, rows), VERSION),
        (_of_day(evidence), DAY),
        (_collided(evidence), (*DAY, "version")),
    ):
        rows = rows.left_join(part, list(keys)).drop(*(f"{key}_right" for key in keys))
    known = rows.agrees_with.notnull()
    counts = ("of_day", "arrived", "lacking")
    rows = rows.mutate(
        **{name: rows[name].fill_null(0) for name in counts},
        held=ibis.ifelse(known, rows.held.fill_null(0), ibis.null("int64")),
        doubled=ibis.ifelse(known, rows.doubled.fill_null(0), ibis.null("int64")),
    )
    return rows.mutate(meaning=_meaning(rows)).drop("collided")


def _meaning(rows: ir.Table) -> ir.StringValue:
    without = (rows.explained_by == DAY_WITHOUT_MISSING) | (
        (rows.lacking > 0) & (rows.held == rows.arrived - rows.lacking)
    )
    return ibis.cases(
        (rows.agrees_with.isnull(), UNEXPLAINED),
        (rows.collided.notnull(), OVERWRITTEN),
        (rows.doubled > 0, DOUBLED),
        (rows.held == 0, EMPTY),
        (rows.computed_at_utc.isnull(), UNDATED),
        (rows.held >= rows.of_day, COMPLETE),
        (rows.held >= rows.arrived, AS_OF_EARLIER),
        (without, WITHOUT_MISSING),
        else_=BATCH,
    )


def _held(evidence: Evidence) -> ir.Table:
    inputs = version_inputs(evidence)
    each = inputs.group_by(*VERSION, "event_id").agg(times=inputs.count())
    return each.group_by(*VERSION).agg(held=each.count(), doubled=(each.times > 1).sum())


def _of_day(evidence: Evidence) -> ir.Table:
    """The events of each day that are old enough to be judged, or that a version holds."""
    events = day_events(evidence)
    known = events.expected | events.arrived_since | events.held
    return events.filter(known).group_by(*DAY).agg(of_day=ibis._.count())


def _arrived(evidence: Evidence, rows: ir.Table) -> ir.Table:
    """How many events of its day had arrived when each version was computed. A running count, as a
    day's versions times its events can be more than any machine holds."""
    events = day_events(evidence)
    came = events.filter(events.arrived_utc.notnull()).select(
        *DAY, at_utc="arrived_utc", come=ibis.literal(1, "int64"),
        bare=(~events.has_object).fill_null(False).cast("int64"),
        pk=ibis.null("string"), sk=ibis.null("string"),
    )  # fmt: skip
    zero = ibis.literal(0, "int64")
    asked = rows.select(*DAY, at_utc="computed_at_utc", come=zero, bare=zero, pk="pk", sk="sk")
    line = came.union(asked.filter(asked.at_utc.notnull()))
    so_far = ibis.window(
        group_by=list(DAY),
        order_by=["at_utc", ibis.desc("come"), "sk"],
        preceding=None,
        following=0,
    )
    line = line.mutate(arrived=line.come.sum().over(so_far), lacking=line.bare.sum().over(so_far))
    return line.filter(line.pk.notnull()).select(*VERSION, "arrived", "lacking")


def _collided(evidence: Evidence) -> ir.Table:
    if not evidence.has("log_lines"):
        schema = {"entity_id": "string", "day": "string", "version": "int64", "collided": "int64"}
        return literal_rows([], schema)
    return overwritten(evidence).select(*DAY, "version", collided="requests")
