"""The comparison as Markdown: what each tool took, the ratios, and whether the answers agree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from benchmarks.documents import markdown_table
from benchmarks.machine import described
from benchmarks.peers.contest import COMMAND, DUCKDB, OURS, PANDAS, STEPS, Result
from benchmarks.peers.questions import MADE_BY, QUESTIONS
from investigate.checks import book

PACKAGES = ("duckdb", "ibis-framework", "pandas", "pyarrow")
FASTER_THAN_PANDAS, TIMES_OF_DUCKDB = 6.0, 1.5  # the targets


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything about one comparison: the case, the results, and where answers differ."""

    events: int
    rounds: int
    case_bytes: int
    table_bytes: int
    results: Sequence[Result]
    differences: Sequence[str]  # between tools, and from the truth


def as_markdown(comparison: Comparison, on: date) -> str:
    """Return the section of this benchmark."""
    packages = [*PACKAGES, *(["polars"] if _has_polars(comparison) else [])]
    parts = [
        "## Beside other tools (`peers`)",
        f"{on.isoformat()}; {described(packages)}.",
        _explained(comparison),
        _took(comparison.results),
        "\n".join(_targets(comparison.results)),
        _asked(comparison.results),
        "\n".join(_agreement(comparison)),
    ]
    return "\n\n".join(part for part in parts if part)


def _has_polars(comparison: Comparison) -> bool:
    return any(one.rounds and one.contender.package == "polars" for one in comparison.results)


def _explained(comparison: Comparison) -> str:
    steps = ", ".join(f"`{step}`" for step in STEPS)
    asked = sum(check.step.value in STEPS for check in book)
    return (
        f"One synthetic case of {comparison.events:,} events. Each tool answers the questions "
        "below in a process of its own, from its start to the printed answers, imports included; "
        f"best of {comparison.rounds} rounds in which they take turns, the peak is the highest. "
        "Investigate runs its own checks on the case, whose digests it verifies first; the others "
        "read the same tables as plain Parquet, with the columns that a case leaves out "
        f"written for them ({comparison.table_bytes / 1e6:,.0f} MB; the whole case has "
        f"{comparison.case_bytes / 1e6:,.0f} MB), and verify nothing. Their programs are in "
        "`benchmarks/peers/contenders/`. "
        f"{COMMAND.name} answers all {asked} checks of the steps {steps}, a process of the command "
        "line: more questions, so no comparison."
    )


def _took(results: Sequence[Result]) -> str:
    ours = next((one for one in results if one.contender is OURS and one.rounds), None)
    rows = [_row(one, ours) for one in results]
    heading = [
        "tool", "seconds", "CPU seconds", "peak MB", "seconds to Investigate's",
        "CPU seconds to Investigate's",
    ]  # fmt: skip
    return markdown_table(heading, rows)


def _row(result: Result, ours: Result | None) -> list[str]:
    if not result.rounds:
        told = "not installed" if result.failure == "not installed" else "failed"
        return [result.contender.name, told, *["–"] * 4]
    ratios = [f"{result.wall / ours.wall:.2f}", f"{result.cpu / ours.cpu:.2f}"] if ours else []
    return [
        result.contender.name, f"{result.wall:,.2f}", f"{result.cpu:,.2f}",
        f"{result.peak_mb:,.0f}", *(ratios or ["–", "–"]),
    ]  # fmt: skip


def _targets(results: Sequence[Result]) -> Iterator[str]:
    known = {one.contender.name: one.wall for one in results if one.rounds}
    ours, pandas, duckdb = (known.get(one.name) for one in (OURS, PANDAS, DUCKDB))
    if ours and pandas:
        times = pandas / ours
        met = "met" if times >= FASTER_THAN_PANDAS else "MISSED"
        yield f"* {met}: {times:.1f} times as fast as pandas (at least {FASTER_THAN_PANDAS:.0f})"
    if ours and duckdb:
        times = ours / duckdb
        met = "met" if times <= TIMES_OF_DUCKDB else "MISSED"
        yield f"* {met}: {times:.2f} times the time of DuckDB SQL (at most {TIMES_OF_DUCKDB})"


def _asked(results: Sequence[Result]) -> str:
    found = next((one.answers for one in results if one.answers), {})
    rows = [
        [f"`{code}`", question, f"{len(found[code]):,}" if found else "–"]
        for code, question in QUESTIONS.items()
    ]
    return markdown_table(["check", "question", "keys found"], rows)


def _agreement(comparison: Comparison) -> Iterator[str]:
    tools = [one for one in comparison.results if one.answers]
    names = ", ".join(one.contender.name for one in tools)
    if comparison.differences:
        yield from (f"* NOT EQUAL: {line}" for line in comparison.differences)
    elif tools and tools[0].answers:
        causes = tools[0].answers[MADE_BY].items()
        told = ", ".join(f"{count:,} {name}" for name, count in causes)
        yield (
            f"* {names}: the same keys for every question, and those of the case's truth; the "
            f"refused repeats were made by the same causes ({told})."
        )
    for one in comparison.results:
        if one.failure and one.failure != "not installed":
            yield f"* {one.contender.name} failed: {one.failure.splitlines()[-1]}"
