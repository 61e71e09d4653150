"""Figures of the queue: how many messages wait, for how long, and how often they were received."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from investigate.display import Numbers, Row
from investigate.figures.style import (
    BAD,
    GUIDE,
    PALETTE,
    STEP_COLOURS,
    WARN,
    Drawing,
    axis,
    blank,
    column,
    count_axis,
    drawing,
    duration,
    fill,
    height_for,
    ids,
    label,
    names_axis,
    parted,
    per,
    upright,
    vertical_line,
)
from investigate.model import Step, counted

OWN = STEP_COLOURS[Step.SQS.value]
STATES = {"visible": OWN, "not_visible": PALETTE[0], "delayed": GUIDE}
STATE_WORDS = {"visible": "visible", "not_visible": "in flight", "delayed": "delayed"}
# Below the axis, where no bar stands.
LIMITS = "<br>shaded: about to expire; dashed line: dropped"
FORMED = {True: ("well formed", fill(OWN)), False: ("malformed", fill(BAD, 1))}


def queue_levels(queues: Numbers) -> Drawing:
    """How many messages each queue held when the case was captured, by state."""
    title = "What waits in the queues"
    if not queues.rows:
        return blank(title, queues.unknown or "No queue was captured.")
    names = [f"{row['queue']} ({row['role']})" for row in queues.rows]
    waiting = sum(row[state] or 0 for row in queues.rows for state in STATES)
    bars = [
        go.Bar(
            x=[row[state] for row in queues.rows],
            y=list(range(len(names))),
            text=[label(name, 60) for name in names],
            textposition="none",
            orientation="h",
            name=STATE_WORDS[state],
            marker=fill(colour, place),
            hovertemplate="%{text}<br>%{x} messages<extra>" + STATE_WORDS[state] + "</extra>",
        )
        for place, (state, colour) in enumerate(STATES.items())
    ]
    return drawing(
        bars,
        f"{counted(waiting, 'message')} in {counted(len(names), 'queue')} "
        "at the time of the capture",
        sentence=" ".join(_oldest(row) for row in queues.rows if row["oldest_age_s"]),
        height=height_for(names),
        barmode="stack",
        xaxis=count_axis("messages", [waiting]),
        yaxis=names_axis([label(name, 44) for name in names]),
    )


def _oldest(row: Row) -> str:
    kept = f" of {duration(row['retention_s'])} allowed" if row["retention_s"] else ""
    return f"Oldest in {label(row['queue'], 40)}: {duration(row['oldest_age_s'])}{kept}."


def message_ages(ages: Numbers) -> Drawing:
    """How long the sampled messages have waited, and where the queue would drop them."""
    title = "How long messages have waited"
    if not ages.rows:
        return blank(title, ages.unknown or "No message was in the sample.")
    first = ages.rows[0]
    unit, name = (3600, "hours") if first["seconds"] >= 600 else (60, "minutes")
    bars = [
        go.Bar(
            x=[round((row["age_s"] + row["seconds"] / 2) / unit, 3) for row in part],
            y=column(part, "messages"),
            width=first["seconds"] * 0.9 / unit,
            name=FORMED[formed][0],
            marker=FORMED[formed][1],
            text=[ids(row, row["messages"]) for row in part],
            textposition="none",
            hovertemplate=f"about %{{x}} {name}<br>%{{y}} messages%{{text}}<extra></extra>",
        )
        for formed, part in _formed(ages.rows)
    ]
    total, retention = sum(ages.column("messages")), first["retention_s"]
    oldest = duration(first["oldest_s"])
    kept = f"; the queue keeps them {duration(retention)}" if retention else ""
    return drawing(
        bars,
        f"{counted(total, 'sampled message')}, the oldest waiting for {oldest}{kept}",
        barmode="stack",
        shapes=_limits(first, unit) if retention else [],
        xaxis=axis(f"age at capture ({name}){LIMITS if retention else ''}", rangemode="tozero"),
        yaxis=count_axis(f"messages {per(first['seconds'])} of age", ages.column("messages")),
    )


def _formed(rows: Sequence[Row]) -> list[tuple[bool, list[Row]]]:
    return sorted(parted(rows, "well_formed").items(), reverse=True)


def _limits(row: Row, unit: int) -> list[dict[str, Any]]:
    """A line at the retention, and a shade where a message is about to reach it."""
    end = round(row["retention_s"] / unit, 3)
    start = round((row["retention_s"] - row["expiring_s"]) / unit, 3)
    band = {
        "type": "rect",
        "x0": max(start, 0),
        "x1": end,
        "fillcolor": WARN,
        "opacity": 0.18,
        "layer": "below",
    }
    whole = {"yref": "paper", "y0": 0, "y1": 1}
    return [{**band, **whole, "line": {"width": 0}}, vertical_line(end, BAD)]


def receive_counts(receives: Numbers) -> Drawing:
    """How often the sampled messages were received without being deleted."""
    title = "How often messages were received"
    if not receives.rows:
        return blank(title, receives.unknown or "No message was in the sample.")
    threshold = receives.rows[0]["poison_receives"]
    poison = sum(row["messages"] for row in receives.rows if row["receives"] >= threshold)
    bars = [
        go.Bar(
            x=column(part, "receives"),
            y=column(part, "messages"),
            width=0.8,
            name=FORMED[formed][0],
            marker=FORMED[formed][1],
            text=[ids(row, row["messages"]) for row in part],
            textposition="none",
            hovertemplate="received %{x} times<br>%{y} messages%{text}<extra></extra>",
        )
        for formed, part in _formed(receives.rows)
    ]
    return drawing(
        bars,
        f"{poison:,} of {counted(sum(receives.column('messages')), 'sampled message')} received "
        f"{threshold} times or more",
        barmode="stack",
        shapes=[vertical_line(threshold - 0.5, BAD)],
        annotations=[upright(threshold - 0.5, "poison from here on")],
        xaxis=axis(
            "receives, the capture's own included (20: 20 or more)",
            dtick=1,
            range=[0.4, max([*receives.column("receives"), threshold]) + 0.6],
        ),
        yaxis=count_axis("messages", receives.column("messages")),
    )
