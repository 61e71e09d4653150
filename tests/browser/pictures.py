"""Pictures of every page of a report, to be looked at: light, dark, and as wide as a phone.

python -m tests.browser.pictures REPORT OUT
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.conftest import NAMES, PHONE, SCREEN

LOOKS = {
    "light": {"viewport": SCREEN, "color_scheme": "light"},
    "dark": {"viewport": SCREEN, "color_scheme": "dark"},
    "phone": {"viewport": PHONE, "color_scheme": "light"},
}
# Figures are drawn when they come near the screen.
SCROLL = """async () => {
  for (let y = 0; y < document.body.scrollHeight; y += 600) {
    window.scrollTo(0, y);
    await new Promise((done) => setTimeout(done, 100));
  }
  window.scrollTo(0, 0);
}"""


def main(report: Path, out: Path) -> None:
    """Write OUT/PAGE-LOOK.png of each page of a report."""
    out.mkdir(parents=True, exist_ok=True)
    program = next(path for path in map(shutil.which, NAMES) if path)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for page in sorted(report.glob("*.html")):
            take(browser, page, out)
        browser.close()


def take(browser: Browser, file: Path, out: Path) -> None:
    """Take the pictures of one page."""
    for look, options in LOOKS.items():
        with browser.new_context(**options) as context:  # type: ignore[arg-type]
            page: Page = context.new_page()
            page.goto(file.resolve().as_uri())
            page.evaluate(SCROLL)
            page.screenshot(path=out / f"{file.stem}-{look}.png", full_page=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
