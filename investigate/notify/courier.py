"""Sends one message from a process of its own: `python -m investigate.notify.courier`.

What answers at a target's address is not known, and libraries read an answer to its end, however
long it is. A process can be ended, and given no more memory than it needs; a thread cannot.

It reads from its standard input the parts of a message as JSON, and writes as JSON whether it
arrived and what the service said.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from apprise import Apprise, AppriseAsset, NotifyFormat, NotifyType

MEMORY = 1 << 30  # bytes of addresses: Python, apprise and an answer of any use take a tenth
_ASKED = b"\0asked\0"  # written before anything is asked of the target
START_SECONDS = 30  # to import apprise, on a machine with much to do


def send_from_process(message: Mapping[str, str], seconds: float) -> str | None:
    """Send a message (`url`, `title`, `body`, `type`) from another process, which is ended when it
    takes longer; return None if it arrived, or why it did not: what the service said, which may be
    nothing."""
    asked = json.dumps({**message, "seconds": seconds}).encode()
    try:
        done = subprocess.run(  # noqa: S603 - this very Python, and no word of the message
            [sys.executable, "-P", "-m", __name__],
            input=asked,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=seconds + START_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        late_start = f"the process that sends did not start within {START_SECONDS} s"
        return "" if _ASKED in (late.stdout or b"") else late_start
    except OSError as error:
        return f"the process that sends was not started: {error.strerror}"
    return _outcome(done.stdout, done.returncode)


def _outcome(written: bytes, code: int) -> str | None:
    _, asked, answer = written.partition(_ASKED)
    if not asked:
        return f"it was not sent: the process that sends ended with {code}"
    try:
        told = json.loads(answer)
        return None if told["arrived"] else str(told["said"])
    except (ValueError, KeyError, TypeError):
        return f"what it answered could not be read; the process that did ended with {code}"


def asset() -> AppriseAsset:
    """Return how this product introduces itself, with nothing kept on disk."""
    return AppriseAsset(
        app_id="Investigate",
        app_desc="What went wrong in an event pipeline",
        storage_mode="memory",
        secure_logging=True,
    )


def _send(asked: Mapping[str, Any]) -> dict[str, object]:
    logging.getLogger("apprise").addHandler(logging.NullHandler())  # its log quotes URLs
    service = Apprise.instantiate(asked["url"], asset=asset())
    results = Apprise(service, asset=asset()).notify(
        asked["body"],
        title=asked["title"],
        notify_type=NotifyType(asked["type"]),
        body_format=NotifyFormat.TEXT,
        timeout=asked["seconds"],
    )
    attempts = [attempt for result in results for attempt in result.attempts]
    # Not the result: it is a success for a URL with ?optional=yes, whatever happened.
    arrived = bool(attempts and attempts[-1])
    said = dict.fromkeys(entry.message for result in results for entry in result.logs())
    return {"arrived": arrived, "said": "; ".join(said)}


def _bound() -> None:
    """Let this process take no more memory than it needs, where the system knows such a bound."""
    try:
        import resource
    except ImportError:  # Windows
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    bound = MEMORY if hard == resource.RLIM_INFINITY else min(MEMORY, hard)
    # Systems that know the name and not the bound, as macOS, refuse it; the time is bounded anyway.
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (bound, hard))


def main() -> None:
    """Send the message that stands on the standard input."""
    _bound()
    asked = json.loads(sys.stdin.buffer.read())
    answer = os.dup(1)
    os.dup2(2, 1)  # what a library prints is no part of the answer
    os.write(answer, _ASKED)
    os.write(answer, json.dumps(_send(asked)).encode())
    os._exit(0)  # a thread that still reads an answer without an end must not be waited for


if __name__ == "__main__":
    main()
