"""Captures in processes of their own, against a served sandbox, that can be killed and compared."""

from __future__ import annotations

import multiprocessing as mp
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.reliability.captures import FEEDS
from benchmarks.reliability.commands import HURRY
from investigate.aws import Connection, connect
from investigate.capture import (
    CaptureOptions,
    capture,
    exported,
    log_events,
    logs,
    raw,
    spans,
    tables,
)
from investigate.case import Case, open_case
from investigate.case_writer import CaseWriter
from investigate.errors import InvestigationError
from investigate.sandbox.cloud import CREDENTIAL
from investigate.sandbox.demo import staged
from investigate.sandbox.serve import Served, serve
from investigate.sandbox.stories import CAPTURED, WINDOW
from investigate.sandbox.truth import GroundTruth
from investigate.sandbox.weather import CALM
from investigate.sandbox.world import Sandbox
from investigate.settings import PipelineNames, Settings

OPTIONS = CaptureOptions(WINDOW, CAPTURED)
PATIENCE = 120.0
# A pipeline so small is read in steps as small, so that each table takes many: only then does a
# capture that goes on need what it noted.
FEW = 5
STEPS = (
    (raw, "STEP_OBJECTS"),
    (tables, "STEP_ROWS"),
    (tables, "KEYS_AT_ONCE"),
    (exported, "STEP_ROWS"),
    (log_events, "STEP_EVENTS"),
    (logs, "STEP_ROWS"),
)
# What answers in pages, and what asks for short ones; the emulator would answer all at once, and
# with one log stream after the other, which AWS has not done since 2019.
_SHORT: dict[str, dict[str, Any]] = {
    "Scan": {"Limit": FEW},
    "Query": {"Limit": FEW},
    "FilterLogEvents": {"limit": 4 * FEW, "interleaved": True},
}

# A process that has everything imported, and none of the emulator's frozen time.
_PROCESSES = mp.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["benchmarks.reliability.warm"])


@dataclass(frozen=True)
class Job:
    """One capture as a process of its own does it."""

    folder: Path
    url: str
    names: PipelineNames
    options: CaptureOptions = OPTIONS
    resume: bool = False
    objects: str = "obstore"
    steps: bool = True  # small ones
    dies_before_it_publishes: bool = False


@dataclass(frozen=True)
class Ending:
    """How a capture ended: finished, with an error that a person reads, with a bug, or killed."""

    how: str
    said: str = ""


class Client:
    """A process that captures; it can be killed at any moment."""

    def __init__(self, job: Job) -> None:
        self._heard, telling = _PROCESSES.Pipe(duplex=False)
        self._process = _PROCESSES.Process(target=_run, args=(job, telling), daemon=True)
        self._process.start()
        telling.close()

    def kill(self) -> None:
        """End it as a closed laptop would, if it still runs."""
        self._process.kill()

    def ending(self) -> Ending:
        """Wait until it has ended, and return how."""
        try:
            ending = self._heard.recv()
        except EOFError:
            ending = Ending("killed")
        self._process.join()
        self._heard.close()
        return ending


def _run(job: Job, telling: Pipe) -> None:
    os.environ.update(AWS_ACCESS_KEY_ID=CREDENTIAL, AWS_SECRET_ACCESS_KEY=CREDENTIAL)
    if job.dies_before_it_publishes:
        CaseWriter.__enter__ = lambda writer: os.kill(os.getpid(), signal.SIGKILL)
    if job.steps:
        _take_small_steps()
    os.fsync = lambda descriptor: None  # a kill loses nothing that was written; a power cut would
    in_full = time.sleep
    time.sleep = lambda seconds: in_full(seconds / HURRY)
    try:
        connection = connect(
            region=job.names.region,
            endpoint_url=job.url,
            objects=job.objects,
            patience=PATIENCE,
            sampling=bool(job.options.sample_messages),
        )
        capture(
            job.folder,
            Settings(job.names, job.options.window),
            connection,
            job.options,
            resume=job.resume,
        )
    except InvestigationError as error:
        ending = Ending(type(error).__name__, str(error))
    else:
        ending = Ending("finished")
    finally:
        bug = sys.exc_info()[1]
        telling.send(ending if bug is None else Ending("bug", traceback.format_exc()))


def _take_small_steps() -> None:
    # Traces are not read in steps: of the days without any, a few questions are enough.
    spans.SPAN_OF_A_QUESTION = timedelta(days=2)
    for module, name in STEPS:
        assert getattr(module, name) > FEW
        setattr(module, name, FEW)
    call, pages = Connection.call, Connection.pages

    def call_short(self: Connection, service: str, operation: str, **asked: Any) -> Any:
        return call(self, service, operation, **{**_SHORT.get(operation, {}), **asked})

    def pages_short(self: Connection, service: str, operation: str, **asked: Any) -> Any:
        return pages(self, service, operation, **{**_SHORT.get(operation, {}), **asked})

    Connection.call, Connection.pages = call_short, pages_short  # type: ignore[method-assign]


@dataclass
class Campaign:
    """A served pipeline in which everything has happened, and the captures of it."""

    sandbox: Sandbox
    served: Served
    truth: GroundTruth

    def job(self, folder: Path, **changes: Any) -> Job:
        """Return a capture into a folder."""
        return replace(Job(folder, self.served.url, self.sandbox.names), **changes)

    def take(self, folder: Path, **changes: Any) -> Case:
        """Return the case of a capture that must succeed."""
        ending = self.ending(folder, **changes)
        assert ending == Ending("finished"), ending.said
        return open_case(folder)

    def ending(self, folder: Path, **changes: Any) -> Ending:
        """Return how a capture ended that nobody killed."""
        return Client(self.job(folder, **changes)).ending()

    def killed(self, folder: Path, at: int, after: float = 0.0, **changes: Any) -> Ending:
        """Return how a capture ended that was to be killed at a request, or a moment after it."""
        with self.at_request(at) as reached:
            client = Client(self.job(folder, **changes))
            assassin = threading.Thread(target=_kill, args=(client, reached, after))
            assassin.start()
            ending = client.ending()
            reached.set()
            assassin.join()
        return ending

    @contextmanager
    def at_request(self, number: int) -> Iterator[threading.Event]:
        """Tell when the request of that number has come, counted from now."""
        reached = threading.Event()
        self.served.become(CALM)
        self.served.hook = lambda count: reached.set() if count == number else None
        try:
            yield reached
        finally:
            self.served.hook = None

    @contextmanager
    def paused_at(self, number: int) -> Iterator[threading.Event]:
        """Leave the request of that number without an answer until the block ends."""
        paused, go_on = threading.Event(), threading.Event()

        def pause(count: int) -> None:
            if count == number:
                paused.set()
                go_on.wait()

        self.served.become(CALM)
        self.served.hook = pause
        try:
            yield paused
        finally:
            self.served.hook = None
            go_on.set()


def _kill(client: Client, reached: threading.Event, after: float) -> None:
    reached.wait()
    time.sleep(after)
    client.kill()


@contextmanager
def campaigning(*faults: str) -> Iterator[Campaign]:
    """A small pipeline, with faults by name, behind a URL."""
    with staged(faults, FEEDS) as (sandbox, truth), serve(sandbox) as served:
        yield Campaign(sandbox, served, truth)


def moments(count: int, seed: int) -> Iterator[tuple[float, float]]:
    """Yield so many shares of a capture's requests, spread over all of it, and how long after each
    to wait."""
    chance = Random(seed)  # noqa: S311 - reproducible on purpose
    for number in range(count):
        yield (number + chance.random()) / count, chance.choice([0.0, 0.0, chance.uniform(0, 0.02)])
