"""Random clients that repeat their attempts by a rule, and whether the rule can be told at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from random import Random

from investigate.sandbox.stories import LAG, Plot, Story, at

# How many gaps one sequence must have for its rule to be told, by AWS's own formulas and the tests
# of the reference (aws-facts.md, section 10); pooled sequences need no more than one alone.
ENOUGH: Mapping[str, int] = {
    "fixed": 2, "exponential": 3, "truncated-exponential": 5, "jittered-exponential": 8,
    "randomised": 6,
}  # fmt: skip
INSUFFICIENT = "insufficient"
LONGEST = 600.0  # seconds; a longer wait is no retry any more


@dataclass(frozen=True, slots=True)
class Retrier:
    """A client: its name, its rule, and the waiting times of each of its sequences, in seconds."""

    name: str
    pattern: str
    gaps: tuple[tuple[float, ...], ...]
    hour: int

    @property
    def enough(self) -> bool:
        """Whether there are gaps enough for the rule to be told."""
        return len(self.gaps[0]) >= ENOUGH[self.pattern]


def draw_retrier(rng: Random, place: int) -> Retrier:
    """Return a client of a random rule, with random parameters."""
    pattern = rng.choice(list(ENOUGH))
    base, factor = rng.uniform(0.5, 3), rng.uniform(1.6, 2.6)
    length = rng.choice((1, 2, 3, 5, 6, 8, 9))
    if pattern == "truncated-exponential":
        length = max(length, 6)
    sequences = rng.randint(2, 8)
    rule = _RULES[pattern]
    gaps = tuple(
        tuple(_noisy(rng, gap) for gap in rule(rng, length, base, factor)) for _ in range(sequences)
    )
    return Retrier(f"client-{place}", pattern, gaps, rng.randint(1, 8))


def _noisy(rng: Random, gap: float) -> float:
    return round(min(gap, LONGEST) * rng.uniform(0.98, 1.02), 3)


def _fixed(rng: Random, length: int, base: float, factor: float) -> list[float]:
    return [3 * base] * length


def _exponential(rng: Random, length: int, base: float, factor: float) -> list[float]:
    return [base * min(factor, 1.9) ** n for n in range(length)]


def _truncated(rng: Random, length: int, base: float, factor: float) -> list[float]:
    head = max(3, length - 3)
    cap = base * factor ** (head - 1) * 1.4
    return [base * factor**n for n in range(head)] + [cap] * (length - head + 1)


def _jittered(rng: Random, length: int, base: float, factor: float) -> list[float]:
    return [base * 1.9**n * rng.uniform(0.1, 1) for n in range(length)]


def _randomised(rng: Random, length: int, base: float, factor: float) -> list[float]:
    return [rng.uniform(1, 9) * base for _ in range(length)]


_RULES: Mapping[str, Callable[[Random, int, float, float], list[float]]] = {
    "fixed": _fixed, "exponential": _exponential, "truncated-exponential": _truncated,
    "jittered-exponential": _jittered, "randomised": _randomised,
}  # fmt: skip


def tell_retrier(plot: Plot, retrier: Retrier) -> list[Story]:
    """Return the stories of a client's sequences, which record the rule it follows."""
    plot.repeated(retrier.pattern, [len(gaps) for gaps in retrier.gaps])
    return [_sequence(plot, retrier, number) for number in range(len(retrier.gaps))]


def _sequence(plot: Plot, retrier: Retrier, number: int) -> Story:
    moment = at(12, f"{retrier.hour + number:02d}:10")
    event = plot.event(moment, payload={"order": f"{retrier.name}-{number}"})
    moment += LAG
    yield moment
    sent = plot.send(event)
    for gap in retrier.gaps[number]:
        moment += timedelta(seconds=gap)
        yield moment
        plot.send(event)
    plot.truth.add("events/duplicate", sent.event_id)
