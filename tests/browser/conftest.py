"""One Chromium without a network for all tests, and the reports for it to open."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.hostile import hostile_case

ROOT = Path(__file__).resolve().parent.parent.parent
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
SCREEN = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
PATIENCE = 180_000  # ms: a file of some MB is drawn in two seconds, but not beside a busy Spark
EACH_FIGURE = """
async () => {
  for (const figure of document.querySelectorAll("figure.plot")) {
    for (let fold = figure.closest("details"); fold; fold = fold.parentElement.closest("details")) {
      fold.open = true;
    }
    figure.scrollIntoView();
    const place = figure.querySelector(".drawing");
    for (let tries = 0; tries < 1000 && !place.querySelector("svg.main-svg"); tries += 1) {
      await new Promise((done) => setTimeout(done, 20));
    }
  }
}
"""


@dataclass
class Visit:
    """A page that is open, what its console said, what it asked for, and what it popped up."""

    page: Page
    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def ask(self, script: str) -> Any:
        """What a script makes of the page; the page's own policy does not bind it."""
        return self.page.evaluate(script)

    def draw_all(self) -> None:
        """Go to every figure, as a reader would; figures are drawn when they come near."""
        self.ask(EACH_FIGURE)

    def count(self, selector: str) -> int:
        return self.page.locator(selector).count()


@dataclass(frozen=True)
class Visitor:
    """Opens files in a browser of its own settings for each visit, always with the network off."""

    browser: Browser

    @contextmanager
    def visit(self, file: Path, fragment: str = "", **settings: Any) -> Iterator[Visit]:
        settings = {"viewport": SCREEN, "color_scheme": "light", **settings}
        context = self.browser.new_context(offline=True, **settings)
        context.set_default_timeout(PATIENCE)
        try:
            visit = Visit(context.new_page())
            visit.page.on("console", lambda message: visit.console.append(message.text))
            visit.page.on("pageerror", lambda error: visit.console.append(str(error)))
            visit.page.on("request", lambda request: visit.requests.append(request.url))
            visit.page.on("dialog", lambda dialog: _dismiss(dialog, visit.dialogs))
            visit.page.goto(file.as_uri() + (f"#{fragment}" if fragment else ""))
            yield visit
        finally:
            context.close()


def _dismiss(dialog: Any, dialogs: list[str]) -> None:
    dialogs.append(dialog.message)
    dialog.dismiss()


@pytest.fixture(scope="module")
def visitor() -> Iterator[Visitor]:
    # Not for the session: playwright keeps a loop running in this thread, which others need.
    found = next((path for path in map(shutil.which, NAMES) if path), None)
    if found is None:
        reason = f"none of {', '.join(NAMES)} is installed"
        if os.environ.get("INVESTIGATE_REQUIRE_BROWSER") == "1":
            pytest.fail(f"INVESTIGATE_REQUIRE_BROWSER=1, but {reason}")
        pytest.skip(reason)
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield Visitor(browser)
        browser.close()


def make_report(case: Path, out: Path, codes: Sequence[int]) -> Path:
    """The report of a case as a user makes it, with the file to send."""
    done = subprocess.run(
        [sys.executable, "-m", "investigate", "report", str(case), "--out", str(out),
         "--single-file"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode in codes, done.stderr + done.stdout
    return out


@pytest.fixture(scope="module")
def report(visitor: Visitor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of the demo case in which everything went wrong."""
    case = ROOT / "data" / "cases" / "everything"
    return make_report(case, tmp_path_factory.mktemp("report") / "out", [1])


@pytest.fixture(scope="module")
def hostile_report(visitor: Visitor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a case that holds hostile texts wherever evidence can hold a text."""
    case = hostile_case(tmp_path_factory.mktemp("case"))
    return make_report(case, tmp_path_factory.mktemp("hostile") / "out", [1])
