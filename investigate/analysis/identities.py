"""Whose event an id is, from every store that knows it."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from investigate.analysis.known_ids import is_known_to_any, known_ids
from investigate.engine import literal_rows
from investigate.evidence import Evidence
from investigate.model import counted

_COLUMNS = {
    "event_id": "string",
    "entity_id": "string",
    "source": "string",
    "event_time_utc": "timestamp",
}


def identities(evidence: Evidence) -> ir.Table:
    """Return one row per event id that raw, events or dedupe knows: event_id, entity_id, source,
    event_time_utc. Where they disagree (a reused id), the least of each is taken."""
    if not is_known_to_any(evidence):
        return literal_rows([], _COLUMNS)
    return known_ids(evidence).select(*_COLUMNS)


def with_owners(evidence: Evidence, rows: ir.Table, event_id: str) -> tuple[ir.Table, str]:
    """Return offending rows whose unknown entity and event time are those of their event, by the
    column that holds its id; and why rows were left out.

    A case of some entities does not hold the rows that tell whose the other ids are: what names
    only such an id is left out. Nothing is looked up for a question as wide as the case.
    """
    unknown = [name for name in ("entity_id", "event_time_utc") if name in rows.columns]
    if not (unknown and evidence.is_narrowed):
        return rows, ""
    known = identities(evidence)
    known = known.select(owned_id="event_id", owner="entity_id", owned_utc="event_time_utc")
    joined = rows.left_join(known, rows[event_id] == known.owned_id)
    filled = {
        name: ibis.coalesce(joined[name], joined[other])
        for name, other in (("entity_id", "owner"), ("event_time_utc", "owned_utc"))
        if name in unknown
    }
    rows = joined.mutate(**filled).drop("owned_id", "owner", "owned_utc")
    if not evidence.case.scope_entities or "entity_id" not in unknown:
        return rows, ""
    strange = rows[event_id].notnull() & rows.entity_id.isnull()
    count = evidence.engine.count(evidence.in_scope(rows.filter(strange)))
    reason = (
        f"{counted(count, 'event')} that no row names may be of these entities" if count else ""
    )
    return rows.filter(~strange), reason
