"""One parser in a process of its own: `python -m benchmarks.fuzz.worker PARSER INPUTS FOLDER`.

First the extremes, each within a time limit; then so many inputs, guided by coverage if atheris is
there. What it counts goes to standard error, and an input that breaks the parser into the folder.
"""

from __future__ import annotations

import resource
import signal
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

SECONDS = 10  # of the processor, for one input; an extreme one has thousands of times their size
STUCK_SECONDS = 600  # by the clock
MEMORY_MB = 2_048
LONGEST = 4_096  # bytes of an input that is no extreme
PLACES = 2  # of each seed, in which extremes stand
SEED = 20_260_310
_OWN = 0.7  # the share of inputs that keep their form; the others are changed byte by byte

try:
    import atheris
except ImportError:
    atheris = None

# Before they are imported: what is loaded already counts no edges.
with atheris.instrument_imports(include=["investigate"]) if atheris else nullcontext():
    from benchmarks.fuzz.hostile import changed, extremes
    from benchmarks.fuzz.target import Target
    from benchmarks.fuzz.targets import TARGETS


class TooLong(Exception):
    """An input took longer than it may."""


def main(parser: str, inputs: int, folder: Path) -> None:
    """Run a parser on its extremes and on so many inputs; raise what it should not have raised."""
    target = TARGETS[parser]
    limit = MEMORY_MB * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    signal.signal(signal.SIGPROF, _end)
    _extremes(target, folder)
    if atheris:
        _guided(target, inputs, folder)
    else:
        _unguided(target, inputs, folder)


def _extremes(target: Target, folder: Path) -> None:
    slowest, count = 0.0, 0
    for data in (*target.seeds, *extremes(target.seeds, PLACES)):
        began = time.process_time()
        _hold(target, data, folder)
        slowest, count = max(slowest, time.process_time() - began), count + 1
    _say(f"extremes: {count} slowest: {slowest:.2f}")


def _hold(target: Target, data: bytes, folder: Path) -> None:
    """Run a parser on an input; what it should not have raised ends this process, and the input is
    kept."""
    held = False
    try:
        _timed(target, data)
        held = True
    finally:
        if not held:
            (folder / "crash-input").write_bytes(data)


def _timed(target: Target, data: bytes) -> None:
    """Run a parser within its time, which is that of the processor: a busy machine is no hang."""
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        target.run(data)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _end(*_: Any) -> None:
    raise TooLong(f"an input took more than {SECONDS} seconds")


def _guided(target: Target, inputs: int, folder: Path) -> None:
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(target.seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    options = {
        "runs": inputs, "max_len": LONGEST, "timeout": STUCK_SECONDS, "rss_limit_mb": MEMORY_MB,
        "artifact_prefix": f"{folder}/crash-", "print_final_stats": 1, "seed": SEED,
        "reduce_inputs": 0,
    }  # fmt: skip
    words = [sys.argv[0], *(f"-{name}={value}" for name, value in options.items()), str(corpus)]
    atheris.Setup(words, partial(_timed, target), custom_mutator=_mutator(target))
    atheris.Fuzz()  # ends this process


def _mutator(target: Target) -> Callable[[bytes, int, int], bytes]:
    def mutate(data: bytes, longest: int, seed: int) -> bytes:
        draw = Random(seed)  # noqa: S311 - inputs, no secrets
        if draw.random() < _OWN:
            return changed(data, target.seeds, draw)[:longest]
        return bytes(atheris.Mutate(data, longest))

    return mutate


def _unguided(target: Target, inputs: int, folder: Path) -> None:
    draw = Random(SEED)  # noqa: S311 - inputs, no secrets
    for _ in range(inputs):
        data = changed(draw.choice(target.seeds), target.seeds, draw)[:LONGEST]
        _hold(target, data, folder)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    _say(f"stat::number_of_executed_units: {inputs}\nstat::peak_rss_mb: {peak}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
