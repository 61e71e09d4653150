"""How a large table lies on disk: texts that follow from other columns are not written again.

An event's id alone stands in eight columns of `raw` and `events`: in keys, in what was recomputed,
in the row as JSON. Compressors cannot see that, because Parquet compresses each column alone. So
instead of a column C of such a table its files hold two: `C__own`, the part of the text that does
not follow, and `C__follows`, whether the rest does. Whoever reads a case through this package sees
C, the very same text. Which texts follow is found by comparing, so a key that breaks its layout,
which is what checks look for, is written as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from string import Formatter
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from investigate.pipeline import REFERENCE, Design

OWN, FOLLOWS = "__own", "__follows"

# How DynamoDB's row reads as JSON with sorted names, if it has the attributes that ingest writes.
_ATTRIBUTES = "{{" + ", ".join(
    f'"{name}": {value}'
    for name, value in {
        "GSI1PK": '"{gsi1pk}"', "GSI1SK": '"{gsi1sk}"', "PK": '"{pk}"', "SK": '"{sk}"',
        "day": '"{event_time:0:10}"', "entity_id": '"{entity_id}"', "event_id": '"{event_id}"',
        "event_time": '"{event_time}"', "event_type": '"{event_type}"',
        "hour": '"{event_time:11:2}"', "ingest_lag_ms": "{ingest_lag_ms}",
        "ingest_time": '"{ingest_time}"', "payload_sha": '"{payload_sha}"',
        "s3_bucket": '"{s3_bucket}"', "s3_key": '"{s3_key}"', "source": '"{source}"',
        "status": '"{status}"',
    }.items()
) + "}}"  # fmt: skip

# By table, the columns that usually end with what other columns say, in the order in which they
# are put together again: a later one may name an earlier. {column:3:5} are 5 characters after 3.
LAYOUTS: Mapping[str, Mapping[str, str]] = {
    "raw": {
        "key_event_id": "{event_id}",
        "event_id_actual": "{event_id}",
        "payload_sha_actual": "{payload_sha}",
        "s3_key": REFERENCE.raw_key_layout.format(
            source="{key_source}", event_type="{key_event_type}", event_date="{key_event_date}",
            ingest_date="{key_ingest_date}", hour="{key_hour}", event_id="{key_event_id}",
        ),
    },
    "events": {
        "sk": REFERENCE.sk_layout,
        "gsi1sk": REFERENCE.gsi1sk_layout,
        "s3_key": REFERENCE.raw_key_layout.format(
            source="{source}", event_type="{event_type}", event_date="{event_time:0:10}",
            ingest_date="{ingest_time:0:10}", hour="{event_time:11:2}", event_id="{event_id}",
        ),
        "attributes": _ATTRIBUTES,
    },
}  # fmt: skip


class Piece(NamedTuple):
    """A part of a layout: a text, then a column of which some characters are taken (None: all)."""

    text: str
    column: str | None
    part: tuple[int, int] | None  # where it begins, and how many characters


def pieces(layout: str) -> Iterator[Piece]:
    """Yield the parts of a layout, one after the other."""
    for text, column, part, _ in Formatter().parse(layout):
        start, _, length = (part or "").partition(":")
        yield Piece(text, column, (int(start), int(length)) if part else None)


def is_joined(layout: str) -> bool:
    """Return whether a layout is a text of several parts, before which there may be a prefix, and
    not another column as it is."""
    return next(pieces(layout)).text != ""


def layouts_of(table: str, design: Design) -> Mapping[str, str]:
    """Return the columns of a table that follow from others in a case of this design. Of another
    than the reference pipeline these are the ones that repeat a column: whoever reads the case
    needs no key layout then, so none that has changed since can change a key."""
    known = LAYOUTS.get(table, {})
    if design == REFERENCE:
        return known
    return {name: layout for name, layout in known.items() if not is_joined(layout)}


def stored_columns(column: str, layouts: Mapping[str, str]) -> tuple[str, ...]:
    """Return the columns that files of a large table hold instead of one."""
    return (column + OWN, column + FOLLOWS) if column in layouts else (column,)


def schema_of(schema: pa.Schema, layouts: Mapping[str, str]) -> pa.Schema:
    """Return the columns of a large table's files."""
    return pa.schema([
        pa.field(name, pa.bool_() if name.endswith(FOLLOWS) else field.type)
        for field in schema
        for name in stored_columns(field.name, layouts)
    ])  # fmt: skip


def shrunk(rows: pa.Table, layouts: Mapping[str, str]) -> pa.Table:
    """Return the rows of a table as files hold them."""
    columns = {name: rows[name].combine_chunks() for name in rows.column_names}
    stored = dict(columns)
    for name, layout in layouts.items():
        ending = _put_together(layout, columns)
        prefix = _prefix(columns[name], ending) if is_joined(layout) else ""
        own, follows = _parted(columns[name], prefix, ending)
        stored |= {name + OWN: own, name + FOLLOWS: follows}
    schema = schema_of(rows.schema, layouts)
    return pa.table([stored[name] for name in schema.names], schema=schema)


def restored(table: str, rows: pa.Table) -> pa.Table:
    """Return what files hold as the rows of a table; rows of a small one are returned as they are.

    For those who read files without an engine. An engine puts together only what it is asked for,
    see `compact_reading`.
    """
    columns = {name: rows[name].combine_chunks() for name in rows.column_names}
    for name, layout in LAYOUTS.get(table, {}).items():
        if name + OWN in columns:
            own, follows = columns.pop(name + OWN), columns.pop(name + FOLLOWS)
            ending = _put_together(layout, columns)
            columns[name] = pc.if_else(follows, _joined([own, ending]) if is_joined(layout)
                                       else ending, own)  # fmt: skip
    names = [name.removesuffix(OWN) for name in rows.column_names if not name.endswith(FOLLOWS)]
    return pa.table({name: columns[name] for name in names})


def _prefix(texts: Any, ending: Any) -> str:
    """Return what stands before the ending of the first text, as keys have one prefix."""
    text, end = (column[:1].to_pylist() or [None] for column in (texts, ending))
    known = text[0] is not None and end[0] is not None and text[0].endswith(end[0])
    return str(text[0].removesuffix(end[0])) if known else ""


def _parted(texts: Any, prefix: str, ending: Any) -> tuple[Any, Any]:
    """Return what of each text does not follow, and whether the rest does."""
    whole = _joined([pa.scalar(prefix), ending])
    follows = pc.fill_null(pc.equal(texts, whole), False)
    return pc.if_else(follows, pa.scalar(prefix), texts), follows


def _put_together(layout: str, columns: Mapping[str, Any]) -> Any:
    return _joined([one for piece in pieces(layout) for one in _values(piece, columns)])


def _values(piece: Piece, columns: Mapping[str, Any]) -> Iterator[Any]:
    yield pa.scalar(piece.text)
    if piece.column is None:
        return
    values = columns[piece.column]
    if piece.part:
        start, length = piece.part
        yield pc.utf8_slice_codeunits(values, start, start + length)
    else:
        yield values if pa.types.is_string(values.type) else values.cast(pa.string())


def _joined(texts: list[Any]) -> Any:
    return pc.binary_join_element_wise(*texts, "")


# Encodings of columns in which hardly a value comes twice. A dictionary would only be tried and
# given up. The digits of a digest are packed by zstd into its 32 bytes if nothing stands between
# them; neighbours among sorted keys and times share what they begin with. DuckDB and Spark
# read them all; BYTE_STREAM_SPLIT, which wins as much for times, is younger, and not everywhere.
_LENGTHS_APART, _SHARED_START, _DIFFERENCES = (
    "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY", "DELTA_BINARY_PACKED",
)  # fmt: skip
_ENCODINGS: Mapping[str, str] = {
    **dict.fromkeys(
        ("event_id", "payload_sha", "etag", "inputs_hash", "payload", "body", "body_sha", "fields",
         "request_id", "message_id", "sample_event_ids", "trace_id", "segment_id", "parent_id",
         "document", "data"),
        _LENGTHS_APART,
    ),
    **dict.fromkeys(
        ("sk", "event_time", "ingest_time", "first_seen_ingest_time", "computed_at", "sequence"),
        _SHARED_START,
    ),
    **dict.fromkeys(("ttl_epoch", "size", "ingest_lag_ms"), _DIFFERENCES),
}  # fmt: skip


def writing(schema: pa.Schema) -> dict[str, Any]:
    """Return how a Parquet writer is to write the files of a large table."""
    encodings = {
        _leaf(field): encoding
        for field in schema
        if (encoding := _ENCODINGS.get(field.name) or _of_type(field.type))
    }
    others = [leaf for field in schema if (leaf := _leaf(field)) not in encodings]
    return {"compression": "zstd", "use_dictionary": others, "column_encoding": encodings}


def _of_type(kind: pa.DataType) -> str:
    return _DIFFERENCES if pa.types.is_timestamp(kind) else ""


def _leaf(field: pa.Field) -> str:
    """Return a column's name as Parquet has it: that of a list's values."""
    return f"{field.name}.list.element" if pa.types.is_list(field.type) else field.name
