"""The product's own commands, each in a process of its own that can be killed, hurried, or put on
a small disk."""

from __future__ import annotations

import multiprocessing as mp
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.reliability.disks import Disk, mounted, obey_permissions, take_back
from investigate import cli
from investigate.sandbox.cloud import CREDENTIAL

HURRY = 20  # waits between two tries are so many times shorter than they would be
PATIENCE = 2.0  # seconds for which a request is tried again, instead of minutes
TOLD = 2  # seconds that one target of a notification has
LONGEST = 600.0  # no command takes so long; what does is stuck
NOTEBOOKS = ("00_overview", "04_sqs")  # that a report runs here: one could fail, and another
STUCK = "stuck"
# A process that has everything imported, and none of the emulator's frozen time.
_PROCESSES = mp.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["benchmarks.reliability.warm"])


@dataclass(frozen=True)
class Command:
    """One command line, and the circumstances of its process.

    `answer_seconds`: how long an answer of AWS may take, if not as long as usual. `dies` is where
    it kills itself: at the n-th call of a function of a module. `breaks` is a function that breaks
    the product, for the test of the judge.
    """

    arguments: tuple[str, ...]
    disk: Disk | None = None
    answer_seconds: float | None = None
    notebooks: Path | None = None
    obedient: bool = False  # even as root, it is refused what its permissions forbid
    environment: Mapping[str, str] = field(default_factory=dict)
    dies: tuple[str, str, int] | None = None
    breaks: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """How a command ended: its exit code (-9: killed), and what it wrote to both streams."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """Everything a person sees, without what a terminal overwrites."""
        return "\n".join(line.rsplit("\r", 1)[-1] for line in (self.out + self.err).splitlines())

    @property
    def is_bug(self) -> bool:
        """Whether it ended with a traceback, which says nothing to a person on call, or never."""
        return "Traceback (most recent call last)" in self.err or STUCK in self.err[-20:]


class Running:
    """A command at work."""

    def __init__(self, command: Command) -> None:
        self._command = command
        self._streams = tempfile.TemporaryDirectory(prefix="reliability-")
        place = Path(self._streams.name)
        self._out, self._err = place / "out", place / "err"
        self._process: Any = _PROCESSES.Process(
            target=_run, args=(command, str(self._out), str(self._err))
        )
        self._process.start()
        self._over = False

    def signal(self, number: int) -> None:
        """Send a signal to it, if it still runs; its last requests may ask for that once more."""
        if not self._over and self._process.is_alive():
            os.kill(self._process.pid, number)

    def said(self) -> Said:
        """Wait until it has ended, and return how."""
        self._process.join(LONGEST)
        stuck = self._process.is_alive()
        if stuck:
            self._process.kill()
            self._process.join()
        out, err = (_read(path) for path in (self._out, self._err))
        code = int(self._process.exitcode)
        self._over = True
        self._process.close()
        self._streams.cleanup()
        if self._command.disk:
            take_back(self._command.disk)
        return Said(code, out, err + STUCK * stuck)


def said(*arguments: object, **circumstances: Any) -> Said:
    """Run a command to its end and return what it said."""
    return Running(Command(tuple(map(str, arguments)), **circumstances)).said()


def killed_after(seconds: float, command: Command, number: int = signal.SIGKILL) -> Said:
    """Run a command and send it a signal after some seconds."""
    running = Running(command)
    timer = threading.Timer(seconds, running.signal, (number,))
    timer.start()
    try:
        return running.said()
    finally:
        timer.cancel()


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


def _run(command: Command, out: str, err: str) -> None:
    """Answer a command line in this process, as `investigate` does."""
    for number, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    # As at a terminal: what a shell starts in the background ignores Ctrl-C, and hands that on.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.stdin, sys.stdout, sys.stderr = (
        os.fdopen(0, "r", closefd=False),
        os.fdopen(1, "w", encoding="utf-8", closefd=False),
        os.fdopen(2, "w", encoding="utf-8", closefd=False),
    )
    os.environ.update(
        AWS_ACCESS_KEY_ID=CREDENTIAL, AWS_SECRET_ACCESS_KEY=CREDENTIAL, NO_PROXY="127.0.0.1"
    )
    os.environ.update(command.environment)
    _hurry(command)
    if command.breaks:
        command.breaks()
    if command.dies:
        _arm(*command.dies)
    with mounted(command.disk):
        if command.obedient:
            obey_permissions()
        code = cli.main(command.arguments)
        sys.stdout.flush()
        sys.stderr.flush()
    sys.exit(code)


def _arm(module: str, name: str, calls: int) -> None:
    """Let this process be killed at so many calls of a function, before it does anything."""
    owner: Any = import_module(module)
    *classes, function = name.split(".")
    for one in classes:
        owner = getattr(owner, one)
    inner, left = getattr(owner, function), iter(range(calls - 1))

    def deadly(*given: Any, **named: Any) -> Any:
        if next(left, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
        return inner(*given, **named)

    setattr(owner, function, deadly)


def _hurry(command: Command) -> None:
    """Shorten what is waited for; nothing else is other than on a night of incidents."""
    from investigate.aws import connection, store, writing
    from investigate.checks import book
    from investigate.commands import capture, recovering, report
    from investigate.findings import examine
    from investigate.model import Step
    from investigate.notify import targets

    in_full = time.sleep
    hurried: Any = time
    hurried.sleep = lambda seconds: in_full(seconds / HURRY)
    unsafe: Any = os  # a kill loses nothing that was written; a power cut would
    unsafe.fsync = lambda descriptor: None
    capture.PATIENCE_SECONDS = PATIENCE
    recovering.POLL_SECONDS = 0.01
    targets.SECONDS = TOLD
    store._RETRIES = {**store._RETRIES, "max_retries": 3}
    if command.answer_seconds:
        connection.READ_SECONDS = command.answer_seconds
        store.READ_SECONDS = command.answer_seconds
        writing.READ_SECONDS = command.answer_seconds
        connection._ATTEMPTS = 2
    # Which checks a report asks makes no difference at its boundaries; all of them take seconds.
    assert book.of(Step.RAW)  # noqa: S101 - a report of no checks would prove nothing
    asked: Any = report
    asked.examine = partial(examine, steps=(Step.RAW,))
    if command.notebooks:
        paths = [command.notebooks / f"{name}.ipynb" for name in NOTEBOOKS]
        asked.sources = lambda folder: paths
