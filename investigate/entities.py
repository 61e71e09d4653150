"""The entities of a case: one that nobody knows is a typing error, and not one without faults."""

from __future__ import annotations

import ibis

from investigate.errors import UsageError
from investigate.evidence import Evidence
from investigate.tables import TABLES

SHOWN_ENTITIES, LIKELY_ENTITIES = 20, 5000  # named, and compared, when an entity is unknown


def refuse_unknown_entities(evidence: Evidence) -> None:
    """Raise `UsageError` if no captured table knows one of the entities asked about, or that the
    case was captured for: silence would mean nothing."""
    entity = evidence.entities[0]
    known = [evidence[name] for name in evidence.case.tables if "entity_id" in TABLES[name].names]
    if not known:
        raise UsageError(
            f"entity {entity!r} cannot be looked up: no captured table names entities",
            hint='leave entity empty (entity = "") to look at everything',
        )
    tables = [table.select("entity_id") for table in known]
    listed = ibis.union(*tables).distinct()
    listed = listed.filter(listed.entity_id.notnull())
    if evidence.engine.count(listed.filter(listed.entity_id.isin(evidence.entities))):
        return
    total = evidence.engine.count(listed)
    some = evidence.engine.rows(listed.order_by("entity_id").limit(LIKELY_ENTITIES))
    raise _unknown_entity(entity, [row["entity_id"] for row in some], total)


def _unknown_entity(entity: str, names: list[str], total: int) -> UsageError:
    """An error with the nearest of the names, and the first of them; a case may hold millions."""
    shown = ", ".join(names[:SHOWN_ENTITIES]) or "none"
    more = f" and {total - SHOWN_ENTITIES:,} more" if total > SHOWN_ENTITIES else ""
    hint = UsageError.unknown("entity", entity, names).hint
    return UsageError(f"unknown entity {entity!r} (known: {shown}{more})", hint=hint)
