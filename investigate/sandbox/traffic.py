"""Healthy traffic: regular sources, benign retries, every day of every entity aggregated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from random import Random
from typing import Any

from investigate import pipeline
from investigate.pipeline import REFERENCE, Design
from investigate.sandbox.stories import Plot, Story, at

DAYS = (10, 11, 12)
REPLAYED_TWICE_EVERY = 7  # every so many days of an entity, somebody replays it once more
REMARKS = ("", "Größe 42", "注文 №7", "déjà vu ✓", "naïve 🙂", "10 % off")


@dataclass(frozen=True, slots=True)
class Feed:
    """A source with a rhythm: so many events of one type a day, dealt out to its entities."""

    source: str
    event_type: str
    entities: tuple[str, ...]
    per_day: int
    retried: float = 0.0  # the share of events whose client sends them a second time

    def __post_init__(self) -> None:
        if self.per_day > REFERENCE.batch_size * len(self.entities):
            raise ValueError(f"{self.source}: a day of an entity must fit into one batch")


FEEDS = (
    Feed("webshop", "order", ("customer-1", "customer-2", "customer-3", "customer-4"), 40, 0.05),
    Feed("mobile-app", "payment", ("wallet-1", "wallet-2", "wallet-3"), 30, 0.05),
    Feed("warehouse", "shipment", ("depot-1", "depot-2"), 20, 0.05),
    Feed("thermostat", "reading", ("room-1",), 10),
)
LIGHT = (Feed("thermostat", "reading", ("room-1",), 10),)


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request of a client: when it reaches ingest, and whether it repeats an earlier one."""

    moment: datetime
    event: dict[str, Any]
    repeated: bool = False


def healthy_traffic(plot: Plot, feeds: Sequence[Feed] = FEEDS) -> list[Story]:
    """Return the stories of a pipeline in which nothing is wrong."""
    arrivals = [arrival for feed in feeds for arrival in arrivals_of(feed, plot.rng, plot.design)]
    arrivals.sort(key=lambda arrival: arrival.moment)
    entities = [entity_id for feed in feeds for entity_id in feed.entities]
    return [_ingested(plot, arrivals), _aggregated(plot, entities)]


def arrivals_of(feed: Feed, rng: Random, design: Design = REFERENCE) -> list[Arrival]:
    """Return what the clients of a feed send in the three days, in the order of its events."""
    arrivals: list[Arrival] = []
    serial = count(1)
    for day in DAYS:
        for position in range(feed.per_day):
            when = _event_time(feed, day, position, rng)
            event = _event(feed, when, next(serial), rng, design.aggregate.summed)
            moment = _time_of(event) + timedelta(milliseconds=rng.randrange(700, 8_000))
            arrivals.append(Arrival(moment, event))
            if rng.random() < feed.retried:
                late = timedelta(milliseconds=rng.randrange(3_000, 30_000))
                arrivals.append(Arrival(moment + late, event, repeated=True))
    return arrivals


def _event_time(feed: Feed, day: int, position: int, rng: Random) -> datetime:
    beat = timedelta(days=1) / feed.per_day
    # Half a beat from midnight, so that no event stands near the edge of a window.
    moment = at(day, "00:00") + beat * (position + 0.5) + beat * rng.uniform(-0.1, 0.1)
    milliseconds = rng.randrange(1, 1_000) if rng.random() < 0.3 else 0
    return moment.replace(microsecond=milliseconds * 1_000)


def _event(
    feed: Feed, when: datetime, serial: int, rng: Random, summed: str | None
) -> dict[str, Any]:
    entity_id = feed.entities[serial % len(feed.entities)]
    return {
        "source": feed.source,
        "event_type": feed.event_type,
        "entity_id": entity_id,
        "event_time": pipeline.format_time(when),
        "payload": {
            "number": serial,
            "amount": round(rng.uniform(1, 250), 2),
            "remark": rng.choice(REMARKS),
            "lines": [{"item": rng.randrange(100), "count": rng.randrange(1, 5)}],
            **({summed: 100 + serial} if summed else {}),
        },
    }


def _time_of(event: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(event["event_time"])


def _ingested(plot: Plot, arrivals: Sequence[Arrival]) -> Story:
    for arrival in arrivals:
        yield arrival.moment
        sent = plot.send(arrival.event)
        if arrival.repeated:
            plot.truth.add("events/duplicate", sent.event_id)
            plot.truth.retried(arrival.event["source"], "insufficient")  # one gap has no pattern


def _aggregated(plot: Plot, entities: Sequence[str]) -> Story:
    """Every day alone, after it is over and in one batch; a few days a second time."""
    for day in DAYS:
        for position, entity_id in enumerate(entities):
            yield at(day + 1, "00:40") + timedelta(seconds=20 * position)
            plot.process(day, "complete", entity_id)
            if (day + position) % REPLAYED_TWICE_EVERY == 0:
                yield at(day + 1, "00:40") + timedelta(seconds=20 * position + 10)
                plot.replay(day, entity_id)
                plot.consume()
                plot.churned(day, entity_id)
