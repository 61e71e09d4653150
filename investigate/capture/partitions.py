"""Which prefixes of the raw bucket a window needs, and their objects in the order of their keys."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import date, timedelta
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from investigate.aws import Listed, Objects
from investigate.model import Window

AHEAD = 8  # prefixes that are listed at the same time
# The levels of a raw key above its event date; what is named otherwise is listed wholly.
_LEVELS = ("source=", "event_type=", "event_date=")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_DATED = re.compile(rf"source=[^/]*/event_type=[^/]*/event_date=({_DAY.pattern})/")

Dates = tuple[str, str]
Level = Callable[[str], tuple[list[str], list[Listed]]]


class Place(NamedTuple):
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


def places(level: Level, prefix: str, dates: Dates | None) -> list[Place]:
    """Return what has to be listed below a prefix for these event dates (None: all), in order.

    `level` returns the prefixes right below one, and the objects that stand there.
    """
    found = [Place(prefix)]
    with ThreadPoolExecutor(AHEAD) as pool:
        # Without dates nothing is left out, and a listing of each day would only cost requests.
        for depth, name in enumerate(_LEVELS if dates else _LEVELS[:2]):
            above = ("", *_LEVELS)[depth]
            opened = [place for place in found if _opens(place, above, prefix)]
            levels = dict(zip(opened, pool.map(lambda p: _level(level, p), opened), strict=True))
            found = [one for place in found for one in levels.get(place, [place])]
            found = [one for one in found if not _is_outside(one, name, dates)]
    return sorted(found, key=_first_key)


def _first_key(place: Place) -> bytes:
    return (place.objects[0].key if place.objects else place.prefix).encode()


def _opens(place: Place, above: str, prefix: str) -> bool:
    """Whether what is below a place is to be told apart: a prefix of the level that is named."""
    if place.objects:
        return False
    return place.prefix == prefix if not above else _last(place.prefix).startswith(above)


def _level(level: Level, place: Place) -> list[Place]:
    below, here = level(place.prefix)
    alone = (tuple(some) for _, some in groupby(here, attrgetter("key")))
    return [*(Place(one) for one in below), *(Place(place.prefix, some) for some in alone)]


def _is_outside(place: Place, name: str, dates: Dates | None) -> bool:
    last = _last(place.prefix)
    if dates is None or place.objects or name != "event_date=" or not last.startswith(name):
        return False
    day = last.removeprefix(name)
    return bool(_DAY.fullmatch(day)) and not dates[0] <= day <= dates[1]


def covers(key: str, prefix: str, dates: Dates) -> bool:
    """Return whether a list of these event dates names a key below the prefix, if it is there."""
    dated = _DATED.match(key.removeprefix(prefix))
    return key.startswith(prefix) and (dated is None or dates[0] <= dated[1] <= dates[1])


def _last(prefix: str) -> str:
    return prefix.rstrip("/").rsplit("/", 1)[-1]


def listed(objects: Objects, found: Iterable[Place], after: str) -> Iterator[Listed]:
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


def is_before(place: Place, after: str) -> bool:
    """Return whether all of a place has keys up to this one."""
    if place.objects:
        return place.objects[-1].key.encode() <= after.encode()
    return not after.startswith(place.prefix) and place.prefix.encode() < after.encode()


def _pages(objects: Objects, place: Place, after: str) -> Iterator[Sequence[Listed]]:
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
