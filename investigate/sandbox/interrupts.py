"""How an invocation can be cut short: at which call of which client, and with what."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from botocore.exceptions import ClientError

from investigate.errors import UsageError
from investigate.sandbox.cloud import Clients

# Not Exceptions: the function that is cut short cannot catch them.


class TimedOut(BaseException):
    """The platform ended the invocation at its time limit."""


class OutOfMemory(BaseException):
    """The platform killed the process at its memory limit."""


@dataclass(frozen=True)
class Interrupt:
    """The n-th call of one client's method fails, or takes effect and ends the invocation."""

    service: str
    method: str
    failure: Callable[[], BaseException]
    call: int = 1
    after: bool = False


class _Interrupted:
    """A client that fails once, as told."""

    def __init__(self, client: Any, interrupt: Interrupt) -> None:
        self._client = client
        self._interrupt = interrupt
        self._calls = 0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        return self._counted(found) if name == self._interrupt.method else found

    def _counted(self, operation: Callable[..., Any]) -> Callable[..., Any]:
        def call(**arguments: Any) -> Any:
            self._calls += 1
            due = self._calls == self._interrupt.call
            if due and not self._interrupt.after:
                raise self._interrupt.failure()
            answer = operation(**arguments)
            if due:
                raise self._interrupt.failure()
            return answer

        return call


def interrupted(clients: Clients, interrupt: Interrupt | None) -> Clients:
    """Return the clients with the interrupt built in."""
    if interrupt is None:
        return clients
    client = _Interrupted(getattr(clients, interrupt.service), interrupt)
    return replace(clients, **{interrupt.service: client})


def _storage_unavailable() -> BaseException:
    answer = {
        "Error": {"Code": "ServiceUnavailable", "Message": "Please reduce your request rate."},
        "ResponseMetadata": {"HTTPStatusCode": 503},
    }
    return ClientError(answer, "PutObject")  # type: ignore[arg-type]


def _table_unavailable(operation: str) -> Callable[[], BaseException]:
    answer = {
        "Error": {"Code": "InternalServerError", "Message": "Internal server error"},
        "ResponseMetadata": {"HTTPStatusCode": 500},
    }
    return lambda: ClientError(answer, operation)  # type: ignore[arg-type]


THROTTLED = "throttled"  # the invocation never starts, so there is nothing to interrupt

INGEST_CRASHES: Mapping[str, Interrupt | None] = {
    "after-dedupe": Interrupt("s3", "put_object", _storage_unavailable),
    "after-raw": Interrupt("dynamodb", "put_item", _table_unavailable("PutItem"), call=2),
    "timeout-after-row": Interrupt("dynamodb", "put_item", TimedOut, call=2, after=True),
    THROTTLED: None,
}
REPLAY_CRASHES: Mapping[str, Interrupt | None] = {
    "error": Interrupt("dynamodb", "query", _table_unavailable("Query")),
    THROTTLED: None,
}
PROCESSOR_FAILURES: Mapping[str, Interrupt | None] = {
    "error": Interrupt("dynamodb", "put_item", _table_unavailable("PutItem")),
    "timeout": Interrupt("s3", "get_object", TimedOut),
    "out-of-memory": Interrupt("s3", "get_object", OutOfMemory),
    "throttle": None,
}


def ingest_crash(name: str | None) -> Interrupt | None:
    """Return the interrupt of a named crash of ingest."""
    return _named("crash of ingest", name, INGEST_CRASHES)


def replay_crash(name: str | None) -> Interrupt | None:
    """Return the interrupt of a named crash of replay; `timeout-after-N` is after N messages."""
    partial = re.fullmatch(r"timeout-after-([1-9]\d*)", name or "")
    if partial:
        return Interrupt("sqs", "send_message", TimedOut, call=int(partial[1]), after=True)
    return _named("crash of replay", name, {**REPLAY_CRASHES, "timeout-after-N": None})


def processor_failure(name: str | None) -> Interrupt | None:
    """Return the interrupt of a named failure of the processor."""
    return _named("failure of the processor", name, PROCESSOR_FAILURES)


def _named(kind: str, name: str | None, known: Mapping[str, Interrupt | None]) -> Interrupt | None:
    if name is None:
        return None
    if name not in known:
        raise UsageError.unknown(kind, name, known)
    return known[name]
