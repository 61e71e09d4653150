from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from investigate.aws import Listed
from investigate.capture.partitions import (
    Partition,
    covers,
    dates_of,
    is_before,
    listed,
    partitions,
)
from investigate.model import Window
from investigate.pipeline import REFERENCE

DATES = ("2026-03-09", "2026-03-11")


def entry(key: str) -> Listed:
    return Listed(key, 1, None, None)


class Bucket:
    """Keys, listed as S3 lists them; `asked` are the prefixes whose objects were listed."""

    def __init__(self, *keys: str) -> None:
        self.keys = sorted(keys, key=str.encode)
        self.asked: list[str] = []

    def level(self, prefix: str) -> tuple[list[str], list[Listed]]:
        tails = [key.removeprefix(prefix) for key in self.keys if key.startswith(prefix)]
        below = {prefix + tail.split("/")[0] + "/" for tail in tails if "/" in tail}
        return sorted(below), [entry(prefix + tail) for tail in tails if "/" not in tail]

    def listing(self, prefix: str, after: str = "") -> Any:
        self.asked.append(prefix)
        found = [key for key in self.keys if key.startswith(prefix) and key > after]
        return iter([[entry(key)] for key in found])  # a page for each


def day(date: str, name: str = "x", source: str = "web") -> str:
    return f"raw/source={source}/event_type=order/event_date={date}/{name}"


def keys_of(bucket: Bucket, dates: tuple[str, str] | None = DATES, after: str = "") -> list[str]:
    found = partitions(bucket.level, "raw/", dates, REFERENCE.raw_layout)
    return [one.key for one in listed(bucket, found, after)]  # type: ignore[arg-type]


def window(start: str, end: str) -> Window:
    return Window.parse(start, end)


@pytest.mark.parametrize(
    ("start", "end", "dates"),
    [
        ("2026-03-10T00:00:00Z", "2026-03-11T00:00:00Z", ("2026-03-09", "2026-03-11")),
        ("2026-03-10T00:00:00Z", "2026-03-11T00:00:01Z", ("2026-03-09", "2026-03-12")),
        ("2026-03-10T23:00:00Z", "2026-03-10T23:30:00Z", ("2026-03-09", "2026-03-11")),
    ],
)
def test_a_window_needs_its_days_and_one_before_and_after(start, end, dates):
    assert dates_of(window(start, end)) == dates


def test_the_first_day_of_all_has_none_before_it():
    first = Window(datetime.min.replace(tzinfo=UTC), datetime(2026, 3, 10, tzinfo=UTC))
    assert dates_of(first)[0] == "0001-01-01"


def test_only_the_event_dates_of_the_window_are_listed():
    inside = [day("2026-03-09"), day("2026-03-11")]
    bucket = Bucket(*inside, day("2026-03-08"), day("2026-03-12"))
    assert keys_of(bucket) == inside
    assert not [prefix for prefix in bucket.asked if "03-08" in prefix or "03-12" in prefix]


def test_without_dates_everything_is_listed():
    bucket = Bucket(day("2020-01-01"), day("2026-03-10"), "raw/loose")
    assert keys_of(bucket, None) == bucket.keys


def test_what_is_named_otherwise_is_listed_wholly():
    bucket = Bucket(
        day("today"),
        day("2026-3-8"),
        "raw/loose.json",
        "raw/elsewhere/event_date=2020-01-01/x",
        "raw/source=web/loose",
        "raw/source=web/kind=order/event_date=2020-01-01/x",
        "raw/source=web/event_type=order/loose",
    )
    assert keys_of(bucket) == bucket.keys


def test_the_keys_come_in_the_order_of_their_bytes_whatever_stands_between():
    bucket = Bucket(
        day("2026-03-10", source="a"),
        day("2026-03-10", source="a-b"),
        day("2026-03-10", source="ä"),
        day("2026-03-10", source="\U0001f642"),
        day("2026-03-10", source="\uffff"),
        "raw/source=a.json",
        "raw/source=a0",
    )
    assert keys_of(bucket) == bucket.keys


def test_after_a_key_come_the_keys_after_it_and_what_is_before_is_not_listed_again():
    bucket = Bucket(*(day(f"2026-03-{date}", name) for date in ("09", "10", "11") for name in "ab"))
    assert keys_of(bucket, after=day("2026-03-10", "a")) == bucket.keys[3:]
    assert not [prefix for prefix in bucket.asked if "03-09" in prefix]


@pytest.mark.parametrize(
    ("place", "after", "before"),
    [
        (Partition("raw/a/"), "raw/b", True),
        (Partition("raw/a/"), "raw/a/x", False),
        (Partition("raw/b/"), "raw/a/x", False),
        (Partition("raw/", (entry("raw/a"),)), "raw/a", True),
        (Partition("raw/", (entry("raw/b"),)), "raw/a", False),
    ],
)
def test_a_place_is_behind_if_all_its_keys_are(place, after, before):
    assert is_before(place, after) is before


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("raw/source=a/event_type=b/event_date=2026-03-10/x.json", True),
        ("raw/source=a/event_type=b/event_date=2026-03-09/x.json", True),
        ("raw/source=a/event_type=b/event_date=2026-03-08/x.json", False),
        ("raw/source=a/event_type=b/event_date=2026-03-12/x.json", False),
        ("raw/source=a/event_type=b/event_date=someday/x.json", True),
        ("raw/source=a/elsewhere/event_date=2026-01-01/x.json", True),
        ("raw/x.json", True),
        ("other/source=a/event_type=b/event_date=2026-03-10/x.json", False),
    ],
)
def test_a_list_of_dates_covers_them_and_what_is_named_otherwise(key, expected):
    assert covers(key, "raw/", DATES, REFERENCE.raw_layout) is expected
    assert (key in keys_of(Bucket(key))) is expected
