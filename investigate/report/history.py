"""The history of the reports in a folder: lists of runs, to which adding one costs the same however
many there are.

A list is one small file with its newest rows, and sealed pages of older ones that nobody reads to
add a run. There is one list of all runs, and one of each incident.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import NoneType
from typing import Any

from investigate.errors import UsageError
from investigate.model import Outcome
from investigate.report import briefing
from investigate.report.briefing import Document
from investigate.report.changes_since import ChangesSince, compare
from investigate.report.runs import RUNS, Run

LIST_SCHEMA = "investigate.runs/1"
RUN_SCHEMA = "investigate.run/1"
LIST, RECORD, FINDINGS = "index.json", "run.json", "findings.json"
PAGE = 30  # rows of a sealed page; twice as many are a page of 60 kB
OPEN = 2 * PAGE  # with so many rows the older half of a list's newest ones is sealed
_NUMBERS = ("number", "own_number")
_LAST = ("run", "place", "number", "case", "window", "captured_at")  # what is told of the last run
# What a name holds, wherever it stands: in a list, in a record, or in the `since` of one.
_KINDS: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(("number", "own_number", "added", "found", "untold", "passed"), (int,)),
    **dict.fromkeys(("id", "run", "place", "case", "captured_at", "verdict"), (str,)),
    **dict.fromkeys(("incident", "broken"), (str, NoneType)),
    **dict.fromkeys(("changes", "since", "done"), (dict, NoneType)),
    **dict.fromkeys(("entities", "rows"), (list,)),
    "window": (dict,),
    "failed": (list, dict),
}


@dataclass(frozen=True, slots=True)
class RunRow:
    """What the lists say of one run. `number` and `own_number` are its places in the order of
    addition: among all runs, and among those of its incident."""

    number: int
    own_number: int
    id: str
    incident: str
    place: str
    case: str
    window: Mapping[str, str]
    entities: Sequence[str]
    captured_at: str
    verdict: str
    broken: str | None
    found: int
    untold: int
    passed: int
    failed: Sequence[str]  # the notebooks that did not come to their end
    changes: Mapping[str, int] | None  # since the last run of the incident; None: nothing to tell

    @property
    def word(self) -> str:
        """The word of its badge: the verdict, unless a notebook failed."""
        return "error" if self.failed else self.verdict


@dataclass(frozen=True, slots=True)
class RunList:
    """A list of runs: how many there are, and the newest of them, the oldest first.

    `incident` is None in the list of all. `done` is the newest run whose notebooks all came to
    their end.
    """

    incident: str | None
    added: int = 0
    rows: tuple[RunRow, ...] = ()
    done: RunRow | None = None

    @property
    def sealed(self) -> int:
        """How many sealed pages there are; their numbers begin at 1."""
        return (self.added - len(self.rows)) // PAGE

    def number_of(self, row: RunRow) -> int:
        """Return the place of a row in this list."""
        return row.number if self.incident is None else row.own_number

    def with_row(self, row: RunRow) -> tuple[RunList, tuple[RunRow, ...]]:
        """Return the list with a row more or, by its number, in place of an older one; and the
        rows of a page that has to be sealed now (mostly none)."""
        done = row if not row.failed and self._is_newer(row) else self.done
        if self.number_of(row) <= self.added:
            rows = tuple(row if row.id == known.id else known for known in self.rows)
            return replace(self, rows=rows, done=done), ()
        rows = (*self.rows, row)
        sealed = rows[:PAGE] if len(rows) == OPEN else ()
        return RunList(self.incident, self.added + 1, rows[len(sealed) :], done), sealed

    def page_of(self, row: RunRow) -> int:
        """Return the number of the sealed page on which a row stands, 0 if it is not sealed yet."""
        page = (self.number_of(row) - 1) // PAGE + 1
        return page if page <= self.sealed else 0

    def place_for(self, number: int) -> int:
        """Return the place of a run that stood at `number` (0: nowhere), which is a new one unless
        this list has it."""
        return number if 0 < number <= self.added else self.added + 1

    def _is_newer(self, row: RunRow) -> bool:
        return self.done is None or row.number >= self.done.number


@dataclass(frozen=True, slots=True)
class RunEntry:
    """A run as it is about to be added: its row, what changed, and whether the history takes it."""

    row: RunRow
    since: ChangesSince | None
    kept: bool


class History:
    """The two lists a run belongs to, as they are on disk; read and used while the folder of the
    report is locked."""

    def __init__(self, out: Path, run: Run) -> None:
        """Read the lists; raise `UsageError` if they are not of this version, or damaged."""
        self._out = out
        self._run = run
        self.all = read_list(out / RUNS, None)
        self.own = read_list(out / run.folder, run.incident)
        self._before = _read_record(out / run.place)

    def entry(self, document: Document, failed: Sequence[str]) -> RunEntry:
        """Return the run with its numbers, and what changed since the last run of its incident.

        A run that is made again keeps its place and what it is compared with. One that failed is
        never compared with: what it found would not be news to anybody the next time. A failed
        attempt does not take the place of the same run when that came to its end.
        """
        since = self._since(document)
        number, own_number = self._numbers()
        row = _row(self._run, document, failed, since)
        row = replace(row, number=number, own_number=own_number)
        return RunEntry(
            row, since, kept=not (failed and self._before and not self._before["failed"])
        )

    def record(self, entry: RunEntry, failures: Mapping[str, str]) -> str:
        """Return the text of the run's own record, `run.json`."""
        record = {
            "schema": RUN_SCHEMA,
            **asdict(entry.row),
            "failed": dict(failures),
            "asked": self._run.asked,
            "since": entry.since.as_json() if entry.since else None,
        }
        del record["changes"]  # `since` has them, and their counts
        return _text(record)

    def with_row(self, row: RunRow) -> Iterator[tuple[str, RunList, int, tuple[RunRow, ...]]]:
        """Yield, for each list, its folder, the list with the row in it, and a sealed page that has
        to be written: its number (0 if none) and its rows."""
        for folder, known in ((RUNS, self.all), (self._run.folder, self.own)):
            changed, sealed = known.with_row(row)
            page = changed.sealed if sealed else 0
            if not sealed and known.number_of(row) <= known.added and known.page_of(row):
                # A run that was sealed long ago is made again: the one case in which an old page
                # is read and written.
                page = known.page_of(row)
                older = _read_page(self._out / folder, page)
                sealed = tuple(row if row.id == old.id else old for old in older)
            yield folder, changed, page if sealed else 0, sealed

    def _numbers(self) -> tuple[int, int]:
        """Return its places in the two lists: those it had, if it is made again."""
        listed = (asdict(row) for row in self.own.rows if row.id == self._run.id)
        known = self._before or next(listed, {"number": 0, "own_number": 0})
        return self.all.place_for(known["number"]), self.own.place_for(known["own_number"])

    def _since(self, document: Document) -> ChangesSince | None:
        if self._before:
            last = self._before["since"]
        else:
            done = self.own.done
            last = done and {**asdict(done), "run": done.id, "number": done.own_number}
        if not last or last["number"] >= self._numbers()[1]:
            return None
        since = ChangesSince(**{name: last[name] for name in _LAST})
        return _compared(since, self._out / since.place, self._run, document)


def _compared(since: ChangesSince, last: Path, run: Run, now: Document) -> ChangesSince:
    """Return what changed since the run in a folder, or why that cannot be told."""
    try:
        document = json.loads((last / FINDINGS).read_text(encoding="utf-8"))
        asked = json.loads((last / RECORD).read_text(encoding="utf-8"))["asked"]
        if document["schema"] != now["schema"]:
            return replace(since, unknown="its findings were written by another version")
        otherwise = _asked_otherwise(asked, run.asked)
        return replace(since, changes=compare(document, now, otherwise))
    except FileNotFoundError:
        return replace(since, unknown="its folder is no longer there")
    except (OSError, ValueError, KeyError, TypeError, UsageError):
        return replace(since, unknown="its findings are damaged")


def _asked_otherwise(last: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Return what the findings documents do not say of why two runs cannot see the same."""
    if last["pipeline"] != now["pipeline"]:
        return "the case of this run is of another pipeline than that of the last one"
    if last["thresholds"] != now["thresholds"]:
        return "this run used other thresholds than the last one"
    if any(last[name] != now[name] for name in ("version", "code")):
        return "this run was made by another version than the last one"
    return ""


def _row(run: Run, document: Document, failed: Sequence[str], since: ChangesSince | None) -> RunRow:
    """Return the row of a run that has no numbers yet."""
    return RunRow(
        number=0,
        own_number=0,
        id=run.id,
        incident=run.incident,
        place=run.place,
        case=document["case"],
        window=dict(document["window"]),
        entities=tuple(document.get("entities", ())),
        captured_at=document["captured_at"],
        verdict=document["verdict"],
        broken=briefing.first_broken_step(document),
        found=len(briefing.found(document)),
        untold=len(briefing.unanswered(document)),
        passed=len(briefing.of_outcome(document, Outcome.PASSED)),
        failed=tuple(failed),
        changes=since.counts if since and not since.unknown else None,
    )


def read_list(folder: Path, incident: str | None) -> RunList:
    """Return the list in a folder, an empty one if there is none; raise `UsageError` if it is of
    another version, of another incident, or damaged."""
    path = folder / LIST
    content = _read(path, LIST_SCHEMA)
    if content is None:
        return RunList(incident)
    try:
        _refuse_other_kinds(content)
        rows = tuple(_row_of(row) for row in content["rows"])
        done = _row_of(content["done"]) if content["done"] else None
        known = RunList(content["incident"], content["added"], rows, done)
    except (KeyError, TypeError) as error:
        raise _unusable(path, "its content has another shape") from error
    if known.incident != incident:
        raise _unusable(path, f"it is the list of {known.incident!r}, not of {incident!r}")
    return known


def list_text(known: RunList) -> str:
    """Return a list as it is written to disk."""
    return _text({"schema": LIST_SCHEMA, **asdict(known)})


def page_text(rows: Sequence[RunRow]) -> str:
    """Return a sealed page as it is written to disk."""
    return _text({"schema": LIST_SCHEMA, "rows": [asdict(row) for row in rows]})


def page_name(number: int) -> str:
    """Return what the files of a sealed page are called, without their ending."""
    return f"{number:04d}"


def refuse_unreadable(out: Path) -> None:
    """Raise `UsageError` if the list of all runs in `out` cannot be used; to be asked before
    anything is computed."""
    read_list(out / RUNS, None)


def _read_page(folder: Path, number: int) -> tuple[RunRow, ...]:
    path = folder / f"{page_name(number)}.json"
    content = _read(path, LIST_SCHEMA)
    try:
        return tuple(_row_of(row) for row in content["rows"]) if content else ()
    except (KeyError, TypeError) as error:
        raise _unusable(path, "its content has another shape") from error


def _read_record(folder: Path) -> dict[str, Any] | None:
    """Return the record of a run that is there already."""
    record = _read(folder / RECORD, RUN_SCHEMA)
    if record is None:
        return None
    try:
        _refuse_other_kinds({name: record[name] for name in (*_NUMBERS, "failed", "since")})
        if record["since"]:
            _refuse_other_kinds({name: record["since"][name] for name in _LAST})
    except (KeyError, TypeError) as error:
        raise _unusable(folder / RECORD, "its content has another shape") from error
    return record


def _row_of(content: Any) -> RunRow:
    """Return a row that was read; raise `KeyError` or `TypeError` if it is none."""
    row = RunRow(**content)
    _refuse_other_kinds(content)
    return row


def _refuse_other_kinds(content: Mapping[str, Any]) -> None:
    """Raise `KeyError` or `TypeError` if a name holds what cannot be gone on with."""
    for name, value in content.items():
        if not isinstance(value, _KINDS.get(name, object)):
            raise TypeError(f"{name} is {value!r}")
    if "window" in content:
        content["window"]["start"], content["window"]["end"]


def _read(path: Path, schema: str) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise _unusable(path, f"it cannot be read: {error}") from error
    found = content.get("schema") if isinstance(content, dict) else None
    if found != schema:
        raise _unusable(path, f"its schema is {found!r}, this version knows {schema!r}")
    known: dict[str, Any] = content
    return known


def _unusable(path: Path, why: str) -> UsageError:
    return UsageError(
        f"the history of reports cannot be gone on with: {path}: {why}",
        hint="name another folder with --out, or use the version of investigate that wrote it",
    )


def _text(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"
