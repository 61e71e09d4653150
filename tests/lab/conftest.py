"""A JupyterLab of its own with a copy of the notebooks, and a Chromium to work in it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent.parent
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
TOKEN = "only-for-this-test"
START_SECONDS = 60
PATIENCE = 120_000  # milliseconds; a notebook may have to wait for a busy machine
OPTIONS = ("--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1", "--ServerApp.port_retries=0")


@pytest.fixture(scope="module")
def chromium() -> str:
    found = next((path for path in map(shutil.which, NAMES) if path), None)
    if found is None:
        reason = f"none of {', '.join(NAMES)} is installed"
        if os.environ.get("INVESTIGATE_REQUIRE_BROWSER") == "1":
            pytest.fail(f"INVESTIGATE_REQUIRE_BROWSER=1, but {reason}")
        pytest.skip(reason)
    return found


@pytest.fixture(scope="module")
def lab(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a JupyterLab that knows nothing of this machine's user."""
    home = tmp_path_factory.mktemp("lab")
    shutil.copytree(ROOT / "notebooks", home / "notebooks")
    port = _free_port()
    command = [
        sys.executable, "-m", "jupyterlab", *OPTIONS, f"--ServerApp.port={port}",
        f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={home}",
    ]  # fmt: skip
    log = (home / "log.txt").open("wb")
    server = subprocess.Popen(command, env=_alone(home), stdout=log, stderr=log, cwd=home)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{address}/api?token={TOKEN}", server, home / "log.txt")
        yield address
    finally:
        # The server ends its kernels when it is asked to end.
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        log.close()


def _alone(home: Path) -> dict[str, str]:
    places = {
        "JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "run",
        "JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython", "HOME": "home",
    }  # fmt: skip
    for place in places.values():
        (home / place).mkdir()
    _settle(home / "settings")
    own = {name: str(home / place) for name, place in places.items()}
    return {**os.environ, **own, "PYTHONPATH": str(ROOT)}


def _settle(folder: Path) -> None:
    """Draw all cells, not only those on the screen, and ask nobody for news."""
    settings = {
        "notebook-extension/tracker": {"windowingMode": "none"},
        "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    }
    for name, values in settings.items():
        path = folder / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(values), encoding="utf-8")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and server.poll() is None:
        try:
            urlopen(address, timeout=5).close()  # noqa: S310  our own server
            return
        except (URLError, TimeoutError):
            time.sleep(0.2)
    pytest.fail(f"JupyterLab did not start:\n{log.read_text(encoding='utf-8')}")


@pytest.fixture(scope="module")
def page(chromium: str, lab: str) -> Iterator[Page]:
    """The notebook 04_sqs in JupyterLab, as it is before anything is run."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        context = browser.new_context(
            viewport={"width": 1400, "height": 1000},
            permissions=["clipboard-read", "clipboard-write"],
        )
        opened = context.new_page()
        opened.set_default_timeout(PATIENCE)
        opened.goto(f"{lab}/doc/tree/notebooks/04_sqs.ipynb?token={TOKEN}")
        yield opened
        browser.close()
