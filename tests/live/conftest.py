"""A second emulator, in which the pipeline's functions and their mapping really run."""

from __future__ import annotations

import os

import pytest

from tests.live.server import PROGRAM, Clients, running
from tests.live.stack import upload_code


@pytest.fixture(scope="session")
def clients(tmp_path_factory):
    if not PROGRAM.is_file():
        reason = f"there is no {PROGRAM}; `make test` installs it"
        if os.environ.get("INVESTIGATE_REQUIRE_MINISTACK") == "1":
            pytest.fail(f"INVESTIGATE_REQUIRE_MINISTACK=1, but {reason}")
        pytest.skip(reason)
    with running(tmp_path_factory.mktemp("ministack")) as url:
        started = Clients(url)
        upload_code(started)
        yield started
