"""Two versions of one day side by side, as a notebook shows them."""

from __future__ import annotations

import ibis.expr.types as ir

from investigate import display
from investigate.analysis.aggregates import compare
from investigate.display import Shown
from investigate.errors import NotEvaluable, UsageError
from investigate.evidence import Evidence
from investigate.numbers.aggregates import compared_versions


def side_by_side(
    evidence: Evidence, entity: str, day: str, before: int | None, after: int | None, limit: int
) -> Shown:
    """Return what one version added, removed and changed against another, at most `limit` rows of
    it; what is not named is chosen, see `Investigation.compare`."""
    try:
        chosen, known = compared_versions(evidence, entity, day)
    except NotEvaluable as unknown:
        return _untold(unknown)
    except UsageError as nothing:
        if entity or day:
            raise
        return display.paragraph(nothing.message)
    whose = f"{chosen['entity_id']} {chosen['day']}"
    if len(known) < 2 and before is None:
        return display.paragraph(f"{whose} has one version, so nothing to compare it with.")
    first = known[-2] if before is None else before
    second = known[-1] if after is None else after
    try:
        rows = compare(evidence, chosen["entity_id"], chosen["day"], first, second)
    except NotEvaluable as unknown:
        return _untold(unknown)
    return _changes(evidence, f"{whose}, version {first} against version {second}", rows, limit)


def _untold(unknown: NotEvaluable) -> Shown:
    return display.paragraph(f"versions: {unknown.message}", kind="not-evaluated")


def _changes(evidence: Evidence, what: str, rows: ir.Table, limit: int) -> Shown:
    counts = rows.group_by("change").agg(events=rows.count()).order_by("change")
    many = {row["change"]: row["events"] for row in evidence.engine.rows(counts)}
    told = ", ".join(f"{events:,} {change}" for change, events in many.items())
    lead = display.paragraph(f"{what}: {told}.")
    total = sum(events for change, events in many.items() if change != "same")
    if not total:
        return lead
    others = rows.filter(rows.change != "same").order_by("event_id").limit(limit)
    listed = evidence.engine.rows(others)
    shown = display.row_table(listed, caption=display.cut(len(listed), total))
    return display.stack(lead, shown, label="Versions")
