"""Hostile evidence in a browser: nothing of it runs, loads or leads anywhere; it is only text."""

from __future__ import annotations

import pytest

from investigate.report.notebooks import NOTEBOOKS
from tests.hostile import HOST, MARK
from tests.invisible import invisible_in

pytestmark = pytest.mark.browser

PAGES = ["index", "findings", *NOTEBOOKS, "report"]
# Whatever leads or loads anywhere, and what it names; a page has links of its own.
LEADING = """
[...document.querySelectorAll("*")].flatMap((one) =>
  ["href", "src", "xlink:href", "action", "srcdoc", "data", "poster", "srcset"]
    .map((name) => one.getAttribute(name)).filter((value) => value))
"""
FOREIGN = "a[target], base, embed, form, frame, iframe, img:not(.plotly img), link, object, svg a"
BOLD_OR_LINKED = "[...document.querySelectorAll('svg tspan')].map((one) => one.outerHTML)"


@pytest.fixture(scope="module", params=PAGES)
def visit(request, visitor, hostile_report):
    with visitor.visit(hostile_report / f"{request.param}.html") as visit:
        visit.draw_all()
        yield visit


def test_nothing_of_the_evidence_acts_and_all_of_it_is_text(visit, hostile_report):
    assert visit.ask(f"window.__{MARK}") is None
    assert visit.dialogs == []
    assert visit.console == []
    assert [one for one in visit.requests if not one.startswith(hostile_report.as_uri())] == []
    leading = [
        value for value in visit.ask(LEADING) if not value.startswith("runs/")
    ]  # our folders
    assert [value for value in leading if MARK in value or HOST in value] == []
    assert visit.count(FOREIGN) == 0
    assert [markup for markup in visit.ask(BOLD_OR_LINKED) if "font-weight" in markup] == []
    # The name of the case is on every page, and is the first of what it tells.
    text = visit.ask("document.body.textContent")
    assert f"<script>window.__{MARK}=1;alert(1)</script>" in text
    assert "\\u001b[31m" in text
    assert "\\u202e" in text
    assert invisible_in(visit.ask("document.body.innerText + document.title")) == []
    drawn = visit.count("figure.plot .js-plotly-plot svg.main-svg:first-child")
    assert drawn == visit.count("figure.plot")
