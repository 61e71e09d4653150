"""One measurement in a process of its own: a job comes in as JSON, the figures go out as JSON."""

from __future__ import annotations

import hashlib
import json
import resource
import sys
import time
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.capture.contenders.common import Job

_STATUS = Path("/proc/self/status")


def measure(job: Job) -> dict[str, Any]:
    """Return seconds, processor seconds, peak memory, and the digest of the rows."""
    contenders = import_module(f"benchmarks.capture.contenders.{job.module}")
    prepared = getattr(contenders, job.contender)(job)
    processor = _processor()
    started = time.perf_counter()
    answer = prepared.work()
    seconds = time.perf_counter() - started
    spent, peak = _processor() - processor, _peak()
    rows, digest = _digest(prepared.lines(answer))
    return {"seconds": seconds, "cpu": spent, "peak_mb": peak, "rows": rows, "digest": digest}


def _digest(lines: Iterable[str]) -> tuple[int, str]:
    listed = sorted(lines)
    return len(listed), hashlib.sha256("\n".join(listed).encode()).hexdigest()


def _processor() -> float:
    """Seconds of all processors: user and system, of this process and those it waited for."""
    waited_for = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + waited_for.ru_utime + waited_for.ru_stime


def _peak() -> float:
    """The largest memory this process had, in MB."""
    if _STATUS.exists():  # `getrusage` would also count the process that started this one
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024**2 if sys.platform == "darwin" else peak / 1024


if __name__ == "__main__":
    print(json.dumps(measure(Job(**json.load(sys.stdin)))))
