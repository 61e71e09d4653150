"""One entity's day with random events: what befalls each of them, and how the day is processed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from investigate.sandbox.incidents.fates import AFTER, AT_NIGHT, FATES, Befallen
from investigate.sandbox.incidents.processing import PLANS
from investigate.sandbox.stories import Plot, Story, at

FIRST_SLOT, SLOT = timedelta(hours=11), timedelta(minutes=4)  # of the day after
TYPES = ("order", "return")  # many events of one type could be a rhythm that falls silent
FEW = 9


@dataclass(frozen=True, slots=True)
class EntityDay:
    """A day of one entity: when its events happen (minutes of the day), what befalls each, by which
    plan the day is processed, and in which slot of the next day. All of it drawn beforehand."""

    name: str
    day: int
    minutes: tuple[float, ...]
    fates: tuple[str, ...]
    plan: str
    slot: int
    seed: str


def tell(plot: Plot, day: EntityDay) -> list[Story]:
    """Return the stories of a day, which record what they cause: one for each event, since
    what befalls it may take longer than until the next one, and one for what comes after."""
    befallen: list[Befallen] = []
    events = [_arrival(plot, day, number, befallen) for number in range(len(day.minutes))]
    return [*events, _afterwards(plot, day, befallen)]


def _arrival(plot: Plot, day: EntityDay, number: int, befallen: list[Befallen]) -> Story:
    fate = FATES[day.fates[number]]
    when = at(day.day, "00:00") + timedelta(seconds=round(60 * day.minutes[number], 3))
    kind = TYPES[number % 2] if len(day.minutes) > FEW else TYPES[0]
    event = plot.event(when, event_type=kind, payload={"order": f"{day.name}-{number}"})
    chance = Random(f"{day.seed} {number}")  # noqa: S311
    befallen.append((yield from fate.send(plot, event, chance)))


def _afterwards(plot: Plot, day: EntityDay, befallen: Sequence[Befallen]) -> Story:
    """The night after, in which what comes again is of another ingest date; the processing; and
    what happens when that is done."""
    midnight = at(day.day + 1, "00:00")
    yield midnight + timedelta(minutes=30, seconds=day.slot)
    _happen(plot, befallen, AT_NIGHT)
    begins: datetime = midnight + FIRST_SLOT + day.slot * SLOT
    yield from PLANS[day.plan].run(plot, day.day, begins, befallen)
    yield begins + timedelta(seconds=200)
    _happen(plot, befallen, AFTER)


def _happen(plot: Plot, befallen: Sequence[Befallen], stage: str) -> None:
    for one in befallen:
        if one.fate.stage == stage:
            one.fate.happen(plot, one)
