"""A table of DynamoDB from its export to S3, which takes none of the table's own capacity."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from investigate.capture.exports import Export, Item
from investigate.capture.raw_in_place import in_folder, in_place_note
from investigate.capture.rows import converted
from investigate.capture.source import STEP_ROWS, Captured, Row, Source, between
from investigate.case import Coverage
from investigate.in_place import DYNAMODB_EXPORT, DataFile, InPlace
from investigate.model import isoformat

# An export is the table at its time within about a minute (Amazon DynamoDB developer guide,
# "DynamoDB data export to Amazon S3: how it works").
ACCURACY = timedelta(minutes=1)


def read(source: Source, table: str, url: str, name: str | None) -> Coverage:
    """Keep the rows of an export, of the entities asked for only; return what is known of them."""
    where = {"region": source.connection.region, "account": source.names.account_id}
    export = Export.open(url, source.body, table=name, **where)
    unit = f"{table}/export"
    done = source.draft.note(unit) or {"files": 0, "items": 0}
    for number, file in enumerate(export.files):
        if number < done["files"]:
            continue
        at = done["items"] if number == done["files"] else 0
        for items in in_steps(export.items(file), at):
            at += len(items)
            found = converted(table, items, source.names.design)
            rows = [row for row in found if _is_wanted(source, table, row)]
            source.keep(unit, {table: rows}, {"files": number, "items": at})
        source.keep(unit, {}, {"files": number + 1, "items": 0})
    entities = ", ".join(source.options.entities)
    reason = f"from its export of {isoformat(export.export_time)}"
    reason += f", entity {entities} only" if entities else ""
    return Coverage("captured", reason, between(None, export.export_time - ACCURACY))


def in_place(source: Source, table: str, url: str, name: str | None) -> Captured:
    """Return a table as the export it is in: its manifests are read and checked, no data file is.

    Raises `AccessError` for manifests that are not what they say.
    """
    where = {"region": source.connection.region, "account": source.names.account_id}
    export = Export.open(url, source.body, table=name, **where)
    folder = "" if export.place.bucket else export.place.folder
    known = InPlace(
        DYNAMODB_EXPORT,
        f"s3://{export.place.bucket}/" if export.place.bucket else in_folder(folder),
        export.item_count,
        as_of=isoformat(export.export_time),
        report=str(export.place),
        files=tuple(
            DataFile(file.key.removeprefix(folder), file.item_count, file.md5)
            for file in export.files
        ),
    )
    reason = f"{in_place_note(known)}; from its export of {known.as_of}"
    horizon = between(None, export.export_time - ACCURACY)
    return Captured(table, Coverage("captured", reason, horizon), in_place=known)


def _is_wanted(source: Source, table: str, row: Row) -> bool:
    """Whether a row is one of the entities, by what a query would go by: the partition key."""
    entities = source.options.entities
    if not entities:
        return True
    if table == "dedupe":  # whose key says nothing of the entity
        return row["entity_id"] in entities
    return row["pk"] in map(source.names.design.event_pk, entities)


def in_steps(items: Iterator[Item], done: int = 0) -> Iterator[list[Item]]:
    """Yield items some at a time, without those that are done."""
    step: list[Item] = []
    for place, item in enumerate(items):
        if place >= done:
            step.append(item)
        if len(step) >= STEP_ROWS:
            yield step
            step = []
    if step:
        yield step
