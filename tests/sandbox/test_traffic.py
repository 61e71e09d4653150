from __future__ import annotations

from collections import Counter
from datetime import timedelta
from itertools import pairwise
from random import Random

import pytest

from investigate import pipeline
from investigate.model import parse_time
from investigate.pipeline import REFERENCE
from investigate.sandbox.demo import staged
from investigate.sandbox.stories import WINDOW
from investigate.sandbox.traffic import FEEDS, Arrival, Feed, arrivals_of
from tests.sandbox.pipelines import rows


def chance(seed: int) -> Random:
    return Random(seed)  # noqa: S311 - the same for every run, which is the point


def events(feed: Feed) -> list[Arrival]:
    return [arrival for arrival in arrivals_of(feed, chance(1)) if not arrival.repeated]


@pytest.mark.parametrize("feed", FEEDS, ids=lambda feed: feed.source)
def test_a_day_of_an_entity_fits_into_one_batch(feed: Feed) -> None:
    days = Counter((a.event["entity_id"], a.event["event_time"][:10]) for a in events(feed))
    assert max(days.values()) <= REFERENCE.batch_size
    assert len(days) == 3 * len(feed.entities)


def test_a_feed_with_more_events_than_its_batches_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="one batch"):
        Feed("shop", "order", ("a",), 11)


@pytest.mark.parametrize("feed", FEEDS, ids=lambda feed: feed.source)
def test_a_feed_keeps_its_beat_and_stays_away_from_the_edges_of_the_window(feed: Feed) -> None:
    times = [parse_time(arrival.event["event_time"]) for arrival in events(feed)]
    beat = timedelta(days=1) / feed.per_day
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert min(gaps) > 0.7 * beat
    assert max(gaps) < 1.3 * beat
    assert times[0] - WINDOW.start > timedelta(minutes=10)
    assert WINDOW.end - times[-1] > timedelta(minutes=10)


@pytest.mark.parametrize("feed", FEEDS, ids=lambda feed: feed.source)
def test_no_two_events_of_a_feed_carry_the_same_payload(feed: Feed) -> None:
    shas = [pipeline.payload_sha(arrival.event["payload"]) for arrival in events(feed)]
    assert len(set(shas)) == len(shas)


def test_some_times_have_milliseconds_and_some_payloads_are_not_ascii() -> None:
    some = [arrival.event for feed in FEEDS for arrival in events(feed)]
    assert {len(event["event_time"]) for event in some} == {len("2026-03-10T00:00:00Z"), 24}
    assert any(not event["payload"]["remark"].isascii() for event in some)


def test_a_repeated_request_is_the_same_request_on_the_same_day() -> None:
    feed = Feed("shop", "order", ("a",), 10, retried=1.0)
    first, again = arrivals_of(feed, chance(1))[:2]
    assert again == Arrival(again.moment, first.event, repeated=True)
    assert again.moment > first.moment
    assert again.moment.date() == first.moment.date()


def test_the_same_seed_sends_the_same_events_at_the_same_times() -> None:
    feed = FEEDS[0]
    assert arrivals_of(feed, chance(3)) == arrivals_of(feed, chance(3))
    assert arrivals_of(feed, chance(3)) != arrivals_of(feed, chance(4))


def test_every_day_is_aggregated_after_it_is_over_and_in_one_version() -> None:
    feed = Feed("shop", "order", tuple("abcdefgh"), 80)
    with staged((), [feed]) as (sandbox, truth):
        versions = rows(sandbox, "aggregates")
    assert set(truth.days.values()) == {"complete"}
    counted = Counter(f"{row['entity_id']} {row['day']}" for row in versions)
    assert counted.keys() == {f"{entity} {day}" for entity, day in truth.days}
    twice = {key for key, count in counted.items() if count > 1}
    assert twice == truth.findings["aggregates/churn"]
    assert 0 < len(twice) < len(counted) / 2
    assert all(row["computed_at"] > row["window_end"] for row in versions)
    assert {int(row["input_count"]) for row in versions} == {10}
