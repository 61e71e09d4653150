"""Figures of the raw objects: when events happened, which sources fell silent, what came late."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from investigate.display import Numbers, Row
from investigate.figures.style import (
    BAD,
    GUIDE,
    LOG_SECONDS,
    STEP_COLOURS,
    WARN,
    Drawing,
    axis,
    bin_widths,
    blank,
    by_size,
    column,
    drawing,
    duration,
    escaped,
    every_bin,
    ids,
    label,
    mark,
    on_log_axis,
    parted,
    per,
    time_axis,
    time_axis_of,
)
from investigate.model import Step, counted

ROW_HEIGHT = 84
MOST_SHADES = 30
OWN = STEP_COLOURS[Step.RAW.value]
KINDS = {
    "late": (BAD, "triangle-up", "late"),
    "clock skew": (WARN, "triangle-down", "arrived before its own time, by this much"),
}


def events_over_time(events: Numbers, silences: Numbers) -> Drawing:
    """One row of bars per source over event time, with the silences of regular sources marked."""
    if not events.rows:
        return blank("When events happened", events.unknown or "No readable raw object in scope.")
    sources = by_size(events.rows, "source", "events")
    bars = parted(events.rows, "source")
    gaps = _placed(silences.rows[:MOST_SHADES], sources)
    traces: list[Any] = [_bars(bars[name], row) for row, name in enumerate(sources, 1)]
    traces += [_gap_line(part, row) for row, part in parted(gaps, "row").items()]
    rate = per(events.rows[0]["seconds"])
    return drawing(
        traces,
        f"{counted(sum(events.column('events')), 'event')} from "
        f"{counted(events.rows[0]['of_sources'], 'source')}; {_silent(silences)}",
        sentence=" ".join(_gap_text(gap) for gap in gaps[:5]),
        height=140 + ROW_HEIGHT * len(sources),
        showlegend=False,
        shapes=[_shade(gap) for gap in gaps],
        annotations=[
            _row_title(f"{label(name)}, events {rate}", row, len(sources))
            for row, name in enumerate(sources, 1)
        ],
        xaxis=time_axis(anchor=_y(len(sources))),
        **{
            f"yaxis{row}": _row_axis(row, len(sources), max(column(bars[name], "events")))
            for row, name in enumerate(sources, 1)
        },
    )


def _placed(silences: Sequence[Row], sources: list[str]) -> list[Row]:
    """The silences, each with the row of its source; those of the unnamed sources in the last."""
    rows = {name: row for row, name in enumerate(sources, 1)}
    return [{**gap, "row": rows.get(gap["source"], len(sources))} for gap in silences]


def _bars(part: Sequence[Row], place: int) -> go.Bar:
    seconds, found = part[0]["seconds"], every_bin(part)
    return go.Bar(
        x0=part[0]["time"],
        dx=seconds * 1000,
        y=[row["events"] if row else None for row in found],
        **bin_widths(seconds),
        yaxis=_y(place),
        marker={"color": OWN},
        text=[ids(row, row["events"]) if row else "" for row in found],
        textposition="none",
        hovertemplate="from %{x|%Y-%m-%d %H:%M}<br>%{y} events%{text}<extra></extra>",
    )


def _gap_line(part: Sequence[Row], row: int) -> go.Scatter:
    """A thick line along each silence; it carries the hover text, which a shade cannot."""
    x = [moment for gap in part for moment in (gap["start"], gap["end"], None)]
    texts = [text for gap in part for text in (_gap_text(gap), "its end", None)]
    return go.Scatter(
        x=x,
        y=[None if moment is None else 0 for moment in x],
        text=texts,
        yaxis=_y(row),
        mode="lines+markers",
        line={"color": BAD, "width": 5},
        marker={"symbol": "line-ns", "size": 12, "line": {"width": 2, "color": BAD}},
        hovertemplate="%{text}<extra></extra>",
    )


def _gap_text(gap: Row) -> str:
    return (
        f"{label(gap['source'])} {label(gap['event_type'])}: silent for "
        f"{duration(gap['seconds'])} from {gap['start']}, usually at most "
        f"{duration(gap['usual_seconds'])}."
    )


def _silent(silences: Numbers) -> str:
    if silences.unknown:
        return f"silences not evaluated ({escaped(silences.unknown)})"
    if not silences.rows:
        return "no regular source fell silent"
    many = counted(silences.rows[0]["of"], "silence is", "silences are")
    drawn = f" (marked: the {MOST_SHADES} longest)" if len(silences.rows) > MOST_SHADES else ""
    longest = duration(max(silences.column("seconds")))
    return f"{many} too long for the source, up to {longest}{drawn}"


def _shade(gap: Row) -> dict[str, Any]:
    return {
        "type": "rect", "xref": "x", "x0": gap["start"], "x1": gap["end"],
        "yref": f"{_y(gap['row'])} domain", "y0": 0, "y1": 1,
        "fillcolor": BAD, "opacity": 0.15, "line": {"width": 0}, "layer": "below",
    }  # fmt: skip


def _y(row: int) -> str:
    """Plotly's name for the axis of a row: the first has no number."""
    return "y" if row == 1 else f"y{row}"


def _row_axis(row: int, rows: int, highest: int) -> dict[str, Any]:
    top = 1 - (row - 1) / rows
    return {
        "domain": [round(top - 0.68 / rows, 4), round(top - 0.1 / rows, 4)],
        "anchor": "x", "range": [0, highest * 1.08], "tickvals": [0, highest],
    }  # fmt: skip


def _row_title(text: str, row: int, rows: int) -> dict[str, Any]:
    return {
        "text": text, "showarrow": False, "font": {"size": 12}, "xref": "paper", "yref": "paper",
        "x": 0, "xanchor": "left", "y": round(1 - (row - 0.9) / rows, 4), "yanchor": "bottom",
    }  # fmt: skip


def lag_over_time(lags: Numbers, unusual: Numbers) -> Drawing:
    """The usual and the longest lag per bin of event time, and each late or skewed event."""
    if not lags.rows:
        return blank("How late events arrived", lags.unknown or "No event with a time in scope.")
    traces = [
        _lag_line(lags.rows, "median_lag", "median lag", OWN, "solid"),
        _lag_line(lags.rows, "longest_lag", "longest lag", GUIDE, "dot"),
        *(_marks(part, *KINDS[kind]) for kind, part in parted(unusual.rows, "kind").items()),
    ]
    return drawing(
        traces,
        _punctuality(unusual, counted(sum(lags.column("events")), "event")),
        sentence=f"The longest lag is {duration(max(lags.column('longest_lag')))}.",
        xaxis=time_axis_of(lags.rows),
        yaxis=axis("seconds between event and arrival", type="log", **LOG_SECONDS),
    )


def _lag_line(rows: Sequence[Row], name: str, words: str, colour: str, dash: str) -> go.Scatter:
    return go.Scatter(
        x=column(rows, "time"),
        y=[on_log_axis(row[name]) for row in rows],
        name=f"{words} {per(rows[0]['seconds'])}",
        mode="lines+markers",
        line={"color": colour, "dash": dash, "width": 2},
        marker={"size": 4},
        hovertemplate="from %{x}<br>%{y} s<extra>" + words + "</extra>",
    )


def _marks(rows: Sequence[Row], colour: str, symbol: str, words: str) -> go.Scatter:
    return go.Scatter(
        x=column(rows, "time"),
        y=[on_log_axis(abs(row["lag"])) for row in rows],
        name=words,
        mode="markers",
        marker=mark(colour, symbol),
        text=[label(row["event_id"], 48) for row in rows],
        hovertemplate="%{text}<br>%{x}<br>%{y} s<extra>" + words + "</extra>",
    )


def _punctuality(unusual: Numbers, events: str) -> str:
    if unusual.unknown:
        return f"{events}; late ones not evaluated ({escaped(unusual.unknown)})"
    of_kind = {row["kind"]: row["of_kind"] for row in unusual.rows}
    if not of_kind:
        return f"{events}, none of them late or before its own time"
    late, skewed = of_kind.get("late", 0), of_kind.get("clock skew", 0)
    return f"{late:,} came too late and {skewed:,} before their own time, of {events}"
