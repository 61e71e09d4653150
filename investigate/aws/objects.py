"""Many objects of one bucket, listed and read fast: obstore, with botocore for a second opinion.

obstore reads small objects many times faster than botocore (`python -m benchmarks capture`), but
knows paths rather than keys: it fails on a key with an empty, `.` or `..` segment and loses a
slash at the end. What is odd in a listing, and every object it cannot read, is therefore asked for
again through botocore, whose answer counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from investigate.errors import AccessError

if TYPE_CHECKING:
    from investigate.aws.connection import Connection

OBSTORE, BOTOCORE = "obstore", "botocore"
CLIENTS = (OBSTORE, BOTOCORE)
KEYS_PER_REQUEST = 1000
_READINGS = 3  # of one object, until all of it came
_GET, _LIST = "s3:GetObject", "s3:ListObjectsV2"
# What obstore itself does about throttling and lost connections, with jitter.
_RETRIES: Any = {
    "max_retries": 8,
    "retry_timeout": timedelta(seconds=120),
    "backoff": {
        "init_backoff": timedelta(milliseconds=50),
        "max_backoff": timedelta(seconds=10),
        "base": 2,
    },
}


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
    """An object as it was read."""

    data: bytes
    last_modified: datetime
    etag: str


class Objects:
    """Lists and reads the objects of one bucket; every failure is an `AccessError`."""

    def __init__(self, connection: Connection, bucket: str, store: Any) -> None:
        self._connection = connection
        self._bucket = bucket
        self._store = store

    def listing(self, prefix: str, after: str = "") -> Iterator[Sequence[Listed]]:
        """Yield the objects under a prefix page by page, in the order of their keys.

        `after` leaves out all keys up to this one.
        """
        last = after
        if self._store is not None and (not prefix or prefix.endswith("/")):
            for page in self._list_fast(prefix, after):
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

    def read_all(self, entries: Sequence[Listed]) -> Iterator[Body | AccessError]:
        """Yield each object, or the error that kept it from being read, in the same order."""
        meter = self._connection.meter
        meter.check()
        if self._store is not None:
            meter.request(_GET, len(entries))
        for entry in entries:
            try:
                yield self._read_fast(entry) or self._read_whole(entry)
            except AccessError as error:
                yield error

    def read(self, key: str, version_id: str | None = None) -> Body:
        """Return an object, or one version of it, through botocore; raise `AccessError`."""
        version = {} if version_id is None else {"VersionId": version_id}
        answer, data = self._connection.read_object(Bucket=self._bucket, Key=key, **version)
        return Body(data, answer["LastModified"].astimezone(UTC), answer["ETag"].strip('"'))

    def _read_whole(self, entry: Listed) -> Body:
        """Return an object as it was listed, or as it was written since; all of it or none."""
        came = 0
        for _ in range(_READINGS):
            body = self.read(entry.key, entry.version_id)
            if not _is_cut(body, entry):
                return body
            came = len(body.data)
        asked = f"s3:GetObject of {entry.key}"
        said = f"{asked}: {came} of {entry.size} bytes came"
        raise AccessError(said, kind="unreachable", code="IncompleteBody", asked=asked)

    def _list_fast(self, prefix: str, after: str) -> Iterator[list[Listed] | None]:
        """Yield pages; None if the rest cannot be trusted to be keys."""
        meter = self._connection.meter
        last = after.encode()
        try:
            meter.check()
            stream = _obstore().list(
                self._store, prefix or None, offset=after or None, chunk_size=KEYS_PER_REQUEST
            )
            for found in stream:
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
                yield page
                meter.check()
        except _failures():
            yield None

    def _read_fast(self, entry: Listed) -> Body | None:
        """Return an object, or None if botocore is to be asked."""
        if self._store is None:
            return None
        options: Any = {"version": entry.version_id} if entry.version_id else None
        try:
            found = _obstore().get(self._store, entry.key, options=options)
            data, about = bytes(found.bytes()), found.meta
        except _failures():
            return None
        body = Body(data, about["last_modified"], (about["e_tag"] or "").strip('"'))
        return None if _is_cut(body, entry) else body

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


def open_store(session: Any, client: Any, bucket: str) -> Any:
    """Return obstore's store of a bucket, with the credentials and the endpoint of botocore."""
    from obstore.auth.boto3 import Boto3CredentialProvider
    from obstore.store import S3Store

    try:
        credentials = Boto3CredentialProvider(session)
    except ValueError as error:
        raise AccessError(
            "there are no AWS credentials",
            hint="give credentials: --profile NAME, AWS_PROFILE or aws configure",
            kind="credentials",
        ) from error
    endpoint = client.meta.endpoint_url
    return S3Store(
        bucket,
        endpoint=endpoint,  # said always: obstore would take another one from the environment
        region=client.meta.region_name,
        credential_provider=credentials,
        client_options={
            "allow_http": endpoint.startswith("http:"),
            "connect_timeout": "10s",
            "timeout": "60s",
            "user_agent": "investigate",
        },
        retry_config=_RETRIES,
        virtual_hosted_style_request=False,
    )
