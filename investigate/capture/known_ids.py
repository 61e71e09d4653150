"""The event ids that a capture of single entities knows, from the rows it has read so far."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import pyarrow.parquet as pq

from investigate import pipeline
from investigate.aws import Listed
from investigate.capture.source import Source
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
    found = source.draft.note("tables events") or {"tables": []}
    return all(one["coverage"]["status"] == "captured" for one in found["tables"])


def id_of(entry: Listed, names: PipelineNames) -> str | None:
    """Return the event id in the key of an object; None if the key has another layout."""
    key = pipeline.parse_raw_key(entry.key, names.raw_prefix)
    return key.event_id if key else None


def words(ids: Collection[str], entities: Iterable[str]) -> str:
    """Say whose ids these are."""
    return f"{counted(len(ids), 'known event')} of {', '.join(entities)}"
