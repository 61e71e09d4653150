"""What the figures of the aggregates show: versions, what they hold of a day, and every verdict."""

from __future__ import annotations

from typing import Any

import ibis
import ibis.expr.types as ir

from investigate.analysis.aggregates import days, versions
from investigate.evidence import Evidence
from investigate.numbers.bins import listed

# Worst first, as docs/checks.md orders the verdicts of a day.
VERDICTS = (
    "missing", "unexplained", "overwritten", "inflated", "partial", "split", "stale", "pending",
    "complete",
)  # fmt: skip
DAY = ["entity_id", "day"]
MOST_DAYS = 20
MOST_VERSIONS = 400
MOST_ENTITIES = 30
MOST_SQUARES = 1200


def day_verdicts(evidence: Evidence) -> list[dict[str, Any]]:
    """Return the verdict of each day of the entities that most need a look: entity_id, day,
    verdict, of_days and of_complete (how many days there are, and how many are complete)."""
    judged = _judged(evidence)
    judged = judged.mutate(bad=(judged.verdict != "complete").cast("int64"))
    entities = judged.group_by("entity_id").agg(worst=judged.weight.min(), many=judged.bad.sum())
    leading = entities.order_by(["worst", ibis.desc("many"), "entity_id"]).limit(MOST_ENTITIES)
    rows = judged.inner_join(leading, "entity_id")
    rows = rows.order_by(["worst", ibis.desc("many"), *DAY])
    rows = rows.select(*DAY, "verdict", "of_days", "of_complete")
    return listed(evidence, rows, most=MOST_SQUARES)


def aggregate_versions(evidence: Evidence) -> list[dict[str, Any]]:
    """Return the versions of the days that most need a look: entity_id, day, verdict (of the day),
    version, computed, inputs_hash, input_count, explained_by, of_days and of_versions (how many
    days with a version, and how many versions, there are)."""
    judged = _judged(evidence).filter(ibis._.versions > 0)
    judged = judged.mutate(of_days=judged.count().over(), of_versions=judged.versions.sum().over())
    worst = judged.order_by(["weight", ibis.desc("versions"), *DAY]).limit(MOST_DAYS)
    worst = worst.select(*DAY, "verdict", "weight", "of_days", "of_versions", many="versions")
    rows = worst.inner_join(versions(evidence), DAY)
    rows = rows.order_by(["weight", ibis.desc("many"), *DAY, "version", "sk"]).select(
        *DAY, "verdict", "version", "inputs_hash", "input_count", "explained_by", "of_days",
        "of_versions", computed="computed_at_utc",
    )  # fmt: skip
    return listed(evidence, rows, "computed", most=MOST_VERSIONS)


def day_coverage(evidence: Evidence) -> list[dict[str, Any]]:
    """Return how much of its events each day's versions hold, the days that most need a look first:
    entity_id, day, verdict, sent, expected, held_by_newest, held_by_union (none where a version is
    unexplained), arrived_since, of_days (how many days there are)."""
    rows = _judged(evidence).order_by(["weight", *DAY])
    rows = rows.select(
        *DAY, "verdict", "sent", "expected", "held_by_newest", "held_by_union", "arrived_since",
        "of_days",
    )  # fmt: skip
    return listed(evidence, rows, most=MOST_DAYS)


def _judged(evidence: Evidence) -> ir.Table:
    """The days in scope, with a weight that is least for the worst verdict."""
    rows = evidence.in_scope(days(evidence))
    weight = ibis.cases(
        *((rows.verdict == name, place) for place, name in enumerate(VERDICTS)), else_=len(VERDICTS)
    )
    complete = (rows.verdict == "complete").cast("int64")
    return rows.mutate(
        weight=weight, of_days=rows.count().over(), of_complete=complete.sum().over()
    )
