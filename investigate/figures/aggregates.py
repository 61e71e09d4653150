"""Figures of the aggregates: the versions of a day, what they hold of it, its verdict."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import plotly.graph_objects as go

from investigate.display import Numbers, Row
from investigate.figures.style import (
    BAD,
    GOOD,
    GUIDE,
    LOST,
    OUTLINE,
    PALETTE,
    STEP_COLOURS,
    UNKNOWN,
    WARN,
    Drawing,
    axis,
    blank,
    column,
    count_axis,
    drawing,
    fill,
    height_for,
    ids,
    ink,
    label,
    mark,
    names_axis,
    parted,
    time_axis,
)
from investigate.model import Step, counted
from investigate.wording import of_periods, period_named

# What reproduced a version's hash: words and symbol. Anything else did not.
EXPLANATIONS = {
    "sample-ids": ("its sample ids", "circle"),
    "day-as-of-computed": ("the whole day as it stood", "square"),
    "day-without-missing": ("the day without missing objects", "diamond"),
    "consecutive-run": ("a run of consecutive events", "triangle-up"),
    "day-doubled": ("the day, each event twice", "star"),
    "unexplained": ("nothing: unexplained", "x"),
}
FEW_TICKS = 24
_LENGTHS = {"day": timedelta(days=1), "hour": timedelta(hours=1)}
OWN = STEP_COLOURS[Step.AGGREGATES.value]
# A day's verdict: how bad it is as a colour, and the letter that says which; worst first.
VERDICTS = {
    "missing": (LOST, "M"),
    "unexplained": (UNKNOWN, "U"),
    "overwritten": (LOST, "O"),
    "inflated": (BAD, "I"),
    "partial": (BAD, "P"),
    "split": (WARN, "S"),
    "stale": (WARN, "L"),
    "pending": (GUIDE, "W"),
    "complete": (GOOD, "✓"),
}


def day_verdicts(days: Numbers) -> Drawing:
    """A calendar: one square per entity and day, its colour and its letter the day's verdict."""
    if not days.rows:
        why = days.unknown or "No day in scope has a version or was sent for processing."
        return blank("Every day's verdict", why)
    entities = list(dict.fromkeys(days.column("entity_id")))
    parts, period = parted(days.rows, "verdict"), _period(days.rows)
    ticks = "%b %d" if period == "day" else "%b %d %Hh"
    return drawing(
        [
            _squares(parts[verdict], entities, verdict, _square_size(days))
            for verdict in VERDICTS
            if verdict in parts
        ],
        _complete(days.rows[0], len(days.rows), len(parts.get("complete", ()))),
        sentence=" ".join(f"{name}: {len(part)} drawn." for name, part in parts.items()),
        height=height_for(entities),
        xaxis=time_axis(f"{period} (UTC)", tickformat=ticks, showgrid=False, **_ticks_of(days)),
        yaxis={**names_axis([label(name) for name in entities], "entity"), "showgrid": False},
    )


def _complete(first: Row, drawn: int, complete_drawn: int) -> str:
    """How many days are complete, and what became of those that are not drawn."""
    known = counted(first["of_days"], f"entity {_period([first])}")
    claim = f"{first['of_complete']:,} of {known} complete"
    complete = first["of_complete"] - complete_drawn
    others = first["of_days"] - drawn - complete
    left = [
        f"{many:,} {words}"
        for many, words in ((complete, "complete ones"), (others, "others"))
        if many
    ]
    return f"{claim}; {' and '.join(left)} not drawn" if left else claim


def _span(days: Numbers) -> int:
    """How many days, or hours, there are from the first to the last."""
    known = [datetime.fromisoformat(day) for day in days.column("day")]
    return (max(known) - min(known)) // _LENGTHS[_period(days.rows)] + 1


def _ticks_of(days: Numbers) -> dict[str, int]:
    daily = _period(days.rows) == "day"
    return {"dtick": 86_400_000} if daily and _span(days) <= 10 else {}


def _period(rows: Sequence[Row]) -> str:
    """What the rows' aggregates are of: a `day` or an `hour`."""
    return period_named(str(rows[0]["day"]))


def _square_size(days: Numbers) -> int:
    """As large as the days leave room for; below 12 a letter cannot be read any more."""
    return max(min(700 // _span(days), 24), 6)


def _squares(rows: Sequence[Row], entities: list[str], verdict: str, size: int) -> go.Scatter:
    colour, letter = VERDICTS[verdict]
    return go.Scatter(
        x=column(rows, "day"),
        y=[entities.index(row["entity_id"]) for row in rows],
        mode="markers+text" if size >= 12 else "markers",
        name=f"{letter} {verdict}",
        marker=mark(colour, "square", size),
        text=[letter] * len(rows),
        textfont={"color": ink(colour), "size": min(12, size - 3)},
        hovertemplate="%{y}<br>%{x|" + _shown_as(rows) + "}<extra>" + verdict + "</extra>",
    )


def _shown_as(rows: Sequence[Row]) -> str:
    return "%Y-%m-%d" if _period(rows) == "day" else "%Y-%m-%d %Hh"


def aggregate_versions(versions: Numbers) -> Drawing:
    """The versions of each day in the order in which they were computed: the colour is the inputs
    hash, the symbol what explains it, the number how many inputs it has."""
    if not versions.rows:
        why = versions.unknown or "No aggregate version in scope."
        return blank("The versions of each day", why)
    rows = _coloured(versions.rows)
    days = list(dict.fromkeys(_day(row) for row in rows))
    parts = parted(rows, "look")
    unknown = len(parts.get("unexplained", ()))
    hashes = len({row["inputs_hash"] for row in rows} - {None})
    most = max(column(rows, "place"))
    return drawing(
        [_version_marks(parts[look], days, look) for look in EXPLANATIONS if look in parts],
        f"{_drawn(rows, len(days))} with "
        f"{counted(hashes, 'inputs hash', 'inputs hashes')}; {unknown:,} unexplained",
        height=height_for(days, 40),
        xaxis=axis(
            f"version of the {_period(rows)}, as computed (number: its inputs)",
            **({"dtick": 1} if most <= FEW_TICKS else {}),
        ),
        yaxis={
            **names_axis([_short_day(*day) for day in days]),
            "range": [len(days) - 0.5, -0.8],  # the first row's numbers stand above its marks
        },
        legend={"title": {"text": "hash explained by"}},
    )


def _coloured(rows: Sequence[Row]) -> list[Row]:
    """Rows with their place among their day's versions, and a colour per inputs hash of the day."""
    hashes: dict[Day, list[str]] = {}
    places: dict[Day, int] = {}
    coloured = []
    for row in rows:
        day, known = _day(row), hashes.setdefault(_day(row), [])
        places[day] = places.get(day, 0) + 1
        if row["inputs_hash"] not in known:
            known.append(row["inputs_hash"])
        colour = PALETTE[known.index(row["inputs_hash"]) % len(PALETTE)]
        look = row["explained_by"] if row["explained_by"] in EXPLANATIONS else "unexplained"
        coloured.append({**row, "place": places[day], "colour": colour, "look": look})
    return coloured


def _version_marks(rows: Sequence[Row], days: list[Day], look: str) -> go.Scatter:
    words, symbol = EXPLANATIONS[look]
    words = of_periods(words, _period(rows))
    few = max(column(rows, "place")) <= FEW_TICKS  # else the numbers would cover one another
    return go.Scatter(
        x=column(rows, "place"),
        y=[days.index(_day(row)) for row in rows],
        mode="markers+text",
        name=words,
        marker={
            "color": column(rows, "colour"), "symbol": symbol, "size": 12,
            "line": {"width": 1, "color": OUTLINE},
        },
        text=[f"{row['input_count']}" if few else "" for row in rows],
        textposition="top center",
        textfont={"size": 11},
        hovertext=[_version_text(row) for row in rows],
        hovertemplate="%{y}<br>%{hovertext}<extra>" + words + "</extra>",
    )  # fmt: skip


def _version_text(row: Row) -> str:
    return (
        f"version {row['version']}, computed {row['computed']}<br>"
        f"{counted(row['input_count'] or 0, 'input')}, hash {label(row['inputs_hash'], 24)}"
    )


def version_coverage(parts: Numbers) -> Drawing:
    """Which events of one day each of its versions holds: a row per version, the events in order
    of their time, a square for one or for equally many of them."""
    title = "Which events each version holds"
    if not parts.rows:
        return blank(title, parts.unknown or "No day in scope has a version.")
    first = parts.rows[0]
    versions = list(dict.fromkeys(_version(row) for row in parts.rows))
    ever = {row["part"] for row in parts.rows if row["held"]}
    events = {row["part"]: row["events"] for row in parts.rows}
    held = sum(events[part] for part in ever)
    traces = [
        _holding(rows, versions, look) for look, rows in _by_holding(parts.rows).items() if rows
    ]
    many = counted(sum(events.values()), "event")
    size = max(events.values())
    each = "" if size == 1 else f" (one square: up to {size} events)"
    return drawing(
        traces,
        f"{_short_day(*_day(first))}: {counted(len(versions), 'version')} of {many}{each}; squares "
        f"that some version holds stand for {held:,}",
        height=height_for(versions),
        xaxis=axis(f"events of the {_period(parts.rows)}, in order of time", showgrid=False),
        yaxis={**names_axis(versions, "computed"), "showgrid": False},
    )


def _version(row: Row) -> str:
    return str(row["computed"] or row["version"])


# How much of a square's events a version holds: words, colour and symbol.
HOLDING = {
    "all": ("held", OWN, "square"),
    "some": ("held in part", WARN, "square"),
    "twice": ("counted twice", BAD, "star"),
    "none": ("not held", GUIDE, "square-open"),
    "unknown": ("unknown: the version is unexplained", UNKNOWN, "x"),
}


def _by_holding(rows: Sequence[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {look: [] for look in HOLDING}
    for row in rows:
        found[_look(row)].append(row)
    return found


def _look(row: Row) -> str:
    if not row["explained"]:
        return "unknown"
    if row["doubled"]:
        return "twice"
    if not row["held"]:
        return "none"
    return "all" if row["held"] == row["events"] else "some"


def _holding(rows: Sequence[Row], versions: list[str], look: str) -> go.Scatter:
    words, colour, symbol = HOLDING[look]
    return go.Scatter(
        x=[row["part"] + 1 for row in rows],
        y=[versions.index(_version(row)) for row in rows],
        mode="markers",
        name=words,
        marker=mark(colour, symbol, 11),
        hovertext=[
            f"{row['held']:,} of {counted(row['events'], 'event')} from {row['begins']}"
            f"{ids(row, row['events'])}"
            for row in rows
        ],
        hovertemplate="version of %{y}<br>%{hovertext}<extra>" + words + "</extra>",
    )


def day_coverage(days: Numbers) -> Drawing:
    """How many of a day's events its newest version holds, its other versions hold, and none."""
    if not days.rows:
        why = days.unknown or "No day in scope has a version or was sent for processing."
        return blank("What the versions hold of each day", why)
    names = [f"{_short_day(*_day(row))} ({row['verdict']})" for row in days.rows]
    parts = (
        ("held by the newest version", OWN, days.column("held_by_newest")),
        (
            "held by older versions only",
            PALETTE[0],
            _difference(days, "held_by_union", "held_by_newest"),
        ),
        ("held by no version", BAD, _difference(days, "expected", "held_by_union")),
        ("unknown: a version is unexplained", UNKNOWN, [_unsure(row) for row in days.rows]),
        ("arrived since", WARN, days.column("arrived_since")),
        ("sent, and there is no version", LOST, [_unanswered(row) for row in days.rows]),
    )
    left_out, period = sum(value > 0 for value in parts[2][2]), _period(days.rows)
    return drawing(
        [_day_bar(names, place, *part) for place, part in enumerate(parts) if any(part[2])],
        f"{left_out:,} of {counted(len(names), period)} with events that no version holds"
        + _shown(len(names), days.rows[0]["of_days"]),
        height=height_for(names),
        barmode="stack",
        xaxis=count_axis(f"events of the {period}", days.column("expected")),
        yaxis=names_axis(names),
    )


def _difference(days: Numbers, larger: str, smaller: str) -> list[int]:
    """How much more one column has than the other, where both are known."""
    pairs = zip(days.column(larger), days.column(smaller), strict=True)
    return [0 if None in pair else max(pair[0] - pair[1], 0) for pair in pairs]


def _unsure(row: Row) -> int:
    return row["expected"] - row["held_by_newest"] if row["held_by_union"] is None else 0


def _unanswered(row: Row) -> int:
    return row["sent"] if row["verdict"] == "missing" else 0


def _day_bar(names: list[str], place: int, words: str, colour: str, values: list[int]) -> go.Bar:
    return go.Bar(
        x=values,
        y=list(range(len(names))),
        text=names,
        textposition="none",
        orientation="h",
        name=words,
        marker=fill(colour, place),
        hovertemplate="%{text}<br>%{x} events<extra>" + words + "</extra>",
    )


Day = tuple[str, str]  # entity and day


def _day(row: Row) -> Day:
    return row["entity_id"], row["day"]


def _short_day(entity: str, day: str) -> str:
    return f"{label(entity, 24)} {label(day)}"


def _shown(shown: int, total: int) -> str:
    return "" if shown >= total else f"; drawn: the {shown} of {total:,} that most need a look"


def _drawn(rows: Sequence[Row], days: int) -> str:
    """How many versions of how many days are drawn, and of how many."""
    versions, of_versions, period = len(rows), rows[0]["of_versions"], _period(rows)
    if versions == of_versions:
        return f"{counted(versions, 'version')} of {counted(days, period)}"
    return (
        f"{versions:,} of {counted(of_versions, 'version')} drawn, of the {days:,} of "
        f"{counted(rows[0]['of_days'], period)} that most need a look,"
    )
