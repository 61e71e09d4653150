"""The words and looks that all figures share."""

from __future__ import annotations

import html

import pytest

from investigate.display import OTHERS
from investigate.figures.style import (
    PALETTE,
    PATTERNS,
    SYMBOLS,
    blank,
    by_size,
    duration,
    escaped,
    fill,
    label,
    names_axis,
    on_log_axis,
    parted,
    per,
    template,
    wrapped,
)
from investigate.model import counted


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.25, "250 ms"),
        (1, "1 second"),
        (59.6, "1 minute"),
        (3600, "1 hour"),
        (7260, "2 hours 1 minute"),
        (90_061, "1 day 1 hour"),
        (-120, "2 minutes"),
    ],
)
def test_a_span_is_said_in_its_two_largest_units(seconds, words):
    assert duration(seconds) == words


def test_a_rate_is_said_as_people_say_it():
    assert per(3600) == "per hour"
    assert per(900) == "per 15 minutes"


def test_one_is_not_many():
    assert counted(1, "silence is", "silences are") == "1 silence is"
    assert counted(1204, "event") == "1,204 events"


def test_a_long_name_keeps_its_beginning_and_its_end():
    assert label("a" * 30 + "b" * 30) == "a" * 19 + "…" + "b" * 8


def test_nothing_is_a_dash():
    assert label(None) == label("") == "–"


def test_a_long_title_is_broken_between_words():
    assert wrapped("one two three", width=9) == "one two<br>three"


def test_the_largest_comes_first_and_all_others_last():
    rows = [{"who": who, "n": n} for who, n in (("b", 2), ("a", 2), (OTHERS, 9), ("c", 5))]
    assert by_size(rows, "who", "n") == ["c", "a", "b", OTHERS]


def test_rows_are_parted_in_the_order_of_the_values():
    rows = [{"k": "b", "n": 1}, {"k": "a", "n": 2}, {"k": "b", "n": 3}]
    assert {k: [row["n"] for row in part] for k, part in parted(rows, "k").items()} == {
        "a": [2],
        "b": [1, 3],
    }


def test_names_with_one_label_keep_their_own_lines():
    assert names_axis(["same", "same"])["tickvals"] == [0, 1]


def test_a_lag_of_nothing_can_stand_on_a_logarithmic_axis():
    assert on_log_axis(0) == 0.001


def test_whatever_has_a_colour_has_a_shape_too():
    assert len(set(PALETTE)) == len(set(SYMBOLS)) == len(set(PATTERNS)) == len(PALETTE)
    assert fill(PALETTE[1], 1)["pattern"]["shape"] == PATTERNS[1]


def test_the_dark_look_differs_from_the_light_one_in_colours_only():
    light, dark = (template(shade).layout.to_plotly_json() for shade in ("light", "dark"))
    assert light["paper_bgcolor"] != dark["paper_bgcolor"]
    assert light["legend"] == dark["legend"]


def test_an_empty_figure_gives_its_reason_to_those_who_do_not_see_it():
    assert blank("Lags", "raw: denied").sentence == "Lags. raw: denied."


def test_a_text_between_dollar_signs_is_no_formula_for_plotly():
    assert "$" not in escaped("$$x$$ and $5")
    assert html.unescape(escaped("$$x$$ and $5")) == "$$x$$ and $5"
