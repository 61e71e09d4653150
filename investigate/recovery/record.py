"""The record of a case's recoveries: one line of JSON per intent and per outcome, on disk at once.

An intent stands there before its write leaves this machine, its outcome after the answer. So after
a kill at any moment the record says what was done, what was not, and what may have been.

Every line goes to two files: the case's own, and one of the pipeline, beside the case folder. By
that one a command of another case of the same pipeline knows what was sent, and what is enabled.
"""

from __future__ import annotations

import heapq
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import IO, Any

from investigate.case import RECORD
from investigate.errors import CaseDamagedError, UsageError
from investigate.locks import locked_at_once
from investigate.model import parse_time
from investigate.recovery.rules import refused

DONE, FAILED, INTENT = "done", "failed", "intent"
ENABLE, DISABLE = "enable-mapping", "disable-mapping"
SEND_EVENT, SEND_LETTER = "send-event", "send-letter"
DELETE_LETTER, MOVE_LETTERS = "delete-letter", "move-letters"
SENDS = (SEND_EVENT, SEND_LETTER)
_WRITES = (ENABLE, DISABLE, *SENDS, DELETE_LETTER, MOVE_LETTERS)  # each is about an item
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
    damage: list[CaseDamagedError] = field(default_factory=list)

    def refuse_damaged(self) -> None:
        """Raise `CaseDamagedError` if a line tells of a write, but not of which: without it the
        same would be done again. The record opens all the same, for what is enabled to be undone.
        """
        if self.damage:
            raise self.damage[0]

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
        """Return the same of a letter, by the commands of whatever case: no two have one id. A try
        that surely failed leaves what was known before it."""
        tries = [
            line
            for line in self._history()
            if line["action"] == action and line.get("item") == item
        ]
        standing = _standing(tries)
        return str(standing[-1]["kind"]) if standing else FAILED if tries else None

    def _history(self) -> list[Line]:
        """Return the lines of whatever case, the newest last; those of this one have no `case`."""
        self.refuse_damaged()
        own, known = set(map(_key, self.lines)), set(map(_key, self.shared))
        shared = [{**line, "case": None} if _key(line) in own else line for line in self.shared]
        # What the pipeline's record lacks, because it was lost or is younger, finds its place by
        # its time. The lines of one file keep their order, whatever a clock did meanwhile.
        alone = (line for line in self.lines if _key(line) not in known)
        return list(heapq.merge(alone, shared, key=_at))

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
        tries: dict[str, list[Line]] = {}
        for line in self._history():
            of_event = line.get("item") if line["action"] == SEND_EVENT else None
            event = line.get("event") or of_event
            if line["action"] in SENDS and event:
                tries.setdefault(event, []).append(line)
        return {
            event: _sent(standing[-1])
            for event, lines in tries.items()
            if (standing := _standing(lines))
        }


def _standing(tries: Iterable[Line]) -> list[Line]:
    """Return of the lines about one thing those that hold, the newest last: an outcome ends its
    intent, and a try that surely failed leaves what stood there before it."""
    standing: list[Line] = []
    for line in tries:
        if line["kind"] != INTENT:
            begun = (at for at in reversed(range(len(standing))) if _begun_by(standing[at], line))
            if (intent := next(begun, None)) is not None:
                del standing[intent]
        if line["kind"] != FAILED:
            standing.append(line)
    return standing


def _begun_by(intent: Line, outcome: Line) -> bool:
    same = all(intent.get(name) == outcome.get(name) for name in ("action", "item", "case"))
    return intent["kind"] == INTENT and same


def _sent(line: Line) -> Sent:
    message = (line.get("after") or {}).get("message_id")
    return Sent(line["at"], line["action"], line["item"], message, line.get("case"))


def _key(line: Line) -> tuple[str, ...]:
    """By what a line of a case is found again in the record of its pipeline."""
    return tuple(str(line.get(name)) for name in ("at", "kind", "action", "item"))


def _at(line: Line) -> datetime:
    try:
        return parse_time(line["at"])
    except UsageError:
        return datetime.min.replace(tzinfo=UTC)


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
    """Put a line on disk, whole or not at all, and not glued to a part of one before it."""
    before = file.seek(0, os.SEEK_END)
    # A kill may have cut the last line: what it would have said was never acted upon. It is ended
    # only here, with what follows it: where the disk is full, a record can still be opened.
    glue = b"" if _ends_a_line(file, before) else b"\n"
    rest = glue + json.dumps(line, default=str).encode("ascii") + b"\n"
    try:
        while rest:
            rest = rest[file.write(rest) :]
        os.fsync(file.fileno())
    except OSError as error:
        with suppress(OSError):
            os.ftruncate(file.fileno(), before)
        # A write does not say what it wrote to, and only the record's disk may be full.
        error.filename = error.filename or os.fspath(file.name)
        raise


def _ends_a_line(file: IO[bytes], size: int) -> bool:
    if not size:
        return True
    file.seek(size - 1)
    return file.read(1) == b"\n"


def shared_path(folder: Path, pipeline: str) -> Path:
    """Return where the record of a pipeline is, for a case in this folder."""
    name = re.sub(r"[^A-Za-z0-9._-]", "_", pipeline)
    return folder.resolve().parent / SHARED / f"{name}.jsonl"


@contextmanager
def opened(folder: Path, pipeline: str = "") -> Iterator[Record]:
    """The record of a case, held alone as long as the block lasts, and with it that of its
    pipeline if that is named; made if there is none.

    Raises `RecoveryRefused` (already-running, no-locks).
    """
    with ExitStack() as stack:
        path = folder / RECORD
        file = stack.enter_context(_held(path, folder))
        beside, damage = None, list[CaseDamagedError]()
        lines, shared = _lines(file, path, damage), list[Line]()
        if pipeline:
            there = shared_path(folder, pipeline)
            beside = stack.enter_context(_held(there, folder))
            shared = _lines(beside, there, damage)
        yield Record(path, file, lines, shared, beside, damage)


@contextmanager
def _held(path: Path, folder: Path) -> Iterator[IO[bytes]]:
    path.parent.mkdir(exist_ok=True)
    _refuse_link(path)
    # Without a buffer: what a full disk refused would be tried again when the file is closed, and
    # hide what went wrong before.
    with path.open("a+b", buffering=0) as file:
        alone = locked_at_once(file)
        if alone is None:
            raise refused("no-locks", record=path)
        if not alone:
            raise refused("already-running", case=folder, record=path)
        file.seek(0)
        yield file


def read(folder: Path) -> list[Line]:
    """Return the lines of a case's record, oldest first; none if nothing was ever tried. Raises
    `CaseDamagedError` if one of them tells of a write, but not of which."""
    damage: list[CaseDamagedError] = []
    lines = _read(folder / RECORD, damage)
    if damage:
        raise damage[0]
    return lines


def left_open(folder: Path, pipeline: str) -> list[str]:
    """Return the UUIDs of the mappings that may be enabled because of us, by reading alone, and
    by what is legible."""
    path, damage = folder / RECORD, list[CaseDamagedError]()
    _refuse_link(path)
    with path.open("rb") if path.is_file() else BytesIO() as file:
        shared = _read(shared_path(folder, pipeline), damage)
        return list(Record(path, file, _read(path, damage), shared).open_mappings())


def _refuse_link(path: Path) -> None:
    """Raise `CaseDamagedError` if a record, or its folder, is a link: a case of unknown origin must
    not make us write to, or read, what lies elsewhere."""
    for part in (path.parent, path):
        if part.is_symlink():
            raise CaseDamagedError(
                f"{part} is a link, which no record is",
                hint=f"look where it leads: ls -ld {part}; then put the record itself there",
            )


def _read(path: Path, damage: list[CaseDamagedError]) -> list[Line]:
    _refuse_link(path)
    return _lines(BytesIO(path.read_bytes()), path, damage) if path.is_file() else []


def _lines(file: IO[bytes], path: Path, damage: list[CaseDamagedError]) -> list[Line]:
    """Return the legible lines of a record; note those that are damaged."""
    found = []
    file.seek(0)
    for number, raw in enumerate(file.read().splitlines(), start=1):
        try:
            line = json.loads(raw)
        except (ValueError, RecursionError):
            continue  # cut by a kill, see above
        if not isinstance(line, Mapping) or "action" not in line:
            continue
        if line["action"] in _WRITES and not _whole(line):
            damage.append(_damaged(path, number))
        elif {"kind", "at"} <= line.keys():
            found.append(dict(line))
    return found


def _whole(line: Mapping[str, Any]) -> bool:
    texts = all(isinstance(line.get(name), str) for name in ("at", "kind", "item"))
    event, after = line.get("event"), line.get("after")
    return texts and isinstance(event, str | None) and isinstance(after, bool | Mapping | None)


def _damaged(path: Path, number: int) -> CaseDamagedError:
    return CaseDamagedError(
        f"line {number} of {path} is damaged: it tells of a write, but not of which",
        hint=f"look at it: sed -n {number}p {path}; then repair it by hand: the record of the case "
        f"({RECORD}) and that of its pipeline ({SHARED}, beside the case) both hold it. Do not "
        "delete it: what it tells of would be done again",
    )
