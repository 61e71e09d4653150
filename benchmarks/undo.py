"""Kill `process-briefly` at many moments, and see whether the next command disables the mapping."""

from __future__ import annotations

import io
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from investigate import cli
from investigate.aws import connect
from investigate.capture import CaptureOptions, capture
from investigate.evidence import Evidence
from investigate.model import Window, isoformat
from investigate.process_plan import document
from investigate.sandbox.serve import Served, serve
from investigate.sandbox.world import Sandbox, SandboxOptions, emulator
from investigate.settings import Settings

START = datetime(2026, 3, 10, 6, tzinfo=UTC)
WINDOW = Window.parse("2026-03-10T00:00:00Z", "2026-03-11T00:00:00Z")
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


@dataclass
class Stage:
    """A pipeline with a disabled mapping and waiting messages, a case of it, and the plan."""

    sandbox: Sandbox
    served: Served
    folder: Path

    @property
    def aws(self) -> tuple[str, ...]:
        """The options that reach the pipeline at its own time."""
        now = isoformat(self.sandbox.clock.now())
        return ("--endpoint-url", self.served.url, "--now", now, "--allow-writes")

    def command(self, case: Path) -> list[str]:
        """The command line that processes briefly."""
        return [
            "process-briefly", str(case), "--plan", str(self.folder / "plan.json"), "--yes",
            "--max-messages", "50", "--max-seconds", SECONDS, *self.aws,
        ]  # fmt: skip

    def case(self, number: int) -> Path:
        """A copy of the case, on which nothing was tried yet."""
        copy = self.folder / f"case-{number}"
        shutil.copytree(self.folder / "case", copy)
        return copy

    def state(self) -> str:
        """The state of the mapping."""
        found = self.sandbox.clients.lambda_.list_event_source_mappings()["EventSourceMappings"]
        return str(found[0]["State"])


@contextmanager
def stage() -> Iterator[Stage]:
    """A pipeline to be processed briefly, behind a URL."""
    with (
        tempfile.TemporaryDirectory() as folder,
        emulator(SandboxOptions(start=START)) as sandbox,
        serve(sandbox) as served,
    ):
        known = Stage(sandbox, served, Path(folder))
        sandbox.stop_consumer()
        for number in range(5):
            sandbox.ingest(_request(number))
        sandbox.replay("e1", isoformat(WINDOW.start), isoformat(WINDOW.end))
        connection = connect(region="eu-west-1", endpoint_url=served.url, sampling=True)
        options = CaptureOptions(window=WINDOW, captured_at=START, sample_messages=10)
        case = capture(known.folder / "case", Settings(sandbox.names, WINDOW), connection, options)
        plan = json.dumps(document(Evidence(case)))
        (known.folder / "plan.json").write_text(plan, encoding="utf-8")
        yield known


def _request(number: int) -> dict[str, object]:
    return {
        "source": "web", "event_type": "order", "entity_id": "e1",
        "event_time": f"2026-03-10T05:00:{number:02d}Z", "payload": {"number": number},
    }  # fmt: skip


def operations_of_a_run(known: Stage) -> list[str]:
    """The operations that an undisturbed run asks for, in order."""
    before = len(known.served.record)
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "investigate", *known.command(known.case(0))],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode or known.state() != "Disabled":
        raise RuntimeError(f"an undisturbed run fails: {done.stderr}")
    return [asked.operation for asked in known.served.record[before:]]


def trial(known: Stage, number: int, request: int, delay: float) -> Trial:
    """Kill a run so long after one of its requests, then let the next command undo."""
    case = known.case(number)
    first = len(known.served.record)
    running = subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", "investigate", *known.command(case)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip

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
    left = known.state()
    _next(known, case, NEXT[number % len(NEXT)])
    after = known.state()
    known.sandbox.stop_consumer()
    return Trial(request, delay, code == -signal.SIGKILL, left, after)


def _next(known: Stage, case: Path, command: Sequence[str]) -> None:
    name, *more = command
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        cli.main([name, str(case), *more, *known.aws])


def trials(known: Stage, many: int, seed: int = 7) -> list[Trial]:
    """So many kills: every second one at a request, spread evenly over all those of a run; the
    others a while after one, spread over those from the first change of the mapping to the last."""
    operations = operations_of_a_run(known)
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
        done.append(trial(known, number + 1, request, delay))
    return done


def run(many: int) -> int:
    """Print how many kills left the mapping enabled, and how many of all were undone; 1 if not
    every one was."""
    with stage() as known:
        done = trials(known, many)
    killed = sum(one.killed for one in done)
    left = sum(one.left != "Disabled" for one in done)
    undone = sum(one.after == "Disabled" for one in done)
    print(f"{many} runs, {killed} killed before their end")
    print(f"the mapping was left enabled by {left}")
    print(f"disabled after the next command: {undone} of {many}")
    return 0 if undone == many and left else 1
