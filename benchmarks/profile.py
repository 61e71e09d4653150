"""Which checks, shared tables and queries of a case take the time: work on all cores and clock."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import ibis.expr.types as ir

from investigate.analysis import aggregates, retries
from investigate.case import open_case
from investigate.checks import answer, book
from investigate.engine import DuckDBEngine
from investigate.evidence import Evidence
from investigate.memory import EngineMemory

_WIDTH = 100  # of a query that is printed


@dataclass
class Spent:
    """Seconds of work on all cores and by the clock, of one thing less what it asked of others."""

    cpu: float = 0.0
    wall: float = 0.0
    times: int = 0


@dataclass
class Meter:
    """Adds up what was spent by name. What is asked for the first time inside of something else is
    not counted there: each second is counted once."""

    spent: dict[str, Spent] = field(default_factory=dict)
    _inside: list[list[float]] = field(default_factory=list)

    @contextmanager
    def measuring(self, name: str) -> Iterator[None]:
        """Count what the block takes under a name."""
        self._inside.append([0.0, 0.0])
        cpu, wall = time.process_time(), time.perf_counter()
        try:
            yield
        finally:
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            others = self._inside.pop()
            one = self.spent.setdefault(name, Spent())
            one.cpu, one.wall = one.cpu + cpu - others[0], one.wall + wall - others[1]
            one.times += 1
            if self._inside:
                self._inside[-1][0] += cpu
                self._inside[-1][1] += wall

    def slowest(self, most: int) -> list[tuple[str, Spent]]:
        """Return the names with the most work, the greatest first."""
        return sorted(self.spent.items(), key=lambda one: (-one[1].cpu, one[0]))[:most]


class MeasuredEngine(DuckDBEngine):
    """DuckDB with what compiling and what running took, the latter by query."""

    def __init__(self) -> None:
        """Open an engine whose figures are in `compiling` and `running`, in the memory that the
        environment gives (INVESTIGATE_MEMORY, INVESTIGATE_SPILL)."""
        super().__init__(EngineMemory.asked())
        self.compiling, self.running = Meter(), Meter()
        self.place = ""  # what asks

    def materialise(self, table: ir.Table) -> ir.Table:
        """Run an expression once and return its rows as a table that later expressions read."""
        with self.running.measuring(f"{self.place}: rows"):
            return super().materialise(table)

    def _answers(self, table: ir.Table) -> list[tuple[Any, ...]]:
        with self.running.measuring(f"{self.place}: {','.join(table.columns)[:_WIDTH]}"):
            return super()._answers(table)

    def _sql(self, table: ir.Table) -> str:
        with self.compiling.measuring("all"):
            return super()._sql(table)


class MeasuredEvidence(Evidence):
    """Evidence with what its shared tables took, each less the others that it was built from."""

    def derived(self, name: str, build: Callable[[Evidence], ir.Table]) -> ir.Table:
        """Return a table that several checks share, built and run once."""
        if name in self._tables:
            return self._tables[name]
        with self._asking(f"table {name}"):
            return super().derived(name, build)

    def fact(
        self, name: str, find: Callable[[Evidence], Any], *, of_whole_case: bool = False
    ) -> Any:
        """Return a small value that several checks share, found once."""
        if name in self._facts or name.startswith("rows of "):
            return super().fact(name, find, of_whole_case=of_whole_case)
        with self._asking(f"fact {name}"):
            return super().fact(name, find, of_whole_case=of_whole_case)

    @contextmanager
    def _asking(self, name: str) -> Iterator[None]:
        engine = measured_engine(self)
        before, engine.place = engine.place, name
        try:
            with METER.measuring(name):
                yield
        finally:
            engine.place = before


METER = Meter()


def measured_engine(evidence: Evidence) -> MeasuredEngine:
    """Return the engine of measured evidence."""
    if not isinstance(evidence.engine, MeasuredEngine):
        raise TypeError("the evidence was opened without a measured engine")
    return evidence.engine


def run(case: str, most: int, codes: list[str]) -> int:
    """Ask every check of a case, or these ones, and print what took longest."""
    started = time.process_time()
    engine = MeasuredEngine()
    evidence = MeasuredEvidence(open_case(case), engine)
    opened = time.process_time() - started
    for check in book:
        if not codes or check.code in codes:
            engine.place = check.code
            began = time.process_time(), time.perf_counter()
            with METER.measuring(f"check {check.code}"):
                answer(check, evidence)
            # A large case takes long: who ends it early has seen so much.
            work, clock = time.process_time() - began[0], time.perf_counter() - began[1]
            print(f"{work:8.2f} {clock:8.2f}  {check.code}", file=sys.stderr, flush=True)
    if not codes:
        engine.place = "document"
        with METER.measuring("the findings document"):
            aggregates.document_rows(evidence)
            retries.document_rows(evidence)
    total = time.process_time() - started
    print(
        f"{case}: {total:.1f} s of work, {opened:.1f} s of them to open, {_peak_mb():,} MB at most"
    )
    compiled = engine.compiling.spent["all"]
    print(f"  {compiled.cpu:.1f} s to compile {compiled.times:,} queries")
    _print("checks and shared tables, each less what it asked of others", METER, most)
    _print("queries", engine.running, most)
    return 0


def _print(title: str, meter: Meter, most: int) -> None:
    print(f"\n{title}:\n     work    clock  times")
    for name, one in meter.slowest(most):
        print(f"  {one.cpu:7.2f}  {one.wall:7.2f}  {one.times:5}  {name}")


def _peak_mb() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit // 1_000_000
