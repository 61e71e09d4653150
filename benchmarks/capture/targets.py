"""What the capture has to reach, as ratios within one run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.capture.contenders import Role
from benchmarks.capture.contest import Figures, of_role

MEMORY_RATIO = 1.5
MEMORY_MB = 600.0


@dataclass(frozen=True, slots=True)
class Target:
    """One figure and its bound."""

    name: str
    value: float
    bound: float
    at_least: bool = True
    unit: str = "×"

    @property
    def met(self) -> bool:
        """Whether the figure keeps to its bound."""
        return self.value >= self.bound if self.at_least else self.value <= self.bound

    def __str__(self) -> str:
        word = "at least" if self.at_least else "at most"
        value, bound = f"{self.value:.2f}{self.unit}", f"{self.bound:g}{self.unit}"
        return f"{'met   ' if self.met else 'MISSED'}  {self.name}: {value} ({word} {bound})"


def targets(subject: str, figures: Sequence[Figures]) -> list[Target]:
    """Return the targets of a subject."""
    return list({"raw": _raw, "list": _listing, "tables": _tables}[subject](figures))


def of_memory(small: float, large: float) -> list[Target]:
    """Return the targets of the peaks of memory with few and with many objects, in MB."""
    return [
        Target("memory, ten times the objects", large / small, MEMORY_RATIO, at_least=False),
        Target("memory, most", max(small, large), MEMORY_MB, at_least=False, unit=" MB"),
    ]


def _raw(figures: Sequence[Figures]) -> Iterator[Target]:
    ours = of_role(figures, Role.OURS).rate
    yield Target("raw, ours to boto3", ours / of_role(figures, Role.BASELINE).rate, 6)
    for one in figures:
        if one.contender.tooled:
            yield Target(f"raw, ours to {one.contender.name}", ours / one.rate, 1)


def _listing(figures: Sequence[Figures]) -> Iterator[Target]:
    ours = of_role(figures, Role.OURS).rate
    yield Target("list, ours to boto3", ours / of_role(figures, Role.BASELINE).rate, 4)


def _tables(figures: Sequence[Figures]) -> Iterator[Target]:
    ours = of_role(figures, Role.OURS).rate
    for one in figures:
        if one.contender.tooled:
            yield Target(f"tables, ours to {one.contender.name}", ours / one.rate, 2)
    limit = of_role(figures, Role.LIMIT).rate
    yield Target("tables, server's limit to ours", limit / ours, 1.3, at_least=False)
