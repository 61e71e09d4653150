"""The visual language of all figures: colours, template, labels, and how a figure shows itself.

What a colour means is the same in every figure, and no figure has a colour of its own:

* `STEP_COLOURS`: the six steps, and the stores and stations that belong to them. Where a figure is
  about one step, its plain marks have the step's colour. Never a judgement.
* `display.COLOURS`: a verdict or a severity, and with it what is good or bad (`GOOD`, `WARN`,
  `BAD`, `LOST`, `UNKNOWN`). Always with a word, a symbol, a mark or a pattern beside it.
* `PALETTE`: things that have no colour of their own (sources, causes, channels, hashes), by their
  place in a list, each place with a symbol and a pattern too.
* `SCALE`: few to many. `GUIDE`: lines that only lead the eye.

The colours are Okabe and Ito's or made from them, and stand out by 3:1 or more from a light and
from a dark ground; the few that cannot get an outline that does (`OUTLINE`). Text, ground and grid
come from the template alone, so that a figure is the same in light and in dark.

No figure draws more than `MOST_MARKS` marks: beyond that the numbers are counted per bin of time or
cut to the names that matter most, and the figure says so.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import plotly.graph_objects as go

from investigate.display import COLOURS, NOTHING, OTHERS, PLOTLY_MIME, Row, visible
from investigate.model import Step, counted

HEIGHT = 380
LONGEST_LABEL = 28
LONGEST_LINE = 36  # letters of an axis title: what a phone has room for
MOST_MARKS = 2000
MOST_IDS = 5  # named by one hover text

STEP_COLOURS = {
    Step.RAW.value: "#2487bf",
    Step.EVENTS.value: "#8f8600",
    Step.REPLAY.value: "#cf5f99",
    Step.SQS.value: "#6868cc",
    Step.PROCESSOR.value: "#16889a",
    Step.AGGREGATES.value: "#a9745a",
}
GOOD, WARN, BAD = COLOURS["passed"], COLOURS["suspect"], COLOURS["dangerous"]
LOST, UNKNOWN = COLOURS["escalate"], COLOURS["not-evaluated"]

PALETTE = ("#5b7fb5", "#c46a5f", "#4f9a62", "#a86fb5", "#7f8a3a", "#b0772b", "#8c8c8c")
SYMBOLS = ("circle", "square", "diamond", "cross", "triangle-up", "x", "star")
PATTERNS = ("", "/", "\\", "x", "-", "|", ".")
# Few to many: apart from a light and from a dark ground, in print and for colour-blind eyes.
SCALE = ((0, "#c2812b"), (0.35, "#d9661f"), (0.7, "#c8374a"), (1, "#b0307f"))
GUIDE = "#8c8c8c"
OUTLINE = "#767676"
INKS = ("#111111", "#ffffff")
# The ticks of a logarithmic axis of seconds, all in one format.
LOG_SECONDS: dict[str, Any] = {
    "tickvals": [10**power for power in range(-3, 8)],
    "ticktext": ["0.001", "0.01", "0.1", *(f"{10**power:,}" for power in range(8))],
}
_OUTLINED = frozenset({WARN, LOST, UNKNOWN, COLOURS["error"]})
# Stations and stores that go by another name than their step.
_STATIONS = {
    "known": Step.RAW, "readable": Step.RAW, "ingest": Step.RAW, "refs": Step.EVENTS,
    "dedupe": Step.EVENTS, "sent": Step.REPLAY, "queue": Step.SQS, "processed": Step.PROCESSOR,
    "aggregated": Step.AGGREGATES,
}  # fmt: skip

_SHADES = {
    "light": {"text": "#1c2126", "ground": "#ffffff", "line": "#d5dae0"},
    "dark": {"text": "#e6e9ec", "ground": "#14181c", "line": "#3a424b"},
}


def template(shade: str = "light") -> go.layout.Template:
    """Return the look of all figures, `light` or `dark`: no figure sets these colours itself."""
    colours = _SHADES[shade]
    axis = {
        "automargin": True, "gridcolor": colours["line"], "linecolor": colours["line"],
        "zerolinecolor": colours["line"], "ticks": "outside", "tickcolor": colours["line"],
        "title": {"standoff": 10, "font": {"size": 13}},
    }  # fmt: skip
    return go.layout.Template(
        layout={
            "colorway": list(PALETTE),
            "font": {"family": "system-ui, sans-serif", "size": 13, "color": colours["text"]},
            "paper_bgcolor": colours["ground"],
            "plot_bgcolor": colours["ground"],
            "title": {
                "x": 0, "xref": "paper", "xanchor": "left", "font": {"size": 16},
                "y": 1, "yref": "container", "yanchor": "top", "pad": {"t": 14},
            },
            "margin": {"l": 60, "r": 20, "b": 50},
            "bargap": 0.3,
            # A number that does not fit into its bar is left out, not made too small to read.
            "uniformtext": {"minsize": 11, "mode": "hide"},
            "legend": {
                "orientation": "h", "traceorder": "normal", "x": 0, "xref": "paper",
                "y": 0, "yref": "container", "yanchor": "bottom", "title": {"font": {"size": 13}},
            },
            "hoverlabel": {"align": "left"},
            "xaxis": axis,
            "yaxis": axis,
        }
    )  # fmt: skip


class Drawing(go.Figure):  # type: ignore[misc]  # plotly ships no types
    """A figure that shows itself as plotly data with its own sentence beside it, and nothing else:
    no script, no random id, the same bytes each time."""

    # Plotly's own hook would write whatever the front end's renderer writes.
    _ipython_display_ = None

    @property
    def sentence(self) -> str:
        """What the figure says, for those who do not see it."""
        return str(self.layout.meta["sentence"])

    def _repr_html_(self) -> None:
        return None

    def _repr_mimebundle_(self, *_: object, **__: object) -> dict[str, Any]:
        return {PLOTLY_MIME: json.loads(self.to_json()), "text/plain": self.sentence}


def drawing(
    traces: Sequence[Any], title: str, *, sentence: str = "", height: int = HEIGHT, **layout: Any
) -> Drawing:
    """Return a figure of these traces; `title` is its claim, `sentence` what else it shows. Both
    are texts of ours in which the data is escaped."""
    lines = wrapped(title)
    layout.setdefault("showlegend", True)
    said = " ".join(f"{part.rstrip('.')}." for part in (title, sentence) if part)
    return Drawing(
        data=list(traces),
        layout={
            "template": template(),
            "title": {"text": lines},
            "height": height,
            "margin": {"t": 60 + 22 * lines.count("<br>")},
            "meta": {"sentence": visible(html.unescape(said))},
            **layout,
        },
    )


def blank(title: str, why: str) -> Drawing:
    """Return an empty figure with a title and the reason why there is nothing to draw."""
    why = escaped(why)
    note = {
        "text": wrapped(why), "showarrow": False, "x": 0.5, "y": 0.5,
        "xref": "paper", "yref": "paper", "font": {"size": 14},
    }  # fmt: skip
    return drawing(
        [], title, sentence=why, height=160, annotations=[note], showlegend=False,
        xaxis={"visible": False}, yaxis={"visible": False},
    )  # fmt: skip


def time_axis(title: str = "event time (UTC)", **more: Any) -> dict[str, Any]:
    """Return an axis of times."""
    return axis(title, type="date", hoverformat="%Y-%m-%d %H:%M:%S", **more)


def time_axis_of(rows: Sequence[Row], title: str = "event time (UTC)") -> dict[str, Any]:
    """Return an axis for bins of time; a single bin gets room beside it, not milliseconds."""
    times = {row["time"] for row in rows}
    if len(times) != 1:
        return time_axis(title)
    moment, step = datetime.fromisoformat(times.pop()), timedelta(seconds=rows[0]["seconds"])
    return time_axis(title, range=[str(moment - step), str(moment + 2 * step)])


def count_axis(title: str, values: Iterable[float | None]) -> dict[str, Any]:
    """Return an axis of numbers of things, from zero and without halves of a thing."""
    few = max((value for value in values if value is not None), default=0) <= 6
    return axis(title, rangemode="tozero", **({"dtick": 1} if few else {}))


def axis(title: str, **more: Any) -> dict[str, Any]:
    """Return an axis with its unit in the title."""
    return {"title": {"text": wrapped(title, LONGEST_LINE)}, **more}


def label(value: object, longest: int = LONGEST_LABEL) -> str:
    """Return a value of the evidence as text for a figure: safe, and short in the middle."""
    text = NOTHING if value is None or value == "" else visible(value)
    if len(text) > longest:
        text = f"{text[: longest - 9]}…{text[-8:]}"
    return escaped(text)


def escaped(text: object) -> str:
    """Return a text in which plotly finds no tags: it would read `<b>` and `<a href>`."""
    # Between two dollar signs plotly would look for a formula.
    return html.escape(visible(text), quote=False).replace("$", "&#36;")


def wrapped(text: str, width: int = 95) -> str:
    """Return a text of our own, its data escaped already, broken into lines of a figure's width."""
    lines: list[str] = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + len(word) >= width:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    return "<br>".join(lines)


def parted(rows: Sequence[Row], name: str) -> dict[Any, list[Row]]:
    """Return rows by their value in a column, the values in their own order."""
    parts: dict[Any, list[Row]] = {}
    for row in sorted(rows, key=lambda row: str(row[name])):
        parts.setdefault(row[name], []).append(row)
    return parts


def by_size(rows: Sequence[Row], name: str, size: str) -> list[str]:
    """Return the values of a column, the one with the largest sum first, ties by name; what stands
    for all others comes last."""
    sums = {value: sum(row[size] for row in part) for value, part in parted(rows, name).items()}
    return sorted(sums, key=lambda value: (value == OTHERS, -sums[value], str(value)))


def stacked(rows: Sequence[Row], name: str, size: str) -> list[float]:
    """Return how high the bars are that stand on each other at one value of a column."""
    return [sum(row[size] for row in part) for part in parted(rows, name).values()]


def column(rows: Sequence[Row], name: str) -> list[Any]:
    """Return one column of some rows."""
    return [row[name] for row in rows]


def step_colour(station: str) -> str:
    """Return the colour of a step, or of the step that a station or a store belongs to."""
    step = _STATIONS.get(station)
    return STEP_COLOURS.get(step.value if step else station, GUIDE)


def fill(colour: str, place: int = 0) -> dict[str, Any]:
    """Return the look of a bar: a colour, and white hatching by which it is known without it."""
    hatch = {
        "shape": PATTERNS[place], "fillmode": "overlay", "fgcolor": "rgba(255,255,255,0.6)",
        "size": 7, "solidity": 0.22,
    }  # fmt: skip
    return {
        "color": colour,
        **({"pattern": hatch} if PATTERNS[place] else {}),
        **outlined(colour),
    }


def mark(colour: str, symbol: str, size: Any = 9) -> dict[str, Any]:
    """Return the look of a mark: a colour, and a symbol by which it is known without it."""
    return {"color": colour, "symbol": symbol, "size": size, **outlined(colour)}


def outlined(colour: str) -> dict[str, Any]:
    """Return the outline of a colour that would not stand out from every ground by itself."""
    return {"line": {"width": 1, "color": OUTLINE}} if colour in _OUTLINED else {}


def ink(colour: str) -> str:
    """Return the colour of a text that can be read on a colour."""
    return max(INKS, key=lambda text: contrast(text, colour))


def contrast(one: str, other: str) -> float:
    """Return how far two colours stand apart, as WCAG counts it: from 1 to 21."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def ids(row: Row, count: int) -> str:
    """Return which ids a mark stands for, as lines of a hover text: all of the few that the numbers
    name, and how many more there are; nothing where the numbers name none."""
    known = list(row.get("ids") or ())[:MOST_IDS]
    more = f"and {count - len(known):,} more" if known and count > len(known) else ""
    return "".join(f"<br>{line}" for line in (*(_begun(name) for name in known), more) if line)


def _begun(name: str) -> str:
    """How an id begins: by that an event can be asked for; the numbers have it whole."""
    text = visible(name)
    return escaped(text if len(text) <= 16 else f"{text[:12]}…")


def every_bin(rows: Sequence[Row]) -> list[Row | None]:
    """Return rows of bins from the first to the last, None for each empty bin between: so that
    the time of one bin and the length of all say when each is."""
    first, each = datetime.fromisoformat(rows[0]["time"]), timedelta(seconds=rows[0]["seconds"])
    found = {(datetime.fromisoformat(row["time"]) - first) // each: row for row in rows}
    return [found.get(number) for number in range(max(found) + 1)]


def bin_widths(seconds: int, place: int = 0, beside: int = 1) -> dict[str, float]:
    """Return width and offset of bars over bins of time, so that one bin alone is no hairline;
    `place` is which of the bars `beside` each other in a bin."""
    each = seconds * 900 / beside
    return {"width": round(each, 1), "offset": round(seconds * 50 + each * place, 1)}


def upright(x: float, text: str) -> dict[str, Any]:
    """Return an upright note beside a line at x."""
    return {
        "x": x, "y": 1, "yref": "paper", "xanchor": "right", "yanchor": "top", "textangle": -90,
        "text": text, "showarrow": False, "font": {"size": 12},
    }  # fmt: skip


def vertical_line(x: Any, colour: str, width: int = 2) -> dict[str, Any]:
    """Return a dashed line over the whole height of a figure."""
    return {
        "type": "line", "x0": x, "x1": x, "yref": "paper", "y0": 0, "y1": 1,
        "line": {"color": colour, "width": width, "dash": "dash"},
    }  # fmt: skip


def names_axis(labels: Sequence[str], title: str = "") -> dict[str, Any]:
    """Return an axis with these labels from top to bottom at 0, 1, 2 and so on; by number, because
    two long names may be shortened to one label."""
    return axis(
        title,
        tickvals=list(range(len(labels))),
        ticktext=list(labels),
        range=[len(labels) - 0.5, -0.5],
        zeroline=False,
    )


def height_for(names: Sequence[object], each: int = 30) -> int:
    """Return the height of a figure with one line per name."""
    return 170 + each * max(len(names), 3)


def on_log_axis(seconds: float) -> float:
    """Return a span as it can stand on a logarithmic axis, whose lowest value is a millisecond."""
    return max(float(seconds), 0.001)


_UNITS = ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def duration(seconds: float) -> str:
    """Return a span of time in its two largest units: "3 hours 20 minutes"; without its sign."""
    left = abs(seconds)
    if left < 1:
        return f"{round(left * 1000)} ms"
    left = round(left)
    parts: list[str] = []
    for unit, name in _UNITS:
        if left >= unit and len(parts) < 2:
            parts.append(counted(left // unit, name))
            left %= unit
    return " ".join(parts)


def per(seconds: float) -> str:
    """Return the length of a bin as a rate is read: "per hour", "per 15 minutes"."""
    return f"per {duration(seconds).removeprefix('1 ')}"
