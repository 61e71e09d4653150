"""What AWS left in a bucket with a manifest: where it lies, and that it is what AWS wrote."""

from __future__ import annotations

import hashlib
import json
import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from investigate.errors import AccessError, SettingsError, quoted

ReadObject = Callable[[str, str], bytes]  # (bucket, key) -> body; raises `AccessError`
Value = TypeVar("Value")

_FILE = "file:///"
_LONGEST = 4_096  # characters; a name of AWS has 1,024, and a schema of a report fewer than this
_URL = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9._-]{1,254})/(?P<key>.+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ObjectLocation:
    """One object: its bucket and its key; or a file, whose bucket is empty and key its path."""

    bucket: str
    key: str

    @classmethod
    def parse(cls, url: str, *, example: str) -> ObjectLocation:
        """Return where an s3:// or file:/// URL points; raise `SettingsError` with the example."""
        if url.startswith(_FILE):
            folder = "/" if url.endswith("/") else ""
            return cls("", str(Path(unquote(urlsplit(url).path)).resolve()) + folder)
        match = _URL.fullmatch(url.strip())
        if not match:
            raise SettingsError(
                f"{url!r} is no s3:// URL of a report", hint=f"write it as {example}"
            )
        return cls(match["bucket"], match["key"])

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}" if self.bucket else self.key

    @property
    def look(self) -> str:
        """The command that shows what lies beside it."""
        return f"aws s3 ls s3://{self.bucket}/{self.folder}" if self.bucket else f"ls {self.folder}"

    @property
    def folder(self) -> str:
        """The key up to its last slash, that slash included; empty at the top of the bucket."""
        return self.key[: self.key.rfind("/") + 1]

    def beside(self, name: str) -> ObjectLocation:
        """Return the place with that name in the same folder."""
        return ObjectLocation(self.bucket, self.folder + name)


def fetch(read: ReadObject, place: ObjectLocation, *, missing: str) -> bytes:
    """Return an object; raise `AccessError` naming it, which says `missing` if it is not there."""
    try:
        return read(place.bucket, place.key)
    except AccessError as error:
        absent = error.kind == "not-found" and error.code != "NoSuchBucket"
        hint = place.look if absent else error.hint
        if error.kind == "denied" and place.bucket:
            hint += "; without s3:ListBucket an object that is not there is denied, too"
        raise AccessError(
            f"{place} {missing}" if absent else f"{place}: {error.message}",
            hint=hint,
            kind=error.kind,
            code=error.code,
            asked=error.asked,
        ) from error


def check_digest(place: ObjectLocation, body: bytes, stated: str) -> None:
    """Raise `AccessError` unless a body has the stated MD5, in hexadecimal digits or base64."""
    digest = hashlib.md5(body, usedforsecurity=False).digest()
    word = next(iter(stated.split()), "")
    if word.lower() != digest.hex() and word != b64encode(digest).decode("ascii"):
        raise contradiction(
            place, "ChecksumMismatch", f"has the MD5 {digest.hex()}, but {word or 'none'} is stated"
        )


def contradiction(place: ObjectLocation, code: str, said: str) -> AccessError:
    """Return the error that a report is not what it says it is."""
    return AccessError(
        f"{place} {said}",
        hint="name another report, or take the entry out of [pipeline] to read the source itself",
        code=code,
        asked=f"s3:GetObject of {place.bucket}" if place.bucket else place.key,
    )


def unreadable(place: ObjectLocation, said: object) -> AccessError:
    """Return the error that a report cannot be understood."""
    text = str(said)
    if len(text) > _LONGEST:  # it may quote what was read
        text = f"{text[:_LONGEST]}…"
    return contradiction(place, "UnreadableReport", f"cannot be read: {text}")


def parse_object(place: ObjectLocation, body: bytes) -> dict[str, Any]:
    """Return the JSON object a body is; raise `AccessError`."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise unreadable(place, error) from error
    if not isinstance(document, dict):
        raise unreadable(place, "it is no JSON object")
    return document


def member(
    place: ObjectLocation, document: Mapping[str, Any], name: str, kind: type[Value]
) -> Value:
    """Return a member of a manifest; raise `AccessError` if it is absent or of another type."""
    value = document.get(name)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise unreadable(place, f"{name} is {quoted(value)}, which is no {kind.__name__}")
    if isinstance(value, str) and len(value) > _LONGEST:
        raise unreadable(place, f"{name} has {len(value):,} characters")
    return value
