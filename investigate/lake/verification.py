"""Whether what a case points at is still what it was: every file and object is read once."""

from __future__ import annotations

from collections.abc import Iterator

import ibis
import ibis.expr.types as ir

from investigate.case import Case
from investigate.engine import Engine
from investigate.in_place import RAW_OBJECTS, InPlace
from investigate.lake import read_in_place
from investigate.model import counted


def pinned(case: Case) -> Iterator[str]:
    """Yield for each table in place what the case can prove of it, and what it cannot."""
    for table, known in case.lake.items():
        if known.kind == RAW_OBJECTS:
            yield (
                f"{table}: {counted(known.rows, 'object')} in {known.location}; their list is in "
                "the case, what they hold is not and can change"
            )
        else:
            yield (
                f"{table}: {counted(known.rows, 'item')} in {known.location}; the case has the MD5 "
                "of every file, and each reading is checked against it"
            )


def changes(case: Case, engine: Engine) -> Iterator[str]:
    """Yield in words every way in which what is in place is not what it was at the capture.

    Reads all of it. Raises `AccessError` for the first file of an export that is not what it was.
    """
    for table, known in case.lake.items():
        rows = read_in_place(case, table, engine)
        if known.kind == RAW_OBJECTS:
            yield from _of_objects(case, table, known, rows, engine)
        else:
            engine.scalar(rows.count())  # an engine may read only when it is asked for something


def _of_objects(
    case: Case, table: str, known: InPlace, rows: ir.Table, engine: Engine
) -> Iterator[str]:
    files = [case.folder / file.path for file in case.listings[table]]
    if not files:
        return
    listed = engine.read_parquet(files, f"listed_{table}").rename(was_etag="etag")
    listed = listed.rename(was_size="size", was_modified="last_modified")
    same = [
        rows.s3_key == listed.key,
        rows.version_id.fill_null("") == listed.version_id.fill_null(""),
    ]
    both = rows.left_join(listed, same)
    told = both.group_by(fate=_fate(both)).aggregate(objects=ibis._.count())
    words = {
        "changed": "written again since",
        "gone": "gone",
        "unread": "unreadable, so that nothing is known of",
    }
    found = {row["fate"]: row["objects"] for row in engine.rows(told)}
    for fate, word in words.items():
        if fate in found:
            objects = counted(found[fate], "object")
            yield f"{table}: of {known.rows:,} in {known.location} {objects} {word}"


def _fate(rows: ir.Table) -> ir.StringValue:
    """What became of a listed object: the same, changed, gone or unread. An ETag tells; without
    one, as in a folder, size and time do."""
    error = rows.error.fill_null("")
    refused = error.startswith("denied") | error.startswith("failed") | (error == "archived")
    told = rows.etag.notnull() & rows.was_etag.notnull()
    other = (rows.size != rows.was_size) | (rows.last_modified != rows.was_modified)
    changed = ibis.ifelse(told, rows.etag != rows.was_etag, other.fill_null(False))
    return ibis.cases(
        (error == "gone", "gone"), (refused, "unread"), (changed, "changed"), else_="same"
    )
