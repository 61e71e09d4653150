"""The report as a person sees it: from the file system, with the network off."""

from __future__ import annotations

import re

import pytest

from investigate.report.notebooks import NOTEBOOKS, OVERVIEW
from tests.browser.conftest import DARK

pytestmark = pytest.mark.browser

PAGES = ["index", *NOTEBOOKS]


def figures(markup):
    return [a for tag, a in markup.elements if tag == "figure" and a.get("class") == "plot"]


def drawings(markup):
    """The places in which plotly has drawn something."""
    return [a for tag, a in markup.elements if "js-plotly-plot" in a.get("class", "").split()]


def layers(markup):
    return [a for tag, a in markup.elements if tag == "svg" and "main-svg" in a.get("class", "")]


@pytest.mark.parametrize("name", PAGES)
def test_every_page_opens_without_a_word_on_the_console(seen, name):
    assert seen(name).console == []


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_every_figure_is_drawn(seen, name):
    markup = seen(name).markup
    assert len(figures(markup)) > 0
    assert len(drawings(markup)) == len(figures(markup))
    assert len(layers(markup)) >= len(figures(markup))


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_every_figure_says_in_words_what_it_shows(seen, name):
    markup = seen(name).markup
    labels = [a["aria-label"] for _, a in markup.elements if a.get("role") == "img"]
    assert len(labels) == len(figures(markup))
    assert [label for label in labels if len(label) < 10] == []


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_tables_can_be_sorted_and_copied_and_long_ones_filtered(seen, name):
    markup = seen(name).markup
    classes = [a.get("class", "") for _, a in markup.elements]
    assert classes.count("inv-tools") > 0
    assert classes.count("inv-sort") > classes.count("inv-tools")
    assert any(a.get("type") == "search" for _, a in markup.elements) or name != OVERVIEW


@pytest.mark.parametrize(("more", "ground"), [((), "255, 255, 255"), ((DARK,), "20, 24, 28")])
def test_figures_take_the_colours_of_the_page(browser, report, more, ground):
    markup = browser.open(report / "00_overview.html", "", *more).markup
    grounds = {
        found[1]
        for layer in layers(markup)
        if (found := re.search(r"background: rgb\(([\d, ]+)\)", layer.get("style", "")))
    }
    assert grounds == {ground}


def test_a_link_to_the_rows_of_a_finding_opens_their_fold(browser, report):
    markup = browser.open(report / "01_raw_data.html", "rows-raw-missing").markup
    (fold,) = [a for _, a in markup.elements if a.get("id") == "rows-raw-missing"]
    assert "open" in fold
    others = [a for _, a in markup.elements if a.get("id", "").startswith("rows-")]
    assert sum("open" in a for a in others) == 1


def test_the_policy_of_a_page_stops_a_script_that_got_into_it(browser, report):
    page = report / "01_raw_data.html"
    evil = "<script>document.title='evil'</script><img src=x onerror=\"document.title='evil'\">"
    changed = report / "changed.html"
    text = page.read_text(encoding="utf-8")
    changed.write_text(text.replace("<main", f"{evil}<main", 1), encoding="utf-8")
    try:
        seen = browser.open(changed)
    finally:
        changed.unlink()
    assert seen.markup.text_of("title") != "evil"
    assert len([line for line in seen.console if "Content Security Policy" in line]) >= 2
    assert len(drawings(seen.markup)) == len(figures(seen.markup))
