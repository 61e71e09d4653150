"""Which invocations follow when a batch holds bad records: what is delivered again, and lost.

For streams: "Configuring how Lambda handles errors with stream sources" and "Best practices for
partial batch responses" (AWS Lambda Developer Guide). A failed batch comes again until
`MaximumRetryAttempts` is used up, then the whole of what is left of it is discarded; splitting a
batch in two does not count as an attempt; a reported item is a checkpoint, before which nothing
comes again. Two points are documented nowhere, and are settings here: which half has the odd
record, and whether a checkpoint begins the count of attempts anew. For queues: "How Lambda
processes records from stream and queue-based event sources" and the redrive policy of SQS.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

ENDLESS = -1  # of MaximumRetryAttempts: until the record expires
SHOWN_REPEATS = 3  # of an endless repetition, this many invocations stand for all
MOST_RECORDS = 10_000  # the largest batch of any mapping

Range = tuple[int, int]  # the first and the last record, from 1


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """How the mapping of a stream handles a failed batch, in the words of its API."""

    retry_attempts: int = ENDLESS  # MaximumRetryAttempts
    bisect: bool = False  # BisectBatchOnFunctionError
    report_failures: bool = False  # FunctionResponseTypes: ReportBatchItemFailures
    larger_half_first: bool = False
    checkpoint_restarts_count: bool = True


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """How a queue and its mapping handle a failed batch; without a redrive policy it comes again
    until the message's retention ends."""

    max_receive_count: int | None = None
    report_failures: bool = False


@dataclass(frozen=True, slots=True)
class Walk:
    """What becomes of one batch: `invocations` in their order, how often each record was delivered
    (the first record first), and the records that were `discarded`, in the ranges in which they
    were. `endless` are the records of the invocation that comes again for ever, and `starved` those
    that are never done because of it."""

    invocations: tuple[Range, ...]
    deliveries: tuple[int, ...]
    discarded: tuple[Range, ...]
    endless: Range | None = None
    starved: tuple[int, ...] = ()

    @property
    def lost(self) -> set[int]:
        """The discarded records, one by one."""
        return {n for first, last in self.discarded for n in range(first, last + 1)}


def stream_walk(settings: StreamSettings, records: int, bad: Collection[int]) -> Walk:
    """Return what a stream's mapping does with a batch of so many records, of which some always
    fail; they are numbered from 1. Raises `ValueError` for records that are not in the batch."""
    _refuse_strange(records, bad)
    return _Stream(settings, frozenset(bad)).walk(records)


def queue_walk(settings: QueueSettings, records: int, bad: Collection[int]) -> Walk:
    """Return what becomes of a batch from a queue if its messages come again together, which is the
    worst case: the queue may put them into other batches. A discarded message is one that the
    redrive policy moves to the dead-letter queue."""
    _refuse_strange(records, bad)
    whole = tuple(range(1, records + 1))
    again = tuple(sorted(bad)) if settings.report_failures else whole
    if not bad:
        return Walk((_span(whole),), (1,) * records, ())
    endless = settings.max_receive_count is None
    receives = settings.max_receive_count or SHOWN_REPEATS
    deliveries = tuple(receives if n in again else 1 for n in whole)
    rest = (_span(again),) * (receives - 1)
    return Walk(
        (_span(whole), *rest),
        deliveries,
        () if endless else tuple(_runs(again)),
        _span(again) if endless else None,
        tuple(again) if endless else (),
    )


def _refuse_strange(records: int, bad: Collection[int]) -> None:
    if not 1 <= records <= MOST_RECORDS:
        raise ValueError(f"a batch has 1 to {MOST_RECORDS:,} records, not {records}")
    strange = sorted(n for n in bad if not 1 <= n <= records)
    if strange:
        raise ValueError(f"the batch of {records} has no record {strange[0]}")


class _Stream:
    """One shard: batches are handled strictly one after another."""

    def __init__(self, settings: StreamSettings, bad: frozenset[int]) -> None:
        self._settings = settings
        self._bad = bad
        self._invocations: list[Range] = []
        self._discarded: list[Range] = []

    def walk(self, records: int) -> Walk:
        waiting = [(1, records, 0)]  # the next one last: first, last, attempts that failed
        endless = None
        while waiting and endless is None:
            first, last, failed = waiting.pop()
            self._invocations.append((first, last))
            left = self._left_of(first, last)
            if left is None:
                continue
            if failed + 1 > SHOWN_REPEATS - 1 and self._settings.retry_attempts == ENDLESS:
                endless = (left, last)
            waiting.extend(self._next(first, left, last, failed))
        return Walk(
            tuple(self._invocations),
            tuple(sum(a <= n <= b for a, b in self._invocations) for n in range(1, records + 1)),
            tuple(self._discarded),
            endless,
            tuple(sorted(_inside(waiting))) if endless else (),
        )

    def _left_of(self, first: int, last: int) -> int | None:
        """The first record that is not done after an invocation; None if all are."""
        failing = [n for n in self._bad if first <= n <= last]
        if not failing:
            return None
        return min(failing) if self._settings.report_failures else first

    def _next(self, first: int, left: int, last: int, failed: int) -> list[tuple[int, int, int]]:
        """What is waiting in the place of a batch that failed, the next one last."""
        settings = self._settings
        if settings.bisect and left > first:  # split at the checkpoint
            return [(left, last, 0)]
        if settings.bisect and last > left:
            half = (last - left + 1 + settings.larger_half_first) // 2
            return [(left + half, last, 0), (left, left + half - 1, 0)]
        if left > first and settings.checkpoint_restarts_count:
            return [(left, last, 0)]
        if settings.retry_attempts != ENDLESS and failed >= settings.retry_attempts:
            self._discarded.append((left, last))
            return []
        return [(left, last, failed + 1)]


def _inside(ranges: Collection[tuple[int, int, int]]) -> Iterator[int]:
    for first, last, _ in ranges:
        yield from range(first, last + 1)


def _span(records: tuple[int, ...]) -> Range:
    return records[0], records[-1]


def _runs(records: tuple[int, ...]) -> Iterator[Range]:
    """The unbroken ranges of ascending numbers."""
    start = before = records[0]
    for n in records[1:]:
        if n != before + 1:
            yield start, before
            start = n
        before = n
    yield start, before
