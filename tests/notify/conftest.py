"""Nothing a test tells leaves this machine."""

from __future__ import annotations

import pytest

from tests.notify.listener import listening


@pytest.fixture
def listener(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with listening() as heard:
        yield heard
