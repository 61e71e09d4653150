"""The raw objects: every object under the prefix, listed and read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC
from typing import Any

from investigate import pipeline
from investigate.aws import WORKERS
from investigate.capture.body import read_body
from investigate.capture.source import Captured, Row, Source, not_configured
from investigate.case import Coverage
from investigate.errors import AccessError

# Ingest sits behind an API that takes 10 MB; what is far larger is none of its objects.
LARGEST_BODY = 32 * 1024 * 1024


class Patience:
    """How often an endpoint may not answer before the remaining objects are not asked for."""

    def __init__(self, left: int = WORKERS) -> None:
        self._left = left

    def spend(self, error: AccessError) -> None:
        """Take note of an unread object; raise its error if all others will fail too."""
        if error.kind == "unreachable":
            self._left -= 1
        if error.kind in ("expired", "credentials") or self._left < 0:
            raise error


def read(source: Source) -> list[Captured]:
    """Return the table `raw`; an object that cannot be read is a row that says so."""
    if not source.names.raw_bucket:
        return [Captured("raw", not_configured("raw bucket"))]
    versions, note = _keeps_versions(source)
    listed = _versions(source) if versions else _objects(source)
    patience = Patience()
    with ThreadPoolExecutor(WORKERS) as pool:
        # `map` keeps the order of the list, whichever object arrives first.
        rows = list(pool.map(lambda entry: _row(source, entry, patience), listed))
    return [Captured("raw", _coverage(rows, note), rows)]


def _coverage(rows: list[Row], note: str | None) -> Coverage:
    words = Counter(str(row["error"]).split(" ")[0] for row in rows if not row["readable"])
    unread = {word: words[word] for word in pipeline.ACCESS_ERRORS if words[word]}
    notes = [note] if note else []
    if unread:
        counts = ", ".join(f"{count} {word}" for word, count in unread.items())
        notes.append(f"of {len(rows)} objects could not be read: {counts}")
    # An object that vanished after it was listed is gone for good: nothing is left to capture.
    status = "partial" if set(unread) - {"gone"} else "captured"
    return Coverage(status, "; ".join(notes) or None)


def _keeps_versions(source: Source) -> tuple[bool, str | None]:
    try:
        answer = source.connection.call("s3", "GetBucketVersioning", Bucket=source.names.raw_bucket)
    except AccessError as error:
        return False, f"earlier versions were not looked for: {error.code}: {error.asked}"
    return "Status" in answer, None


def _objects(source: Source) -> Iterator[Row]:
    for page in _pages(source, "ListObjectsV2"):
        for entry in page.get("Contents", []):
            if not _is_folder(entry):
                yield _listed(source, entry)


def _versions(source: Source) -> Iterator[Row]:
    """Every version of every object that exists; a key whose newest entry is a deletion is gone."""
    entries: list[Mapping[str, Any]] = []
    deleted: set[str] = set()
    for page in _pages(source, "ListObjectVersions"):
        entries.extend(page.get("Versions", []))
        deleted.update(mark["Key"] for mark in page.get("DeleteMarkers", []) if mark["IsLatest"])
    for entry in entries:
        if entry["Key"] not in deleted and not _is_folder(entry):
            yield {**_listed(source, entry), "version_id": entry["VersionId"]}


def _pages(source: Source, operation: str) -> Iterator[dict[str, Any]]:
    names = source.names
    return source.connection.pages(
        "s3", operation, Bucket=names.raw_bucket, Prefix=names.raw_prefix
    )


def _is_folder(entry: Mapping[str, Any]) -> bool:
    # The console marks a folder by an empty object; it holds no event and never did.
    return bool(entry["Key"].endswith("/") and not entry["Size"])


def _listed(source: Source, entry: Mapping[str, Any]) -> Row:
    key = pipeline.parse_raw_key(entry["Key"], source.names.raw_prefix)
    return {
        "s3_key": entry["Key"],
        "size": entry["Size"],
        "last_modified": entry["LastModified"].astimezone(UTC).replace(microsecond=0),
        "etag": entry["ETag"].strip('"'),
        "key_event_id": key and key.event_id,
        "key_source": key and key.source,
        "key_event_type": key and key.event_type,
        "key_event_date": key and key.event_date,
        "key_ingest_date": key and key.ingest_date,
        "key_hour": key and key.hour,
    }


def _row(source: Source, listed: Row, patience: Patience) -> Row:
    if listed["size"] > LARGEST_BODY:
        return {**listed, "readable": False, "error": f"failed ({listed['size']} bytes)"}
    version = {"VersionId": listed["version_id"]} if "version_id" in listed else {}
    try:
        answer, body = source.connection.read_object(
            Bucket=source.names.raw_bucket, Key=listed["s3_key"], **version
        )
    except AccessError as error:
        patience.spend(error)
        return {**listed, "readable": False, "error": _unread(error)}
    return {
        **listed,
        # Written again since it was listed? Then the row describes what was read.
        "size": len(body),
        "etag": answer["ETag"].strip('"'),
        "last_modified": answer["LastModified"].astimezone(UTC),
        **read_body(body, payloads=source.options.payloads),
    }


def _unread(error: AccessError) -> str:
    if error.code in ("NoSuchKey", "NoSuchVersion", "404"):
        return "gone"
    if error.code == "InvalidObjectState":
        return "archived"
    word = "denied" if error.kind == "denied" else "failed"
    return f"{word} ({error.code})"
