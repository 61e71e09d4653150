"""Kill `process-briefly` at many moments, and see whether the next command disables the mapping."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from random import Random

from benchmarks.reliability.trouble import Trouble, trouble
from investigate import cli

SECONDS = "4"  # of processing, if nothing kills it; a busy machine needs one to enable the mapping
LONGEST_DELAY = 0.4  # between a request and the kill, of every second trial
# Whichever command comes next, it disables the mapping before anything else.
NEXT = (("process-briefly", "--undo"), ("replay",), ("redrive",))


@dataclass(frozen=True, slots=True)
class Trial:
    """One kill: at which request, how long after it, and the mapping before and after the undo."""

    request: int
    delay: float
    killed: bool
    left: str
    after: str


def _command(known: Trouble, case: Path) -> list[str]:
    arguments = known.arguments("process-briefly", case, "--max-seconds", SECONDS)
    return [sys.executable, "-m", "investigate", *arguments]


def operations_of_a_run(known: Trouble, case: Path) -> list[str]:
    """The operations that an undisturbed run asks for, in order."""
    before = len(known.served.record)
    done = subprocess.run(  # noqa: S603 - our own command
        _command(known, case), capture_output=True, text=True, check=False
    )
    if done.returncode or known.mapping() != "Disabled":
        raise RuntimeError(f"an undisturbed run fails: {done.stderr}")
    return [asked.operation for asked in known.served.record[before:]]


def trial(known: Trouble, case: Path, after: Sequence[str], request: int, delay: float) -> Trial:
    """Kill a run so long after one of its requests, then let the next command undo."""
    first = len(known.served.record)
    running = subprocess.Popen(  # noqa: S603 - our own command
        _command(known, case), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )

    def hook(asked: int) -> None:
        if asked - first != request:
            return
        if delay:
            threading.Timer(delay, running.kill).start()
        else:
            running.kill()

    known.served.hook = hook
    code = running.wait()
    known.served.hook = None
    left = known.mapping()
    name, *more = after
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        cli.main([name, str(case), *more, "--allow-writes", *known.aws()])
    undone = known.mapping()
    known.sandbox.stop_consumer()
    return Trial(request, delay, code == -signal.SIGKILL, left, undone)


def trials(known: Trouble, place: Path, many: int, seed: int = 7) -> list[Trial]:
    """So many kills: every second one at a request, spread evenly over all those of a run; the
    others a while after one, spread over those from the first change of the mapping to the last."""
    operations = operations_of_a_run(known, known.copy(place / "undisturbed"))
    changes = [n for n, name in enumerate(operations, 1) if name == "UpdateEventSourceMapping"]
    random = Random(seed)  # noqa: S311 - chance, no secret
    done = []
    for number in range(many):
        share = number / many
        if number % 2:
            request = changes[1] + int(share * (changes[-1] - changes[1] + 1))
            delay = random.uniform(0.001, LONGEST_DELAY)
        else:
            request, delay = 1 + int(share * len(operations)), 0.0
        case = known.copy(place / f"trial-{number + 1}")
        done.append(trial(known, case, NEXT[(number + 1) % len(NEXT)], request, delay))
    return done


def run(many: int) -> int:
    """Print how many kills left the mapping enabled, and how many of all were undone; 1 if not
    every one was."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        with trouble(place, processing=False) as known:
            done = trials(known, place, many)
    killed = sum(one.killed for one in done)
    left = sum(one.left != "Disabled" for one in done)
    undone = sum(one.after == "Disabled" for one in done)
    print(f"{many} runs, {killed} killed before their end")
    print(f"the mapping was left enabled by {left}")
    print(f"disabled after the next command: {undone} of {many}")
    return 0 if undone == many and left else 1
