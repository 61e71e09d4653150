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
TESTS = Path(__file__).resolve().parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long files first, in their order above."""
    place = {TESTS / name: number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: place.get(item.path, len(LONG)))


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
