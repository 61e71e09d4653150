"""What a connection has consumed: requests by operation, and read units of DynamoDB."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from investigate.errors import UsageError


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """How much a capture may consume; None is no limit."""

    requests: int | None = None
    read_units: float | None = None


class Meter:
    """Counts what leaves a connection, from any thread; stops a capture at a limit.

    What was asked before a capture began, to reckon what it takes, is counted and not limited.
    """

    def __init__(self, limits: RequestLimits | None = None) -> None:
        self._limits = limits or RequestLimits()
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._requests: Counter[str] = Counter()
        self._read_units = 0.0
        self._before: tuple[int, float] | None = None  # a capture began; None: none did yet

    def request(self, operation: str, count: int = 1) -> None:
        """Count requests that are sent or about to be, by service:Operation.

        Retries of botocore are included; those of obstore are not, as it does not tell of them.
        Raises `KeyboardInterrupt` once it was stopped, so that no thread goes on for long.
        """
        if self._stopped.is_set():
            raise KeyboardInterrupt
        with self._lock:
            self._requests[operation] += count

    def consumed(self, answer: Mapping[str, Any]) -> None:
        """Count the read units that an answer of DynamoDB says it took."""
        told = answer.get("ConsumedCapacity", [])
        for one in told if isinstance(told, list) else [told]:
            with self._lock:
                self._read_units += float(one.get("CapacityUnits", 0))

    def stop(self) -> None:
        """Let nothing more leave the connection, from any thread."""
        self._stopped.set()

    def check(self) -> None:
        """Raise `UsageError` if a limit is reached; what was captured so far can be resumed."""
        limits = self._limits
        with self._lock:
            if self._before is None:
                return
            sent = self._requests.total() - self._before[0]
            units = self._read_units - self._before[1]
        if limits.requests is not None and sent >= limits.requests:
            raise _reached(f"{sent:,} requests", "--max-requests", f"{limits.requests:,}")
        if limits.read_units is not None and units >= limits.read_units:
            raise _reached(f"{units:,.1f} read units", "--max-read-units", f"{limits.read_units:,}")

    def snapshot(self) -> dict[str, Any]:
        """Return what was consumed, as the manifest of a case says it."""
        with self._lock:
            return {
                "requests": dict(sorted(self._requests.items())),
                "read_units": round(self._read_units, 1),
            }

    def start_from(self, snapshot: Mapping[str, Any]) -> None:
        """Begin to hold a capture to the limits, with what an earlier run of it had consumed."""
        with self._lock:
            self._before = self._requests.total(), self._read_units
            self._requests.update(snapshot.get("requests", {}))
            self._read_units += float(snapshot.get("read_units", 0))


def _reached(consumed: str, option: str, limit: str) -> UsageError:
    return UsageError(
        f"the capture stopped after {consumed}: {option} is {limit}",
        hint=f"what was captured until then is kept: go on with --resume and a higher {option}",
    )
