"""What the figures of the aggregates show: versions, what they hold of a day, and every verdict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis
import ibis.expr.types as ir

from investigate.analysis import version_meanings as words
from investigate.analysis.aggregates import day_events, days, versions
from investigate.analysis.explanation import version_inputs
from investigate.analysis.version_meanings import meanings
from investigate.errors import UsageError
from investigate.evidence import Evidence
from investigate.model import counted
from investigate.numbers.bins import (
    listed,
    sample_ids,
    with_ids,
)
from investigate.wording import of_periods

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
MOST_VERSIONS_OF_A_DAY = 12
MOST_PARTS = 48  # of a day's events, in order of time

_SENTENCES = {
    words.UNEXPLAINED: "no set of the day's {events} that was tried has its hash",
    words.OVERWRITTEN: "counts {held:,} of {events}; another version was written under its key and "
    "is gone",
    words.DOUBLED: "counts {doubled:,} of {events} more than once",
    words.EMPTY: "computed from no event at all",
    words.UNDATED: "counts {held:,}; when it was computed is unknown, so nobody knows how many it "
    "should have counted",
    words.COMPLETE: "all {events} of the day",
    words.AS_OF_EARLIER: "all {arrived:,} that had arrived by then; the day has {events} now",
    words.WITHOUT_MISSING: "{held:,} of the {arrived:,} that had arrived; without a readable "
    "object: {lacking:,}",
    words.BATCH: "{held:,} of the {arrived:,} that had arrived: the day is split over its "
    "versions, or events were left out",
}


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


def versions_explained(evidence: Evidence) -> list[dict[str, Any]]:
    """Return what each version of the days that most need a look is: entity_id, day, version,
    computed, inputs, meaning, in words (one sentence), and explained_by."""
    judged = _judged(evidence).filter(ibis._.versions > 0)
    worst = judged.order_by(["weight", ibis.desc("versions"), *DAY]).limit(MOST_DAYS)
    rows = meanings(evidence).inner_join(worst.select(*DAY, "weight", many="versions"), DAY)
    rows = rows.order_by(["weight", ibis.desc("many"), *DAY, "version", "sk"])
    rows = rows.rename(computed="computed_at_utc", inputs="input_count")
    period = evidence.design.aggregate.period
    return [
        {
            **{name: row[name] for name in (*DAY, "version", "computed", "inputs", "meaning")},
            "in words": of_periods(_sentence(row), period),
            "explained_by": row["explained_by"],
        }
        for row in listed(evidence, rows, "computed", most=MOST_VERSIONS)
    ]


def _sentence(row: Mapping[str, Any]) -> str:
    """Say what a version is, with the counts that say so."""
    return _SENTENCES[row["meaning"]].format(events=counted(row["of_day"], "event"), **row)


def version_coverage(evidence: Evidence) -> list[dict[str, Any]]:
    """Return which events the newest versions of the day that most needs a look hold, its events
    in order of time and in parts of equal size: entity_id, day, verdict, version, computed,
    explained (whether its inputs are known), part (from 0), begins, ends, events, held, doubled,
    ids (first and last of few)."""
    day = _most_telling_day(evidence)
    if day is None:
        return []
    of_day = _of(meanings(evidence), day)
    newest = of_day.order_by([ibis.desc("version"), ibis.desc("sk")]).limit(MOST_VERSIONS_OF_A_DAY)
    events = _of(day_events(evidence), day)
    place = ibis.row_number().over(order_by=["event_time", "event_id"])
    events = events.mutate(place=place, total=events.count().over())
    part = ibis.ifelse(
        events.total <= MOST_PARTS, events.place, events.place * MOST_PARTS // events.total
    )
    events = events.select("event_id", "event_time_utc", part=part.cast("int64"))
    counts = _of(version_inputs(evidence), day).group_by("pk", "sk", "event_id")
    counts = counts.agg(times=ibis._.count())
    pairs = newest.select("pk", "sk", "version", "computed_at_utc", "agrees_with")
    rows = pairs.cross_join(events).left_join(counts, ["pk", "sk", "event_id"])
    parts = rows.group_by("version", "sk", "part").agg(
        computed=rows.computed_at_utc.max(),
        explained=rows.agrees_with.notnull().any(),
        begins=rows.event_time_utc.min(), ends=rows.event_time_utc.max(),
        events=rows.count(), held=rows.times.count(),
        doubled=(rows.times > 1).fill_null(False).sum(), **sample_ids(rows.event_id),
    )  # fmt: skip
    parts = parts.order_by("version", "sk", "part")
    found = with_ids(listed(evidence, parts, "computed", "begins", "ends"), "events")
    told = {name: day[name] for name in (*DAY, "verdict")}
    return [{**told, **{k: v for k, v in row.items() if k != "sk"}} for row in found]


def compared_versions(
    evidence: Evidence, entity: str = "", day: str = ""
) -> tuple[dict[str, Any], list[int]]:
    """Return a day and its versions, oldest first: of this entity and day, else of the day whose
    versions most need to be held side by side. Raises `UsageError` for a day without versions."""
    chosen = _most_telling_day(evidence)
    if entity or day:
        chosen = {"entity_id": entity, "day": day, "verdict": ""}
    if chosen is None:
        raise UsageError("no day in scope has a version", hint="see the calendar of days above")
    rows = _of(versions(evidence), chosen).select("version", "sk").order_by("version", "sk")
    known = [row["version"] for row in evidence.engine.rows(rows)]
    if not known:
        name = f"{entity!r} on {day!r}"
        raise UsageError(
            f"{name} has no version", hint="versions_explained lists the days that have some"
        )
    return chosen, known


def _most_telling_day(evidence: Evidence) -> dict[str, Any] | None:
    """The day whose versions most need to be held side by side: one with known inputs, and with
    several versions, if there is any."""
    judged = _judged(evidence).filter(ibis._.versions > 0)
    judged = judged.mutate(
        known=(judged.unexplained == 0).cast("int64"), some=(judged.versions > 1).cast("int64")
    )
    order = [ibis.desc("known"), ibis.desc("some"), "weight", ibis.desc("versions"), *DAY]
    worst = judged.order_by(order).select(*DAY, "verdict")
    return next(iter(evidence.engine.rows(worst.limit(1))), None)


def _of(rows: ir.Table, day: Mapping[str, Any]) -> ir.Table:
    return rows.filter((rows.entity_id == day["entity_id"]) & (rows.day == day["day"]))


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
