"""The figure of a trace: one event's hops as a waterfall, with the silences cut out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from investigate.display import Numbers, Row
from investigate.figures.style import (
    BAD,
    CALM,
    DARK,
    MUTED,
    WARN,
    Drawing,
    blank,
    column,
    drawing,
    duration,
    escaped,
    height_for,
    label,
    names_axis,
    parted,
)
from investigate.model import counted

# Each status has a colour, a symbol and a word.
LOOKS = {
    "ok": ("as it should be", CALM, "circle"),
    "guard": ("the guard refused a repetition", "#009e73", "diamond"),
    "waiting": ("waiting", WARN, "square"),
    "missing": ("did not happen", DARK, "x"),
    "error": ("went wrong", BAD, "triangle-up"),
}
SHORTEST = 0.012  # a bar's least share of its burst, so that milliseconds can be seen
APART = 0.05  # the share of the width between two bursts


def trace_hops(hops: Numbers) -> Drawing:
    """One row per hop, bars for what has a length, and an axis of seconds per burst."""
    title = "The hops of one event"
    if not hops.rows:
        return blank(title, hops.unknown or "No hop has a time.")
    rows = hops.rows
    bursts = list(parted(rows, "burst").values())
    names = [label(f"{row['station']}: {row['what']}", 44) for row in rows]
    traces = [
        _hop_mark(part, place, status)
        for place, burst in enumerate(bursts)
        for status, part in parted(burst, "status").items()
    ]
    return drawing(
        _each_once(traces),
        _claim(rows, bursts),
        sentence=" ".join(f"{row['at']} {row['station']}: {escaped(row['what'])}." for row in rows),
        height=height_for(names, 26) + 40,
        barmode="overlay",
        annotations=[_begins(burst, place, len(bursts)) for place, burst in enumerate(bursts)],
        yaxis={**names_axis(names)},
        **_axes(bursts),
    )


def _claim(rows: Sequence[Row], bursts: Sequence[Sequence[Row]]) -> str:
    wrong = [row for row in rows if row["status"] in ("error", "missing")]
    told = counted(len(rows), "hop")
    if len(bursts) > 1:
        told += f" in {len(bursts)} bursts"
    if not wrong:
        return f"{told}, none of which went wrong"
    return f"{told}, {len(wrong)} of which went wrong; first at {escaped(wrong[0]['station'])}"


def _length(burst: Sequence[Row]) -> float:
    return max(0.1, *(float(row["offset_s"] + row["seconds"]) for row in burst))


def _hop_mark(rows: Sequence[Row], place: int, status: str) -> go.Bar:
    words, colour, _ = LOOKS[status]
    least = SHORTEST * max(_length(rows), 1.0)
    return go.Bar(
        x=[max(row["seconds"], least) for row in rows],
        base=column(rows, "offset_s"),
        y=column(rows, "place"),
        orientation="h",
        width=0.6,
        name=words,
        legendgroup=status,
        marker={"color": colour, "line": {"width": 0}},
        text=[_mark(row) for row in rows],
        textposition="outside",
        cliponaxis=False,
        customdata=[_hover(row) for row in rows],
        hovertemplate="%{customdata}<extra></extra>",
        xaxis=f"x{place + 1 if place else ''}",
    )


def _mark(row: Row) -> str:
    marks = {"error": "▲", "missing": "✕", "guard": "◆", "waiting": "…"}
    return marks.get(row["status"], "")


def _hover(row: Row) -> str:
    lasted = f", lasted {duration(row['seconds'])}" if row["seconds"] else ""
    joined = f"{row['joined_by']} {label(row['join_id'], 80)}"
    return "<br>".join(
        (
            f"{row['at']} UTC{lasted}",
            escaped(f"{row['station']}: {row['what']}"),
            escaped(f"proves: {row['proves']}"),
            joined,
        )
    )


def _each_once(traces: Sequence[go.Bar]) -> list[go.Bar]:
    """The same traces, each name once in the legend."""
    seen: set[str] = set()
    for trace in traces:
        trace.showlegend = trace.name not in seen
        seen.add(trace.name)
    return list(traces)


def _domain(place: int, bursts: int) -> tuple[float, float]:
    width = (1 - APART * (bursts - 1)) / bursts
    start = place * (width + APART)
    return start, min(start + width, 1.0)


def _axes(bursts: Sequence[Sequence[Row]]) -> dict[str, Any]:
    axes = {}
    for place, burst in enumerate(bursts):
        span = _length(burst)
        axes[f"xaxis{place + 1 if place else ''}"] = {
            "domain": list(_domain(place, len(bursts))),
            "range": [-0.04 * span, span * 1.15],
            "title": {"text": "seconds"},
            "nticks": 4,
            "anchor": "y",
        }
    return axes


def _begins(burst: Sequence[Row], place: int, bursts: int) -> dict[str, Any]:
    """When a burst begins, and how long nothing happened before it."""
    quiet = f"<br>{duration(burst[0]['quiet_s'])} later" if place else ""
    start, _ = _domain(place, bursts)
    return {
        "text": f"{escaped(burst[0]['begins'])[:19]}{quiet}", "showarrow": False, "xref": "paper",
        "yref": "paper", "x": start, "y": 1, "xanchor": "left", "yanchor": "bottom",
        "align": "left", "font": {"size": 12, "color": MUTED},
    }  # fmt: skip
