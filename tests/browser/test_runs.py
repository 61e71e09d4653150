"""The lists of runs as a person sees them: from the file system, with the network off."""

from __future__ import annotations

import pytest

from investigate.report.build import write_assets
from investigate.report.folder import drafted
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
        with drafted(folder) as draft:
            write_assets(draft)
            run = Run("one", {"n": number, "pipeline": "p", "thresholds": {}})
            add_run(draft, run, told, {}, lambda known: None)
    return folder


@pytest.mark.parametrize(
    ("page", "rows"),
    [("runs.html", 31), ("runs/one/index.html", 31), ("runs/0001.html", 30)],
)
def test_every_list_opens_without_a_word_on_the_console_and_offers_its_filter(
    browser, out, page, rows
):
    seen = browser.open(out / page)
    assert seen.console == []
    (filters,) = [a for _, a in seen.markup.elements if a.get("id") == "filter"]
    assert "hidden" not in filters
    assert len(seen.markup.values("tr", "data-verdict")) == rows


def test_the_filter_leaves_only_the_rows_that_were_chosen(browser, out):
    page = out / "chosen.html"
    text = (out / "runs.html").read_text(encoding="utf-8")
    chosen = text.replace("<option>passed</option>", "<option selected>passed</option>")
    assert chosen != text
    page.write_text(chosen, encoding="utf-8")
    try:
        markup = browser.open(page).markup
    finally:
        page.unlink()
    shown = [a for tag, a in markup.elements if tag == "tr" and a.keys() >= {"data-verdict"}]
    assert {a["data-verdict"] for a in shown if "hidden" not in a} == {"passed"}
    assert (
        markup.text_of("output")
        == f"{sum('hidden' not in a for a in shown)} of the 31 runs on this page"
    )
