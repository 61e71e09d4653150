"""Figures of the overview: how the checks of each step ended, and where events drop out."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from investigate.display import COLOURS, MARKS, Numbers, Row, ink
from investigate.figures.style import (
    Drawing,
    axis,
    blank,
    column,
    drawing,
    height_for,
    names_axis,
    parted,
    plural,
)

WORDS = ("escalate", "dangerous", "suspect", "expected", "error", "not-evaluated", "passed")
FAULTS = ("escalate", "dangerous", "suspect")


def checks_by_step(verdicts: Numbers) -> Drawing:
    """Bars of the checks of each step, split by how they ended, the worst on the left."""
    if not verdicts.rows:
        return blank("How the checks ended", "No check was asked.")
    parts = parted(verdicts.rows, "word")
    steps = list(dict.fromkeys(verdicts.column("step")))
    faults = sum(sum(column(parts.get(word, []), "checks")) for word in FAULTS)
    unsure = sum(column(parts.get("not-evaluated", []), "checks"))
    return drawing(
        [_word_bar(parts[word], steps, place) for place, word in enumerate(WORDS) if word in parts],
        f"{faults:,} of {plural(sum(verdicts.column('checks')), 'check')} found a fault, "
        f"{unsure:,} could not be evaluated",
        sentence=" ".join(f"{word}: {sum(column(parts[word], 'checks'))}." for word in parts),
        height=height_for(steps),
        barmode="stack",
        xaxis=axis("checks", rangemode="tozero"),
        yaxis=names_axis(steps),
    )


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
        insidetextfont={"color": ink(word)},
        marker={"color": COLOURS[word]},
        hovertemplate="%{x} checks<extra>" + word + "</extra>",
    )
