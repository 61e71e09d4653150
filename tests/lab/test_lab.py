"""The notebooks in a real JupyterLab and a real browser: opened, run, sorted, copied, asked."""

from __future__ import annotations

import nbformat
import pytest
from playwright.sync_api import Locator, Page

from tests.lab.conftest import ROOT

NOTEBOOK = nbformat.read(ROOT / "notebooks" / "04_sqs.ipynb", as_version=4)
CODE = [cell for cell in NOTEBOOK.cells if cell.cell_type == "code"]
FIGURES = [cell for cell in CODE if "figure" in cell.metadata.tags]
DONE = """count => {
  const told = [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')]
    .map(prompt => prompt.textContent.trim());
  return told.length >= count && told.every(text => /^\\[\\d+\\]:$/.test(text));
}"""


def menu(page: Page, *names: str) -> None:
    for name in names:
        page.get_by_role("menuitem", name=name, exact=True).first.click()


def cell(page: Page, name: str) -> Locator:
    number = next(place for place, known in enumerate(NOTEBOOK.cells) if known.id == name)
    return page.locator(".jp-Notebook .jp-Cell").nth(number)


@pytest.fixture(scope="module")
def saved(page: Page) -> dict[str, int]:
    """What is seen of the saved outputs before anything is run."""
    page.wait_for_selector(".jp-CodeCell .inv-stack")
    page.wait_for_function("count => document.querySelectorAll('.main-svg').length >= count",
                           arg=len(FIGURES))  # fmt: skip
    page.screenshot(path="/tmp/nbx/before.png")
    return {
        name: page.locator(f".jp-Notebook {name}").count()
        for name in (".inv-table", ".inv-tools", ".inv-strip", ".js-plotly-plot")
    }


@pytest.fixture(scope="module")
def ran(saved: dict[str, int], page: Page) -> Page:
    """The page when all cells have been run from the menu."""
    menu(page, "Edit", "Clear Outputs of All Cells")
    page.wait_for_function("() => !document.querySelector('.inv-stack')")
    menu(page, "Run", "Run All Cells")
    page.wait_for_function(DONE, arg=len(CODE))
    page.screenshot(path="/tmp/nbx/after.png")
    return page


def test_saved_outputs_are_seen_before_anything_is_run(saved):
    print(saved)
    assert saved[".js-plotly-plot"] == len(FIGURES)
    assert saved[".inv-table"] > len(FIGURES)
    assert saved[".inv-strip"] == 1


def test_all_cells_run_to_the_end_without_an_error(ran):
    assert (
        ran.locator(
            ".jp-OutputArea-output[data-mime-type*='error'], .jp-RenderedText[data-mime-type='application/vnd.jupyter.stderr']"
        ).count()
        == 0
    )
    assert "sqs:" in cell(ran, "result").locator(".jp-OutputArea").inner_text()


def test_every_figure_is_drawn(ran):
    for figure in FIGURES:
        assert cell(ran, figure.id).locator(".js-plotly-plot .main-svg").count() > 0
    print(ran.locator(".inv-tools").count(), ran.locator(".inv-table").count())
