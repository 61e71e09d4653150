"""Figures of the replay: what it would send, what its edges do, and what past replays did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import sqrt
from typing import Any

import plotly.graph_objects as go

from investigate.display import Numbers, Row
from investigate.figures.style import (
    BAD,
    CALM,
    DARK,
    MUTED,
    PALETTE,
    PATTERNS,
    WARN,
    Drawing,
    axis,
    blank,
    by_size,
    column,
    drawing,
    label,
    parted,
    plural,
    time_axis,
)

SENT = ("in the window", "outside by time only")
# What a replay does with a row: words, colour and symbol, in the order of the legend.
REASONS = {
    "in the window": ("sent", CALM, "circle"),
    "outside by time only": ("sent, though outside by time", WARN, "triangle-up"),
    "outside by text": ("missed, though inside by time", BAD, "triangle-down"),
    "after the limit": ("left out: after the limit", PALETTE[3], "x"),
    "duplicate in this replay": ("left out: the same event again", PALETTE[4], "diamond"),
    "no refs": ("left out: no S3 reference", DARK, "cross"),
}
EDGES = {
    (True, True): ("in, by time and by text", CALM, "circle"),
    (False, False): ("out, by time and by text", MUTED, "circle-open"),
    (False, True): ("sent, though outside by time", WARN, "triangle-up"),
    (True, False): ("missed, though inside by time", BAD, "triangle-down"),
}
STAGES = {
    "rows_there": ("rows in its window", MUTED),
    "scanned": ("scanned", CALM),
    "sent": ("sent", WARN),
}


def replay_plan(plan: Numbers) -> Drawing:
    """What a replay of the window would do with each row, by entity and event time."""
    title = "What a replay would send"
    if not plan.rows:
        return blank(title, plan.unknown or "No row lies in the window.")
    entities = by_size(plan.rows, "entity", "events")
    parts = parted(plan.rows, "reason")
    totals = {reason: sum(column(parts[reason], "events")) for reason in REASONS if reason in parts}
    sent = sum(totals.get(reason, 0) for reason in SENT)
    return drawing(
        [_plan_marks(parts[reason], *REASONS[reason]) for reason in totals],
        f"A replay of this window would send {sent:,} of {plural(sum(totals.values()), 'row')}",
        sentence=" ".join(f"{REASONS[name][0]}: {many:,}." for name, many in totals.items()),
        height=170 + 32 * max(len(entities), 3),
        xaxis=time_axis(),
        yaxis=axis("entity", **_categories(entities)),
    )


def _plan_marks(rows: Sequence[Row], words: str, colour: str, symbol: str) -> go.Scatter:
    return go.Scatter(
        x=column(rows, "time"),
        y=[label(row["entity"]) for row in rows],
        mode="markers",
        name=words,
        marker={
            "color": colour, "symbol": symbol, "opacity": 0.85,
            "size": [round(min(7 + 2 * sqrt(row["events"] - 1), 22), 1) for row in rows],
        },
        text=[f"{row['events']:,}" for row in rows],
        hovertemplate="%{y}<br>from %{x}<br>%{text} rows<extra>" + words + "</extra>",
    )  # fmt: skip


def _categories(names: Sequence[str]) -> dict[str, Any]:
    """Names from top to bottom in this order, as text even where they look like numbers."""
    return {
        "type": "category", "categoryorder": "array",
        "categoryarray": [label(name) for name in reversed(names)],
    }  # fmt: skip


def replay_edges(edges: Numbers) -> Drawing:
    """The rows within two seconds of the window's edges, by what time and text say of them."""
    title = "The edges of the window"
    if not edges.rows:
        return blank(title, edges.unknown or "No row lies within two seconds of an edge.")
    placed = _stacked(edges.rows)
    parts: dict[tuple[bool, bool], list[Row]] = {}
    for row in placed:
        parts.setdefault((row["by_time"], row["by_text"]), []).append(row)
    odd = sum(row["by_time"] != row["by_text"] for row in edges.rows)
    return drawing(
        [_edge_marks(parts[kind], *EDGES[kind]) for kind in EDGES if kind in parts],
        f"{odd:,} of {plural(edges.rows[0]['of'], 'row')} at the edges "
        f"{'is' if odd == 1 else 'are'} judged otherwise by text than by time",
        sentence="As text, a time with a fraction stands before the whole second.",
        height=300,
        xaxis=axis("milliseconds from the edge (negative: earlier)", zerolinewidth=2),
        yaxis=axis(
            "", tickvals=[0, 1], ticktext=["window end", "window start"], range=[-0.4, 1.7],
            showgrid=False, zeroline=False,
        ),
    )  # fmt: skip


def _stacked(rows: Sequence[Row]) -> list[Row]:
    """Rows with a height: those of one moment stand above each other."""
    seen: Counter[tuple[str, int]] = Counter()
    placed = []
    for row in rows:
        spot = row["edge"], row["offset_ms"]
        base = 1 if row["edge"] == "start" else 0
        placed.append({**row, "y": round(base + 0.07 * min(seen[spot], 8), 2)})
        seen[spot] += 1
    return placed


def _edge_marks(rows: Sequence[Row], words: str, colour: str, symbol: str) -> go.Scatter:
    texts = [f"{label(row['event_id'], 48)}<br>{label(row['event_time'], 48)}" for row in rows]
    return go.Scatter(
        x=column(rows, "offset_ms"),
        y=column(rows, "y"),
        mode="markers",
        name=words,
        marker={"color": colour, "symbol": symbol, "size": 10},
        text=[f"{label(row['entity'])}<br>{text}" for row, text in zip(rows, texts, strict=True)],
        hovertemplate="%{text}<br>%{x} ms<extra>" + words + "</extra>",
    )


def replays_logged(replays: Numbers) -> Drawing:
    """For each logged replay: the rows of its window, how many it scanned, how many it sent."""
    title = "What past replays did"
    if not replays.rows:
        return blank(title, replays.unknown or "No replay left a line in the captured logs.")
    names = [f"{row['logged'][5:16]} {label(row['entity'], 20)}" for row in replays.rows]
    names = [f"{name}<br>" + " " * place for place, name in enumerate(names)]
    short = sum(_cut(row) for row in replays.rows)
    total = replays.rows[0]["of"]
    bars = [
        _stage_bar(replays.column(stage), names, place, *STAGES[stage])
        for place, stage in enumerate(STAGES)
    ]
    return drawing(
        bars,
        f"{short:,} of {plural(total, 'logged replay')} stopped before the end of "
        f"{'its' if short == 1 else 'their'} window",
        sentence="" if total == len(names) else f"The first {len(names)} replays are shown.",
        barmode="group",
        xaxis=axis("replay, by the time it was logged (UTC)", type="category", tickangle=-30),
        yaxis=axis("rows", rangemode="tozero"),
    )


def _cut(row: Row) -> bool:
    return row["scanned"] is not None and row["scanned"] < row["rows_there"]


def _stage_bar(values: list[Any], names: list[str], place: int, words: str, colour: str) -> go.Bar:
    return go.Bar(
        x=names,
        y=values,
        name=words,
        marker={"color": colour, "pattern": {"shape": PATTERNS[place]}},
        hovertemplate="%{x}<br>%{y} rows<extra>" + words + "</extra>",
    )
