"""The folder of a report: written as a draft, put in its place step by step, never over files of
others.

    OUT/index.html …   the newest run, whole
    OUT/runs/…         every run, and the lists of them (investigate/report/history.py)
    OUT/.drafts/…      reports that are being written; each is locked by the process that writes it
    OUT/.publishing/   a finished draft on its way into its place
    OUT/.lock          held by whoever changes anything else

A draft is committed by one rename, to `.publishing`. What follows only moves files, and each move
can be repeated: whoever gets the lock next finishes what a killed process left.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from investigate.errors import UsageError, quoted
from investigate.in_place import leaves
from investigate.locks import locked_at_once

DRAFTS, PUBLISHING, LOCK, ALIVE = ".drafts", ".publishing", ".lock", ".alive"
STAGE, RUN, FILES, OLD, JOURNAL = "stage", "run", "files", "old", "journal.json"
PROBE = ".investigate-"  # and eight letters: where a command tried whether it may write
FIRST_PAGE = "index.html"
LOCK_SECONDS = 120.0  # publishing takes a fraction of a second; so many wait in one queue
_PAUSE = 0.02
_NEWEST = r"(index|findings|report)\.html|(findings|notebooks|run)\.json|\d\d_[a-z_]+\.(html|ipynb)"
_OURS = re.compile(
    rf"{_NEWEST}|runs\.html|\.lock|\.drafts/|\.publishing/|runs/|\.ipynb_checkpoints/"
    rf"|{re.escape(PROBE)}\w{{8}}/"
    r"|assets/(plotly-[\w.]+\.min\.js|(report|figures|runs|display)\.js)?"
)
_OURS_IN_A_RUN = re.compile(rf"{_NEWEST}|\.ipynb_checkpoints/")
HINT = "name another folder with --out, or move these files away"


@dataclass(frozen=True, slots=True)
class ReportDraft:
    """A report on its way into `out`. Nothing of it can be seen there before `publish`."""

    out: Path
    folder: Path

    @property
    def run(self) -> Path:
        """Where the files of the run's own folder are written."""
        return self.folder / STAGE / RUN

    @property
    def files(self) -> Path:
        """Where all other files are written, under the names they will have in `out`."""
        return self.folder / STAGE / FILES

    def publish(self, run: str | None) -> None:
        """Move everything to its place, the run to the folder `run` (None: its files are dropped);
        to be called while `out` is locked. Killed at any moment, it has happened wholly or not at
        all as soon as anybody locks `out` again."""
        names = _files_below(self.files)
        names.sort(key=lambda name: name == FIRST_PAGE)  # the first page last: it names the others
        stale = [
            name for name in _entries(self.out) if re.fullmatch(_NEWEST, name) and name not in names
        ]
        journal = json.dumps({"run": run, "files": names, "remove": stale})
        (self.folder / STAGE / JOURNAL).write_text(journal, encoding="utf-8")
        (self.folder / STAGE).rename(self.out / PUBLISHING)
        _finish(self.out)


@contextmanager
def report_draft(out: Path) -> Iterator[ReportDraft]:
    """Give a new draft of a report for `out`; whatever happens, nothing of it stays behind."""
    refuse_foreign(out)
    out = out.resolve()
    with alone(out):
        (out / DRAFTS).mkdir(exist_ok=True)
        draft = ReportDraft(out, Path(tempfile.mkdtemp(prefix="draft-", dir=out / DRAFTS)))
        alive = (draft.folder / ALIVE).open("w")
        locked_at_once(alive)
    draft.run.mkdir(parents=True)
    draft.files.mkdir()
    try:
        yield draft
    finally:
        shutil.rmtree(draft.folder, ignore_errors=True)
        alive.close()
        _leave(out)


@contextmanager
def alone(out: Path, seconds: float = LOCK_SECONDS) -> Iterator[None]:
    """Let no other process change `out` meanwhile, and finish what a killed one began; make the
    folder if there is none. Raise `UsageError` if another process keeps it for too long."""
    with _lock_of(out, seconds):
        _finish(out)
        _remove_dead_drafts(out)
        _remove_probes(out)
        yield


def refuse_foreign(out: Path, run: str = "") -> None:
    """Raise `UsageError` if a report in `out`, or its run in the folder `run` there, would replace
    anything that is not a report.

    Only the names at the top and those of that one run are looked at, however many runs there are:
    nothing else is ever replaced.
    """
    if Path.cwd().resolve().is_relative_to(out.resolve()):
        raise UsageError(f"{out} is the folder you are in", hint="name another folder with --out")
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file, not a folder", hint="name another folder with --out")
    foreign = [name for name in _top(out) if not _OURS.fullmatch(name)]
    runs = [f"runs/{name}" for name in _entries(out / "runs")]
    foreign += [] if _has_history(out) else runs
    if run:
        foreign += [f"{run}/{name}" for name in _entries(out / run) if not _of_a_run(name)]
    if foreign:
        some = ", ".join(foreign[:3]) + (f" and {len(foreign) - 3} more" if foreign[3:] else "")
        raise UsageError(f"{out} holds what no report wrote: {some}", hint=HINT)


def refuse_unwritable(out: Path) -> None:
    """Raise `UsageError` if no report can be written to `out`, found out by trying."""
    out = out.resolve()
    there = next(folder for folder in (out, *out.parents) if os.path.lexists(folder))
    try:
        with tempfile.TemporaryDirectory(prefix=PROBE, dir=there) as probe:
            if there != out:  # each name that is not there yet may be one that cannot be
                Path(probe, out.relative_to(there)).mkdir(parents=True)
    except OSError as error:
        raise UsageError(
            f"no report can be written to {out}: {error.strerror or error}",
            hint="name a folder you may write to with --out",
        ) from error


def _finish(out: Path) -> None:
    """Move what is left in `.publishing` to its place; each step may have been done already."""
    stage = out / PUBLISHING
    if not stage.is_dir():
        return
    journal = _journal(stage / JOURNAL)
    if journal["run"] and (stage / RUN).is_dir():
        place = out / journal["run"]
        if place.is_dir():
            place.rename(stage / OLD)
        place.parent.mkdir(parents=True, exist_ok=True)
        (stage / RUN).rename(place)
    for name in journal["files"]:
        with suppress(FileNotFoundError):
            _move(stage / FILES / name, out / name)
    for name in journal["remove"]:
        (out / name).unlink(missing_ok=True)
    # Away in one step, so that nobody ever finds half a journal; then it is a draft of nobody's.
    (out / DRAFTS).mkdir(exist_ok=True)
    done = Path(tempfile.mkdtemp(prefix="done-", dir=out / DRAFTS))
    stage.rename(done / STAGE)
    shutil.rmtree(done, ignore_errors=True)


def _journal(path: Path) -> dict[str, Any]:
    try:
        journal: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        names = [*journal["files"], *journal["remove"], journal["run"] or ""]
        if strange := [name for name in names if leaves(name)]:
            raise ValueError(f"{quoted(strange[0])} leads out of it")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise UsageError(
            f"{path.parent} is no report on its way into its place: {error}",
            hint=HINT,
        ) from error
    return journal


def _move(source: Path, target: Path) -> None:
    if source.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        source.replace(target)


def _remove_dead_drafts(out: Path) -> None:
    """Remove the drafts that no living process has locked."""
    for draft in sorted((out / DRAFTS).glob("*")):
        try:
            with (draft / ALIVE).open("w") as alive:
                dead = locked_at_once(alive)
        except (FileNotFoundError, NotADirectoryError):
            dead = True
        if dead:
            shutil.rmtree(draft, ignore_errors=True)


def _remove_probes(out: Path) -> None:
    """Remove what killed processes tried to write; who still tries does not miss it."""
    for probe in out.glob(PROBE + "?" * 8):
        with suppress(OSError):  # it holds something, so it is no probe
            probe.rmdir()


def _leave(out: Path) -> None:
    """Finish what a signal has cut short: a report that was committed is there as a whole. And
    leave no folder behind in which there is nothing but a lock."""
    if not out.is_dir():
        return
    with alone(out):
        with suppress(OSError):  # another draft is in it
            (out / DRAFTS).rmdir()
        if _entries(out) == [LOCK]:
            (out / LOCK).unlink()
            with suppress(OSError):
                out.rmdir()


@contextmanager
def _lock_of(out: Path, seconds: float) -> Iterator[None]:
    until = time.monotonic() + seconds
    while True:
        out.mkdir(parents=True, exist_ok=True)
        try:
            lock = (out / LOCK).open("w")
        except FileNotFoundError:  # another process has just left, and took the folder along
            continue
        with lock:
            if locked_at_once(lock) is not False and _is_the_file(lock, out / LOCK):
                yield
                return
        if time.monotonic() > until:
            raise UsageError(
                f"another report has kept {out / LOCK} for more than {seconds:g} seconds",
                hint="try again, or end the process that holds it; the file itself may stay",
            )
        time.sleep(_PAUSE)


def _is_the_file(file: IO[str], path: Path) -> bool:
    """Whether a path still leads to this open file, and not to one that was made since."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _has_history(out: Path) -> bool:
    """Whether what was seen in `runs` is ours: its list is there, or a process is putting it there.
    That one may come to its end between these two questions, so the first is asked again."""
    listed = out / "runs" / "index.json"
    return listed.is_file() or (out / PUBLISHING).is_dir() or listed.is_file()


def _of_a_run(name: str) -> bool:
    return bool(_OURS_IN_A_RUN.fullmatch(name))


def _top(out: Path) -> list[str]:
    """The names at the top of the folder of a report, and those of its assets."""
    return [*_entries(out), *(f"assets/{name}" for name in _entries(out / "assets"))]


def _entries(folder: Path) -> Sequence[str]:
    """The names in a folder, those of folders with a slash; a link is no folder."""
    if not folder.is_dir():
        return []
    # What an entry is, is read together with its name: by now another process may have removed it.
    with os.scandir(folder) as entries:
        return sorted(entry.name + "/" * entry.is_dir(follow_symlinks=False) for entry in entries)


def _files_below(folder: Path) -> list[str]:
    found = [path for path in folder.rglob("*") if path.is_file()]
    return sorted(path.relative_to(folder).as_posix() for path in found)
