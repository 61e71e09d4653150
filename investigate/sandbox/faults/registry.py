"""The faults by name: a decorator that registers a story, and the stories of chosen names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from random import Random

from investigate.errors import UsageError
from investigate.sandbox.stories import Plot, Story

Tell = Callable[[Plot], Story]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong: its name, what happens, and the story that makes it happen."""

    name: str
    summary: str
    tell: Tell


class Faults:
    """Faults in the order in which they were declared; two of one name are refused."""

    def __init__(self) -> None:
        self._faults: dict[str, Fault] = {}

    def fault(self, name: str) -> Callable[[Tell], Tell]:
        """Register a story; its docstring says what happens, and its plot carries its name."""

        def register(tell: Tell) -> Tell:
            if name in self._faults:
                raise ValueError(f"two faults have the name {name!r}")
            summary = (tell.__doc__ or "").strip().split("\n")[0]
            if not summary:
                raise ValueError(f"{name}: the docstring must say what happens")
            self._faults[name] = Fault(name, summary, tell)
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


def told(plot: Plot, names: Iterable[str]) -> list[Story]:
    """Return the stories of these faults, each with its own name and its own chance."""
    chosen = [faults[name] for name in names]
    plot.truth.faults.extend(fault.name for fault in chosen)
    return [fault.tell(_own(plot, fault)) for fault in chosen]


def _own(plot: Plot, fault: Fault) -> Plot:
    # Chance follows from the name, so that a fault is the same whatever it is told together with.
    seed = f"{plot.sandbox.options.seed} {fault.name}"
    return Plot(plot.sandbox, plot.truth, Random(seed), fault.name)  # noqa: S311
