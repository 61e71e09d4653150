"""A case that lies in a bucket: copied into a private folder of this machine for an engine that
works here, or read where it lies by the workers of an engine that works on many.

Either way every file is compared with the digest in the manifest before a row of it counts. What
is copied is gone when this process ends.
"""

from __future__ import annotations

import atexit
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from investigate.aws import Connection, connect
from investigate.case import (
    LARGEST_MANIFEST,
    MANIFEST,
    Case,
    TableFile,
    open_case,
    read_manifest,
    verify_case,
)
from investigate.errors import AccessError, CaseDamagedError, CaseError, UsageError
from investigate.in_place import Stored
from investigate.lake.location import PATIENCE_SECONDS
from investigate.scratch import Scratch
from investigate.tables import missing_columns

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from investigate.engine import Engine

BATCH = 50_000  # rows that a worker hands on together
_URL = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/(?P<prefix>[^/].*?)/*")
_FOOTER = 64 * 1024  # bytes from the end of a Parquet file that are asked for first
_ENDING = 8  # of a Parquet file: the length of its footer, and the sign of the format
_MAGIC = b"PAR1"


@dataclass(frozen=True, slots=True)
class StoredCase:
    """A case in a bucket, whose manifest is here: the folder of `case` has no tables."""

    place: Stored
    case: Case

    @classmethod
    def at(cls, url: str) -> StoredCase:
        """Return the case at an address such as `s3://bucket/cases/incident-42`.

        Raises `UsageError` for what is no such address, `AccessError` if the bucket does not
        answer, and `CaseError` if what is there is no case.
        """
        found = _URL.fullmatch(url)
        if not found:
            raise UsageError(
                f"{url} is not the address of a case in a bucket",
                hint="as s3://BUCKET/FOLDER, where FOLDER holds case.json",
            )
        connection = connect(patience=PATIENCE_SECONDS)
        place = Stored(found["bucket"], found["prefix"] + "/", connection.region)
        manifest = _manifest(connection, place)
        folder = _private_folder()
        (folder / MANIFEST).write_bytes(manifest)
        try:
            return cls(place, read_manifest(folder))
        except CaseError as error:
            # Said of the case, and not of where its manifest lies for a moment.
            said = error.message.replace(str(folder), str(place).rstrip("/"))
            raise type(error)(said, hint=error.hint) from error

    def copied(self) -> Case:
        """Return the case, verified, after copying all of its files."""
        listed = (*self.case.files.values(), *self.case.listings.values())
        self._copy([file for files in listed for file in files])
        return open_case(self.case.folder)

    def in_place(self) -> Case:
        """Return the case with its tables left where they are, each to be verified when it is
        read. The lists of what it only points at itself are copied: they are small."""
        self._copy([file for files in self.case.listings.values() for file in files])
        if problems := verify_case(replace(self.case, files={})):
            raise _damaged(self.place, "; ".join(problems))
        return replace(self.case, stored=self.place)

    def _copy(self, files: Sequence[TableFile]) -> None:
        connection = _connection(self.place)
        for file in files:
            path = self.case.folder / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(_whole(connection, self.place, file))


def read(case: Case, place: Stored, table: str, engine: Engine) -> ir.Table:
    """Return a table of a case in a bucket; see `read_stored`."""
    files = case.files[table]
    schema = _schema_of(place, table, files, case.rows[table])
    return engine.read_in_parallel(files, partial(rows_of, place, schema), schema, table)


def rows_of(place: Stored, schema: pa.Schema, file: TableFile) -> Iterator[pa.RecordBatch]:
    """Yield the rows of one file."""
    data = _whole(_connection(place), place, file)
    for batch in pq.ParquetFile(pa.BufferReader(data)).iter_batches(BATCH):
        yield batch.cast(schema)


def _connection(place: Stored) -> Connection:
    # Credentials are no part of a place: each worker has its own.
    return connect(region=place.region, patience=PATIENCE_SECONDS)


def _private_folder() -> Path:
    scratch = Scratch.opened("investigate-case-")
    atexit.register(scratch.remove)
    return scratch.folder


def _manifest(connection: Connection, place: Stored) -> bytes:
    try:
        return _object(connection, place, MANIFEST, largest=LARGEST_MANIFEST)
    except AccessError as error:
        if error.kind == "not-found":
            raise CaseError(
                f"there is no case at {place}: no {MANIFEST} is there ({error.code})",
                hint=f"name the folder that holds it, see: aws s3 ls {place}",
            ) from error
        if error.kind == "unreachable":  # the commands that read cases have no --endpoint-url
            raise CaseError(
                f"the case {place} cannot be read: {error.message}",
                hint=f"check the network and the region ({place.region}); AWS_REGION sets another, "
                "AWS_ENDPOINT_URL another endpoint",
            ) from error
        raise


def _whole(connection: Connection, place: Stored, file: TableFile) -> bytes:
    """Return a file of a case; raise `CaseDamagedError` if it is not what the manifest says."""
    data = _part(connection, place, file, largest=file.bytes)
    if len(data) != file.bytes:
        raise _damaged(place, f"{file.path} has {len(data)} bytes, not {file.bytes}")
    if hashlib.sha256(data).hexdigest() != file.sha256:
        raise _damaged(place, f"{file.path}: its SHA-256 is not the one in the manifest")
    return data


def _schema_of(place: Stored, table: str, files: Sequence[TableFile], rows: int) -> pa.Schema:
    """Return the columns that the files of a table have, by their footers, which must tell of the
    rows and the columns that the manifest promises."""
    connection = _connection(place)
    footers = {file.path: _footer(connection, place, file) for file in files}
    counted = sum(footer.num_rows for footer in footers.values())
    if counted != rows or not footers:
        raise _damaged(place, f"{table}: {counted} rows, the manifest says {rows}")
    schemas = {
        path: footer.schema.to_arrow_schema().remove_metadata() for path, footer in footers.items()
    }
    first = next(iter(schemas.values()))
    for path, schema in schemas.items():
        problems = missing_columns(table, schema)
        if problems or schema != first:
            raise _damaged(place, f"{path}: {'; '.join(problems) or 'columns of its own'}")
    return first


def _footer(connection: Connection, place: Stored, file: TableFile) -> pq.FileMetaData:
    """Return what stands at the end of a Parquet file, without reading the rows before it."""
    data = _tail(connection, place, file, _FOOTER)
    length = int.from_bytes(data[-_ENDING:-4], "little") + _ENDING
    if data[-4:] == _MAGIC and len(data) < length <= file.bytes:
        data = _tail(connection, place, file, length)
    try:
        return pq.read_metadata(pa.BufferReader(_MAGIC + data))
    except (pa.ArrowInvalid, OSError) as error:
        raise _damaged(place, f"{file.path} is not a Parquet file ({error})") from error


def _tail(connection: Connection, place: Stored, file: TableFile, size: int) -> bytes:
    return _part(connection, place, file, largest=file.bytes, Range=f"bytes=-{size}")


def _part(connection: Connection, place: Stored, file: TableFile, **asked: Any) -> bytes:
    try:
        return _object(connection, place, file.path, **asked)
    except AccessError as error:
        known = {
            "NoSuchKey": "is missing",
            "InvalidRange": f"has 0 bytes, not {file.bytes}",
            # Of a body that is larger than what was to be read, the code is its size.
            **({error.code: f"has {error.code}, not {file.bytes}"} if _is_size(error) else {}),
        }
        if error.code not in known:
            raise
        raise _damaged(place, f"{file.path} {known[error.code]}") from error


def _is_size(error: AccessError) -> bool:
    return bool(re.fullmatch("[0-9]+ bytes", error.code or ""))


def _object(connection: Connection, place: Stored, path: str, **asked: Any) -> bytes:
    return connection.read_object(Bucket=place.bucket, Key=place.prefix + path, **asked)[1]


def _damaged(place: Stored, problem: str) -> CaseDamagedError:
    return CaseDamagedError(
        f"the case {place} is not what its manifest says: {problem}",
        hint="copy it there again from where it was captured, or capture it again",
    )
