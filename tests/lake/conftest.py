from __future__ import annotations

from collections.abc import Iterator

import pytest

from investigate.sandbox.world import Sandbox, SandboxOptions, emulator
from tests.builders import START


@pytest.fixture
def world() -> Iterator[Sandbox]:
    with emulator(SandboxOptions(start=START)) as sandbox:
        yield sandbox
