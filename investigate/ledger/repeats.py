"""Every event that came more than once: what that is, and what made it.

The kinds are those of the checks, so that this table and the findings never disagree; where a check
could not answer, nothing is said to be of its kind. One id has one kind, the worst.
"""

from __future__ import annotations

from collections.abc import Mapping

import ibis
import ibis.expr.types as ir

from investigate.analysis.duplicates import refusals
from investigate.analysis.identities import identities
from investigate.analysis.objects import readable_objects
from investigate.checks import rows_of
from investigate.engine import differ, literal_rows
from investigate.errors import NotEvaluable
from investigate.evidence import Evidence

SEMANTIC = "semantic"
UNKNOWN = "unknown"  # refused, and no check can tell what the refusal hides
SEMANTIC_DOUBLE = "semantic-double"
NOT_TOLD = "not-told"  # let in twice: no refusal tells when the second one came
# What a repeat is, worst first, and the check that says so.
KINDS: Mapping[str, str] = {
    "hiding-loss": "raw/missing",
    "expired-gate": "dedupe/expired-block",
    "id-collision": "events/reused-id",
    "payload-conflict": "events/payload-conflict",
    "re-accepted": "dedupe/reaccepted",
    "benign": "events/duplicate",
    SEMANTIC: "events/semantic-duplicate",
}
WITHOUT_REFUSAL = ("re-accepted", SEMANTIC)
_IDENTITY = ("entity_id", "source", "event_type", "event_time")
_RANKED = {"event_id": "string", "rank": "int64"}


def repeats(evidence: Evidence) -> ir.Table:
    """Return one row per event that came more than once: event_id, entity_id, source,
    event_time_utc, repeated_utc (when the last refused one came; of what nobody refused, null),
    gap_seconds since the first arrival, refused (rows), kind and made_by.

    Raises `NotEvaluable` without the EventsTable, where refusals stand.
    """
    return evidence.derived("repeats", _build)


def _build(evidence: Evidence) -> ir.Table:
    refused = refusals(evidence)
    refused = evidence.settled(refused.filter(refused.event_id.notnull()), "ingest_time_utc")
    last = refused.group_by("event_id").agg(
        repeated_utc=refused.ingest_time_utc.max(), gap_seconds=refused.gap_seconds.max(),
        refused=refused.count(), made_by=refused.made_by.min(),
        refused_utc=refused.event_time_utc.max(),
    )  # fmt: skip
    ranked = _ranked(evidence)
    rows = last.outer_join(ranked, [("event_id", "ranked_id")])
    rows = rows.mutate(event_id=ibis.coalesce(rows.event_id, rows.ranked_id)).drop("ranked_id")
    # The checks object to more than repeats: a lost object that nobody sent again is none.
    alone = tuple(rank for rank, kind in enumerate(KINDS) if kind in WITHOUT_REFUSAL)
    rows = rows.filter(rows.refused.notnull() | rows["rank"].isin(alone))
    names = ibis.cases(
        *((rows["rank"] == rank, kind) for rank, kind in enumerate(KINDS)), else_=UNKNOWN
    )
    rows = rows.mutate(kind=names)
    alone_by = ibis.ifelse(rows.kind == SEMANTIC, SEMANTIC_DOUBLE, NOT_TOLD)
    rows = rows.mutate(
        made_by=ibis.coalesce(rows.made_by, alone_by), refused=rows.refused.fill_null(0)
    )
    rows = rows.left_join(identities(evidence), "event_id").drop("event_id_right", "rank")
    # Of an id that stands for two events, the one that was refused is the repeat.
    rows = rows.mutate(event_time_utc=ibis.coalesce(rows.refused_utc, rows.event_time_utc))
    return rows.select(
        "event_id", "entity_id", "source", "event_time_utc", "repeated_utc", "gap_seconds",
        "refused", "kind", "made_by",
    )  # fmt: skip


def _ranked(evidence: Evidence) -> ir.Table:
    """The events (ranked_id) that the checks of a kind object to, with the rank of the worst."""
    found = []
    for rank, code in enumerate(KINDS.values()):
        try:
            rows = rows_of(evidence, code)
        except NotEvaluable:
            continue
        found.append(rows.select(event_id="key", rank=ibis.literal(rank, "int64")))
    if evidence.has("raw"):
        found.append(_of_another(evidence))
    known = ibis.union(literal_rows([], _RANKED), *found)
    known = known.filter(known.event_id.notnull())
    return known.group_by(ranked_id="event_id").agg(rank=known["rank"].min())


def _of_another(evidence: Evidence) -> ir.Table:
    """Refused events under whose id another event is stored: two events with one id."""
    refused, objects = refusals(evidence), readable_objects(evidence)
    stored = objects.select("rid", *(objects[name].name(f"stored_{name}") for name in _IDENTITY))
    pairs = refused.inner_join(stored, [("event_id", "rid")])
    other = ibis.or_(*(differ(pairs[name], pairs[f"stored_{name}"]) for name in _IDENTITY))
    rank = ibis.literal(list(KINDS).index("id-collision"), "int64")
    return pairs.filter(other).select("event_id", rank=rank)
