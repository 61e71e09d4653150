"""The figure of a trace: one event's hops as a waterfall, with the silences cut out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from investigate.display import Numbers, Row
from investigate.figures.style import (
    PATTERNS,
    Drawing,
    blank,
    column,
    drawing,
    duration,
    escaped,
    fill,
    height_for,
    label,
    names_axis,
    parted,
    step_colour,
)
from investigate.model import counted

# What became of a hop, as a sign with words beside its bar; the bar has the colour of its station.
SIGNS = {
    "guard": "◆ repetition refused", "waiting": "… waiting", "missing": "✕ did not happen",
    "error": "▲ went wrong", "unknown": "? not known how it went",
}  # fmt: skip
HATCHED = {
    "guard": 6,
    "waiting": 2,
    "missing": 3,
    "error": 1,
    "unknown": 5,
}  # by the place of the pattern
SHORTEST = 0.012  # a bar's least share of its burst, so that milliseconds can be seen
MOST_HOPS = 80
APART = 0.05  # the share of the width between two bursts


def trace_hops(hops: Numbers) -> Drawing:
    """One row per hop, bars for what has a length, and an axis of seconds per burst."""
    title = "The hops of one event"
    if not hops.rows:
        return blank(title, hops.unknown or "No hop has a time.")
    rows = hops.rows[:MOST_HOPS]
    bursts = list(parted(rows, "burst").values())
    names = [label(f"{row['station']}: {row['what']}", 40) for row in rows]
    return drawing(
        [
            _hop_bars(hops_there, station, place, SHORTEST * max(_length(burst), 1.0))
            for place, burst in enumerate(bursts)
            for station, hops_there in parted(burst, "station").items()
        ],
        _claim(hops.rows, bursts) + _cut(len(hops.rows)),
        sentence=" ".join(f"{row['at']} {row['station']}: {escaped(row['what'])}." for row in rows),
        height=height_for(names, 28) + 60,
        barmode="overlay",
        showlegend=False,
        annotations=[_begins(burst, place, len(bursts)) for place, burst in enumerate(bursts)],
        yaxis=names_axis(names),
        **_axes(bursts),
    )


def _claim(rows: Sequence[Row], bursts: Sequence[Sequence[Row]]) -> str:
    wrong = [row for row in rows if row["status"] in ("error", "missing")]
    told = counted(len(rows), "hop")
    if len(bursts) > 1:
        told += f" in {len(bursts)} bursts"
    unknown = sum(row["status"] == "unknown" for row in rows)
    if not wrong and unknown:
        return f"{told}, none known to have gone wrong; how {unknown} went is not known"
    if not wrong:
        return f"{told}, none of which went wrong"
    return f"{told}, {len(wrong)} of which went wrong; first at {escaped(wrong[0]['station'])}"


def _cut(hops: int) -> str:
    return f"; drawn: the first {MOST_HOPS}" if hops > MOST_HOPS else ""


def _length(burst: Sequence[Row]) -> float:
    return max(0.1, *(float(row["offset_s"] + row["seconds"]) for row in burst))


def _hop_bars(rows: Sequence[Row], station: str, place: int, least: float) -> go.Bar:
    """The hops of one burst at one station, in its colour and hatched where they are no plain
    success; each is at least so long that it can be seen."""
    return go.Bar(
        x=[max(row["seconds"], least) for row in rows],
        base=column(rows, "offset_s"),
        y=column(rows, "place"),
        orientation="h",
        width=0.6,
        marker={
            "color": step_colour(station),
            "pattern": {
                **fill("", 1)["pattern"],
                "shape": [PATTERNS[HATCHED.get(row["status"], 0)] for row in rows],
            },
        },
        text=[SIGNS.get(row["status"], "") for row in rows],
        textposition="outside",
        cliponaxis=False,
        customdata=[_hover(row) for row in rows],
        hovertemplate="%{customdata}<extra></extra>",
        xaxis=f"x{place + 1 if place else ''}",
    )


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
    day, _, time = escaped(burst[0]["begins"])[:19].partition(" ")
    longest_unit = " ".join(duration(burst[0]["quiet_s"]).split()[:2])
    quiet = f"<br>{longest_unit} later" if place else ""
    start, _ = _domain(place, bursts)
    return {
        "text": f"{day}<br>{time}{quiet}", "showarrow": False, "xref": "paper",
        "yref": "paper", "x": start, "y": 1, "xanchor": "left", "yanchor": "bottom",
        "align": "left", "font": {"size": 11},
    }  # fmt: skip
