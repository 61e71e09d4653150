"""A Chromium without a network, and the report of a demo case for it to open."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.report.markup import Markup

ROOT = Path(__file__).resolve().parent.parent.parent
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-extensions", "--hide-scrollbars", "--enable-logging=stderr", "--v=0",
    # Whatever would leave this machine goes to a port where nothing answers.
    "--proxy-server=127.0.0.1:9", "--virtual-time-budget=10000",
)  # fmt: skip
DARK = "--blink-settings=preferredColorScheme=0"


@dataclass(frozen=True)
class Seen:
    """A page as the browser has it when all scripts have run, and what its console said."""

    markup: Markup
    console: list[str]


@dataclass(frozen=True)
class Browser:
    program: str
    profiles: Path

    def open(self, page: Path, fragment: str = "", *more: str) -> Seen:
        profile = self.profiles / str(len(list(self.profiles.iterdir())))
        address = page.as_uri() + (f"#{fragment}" if fragment else "")
        done = subprocess.run(
            [self.program, *FLAGS, *more, f"--user-data-dir={profile}", "--dump-dom", address],
            capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
        said = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
        return Seen(Markup(done.stdout), said)


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    found = next((path for path in map(shutil.which, NAMES) if path), None)
    if found is None:
        reason = f"none of {', '.join(NAMES)} is installed"
        if os.environ.get("INVESTIGATE_REQUIRE_BROWSER") == "1":
            pytest.fail(f"INVESTIGATE_REQUIRE_BROWSER=1, but {reason}")
        pytest.skip(reason)
    return Browser(found, tmp_path_factory.mktemp("profiles"))


@pytest.fixture(scope="session")
def seen(browser, report):
    """Each page of the report as the browser has it, opened once."""
    opened: dict[str, Seen] = {}

    def see(name: str) -> Seen:
        if name not in opened:
            opened[name] = browser.open(report / f"{name}.html")
        return opened[name]

    return see


@pytest.fixture(scope="session")
def report(browser, tmp_path_factory):
    """The report of the demo case in which everything went wrong, as a user makes it."""
    out = tmp_path_factory.mktemp("report") / "out"
    case = ROOT / "data" / "cases" / "everything"
    done = subprocess.run(
        [sys.executable, "-m", "investigate", "report", str(case), "--out", str(out)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    return out
