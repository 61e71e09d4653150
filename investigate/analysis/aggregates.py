"""The aggregates of a case: explained versions, days with a verdict, and two versions compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import ibis
import ibis.expr.types as ir

from investigate.analysis.aggregate_days import day_events, days, overwritten
from investigate.analysis.capture_scope import unkept_gap
from investigate.analysis.explanation import is_explainable, version_inputs, versions
from investigate.analysis.stored_events import store_end_gap
from investigate.errors import NotEvaluable, UsageError
from investigate.evidence import Evidence

__all__ = [
    "compare", "day_events", "days", "document_rows", "overwritten", "version_inputs", "versions",
]  # fmt: skip

COMPLETE = "complete"
# In the findings document. A case of a hundred million events has millions of days, nearly all of
# them complete; the checks count all of them.
MOST_DAYS, MOST_VERSIONS = 10_000, 100_000

# A part of the versions proves these; the other verdicts rest on the absence of a version.
_PROVEN_IN_PART = ("unexplained", "overwritten", "inflated")
# An event that no store knows changes none of these; it would make a split day a partial one.
_PROVEN_BY_ROWS = ("missing", "overwritten", "inflated", "partial")


def compare(evidence: Evidence, entity: str, day: str, version_a: int, version_b: int) -> ir.Table:
    """Return how the inputs of version b differ from those of version a, one row per event.

    Columns: event_id, change (`added`, `removed`, `payload changed`, `counted otherwise`, `same`),
    payload_sha_a, payload_sha_b, times_a, times_b. Raises `UsageError` for a version that does not
    exist and `NotEvaluable` for one whose inputs are unknown.
    """
    a = _inputs_of(evidence, entity, day, version_a)
    b = _inputs_of(evidence, entity, day, version_b)
    rows = a.outer_join(b, "event_id", lname="{name}_a", rname="{name}_b")
    rows = rows.mutate(
        event_id=ibis.coalesce(rows.event_id_a, rows.event_id_b),
        times_a=rows.times_a.fill_null(0),
        times_b=rows.times_b.fill_null(0),
    )
    change = ibis.cases(
        (rows.times_a == 0, "added"),
        (rows.times_b == 0, "removed"),
        (rows.payload_sha_a != rows.payload_sha_b, "payload changed"),
        (rows.times_a != rows.times_b, "counted otherwise"),
        else_="same",
    )
    columns = ("event_id", "change", "payload_sha_a", "payload_sha_b", "times_a", "times_b")
    return rows.mutate(change=change).select(*columns).order_by("event_id")


def document_rows(evidence: Evidence) -> list[dict[str, Any]]:
    """Return the `aggregates` of the findings document: days in scope with verdict and versions;
    at most `MOST_DAYS` days with `MOST_VERSIONS` versions, those that are not complete first
    (`left_out` counts the others).

    Empty where aggregates, or both raw and events, were not captured; where only a part of the
    versions, or only one store of events or a part of one, was captured, days whose verdict needs
    the others are left out.
    """
    if not is_explainable(evidence):
        return []
    judged = _judged(evidence)
    first = judged.order_by((judged.verdict == COMPLETE).cast("int64"), "entity_id", "day")
    judged = evidence.engine.materialise(first.limit(MOST_DAYS))
    listed = {
        (row["entity_id"], row["day"]): {**row, "versions": []}
        for row in evidence.engine.rows(judged.order_by("entity_id", "day"))
    }
    for row in _listed_versions(evidence, judged):
        listed[row.pop("entity_id"), row.pop("day")]["versions"].append(row)
    return list(listed.values())


def left_out(evidence: Evidence, listed: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Return how many days, and versions of all days, are not among the rows of
    `document_rows`: {"days": …, "versions": …}; empty where all are."""
    versions_listed = sum(len(day["versions"]) for day in listed)
    if len(listed) < MOST_DAYS and versions_listed < MOST_VERSIONS:
        return {}
    judged = _judged(evidence)
    total = evidence.engine.count(judged)
    of_days = versions(evidence).semi_join(judged, ["entity_id", "day"])
    known = evidence.engine.count(of_days)
    lacking = {"days": total - len(listed), "versions": known - versions_listed}
    return lacking if any(lacking.values()) else {}


def _judged(evidence: Evidence) -> ir.Table:
    """Return the days in scope whose verdict is proven by what was captured."""
    judged = evidence.in_scope(days(evidence))
    if evidence.absence_gaps(("aggregates",)):
        judged = judged.filter(judged.verdict.isin(_PROVEN_IN_PART))
    one_store = not (evidence.has("raw") and evidence.has("events"))
    if one_store or unkept_gap(evidence) or store_end_gap(evidence):
        judged = judged.filter(judged.verdict.isin(_PROVEN_BY_ROWS))
    return judged.select("entity_id", "day", "verdict")


def _listed_versions(evidence: Evidence, judged: ir.Table) -> list[dict[str, Any]]:
    rows = versions(evidence).semi_join(judged, ["entity_id", "day"])
    rows = rows.order_by("entity_id", "day", "version", "sk").limit(MOST_VERSIONS)
    return evidence.engine.rows(
        rows.select("entity_id", "day", "version", "inputs_hash", "explained_by")
    )


def _inputs_of(evidence: Evidence, entity: str, day: str, version: int) -> ir.Table:
    known = versions(evidence)
    of_day = known.filter((known.entity_id == entity) & (known.day == day))
    answers = {
        str(row["version"]): row["agrees_with"]
        for row in evidence.engine.rows(of_day.select("version", "agrees_with").order_by("version"))
    }
    name = f"{entity} {day} version {version}"
    if str(version) not in answers:
        raise UsageError.unknown("version", str(version), answers)
    if answers[str(version)] is None:
        raise NotEvaluable(f"{name} is unexplained: which events it counts is unknown")
    inputs = version_inputs(evidence)
    inputs = inputs.filter(
        (inputs.entity_id == entity) & (inputs.day == day) & (inputs.version == version)
    )
    return inputs.group_by("event_id").agg(
        payload_sha=inputs.payload_sha.min(), times=inputs.count()
    )
