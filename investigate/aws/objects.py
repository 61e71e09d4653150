"""Many objects of one bucket, listed and read fast: obstore, with botocore for a second opinion.

obstore reads small objects many times faster than botocore (`python -m benchmarks capture`), but
knows paths rather than keys: it fails on a key with an empty, `.` or `..` segment and loses a
slash at either end. It also follows a redirect wherever it leads, and takes whatever XML it is
answered for a page without objects. What is odd in a listing, its end where that may be none, and
every object it cannot read as it was listed, is therefore asked for again through botocore, whose
answer counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from investigate.errors import AccessError

if TYPE_CHECKING:
    from investigate.aws.connection import Connection

OBSTORE, BOTOCORE = "obstore", "botocore"
CLIENTS = (OBSTORE, BOTOCORE)
KEYS_PER_REQUEST = 1000
_READINGS = 3  # of one object, until all of it came
_FAILURES_IN_A_ROW = 5  # of obstore, where botocore had an answer; it is not asked any more then
_GET, _LIST = "s3:GetObject", "s3:ListObjectsV2"


class Listed(NamedTuple):
    """An object as a listing names it; times are UTC, without fractions of a second.

    `deleted`: only versions of it are left, behind a delete marker.
    """

    key: str
    size: int
    last_modified: datetime | None
    etag: str | None
    version_id: str | None = None
    newest: bool = True
    deleted: bool = False


class Body(NamedTuple):
    """An object as it was read, under the key that it has."""

    data: bytes
    last_modified: datetime
    etag: str
    key: str


class Objects:
    """Lists and reads the objects of one bucket; every failure is an `AccessError`."""

    def __init__(self, connection: Connection, bucket: str, store: Any) -> None:
        self._connection = connection
        self._bucket = bucket
        self._store = store
        self._failed = 0  # times in a row that obstore failed and botocore had an answer

    def listing(self, prefix: str, after: str = "") -> Iterator[Sequence[Listed]]:
        """Yield the objects under a prefix page by page, in the order of their keys.

        `after` leaves out all keys up to this one.
        """
        last, store = after, self._store
        if store is not None and (not prefix or prefix.endswith("/")):
            for page in self._list_fast(store, prefix, after):
                if page is None:
                    break  # something odd: the rest is listed by botocore
                last = page[-1].key
                yield page
            else:
                return
        yield from self._list(prefix, last)

    def level(self, prefix: str) -> tuple[list[str], list[Listed]]:
        """Return the next common prefixes below a prefix, up to a slash, and the objects there."""
        below: list[str] = []
        here: list[Listed] = []
        for page in self._pages(Prefix=prefix, Delimiter="/"):
            below += [one["Prefix"] for one in page.get("CommonPrefixes", [])]
            here += [_listed(entry) for entry in page.get("Contents", [])]
        return sorted(below, key=str.encode), here

    def read_all(
        self, entries: Sequence[Listed], largest: int | None = None
    ) -> Iterator[Body | AccessError]:
        """Yield each object, or the error that kept it from being read, in the same order.

        One without an ETag was not listed and can be of any size: it is not read if it has more
        than `largest` bytes.
        """
        for entry in entries:
            try:
                yield self._read(entry, largest)
            except AccessError as error:
                yield error

    def _read(self, entry: Listed, largest: int | None) -> Body:
        store = self._store if entry.etag and entry.key == entry.key.strip("/") else None
        if store is not None:
            body = self._read_fast(store, entry)
            if body:
                self._failed = 0
                return body
        try:
            body = self._read_whole(entry, largest)
        except AccessError as error:
            slashed = store is not None and error.code == "NoSuchKey" and self._with_slash(entry)
            if not slashed:
                raise
            return self._read_whole(slashed, largest)
        if store is not None:
            self._answered_instead()
        return body

    def _answered_instead(self) -> None:
        """Take note that botocore had an answer where obstore failed, as behind a TLS proxy."""
        self._failed += 1
        if self._failed >= _FAILURES_IN_A_ROW:
            self._store = None

    def _with_slash(self, entry: Listed) -> Listed | None:
        """Return the object whose key lost its slash in the listing, if there is one."""
        try:
            page = next(self._list(entry.key + "/", ""), [])
        except AccessError as error:
            if error.kind != "denied":  # after a report, which needs no right to list
                raise
            return None
        same = (one for one in page if one.key.rstrip("/") == entry.key and one.etag == entry.etag)
        return next(same, None)

    def _read_whole(self, entry: Listed, largest: int | None = None) -> Body:
        """Return an object as it was listed, or as it was written since; all of it or none."""
        came = 0
        version = {} if entry.version_id is None else {"VersionId": entry.version_id}
        for _ in range(_READINGS):
            answer, data = self._connection.read_object(
                largest=largest, Bucket=self._bucket, Key=entry.key, **version
            )
            when, etag = answer["LastModified"].astimezone(UTC), answer["ETag"].strip('"')
            body = Body(data, when, etag, entry.key)
            if not _is_cut(body, entry):
                return body
            came = len(body.data)
        asked = f"s3:GetObject of {entry.key}"
        said = f"{asked}: {came} of {entry.size} bytes came"
        raise AccessError(said, kind="unreachable", code="IncompleteBody", asked=asked)

    def _list_fast(self, store: Any, prefix: str, after: str) -> Iterator[list[Listed] | None]:
        """Yield pages; None if the rest cannot be trusted to be keys.

        An end behind no page, or behind a full one, is not trusted either: that is how it looks if
        somebody else than S3 answered for the page that follows.
        """
        meter = self._connection.meter
        last, full = after.encode(), True
        try:
            meter.check()
            meter.request(_LIST)
            stream = _obstore().list(
                store, prefix or None, offset=after or None, chunk_size=KEYS_PER_REQUEST
            )
            for number, found in enumerate(stream):
                if number:  # the first one was counted before it was asked for
                    meter.request(_LIST)
                page = [
                    Listed(
                        entry["path"],
                        entry["size"],
                        entry["last_modified"].replace(microsecond=0),
                        (entry["e_tag"] or "").strip('"') or None,
                    )
                    for entry in found
                ]
                for entry in page:
                    # A key that lost its slash may stand at another place than its name says.
                    if entry.key.encode() <= last or _may_lack_its_slash(entry):
                        yield None
                        return
                    last = entry.key.encode()
                full = len(page) >= KEYS_PER_REQUEST
                yield page
                meter.check()
        except _failures():
            full = True
        if full:
            yield None

    def _read_fast(self, store: Any, entry: Listed) -> Body | None:
        """Return an object as it was listed, or None if botocore is to be asked."""
        self._connection.meter.check()
        self._connection.meter.request(_GET)
        options: Any = {"version": entry.version_id} if entry.version_id else None
        try:
            found = _obstore().get(store, entry.key, options=options)
            data, about = bytes(found.bytes()), found.meta
        except _failures():
            return None
        body = Body(data, about["last_modified"], (about["e_tag"] or "").strip('"'), entry.key)
        # Another object than the one that was listed: written since, or of another host.
        return body if body.etag == entry.etag and not _is_cut(body, entry) else None

    def _list(self, prefix: str, after: str) -> Iterator[list[Listed]]:
        more = {"StartAfter": after} if after else {}
        for page in self._pages(Prefix=prefix, **more):
            if "Contents" in page:
                yield [_listed(entry) for entry in page["Contents"]]

    def _pages(self, **asked: Any) -> Iterator[dict[str, Any]]:
        return self._connection.pages("s3", "ListObjectsV2", Bucket=self._bucket, **asked)


@cache
def _obstore() -> Any:
    # Imported when it is used: most commands never read S3.
    import obstore

    return obstore


@cache
def _failures() -> tuple[type[Exception], ...]:
    from obstore.exceptions import BaseError

    return (BaseError, OSError, ValueError)


def _is_cut(body: Body, entry: Listed) -> bool:
    """Return whether what came is not all of the object that was listed."""
    return body.etag == entry.etag and len(body.data) != entry.size


def _may_lack_its_slash(entry: Listed) -> bool:
    """Return whether a key may be that of a folder, as the console and others write them."""
    return not entry.size or "." not in entry.key.rpartition("/")[2]


def _listed(entry: Any) -> Listed:
    return Listed(
        entry["Key"],
        entry["Size"],
        entry["LastModified"].astimezone(UTC).replace(microsecond=0),
        entry["ETag"].strip('"'),
    )
