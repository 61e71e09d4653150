"""The event ids that a capture of single entities knows, from the rows it has read so far."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import pyarrow.parquet as pq

from investigate.aws import Listed
from investigate.capture.source import Row, Source
from investigate.model import counted
from investigate.settings import PipelineNames


def of(source: Source) -> frozenset[str] | None:
    """Return the ids of the captured rows of the EventsTable; None if all entities are captured."""
    if not source.options.entities:
        return None
    columns = (
        pq.read_table(part.path, columns=["event_id"])["event_id"]
        for part in source.draft.parts("events")
    )
    return frozenset(str(one) for column in columns for one in column.to_pylist() if one)


def are_whole(source: Source) -> bool:
    """Return whether these are all ids: the events were captured, and not only in part."""
    if not source.options.entities:
        return True
    found = source.draft.note("tables events")
    # Without a note they are not settled: AWS did not answer, or not for all of them.
    return found is not None and all(
        one["coverage"]["status"] == "captured" for one in found["tables"]
    )


def may_be_of(entry: Listed, names: PipelineNames, ids: Collection[str]) -> bool:
    """Whether an object can hold one of these events: by its key, or because the key has another
    layout, so that only the body says which event it is."""
    key = names.design.parse_raw_key(entry.key, names.raw_prefix)
    return key is None or key.event_id in ids


def is_kept(row: Row, entities: Collection[str]) -> bool:
    """Whether a read object belongs into a capture of these entities (none: all)."""
    if not entities or row.get("key_event_id"):
        return True
    entity = row.get("entity_id")
    return entity is None or entity in entities


def in_words(ids: Collection[str], entities: Iterable[str]) -> str:
    """Say whose ids these are."""
    return f"{counted(len(ids), 'known event')} of {', '.join(entities)}"
