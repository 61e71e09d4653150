"""What is read where it lies: a table that a case only points at, and a case in a bucket."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

RAW_OBJECTS, DYNAMODB_EXPORT = "raw-objects", "dynamodb-export"
KINDS = (RAW_OBJECTS, DYNAMODB_EXPORT)
S3, FILE = "s3", "file"


@dataclass(frozen=True, slots=True)
class DataFile:
    """One data file of an export: its key below the location, and what the manifest says of it."""

    key: str
    items: int
    md5: str  # of the file as it lies there, in base64 or hexadecimal digits

    def as_json(self) -> dict[str, Any]:
        """Return what stands in a manifest."""
        return {"key": self.key, "items": self.items, "md5": self.md5}


@dataclass(frozen=True, slots=True)
class InPlace:
    """Where the rows of one table are: the objects that a listing in the case names, or the data
    files of an export.

    `location` is `s3://bucket/` or `file:///folder/`; no key in it leads out of it. `as_of` is the
    time of the inventory or export, in ISO 8601; None where the listing was made by the capture.
    Raises `ValueError` for what cannot be.
    """

    kind: str
    location: str
    rows: int
    as_of: str | None = None
    report: str | None = None  # the manifest of the inventory or export that names the rows
    files: tuple[DataFile, ...] = ()  # of an export
    prefix: str = ""  # of the raw keys
    payloads: bool = True  # False: hashes only, as with --no-payloads

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"lake: the kind {self.kind!r} is none of {', '.join(KINDS)}")
        scheme, netloc, path = urlsplit(self.location)[:3]
        whole = {S3: netloc and path == "/", FILE: not netloc and path.startswith("/")}
        if not (whole.get(scheme) and self.location.endswith("/")):
            raise ValueError(f"lake: {self.location!r} is no s3://bucket/ and no file:///folder/")
        for file in self.files:
            if leaves(file.key):
                raise ValueError(f"lake: the file {file.key!r} leaves {self.location}")
        if self.kind == DYNAMODB_EXPORT and sum(file.items for file in self.files) != self.rows:
            raise ValueError(f"lake: the files of {self.report} do not have {self.rows} items")

    @property
    def bucket(self) -> str:
        """The bucket the rows are in; empty if they are in a folder."""
        scheme, netloc, *_ = urlsplit(self.location)
        return netloc if scheme == S3 else ""

    @property
    def folder(self) -> str:
        """The folder the rows are in; empty if they are in a bucket."""
        scheme, _, path, *_ = urlsplit(self.location)
        return unquote(path) if scheme == FILE else ""

    def as_json(self) -> dict[str, Any]:
        """Return what stands in a manifest."""
        told: dict[str, Any] = {
            "kind": self.kind,
            "location": self.location,
            "rows": self.rows,
            "as_of": self.as_of,
            "report": self.report,
        }
        if self.kind == RAW_OBJECTS:
            return {**told, "prefix": self.prefix, "payloads": self.payloads}
        return {**told, "files": [file.as_json() for file in self.files]}

    @classmethod
    def of_json(cls, told: Mapping[str, Any]) -> InPlace:
        """Return what a manifest says; raise `KeyError`, `TypeError` or `ValueError`."""
        return cls(
            kind=str(told["kind"]),
            location=str(told["location"]),
            rows=int(told["rows"]),
            as_of=told.get("as_of"),
            report=told.get("report"),
            files=tuple(
                DataFile(str(file["key"]), int(file["items"]), str(file["md5"]))
                for file in told.get("files", ())
            ),
            prefix=str(told.get("prefix", "")),
            payloads=bool(told.get("payloads", True)),
        )


@dataclass(frozen=True, slots=True)
class Stored:
    """The folder of a bucket in which a case lies; the prefix ends with a slash."""

    bucket: str
    prefix: str
    region: str

    def __str__(self) -> str:
        return f"{S3}://{self.bucket}/{self.prefix}"


def leaves(key: str) -> bool:
    """Return whether a key, taken as a path, leads out of the folder it is looked for in."""
    path = PurePosixPath(key)
    return path.is_absolute() or ".." in path.parts or "\0" in key
