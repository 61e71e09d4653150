"""Every boundary and every failure: the trials, and where there is none, why."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.reliability import (
    captures,
    engines,
    files,
    files_written,
    kernels,
    notifications,
    recoveries,
)
from benchmarks.reliability.captures import pipeline
from benchmarks.reliability.engines import engines as cases
from benchmarks.reliability.files import FILE
from benchmarks.reliability.reports import reports
from benchmarks.reliability.trial import BOUNDARIES, FAILURES, Trial
from benchmarks.reliability.trouble import trouble

_NO_DISK = "a service of AWS has no disk of the reader's; see the file system"
# Why there is no trial of a failure at a boundary.
REASONS: Mapping[tuple[str, str], str] = {
    **{(service, "disk full"): _NO_DISK for service in captures.SERVICES},
    ("file system", "throttled"): "a file system refuses nothing for its rate",
    ("file system", "timed out"): "a file has no time limit: a read ends, or the system waits",
    ("file system", "slow"): "a file has no time limit: a report has one, see the kernel",
    ("kernel", "throttled"): "a kernel is asked by one notebook alone",
    ("engine", "throttled"): "an engine is asked by one command alone",
    ("engine", "slow"): "a check has no time limit; a report has one, see the kernel",
}
_NO_AWS = {"`check` and `report`": "they read a case and never reach AWS"}
# Which commands a boundary has no trial of, and why.
NO_COMMAND: Mapping[str, Mapping[str, str]] = {
    "S3": {**_NO_AWS, "`replay`, `redrive`, `process-briefly`": "a recovery reads no object"},
    "DynamoDB": {**_NO_AWS, "`redrive`, `process-briefly`": "as `replay`: aggregates are queried"},
    "SQS": {**_NO_AWS, "`process-briefly`": "it writes to Lambda alone, and watches the queue"},
    "Logs": {**_NO_AWS, "`replay`, `redrive`": "as `process-briefly`: they watch the same lines"},
    "Lambda": {**_NO_AWS, "`replay`, `redrive`": "they only look at what is configured"},
    "kernel": {"all other commands": "only a report starts kernels"},
    "engine": {"`report`, the recovery": "they ask as `check` does; `capture` asks no engine"},
    "notification": {"all other commands": "only a report tells anybody"},
}


@dataclass(frozen=True, slots=True)
class Stage:
    """What several boundaries are tried on, set up once, and the trials of each of them."""

    opened: Callable[[Path], AbstractContextManager[Any]]
    trials: Mapping[str, Callable[[Any], Iterator[Trial]]]


@contextmanager
def _nothing(place: Path) -> Iterator[None]:
    yield None


# Those that take longest first: two run at the same time.
STAGES: Mapping[str, Stage] = {
    "captures": Stage(
        pipeline,
        {
            **{name: partial(captures.trials, boundary=name) for name in captures.SERVICES},
            FILE: files.captures,
        },
    ),
    "recoveries": Stage(
        trouble,
        {
            **{name: partial(recoveries.trials, boundary=name) for name in recoveries.MEETS},
            FILE: files_written.recoveries,
        },
    ),
    "reports": Stage(
        reports,
        {
            "kernel": kernels.trials,
            "notification": notifications.trials,
            FILE: files_written.report_trials,
        },
    ),
    "engines": Stage(cases, {"engine": engines.trials}),
    "checks": Stage(_nothing, {FILE: files.checks, "engine": engines.small}),
}


def every() -> Iterator[Trial]:
    """Yield every trial there is, without the stage to make it on."""
    return (
        trial
        for stage in STAGES.values()
        for trials in stage.trials.values()
        for trial in trials(None)
    )


def pairs() -> Iterator[tuple[str, str]]:
    """Yield every boundary with every failure."""
    return ((boundary, failure) for boundary in BOUNDARIES for failure in FAILURES)
