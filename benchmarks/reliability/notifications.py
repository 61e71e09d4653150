"""Reports whose target of notifications fails in one way."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from benchmarks.reliability.commands import Command, Running, Said
from benchmarks.reliability.reports import QUIET, Reports, half_written
from benchmarks.reliability.trial import Trial, Verdict, bug, first, sentence_of, unclear

NOT_TOLD = 4
_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Answer = Callable[[socket.socket, threading.Event], None]


def _status(number: int) -> Answer:
    def answer(client: socket.socket, ended: threading.Event) -> None:
        client.sendall(f"HTTP/1.1 {number} No\r\nContent-Length: 0\r\n\r\n".encode())

    return answer


def _hang(client: socket.socket, ended: threading.Event) -> None:
    ended.wait()


def _late(client: socket.socket, ended: threading.Event) -> None:
    ended.wait(0.5)
    client.sendall(_OK)


def _endless(client: socket.socket, ended: threading.Event) -> None:
    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n")
    while not ended.is_set():
        client.sendall(b"x" * 65_536)


def _say(content: bytes) -> Answer:
    def answer(client: socket.socket, ended: threading.Event) -> None:
        client.sendall(content)

    return answer


@dataclass
class Target:
    """A web server of one answer; `heard` counts the messages that came, `came` tells the first."""

    port: int
    answer: Answer
    heard: int = 0
    came: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """The address as apprise takes it."""
        return f"json://127.0.0.1:{self.port}/hook"


@contextmanager
def target(answer: Answer) -> Iterator[Target]:
    """A target that gives every message the same answer, or none."""
    listening = socket.create_server(("127.0.0.1", 0))
    known, ended = Target(listening.getsockname()[1], answer), threading.Event()
    serving = threading.Thread(target=_serve, args=(listening, known, ended), daemon=True)
    serving.start()
    try:
        yield known
    finally:
        ended.set()
        listening.shutdown(socket.SHUT_RDWR)  # or the thread that accepts would accept once more
        listening.close()


def _serve(listening: socket.socket, known: Target, ended: threading.Event) -> None:
    while True:
        try:
            client, _ = listening.accept()
        except OSError:
            return  # closed: the trial is over
        threading.Thread(target=_meet, args=(client, known, ended), daemon=True).start()


def _meet(client: socket.socket, known: Target, ended: threading.Event) -> None:
    with client:
        try:
            _read(client)
            known.heard += 1
            known.came.set()
            known.answer(client, ended)
        except OSError:
            return  # the other side has given up, or was killed


def _read(client: socket.socket) -> None:
    """Read one request with its body."""
    content = b""
    while b"\r\n\r\n" not in content:
        content += client.recv(65_536) or _gone()
    head, _, body = content.partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-length:")
    )  # fmt: skip
    while len(body) < length:
        body += client.recv(65_536) or _gone()


def _gone() -> bytes:
    raise ConnectionResetError


@dataclass(frozen=True, slots=True)
class Way:
    """One way in which a target fails; `arrives` if the message counts as told all the same."""

    failure: str
    injected: str
    answer: Answer
    arrives: bool = False
    fast: bool = False


WAYS = (
    Way("throttled", "429", _status(429), fast=True),
    Way("denied", "403", _status(403)),
    Way("timed out", "no answer", _hang),
    Way(
        "cut off halfway", "the connection ends within the answer",
        _say(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
    ),
    Way("wrong shape", "an answer that is no HTTP", _say(b"220 mail ready\r\n")),
    Way("empty", "the connection ends without an answer", _say(b"")),
    Way("enormous", "an answer without an end", _endless),
    Way("slow", "an answer that is late", _late, arrives=True),
)  # fmt: skip


def trials(known: Reports) -> Iterator[Trial]:
    """Yield every trial of a target."""
    for way in WAYS:
        run = partial(_failing, known, way)
        yield Trial("notification", way.failure, "report", way.injected, run, fast=way.fast)
    yield Trial(
        "notification", "killed", "report", "SIGKILL while it waits for the answer",
        partial(_killed, known),
    )  # fmt: skip
    yield Trial(
        "notification", "killed", "report", "nothing listens any more", partial(_gone_away, known)
    )
    yield Trial(
        "notification", "disk full", "report", "what was told cannot be remembered",
        partial(_forgetful, known),
    )  # fmt: skip


def _failing(known: Reports, way: Way, place: Path) -> Verdict:
    out = known.copy(place)
    with target(way.answer) as reached:
        told = known.report(out, "--notify", reached.url)
        reached.answer = _say(_OK)
        return _verdict(known, out, told, reached, NOT_TOLD if not way.arrives else QUIET)


def _verdict(known: Reports, out: Path, told: Said, reached: Target, code: int) -> Verdict:
    """Return the verdict: after a failure the next run tells, and the one after it does not."""
    before = reached.heard
    again = known.report(out, "--notify", reached.url)
    after = reached.heard
    third = known.report(out, "--notify", reached.url)
    expected = before if code == QUIET else before + 1
    lost = first(
        "the next run does not tell" if after < expected else "",
        "the next run tells once more" if after > expected else "",
        "the third run tells once more" if reached.heard > after else "",
    )
    wrong = first(
        bug(told), f"exit code {told.code}" if told.code != code else "",
        f"then exit code {again.code}, {third.code}" if again.code + third.code != 2 else "",
    )  # fmt: skip
    sentence = "" if code == QUIET or told.code < 0 else sentence_of(told)
    ends = "killed" if told.code < 0 else f"exit {told.code}"
    ends += ", told" if code == QUIET else ", the report is whole, the next run tells"
    quiet = code == QUIET or told.code < 0
    return Verdict(
        ends, lost, half_written(out), wrong, "" if quiet else unclear(sentence, "target 1"),
        sentence,
    )  # fmt: skip


def _killed(known: Reports, place: Path) -> Verdict:
    out = known.copy(place)
    with target(_hang) as reached:
        arguments = known.arguments(out, "--notify", reached.url)
        running = Running(Command(arguments, notebooks=known.notebooks))
        reached.came.wait(60)
        running.signal(signal.SIGKILL)
        told = running.said()
        reached.answer = _say(_OK)
        return _verdict(known, out, told, reached, -signal.SIGKILL)


def _gone_away(known: Reports, place: Path) -> Verdict:
    out = known.copy(place)
    with target(_say(_OK)) as reached:
        port = reached.port
    told = known.report(out, "--notify", f"json://127.0.0.1:{port}/hook")
    with target(_say(_OK)) as reached:
        return _verdict(known, out, told, reached, NOT_TOLD)


def _forgetful(known: Reports, place: Path) -> Verdict:
    """A disk on which the report has room, and the memory beside it has none."""
    out = known.copy(place)
    memory = out.with_name(f".{out.name}.notified.lock")
    memory.mkdir()  # what cannot be opened for writing, as on a full disk
    with target(_say(_OK)) as reached:
        told = known.report(out, "--notify", reached.url)
        memory.rmdir()
        return _verdict(known, out, told, reached, NOT_TOLD)
