"""The figures of all sizes as tables of Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import TYPE_CHECKING

from benchmarks.documents import markdown_table
from benchmarks.scale.growth import FLOOR, exponent
from benchmarks.scale.measuring import Measured

if TYPE_CHECKING:
    from benchmarks.scale.run import Size

PACKAGES = ("duckdb", "ibis-framework", "pyarrow")
_NEEDLE = 0.5  # bytes per event; smaller tables are not shown


def as_markdown(sizes: Sequence[Size], on: date, machine: str, memory: str) -> str:
    """Return the section of this benchmark: where and when, the tables, and whether the findings
    were the truth."""
    option = f" --memory {memory}" if memory else ""
    limit = f"; each engine with {memory} of memory" if memory else ""
    parts = [
        f"## Growth with the number of events (`scale{option}`)",
        f"{on.isoformat()}; {machine}{limit}.",
        _explained(),
        _stages(sizes),
        _growth(sizes),
        _truth(sizes),
        "Bytes per event on disk, by table (Parquet, as a capture writes it):",
        _bytes(sizes),
    ]
    return "\n\n".join(part for part in parts if part)


def _explained() -> str:
    return (
        "Synthetic cases with the fault mix of the sandbox (`benchmarks/synthetic`). Each stage in "
        "a process of its own, imports included: `generate` makes the case and is no part of the "
        "product, `write` spools its rows as a capture does, puts them in order and publishes "
        "them; the others are the commands. Peak: the largest process of a stage."
    )


def _stages(sizes: Sequence[Size]) -> str:
    rows = [
        [f"`{name}`", f"{size.events:,}", *_figures(one, size.events)]
        for name in _names(sizes)
        for size in sizes
        if (one := _of(size, name)) is not None
    ]
    heading = ["stage", "events", "seconds", "CPU seconds", "peak MB", "µs per event"]
    return markdown_table(heading, rows)


def _figures(one: Measured, events: int) -> list[str]:
    each = one.wall / events * 1e6
    return [f"{one.wall:,.1f}", f"{one.cpu:,.1f}", f"{one.peak_mb:,.0f}", f"{each:,.1f}"]


def _names(sizes: Sequence[Size]) -> list[str]:
    names = ["generate", *(name for size in sizes for name in size.stages)]
    return list(dict.fromkeys(names))


def _of(size: Size, name: str) -> Measured | None:
    return size.generated if name == "generate" else size.stages.get(name)


def _growth(sizes: Sequence[Size]) -> str:
    rows = []
    for name in _names(sizes):
        known = {size.events: one for size in sizes if (one := _of(size, name)) is not None}
        kinds: list[Callable[[Measured], float]] = [
            lambda one: one.wall, lambda one: one.cpu, lambda one: one.peak_mb,
        ]  # fmt: skip
        found = [exponent({n: kind(one) for n, one in known.items()}) for kind in kinds]
        if any(value is not None for value in found):
            rows.append([f"`{name}`", *("–" if v is None else f"{v:.2f}" for v in found)])
    if not rows:
        return ""
    heading = ["growth exponent", "seconds", "CPU seconds", "peak MB"]
    told = f"Least squares in log-log over the sizes from {FLOOR:,} events on; 1 is in proportion."
    return markdown_table(heading, rows) + "\n\n" + told


def _truth(sizes: Sequence[Size]) -> str:
    return "\n".join(line for size in sizes for line in _judged(size))


def _judged(size: Size) -> Iterator[str]:
    what = f"* {size.events:,} events: "
    if size.differences is not None:
        wrong = len(size.differences)
        yield what + (
            f"{wrong} differences from the truth"
            if wrong
            else "every key of every check, every day and every group of retries as in the truth"
        )
    for stage, why in size.failures.items():
        yield f"{what}`{stage}` failed: {why.splitlines()[-1]}"


def _bytes(sizes: Sequence[Size]) -> str:
    tables = [
        name
        for name in dict.fromkeys(name for size in sizes for name in size.bytes)
        if any(size.bytes.get(name, 0) >= _NEEDLE * size.events for size in sizes)
    ]
    rows = [
        [f"`{name}`", *(f"{size.bytes.get(name, 0) / size.events:,.1f}" for size in sizes)]
        for name in tables
    ]
    totals = [f"{sum(size.bytes.values()) / size.events:,.1f}" for size in sizes]
    heading = ["table", *(f"{size.events:,} events" for size in sizes)]
    return markdown_table(heading, [*rows, ["all tables", *totals]])
