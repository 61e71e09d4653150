"""Threads that read many objects, and how long an endpoint that does not answer is asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from time import perf_counter
from typing import Self

from investigate.aws import Listed
from investigate.capture.source import Row
from investigate.errors import AccessError

FEWEST, MOST = 16, 96  # threads near by, and far away
UNANSWERED = 32  # objects, until the others are not asked for
RATE = 3_000  # objects a second, which is about what one process can take


class Patience:
    """How often an endpoint may not answer before the remaining objects are not asked for."""

    def __init__(self, left: int = UNANSWERED) -> None:
        self._left = left

    def spend(self, error: AccessError) -> None:
        """Take note of an unread object; raise its error if all others will fail too."""
        if error.kind in ("unreachable", "busy"):
            self._left -= 1
        if error.kind in ("expired", "credentials") or self._left < 0:
            raise error


class Readers:
    """Threads that read objects: as many as the time asks for that the first objects took.

    Near by few threads are fastest; far away most of them wait for an answer. What is read does not
    depend on it.
    """

    def __init__(self, read: Callable[[Sequence[Listed]], list[Row]]) -> None:
        self._read = read
        self._pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool:
            self._pool.shutdown(cancel_futures=True)

    def submit(self, some: Sequence[Listed]) -> Future[list[Row]]:
        """Return what will be the rows of some objects."""
        if self._pool:
            return self._pool.submit(self._read, some)
        begun = perf_counter()
        first: Future[list[Row]] = Future()
        first.set_result(self._read(some))
        self._pool = ThreadPoolExecutor(threads_for((perf_counter() - begun) / len(some)))
        return first


def threads_for(seconds: float) -> int:
    """Return how many threads read objects of which each takes so many seconds."""
    return min(max(round(seconds * RATE), FEWEST), MOST)
