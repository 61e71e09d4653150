"""The lists of runs as a person sees them: from the file system, with the network off."""

from __future__ import annotations

import pytest

from investigate.report.build import write_assets
from investigate.report.folder import report_draft
from investigate.report.publish import add_run
from investigate.report.runs import Run
from tests.report.samples import document, entry

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """A history of so many runs that the older ones are on a page of their own."""
    folder = tmp_path_factory.mktemp("runs") / "out"
    for number in range(61):
        told = document(entry("raw/missing", "found" if number % 2 else "passed"))
        with report_draft(folder) as draft:
            write_assets(draft)
            run = Run("one", {"n": number, "pipeline": "p", "thresholds": {}})
            add_run(draft, run, told, {}, lambda known: None)
    return folder


@pytest.mark.parametrize(
    ("page", "rows"),
    [("runs.html", 31), ("runs/one/index.html", 31), ("runs/0001.html", 30)],
)
def test_every_list_opens_without_a_word_on_the_console_and_offers_its_filter(
    visitor, out, page, rows
):
    with visitor.visit(out / page) as visit:
        assert visit.console == []
        assert visit.count("#filter:not([hidden])") == 1
        assert visit.count("tr[data-verdict]") == rows


def test_the_filter_leaves_only_the_rows_that_were_chosen(visitor, out):
    with visitor.visit(out / "runs.html") as visit:
        visit.page.locator("#filter-verdict").select_option("passed")
        shown = visit.page.locator("tr[data-verdict]:not([hidden])")
        verdicts = shown.evaluate_all("rows => rows.map((row) => row.dataset.verdict)")
        assert set(verdicts) == {"passed"}
        told = visit.page.locator("#filter-told").text_content()
        assert told == f"{len(verdicts)} of the 31 runs on this page"
