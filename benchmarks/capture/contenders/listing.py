"""The keys under the prefix, with what a listing says of each object."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib import import_module
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import unescape

from benchmarks.capture.contenders.common import Job, Prepared, Raw, client

_NEXT = re.compile(rb"<NextContinuationToken>([^<]+)<")
_KEY = re.compile(rb"<Key>([^<]+)<")


def by_boto3(job: Job) -> Prepared:
    """The paginator of boto3."""
    s3 = client("s3", job)
    s3.list_objects_v2(Bucket=job.bucket, MaxKeys=1)

    def work() -> list[Any]:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=job.bucket, Prefix=job.prefix)
        return [entry for page in pages for entry in page["Contents"]]

    return Prepared(work, lambda found: (entry["Key"] for entry in found))


def by_awswrangler(job: Job) -> Prepared:
    """One call of awswrangler."""
    wrangler: Any = import_module("awswrangler")
    root = f"s3://{job.bucket}/"
    wrangler.s3.does_object_exist(f"{root}{job.prefix}none")
    return Prepared(
        lambda: wrangler.s3.list_objects(root + job.prefix),
        lambda found: (path.removeprefix(root) for path in found),
    )


def by_obstore(job: Job) -> Prepared:
    """obstore as it comes."""
    import obstore
    from obstore.store import S3Store

    store = S3Store(
        job.bucket,
        endpoint=job.endpoint,
        region=job.region,
        virtual_hosted_style_request=False,
        client_options={"allow_http": True},
    )
    obstore.list_with_delimiter(store, job.prefix)

    def work() -> list[Any]:
        return [entry for page in obstore.list(store, job.prefix) for entry in page]

    return Prepared(work, lambda found: (entry["path"] for entry in found))


def unparsed(job: Job) -> Prepared:
    """The pages one after another; of each only the token of the next one is looked for."""
    raw = Raw(job, "s3")
    query = f"list-type=2&prefix={quote(job.prefix, safe='')}"
    raw.ask("GET", f"/{job.bucket}?max-keys=1&{query}")

    def work() -> list[bytes]:
        pages: list[bytes] = []
        token = ""
        while True:
            pages.append(raw.ask("GET", f"/{job.bucket}?{token}{query}"))
            found = _NEXT.search(pages[-1])
            if not found:
                return pages
            token = f"continuation-token={quote(unescape(found[1].decode()), safe='')}&"

    return Prepared(work, _keys)


def _keys(pages: Iterable[bytes]) -> Iterable[str]:
    return (unescape(key.decode()) for page in pages for key in _KEY.findall(page))


def ours(job: Job) -> Prepared:
    """The listing that the capture of the table `raw` reads."""
    from benchmarks.capture.contenders import own

    return own.listed(job)
