"""The figure of a batch: a strip of records by invocations, simulated and as logged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from investigate.display import Numbers, Row
from investigate.figures.style import (
    BAD,
    GOOD,
    GUIDE,
    LOST,
    PALETTE,
    WARN,
    Drawing,
    axis,
    blank,
    drawing,
    height_for,
    label,
    mark,
)
from investigate.model import counted

SIMULATED, LOGGED = "simulated", "logged"
# State of a record in an invocation or at the end: its colour, its sign, and what it means.
STATES = {
    "delivered": (GOOD, "✓", "done"),
    "returned": (WARN, "↻", "healthy, comes back with the batch"),
    "bad": (BAD, "✗", "the bad record"),
    "dead-lettered": (PALETTE[0], "⊕", "given up, kept as a dead letter"),
    "discarded": (LOST, "⊘", "given up, kept nowhere"),
    "endless": (PALETTE[1], "∞", "comes again until it expires"),
    "starved": (GUIDE, "…", "waits behind it, never done"),
}
_GAP = 1  # an empty column between the two walks


def batch_walk(walk: Numbers) -> Drawing:
    """Which invocations follow on a bad record, and what they are to each record of its batch."""
    title = "What a bad record does to its batch"
    if not walk.rows:
        return blank(title, walk.unknown or "No function reads from a queue or a stream.")
    columns = _columns(walk.rows)
    records = walk.rows[0]["records"]
    height = height_for(range(records), each=26 if records <= 20 else 18)
    return drawing(
        [_strip(walk.rows, columns, records), *_legend(walk.rows)],
        _claim(walk.rows),
        sentence=_said(walk.rows),
        height=height + 40,
        annotations=_headings(columns),
        xaxis=axis(
            "invocation, in their order",
            tickvals=list(columns.values()),
            ticktext=["end" if place == 0 else str(place) for _, place in columns],
            range=[-0.6, max(columns.values()) + 0.6],
            zeroline=False, showgrid=False,
        ),
        yaxis=axis(
            "record of the batch",
            tickvals=list(range(1, records + 1)), range=[records + 0.5, 0.5],
            zeroline=False, showgrid=False,
        ),
    )  # fmt: skip


def _columns(rows: Sequence[Row]) -> dict[tuple[str, int], int]:
    """Where each invocation of the simulated walk stands, then its end, then the logged ones."""
    simulated = sorted({row["invocation"] for row in rows if row["walk"] == SIMULATED} - {0})
    ends = [0] if any(row["invocation"] == 0 for row in rows) else []
    logged = sorted({row["invocation"] for row in rows if row["walk"] == LOGGED})
    keys = [(SIMULATED, place) for place in (*simulated, *ends)]
    found = {key: n for n, key in enumerate(keys)}
    return {**found, **{(LOGGED, p): len(keys) + _GAP + n for n, p in enumerate(logged)}}


def _strip(rows: Sequence[Row], columns: dict[tuple[str, int], int], records: int) -> Any:
    width = max(columns.values()) + 1
    codes: list[list[int | None]] = [[None] * width for _ in range(records)]
    signs = [[""] * width for _ in range(records)]
    hover = [[""] * width for _ in range(records)]
    states = list(STATES)
    for row in rows:
        x, y = columns[row["walk"], row["invocation"]], row["record"] - 1
        _, signs[y][x], hover[y][x] = STATES[row["state"]]
        codes[y][x] = states.index(row["state"])
    return go.Heatmap(
        z=codes,
        x=list(range(width)),
        y=list(range(1, records + 1)),
        text=signs,
        texttemplate="%{text}",
        hovertext=hover,
        hovertemplate="record %{y}: %{hovertext}<extra></extra>",
        hoverongaps=False,
        colorscale=_steps([colour for colour, _, _ in STATES.values()]),
        zmin=-0.5,
        zmax=len(states) - 0.5,
        showscale=False,
        xgap=2,
        ygap=2,
    )


def _steps(colours: Sequence[str]) -> list[list[Any]]:
    """A colour scale without transitions, one step per colour."""
    each = 1 / len(colours)
    return [[end, c] for n, c in enumerate(colours) for end in (n * each, (n + 1) * each)]


def _legend(rows: Sequence[Row]) -> list[Any]:
    there = {row["state"] for row in rows}
    return [
        go.Scatter(
            x=[None],
            y=[None],
            mode="markers",
            name=f"{sign} {meaning}",
            marker=mark(colour, "square", 12),
        )
        for state, (colour, sign, meaning) in STATES.items()
        if state in there
    ]


def _headings(columns: dict[tuple[str, int], int]) -> list[dict[str, Any]]:
    """What each part of the strip is, above it."""
    return [
        {
            "x": min(at) - 0.5, "y": 1, "yref": "paper", "xanchor": "left", "yanchor": "bottom",
            "text": walk, "showarrow": False, "font": {"size": 13},
        }
        for walk in (SIMULATED, LOGGED)
        if (at := [x for (name, _), x in columns.items() if name == walk])
    ]  # fmt: skip


def _claim(rows: Sequence[Row]) -> str:
    first = rows[0]
    most = max(row["deliveries"] for row in rows if row["walk"] == SIMULATED)
    endless = any(row["state"] == "endless" for row in rows)
    times = f"{most:,} times or more" if endless else f"up to {counted(most, 'time')}"
    batch = counted(first["records"], "record")
    return (
        f"{label(first['function'])}: a batch of {batch}, bad: {label(first['bad'])}; "
        f"a record is delivered {times}"
    )


def _said(rows: Sequence[Row]) -> str:
    first = rows[0]
    setting = f"Settings of {label(first['source'])}: {first['settings']}."
    if first["agrees"] is None:
        return f"{setting} No failed batch with a bad record was logged, so the batch is supposed."
    logged = max(row["invocations"] for row in rows if row["walk"] == LOGGED)
    if first["agrees"]:
        return f"{setting} Logged: {counted(logged, 'invocation')}, as simulated."
    return (
        f"{setting} Logged: {counted(logged, 'invocation')}, not as simulated: a queue may put "
        "what comes back into other batches, and the settings may have been others then."
    )
