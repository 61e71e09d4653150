"""ministack as a process of its own: started on a free port, stopped with all that it started."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
from botocore.config import Config

from tests.conftest import FAKE, UNSET

REGION = FAKE["AWS_DEFAULT_REGION"]
PROGRAM = Path(sys.prefix) / "ministack" / "bin" / "ministack"
STARTS_WITHIN, STOPS_WITHIN = 20, 5  # seconds


class Clients:
    """What creates and drives a pipeline: clients that may write, of the emulator alone."""

    def __init__(self, url: str) -> None:
        self.url = url
        session = boto3.Session(FAKE["AWS_ACCESS_KEY_ID"], FAKE["AWS_SECRET_ACCESS_KEY"])
        config = Config(connect_timeout=5, read_timeout=30, retries={"total_max_attempts": 1})
        self.cloudformation, self.s3, self.sqs, self.lambda_, self.events, self.sns = (
            session.client(service, region_name=REGION, endpoint_url=url, config=config)
            for service in ("cloudformation", "s3", "sqs", "lambda", "events", "sns")
        )


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """Yield the address of an emulator that answers on this machine alone."""
    port = _free_port()
    known = {name: value for name, value in os.environ.items() if name not in UNSET}
    environment = {
        **known,
        **FAKE,
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "MINISTACK_REGION": REGION,
        "LOG_LEVEL": "WARNING",
        "TMPDIR": str(folder),
    }
    with (folder / "ministack.log").open("wb") as log:
        process = subprocess.Popen(
            [PROGRAM], env=environment, cwd=folder, stdout=log, stderr=log, start_new_session=True
        )
        try:
            wait_until(lambda: _answers(process, port), STARTS_WITHIN, "ministack answers")
            yield f"http://127.0.0.1:{port}"
        finally:
            _stop(process)


def wait_until(happened: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait for something to happen; fail when it takes too long."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"after {seconds} s still not: {what}"
        time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    assert process.poll() is None, f"ministack ended with {process.returncode}"
    try:
        socket.create_connection(("127.0.0.1", port), 0.3).close()
    except OSError:
        return False
    return True


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the process and the functions it keeps warm, which are of its group."""
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(STOPS_WITHIN)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(STOPS_WITHIN)
