"""The figures that `python -m benchmarks scale --json FILE` wrote, and what follows for more."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.scale.growth import FLOOR, exponent
from benchmarks.scale.measuring import Measured

MAKE = "python -m benchmarks scale --json {path} writes it"
SMALL = 900_000  # events, as `scale --events 1e6` makes a few less; less tells little of 10^8


class Unusable(Exception):
    """A file that is not what the scale benchmark writes."""


@dataclass(frozen=True, slots=True)
class Size:
    """What was measured of a case with so many events."""

    events: int
    stages: Mapping[str, Measured]
    bytes: Mapping[str, int]
    rows: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Growth:
    """A figure at the largest size that was measured, and how it grows."""

    events: int
    figure: float
    exponent: float | None  # None: not measured

    @property
    def used(self) -> float:
        """The exponent that is reckoned with: never below 1, as what a fixed cost hides at a small
        size comes back at a large one."""
        return max(self.exponent or 1.0, 1.0)

    def at(self, events: int) -> float:
        """Return the figure for another number of events."""
        return float(self.figure * (events / self.events) ** self.used)


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the scale benchmark: when, where, and its sizes from the smallest on."""

    on: str
    machine: str
    memory: str
    sizes: tuple[Size, ...]
    faults: int  # stages that failed, and differences from the truth

    @property
    def largest(self) -> Size:
        """The largest size."""
        return self.sizes[-1]

    @property
    def is_small(self) -> bool:
        """Whether it is too small to conclude anything of 10^8 events."""
        far = [size for size in self.sizes if size.events >= FLOOR]
        return len(far) < 2 or self.largest.events < SMALL

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages that were measured, at whatever size."""
        return tuple(dict.fromkeys(name for size in self.sizes for name in size.stages))

    def growth(self, stage: str, figure: Callable[[Measured], float]) -> Growth:
        """Return how a figure of a stage grows; raise `KeyError` if it was never measured."""
        known = {
            size.events: figure(size.stages[stage]) for size in self.sizes if stage in size.stages
        }
        if not known:
            raise KeyError(stage)
        return Growth(max(known), known[max(known)], exponent(known))

    def bytes_per_event(self, *tables: str) -> float:
        """Return the bytes of an event in these tables, or in all, at the largest size."""
        size = self.largest
        return sum(size.bytes.get(name, 0) for name in tables or size.bytes) / size.events

    def rows_per_event(self, table: str) -> float:
        """Return the rows of a table for each event, at the largest size."""
        return self.largest.rows[table] / self.largest.events


def read(path: Path) -> Run:
    """Return the run in a file; raise `Unusable` with what is wrong and what to type."""
    make = MAKE.format(path=path)
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Unusable(f"{path} cannot be read: {error.strerror}; {make}") from error
    except ValueError as error:
        raise Unusable(f"{path} is no JSON: {error}; {make}") from error
    try:
        made = [_size(one) for one in told["sizes"] if one["bytes"] and one["stages"]]
        sizes = tuple(sorted(made, key=lambda size: size.events))
        faults = sum(len(one["failures"]) + len(one["differences"] or ()) for one in told["sizes"])
        run = Run(told["on"], told["machine"], told["memory"], sizes, faults)
    except (KeyError, TypeError, AttributeError) as error:
        said = f"{type(error).__name__}: {error}"
        raise Unusable(f"{path} is not what the scale benchmark writes ({said}); {make}") from error
    if not sizes:
        raise Unusable(f"{path} holds no size of which anything was measured; {make}")
    return run


def _size(told: Mapping[str, Any]) -> Size:
    return Size(
        told["events"],
        {name: Measured(**one) for name, one in told["stages"].items()},
        told["bytes"],
        told["rows"],
    )
