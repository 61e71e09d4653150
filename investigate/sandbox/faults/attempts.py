"""How clients repeat their attempts: one fault per pattern, each with a source of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from random import Random

from investigate.sandbox.faults.registry import fault
from investigate.sandbox.stories import LAG, Plot, Story, at

SEQUENCES = 8
Gaps = Callable[[Random], Sequence[float]]


@fault("retries-fixed")
def retries_fixed(plot: Plot) -> Story:
    """A client tries again every four seconds."""
    yield from _repeating(plot, "fixed", lambda _: [4.0] * 5)


@fault("retries-exponential")
def retries_exponential(plot: Plot) -> Story:
    """A client doubles its waiting time without end."""
    yield from _repeating(plot, "exponential", lambda _: [2.0**n for n in range(6)])


@fault("retries-truncated")
def retries_truncated(plot: Plot) -> Story:
    """A client doubles its waiting time up to a cap."""
    cap = 16.0
    yield from _repeating(
        plot, "truncated-exponential", lambda _: [min(cap, 2.0**n) for n in range(8)]
    )


@fault("retries-jittered")
def retries_jittered(plot: Plot) -> Story:
    """A client waits a random part of a waiting time that doubles."""
    yield from _repeating(
        plot, "jittered-exponential", lambda rng: [2**n * rng.uniform(0.2, 1) for n in range(9)]
    )


@fault("retries-randomised")
def retries_randomised(plot: Plot) -> Story:
    """A client waits a random time around a constant."""
    yield from _repeating(plot, "randomised", lambda rng: [rng.uniform(1, 9) for _ in range(8)])


def _repeating(plot: Plot, pattern: str, gaps: Gaps) -> Story:
    repeats = []
    for number in range(SEQUENCES):
        event = plot.event(at(10, f"{6 + number:02d}:40"))
        moment = at(10, f"{6 + number:02d}:40") + LAG
        yield moment
        sent = plot.send(event)
        waits = gaps(plot.rng)
        repeats.append(len(waits))
        for gap in waits:
            moment += timedelta(seconds=gap * plot.rng.uniform(0.98, 1.02))
            yield moment
            plot.send(event)
        plot.truth.add("events/duplicate", sent.event_id)
    plot.repeated(pattern, repeats)
