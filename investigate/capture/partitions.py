"""Which prefixes of the raw bucket a window needs, and their objects in the order of their keys."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import date, timedelta
from itertools import groupby
from math import inf
from operator import attrgetter
from typing import NamedTuple

from investigate.aws import Listed, Objects
from investigate.layouts import RawLayout
from investigate.model import Window

AHEAD = 8  # prefixes that are listed at the same time

Dates = tuple[str, str]
Level = Callable[[str], tuple[list[str], list[Listed]]]


class Partition(NamedTuple):
    """A prefix to list, or objects that stand between the prefixes."""

    prefix: str
    objects: tuple[Listed, ...] = ()


def dates_of(window: Window) -> Dates:
    """Return the first and the last event date whose objects a window needs.

    A day before and after are listed too, because a replay compares times as text (D6), and an
    aggregate is one of a whole day. Under an event date stand all its ingest dates, however late
    they are.
    """
    day = timedelta(days=1)
    last = window.end + day - timedelta(microseconds=1)
    return _day_before(window.start.date()).isoformat(), last.date().isoformat()


def _day_before(day: date) -> date:
    with suppress(OverflowError):
        return day - timedelta(days=1)
    return day


def partitions(
    level: Level, prefix: str, dates: Dates | None, layout: RawLayout
) -> list[Partition]:
    """Return what has to be listed below a prefix for these event dates (None: all), in order.

    `level` returns the prefixes right below one, and the objects that stand there. Folders that
    have not the names of the layout are listed wholly.
    """
    levels = layout.levels
    found = [Partition(prefix)]
    with ThreadPoolExecutor(AHEAD) as pool:
        # Without dates nothing is left out, and a listing of each day would only cost requests.
        for depth in range(len(levels) if dates else len(levels) - 1):
            above = levels[depth - 1] if depth else None
            opened = [place for place in found if _opens(place, above, prefix)]
            below = dict(zip(opened, pool.map(lambda p: _level(level, p), opened), strict=True))
            found = [one for place in found for one in below.get(place, [place])]
    if dates:
        found = [one for one in found if _is_covered(one, prefix, dates, layout)]
    return sorted(found, key=_first_key)


def _first_key(place: Partition) -> bytes:
    return (place.objects[0].key if place.objects else place.prefix).encode()


def _opens(place: Partition, above: str | None, prefix: str) -> bool:
    """Whether what is below a place is to be told apart: a prefix of the level that is named."""
    if place.objects:
        return False
    return place.prefix == prefix if above is None else _last(place.prefix).startswith(above)


def _level(level: Level, place: Partition) -> list[Partition]:
    below, here = level(place.prefix)
    alone = (tuple(some) for _, some in groupby(here, attrgetter("key")))
    return [*(Partition(one) for one in below), *(Partition(place.prefix, some) for some in alone)]


def _is_covered(place: Partition, prefix: str, dates: Dates, layout: RawLayout) -> bool:
    return bool(place.objects) or covers(place.prefix, prefix, dates, layout)


def covers(key: str, prefix: str, dates: Dates, layout: RawLayout) -> bool:
    """Return whether a list of these event dates names a key below the prefix, if it is there."""
    day = layout.date_of(key.removeprefix(prefix))
    return key.startswith(prefix) and (day is None or dates[0] <= day <= dates[1])


def _last(prefix: str) -> str:
    return prefix.rstrip("/").rsplit("/", 1)[-1]


def in_steps(
    entries: Iterable[Listed], most: int, most_bytes: float = inf, largest: int = 0
) -> Iterator[list[Listed]]:
    """Yield objects in steps of so many, or of so many bytes, of each object no more than the
    `largest`; all versions of one key are in the same step."""
    step: list[Listed] = []
    size = 0
    for entry in entries:
        full = len(step) >= most or size >= most_bytes
        if full and entry.key != step[-1].key:
            yield step
            step, size = [], 0
        step.append(entry)
        size += min(entry.size, largest)
    if step:
        yield step


def listed(objects: Objects, found: Iterable[Partition], after: str) -> Iterator[Listed]:
    """Yield the objects of places in the order of their keys, several places read ahead.

    Objects with a key up to `after` are left out; what lies before it is not listed again.
    """
    wanted = (place for place in found if not is_before(place, after))
    started: deque[_Ahead] = deque()
    with ThreadPoolExecutor(AHEAD) as pool:
        for place in wanted:
            started.append(_Ahead(pool, _pages(objects, place, after)))
            if len(started) == AHEAD:
                yield from started.popleft()
        while started:
            yield from started.popleft()


def is_before(place: Partition, after: str) -> bool:
    """Return whether all of a place has keys up to this one."""
    if place.objects:
        return place.objects[-1].key.encode() <= after.encode()
    return not after.startswith(place.prefix) and place.prefix.encode() < after.encode()


def _pages(objects: Objects, place: Partition, after: str) -> Iterator[Sequence[Listed]]:
    if place.objects:
        yield place.objects
    else:
        yield from objects.listing(place.prefix, after if after.startswith(place.prefix) else "")


class _Ahead:
    """The objects of one place, whose next page is fetched while one is used."""

    def __init__(self, pool: ThreadPoolExecutor, pages: Iterator[Sequence[Listed]]) -> None:
        self._pool = pool
        self._pages = pages
        self._next = self._fetch()

    def _fetch(self) -> Future[Sequence[Listed]]:
        return self._pool.submit(next, self._pages, ())

    def __iter__(self) -> Iterator[Listed]:
        while page := self._next.result():
            self._next = self._fetch()
            yield from page
