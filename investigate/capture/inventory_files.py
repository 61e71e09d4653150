"""The data files of an S3 Inventory report: CSV, ORC and Parquet, as equal tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.dataset
import pyarrow.parquet

from investigate.capture.values import GZIP

ENTRIES = pa.schema(
    [
        ("key", pa.string()),
        ("version_id", pa.string()),
        ("is_latest", pa.bool_()),
        ("is_delete_marker", pa.bool_()),
        ("size", pa.int64()),
        ("last_modified", pa.timestamp("us", "UTC")),
        ("etag", pa.string()),
    ]
)
# Our columns by S3's names: LastModifiedDate in CSV, last_modified_date in the other formats.
_COLUMNS = {
    "key": "key",
    "versionid": "version_id",
    "islatest": "is_latest",
    "isdeletemarker": "is_delete_marker",
    "size": "size",
    "lastmodifieddate": "last_modified",
    "etag": "etag",
}
NEEDED = {"key": "Key", "size": "Size"}

# How each format writes its columns down in the manifest.
_SCHEMAS = {
    "csv": re.compile(r"(\w+)"),
    "orc": re.compile(r"(\w+)\s*:"),
    "parquet": re.compile(r"(?:required|optional)\s+\w+(?:\(\d+\))?\s+(\w+)"),
}
_ROWS = 65_536  # of an ORC or Parquet file at a time
# Objects a byte: no two have one key, so that even packed each takes some bytes. Without a limit a
# file of a few kilobytes could list the same object a billion times.
_MOST_ROWS = 16


def read_file(
    body: bytes, file_format: str, columns: tuple[str, ...], prefix: str
) -> Iterator[pa.Table]:
    """Yield what a file lists under a prefix, piece by piece, with the columns of ENTRIES.

    `columns` are those of the manifest, which a CSV file does not name itself. Raises `ValueError`,
    `OSError` or `ArrowException` for a file that is not in that format.
    """
    listed = 0
    for piece in FORMATS[file_format](body, columns):
        listed += len(piece)
        if listed > _MOST_ROWS * len(body):
            raise ValueError(f"it lists more objects than {len(body):,} bytes can name")
        piece.validate(full=True)  # Arrow takes the texts of ORC and Parquet for UTF-8 unseen
        table = _shaped(piece, encoded=file_format == "csv")
        yield table.filter(pc.starts_with(table["key"], prefix))


def columns_of(file_format: str, schema: str) -> tuple[str, ...]:
    """Return the columns by our names, others by their own, in the order of the manifest."""
    return tuple(map(_ours, _SCHEMAS[file_format].findall(schema)))


def _ours(name: str) -> str:
    return _COLUMNS.get(name.replace("_", "").lower(), name)


def _read_csv(body: bytes, columns: tuple[str, ...]) -> Iterator[pa.Table]:
    if not _stream(body).read(1):  # Arrow takes an empty file for a mistake
        return
    wanted = [name for name in columns if name in ENTRIES.names]
    reader = pyarrow.csv.open_csv(
        _stream(body),
        read_options=pyarrow.csv.ReadOptions(column_names=columns),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=ENTRIES,
            include_columns=wanted,
            null_values=[""],  # a key or an id may well be the text NULL
            strings_can_be_null=True,
        ),
    )
    yield from (pa.Table.from_batches([batch]) for batch in reader)


def _stream(body: bytes) -> Any:
    source = pa.BufferReader(body)
    return pa.CompressedInputStream(source, "gzip") if body.startswith(GZIP) else source


def _read_parquet(body: bytes, columns: tuple[str, ...]) -> Iterator[pa.Table]:
    with pyarrow.parquet.ParquetFile(pa.BufferReader(body)) as file:
        names = _wanted(file.schema_arrow)
        for batch in file.iter_batches(_ROWS, columns=list(names)):
            yield pa.Table.from_batches([batch]).rename_columns(names)


def _read_orc(body: bytes, columns: tuple[str, ...]) -> Iterator[pa.Table]:
    # Not stripe by stripe: one of a few kilobytes may be gigabytes once it is unpacked.
    file = pyarrow.dataset.OrcFileFormat().make_fragment(pa.BufferReader(body))
    names = _wanted(file.physical_schema)
    for batch in file.to_batches(columns=list(names), batch_size=_ROWS, use_threads=False):
        yield pa.Table.from_batches([batch]).rename_columns(names)


def _wanted(schema: pa.Schema) -> dict[str, str]:
    """Return our names by the file's own; the file knows its columns better than the manifest."""
    ours = [_ours(name) for name in schema.names if _ours(name) in ENTRIES.names]
    if len(set(ours)) < len(ours):
        raise ValueError("it has a column twice")
    named = {name: _ours(name) for name in schema.names if _ours(name) in ENTRIES.names}
    lacking = [name for column, name in NEEDED.items() if column not in named.values()]
    if lacking:
        raise ValueError(f"it has no column {' and no column '.join(lacking)}")
    return named


FORMATS: Mapping[str, Callable[[bytes, tuple[str, ...]], Iterator[pa.Table]]] = {
    "csv": _read_csv,
    "orc": _read_orc,
    "parquet": _read_parquet,
}


def _shaped(piece: pa.Table, *, encoded: bool) -> pa.Table:
    """Return a piece of a file with exactly the columns of ENTRIES; raise `ValueError`."""
    found = {name: piece[name].cast(ENTRIES.field(name).type) for name in piece.column_names}
    listed = len(piece)
    key = _decoded(found["key"]) if encoded else found["key"]
    deleted = found.get("is_delete_marker", _all(False, listed))
    sizeless = pc.and_not(found["size"].is_null(), deleted)
    if key.null_count or pc.any(sizeless).as_py():
        raise ValueError("an object in it has no key or no size")
    columns = [
        key,
        pc.if_else(_blank(found["version_id"]), "null", found["version_id"])
        if "version_id" in found
        else _all(None, listed),
        found.get("is_latest", _all(True, listed)),
        deleted,
        found["size"],
        found.get("last_modified", _all(None, listed)),
        _etag(found["etag"]) if "etag" in found else _all(None, listed),
    ]
    return pa.table(columns, names=ENTRIES.names).cast(ENTRIES)


def _all(value: bool | None, count: int) -> pa.Array:
    kind = pa.null() if value is None else pa.bool_()
    return pa.repeat(pa.scalar(value, kind), count)


def _blank(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.equal(pc.fill_null(texts, ""), "")


def _etag(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    bare = pc.utf8_trim(texts, '"')
    return pc.if_else(_blank(bare), pa.scalar(None, pa.string()), bare)


def _decoded(keys: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return URL-encoded keys as they are: `+` is a space, `%XX` a byte.

    Each escape that occurs is replaced in all keys at once. The percent sign itself comes last:
    what it leaves behind must not be taken for an escape.
    """
    pieces = pc.list_flatten(pc.split_pattern(keys, "%"))
    pairs = pc.unique(pc.utf8_slice_codeunits(pieces, 0, 2)).to_pylist()
    escapes = [pair for pair in pairs if pair and re.fullmatch(r"[0-9A-Fa-f]{2}", pair)]
    plain = pc.replace_substring(keys.cast(pa.binary()), "+", " ")
    for escape in sorted(escapes, key=lambda pair: pair == "25"):
        plain = pc.replace_substring(plain, f"%{escape}", bytes.fromhex(escape))
    return plain.cast(pa.string())
