"""The tables of investigate/display.py in a browser: what their buttons copy, and what they say."""

from __future__ import annotations

import pytest

from investigate.display import row_table, script, stylesheet

pytestmark = pytest.mark.browser

LONG = "k" * 300
IDS = ["a  b", "-abc", LONG, "=1", "x\u202ey", "", "two\nlines", "plain", "f" * 64]
PAGE = (
    "<!doctype html><meta charset=utf-8><title>Tables</title><style>{}</style>{}<script>{}</script>"
)
# What the clipboard gets, or that it may not be used and the older way does not work either.
TAKING = "navigator.clipboard.writeText = async (text) => { window.taken = text; }"
REFUSING = """
navigator.clipboard.writeText = async () => { throw new Error("not allowed"); };
document.execCommand = () => false;
"""


@pytest.fixture
def visit(visitor, tmp_path):
    file = tmp_path / "page.html"
    table = row_table([{"event_id": one, "size": 1} for one in IDS]).html
    file.write_text(PAGE.format(stylesheet(), table, script()), encoding="utf-8")
    with visitor.visit(file) as visit:
        # A file may have no clipboard at all; a notebook's page has one.
        visit.ask(
            "if (!navigator.clipboard) Object.defineProperty(navigator, 'clipboard', {value: {}})"
        )
        yield visit


def told(visit, label):
    """What a button says when it was pressed."""
    visit.page.get_by_role("button", name=label).click()
    said = visit.page.get_by_role("status").filter(has_text="opied")
    said.wait_for()
    return said.inner_text()


def test_ids_are_copied_as_they_are_and_those_not_shown_whole_are_left_out_and_counted(visit):
    visit.ask(TAKING)
    assert told(visit, "Copy ids") == "Copied; 3 not shown as they are, left out"
    assert visit.ask("window.taken").split("\n") == ["a  b", "-abc", "=1", "plain", "f" * 64]


def test_a_table_is_copied_with_formulas_made_harmless(visit):
    visit.ask(TAKING)
    assert told(visit, "Copy table") == "Copied"
    assert "'=1\t1" in visit.ask("window.taken").split("\n")


@pytest.mark.parametrize("label", ["Copy ids", "Copy table"])
def test_a_copy_that_the_browser_refused_is_not_called_one(visit, label):
    visit.ask(REFUSING)
    assert told(visit, label).startswith("Not copied")


def test_what_scrolls_has_a_name_for_a_screen_reader(visit):
    area = visit.page.get_by_role("group", name="Table of event_id, size")
    assert area.count() == 1
