"""Figures of dead letters: how many by error and decision, and how long there is to save them."""

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
    SYMBOLS,
    WARN,
    Drawing,
    blank,
    column,
    count_axis,
    drawing,
    duration,
    fill,
    height_for,
    ids,
    label,
    mark,
    names_axis,
    parted,
    time_axis,
    upright,
    vertical_line,
)
from investigate.model import counted

# Decision: its colour; the order is that of a bar from the axis on.
DECISIONS = {"retry": GOOD, "repair": WARN, "archive": GUIDE, "escalate": LOST}
LONGEST = 60


def letter_groups(groups: Numbers) -> Drawing:
    """How many dead letters have which error, and what is to be done with them."""
    title = "What failed for good"
    if not groups.rows:
        return blank(title, groups.unknown or "No dead letter was captured, and none waits.")
    names = list(dict.fromkeys(row["fingerprint"] for row in groups.rows))
    total = sum(groups.column("letters"))
    bars = [_bar(decision, groups.rows, names) for decision in DECISIONS]
    kinds = counted(len(names), "error")
    return drawing(
        [bar for bar in bars if bar is not None],
        f"{counted(total, 'dead letter')} of {kinds}; the most common: {label(names[0], LONGEST)}",
        sentence=" ".join(_said(row) for row in groups.rows[:3]),
        height=height_for(names),
        barmode="stack",
        xaxis=count_axis("dead letters", [total]),
        yaxis=names_axis([label(name, 40) for name in names]),
    )


def _bar(decision: str, rows: Sequence[Row], names: list[str]) -> Any:
    part = [row for row in rows if row["decision"] == decision]
    if not part:
        return None
    place = list(DECISIONS).index(decision)
    return go.Bar(
        x=column(part, "letters"),
        y=[names.index(row["fingerprint"]) for row in part],
        text=[f"{label(row['fingerprint'], LONGEST)}{ids(row, row['letters'])}" for row in part],
        textposition="none",
        orientation="h",
        name=decision,
        marker=fill(DECISIONS[decision], place),
        hovertemplate="%{x} letters: %{text}<extra>" + decision + "</extra>",
    )


def _said(row: Row) -> str:
    return f"{row['letters']:,} to {row['decision']}: {label(row['fingerprint'], LONGEST)}."


def letter_deadlines(deadlines: Numbers) -> Drawing:
    """Until when each dead letter can be saved, the most urgent on top."""
    title = "How long there is to save them"
    if not deadlines.rows:
        return blank(title, deadlines.unknown or "No dead letter was captured, and none waits.")
    known = [row for row in deadlines.rows if row["until"]]
    if not known:
        return blank(title, "Of no dead letter it is known until when it can be saved.")
    places = {id(row): place for place, row in enumerate(known)}
    first, total = known[0], known[0]["total"]
    spans = [_span(row, places[id(row)]) for row in known]
    marks = [_mark(decision, part, places) for decision, part in parted(known, "decision").items()]
    return drawing(
        [*spans, *marks],
        _claim(first, total),
        sentence=f"Shown: {len(known):,} of {counted(total, 'dead letter')}.",
        height=height_for(known, each=22),
        shapes=[vertical_line(first["now"], BAD)],
        annotations=[upright(first["now"], "captured")],
        xaxis=time_axis("failed, until it can be saved (UTC)"),
        yaxis=names_axis([label(row["message_id"], 20) for row in known]),
    )


def _claim(first: Row, total: int) -> str:
    left = first["left_s"]
    when = f"in {duration(left)}" if left > 0 else f"{duration(left)} ago"
    ends = "ends" if left > 0 else "ended"
    return f"The first of {counted(total, 'dead letter')} {ends} {when}"


def _span(row: Row, place: int) -> Any:
    start = row["failed"] or row["now"]
    return go.Scatter(
        x=[start, row["until"]],
        y=[place, place],
        mode="lines",
        line={"color": GUIDE, "width": 2},
        hoverinfo="skip",
        showlegend=False,
    )


def _mark(decision: str, rows: list[Row], places: dict[int, int]) -> Any:
    known = list(DECISIONS)
    return go.Scatter(
        x=column(rows, "until"),
        y=[places[id(row)] for row in rows],
        mode="markers",
        name=decision,
        text=[f"{label(row['message_id'], 40)}<br>{label(row['reason'], 90)}" for row in rows],
        marker=mark(DECISIONS[decision], SYMBOLS[known.index(decision)], 10),
        hovertemplate="%{text}<br>until %{x}<extra>" + decision + "</extra>",
    )
