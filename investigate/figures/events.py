"""Figures of the EventsTable: which duplicates came when and from whom, and what made them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import plotly.graph_objects as go

from investigate.display import Numbers, Row
from investigate.figures.style import (
    LOG_SECONDS,
    PALETTE,
    SCALE,
    SYMBOLS,
    Drawing,
    axis,
    blank,
    by_size,
    column,
    count_axis,
    drawing,
    every_bin,
    fill,
    height_for,
    ids,
    label,
    mark,
    names_axis,
    on_log_axis,
    parted,
    per,
    time_axis_of,
)
from investigate.model import counted

CAUSES = (
    "client-timeout", "client-retry", "upstream-replay", "late-repeat", "double-send",
    "semantic-double", "not-told",
)  # fmt: skip
CAUSE_WORDS = {
    "client-timeout": "client tried again after a failed request",
    "client-retry": "client tried again",
    "upstream-replay": "replay upstream: many at once, long after",
    "late-repeat": "single repeat, long after",
    "double-send": "sent twice at once",
    "semantic-double": "the same content under another id",
    "not-told": "nothing tells: it was let in twice",
}
# What a repeat is, worst first.
KINDS = {
    "hiding-loss": "hides a loss: no object",
    "expired-gate": "refused by an expired row",
    "id-collision": "another event with the same id",
    "payload-conflict": "same id, other payload",
    "re-accepted": "let in twice",
    "semantic": "same content, other id",
    "unknown": "unknown: the evidence is thin",
    "benign": "the same event again, refused",
}
HARMLESS = "benign"


def duplicates_over_time(duplicates: Numbers) -> Drawing:
    """A heat map of refused duplicates, one row per source, one column per bin of ingest time."""
    title = "Refused duplicates"
    if not duplicates.rows:
        return blank(title, duplicates.unknown or "No event in scope was refused as a duplicate.")
    rows = duplicates.rows
    sources = by_size(rows, "source", "duplicates")
    busiest = max(rows, key=lambda row: (row["duplicates"], row["time"]))
    parts = parted(rows, "source")
    rate = per(rows[0]["seconds"])
    return drawing(
        [_heat_row(parts[name], place, busiest) for place, name in enumerate(sources)],
        f"{counted(sum(column(rows, 'duplicates')), 'duplicate')} refused, up to "
        f"{busiest['duplicates']:,} {rate} from one source",
        sentence=f"The most in one bin: {busiest['duplicates']:,} from "
        f"{label(busiest['source'])} at {busiest['time']}.",
        height=height_for(sources),
        showlegend=False,
        coloraxis=_scale(busiest["duplicates"], rate),
        xaxis={**time_axis_of(rows, "ingest time (UTC)"), "showgrid": False},
        yaxis={**names_axis([label(name) for name in sources], "source"), "showgrid": False},
    )


def _heat_row(rows: Sequence[Row], place: int, busiest: Row) -> go.Heatmap:
    """The bins of one source, from its first to its last, the empty ones too."""
    seconds, found = rows[0]["seconds"], every_bin(rows)
    middle = datetime.fromisoformat(rows[0]["time"]) + timedelta(seconds=seconds / 2)
    return go.Heatmap(
        x0=str(middle),  # plotly places a cell by its middle
        dx=seconds * 1000,
        y0=place,
        dy=1,
        z=[[row["duplicates"] if row else None for row in found]],
        text=[[ids(row, row["duplicates"]) if row else "" for row in found]],
        coloraxis="coloraxis",
        xgap=1,
        ygap=2,
        hovertemplate=f"{label(rows[0]['source'], 60)}<br>around %{{x|%Y-%m-%d %H:%M}}<br>"
        "%{z} duplicates%{text}<extra></extra>",
    )


def _scale(most: int, rate: str) -> dict[str, Any]:
    """The colours of few to many duplicates, and the bar that tells them."""
    return {
        "colorscale": SCALE, "cmin": 0, "cmax": most,
        "colorbar": {
            "title": {"text": f"duplicates<br>{rate}", "font": {"size": 12}},
            "thickness": 12, "tickformat": ",d", **({"dtick": 1} if most <= 6 else {"nticks": 5}),
        },
    }  # fmt: skip


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
        _cause_bar(parts[cause], sources, place)
        for place, cause in enumerate(CAUSES)
        if cause in parts
    ]
    return drawing(
        bars,
        f"{totals[main]:,} of {counted(sum(totals.values()), 'duplicate')}: {CAUSE_WORDS[main]}",
        sentence=" ".join(f"{CAUSE_WORDS[cause]}: {totals[cause]:,}." for cause in parts),
        height=height_for(sources),
        barmode="stack",
        xaxis=count_axis("duplicates", duplicates.column("duplicates")),
        yaxis=names_axis([label(name) for name in sources], "source"),
    )


def repeats_by_kind(repeats: Numbers) -> Drawing:
    """Bars of what each repeated event is, the worst kind on top, split by what made it."""
    title = "What the repeats are"
    if not repeats.rows:
        return blank(title, repeats.unknown or "No event in scope came more than once.")
    rows = repeats.rows
    kinds = [kind for kind in KINDS if kind in repeats.column("kind")]
    totals = {kind: sum(r["events"] for r in rows if r["kind"] == kind) for kind in kinds}
    parts = parted(rows, "made_by")
    harmless, every = totals.get(HARMLESS, 0), sum(totals.values())
    return drawing(
        [
            _kind_bar(parts[cause], kinds, place)
            for place, cause in enumerate(CAUSES)
            if cause in parts
        ],
        f"{counted(every, 'event')} came more than once; {every - harmless:,} of them did harm "
        "or may have",
        sentence=" ".join(f"{KINDS[kind]}: {many:,}." for kind, many in totals.items()),
        height=height_for(kinds),
        barmode="stack",
        xaxis=count_axis("events", repeats.column("events")),
        yaxis=names_axis([KINDS[kind] for kind in kinds]),
    )


def _kind_bar(rows: Sequence[Row], kinds: list[str], place: int) -> go.Bar:
    words = CAUSE_WORDS[CAUSES[place]]
    return go.Bar(
        x=column(rows, "events"),
        y=[kinds.index(row["kind"]) for row in rows],
        text=[f"{KINDS[row['kind']]}{ids(row, row['events'])}" for row in rows],
        textposition="none",
        orientation="h",
        name=words,
        marker=fill(PALETTE[place], place),
        hovertemplate="%{x} events: %{text}<extra>" + words + "</extra>",
    )


def retry_gaps(gaps: Numbers) -> Drawing:
    """How long each source waits before each attempt: flat is fixed, rising is backing off."""
    if not gaps.rows:
        why = gaps.unknown or "No client in scope tried again."
        return blank("How clients space their retries", why)
    parts = parted(gaps.rows, "source")
    patterns = Counter(_spacing(part) for part in parts.values())
    total = gaps.rows[0]["of_sources"]
    shown = "" if total == len(parts) else f" of the {len(parts)} that did most"
    told = ", ".join(f"{pattern} {many}" for pattern, many in sorted(patterns.items()))
    return drawing(
        [_gap_line(part, place) for place, part in enumerate(parts.values())],
        f"{counted(total, 'source')} retried; spacing{shown}: {told}",
        xaxis=axis("attempt (2: the first retry)", dtick=1),
        height=460,
        yaxis=axis("seconds since the attempt before", type="log", **LOG_SECONDS),
    )


def _spacing(rows: Sequence[Row]) -> str:
    """The pattern of a source in words."""
    pattern = str(rows[0]["pattern"])
    return "too few attempts" if pattern == "insufficient" else pattern


def _gap_line(rows: Sequence[Row], place: int) -> go.Scatter:
    """The median gap before each attempt, with bars from the shortest to the longest."""
    source, pattern = label(rows[0]["source"]), _spacing(rows)
    return go.Scatter(
        x=column(rows, "attempt"),
        y=[on_log_axis(row["median_gap_s"]) for row in rows],
        error_y={
            "array": [row["longest_gap_s"] - row["median_gap_s"] for row in rows],
            "arrayminus": [row["median_gap_s"] - row["shortest_gap_s"] for row in rows],
            "thickness": 1,
        },
        name=f"{source}: {pattern}",
        mode="lines+markers",
        line={"color": PALETTE[place], "width": 2},
        marker=mark(PALETTE[place], SYMBOLS[place], 8),
        text=[counted(row["sequences"], "sequence") for row in rows],
        hovertemplate="attempt %{x}<br>%{y} s (median)<br>%{text}<extra>" + source + "</extra>",
    )


def _cause_bar(rows: Sequence[Row], sources: list[str], place: int) -> go.Bar:
    words = CAUSE_WORDS[CAUSES[place]]
    return go.Bar(
        x=column(rows, "duplicates"),
        y=[sources.index(row["source"]) for row in rows],
        text=[f"{label(row['source'], 60)}{ids(row, row['duplicates'])}" for row in rows],
        textposition="none",
        orientation="h",
        name=words,
        marker=fill(PALETTE[place], place),
        hovertemplate="%{x} duplicates of %{text}<extra>" + words + "</extra>",
    )
