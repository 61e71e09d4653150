"""Which events the checks object to, so that the ledger and the findings never disagree."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import ibis
import ibis.expr.types as ir

from investigate.analysis import replays
from investigate.analysis.aggregates import day_events, version_inputs
from investigate.analysis.stages import stages
from investigate.checks import rows_of
from investigate.engine import literal_rows
from investigate.errors import NotEvaluable
from investigate.evidence import Evidence
from investigate.ledger.stations import BREAKS

CODES = tuple(known.code for known in BREAKS)
_NONE = {"event_id": "string"}
# Why a replay of its window did not send an event, and the check that says so.
_NOT_SENT = {
    replays.BY_TIME_ONLY: "replay/boundary",
    replays.AFTER_LIMIT: "replay/truncated",
    replays.NOTHING_SCANNED: "replay/nothing-sent",
}


def objections(evidence: Evidence) -> ir.Table:
    """Return (event_id, rank, code): every break of `BREAKS` that a check finds in an event's
    story, the rank being its place there. What a check could not evaluate objects to nothing."""
    return objections_of(evidence, CODES)


def possible(stage: Mapping[str, object]) -> list[str]:
    """Return the codes of the breaks that can hold for an event with this row of `stages`."""
    return [known.code for known in BREAKS if not any(stage[name] is True for name in known.unless)]


def objections_of(evidence: Evidence, codes: Collection[str]) -> ir.Table:
    """Return the objections of these checks only, for evidence that no other can object to."""
    return evidence.derived(named("objections", codes), lambda known: _build(known, codes))


def named(table: str, codes: Collection[str]) -> str:
    """Return the name of a table that is built on the objections of these checks, or of all."""
    return table if set(codes) >= set(CODES) else f"{table} of {', '.join(sorted(codes))}"


def _build(evidence: Evidence, codes: Collection[str]) -> ir.Table:
    found = []
    for rank, known in enumerate(BREAKS):
        ids = _ids(evidence, known.code) if known.code in codes else None
        if ids is not None:
            ids = ids.filter(ids.event_id.notnull()).select("event_id").distinct()
            code = ibis.literal(known.code, "string")
            found.append(ids.mutate(rank=ibis.literal(rank, "int64"), code=code))
    nothing = literal_rows([], {**_NONE, "rank": "int64", "code": "string"})
    return ibis.union(*(found or [nothing]))


def _ids(evidence: Evidence, code: str) -> ir.Table | None:
    """The events (event_id) that a check objects to; None where it cannot tell."""
    try:
        if code in _FINDERS:
            return _FINDERS[code](evidence)
        rows = rows_of(evidence, code)
    except NotEvaluable:
        return None
    key = "event_id" if "event_id" in rows.columns else "key"
    return rows.select(event_id=rows[key])


def _left_out(code: str) -> Callable[[Evidence], ir.Table]:
    """The events that no replay sent although one asked for their window."""

    def find(evidence: Evidence) -> ir.Table:
        known = stages(evidence)
        unsent = known.filter(known.sent == ibis.literal(False)).select("event_id")
        rows = replays.left_out(evidence).semi_join(unsent, "event_id")
        reasons = [reason for reason, told in _NOT_SENT.items() if told == code]
        return rows.filter(rows.why.isin(reasons))

    return find


def _of_days(code: str) -> Callable[[Evidence], ir.Table]:
    """The events that no version counts, of the days that a check objects to."""

    def find(evidence: Evidence) -> ir.Table:
        judged = rows_of(evidence, code).select("entity_id", "day")
        known = stages(evidence)
        known = known.filter((known.aggregated == ibis.literal(False)) & known.sent.fill_null(True))
        return known.semi_join(judged, ["entity_id", "day"])

    return find


def _out_of_versions(evidence: Evidence) -> ir.Table:
    judged = rows_of(evidence, "aggregates/partial").select("entity_id", "day")
    events = day_events(evidence)
    out = events.expected & ~events.held & events.settled & ~events.waiting
    return events.filter(out).semi_join(judged, ["entity_id", "day"])


def _counted_twice(evidence: Evidence) -> ir.Table:
    inputs = version_inputs(evidence)
    times = inputs.group_by("pk", "sk", "event_id").agg(times=inputs.count())
    return times.filter(times.times > 1)


_FINDERS: Mapping[str, Callable[[Evidence], ir.Table]] = {
    **{code: _left_out(code) for code in _NOT_SENT.values()},
    "aggregates/overwritten": _of_days("aggregates/overwritten"),
    "aggregates/missing": _of_days("aggregates/missing"),
    "aggregates/partial": _out_of_versions,
    "aggregates/inflated": _counted_twice,
}
