"""The record of a case's recoveries: one line of JSON per intent and per outcome, on disk at once.

An intent stands there before its write leaves this machine, its outcome after the answer. So after
a kill at any moment the record says what was done, what was not, and what may have been.

Every line goes to two files: the case's own, and one of the pipeline, beside the case folder. By
that one a command of another case of the same pipeline knows what was sent, and what is enabled.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import IO, Any

from investigate.case import RECORD
from investigate.recovery.rules import refused

DONE, FAILED, INTENT = "done", "failed", "intent"
ENABLE, DISABLE = "enable-mapping", "disable-mapping"


SENDS = ("send-event", "send-letter")
SHARED = ".recovery"  # the folder, beside that of a case, of the records of its pipeline

Line = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sent:
    """An event that was sent, or may have been: when, as what, by which case."""

    at: str
    action: str
    item: str
    message_id: str | None
    case: str | None


@dataclass
class Record:
    """An open record, of which this process is the only writer; `shared` is what is known of the
    pipeline, by the commands of whatever case."""

    path: Path
    _file: IO[bytes]
    lines: list[Line] = field(default_factory=list)
    shared: list[Line] = field(default_factory=list)
    _beside: IO[bytes] | None = None

    def write(self, kind: str, action: str, at: str, **told: Any) -> None:
        """Append one line, which is on disk when this returns."""
        line = {"at": at, "kind": kind, "action": action, **told}
        _append(self._file, line)
        self.lines.append(line)
        if self._beside:
            line = {**line, "case": str(self.path.parent.parent.name)}
            _append(self._beside, line)
            self.shared.append(line)

    def state_of(self, action: str, item: str, plan: str | None = None) -> str | None:
        """Return what the record says last of an item: `done`, `failed` (surely not done),
        `intent` (nobody knows), or None: it was never tried."""
        last = None
        for line in self.lines:
            mine = line["action"] == action and line.get("item") == item
            if mine and (plan is None or line.get("plan") == plan):
                last = line
        return str(last["kind"]) if last else None

    def letter_state(self, action: str, item: str) -> str | None:
        """Return the same of a letter, by the commands of whatever case: no two have one id."""
        known = self.state_of(action, item)
        last = [one for one in self.shared if one["action"] == action and one.get("item") == item]
        return known or (str(last[-1]["kind"]) if last else None)

    def open_mappings(self) -> dict[str, Line]:
        """Return the mappings that may be enabled because of us: UUID -> the intent's line."""
        known = {(line["at"], line.get("item")) for line in _intents(self.shared)}
        own = {
            uuid: line
            for uuid, line in _opened(self.lines).items()
            # What the pipeline's record knows, another case may have disabled.
            if (line["at"], uuid) not in known
        }
        return {**own, **_opened(self.shared)}

    def run_of(self, plan: str) -> Line | None:
        """Return the line with which a plan enabled a mapping; None if it never did."""
        return next((line for line in _intents(self.lines) if line.get("plan") == plan), None)

    def sent(self) -> dict[str, Sent]:
        """Return the events that were sent or may have been, by any case: id -> the last time."""
        found: dict[str, Sent] = {}
        for line in (*self.shared, *self.lines):
            event = line.get("event") or (line.get("item") if line["action"] == SENDS[0] else None)
            if line["action"] not in SENDS or not event:
                continue
            before = found.get(event)
            if line["kind"] != FAILED:
                message = (line.get("after") or {}).get("message_id")
                found[event] = Sent(
                    line["at"], line["action"], str(line["item"]), message, line.get("case")
                )
            elif before and before.item == line["item"] and before.message_id is None:
                del found[event]
        return found


def _intents(lines: Iterable[Line]) -> Iterator[Line]:
    return (line for line in lines if line["action"] == ENABLE and line["kind"] == INTENT)


def _opened(lines: Iterable[Line]) -> dict[str, Line]:
    opened: dict[str, Line] = {}
    for line in lines:
        if line["action"] == ENABLE and line["kind"] == INTENT:
            opened[line["item"]] = line
        elif line["action"] == DISABLE and line["kind"] == DONE:
            opened.pop(line["item"], None)
    return opened


def _append(file: IO[bytes], line: Mapping[str, Any]) -> None:
    file.write(json.dumps(line, default=str).encode("ascii") + b"\n")
    file.flush()
    os.fsync(file.fileno())


def shared_path(folder: Path, pipeline: str) -> Path:
    """Return where the record of a pipeline is, for a case in this folder."""
    name = re.sub(r"[^A-Za-z0-9._-]", "_", pipeline)
    return folder.resolve().parent / SHARED / f"{name}.jsonl"


@contextmanager
def opened(folder: Path, pipeline: str = "") -> Iterator[Record]:
    """The record of a case, held alone as long as the block lasts, and with it that of its
    pipeline if that is named; made if there is none.

    Raises `RecoveryRefused` (already-running).
    """
    with ExitStack() as stack:
        path = folder / RECORD
        file, lines = stack.enter_context(_held(path, folder))
        beside, shared = None, list[Line]()
        if pipeline:
            beside, shared = stack.enter_context(_held(shared_path(folder, pipeline), folder))
        yield Record(path, file, lines, shared, beside)


@contextmanager
def _held(path: Path, folder: Path) -> Iterator[tuple[IO[bytes], list[Line]]]:
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
        yield file, list(_lines(text))


def read(folder: Path) -> list[Line]:
    """Return the lines of a case's record, oldest first; none if nothing was ever tried."""
    return _read(folder / RECORD)


def left_open(folder: Path, pipeline: str) -> list[str]:
    """Return the UUIDs of the mappings that may be enabled because of us, by reading alone."""
    path = folder / RECORD
    with path.open("rb") if path.is_file() else BytesIO() as file:
        shared = _read(shared_path(folder, pipeline))
        return list(Record(path, file, read(folder), shared).open_mappings())


def _read(path: Path) -> list[Line]:
    return list(_lines(path.read_bytes())) if path.is_file() else []


def _lines(text: bytes) -> Iterator[Line]:
    for raw in text.splitlines():
        try:
            line = json.loads(raw)
        except ValueError:
            continue  # cut by a kill, see above
        if isinstance(line, Mapping) and {"kind", "action", "at"} <= line.keys():
            yield dict(line)
