"""What the tests of the readers share: a source over a sandbox, and AWS saying no."""

from __future__ import annotations

import atexit
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq

from investigate.aws import Connection, connect
from investigate.capture.draft import CaptureDraft
from investigate.capture.source import Captured, CaptureOptions, Row, Source
from investigate.model import Window
from investigate.sandbox.world import Sandbox
from tests.builders import END, START, at

_EMPTY: dict[str, Any] = {"functions": {}, "dead_letter_queue_urls": ()}


def source_of(world: Sandbox, *, without: tuple[str, ...] = (), **options: Any) -> Source:
    """A source over a sandbox, captured an hour after its clock; `without` names are not set."""
    chosen = CaptureOptions(
        Window(START, END), **{"captured_at": world.clock.now() + (at(1) - START), **options}
    )
    empty = {name: _EMPTY.get(name) for name in without}
    connection = connect(
        region=world.options.region, sampling=bool(chosen.sample_messages), objects="botocore"
    )
    return Source(connection, replace(world.names, **empty), chosen, scratch())


def scratch() -> CaptureDraft:
    """A draft of its own, which is gone when the tests are."""
    folder = Path(mkdtemp(prefix="draft-"))
    atexit.register(rmtree, folder, ignore_errors=True)
    draft = CaptureDraft(folder / "case", {}).__enter__()
    _DRAFTS.append(draft)  # open as long as the tests run
    return draft


_DRAFTS: list[CaptureDraft] = []


def rows_of(captured: Captured) -> list[Row]:
    assert captured.rows is not None, captured.coverage
    return captured.rows


def loaded(source: Source, captured: Captured) -> Captured:
    """A table with the rows that its reader put into the draft, if it did."""
    if not captured.kept:
        return captured
    parts = source.draft.parts(captured.table)
    rows = [row for part in parts for row in pq.read_table(part.path).to_pylist()]
    return replace(captured, rows=rows)


def refuse(
    connection: Connection,
    service: str,
    operation: str,
    code: str = "AccessDeniedException",
    only: Callable[[dict[str, Any]], bool] = lambda request: True,
) -> None:
    """Let AWS answer an operation with an error from now on."""

    def answer(params: dict[str, Any], **_: Any) -> Any:
        if not only(params):
            return None
        said = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {}}
        return SimpleNamespace(status_code=403, headers={}, raw=None), said

    client = connection.client(service)
    name = client.meta.service_model.service_id.hyphenize()
    client.meta.events.register(f"before-call.{name}.{operation}", answer)


def coverage(captured: Captured) -> tuple[str, str | None]:
    return captured.coverage.status, captured.coverage.reason
