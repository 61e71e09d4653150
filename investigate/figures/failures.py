"""The figure of failures: which function failed how, now and before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from investigate.display import Numbers, Row
from investigate.figures.style import (
    PALETTE,
    Drawing,
    blank,
    column,
    count_axis,
    drawing,
    fill,
    height_for,
    ids,
    label,
    names_axis,
)
from investigate.model import counted

HALVES = {
    "earlier": ("first half of the time", PALETTE[0]),
    "later": ("second half of the time", PALETTE[1]),
}


def failure_classes(classes: Numbers) -> Drawing:
    """How many failures of which class each function had, in either half of the time."""
    title = "How functions failed"
    if not classes.rows:
        return blank(title, classes.unknown or "No invocation failed, and no error was swallowed.")
    rows = classes.rows
    names = [f"{label(row['function'], 24)}: {label(row['failure'], 20)}" for row in rows]
    total = sum(classes.column("failures"))
    grown = [row for row in rows if row["later"] > row["earlier"]]
    return drawing(
        [_half(half, place, rows) for place, half in enumerate(HALVES)],
        f"{counted(total, 'failure')} of {counted(len(rows), 'kind')}; more in the second half: "
        f"{len(grown):,}",
        sentence=" ".join(_said(row) for row in rows[:3]),
        height=height_for(names, each=38),
        barmode="group",
        xaxis=count_axis("failures", [*classes.column("earlier"), *classes.column("later")]),
        yaxis=names_axis(names),
    )


def _half(half: str, place: int, rows: Sequence[Row]) -> Any:
    name, colour = HALVES[half]
    return go.Bar(
        x=column(rows, half),
        y=list(range(len(rows))),
        text=[f"{_said(row)}{ids(row, row['failures'])}" for row in rows],
        textposition="none",
        orientation="h",
        name=name,
        marker=fill(colour, place),
        hovertemplate="%{x} in the " + name + "<br>%{text}<extra></extra>",
    )


def _said(row: Row) -> str:
    runs = f" of {counted(row['runs'], 'run')}" if row["runs"] else ""
    return f"{label(row['function'], 40)}, {label(row['failure'])}: {row['failures']:,}{runs}."
