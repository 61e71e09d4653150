"""Every figure on one offline page, and as pictures: light, dark and as narrow as a phone.

    python -m tests.figures.gallery OUT [CASE ...]

draws the samples of the tests, the largest tables that the numbers can be, and the named demo cases
into OUT/gallery.html, and takes OUT/SHADE/SOURCE-FIGURE.png of each. It needs the browser that the
browser tests need.
"""

from __future__ import annotations

import argparse
import html
import shutil
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Literal

from nbformat.v4 import new_code_cell, new_notebook, new_output
from playwright.sync_api import Browser, sync_playwright

from investigate import numbers
from investigate.display import Numbers, stylesheet
from investigate.figures import Drawing, template
from investigate.investigation import Investigation, open_investigation
from investigate.report.page import cells_of, script_data
from tests.figures.large import LARGE
from tests.figures.samples import SAMPLES, draw

SHADES: dict[str, tuple[Literal["light", "dark"], int]] = {
    "light": ("light", 1100),
    "dark": ("dark", 1100),
    "phone": ("light", 390),
}
PATIENCE = 300_000  # milliseconds: a hundred figures take long to draw on a busy machine
TALLEST = 2600  # pixels: a picture of what is higher than the window is cut
# The numbers behind each figure, where their names differ.
BEHIND = {
    "events_over_time": ("events_over_time", "silences"),
    "lag_over_time": ("lag_over_time", "unusual_lags"),
    "failures_and_changes": ("failures_over_time", "changes_made"),
}
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>All figures</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>{style}</style><script>{plotly}</script>{body}
<script id="figure-templates" type="application/json">{templates}</script>
<button id="toggle-code" hidden></button><script>{script}</script></html>"""
PLOT = """<h3>{name}</h3><figure class="plot" id="{name}"><figcaption>{title}</figcaption>
<div class="drawing" style="min-height:{height}px"></div>
<script type="application/json">{content}</script></figure>"""


def main() -> None:
    """Write the page and the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("cases", nargs="*", metavar="CASE")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    page = asked.out / "gallery.html"
    page.write_text(_page(dict(_all(asked.cases))), encoding="utf-8")
    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        for shade in SHADES:
            _pictures(browser, page, shade, asked.out / shade)
        browser.close()


def _all(cases: Sequence[str]) -> Iterator[tuple[str, Drawing]]:
    """Every figure with the name of what it is drawn from."""
    for name in sorted(SAMPLES):
        yield f"sample-{name}", draw(name)
        yield f"large-{name}", draw(name, LARGE[name]())
    for case in cases:
        incident = open_investigation(case)
        for name in sorted(SAMPLES):
            yield f"{Path(case).name}-{name}", draw(name, _numbers(incident, name))


def _numbers(incident: Investigation, figure: str) -> list[Numbers]:
    """What a case has for a figure."""
    if figure == "checks_by_step":
        return [incident.verdicts()]
    if figure == "trace_hops":
        return [incident.trace("").hops]
    behind = BEHIND.get(figure, (figure,))
    return [incident.numbers(getattr(numbers, name)) for name in behind]


def _page(drawn: dict[str, Drawing]) -> str:
    """All figures on one page that draws them as a report does."""
    own = files("investigate.report").joinpath("assets")
    plotly = files("plotly").joinpath("package_data/plotly.min.js")
    looks = {shade: template(shade).to_plotly_json() for shade in ("light", "dark")}
    return PAGE.format(
        style=stylesheet() + own.joinpath("report.css").read_text(encoding="utf-8"),
        plotly=plotly.read_text(encoding="utf-8"),
        body="\n".join(_plot(name, figure) for name, figure in drawn.items()),
        templates=script_data(looks),
        script=own.joinpath("report.js").read_text(encoding="utf-8"),
    )


def _plot(name: str, figure: Drawing) -> str:
    """A figure as a page of the report holds it: made by the report's own code."""
    shown = new_output("display_data", data=figure._repr_mimebundle_())
    (cell,) = cells_of(new_notebook(cells=[new_code_cell(outputs=[shown])]))
    (piece,) = cell.outputs
    return PLOT.format(
        name=html.escape(name), title=html.escape(piece.title), height=piece.height,
        content=piece.content,
    )  # fmt: skip


def _pictures(browser: Browser, page: Path, shade: str, folder: Path) -> None:
    """One picture per figure."""
    folder.mkdir(exist_ok=True)
    scheme, width = SHADES[shade]
    tab = browser.new_page(color_scheme=scheme, viewport={"width": width, "height": TALLEST})
    tab.goto(page.as_uri(), timeout=PATIENCE)
    for plot in tab.locator("figure.plot").all():
        plot.screenshot(path=folder / f"{plot.get_attribute('id')}.png")
    tab.close()


if __name__ == "__main__":
    main()
