"""Figures of retries: attempts one after another, how they multiply the load, and their beat."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import plotly.graph_objects as go

from investigate.display import Numbers, Row
from investigate.figures.style import (
    BAD,
    GUIDE,
    PALETTE,
    Drawing,
    axis,
    blank,
    column,
    count_axis,
    drawing,
    duration,
    fill,
    height_for,
    ink,
    label,
    mark,
    names_axis,
    parted,
    time_axis,
    vertical_line,
)
from investigate.model import counted

# Who repeats: its colour.
CHANNELS = {
    "client": PALETTE[0], "queue": PALETTE[1], "function": PALETTE[2], "stream": PALETTE[3],
    "rule": PALETTE[4],
}  # fmt: skip
# How an attempt ended: its symbol.
OUTCOMES = {"ok": "circle", "failed": "x", "unknown": "circle-open"}
BEATS = {
    "synchronised": (BAD, "diamond"), "spread": (PALETTE[0], "circle"),
    "insufficient": (GUIDE, "circle-open"),
}  # fmt: skip


def attempts_timeline(attempts: Numbers) -> Drawing:
    """Every attempt of the longest sequences, by the time since the first one."""
    title = "How attempts follow one another"
    if not attempts.rows:
        why = attempts.unknown or "Nothing was attempted more than once."
        return blank(title, why)
    places: dict[tuple[Any, ...], int] = {}
    for row in attempts.rows:
        places.setdefault(_sequence(row), len(places))
    total, most = attempts.rows[0]["of_sequences"], max(attempts.column("attempts"))
    lasts = max(row["after_s"] for row in attempts.rows)
    names = [f"{label(key[1], 26)} · {label(key[2], 10)}" for key in places]
    return drawing(
        [*_threads(attempts.rows, places), *_attempt_marks(attempts.rows, places)],
        f"{counted(total, 'event or request', 'events and requests')} attempted more than once, "
        f"up to {most:,} times",
        sentence=f"Shown: {len(places):,}, of which the longest took {duration(lasts)}; of each "
        f"the first {max(row['attempt'] for row in attempts.rows)} attempts at most.",
        height=height_for(names, each=20),
        xaxis=axis(
            "seconds since the first attempt",
            range=[-0.02 * lasts - 0.01, 1.02 * lasts + 0.01],  # no mark is cut in half
            zeroline=False,
        ),
        yaxis=names_axis(names),
    )


def _sequence(row: Row) -> tuple[Any, ...]:
    return row["channel"], row["group"], row["sequence"]


def _threads(rows: Sequence[Row], places: dict[tuple[Any, ...], int]) -> list[Any]:
    """One line per sequence, as a single trace with breaks in it."""
    xs: list[float | None] = []
    ys: list[int | None] = []
    for key, place in places.items():
        times = [row["after_s"] for row in rows if _sequence(row) == key]
        xs += [min(times), max(times), None]
        ys += [place, place, None]
    line = {"color": GUIDE, "width": 1}
    return [go.Scatter(x=xs, y=ys, mode="lines", line=line, hoverinfo="skip", showlegend=False)]


def _attempt_marks(rows: Sequence[Row], places: dict[tuple[Any, ...], int]) -> list[Any]:
    traces = []
    for channel, colour in CHANNELS.items():
        for outcome, symbol in OUTCOMES.items():
            part = [r for r in rows if r["channel"] == channel and r["outcome"] == outcome]
            if part:
                name = f"{channel}: {_outcome(outcome)}"
                traces.append(
                    go.Scatter(
                        x=column(part, "after_s"),
                        y=[places[_sequence(row)] for row in part],
                        mode="markers",
                        name=name,
                        text=[_attempt(row) for row in part],
                        marker=mark(colour, symbol, 8),
                        hovertemplate="%{y}<br>%{text}<extra>" + name + "</extra>",
                    )
                )
    return traces


def _outcome(word: str) -> str:
    return {"ok": "ended ok", "failed": "failed"}.get(word, "end unknown")


def _attempt(row: Row) -> str:
    gap = "" if row["gap_s"] is None else f", {row['gap_s']:,} s after the one before"
    return f"attempt {row['attempt']} at {row['time']}{gap}"


def retry_load(load: Numbers) -> Drawing:
    """How many attempts each group made per event or request, with what the repeats cost."""
    title = "How far retries multiply the load"
    if not load.rows:
        return blank(title, load.unknown or "Nothing was attempted more than once.")
    known = [row for row in load.rows if row["amplification"] is not None]
    if not known:
        return blank(title, "Of no group it is known how many first attempts it made.")
    storms = [row for row in known if row["storm"]]
    wasted = sum(row["wasted_gb_s"] or 0 for row in load.rows)
    usd = sum(row["wasted_usd"] or 0 for row in load.rows)
    names = [f"{label(row['group'])} ({row['channel']})" for row in known]
    factor = known[0]["factor"]
    return drawing(
        [_load_bars([row for row in known if row["storm"] is storm], known, storm=storm)
         for storm in (True, False) if any(row["storm"] is storm for row in known)],
        f"{counted(len(storms), 'group')} of {known[0]['of_groups']:,} that retried "
        f"{'is a storm' if len(storms) == 1 else 'are storms'}; the repeats were billed "
        f"{wasted:,.2f} GB-seconds",
        sentence=f"At list price that is {usd:,.6f} US dollars. "
        f"Most: {names[0]} with {known[0]['amplification']:,.1f} attempts each.",
        height=height_for(names),
        shapes=[vertical_line(factor, BAD, 1)],
        annotations=[
            {"x": factor, "y": 1, "yref": "paper", "yanchor": "bottom", "showarrow": False,
             "text": "a storm from here", "font": {"size": 12}}
        ],
        xaxis=axis("attempts each (1: no retries)", rangemode="tozero"),
        yaxis=names_axis(names),
    )  # fmt: skip


def _load_bars(rows: Sequence[Row], known: Sequence[Row], *, storm: bool) -> Any:
    return go.Bar(
        x=column(rows, "amplification"),
        y=[known.index(row) for row in rows],
        orientation="h",
        name="a storm" if storm else "not a storm",
        marker=fill(BAD if storm else PALETTE[0], 1 if storm else 0),
        text=[_price(row) for row in rows],
        textposition="auto",
        insidetextfont={"color": ink(BAD if storm else PALETTE[0])},
        hovertext=[_load(row) for row in rows],
        hovertemplate="%{hovertext}<extra></extra>",
    )


def _price(row: Row) -> str:
    wasted = row["wasted_gb_s"]
    return "billing unknown" if wasted is None else f"{wasted:,.2f} GB-s wasted"


def _load(row: Row) -> str:
    worst = row["worst_amplification"]
    hour = f"<br>worst hour: {row['worst_hour']}, {worst:,.1f} each" if worst else ""
    return (
        f"{label(row['group'], 40)}<br>{row['attempts']:,} attempts, {row['repeats']:,} of them "
        f"repeats{hour}<br>{_price(row)}"
    )


def retry_arrivals(arrivals: Numbers) -> Drawing:
    """In each second, how many clients retried, and whether that is more than chance."""
    title = "Whether clients retry at the same second"
    if not arrivals.rows:
        return blank(title, arrivals.unknown or "No client tried again.")
    together = {row["group"] for row in arrivals.rows if row["beat"] == "synchronised"}
    few = {row["group"] for row in arrivals.rows if row["beat"] == "insufficient"}
    groups = len({row["group"] for row in arrivals.rows})
    most = max(arrivals.rows, key=lambda row: row["retries"])
    total = arrivals.rows[0]["of_seconds"]
    return drawing(
        [_second_marks(beat, part) for beat, part in parted(arrivals.rows, "beat").items()],
        f"{len(together):,} of {counted(groups, 'group')} retried in step"
        + (f"; of {len(few):,} there are too few to tell" if few else ""),
        sentence=f"Most in one second: {most['retries']:,}, of {label(most['group'])} at "
        f"{most['time']}. Shown: {len(arrivals.rows):,} of {counted(total, 'second')}.",
        xaxis=time_axis("time of the retry (UTC)", **_room(arrivals.column("time"))),
        yaxis=count_axis("retries in one second", arrivals.column("retries")),
    )


def _room(times: Sequence[str]) -> dict[str, Any]:
    """A minute beside the marks, so that a few seconds are not stretched over the whole axis."""
    first, last = (datetime.fromisoformat(edge(times)) for edge in (min, max))
    minute = timedelta(minutes=1)
    return (
        {} if last - first > 10 * minute else {"range": [str(first - minute), str(last + minute)]}
    )


def _second_marks(beat: str, rows: Sequence[Row]) -> Any:
    colour, symbol = BEATS[beat]
    name = {"insufficient": "too few to tell", "synchronised": "in step"}.get(beat, "spread out")
    return go.Scatter(
        x=column(rows, "time"),
        y=column(rows, "retries"),
        mode="markers",
        name=name,
        text=[label(row["group"]) for row in rows],
        marker=mark(colour, symbol, 8),
        hovertemplate="%{text}<br>%{x}: %{y} in one second<extra>" + name + "</extra>",
    )
