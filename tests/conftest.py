from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compiled import remembered

FAKE = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}
UNSET = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_REGION")
# Files that take a minute or more. Workers take file after file: if one of these came last, one
# worker would be busy with it while the others have nothing left to do.
LONG = (
    "parity/test_engines.py", "test_demo_cases.py", "capture/test_campaigns.py",
    "test_scoped_capture.py", "test_numbers.py", "test_partial_evidence.py", "test_regenerated.py",
    "report/test_execute.py", "browser/test_report.py", "lab/test_lab.py", "live/test_ministack.py",
)  # fmt: skip
# What CI runs too (EVERY_TEST=1, see .ci/run), but not whoever tries a change: whole incidents
# under every kind of harm, in a browser, in JupyterLab, on Spark. Each has smaller tests beside it.
IN_CI_ONLY = (
    "browser/test_hostile.py", "capture/test_campaigns.py", "lab/test_lab.py",
    "parity/test_engines.py", "recovery/test_again.py", "recovery/test_undo.py",
    "report/test_kernels.py", "report/test_walk.py", "test_numbers.py", "test_partial_evidence.py",
    "test_proving.py", "test_regenerated.py", "test_requests.py", "test_scheduling.py",
    "test_scoped_capture.py",
    "test_shown_commands.py", "trace/test_story.py",
)  # fmt: skip
EVERY_TEST = bool(os.environ.get("EVERY_TEST"))
TESTS = Path(__file__).resolve().parent


def pytest_report_header(config: pytest.Config) -> str:
    """Say what is left out, so that nobody takes what passed for all there is."""
    if EVERY_TEST or _names_files(config):
        return "every test that was asked for"
    return "left out, as EVERY_TEST=1 is not set: " + ", ".join(IN_CI_ONLY)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the long files first, in their order above, and leave out what only CI runs."""
    place = {TESTS / name: number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: place.get(item.path, len(LONG)))
    if EVERY_TEST or _names_files(config):
        return
    left_out = {TESTS / name for name in IN_CI_ONLY}
    config.hook.pytest_deselected(items=[item for item in items if item.path in left_out])
    items[:] = [item for item in items if item.path not in left_out]


def _names_files(config: pytest.Config) -> bool:
    """Whether somebody asked for certain files or tests: these are run, whatever they take."""
    return any(".py" in argument for argument in config.args)


@pytest.fixture(scope="session", autouse=True)
def _equal_questions_are_compiled_once() -> Iterator[None]:
    gc.set_threshold(100_000, 50, 50)  # as the command line does, and for the same reason
    with remembered():
        yield


@pytest.fixture(autouse=True)
def _no_test_reaches_a_real_account(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in FAKE.items():
        monkeypatch.setenv(name, value)
    for name in UNSET:
        monkeypatch.delenv(name, raising=False)
