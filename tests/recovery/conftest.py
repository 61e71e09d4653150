from __future__ import annotations

import pytest

from investigate.commands import recovering
from tests.commands.conftest import ask
from tests.recovery.helpers import incident

__all__ = ["ask"]


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Look again at once: an emulator has its answer ready."""
    monkeypatch.setattr(recovering, "POLL_SECONDS", 0.01)


@pytest.fixture
def trouble(tmp_path):
    """A pipeline behind a URL in which nothing has happened yet."""
    with incident(tmp_path) as known:
        yield known
