"""Faults of sources: silence, lateness, wrong clocks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from investigate import pipeline
from investigate.sandbox.faults.registry import fault
from investigate.sandbox.stories import WINDOW, Plot, Story, at

BEAT = timedelta(hours=2)


@fault("silent-gap")
def silent_gap(plot: Plot) -> Story:
    """A regular source is silent for most of a day."""
    before = list(_beats(plot, WINDOW.start + BEAT / 2, 15))
    after = list(_beats(plot, at(12, "02:00"), 11))
    yield from plot.arrive(*before, *after)
    start, end = before[-1]["event_time"], after[0]["event_time"]
    plot.truth.add("raw/gap", f"{plot.name} order {start} {end}")


@fault("source-stopped")
def source_stopped(plot: Plot) -> Story:
    """A regular source falls silent and does not come back."""
    events = list(_beats(plot, WINDOW.start + BEAT / 2, 24))
    yield from plot.arrive(*events)
    end = pipeline.format_time(WINDOW.end)
    plot.truth.add("raw/gap", f"{plot.name} order {events[-1]['event_time']} {end}")


@fault("late-after-aggregate")
def late_after_aggregate(plot: Plot) -> Story:
    """An event arrives after its day was aggregated."""
    yield from plot.usual(10, 15, 3)
    yield at(10, "18:00")
    plot.replay(10)
    plot.consume()
    yield at(10, "18:31")
    plot.send(plot.event(at(10, "17:33" if plot.is_daily else "15:53")))
    plot.verdict(10, "stale")


@fault("very-late")
def very_late(plot: Plot) -> Story:
    """Events arrive later than anybody waits for them."""
    yield from plot.usual(11, 5, 2)
    yield at(11, "13:35")
    for minute in (35, 36):
        sent = plot.send(plot.event(at(11, f"06:{minute}")))
        plot.truth.add("raw/late", sent.event_id)
    yield at(12, "02:50")
    plot.process(11, "complete")


@fault("clock-skew")
def clock_skew(plot: Plot) -> Story:
    """A producer's clock runs ahead; the stored lag hides it (D17)."""
    yield from plot.usual(11, 13, 2)
    yield at(11, "13:50")
    ahead = plot.send(plot.event(at(11, "13:57")))
    plot.truth.add("raw/clock-skew", ahead.event_id)
    yield at(12, "02:52")
    plot.process(11, "complete")


def _beats(plot: Plot, first: datetime, number: int) -> Iterator[dict[str, Any]]:
    for position in range(number):
        jitter = timedelta(seconds=plot.rng.randrange(-90, 90))
        yield plot.event(first + BEAT * position + jitter)
