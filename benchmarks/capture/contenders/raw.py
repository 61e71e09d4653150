"""The raw objects, read and parsed."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.capture.contenders.common import THREADS, Job, Prepared, body_line, client

Result = TypeVar("Result")
_AT_ONCE = 64  # keys that a thread takes: a task for each key costs more than reading it


def by_boto3(job: Job) -> Prepared:
    """List by the paginator, read by threads: what one writes first."""
    s3 = client("s3", job)
    s3.list_objects_v2(Bucket=job.bucket, MaxKeys=1)

    def read(key: str) -> Any:
        return json.loads(s3.get_object(Bucket=job.bucket, Key=key)["Body"].read())

    def work() -> list[Any]:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=job.bucket, Prefix=job.prefix)
        keys = [entry["Key"] for page in pages for entry in page["Contents"]]
        with ThreadPoolExecutor(THREADS) as pool:
            return list(pool.map(read, keys))

    return Prepared(work, _lines)


def by_awswrangler(job: Job) -> Prepared:
    """One call of awswrangler for the whole prefix, its conversions of types and dates off."""
    wrangler: Any = import_module("awswrangler")
    wrangler.s3.does_object_exist(f"s3://{job.bucket}/{job.prefix}none")

    def work() -> Any:
        return wrangler.s3.read_json(
            f"s3://{job.bucket}/{job.prefix}",
            lines=True,
            use_threads=THREADS,
            convert_dates=False,
            dtype=False,
        )

    return Prepared(work, lambda frame: _lines(frame.to_dict("records")))


def by_sync(job: Job) -> Prepared:
    """`aws s3 sync` into a folder with as many requests at once as the others, then parse."""
    target, settings = Path(job.folder) / "synced", Path(job.folder) / "config"
    settings.write_text(f"[default]\ns3 =\n  max_concurrent_requests = {THREADS}\n")
    source = f"s3://{job.bucket}/{job.prefix}"
    command = [job.aws, "s3", "sync", source, str(target), "--only-show-errors"]

    def work() -> list[Any]:
        environment = {**os.environ, "AWS_CONFIG_FILE": str(settings)}
        subprocess.run(command, check=True, env=environment, timeout=900)  # noqa: S603
        return [json.loads(path.read_bytes()) for path in target.rglob("*.json")]

    return Prepared(work, _lines)


def by_obstore(job: Job) -> Prepared:
    """obstore as it comes, in threads."""
    return Prepared(_reading(job, json.loads), _lines)


def unparsed(job: Job) -> Prepared:
    """The same, and nothing is done with the bytes: what server and loopback can give."""
    return Prepared(_reading(job, bytes), lambda found: _lines(map(json.loads, found)))


def ours(job: Job) -> Prepared:
    """The capture of the table `raw`, end to end: listed, read, checked, written as a case."""
    from benchmarks.capture.contenders import own

    return own.captured(job, "raw", own.body_lines)


def _reading(job: Job, use: Callable[[bytes], Result]) -> Callable[[], list[Result]]:
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

    def read(keys: Sequence[str]) -> list[Result]:
        return [use(bytes(obstore.get(store, key).bytes())) for key in keys]

    def shares() -> Iterator[Sequence[str]]:
        for page in obstore.list(store, job.prefix, chunk_size=1000):
            keys = [entry["path"] for entry in page]
            for start in range(0, len(keys), _AT_ONCE):
                yield keys[start : start + _AT_ONCE]

    def work() -> list[Result]:
        with ThreadPoolExecutor(THREADS) as pool:
            return [one for share in pool.map(read, shares()) for one in share]

    return work


def _lines(bodies: Iterable[Any]) -> Iterable[str]:
    return map(body_line, bodies)
