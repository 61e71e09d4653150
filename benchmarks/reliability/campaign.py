"""The campaign: stages are set up, trials are made on them, two stages at a time."""

from __future__ import annotations

import multiprocessing as mp
import sys
import tempfile
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from benchmarks.reliability.matrix import STAGES
from benchmarks.reliability.trial import BOUNDARIES, FAILURES, Result, Trial, result

AT_ONCE = 2


def campaign(
    boundaries: Collection[str] = BOUNDARIES,
    failures: Collection[str] = FAILURES,
    *,
    fast: bool = False,
    at_once: int = AT_ONCE,
    stages: Collection[str] = tuple(STAGES),
) -> list[Result]:
    """Return what came of every trial of these boundaries and failures, in the order of the table;
    with `fast` of those that take little time only, and on these stages only."""
    wanted = [name for name in stages if {*STAGES[name].trials} & {*boundaries}]
    asked = [(name, tuple(boundaries), tuple(failures), fast) for name in wanted]
    if at_once == 1:
        found = [on_stage(*one) for one in asked]
    else:
        with ProcessPoolExecutor(at_once, mp_context=mp.get_context("spawn")) as pool:
            found = [one.result() for one in [pool.submit(on_stage, *one) for one in asked]]
    results = [one for some in found for one in some]
    return sorted(results, key=_place)


def _place(one: Result) -> tuple[int, int]:
    return BOUNDARIES.index(one.boundary), FAILURES.index(one.failure)


def on_stage(
    name: str, boundaries: Sequence[str], failures: Sequence[str], fast: bool
) -> list[Result]:
    """Set up one stage and return what came of its trials."""
    stage = STAGES[name]
    # A short path: the sockets of kernels have names of about 100 bytes.
    with (
        tempfile.TemporaryDirectory(prefix="rel-") as folder,
        stage.opened(Path(folder)) as known,
    ):
        own = [trials for boundary, trials in stage.trials.items() if boundary in boundaries]
        chosen = (trial for trials in own for trial in trials(known))
        made = (one for one in chosen if one.failure in failures and (one.fast or not fast))
        return list(_made(made, Path(folder)))


def _made(trials: Iterator[Trial], folder: Path) -> Iterator[Result]:
    for number, trial in enumerate(trials):
        place = folder / f"t{number}"
        place.mkdir()
        made = result(trial, place)
        mark = "; ".join(made.verdict.faults) or "ok"
        print(f"{trial.name}: {made.verdict.ends}: {mark}", file=sys.stderr, flush=True)
        yield made
