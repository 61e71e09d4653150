"""Figures of the overview: how the checks of each step ended, and where events drop out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from investigate.display import COLOURS, MARKS, Numbers, Row
from investigate.figures.style import (
    BAD,
    GUIDE,
    LOST,
    UNKNOWN,
    WARN,
    Drawing,
    blank,
    column,
    count_axis,
    drawing,
    escaped,
    fill,
    height_for,
    ids,
    ink,
    names_axis,
    parted,
    step_colour,
)
from investigate.model import counted

WORDS = ("escalate", "dangerous", "suspect", "expected", "error", "not-evaluated", "passed")
DROPS = {
    "dropped": "not here", "waiting": "waiting", "unknown": "unknown",
    "joined": "joined here",
}  # fmt: skip
NOT_SENT = {"dropped": "not sent by any replay", "unknown": "not known to have been sent"}
FAULTS = ("escalate", "dangerous", "suspect")

STATIONS = {
    "known": "known to any store",
    "readable": "raw object readable",
    "refs": "row that leads to it",
    "sent": "sent for processing",
    "processed": "processed",
    "aggregated": "in an aggregate version",
}
# What became of the events of a station that are not at the next: words and colour. Those that are
# there have the colour of the station.
REACHED = "reached"
BRANCHES = {
    REACHED: ("came this far", ""),
    "dropped": ("did not come this far", BAD),
    "waiting": ("waiting in the queue", WARN),
    "unknown": ("not known to have come this far", UNKNOWN),
}

# The words of the ledger's cells, each with a colour and, by its place, a pattern of its own; what
# is present has the colour of its station.
PRESENT = "present"
LEDGER = {
    PRESENT: "", "absent": BAD, "denied": LOST, "expired": GUIDE, "pending": WARN,
    "unknown": UNKNOWN,
}  # fmt: skip
CHIP = 7  # pixels of a step's colour before its row
VERDICT_PATTERNS = {"dangerous": 1, "suspect": 2, "expected": 6, "error": 3, "not-evaluated": 5}


def event_flow(flow: Numbers) -> Drawing:
    """One bar per station of the golden path: how many events came, and what became of the rest."""
    title = "Where events drop out"
    if not flow.rows or not flow.rows[0]["reached"]:
        return blank(title, flow.unknown or "No settled event in scope.")
    rows = flow.rows
    stations = [STATIONS[row["stage"]] for row in rows]
    return drawing(
        [_branch(rows, name, place) for place, name in enumerate(BRANCHES)],
        f"{rows[-1]['reached']:,} of {counted(rows[0]['reached'], 'event')} are in an aggregate "
        f"version; {_lost(rows)}{_unsent(rows)}",
        sentence=" ".join(f"{STATIONS[row['stage']]}: {row['reached']:,}." for row in rows),
        height=height_for(stations, 50),
        barmode="stack",
        annotations=[_rest(row, place) for place, row in enumerate(rows) if _told(row)],
        xaxis=count_axis("events", flow.column("reached")),
        yaxis=names_axis(stations),
    )


def _lost(rows: Sequence[Row]) -> str:
    """Where most are lost. Not being sent is no loss: what no replay asks for is never sent."""
    on_the_way = [row for row in rows[1:] if row["stage"] != "sent" and row["dropped"]]
    if not on_the_way:
        return "none is known to be lost on the way"
    worst = max(on_the_way, key=lambda row: row["dropped"])
    return f"most are lost before “{STATIONS[worst['stage']]}” ({worst['dropped']:,})"


def _unsent(rows: Sequence[Row]) -> str:
    """How many stopped before they were sent, and why that is not sure, if it is not."""
    row = next((row for row in rows if row["stage"] == "sent"), None)
    parts = (
        [f"{row[name]:,} {words}" for name, words in NOT_SENT.items() if row[name]] if row else []
    )
    why = f" ({escaped(row['why'])})" if row and row["why"] else ""
    return "".join(f"; {part}" for part in parts) + why


def _branch(rows: Sequence[Row], name: str, place: int) -> go.Bar:
    words, colour = BRANCHES[name]
    reached = name == REACHED
    own = [step_colour(row["stage"]) for row in rows]
    return go.Bar(
        x=column(rows, name),
        y=list(range(len(rows))),
        orientation="h",
        name=words,
        showlegend=not reached,  # it has as many colours as there are stations
        width=0.5,
        text=[f"{row[name]:,}" if reached else "" for row in rows],
        customdata=[_which(row, name) for row in rows],
        textposition="inside",
        insidetextanchor="middle",
        insidetextfont={"color": [ink(one) for one in own] if reached else ink(colour)},
        marker={"color": own} if reached else fill(colour, place),
        hovertemplate="%{x} events%{customdata}<extra>" + words + "</extra>",
    )


def _which(row: Row, name: str) -> str:
    """Which events are not here, or why nobody knows."""
    if name == "unknown":
        return f"<br>{escaped(row['why'])}" if row["why"] else ""
    return ids(row, row[name]) if name == "dropped" else ""


def _told(row: Row) -> str:
    """What became of those that are not here, in words: a bar of three events is a hairline."""
    words = {**DROPS, **NOT_SENT} if row["stage"] == "sent" else DROPS
    parts = [f"{row[name]:,} {word}" for name, word in words.items() if row[name]]
    return ", ".join(parts)


def _rest(row: Row, place: int) -> dict[str, Any]:
    """A note under its bar, where there is room for it on a phone too."""
    return {
        "x": 0, "xref": "paper", "y": place + 0.27, "text": _told(row), "showarrow": False,
        "xanchor": "left", "yanchor": "top", "font": {"size": 11},
    }  # fmt: skip


def ledger_cells(cells: Numbers) -> Drawing:
    """One bar per station, split by what the station shows of the events."""
    title = "Where every event stands"
    if not cells.rows:
        return blank(title, cells.unknown or "No event in scope.")
    parts = parted(cells.rows, "cell")
    stations = list(dict.fromkeys(cells.column("station")))
    torn = {row["station"]: row["broken"] for row in cells.rows}
    total = sum(row["events"] for row in cells.rows if row["station"] == stations[0])
    drawn = [name for name in LEDGER if name in parts]
    return drawing(
        [_cell_bar(parts[name], stations, list(LEDGER).index(name)) for name in drawn],
        f"The stories of {sum(torn.values()):,} of {counted(total, 'event')} break"
        f"{_first(torn)}{_untold(parts)}",
        sentence=" ".join(_station_told(cells.rows, station) for station in stations),
        height=height_for(stations, 46),
        barmode="stack",
        annotations=[
            {
                "x": 0, "xref": "paper", "y": place + 0.36, "text": f"{torn[name]:,} break here",
                "showarrow": False, "xanchor": "left", "yanchor": "top", "font": {"size": 11},
            }
            for place, name in enumerate(stations) if torn[name]
        ],
        xaxis=count_axis("events", [total]),
        yaxis=names_axis(stations),
    )  # fmt: skip


def _first(torn: dict[str, int]) -> str:
    """The first station at which any story breaks."""
    return next((f", the first of them at {name}" for name, count in torn.items() if count), "")


def _untold(parts: dict[Any, list[Row]]) -> str:
    untold = [sum(row["events"] for row in parts.get(name, [])) for name in ("denied", "unknown")]
    return f"; {sum(untold):,} cells cannot be told" if any(untold) else ""


def _station_told(rows: Sequence[Row], station: str) -> str:
    told = [f"{row['events']:,} {row['cell']}" for row in rows if row["station"] == station]
    return f"{station}: {', '.join(told)}."


def _cell_bar(rows: Sequence[Row], stations: list[str], place: int) -> go.Bar:
    word = list(LEDGER)[place]
    here = word == PRESENT
    own = [step_colour(row["station"]) for row in rows]
    return go.Bar(
        x=column(rows, "events"),
        y=[stations.index(row["station"]) for row in rows],
        orientation="h",
        name=word,
        showlegend=not here,  # it has as many colours as there are stations
        text=[f"{row['events']:,}" if here else "" for row in rows],
        customdata=["" if here else ids(row, row["events"]) for row in rows],
        textposition="inside",
        insidetextanchor="middle",
        textangle=0,
        insidetextfont={"color": [ink(one) for one in own]},
        marker={"color": own} if here else fill(LEDGER[word], place),
        hovertemplate="%{x} events%{customdata}<extra>" + word + "</extra>",
    )


def checks_by_step(verdicts: Numbers) -> Drawing:
    """Bars of the checks of each step, split by how they ended, the worst on the left."""
    if not verdicts.rows:
        return blank("How the checks ended", "No check was asked.")
    parts = parted(verdicts.rows, "word")
    steps = list(dict.fromkeys(verdicts.column("step")))
    faults = sum(sum(column(parts.get(word, []), "checks")) for word in FAULTS)
    unsure = sum(column(parts.get("not-evaluated", []), "checks"))
    normal = sum(column(parts.get("expected", []), "checks"))
    usual = f", {normal:,} found what is expected" if normal else ""
    return drawing(
        [_word_bar(parts[word], steps, place) for place, word in enumerate(WORDS) if word in parts],
        f"{faults:,} of {counted(sum(verdicts.column('checks')), 'check')} found a fault"
        f"{usual}, {unsure:,} could not be evaluated",
        sentence=" ".join(f"{word}: {sum(column(parts[word], 'checks'))}." for word in parts),
        height=height_for(steps),
        barmode="stack",
        shapes=[_chip(step, place) for place, step in enumerate(steps)],
        xaxis=count_axis("checks", verdicts.column("checks")),
        yaxis=names_axis(steps),
    )


def _chip(step: str, place: int) -> dict[str, Any]:
    """The colour of a step beside its name: the bars have those of the verdicts."""
    return {
        "type": "rect", "xref": "paper", "xsizemode": "pixel", "xanchor": 0, "x0": -CHIP, "x1": 0,
        "y0": place - 0.35, "y1": place + 0.35, "fillcolor": step_colour(step),
        "line": {"width": 0},
    }  # fmt: skip


def _word_bar(rows: Sequence[Row], steps: list[str], place: int) -> go.Bar:
    word = WORDS[place]
    return go.Bar(
        x=column(rows, "checks"),
        y=[steps.index(row["step"]) for row in rows],
        orientation="h",
        name=f"{MARKS[word]} {word}",
        text=[f"{MARKS[word]} {row['checks']}" for row in rows],
        textposition="inside",
        insidetextanchor="middle",
        textangle=0,
        insidetextfont={"color": ink(COLOURS[word])},
        marker=fill(COLOURS[word], VERDICT_PATTERNS.get(word, 0)),
        hovertemplate="%{x} checks<extra>" + word + "</extra>",
    )
