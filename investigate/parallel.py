"""Work spread over the cores of this machine: the rows of each piece in a Parquet file of its own.

The processes share nothing but a folder, and what they write depends on the pieces alone: neither
their number nor who is first changes a byte.
"""

from __future__ import annotations

import json
import os
import pickle
import re
import subprocess
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from investigate import errors
from investigate.errors import EngineError, InvestigationError

Work: TypeAlias = "Callable[[Any], Iterator[pa.RecordBatch]]"

_JOB = "job.pickle"
_FAILURE = re.compile(r"investigate-failure:(?P<told>[A-Za-z0-9+/=]+):")
_GROUP_ROWS, _GROUP_BYTES = 100_000, 64 * 1024 * 1024  # written at once


@dataclass(frozen=True, slots=True)
class _Job:
    """What every process is told: the pieces, what is done with each, and where it goes."""

    items: Sequence[Any]
    work: Work
    schema: pa.Schema
    folder: Path

    def path(self, number: int) -> Path:
        """Where the rows of a piece go."""
        return self.folder / f"part-{number:06d}.parquet"

    def failure(self, number: int) -> Path:
        """Where stands why a piece could not be done."""
        return self.folder / f"failed-{number:06d}.txt"


def in_parallel(
    items: Sequence[Any], work: Work, schema: pa.Schema, folder: Path, processes: int | None = None
) -> list[Path]:
    """Do the work of each item and return Parquet files with its rows, in the order of the items.

    `work` and the items are handed to other processes, so it is a function of a module, or a
    `partial` of one. There are as many processes as cores, or `processes`; one is this one. An
    `InvestigationError` of the first piece that failed is raised as it is; what else ends a
    process is an `EngineError`.
    """
    job = _Job(items, work, schema, folder)
    if not items:
        pq.write_table(schema.empty_table(), job.path(0))
        return [job.path(0)]
    shares = min(processes or cores(), len(items))
    if shares == 1:
        for number in range(len(items)):
            _write(job, number)
    else:
        _in_processes(job, shares)
    return [job.path(number) for number in range(len(items))]


def rows_of_items(work: bytes, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield the rows of pickled items, for an engine that hands these to its own workers.

    An `InvestigationError` becomes an error whose text `failure_in` understands, because a text is
    all that such engines hand back.
    """
    do: Work = pickle.loads(work)  # noqa: S301 (pickled by the engine, of this package)
    for batch in batches:
        for item in batch.column("item").to_pylist():
            try:
                yield from do(pickle.loads(item))  # noqa: S301 (the same)
            except InvestigationError as error:
                raise RuntimeError(f"investigate-failure:{_told(error)}:") from error


def failure_in(error: BaseException) -> InvestigationError | None:
    """Return what went wrong in a worker, out of an engine's error about it; None if it is not of
    this package."""
    found = _FAILURE.search(str(error))
    if found is None:
        return None
    return _failure_told(found["told"])


def _told(error: InvestigationError) -> str:
    told = {"kind": type(error).__name__, "fields": vars(error)}
    return b64encode(json.dumps(told).encode()).decode("ascii")


def _failure_told(text: str) -> InvestigationError | None:
    # Not pickled: an engine's error may quote evidence, and evidence must not run anything.
    try:
        told = json.loads(b64decode(text))
        kind, fields = getattr(errors, told["kind"]), dict(told["fields"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    if not (isinstance(kind, type) and issubclass(kind, InvestigationError)):
        return None
    failure = kind.__new__(kind, fields.get("message", ""))
    vars(failure).update(fields)
    return failure


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _in_processes(job: _Job, shares: int) -> None:
    (job.folder / _JOB).write_bytes(pickle.dumps(job))
    # Not multiprocessing: it runs the caller's script once more, and not every script bears that.
    # -P and this path: a module of the folder one stands in must not take another's place.
    command = [sys.executable, "-P", "-m", "investigate.parallel", str(job.folder)]
    there = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    running = [
        subprocess.Popen(  # noqa: S603 (this Python, this package)
            [*command, str(share), str(shares)], env=there, stderr=subprocess.PIPE
        )
        for share in range(shares)
    ]
    try:
        ended = [(one.communicate()[1], one.returncode) for one in running]
    finally:
        for one in running:
            one.kill()
            one.wait()
    _raise_first_failure(job)
    for said, code in ended:
        if code:
            last = said.decode(errors="replace").strip().splitlines()[-1:]
            raise EngineError(f"a process that reads ended with {code}: {' '.join(last)}")


def _raise_first_failure(job: _Job) -> None:
    # Each process ends at its first failure, so that their number does not change which is first.
    for number in range(len(job.items)):
        path = job.failure(number)
        if path.is_file() and (failure := _failure_told(path.read_text(encoding="ascii"))):
            raise failure


def _write(job: _Job, number: int) -> None:
    with pq.ParquetWriter(job.path(number), job.schema, compression="lz4") as file:
        for group in _groups(job.work(job.items[number])):
            file.write_table(pa.Table.from_batches(group, job.schema))


def _groups(batches: Iterator[pa.RecordBatch]) -> Iterator[list[pa.RecordBatch]]:
    """Yield batches together that are read faster as one, but not more than memory bears."""
    group: list[pa.RecordBatch] = []
    for batch in batches:
        group.append(batch)
        rows, size = sum(one.num_rows for one in group), sum(one.nbytes for one in group)
        if rows >= _GROUP_ROWS or size >= _GROUP_BYTES:
            yield group
            group = []
    if group:
        yield group


def _share(folder: str, share: str, shares: str) -> None:
    """Do one process's share of a job; where that fails, leave behind why, and end."""
    job: _Job = pickle.loads((Path(folder) / _JOB).read_bytes())  # noqa: S301 (written above)
    for number in range(int(share), len(job.items), int(shares)):
        try:
            _write(job, number)
        except InvestigationError as error:
            job.failure(number).write_text(_told(error), encoding="ascii")
            return


if __name__ == "__main__":
    # By its name, as whoever wrote the job knows it: not as a module named __main__.
    from investigate.parallel import _share as share

    share(*sys.argv[1:])
