"""An incident drawn from a seed: random traffic, days of entities, retriers, faults and truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from investigate.sandbox.faults import faults, stories_of_faults
from investigate.sandbox.incidents.entity_day import EntityDay, tell
from investigate.sandbox.incidents.fates import AFTER, FATES
from investigate.sandbox.incidents.processing import PLANS
from investigate.sandbox.incidents.retriers import Retrier, draw_retrier, tell_retrier
from investigate.sandbox.stories import Plot, Story
from investigate.sandbox.traffic import FEEDS, Feed, healthy_traffic

DAYS = (10, 11)  # processed on the 11th and 12th, before what stops the consumer on the 13th
SLOTS = 90
MOST_NAMED = 4
# These blind the evidence of others, or share a queue with them: one of them in an incident.
EXCLUSIVE = (
    "consumer-stopped", "doubled-messages-waiting", "malformed-messages", "concurrency-zero",
    "poison-object", "dry-run-processor", "dry-run-replay",
)  # fmt: skip
WORDS = ("basket", "meter", "parcel", "voucher", "sensor", "ticket", "invoice", "claim")


@dataclass(frozen=True, slots=True)
class Incident:
    """What will happen, as data: nothing of it is left to chance afterwards."""

    seed: int
    number: int
    feeds: tuple[Feed, ...]
    entity_days: tuple[EntityDay, ...]
    retriers: tuple[Retrier, ...]
    named: tuple[str, ...]


def draw(seed: int, number: int) -> Incident:
    """Return incident `number` of a seed; the same one every time, whatever else is drawn."""
    rng = Random(f"incident {seed} {number}")  # noqa: S311
    return Incident(
        seed, number, _feeds(rng), _entity_days(rng, seed, number), _retriers(rng), _named(rng)
    )


def _feeds(rng: Random) -> tuple[Feed, ...]:
    """Healthy traffic beside it: some of the usual feeds, of a random size."""
    chosen = rng.sample(FEEDS, rng.randint(1, 3))
    return tuple(
        Feed(
            feed.source, feed.event_type, feed.entities,
            rng.randint(4, 10) * len(feed.entities), rng.choice((0.0, 0.05, 0.2)),
        )
        for feed in chosen
    )  # fmt: skip


def _entity_days(rng: Random, seed: int, number: int) -> tuple[EntityDay, ...]:
    slots = rng.sample(range(SLOTS), rng.randint(2, 7))
    return tuple(
        _entity_day(rng, f"{rng.choice(WORDS)}-{place}", slot, f"{seed} {number} {place}")
        for place, slot in enumerate(slots)
    )


def _entity_day(rng: Random, name: str, slot: int, seed: str) -> EntityDay:
    plan = PLANS[rng.choice(list(PLANS))]
    size = rng.randint(plan.least, max(plan.least, min(plan.most, rng.choice((4, 8, 12, 25)))))
    rate = 0.0 if plan.harmless else rng.choice((0.1, 0.3, 0.7))
    choices = [fate for fate in FATES if fate != "fine" and _fits(fate, plan.name)]
    mild = [fate for fate in choices if FATES[fate].harmless]
    fates = [
        rng.choice(choices)
        if rng.random() < rate
        else rng.choice(mild)
        if rng.random() < 0.15
        else "fine"
        for _ in range(size)
    ]
    minutes = _minutes(rng, fates)
    return EntityDay(name, rng.choice(DAYS), minutes, tuple(fates), plan.name, slot, seed)


def _fits(fate: str, plan: str) -> bool:
    """What is done to objects after the day was processed needs a day that was."""
    return FATES[fate].stage != AFTER or plan != "none"


def _minutes(rng: Random, fates: Sequence[str]) -> tuple[float, ...]:
    """Distinct minutes of the day, in order: those of late events in the morning."""
    free = rng.sample(range(20, 22 * 60, 3), len(fates))
    free.sort()
    latest = 17 * 60
    return tuple(
        round((minute % latest if fate in ("late",) else minute) + rng.uniform(0, 1), 3)
        for minute, fate in zip(free, fates, strict=True)
    )


def _retriers(rng: Random) -> tuple[Retrier, ...]:
    return tuple(draw_retrier(rng, place) for place in range(rng.randint(0, 3)))


def _named(rng: Random) -> tuple[str, ...]:
    """Some of the named faults; of those that blind others, one at most."""
    usual = [fault.name for fault in faults if fault.name not in EXCLUSIVE]
    chosen = rng.sample(usual, rng.randint(0, MOST_NAMED))
    if rng.random() < 0.2:
        chosen.append(rng.choice(EXCLUSIVE))
    return tuple(chosen)


def stories_of(plot: Plot, incident: Incident) -> list[Story]:
    """Return everything that happens in an incident, as stories for a sandbox. A plot of its own
    for each entity-day and client, named after it, so that no two meet."""
    told_by = Random(f"traffic {incident.seed} {incident.number}")  # noqa: S311
    stories = healthy_traffic(replace(plot, rng=told_by), incident.feeds)
    for entity_day in incident.entity_days:
        stories += tell(_named_plot(plot, entity_day.name), entity_day)
    for retrier in incident.retriers:
        stories += tell_retrier(_named_plot(plot, retrier.name), retrier)
    return [*stories, *stories_of_faults(plot, incident.named)]


def _named_plot(plot: Plot, name: str) -> Plot:
    return Plot(plot.sandbox, plot.truth, plot.rng, name)
