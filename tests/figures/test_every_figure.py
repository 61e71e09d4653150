"""What holds for every figure: a claim, escaped data, plain values, a word for nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from investigate import figures
from investigate.display import PLOTLY_MIME, Numbers
from tests.figures.samples import SAMPLES, draw

NAMES = sorted(SAMPLES)
TAGS_OF_OURS = re.compile(r"</?(?:b|extra)>|<br>")


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from texts(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from texts(part)


def drawn(name: str) -> dict[str, Any]:
    shown: dict[str, Any] = draw(name)._repr_mimebundle_()[PLOTLY_MIME]
    shown["layout"].pop("meta")  # plain text by intent: never drawn
    return shown


def test_every_public_figure_has_a_sample():
    assert sorted({*figures.__all__} - {"Drawing", "template"}) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_claims_something_with_a_number_in_it(name):
    assert re.search(r"\d", draw(name).layout.title.text)


@pytest.mark.parametrize("name", NAMES)
def test_no_text_of_the_evidence_reaches_plotly_as_markup(name):
    for text in texts(drawn(name)):
        assert "<" not in TAGS_OF_OURS.sub("", text)
        assert "\u202e" not in text
        assert "\x1b" not in text


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_says_in_plain_words_what_it_shows(name):
    shown = draw(name)._repr_mimebundle_()
    assert set(shown) == {PLOTLY_MIME, "text/plain"}
    assert re.search(r"\d", shown["text/plain"])
    assert "<br>" not in shown["text/plain"]


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_is_the_same_bytes_each_time_and_holds_plain_lists(name):
    once, twice = (json.dumps(draw(name)._repr_mimebundle_()) for _ in range(2))
    assert once == twice
    assert "bdata" not in once


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_has_a_height_and_takes_text_and_ground_from_the_template(name):
    layout = drawn(name)["layout"]
    assert layout["height"] >= 200
    assert not {"font", "paper_bgcolor", "plot_bgcolor"} & set(layout)


@pytest.mark.parametrize("name", NAMES)
def test_the_axes_say_what_they_measure(name):
    layout = draw(name).layout
    assert layout.xaxis.title.text
    if layout.xaxis.type == "date":
        assert "UTC" in layout.xaxis.title.text


@pytest.mark.parametrize("name", NAMES)
def test_nothing_to_draw_is_a_figure_that_says_so(name):
    empty = draw(name, [Numbers("empty") for _ in SAMPLES[name]])
    assert not empty.data
    assert empty.layout.title.text
    assert empty.layout.annotations[0].text


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"checks_by_step"}))
def test_missing_evidence_is_named_where_the_figure_would_be(name):
    why = "raw: denied (<AccessDenied>)"
    unknown = draw(name, [Numbers("unknown", unknown=why) for _ in SAMPLES[name]])
    assert unknown.layout.annotations[0].text == "raw: denied (&lt;AccessDenied&gt;)"
    assert why in unknown.sentence


@pytest.mark.parametrize("name", sorted(name for name in SAMPLES if len(SAMPLES[name]) > 1))
def test_a_missing_second_input_is_said_in_the_title(name):
    first, *rest = SAMPLES[name]
    figure = draw(name, [first, *(Numbers("unknown", unknown="raw: denied") for _ in rest)])
    assert figure.data
    assert "not evaluated (raw: denied)" in figure.layout.title.text.replace("<br>", " ")
