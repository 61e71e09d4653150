"""The record of a case's recoveries: one line of JSON per intent and per outcome, on disk at once.

An intent stands there before its write leaves this machine, its outcome after the answer. So after
a kill at any moment the record says what was done, what was not, and what may have been.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from investigate.case import RECORD
from investigate.recovery.rules import refused

DONE, FAILED, INTENT = "done", "failed", "intent"
ENABLE, DISABLE = "enable-mapping", "disable-mapping"


@dataclass
class Record:
    """An open record, of which this process is the only writer."""

    path: Path
    _file: IO[bytes]
    lines: list[dict[str, Any]] = field(default_factory=list)

    def write(self, kind: str, action: str, at: str, **told: Any) -> None:
        """Append one line, which is on disk when this returns."""
        line = {"at": at, "kind": kind, "action": action, **told}
        self._file.write(json.dumps(line, default=str).encode("ascii") + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self.lines.append(line)

    def state_of(self, action: str, item: str, plan: str | None = None) -> str | None:
        """Return what the record says last of an item: `done`, `failed` (surely not done),
        `intent` (nobody knows), or None: it was never tried."""
        last = None
        for line in self.lines:
            mine = line["action"] == action and line.get("item") == item
            if mine and (plan is None or line.get("plan") == plan):
                last = line
        return str(last["kind"]) if last else None

    def open_mappings(self) -> dict[str, dict[str, Any]]:
        """Return the mappings that may be enabled because of us: UUID -> the intent's line."""
        opened: dict[str, dict[str, Any]] = {}
        for line in self.lines:
            if line["action"] == ENABLE and line["kind"] == INTENT:
                opened[line["item"]] = line
            elif line["action"] == DISABLE and line["kind"] == DONE:
                opened.pop(line["item"], None)
        return opened

    def run_of(self, plan: str) -> dict[str, Any] | None:
        """Return the line with which a plan enabled a mapping; None if it never did."""
        lines = (line for line in self.lines if line["action"] == ENABLE)
        return next((line for line in lines if line.get("plan") == plan), None)


@contextmanager
def opened(folder: Path) -> Iterator[Record]:
    """The record of a case, held alone as long as the block lasts; made if there is none."""
    path = folder / RECORD
    path.parent.mkdir(exist_ok=True)
    with path.open("a+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise refused("already-running", case=folder, record=path) from error
        file.seek(0)
        text = file.read()
        if text and not text.endswith(b"\n"):
            # A kill cut the last line: what it would have said was never acted upon.
            file.write(b"\n")
        yield Record(path, file, list(_lines(text)))


def read(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of a case's record, oldest first; none if nothing was ever tried."""
    path = folder / RECORD
    return list(_lines(path.read_bytes())) if path.is_file() else []


def _lines(text: bytes) -> Iterator[dict[str, Any]]:
    for raw in text.splitlines():
        try:
            line = json.loads(raw)
        except ValueError:
            continue  # cut by a kill, see above
        if isinstance(line, Mapping) and {"kind", "action"} <= line.keys():
            yield dict(line)
