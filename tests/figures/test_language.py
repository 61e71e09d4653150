"""What `style` promises of every figure: its colours, how many marks it has, how large it is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from investigate import figures
from investigate.display import COLOURS, Numbers
from investigate.figures import style
from investigate.figures.style import (
    GUIDE,
    INKS,
    LONGEST_LINE,
    MOST_MARKS,
    OUTLINE,
    PALETTE,
    SCALE,
    STEP_COLOURS,
    contrast,
    ids,
    mark,
    outlined,
)
from investigate.model import STEPS
from tests.figures.large import LARGE
from tests.figures.samples import HOSTILE, SAMPLES, draw

NAMES = sorted(SAMPLES)
LARGEST = 60_000  # bytes
GROUNDS = [style.template(shade).layout.paper_bgcolor for shade in ("light", "dark")]
HATCH = "rgba(255,255,255,0.6)"
MARKS = {*STEP_COLOURS.values(), *COLOURS.values(), *PALETTE, *(c for _, c in SCALE), GUIDE}
COLOUR = re.compile(r"#[0-9a-fA-F]{3,8}|rgba?\(.*\)")


def drawn(name: str, figure: Any = None) -> dict[str, Any]:
    shown: dict[str, Any] = json.loads((figure or draw(name)).to_json())
    shown["layout"].pop("template")
    shown["layout"].pop("meta")
    return shown


def colours(value: Any, key: str = "") -> Iterator[str]:
    """Every colour, wherever a figure may say one; no text of the evidence."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield from colours(part, name)
    elif isinstance(value, list):
        for part in value:
            yield from colours(part, key)
    elif isinstance(value, str) and ("color" in key.lower()) and COLOUR.fullmatch(value):
        yield value


def marks(figure: Any) -> int:
    """How many marks a figure has: cells of a heat map, points of a line, bars."""
    many = 0
    for trace in json.loads(figure.to_json())["data"]:
        if "z" in trace:
            many += sum(value is not None for row in trace["z"] for value in row)
        else:
            many += max(len(trace.get(axis) or ()) for axis in ("x", "y"))
    return many


@pytest.mark.parametrize("source", ["sample", "large"])
@pytest.mark.parametrize("name", NAMES)
def test_a_figure_has_only_the_colours_of_the_language(name, source):
    figure = draw(name, None if source == "sample" else LARGE[name]())
    assert set(colours(drawn(name, figure))) - MARKS <= {*INKS, OUTLINE, HATCH}


def test_a_steps_colour_is_no_verdict_and_no_other_steps():
    assert list(STEP_COLOURS) == [step.value for step in STEPS]
    assert len(set(STEP_COLOURS.values())) == len(STEPS)
    assert not set(STEP_COLOURS.values()) & {*COLOURS.values(), *PALETTE}


@pytest.mark.parametrize("colour", sorted(MARKS))
@pytest.mark.parametrize("ground", GROUNDS)
def test_a_mark_or_its_outline_stands_out_from_a_light_and_from_a_dark_ground(colour, ground):
    edge = outlined(colour).get("line", {"color": colour})["color"]
    assert max(contrast(colour, ground), contrast(edge, ground)) >= 3


@pytest.mark.parametrize("colour", sorted(MARKS))
def test_a_number_can_be_read_on_every_colour(colour):
    assert contrast(style.ink(colour), colour) >= 4.5


def test_contrast_is_counted_as_wcag_does():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("name", NAMES)
def test_the_largest_numbers_are_no_more_marks_than_can_be_seen(name):
    figure = draw(name, LARGE[name]())
    assert 0 < marks(figure) <= MOST_MARKS
    assert len(json.dumps(drawn(name, figure), separators=(",", ":"))) <= LARGEST


@pytest.mark.parametrize("name", NAMES)
def test_a_title_says_the_result_so_that_other_numbers_have_another(name):
    small, large = (draw(name, inputs).layout.title.text for inputs in (None, LARGE[name]()))
    assert small != large
    assert all(re.search(r"\d", title) for title in (small, large))


@pytest.mark.parametrize("name", NAMES)
def test_a_title_of_an_axis_has_room_on_a_phone(name):
    layout = drawn(name)["layout"]
    titles = [part["title"]["text"] for key, part in layout.items() if "axis" in key and
              part.get("title")]  # fmt: skip
    assert [line for title in titles for line in title.split("<br>") if
            len(line) > LONGEST_LINE] == []  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_whatever_a_legend_tells_apart_by_colour_has_a_word(name):
    figure = draw(name)
    legend = [one for one in figure.data if one.type != "heatmap" and one.showlegend is not False]
    assert not figure.layout.showlegend or all(trace.name for trace in legend)


def test_few_ids_are_told_and_the_others_counted():
    row = {"ids": ["a" * 64, HOSTILE]}
    lines = ids(row, 39).split("<br>")[1:]
    assert lines == ["a" * 12 + "…", "&lt;b&gt;x&lt;/b&gt;&lt;a h…", "and 37 more"]
    assert ids(row, 2).count("<br>") == 2
    assert ids({"ids": []}, 900) == ids({}, 900) == ""


def test_ids_of_what_was_lost_stand_in_the_hover_text_of_its_bar():
    (flow,) = SAMPLES["event_flow"]
    rows = [{**row, "ids": ["29ef03c0"]} for row in flow.rows]
    bars = {bar.name: bar for bar in figures.event_flow(Numbers("flow", rows)).data}
    assert bars["did not come this far"].customdata[1] == "<br>29ef03c0<br>and 1 more"


def test_a_colour_that_would_vanish_in_the_dark_gets_an_outline():
    assert mark(COLOURS["escalate"], "x")["line"]["color"] == OUTLINE
    assert "line" not in mark(COLOURS["passed"], "x")
