"""A capture on its way: what was read so far, on disk, so that a killed capture can go on.

The folder `.NAME.partial` stands beside the case it will become. Its journal has one line for each
step that is done: the files that the step wrote, and a note from which its reader goes on. A file
that no line names was being written when the capture was killed, and does not count.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Mapping
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from investigate.capture.resumption import read_begun, refuse_another
from investigate.errors import CaseDamagedError, UsageError
from investigate.locks import locked_at_once

CASE = "case"  # where the case is put together, before it is moved to its place
PLAN, JOURNAL, LOCK = "plan.json", "journal.jsonl", "lock"
_NEW_PLAN = "plan.json.new"
MERGED = "merged-"  # how the folders begin in which files are merged
_RESUMED = "resumed"
# Tables that are read in the order of their rows, in steps that depend on nothing but the rows.
IN_ORDER = frozenset({"raw"})
_SPOOLED = {"compression": "lz4", "use_dictionary": False}
Note = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """One Parquet file of a table, with the keys its rows begin and end with."""

    path: Path
    rows: int
    bytes: int
    first: tuple[Any, ...]
    last: tuple[Any, ...]


class CaptureDraft:
    """The folder of a capture on its way; use as a context manager, which locks it."""

    def __init__(self, case: Path, plan: Mapping[str, Any], *, resume: bool = False) -> None:
        self.folder = draft_folder_of(case)
        self.plan: Mapping[str, Any] = plan
        self._case = case
        self._resume = resume
        self._guard = threading.Lock()
        self._notes: dict[str, Note] = {}
        self._parts: dict[str, list[Part]] = {}
        self._number = 0
        self._consumed: Note = {}
        self._masked: set[str] = set()
        self._lock_file: Any = None

    def __enter__(self) -> Self:
        refuse_finished(self._case)
        if self._resume:
            self._continue()
        else:
            self._begin()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with closing(self._lock_file):
            if error is None or not self._notes:
                # Published, or nothing worth keeping was read.
                self._remove()

    @property
    def case(self) -> Path:
        """Where the case is put together before it is moved to its place, by one rename."""
        return self.folder / CASE

    def note(self, unit: str) -> Note | None:
        """Return the newest note of a unit of work; None if it never wrote one."""
        return self._notes.get(unit)

    def consumed(self) -> Note:
        """Return what earlier runs of the capture have consumed, as far as they could say."""
        return self._consumed

    def masked(self) -> frozenset[str]:
        """Return the named fields that were met in what is kept."""
        return frozenset(self._masked)

    def resumed(self) -> list[str]:
        """Return when later runs of the capture went on with it."""
        return list((self.note(_RESUMED) or {"times": []})["times"])

    def parts(self, table: str) -> list[Part]:
        """Return the files of a table in the order in which they were written."""
        with self._guard:
            return list(self._parts.get(table, []))

    def rows(self, table: str) -> int:
        """Return how many rows of a table are there."""
        return sum(part.rows for part in self.parts(table))

    def write(
        self,
        unit: str,
        tables: Mapping[str, tuple[pa.Table, tuple[str, ...]]],
        note: Note,
    ) -> None:
        """Keep rows and the note from which their unit goes on, both or neither.

        `tables` holds, by table, its rows in order and the columns they are ordered by.
        """
        written = [self._write(table, *rows) for table, rows in tables.items() if rows[0].num_rows]
        line = {"unit": unit, "note": dict(note), "parts": written}
        with self._guard:
            with (self.folder / JOURNAL).open("a", encoding="utf-8") as journal:
                journal.write(json.dumps(line, ensure_ascii=True) + "\n")
                journal.flush()
                if written:  # a note without rows costs little to find out again
                    os.fsync(journal.fileno())
            self._take(line)

    def _remove(self) -> None:
        """Remove all of the draft while it is locked, so that none that begins meanwhile is hit."""
        for path in self.folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != LOCK:
                path.unlink()
        if os.name == "nt":  # where an open file cannot be removed
            self._lock_file.close()
        (self.folder / LOCK).unlink()
        self._lock_file.close()
        with suppress(OSError):  # another capture has begun here
            self.folder.rmdir()

    def _write(self, table: str, rows: pa.Table, order: tuple[str, ...]) -> dict[str, Any]:
        with self._guard:
            self._number += 1
            name = f"{self._number:06d}.parquet"
        path = self.folder / name
        with path.open("wb") as file:
            # What is sorted once more at the end is only spooled; what is not is part of the case.
            codec: Any = {"compression": "zstd"} if table in IN_ORDER else _SPOOLED
            pq.write_table(rows, file, **codec)
            file.flush()
            os.fsync(file.fileno())
        keys = rows.select(list(order))
        return {
            "table": table,
            "file": name,
            "rows": rows.num_rows,
            "bytes": path.stat().st_size,
            "first": _plain(keys.slice(0, 1)),
            "last": _plain(keys.slice(rows.num_rows - 1, 1)),
        }

    def _take(self, line: Mapping[str, Any]) -> None:
        self._notes[line["unit"]] = line["note"]
        # Threads write their notes in another order than they looked at the meter.
        self._consumed = max(self._consumed, line["note"].get("consumed", {}), key=_how_much)
        self._masked.update(line["note"].get("masked", ()))
        for part in line["parts"]:
            kept = Part(
                self.folder / part["file"],
                part["rows"],
                part["bytes"],
                tuple(part["first"]),
                tuple(part["last"]),
            )
            self._parts.setdefault(part["table"], []).append(kept)

    def _begin(self) -> None:
        self.folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        self._lock()  # first of all: what another process is writing is not to be removed
        if any(path.name not in (LOCK, _NEW_PLAN) for path in self.folder.iterdir()):
            self._lock_file.close()
            raise UsageError(
                f"a capture of {self._case} was begun and not finished",
                hint=f"go on with it: the same command with --resume; or remove {self.folder}",
            )
        new = self.folder / _NEW_PLAN
        new.write_text(json.dumps(self.plan, indent=1) + "\n", encoding="utf-8")
        new.rename(self.folder / PLAN)  # there is a whole plan, or none and nothing was begun

    def _continue(self) -> None:
        if not (self.folder / PLAN).is_file():
            raise UsageError(
                f"there is no unfinished capture of {self._case} to go on with",
                hint="leave out --resume to begin one",
            )
        self._lock()
        with ExitStack() as unless_it_loads:
            unless_it_loads.callback(self._lock_file.close)
            self._load()
            unless_it_loads.pop_all()

    def _load(self) -> None:
        begun = read_begun(self.folder / PLAN)
        refuse_another(begun, self.plan, self.folder)
        asked_at = self.plan["captured_at"]
        self.plan = begun
        journal = self.folder / JOURNAL
        journal.touch()
        kept = 0
        with journal.open("rb") as lines:
            for line in lines:
                try:
                    step = json.loads(line)
                except ValueError:
                    break
                if not line.endswith(b"\n"):
                    break  # being written when the capture was killed
                self._take(step)
                kept += len(line)
        os.truncate(journal, kept)
        self._keep_only_named()
        self.write(_RESUMED, {}, {"times": [*self.resumed(), asked_at]})

    def _keep_only_named(self) -> None:
        for unfinished in (self.folder / CASE, *self.folder.glob(f"{MERGED}*")):
            with suppress(FileNotFoundError):
                shutil.rmtree(unfinished)
        named = {part.path.name: part for parts in self._parts.values() for part in parts}
        for path in self.folder.glob("*.parquet"):
            if path.name not in named:
                path.unlink()
        damaged = sorted(name for name, part in named.items() if not _is_whole(part))
        if damaged:
            raise CaseDamagedError(
                f"{self.folder / damaged[0]} is not what the journal beside it says",
                hint=f"remove {self.folder} and begin again without --resume",
            )
        numbers = [int(Path(name).stem) for name in named]
        self._number = max(numbers, default=0)

    def _lock(self) -> None:
        """Let no second process write here; the lock ends with the process, however it ends."""
        self._lock_file = (self.folder / LOCK).open("w")
        # Where there are no such locks it is captured without.
        if locked_at_once(self._lock_file) is False:
            self._lock_file.close()
            raise UsageError(
                f"another process is capturing {self._case} right now",
                hint="wait for it, or choose another name for the case",
            )


def _is_whole(part: Part) -> bool:
    return part.path.is_file() and part.path.stat().st_size == part.bytes


def refuse_finished(case: Path) -> None:
    """Raise `UsageError` if there is a case already, or anything else in its place."""
    if case.exists():
        raise UsageError(
            f"{case} exists already; evidence is never overwritten",
            hint="choose another name for the case, or move the old one away",
        )


def draft_folder_of(case: Path) -> Path:
    """Return the folder in which a case is captured until it is complete."""
    return case.with_name(f".{case.name}.partial")


def begun_at(case: Path) -> str | None:
    """Return the `captured_at` of the unfinished capture of a case; None if there is none."""
    plan = draft_folder_of(case) / PLAN
    return str(read_begun(plan)["captured_at"]) if plan.is_file() else None


def _plain(keys: pa.Table) -> list[Any]:
    """Return the keys of one row as JSON can hold them; a time as its microseconds."""
    return [
        (column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column)[0].as_py()
        for column in keys.columns
    ]


def _how_much(consumed: Note) -> tuple[int, float]:
    return sum(consumed.get("requests", {}).values()), consumed.get("read_units", 0.0)
