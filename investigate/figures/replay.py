"""Figures of the replay: what it would send, what its edges do, and what past replays did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from math import sqrt
from typing import Any

import plotly.graph_objects as go

from investigate.display import Numbers, Row
from investigate.figures.style import (
    BAD,
    GUIDE,
    PALETTE,
    STEP_COLOURS,
    UNKNOWN,
    WARN,
    Drawing,
    axis,
    blank,
    by_size,
    column,
    count_axis,
    drawing,
    fill,
    height_for,
    ids,
    label,
    mark,
    names_axis,
    parted,
    time_axis_of,
)
from investigate.model import Step, counted

OWN = STEP_COLOURS[Step.REPLAY.value]
# What a replay does with a row: words, colour and symbol, in the order of the legend.
REASONS = {
    "in the window": ("sent", OWN, "circle"),
    "outside by time only": ("sent, though outside by time", WARN, "triangle-up"),
    "outside by text": ("missed, though inside by time", BAD, "triangle-down"),
    "after the limit": ("left out: after the limit", PALETTE[0], "x"),
    "duplicate in this replay": ("left out: the same event again", PALETTE[2], "diamond"),
    "no refs": ("left out: no S3 reference", UNKNOWN, "cross"),
}
SENT = ("in the window", "outside by time only")
# What time and text say of a row at the edge, in this order: is it in?
EDGES = {
    (True, True): ("in, by time and by text", OWN, "circle"),
    (False, False): ("out, by time and by text", GUIDE, "circle-open"),
    (False, True): ("sent, though outside by time", WARN, "triangle-up"),
    (True, False): ("missed, though inside by time", BAD, "triangle-down"),
}
EDGE_MS = 2100
STAGES = {
    "rows_there": ("rows in its window", GUIDE),
    "scanned": ("scanned", STEP_COLOURS[Step.EVENTS.value]),
    "sent": ("sent", OWN),
}


def replay_plan(plan: Numbers) -> Drawing:
    """What a replay of the window would do with each row, by entity and event time."""
    if not plan.rows:
        return blank("What a replay would send", plan.unknown or "No row lies in the window.")
    entities = by_size(plan.rows, "entity", "events")
    parts = parted(plan.rows, "reason")
    totals = {reason: sum(column(parts[reason], "events")) for reason in REASONS if reason in parts}
    sent = sum(totals.get(reason, 0) for reason in SENT)
    return drawing(
        [
            _plan_marks(rows, entities.index(entity), reason, first=first)
            for reason in totals
            for entity, rows, first in _by_entity(parts[reason])
        ],
        f"A replay of this window would send {sent:,} of {counted(sum(totals.values()), 'row')}",
        sentence=" ".join(f"{REASONS[name][0]}: {many:,}." for name, many in totals.items()),
        height=height_for(entities),
        xaxis=time_axis_of(plan.rows),
        yaxis=names_axis([label(name) for name in entities], "entity"),
    )


def _by_entity(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row], bool]]:
    """The rows of each entity, and whether it is the first: only that stands in the legend."""
    for place, (entity, part) in enumerate(parted(rows, "entity").items()):
        yield entity, part, place == 0


def _plan_marks(rows: Sequence[Row], place: int, reason: str, *, first: bool) -> go.Scatter:
    words, colour, symbol = REASONS[reason]
    least = 9 if symbol == "circle" else 13  # what is out of the ordinary must be seen
    size = [round(min(least + 1.5 * sqrt(row["events"] - 1), 16), 1) for row in rows]
    return go.Scatter(
        x=column(rows, "time"),
        y0=place,
        dy=0,
        mode="markers",
        name=words,
        legendgroup=reason,
        showlegend=first,
        marker={**mark(colour, symbol, size), "opacity": 0.9},
        text=[f"{counted(row['events'], 'row')}{ids(row, row['events'])}" for row in rows],
        hovertemplate=f"{label(rows[0]['entity'], 60)}<br>%{{text}}<br>from %{{x}}<extra>"
        + words
        + "</extra>",
    )


def replay_edges(edges: Numbers) -> Drawing:
    """The rows within two seconds of the window's edges, by what time and text say of them."""
    if not edges.rows:
        why = edges.unknown or "No row lies within two seconds of an edge."
        return blank("The edges of the window", why)
    parts: dict[tuple[bool, bool], list[Row]] = {}
    for row in _stacked(edges.rows):
        parts.setdefault((row["by_time"], row["by_text"]), []).append(row)
    odd = edges.rows[0]["of_odd"]
    return drawing(
        [_edge_marks(parts[kind], *EDGES[kind]) for kind in EDGES if kind in parts],
        f"{odd:,} of {counted(edges.rows[0]['of'], 'row')} at the edges judged otherwise by text "
        "than by time",
        sentence="As text, a time with a fraction stands before the whole second.",
        height=300,
        shapes=[_inside(1, 0, EDGE_MS), _inside(0, -EDGE_MS, 0)],
        xaxis=axis(
            "milliseconds from the edge (shaded: inside by time)",
            range=[-EDGE_MS, EDGE_MS], zerolinewidth=2,
        ),
        yaxis=axis(
            "", tickvals=[0, 1], ticktext=["window end", "window start"], range=[-0.4, 1.8],
            showgrid=False, zeroline=False,
        ),
    )  # fmt: skip


def _inside(row: int, start: int, end: int) -> dict[str, Any]:
    return {
        "type": "rect", "x0": start, "x1": end, "y0": row - 0.3, "y1": row + 0.7,
        "fillcolor": GUIDE, "opacity": 0.15, "line": {"width": 0}, "layer": "below",
    }  # fmt: skip


def _stacked(rows: Sequence[Row]) -> list[Row]:
    """Rows with a height: those of one moment stand above each other."""
    seen: Counter[tuple[str, int]] = Counter()
    placed = []
    for row in rows:
        spot = row["edge"], row["offset_ms"]
        base = 1 if row["edge"] == "start" else 0
        placed.append({**row, "y": round(base + 0.09 * min(seen[spot], 6), 2)})
        seen[spot] += 1
    return placed


def _edge_marks(rows: Sequence[Row], words: str, colour: str, symbol: str) -> go.Scatter:
    return go.Scatter(
        x=column(rows, "offset_ms"),
        y=column(rows, "y"),
        mode="markers",
        name=words,
        marker=mark(colour, symbol, 14),
        text=[
            "<br>".join(label(row[name], 60) for name in ("entity", "event_id", "event_time"))
            for row in rows
        ],
        hovertemplate="%{text}<br>%{x} ms<extra>" + words + "</extra>",
    )


def replays_logged(replays: Numbers) -> Drawing:
    """For each logged replay: the rows of its window, how many it scanned, how many it sent."""
    if not replays.rows:
        why = replays.unknown or "No replay left a line in the captured logs."
        return blank("What past replays did", why)
    names = [f"{row['logged'][5:16]} {row['entity']}" for row in replays.rows]
    total = replays.rows[0]["of"]
    rest = "" if total == len(names) else f"; drawn: the {len(names)} that left out most"
    return drawing(
        [
            _stage_bar(replays.column(stage), names, place, *STAGES[stage])
            for place, stage in enumerate(STAGES)
        ],
        _logged_claim(replays.rows[0]) + rest,
        height=height_for(names, 40),
        barmode="group",
        xaxis=count_axis("rows", replays.column("rows_there")),
        yaxis=names_axis([label(name, 36) for name in names], "logged at (UTC), entity"),
    )


def _logged_claim(row: Row) -> str:
    short, unknown = row["of_short"], row["of_unknown"]
    told = counted(row["of"], "logged replay")
    left = f"; of {unknown:,} it is not known" if unknown else ""
    if short:
        return f"{short:,} of {told} stopped before the end of the window{left}"
    if unknown:
        return f"{told}, none known to have stopped before the end of its window{left}"
    return f"{told}, none stopped before the end of its window"


def _stage_bar(values: list[Any], names: list[str], place: int, words: str, colour: str) -> go.Bar:
    return go.Bar(
        x=values,
        y=list(range(len(names))),
        text=[label(name, 60) for name in names],
        textposition="none",
        orientation="h",
        name=words,
        marker=fill(colour, place),
        hovertemplate="%{text}<br>%{x} rows<extra>" + words + "</extra>",
    )
