"""The figures of a run: as a table, and as a document."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from typing import Any

from benchmarks.capture.contenders import SUBJECTS, Role
from benchmarks.capture.contest import Figures, of_role
from benchmarks.capture.outcome import Outcome

_WIDTH = 50


def lines(outcome: Outcome) -> Iterator[str]:
    """Yield the table, line by line."""
    yield f"{_machine()}; medians of interleaved rounds, one process for each measurement"
    for subject, figures in outcome.subjects.items():
        yield ""
        yield from _of_subject(f"{figures[0].rows:,} {SUBJECTS[subject].title}", figures)
    if outcome.memory:
        yield ""
        yield f"{'peak memory of investigate capture --only raw':{_WIDTH}}{'MB':>9}{'rows/s':>9}"
        for count, found in outcome.memory.items():
            rate = found["rows"] / found["seconds"]
            yield f"  {f'{count:,} objects':{_WIDTH - 2}}{found['peak_mb']:9.0f}{rate:9,.0f}"
    yield ""
    yield from map(str, outcome.targets)


def _of_subject(title: str, figures: Sequence[Figures]) -> Iterator[str]:
    baseline = of_role(figures, Role.BASELINE).rate
    heads = f"{'rows/s':>9}{'ratio':>8}  {'slowest..fastest':>16}{'CPU µs/row':>12}{'peak MB':>9}"
    yield f"{title:{_WIDTH}}{heads}"
    for one in figures:
        rates = sorted(one.rows / seconds for seconds in one.seconds)
        spread = f"{rates[0]:,.0f}..{rates[-1]:,.0f}"
        processor = one.middle("cpu") / one.rows * 1e6
        yield (
            f"  {one.contender.name:{_WIDTH - 2}}{one.rate:9,.0f}{one.rate / baseline:8.2f}"
            f"  {spread:>16}{processor:12,.0f}{one.middle('peak_mb'):9,.0f}"
        )
    same = len({digest for one in figures for digest in one.digests}) == 1
    yield f"  answers {'equal' if same else 'NOT EQUAL'}"


def document(outcome: Outcome) -> dict[str, Any]:
    """Return the same as JSON values, every round included."""
    return {
        "machine": _machine(),
        "agree": outcome.agree,
        "subjects": {
            subject: [_contender(one, figures) for one in figures]
            for subject, figures in outcome.subjects.items()
        },
        "memory": {str(count): found for count, found in outcome.memory.items()},
        "targets": [
            {"name": one.name, "value": round(one.value, 3), "bound": one.bound, "met": one.met}
            for one in outcome.targets
        ],
    }


def _contender(one: Figures, figures: Sequence[Figures]) -> dict[str, Any]:
    return {
        "name": one.contender.name,
        "role": one.contender.role.value,
        "rows": one.rows,
        "rate": round(one.rate, 1),
        "ratio": round(one.rate / of_role(figures, Role.BASELINE).rate, 3),
        "rounds": one.rounds,
    }


def _machine() -> str:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    packages = ", ".join(f"{name} {version(name)}" for name in ("boto3", "obstore"))
    return f"Python {platform.python_version()}, {packages}, {cores} cores"
