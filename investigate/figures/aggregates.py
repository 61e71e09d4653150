"""Figures of the aggregates: the versions of a day, what they hold of it, its verdict."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from investigate.display import Numbers, Row
from investigate.figures.style import (
    BAD,
    CALM,
    DARK,
    GOOD,
    MUTED,
    PALETTE,
    PATTERNS,
    WARN,
    Drawing,
    axis,
    blank,
    column,
    drawing,
    label,
    parted,
    plural,
    time_axis,
)

# What reproduced a version's hash: words and symbol. Anything else did not.
EXPLANATIONS = {
    "sample-ids": ("explained by its sample ids", "circle"),
    "day-as-of-computed": ("the whole day as it stood", "square"),
    "day-without-missing": ("the day without missing objects", "diamond"),
    "consecutive-run": ("a run of consecutive events", "triangle-up"),
    "day-doubled": ("the day, each event twice", "star"),
}
UNEXPLAINED = ("unexplained", "x")
# A day's verdict: colour and letter.
VERDICTS = {
    "missing": ("#8e1b5c", "M"),
    "unexplained": (DARK, "U"),
    "overwritten": ("#cc79a7", "O"),
    "inflated": ("#d55e00", "I"),
    "partial": ("#a63603", "P"),
    "split": ("#e69f00", "S"),
    "stale": ("#f0e442", "L"),
    "pending": ("#8c8c8c", "W"),
    "complete": ("#009e73", "✓"),
}


def aggregate_versions(versions: Numbers) -> Drawing:
    """Each version of a day over the time it was computed: its colour is its inputs hash, its
    symbol what explains the hash."""
    title = "The versions of each day"
    if not versions.rows:
        return blank(title, versions.unknown or "No aggregate version in scope.")
    days = list(dict.fromkeys(_day(row) for row in versions.rows))
    parts = parted(_coloured(versions.rows), "look")
    unknown = sum(row["explained_by"] not in EXPLANATIONS for row in versions.rows)
    hashes = len({row["inputs_hash"] for row in versions.rows})
    return drawing(
        [_version_marks(parts[look], look) for look in sorted(parts, key=_legend_place)],
        f"{plural(len(versions.rows), 'version')} of {plural(len(days), 'day')} with "
        f"{plural(hashes, 'inputs hash', 'inputs hashes')}; {unknown:,} unexplained",
        sentence=_shown(len(days), versions.rows[0]["of_days"]),
        height=170 + 30 * max(len(days), 3),
        xaxis=time_axis("computed at (UTC)"),
        yaxis=axis("", type="category", categoryorder="array", categoryarray=days[::-1]),
        legend={"title": {"text": "colour: inputs hash; symbol:"}},
    )


def _coloured(rows: Sequence[Row]) -> list[Row]:
    """Rows with a colour per inputs hash of their day, in the order in which the hashes came."""
    known: dict[str, list[str]] = {}
    coloured = []
    for row in rows:
        hashes = known.setdefault(_day(row), [])
        if row["inputs_hash"] not in hashes:
            hashes.append(row["inputs_hash"])
        colour = PALETTE[hashes.index(row["inputs_hash"]) % len(PALETTE)]
        known_by = row["explained_by"] if row["explained_by"] in EXPLANATIONS else UNEXPLAINED[0]
        coloured.append({**row, "colour": colour, "look": known_by})
    return coloured


def _legend_place(look: str) -> int:
    return [*EXPLANATIONS, UNEXPLAINED[0]].index(look)


def _version_marks(rows: Sequence[Row], look: str) -> go.Scatter:
    words, symbol = EXPLANATIONS.get(look, UNEXPLAINED)
    return go.Scatter(
        x=column(rows, "computed"),
        y=[_day(row) for row in rows],
        mode="markers",
        name=words,
        marker={
            "color": column(rows, "colour"), "symbol": symbol, "size": 12,
            "line": {"width": 1, "color": DARK},
        },
        text=[
            f"hash {label(row['inputs_hash'], 24)}<br>{row['input_count']} inputs" for row in rows
        ],
        hovertemplate="%{y}<br>%{x}<br>%{text}<extra>" + words + "</extra>",
    )  # fmt: skip


def day_coverage(days: Numbers) -> Drawing:
    """How many of a day's events its newest version holds, its other versions hold, and none."""
    title = "What the versions hold of each day"
    if not days.rows:
        return blank(title, days.unknown or "No day in scope has a version or was sent.")
    names = [f"{_day(row)} ({row['verdict']})" for row in days.rows]
    held = [row["held_by_newest"] for row in days.rows]
    rest = [_more(row["held_by_union"], row["held_by_newest"]) for row in days.rows]
    none = [_more(row["expected"], row["held_by_union"]) for row in days.rows]
    since = [row["arrived_since"] for row in days.rows]
    unsure = [
        row["expected"] - row["held_by_newest"] if row["held_by_union"] is None else 0
        for row in days.rows
    ]
    parts = (
        ("held by the newest version", GOOD, held),
        ("held by older versions only", CALM, rest),
        ("held by no version", BAD, none),
        ("unknown: a version is unexplained", MUTED, unsure),
        ("arrived since", WARN, since),
    )
    left_out = sum(value > 0 for value in none)
    return drawing(
        [_day_bar(names, place, *part) for place, part in enumerate(parts) if any(part[2])],
        f"{left_out:,} of {plural(len(names), 'day')} shown {'has' if left_out == 1 else 'have'} "
        "events that no version holds",
        sentence=_shown(len(names), days.rows[0]["of_days"]),
        height=170 + 28 * max(len(names), 3),
        barmode="stack",
        xaxis=axis("events of the day", rangemode="tozero"),
        yaxis=axis("", type="category", categoryorder="array", categoryarray=names[::-1]),
    )


def _more(larger: int | None, smaller: int | None) -> int:
    """The difference where both are known."""
    return 0 if larger is None or smaller is None else max(larger - smaller, 0)


def _day_bar(names: list[str], place: int, words: str, colour: str, values: list[int]) -> go.Bar:
    return go.Bar(
        x=values,
        y=names,
        orientation="h",
        name=words,
        marker={"color": colour, "pattern": {"shape": PATTERNS[place]}},
        hovertemplate="%{y}<br>%{x} events<extra>" + words + "</extra>",
    )


def day_verdicts(days: Numbers) -> Drawing:
    """A calendar: one square per entity and day, its colour and its letter the day's verdict."""
    title = "Every day's verdict"
    if not days.rows:
        return blank(title, days.unknown or "No day in scope has a version or was sent.")
    entities = list(dict.fromkeys(label(row["entity_id"]) for row in days.rows))
    parts = parted(days.rows, "verdict")
    complete = len(parts.get("complete", ()))
    return drawing(
        [_squares(parts[verdict], verdict) for verdict in VERDICTS if verdict in parts],
        f"{complete:,} of {plural(len(days.rows), 'entity day')} "
        f"{'is' if complete == 1 else 'are'} complete",
        sentence=" ".join(f"{verdict}: {len(part)}." for verdict, part in parts.items()),
        height=170 + 30 * max(len(entities), 3),
        xaxis=time_axis("day (UTC)", dtick=86_400_000, tickformat="%b %d", showgrid=False),
        yaxis=axis(
            "entity", type="category", categoryorder="array", categoryarray=entities[::-1],
            showgrid=False,
        ),
    )  # fmt: skip


def _squares(rows: Sequence[Row], verdict: str) -> go.Scatter:
    colour, letter = VERDICTS[verdict]
    ink = (
        "#111111" if verdict in ("stale", "split", "complete", "pending", "overwritten") else "#fff"
    )
    return go.Scatter(
        x=column(rows, "day"),
        y=[label(row["entity_id"]) for row in rows],
        mode="markers+text",
        name=f"{letter} {verdict}",
        marker={"color": colour, "symbol": "square", "size": 22},
        text=[letter] * len(rows),
        textfont={"color": ink, "size": 12},
        hovertemplate="%{y}<br>%{x}<extra>" + verdict + "</extra>",
    )


def _day(row: Row) -> str:
    return f"{label(row['entity_id'])} {label(row['day'])}"


def _shown(shown: int, total: int) -> str:
    return (
        "" if shown >= total else f"The {shown} of {total:,} days that most need a look are shown."
    )
