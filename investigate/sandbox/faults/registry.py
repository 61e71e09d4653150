"""The faults by name: a decorator that registers a story, and the stories of chosen names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from random import Random

from investigate.errors import UsageError
from investigate.layouts import Layout
from investigate.pipeline import Design
from investigate.sandbox.stories import Plot, Story

Tell = Callable[[Plot], Story]
Unfit = Callable[[Design], str]  # why a fault makes no sense in a pipeline; empty if it does


def fits_all(_: Design) -> str:
    """Nothing of the design matters to the fault."""
    return ""


def with_in_raw_key(name: str) -> Unfit:
    """The fault needs a part of the raw key."""

    def unfit(design: Design) -> str:
        there = name in Layout(design.raw_key_layout).names
        return "" if there else f"its raw keys do not tell the {name.replace('_', ' ')}"

    return unfit


def with_batches_below(events: int) -> Unfit:
    """The fault needs so many events to be more than one batch."""

    def unfit(design: Design) -> str:
        small = design.batch_size < events
        return "" if small else f"a batch of {design.batch_size} holds its {events} events"

    return unfit


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong: its name, what happens, the story that makes it happen, and in
    which pipelines that makes no sense."""

    name: str
    summary: str
    tell: Tell
    unfit: Unfit = fits_all

    def refuse_unfit(self, design: Design) -> None:
        """Raise `UsageError` if the fault makes no sense in a pipeline of this design."""
        why = self.unfit(design)
        if why:
            raise UsageError(
                f"the fault {self.name} makes no sense in the pipeline {design.name}: {why}",
                hint=f"leave it out; investigate sandbox faults --pipeline {design.name}",
            )


class Faults:
    """Faults in the order in which they were declared; two of one name are refused."""

    def __init__(self) -> None:
        self._faults: dict[str, Fault] = {}

    def fault(self, name: str, *, unfit: Unfit = fits_all) -> Callable[[Tell], Tell]:
        """Register a story; its docstring says what happens, and its plot carries its name."""

        def register(tell: Tell) -> Tell:
            if name in self._faults:
                raise ValueError(f"two faults have the name {name!r}")
            summary = (tell.__doc__ or "").strip().split("\n")[0]
            if not summary:
                raise ValueError(f"{name}: the docstring must say what happens")
            self._faults[name] = Fault(name, summary, tell, unfit)
            return tell

        return register

    def __iter__(self) -> Iterator[Fault]:
        return iter(self._faults.values())

    def __getitem__(self, name: str) -> Fault:
        if name not in self._faults:
            raise UsageError.unknown("fault", name, self._faults)
        return self._faults[name]


faults = Faults()
fault = faults.fault


def stories_of_faults(plot: Plot, names: Iterable[str]) -> list[Story]:
    """Return the stories of these faults, each with its own name and its own chance."""
    chosen = [faults[name] for name in names]
    for one in chosen:
        one.refuse_unfit(plot.design)
    plot.truth.faults.extend(fault.name for fault in chosen)
    return [fault.tell(_own(plot, fault)) for fault in chosen]


def _own(plot: Plot, fault: Fault) -> Plot:
    # Chance follows from the name, so that a fault is the same whatever it is told together with.
    seed = f"{plot.sandbox.options.seed} {fault.name}"
    return Plot(plot.sandbox, plot.truth, Random(seed), fault.name)  # noqa: S311
