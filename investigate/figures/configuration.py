"""Figures of the settings: what the alarms would have done, and what changed before failures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from investigate.display import Numbers, Row
from investigate.figures.style import (
    BAD,
    GOOD,
    GUIDE,
    PALETTE,
    PATTERNS,
    UNKNOWN,
    Drawing,
    bin_widths,
    blank,
    by_size,
    column,
    count_axis,
    drawing,
    escaped,
    fill,
    height_for,
    ids,
    label,
    mark,
    names_axis,
    parted,
    per,
    stacked,
    time_axis,
    time_axis_of,
    vertical_line,
)
from investigate.model import counted

# What became of an alarm: its words, colour and symbol.
WORDS = {
    "fired": ("would have fired", GOOD, "circle"),
    "silent": ("would have said nothing", BAD, "x"),
    "quiet": ("nothing to tell", GUIDE, "circle-open"),
    "unknown": ("cannot be told", UNKNOWN, "diamond"),
}


MOST_CHANGES = 40


def alarm_tests(tests: Numbers) -> Drawing:
    """What each alarm would have done in this incident: from when there was something to tell to
    when it would have told."""
    title = "What the alarms would have done"
    if not tests.rows:
        return blank(title, tests.unknown or "There is no alarm on one of the pipeline's metrics.")
    names = [f"{row['alarm']} ({row['threshold']})" for row in tests.rows]
    marks = [
        _marks(word, part, {id(row): place for place, row in enumerate(tests.rows)})
        for word, part in parted(tests.rows, "word").items()
    ]
    silent = [row for row in tests.rows if row["word"] == "silent"]
    fired = sum(row["word"] == "fired" for row in tests.rows)
    said = f"{fired} of {counted(len(tests.rows), 'alarm')} would have fired in this incident"
    if silent:
        said += f", {len(silent)} would have said nothing of failures"
    first = tests.rows[0]
    return drawing(
        [*(_delay(row, place) for place, row in enumerate(tests.rows)), *marks],
        said,
        sentence=" ".join(_told(row) for row in silent[:3]),
        height=height_for(names),
        xaxis=time_axis("time (UTC)", range=[first["start"], first["end"]]),
        yaxis=names_axis([label(name, 36) for name in names]),
    )


def _told(row: Row) -> str:
    return f"{label(row['alarm'], 40)}: {row['total']:g} {label(row['metric'], 40)} in all."


def _delay(row: Row, place: int) -> Any:
    ends = [row["began"], row["fired"] or row["end"]] if row["began"] else []
    silent = row["word"] == "silent"
    return go.Scatter(
        x=ends,
        y=[place] * len(ends),
        mode="lines",
        line={"color": BAD if silent else GUIDE, "width": 3, "dash": "dot" if silent else "solid"},
        hoverinfo="skip",
        showlegend=False,
    )


def _marks(word: str, rows: Sequence[Row], places: dict[int, int]) -> Any:
    words, colour, symbol = WORDS[word]
    return go.Scatter(
        x=[row["fired"] or row["end"] for row in rows],
        y=[places[id(row)] for row in rows],
        mode="markers",
        name=words,
        text=[
            f"{label(row['alarm'], 60)}<br>{label(row['unknown'] or row['threshold'], 90)}"
            for row in rows
        ],
        marker=mark(colour, symbol, 11),
        hovertemplate="%{text}<br>%{x}<extra>" + words + "</extra>",
    )


def failures_and_changes(failures: Numbers, changes: Numbers) -> Drawing:
    """How many calls and records failed over time, with a line where something was changed."""
    title = "Failures, and what changed before them"
    if not failures.rows:
        return blank(title, failures.unknown or "No failure was logged.")
    functions = by_size(failures.rows, "function", "failures")
    parts = parted(failures.rows, "function")
    total = sum(failures.column("failures"))
    bars = [
        go.Bar(
            x=column(parts[name], "time"),
            y=column(parts[name], "failures"),
            name=label(name),
            marker=fill(PALETTE[place % len(PALETTE)], place % len(PATTERNS)),
            **bin_widths(parts[name][0]["seconds"]),
            text=[ids(row, row["failures"]) for row in parts[name]],
            textposition="none",
            hovertemplate="from %{x}<br>%{y} failures%{text}<extra>" + label(name) + "</extra>",
        )
        for place, name in enumerate(functions)
    ]
    known = changes.rows[-MOST_CHANGES:]
    change = f"; {counted(len(changes.rows), 'change')} since the window began"
    if len(known) < len(changes.rows):
        change += f" (marked: the last {MOST_CHANGES})"
    if changes.unknown:
        change = f"; changes not evaluated ({escaped(changes.unknown)})"
    return drawing(
        [*bars, *([_changes(known)] if known else [])],
        f"{counted(total, 'failure')}, most of them of {label(functions[0])} "
        f"({sum(column(parts[functions[0]], 'failures')):,}){change}",
        sentence=" ".join(_changed(row) for row in known[:3]),
        barmode="stack",
        shapes=[vertical_line(row["at"], GUIDE) for row in known],
        xaxis=time_axis_of(failures.rows, "time of the failure (UTC)"),
        yaxis=count_axis(
            f"failures {per(failures.rows[0]['seconds'])}",
            stacked(failures.rows, "time", "failures"),
        ),
    )


def _changed(row: Row) -> str:
    return f"{label(row['resource'], 40)} {label(row['what'], 40)} at {row['at']}."


def _changes(rows: Sequence[Row]) -> Any:
    return go.Scatter(
        x=column(rows, "at"),
        y=[0] * len(rows),
        mode="markers",
        name="change",
        text=[f"{label(row['resource'], 40)}<br>{label(row['what'], 60)}" for row in rows],
        marker={"color": GUIDE, "symbol": "triangle-up", "size": 12},
        hovertemplate="%{text}<br>%{x}<extra>change</extra>",
    )
