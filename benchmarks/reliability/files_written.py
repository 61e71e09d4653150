"""Reports and replays on disks that are full, read-only or damaged, or killed while they write."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.reliability import reports
from benchmarks.reliability.commands import Said, said
from benchmarks.reliability.disks import Disk
from benchmarks.reliability.files import FILE, FULL, READ_ONLY
from benchmarks.reliability.reports import INCIDENT, QUIET, Reports, half_written
from benchmarks.reliability.trial import Trial, Verdict, bug, first, sentence_of, unclear
from benchmarks.reliability.trouble import SENT, Trouble, planned
from investigate.case import RECORD
from investigate.report.folder import FILES, FIRST_PAGE, LOCK, PUBLISHING
from investigate.report.history import LIST
from investigate.report.runs import RUNS

LAST = -1  # of the calls: so many as there are files to move
REPORT_DIES = (
    ("before the notebooks", "investigate.report.build", "execute_all", 1),
    ("before the pages", "investigate.report.build", "_write_pages", 1),
    ("before it is published", "investigate.report.folder", "ReportDraft.publish", 1),
    ("while it is moved to its place", "investigate.report.folder", "_move", 5),
    ("before the first page is moved", "investigate.report.folder", "_move", LAST),
)


def report_trials(known: Reports) -> Iterator[Trial]:
    """Yield the trials of reports."""
    for room in (0, 40_000, 200_000, 400_000):
        run = partial(_on_a_disk, known, room, False)
        yield Trial(FILE, "disk full", "report", FULL, run, f"{room} bytes left")
    run = partial(_on_a_disk, known, 0, True)
    yield Trial(FILE, "denied", "report", READ_ONLY, run)
    for when, module, name, nth in REPORT_DIES:
        killed = partial(_killed_report, known, (module, name, nth))
        yield Trial(FILE, "killed", "report", "SIGKILL while it writes", killed, when)
    contents = (
        ("cut off halfway", "the end of the list of runs is lacking", None),
        ("wrong shape", "the list of runs is something else", "[]"),
        ("empty", "the list of runs has no content", ""),
    )
    for failure, injected, content in contents:
        yield Trial(FILE, failure, "report", injected, partial(_harmed_list, known, content))


def _moves(known: Reports) -> int:
    """Return how many files the next report moves: all outside its own run, except what is there
    in any case. The first page is the last of them."""
    outside = ("*", f"{RUNS}/*", f"{RUNS}/{INCIDENT}/*")
    found = [path for pattern in outside for path in known.old.glob(pattern)]
    return sum(path.is_file() and path.name != LOCK for path in found)


def _on_a_disk(known: Reports, room: int, read_only: bool, place: Path) -> Verdict:
    (place / "disk").mkdir()
    out = known.copy(place / "disk")
    told = known.report(out, disk=Disk(place / "disk", room, read_only))
    return _after(known, out, told, place)


def _after(known: Reports, out: Path, told: Said, place: Path) -> Verdict:
    """Return the verdict on a report that could not be written: the old one is there, whole."""
    killed, half = told.code == -signal.SIGKILL, half_written(out)
    wrong = first(bug(told), f"exit code {told.code}" if told.code not in (2, -9, QUIET) else "")
    sentence = "" if killed or told.code == QUIET else sentence_of(told)
    lost = reports.lost(known, out)
    ends = "killed" if killed else f"exit {told.code}"
    clear = "" if killed or told.code == QUIET else unclear(sentence, str(place))
    return Verdict(
        f"{ends}; the last report stands, the same again is whole", lost, half, wrong, clear,
        sentence,
    )  # fmt: skip


def _killed_report(known: Reports, dies: tuple[str, str, int], place: Path) -> Verdict:
    out = known.copy(place)
    module, name, nth = dies
    told = known.report(out, dies=(module, name, _moves(known) if nth == LAST else nth))
    if told.code != -signal.SIGKILL:
        raise RuntimeError(f"it was not killed: {told}")
    left = [path.name for path in (out / PUBLISHING / FILES).glob("*") if path.is_file()]
    if nth == LAST and left != [FIRST_PAGE]:
        raise RuntimeError(f"it was not killed before the first page was moved: {left} are left")
    lost = reports.lost(known, out)  # what was committed is moved by whoever comes next
    half = half_written(out)
    return Verdict("killed; the same again is whole", lost, half)


def _harmed_list(known: Reports, content: str | None, place: Path) -> Verdict:
    out = known.copy(place)
    path = out / RUNS / LIST
    whole = path.read_text(encoding="utf-8")
    path.write_text(whole[: len(whole) // 2] if content is None else content, encoding="utf-8")
    told = known.report(out)
    wrong = first(bug(told), f"exit code {told.code}" if told.code != 2 else "")
    path.write_text(whole, encoding="utf-8")
    sentence = sentence_of(told)
    return Verdict(
        "exit 2; the last report stands, untouched", reports.lost(known, out), half_written(out),
        wrong, unclear(sentence, LIST), sentence,
    )  # fmt: skip


def recoveries(known: Trouble) -> Iterator[Trial]:
    """Yield the trials of a replay whose record cannot be written or read."""
    yield Trial(FILE, "disk full", "replay", FULL, partial(_replay_on, known, 0, False))
    more = partial(_replay_on, known, 8_192, False)
    yield Trial(FILE, "disk full", "replay", FULL, more, "8192 bytes left")
    yield Trial(FILE, "denied", "replay", READ_ONLY, partial(_replay_on, known, 0, True))
    for nth in (2, 3, 6):
        run = partial(_killed_replay, known, nth)
        yield Trial(FILE, "killed", "replay", "SIGKILL while it writes its record", run, str(nth))
    yield Trial(
        FILE, "cut off halfway", "replay", "the last line of the record has no end",
        partial(_torn_record, known),
    )  # fmt: skip


def _replay_on(known: Trouble, room: int, read_only: bool, place: Path) -> Verdict:
    (place / "disk").mkdir()
    with known.restored():
        case = known.copy(place / "disk")
        disk = Disk(place / "disk", room, read_only)
        told = said(*known.arguments("replay", case), disk=disk)
        return _replayed(known, case, told, {2, 3})


def _killed_replay(known: Trouble, nth: int, place: Path) -> Verdict:
    with known.restored():
        case = known.copy(place)
        dies = ("investigate.recovery.record", "_append", nth)
        told = said(*known.arguments("replay", case), dies=dies)
        return _replayed(known, case, told, {-signal.SIGKILL})


def _torn_record(known: Trouble, place: Path) -> Verdict:
    with known.restored():
        case = known.copy(place)
        first_run = said(*known.arguments("replay", case, "--max-messages", str(SENT)))
        if first_run.code:
            raise RuntimeError(f"an undisturbed replay fails: {first_run.err}")
        path = case / RECORD
        path.write_bytes(path.read_bytes()[:-40])
        told = said(*known.arguments("replay", case))
        return _replayed(known, case, told, {0})


def _replayed(known: Trouble, case: Path, told: Said, codes: set[int]) -> Verdict:
    """Return the verdict: after the same again each event is in the queue once, or told."""
    recorded = (case / RECORD).read_bytes().splitlines() if (case / RECORD).exists() else []
    half = [line for line in recorded[:-1] if not _is_json(line)]
    again = said(*known.arguments("replay", case))
    bodies, lost = known.bodies(), []
    for event in planned(known):
        many = sum(count for body, count in bodies.items() if event in body)
        if many > 1 or (not many and event not in again.text):
            lost.append(f"{event} is in the queue {many} times")
    wrong = first(
        bug(told), bug(again), f"exit code {told.code}" if told.code not in codes else "",
        f"then exit code {again.code}: {again.err}" if again.code not in (0, 3) else "",
    )  # fmt: skip
    sentence = sentence_of(told)
    begin = "killed" if told.code < 0 else f"exit {told.code}"
    ends = f"{begin}; the same again sends each event once, or tells what it does not know"
    clear = "" if told.code <= 0 else unclear(sentence, "recovery")
    return Verdict(
        ends, "; ".join(lost), f"{len(half)} torn lines" if len(half) > 1 else "", wrong, clear,
        sentence,
    )  # fmt: skip


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True
