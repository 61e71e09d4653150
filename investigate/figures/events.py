"""Figures of the EventsTable: which duplicates came when and from whom, and what made them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import plotly.graph_objects as go

from investigate.display import Numbers, Row
from investigate.figures.style import (
    PALETTE,
    PATTERNS,
    SCALE,
    Drawing,
    axis,
    blank,
    by_size,
    column,
    drawing,
    label,
    parted,
    per,
    plural,
    time_axis,
)

CAUSES = ("client-timeout", "client-retry", "upstream-replay", "late-repeat")
CAUSE_WORDS = {
    "client-timeout": "client tried again after a failed request",
    "client-retry": "client tried again",
    "upstream-replay": "replay upstream: many at once, long after",
    "late-repeat": "single repeat, long after",
}


def duplicates_over_time(duplicates: Numbers) -> Drawing:
    """A heat map of refused duplicates, one row per source, one column per bin of ingest time."""
    title = "Refused duplicates"
    if not duplicates.rows:
        return blank(title, duplicates.unknown or "No event in scope was refused as a duplicate.")
    rows = duplicates.rows
    sources = by_size(rows, "source", "duplicates")
    busiest = max(rows, key=lambda row: (row["duplicates"], row["time"]))
    times = _every_bin(rows)
    counts = {(row["source"], row["time"]): row["duplicates"] for row in rows}
    heat = go.Heatmap(
        x=times,
        y=[label(name) for name in sources],
        z=[[counts.get((name, time)) for time in times] for name in sources],
        colorscale=SCALE,
        xgap=1,
        ygap=2,
        zmin=0,
        colorbar={"title": {"text": f"duplicates<br>{per(rows[0]['seconds'])}"}, "thickness": 12},
        hovertemplate="%{y}<br>from %{x|%Y-%m-%d %H:%M}<br>%{z} duplicates<extra></extra>",
    )
    return drawing(
        [heat],
        f"{plural(sum(column(rows, 'duplicates')), 'duplicate')} refused, most from "
        f"{label(sources[0])}",
        sentence=f"The most in one bin: {busiest['duplicates']:,} from "
        f"{label(busiest['source'])} at {busiest['time']}.",
        height=150 + 30 * max(len(sources), 3),
        showlegend=False,
        xaxis=time_axis("ingest time (UTC)", showgrid=False),
        yaxis=axis("source", autorange="reversed", showgrid=False, type="category"),
    )


def _every_bin(rows: Sequence[Row]) -> list[str]:
    """The bins from the first to the last, the empty ones too, so that time runs evenly."""
    times = [datetime.fromisoformat(row["time"]) for row in rows]
    step = timedelta(seconds=rows[0]["seconds"])
    count = (max(times) - min(times)) // step + 1
    return [str(min(times) + number * step) for number in range(count)]


def duplicates_by_cause(duplicates: Numbers) -> Drawing:
    """Bars of duplicates per source, split by what made them."""
    if not duplicates.rows:
        why = duplicates.unknown or "No event in scope was refused as a duplicate."
        return blank("What made the duplicates", why)
    parts = parted(duplicates.rows, "made_by")
    sources = by_size(duplicates.rows, "source", "duplicates")
    totals = {cause: sum(column(part, "duplicates")) for cause, part in parts.items()}
    main = max(CAUSES, key=lambda cause: totals.get(cause, 0))
    bars = [
        _cause_bar(cause, parts[cause], place)
        for place, cause in enumerate(CAUSES)
        if cause in parts
    ]
    return drawing(
        bars,
        f"{totals[main]:,} of {plural(sum(totals.values()), 'duplicate')}: {CAUSE_WORDS[main]}",
        sentence=" ".join(f"{CAUSE_WORDS[cause]}: {totals[cause]:,}." for cause in parts),
        height=150 + 30 * max(len(sources), 3),
        barmode="stack",
        xaxis=axis("duplicates", rangemode="tozero"),
        yaxis=axis(
            "source", type="category", categoryorder="array",
            categoryarray=[label(name) for name in reversed(sources)],
        ),
    )  # fmt: skip


def _cause_bar(cause: str, rows: Sequence[Row], place: int) -> go.Bar:
    return go.Bar(
        x=column(rows, "duplicates"),
        y=[label(row["source"]) for row in rows],
        orientation="h",
        name=CAUSE_WORDS[cause],
        marker={"color": PALETTE[place], "pattern": {"shape": PATTERNS[place]}},
        hovertemplate="%{y}<br>%{x} duplicates<extra>" + cause + "</extra>",
    )
