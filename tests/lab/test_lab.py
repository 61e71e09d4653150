"""The notebooks in a real JupyterLab and a real browser: opened, run, sorted, copied, asked."""

from __future__ import annotations

from contextlib import suppress

import nbformat
import pytest
from playwright.sync_api import Locator, Page, TimeoutError

from tests.lab.conftest import ROOT

pytestmark = pytest.mark.browser

NOTEBOOK = nbformat.read(ROOT / "notebooks" / "04_sqs.ipynb", as_version=4)
CODE = [cell for cell in NOTEBOOK.cells if cell.cell_type == "code"]
FIGURES = [cell.id for cell in CODE if "figure" in cell.metadata.tags]
# Counts stand at all cells, and none of them waits any more.
DONE = r"""count => {
  const told = [...document.querySelectorAll(".jp-CodeCell .jp-InputPrompt")]
    .map((prompt) => prompt.textContent.trim());
  return told.length >= count && told.every((text) => /^\[\d+\]:$/.test(text));
}"""
COPIED = "async () => await navigator.clipboard.readText()"
IS_COPIED = "async (text) => await navigator.clipboard.readText() === text"
TRIES = 10  # JupyterLab waits one second for completions, which may be too short at first
OWN_CELL = """\
from investigate.display import row_table
rows = [{"event_id": f"id-{n:02}", "size": n, "note": "=1+1"} for n in (9, 10, *range(11, 21), 1)]
row_table(rows)"""


def menu(page: Page, *names: str) -> None:
    for name in names:
        page.get_by_role("menuitem", name=name, exact=True).first.click()


def cell(page: Page, name: str) -> Locator:
    number = next(place for place, known in enumerate(NOTEBOOK.cells) if known.id == name)
    return page.locator(".jp-Notebook .jp-Cell").nth(number)


@pytest.fixture(scope="module")
def saved(page: Page) -> dict[str, int]:
    """How much is seen of the saved outputs before anything is run."""
    page.wait_for_selector(".jp-CodeCell .inv-stack")
    drawn = "count => document.querySelectorAll('.js-plotly-plot .main-svg').length >= count"
    page.wait_for_function(drawn, arg=len(FIGURES))
    kinds = (".inv-table", ".inv-strip", ".js-plotly-plot", ".inv-tools")
    return {kind: page.locator(f".jp-Notebook {kind}").count() for kind in kinds}


@pytest.fixture(scope="module")
def ran(saved: dict[str, int], page: Page) -> Page:
    """The page when all cells have been run from the menu, and one of our own below them."""
    menu(page, "Edit", "Clear Outputs of All Cells")
    page.wait_for_function("() => !document.querySelector('.inv-stack')")
    menu(page, "Run", "Run All Cells")
    page.wait_for_function(DONE, arg=len(CODE))
    run_below(page, OWN_CELL)
    return page


def run_below(page: Page, code: str) -> Locator:
    """Type a cell below all others, run it, and return it."""
    cells = page.locator(".jp-Notebook .jp-Cell")
    cells.last.locator(".cm-content").click()
    page.keyboard.press("Escape")
    page.keyboard.press("b")
    new = cells.last
    new.locator(".cm-content").click()
    page.keyboard.insert_text(code)
    page.keyboard.press("Control+Enter")
    count = page.locator(".jp-CodeCell").count()
    page.wait_for_function(DONE, arg=count)
    return new


@pytest.fixture
def own(ran: Page) -> Locator:
    """The output of our own cell: 13 rows with ids, numbers and formulas."""
    shown = ran.locator(".jp-Cell", has_text="from investigate.display import row_table")
    field = shown.locator("input[type=search]")
    field.fill("")
    return shown


def where_it_stays(page: Page, shape: Locator) -> dict[str, float]:
    """The place of a shape once it no longer moves: a busy machine lays out a notebook for long."""
    shape.wait_for()
    before = None
    for _ in range(60):
        place = shape.bounding_box()
        if place and place == before:
            return dict(place)
        before = place
        page.wait_for_timeout(500)
    raise AssertionError(f"it moves on and on, and is now at {before}")


def column(shown: Locator, number: int) -> list[str]:
    cells = shown.locator(f"tbody tr:visible td:nth-child({number})")
    return [text.strip() for text in cells.all_inner_texts()]


def test_saved_outputs_are_all_seen_before_anything_is_run(saved):
    assert saved[".js-plotly-plot"] == len(FIGURES)
    assert saved[".inv-table"] > len(FIGURES)
    assert saved[".inv-strip"] == 1
    # JupyterLab runs no script of a notebook that nobody has run here.
    assert saved[".inv-tools"] == 0


def test_all_cells_run_to_their_end_without_an_error_or_a_message(ran):
    bad = ("application/vnd.jupyter.error", "application/vnd.jupyter.stderr")
    for kind in bad:
        assert ran.locator(f".jp-OutputArea-output [data-mime-type='{kind}']").count() == 0
    assert "sqs: " in cell(ran, "result").locator(".jp-OutputArea").inner_text()


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_drawn_and_can_be_zoomed(ran, name):
    plot = cell(ran, name).locator(".js-plotly-plot")
    assert plot.locator(".main-svg").count() > 0
    plot.hover()
    assert plot.locator(".modebar-btn[data-title*=Zoom]").count() > 0


def test_a_click_on_a_figure_keeps_what_hovers_there_as_text_to_copy(ran):
    shown = cell(ran, "queues-figure")
    shown.locator(".js-plotly-plot").scroll_into_view_if_needed()
    line = shown.locator(".inv-point")
    # A busy machine may lay the notebook out again under the mouse: who sees nothing clicks again.
    for _ in range(TRIES):
        bar = where_it_stays(ran, shown.locator(".bars .point path").first)
        ran.mouse.move(bar["x"] + bar["width"] / 2, bar["y"] + bar["height"] / 2, steps=3)
        shown.locator(".hovertext").first.wait_for()
        ran.mouse.down()
        ran.mouse.up()
        ran.wait_for_timeout(1000)
        if line.is_visible():
            break
        ran.mouse.move(0, 0)
    assert line.is_visible()
    line.get_by_role("button").click()
    assert "messages" in ran.evaluate(COPIED)
    assert ran.evaluate(COPIED) in line.inner_text()


def test_a_column_is_sorted_as_numbers_up_and_down_and_back(own):
    head = own.locator("th").nth(1)
    given = column(own, 2)
    for order in ("ascending", "descending"):
        head.get_by_role("button").press("Enter")
        assert head.get_attribute("aria-sort") == order
        down = order == "descending"
        assert column(own, 2) == sorted(given, key=int, reverse=down)
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") is None
    assert column(own, 2) == given


def test_verdicts_are_sorted_by_their_weight(ran):
    shown = cell(ran, "found")
    shown.locator("th button", has_text="result").first.click()
    words = column(shown, 2)
    assert len(set(words)) > 1
    weight = ["escalate", "dangerous", "suspect"]
    places = [next(n for n, word in enumerate(weight) if word in text) for text in words]
    assert places == sorted(places)


def test_a_table_is_filtered_and_says_how_many_rows_are_left(own):
    own.locator("input[type=search]").press_sequentially("ID-1")
    assert column(own, 1) == [f"id-{n}" for n in range(10, 20)]
    assert own.get_by_role("status").first.inner_text() == "10 of 13 rows"


def test_a_table_is_copied_as_it_is_seen_and_formulas_are_made_harmless(own, ran):
    own.locator("input[type=search]").press_sequentially("id-20")
    own.get_by_role("button", name="Copy table").click()
    own.get_by_role("status").filter(has_text="Copied").wait_for()
    ran.wait_for_function(IS_COPIED, arg="event_id\tsize\tnote\nid-20\t20\t'=1+1")


def test_ids_are_copied_one_a_line(own, ran):
    own.locator("input[type=search]").press_sequentially("id-0")
    own.get_by_role("button", name="Copy ids").click()
    # The word of the button that was used before may still stand there.
    own.get_by_role("status").filter(has_text="Copied").first.wait_for()
    ran.wait_for_function(IS_COPIED, arg="id-09\nid-01")


def test_a_question_of_ones_own_is_one_line_and_becomes_a_finding(ran):
    shown = run_below(
        ran,
        'incident.add_finding("own/poison", "from messages where receive_count > 4",'
        ' step="sqs", key="event_id", severity="suspect", question="What was received often?")',
    )
    assert "own/poison" in shown.locator(".inv-table").inner_text()


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [("incident.", ["tables", "query", "trace"]), ("incident.tables.", ["ledger", "messages"])],
)
def test_completion_shows_the_questions_and_the_tables(ran, typed, wanted):
    new = run_below(ran, "1")
    new.locator(".cm-content").click()
    ran.keyboard.press("Control+a")
    ran.keyboard.type(typed)
    offered = ran.locator(".jp-Completer-item code")
    for _ in range(TRIES):
        ran.keyboard.press("Tab")
        with suppress(TimeoutError):
            offered.first.wait_for(timeout=5_000)
            break
    names = [text.strip().rpartition(".")[2] for text in offered.all_inner_texts()]
    assert [name for name in wanted if name not in names] == []
    ran.keyboard.press("Escape")
    ran.keyboard.press("Control+a")
    ran.keyboard.type("1")
