"""Programs that a benchmark starts: with time limits, and none is left behind."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

HOST = "127.0.0.1"
_LISTENS_WITHIN = 30.0  # seconds
_STOPS_WITHIN = 5.0


class Failed(Exception):
    """A program did not do what the benchmark needs of it."""


def finished(
    command: Sequence[str | Path],
    *,
    within: float,
    folder: Path | None = None,
    given: str = "",
    environment: Mapping[str, str] | None = None,
) -> str:
    """Return what a program prints; raise `Failed` with its last words."""
    try:
        done = subprocess.run(  # noqa: S603
            [str(word) for word in command],
            input=given,
            capture_output=True,
            text=True,
            timeout=within,
            cwd=folder,
            env=_environment(environment or {}),
            check=False,
        )
    except FileNotFoundError as error:
        raise Failed(f"{command[0]} is not there") from error
    except subprocess.TimeoutExpired as error:
        raise Failed(f"{command[0]} was not done after {within:.0f} s") from error
    if done.returncode:
        raise Failed(f"{' '.join(map(str, command))}:\n{(done.stderr or done.stdout)[-2000:]}")
    return done.stdout


def _environment(given: Mapping[str, str]) -> dict[str, str]:
    """Nothing of this shell's AWS settings: no program here can reach an account."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {**kept, **given}


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(
    command: Sequence[str | Path], port: int, environment: Mapping[str, str]
) -> Iterator[str]:
    """Yield the URL of a server that runs meanwhile; raise `Failed` if it does not listen."""
    server = subprocess.Popen(  # noqa: S603
        [str(word) for word in command],
        env=_environment(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(server, port, str(command[0]))
        yield f"http://{HOST}:{port}"
    finally:
        server.terminate()
        try:
            server.wait(_STOPS_WITHIN)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait(server: subprocess.Popen[bytes], port: int, name: str) -> None:
    until = time.monotonic() + _LISTENS_WITHIN
    while time.monotonic() < until:
        if server.poll() is not None:
            raise Failed(f"{name} ended with code {server.returncode} instead of serving")
        try:
            socket.create_connection((HOST, port), 0.3).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise Failed(f"{name} does not listen on port {port}")
