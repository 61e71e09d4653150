"""Captures and checks on disks that are full, read-only or damaged, or killed while they write."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from benchmarks.reliability.captures import ALL, WHOLE, Pipeline
from benchmarks.reliability.commands import Said, said
from benchmarks.reliability.disks import Disk
from benchmarks.reliability.judge import differences, no_case
from benchmarks.reliability.reports import CASE
from benchmarks.reliability.trial import Trial, Verdict, bug, first, sentence_of, unclear
from investigate.capture.draft import JOURNAL, PLAN, draft_folder_of
from investigate.case import MANIFEST
from investigate.sandbox.weather import CALM

FILE = "file system"
FULL, READ_ONLY = "the disk is full", "the disk is read-only"
# Shares of what a capture takes, at which its disk is full; and where one is killed.
SHARES = (0.0, 0.2, 0.4, 0.6, 0.8)
CAPTURE_DIES = (
    ("in its first step", "investigate.capture.draft", "CaptureDraft._write", 1),
    ("in a later step", "investigate.capture.draft", "CaptureDraft.write", 9),
    ("before it puts the case together", "investigate.case_writer", "CaseWriter.__enter__", 1),
    ("within the case", "investigate.case_writer", "CaseWriter._take", 5),
    ("before the manifest", "investigate.case_writer", "CaseWriter._write_manifest", 1),
    ("before the draft is removed", "investigate.capture.draft", "CaptureDraft._remove", 1),
)
Harm = Callable[[Path], None]


def captures(known: Pipeline) -> Iterator[Trial]:
    """Yield the trials of captures."""
    for share in SHARES:
        run = partial(_full_capture, known, share)
        yield Trial(FILE, "disk full", "capture", FULL, run, f"{share:.0%}", fast=share == 0.4)
    yield Trial(FILE, "denied", "capture", READ_ONLY, partial(_read_only_capture, known))
    for when, module, name, nth in CAPTURE_DIES:
        run = partial(_killed_capture, known, (module, name, nth))
        yield Trial(FILE, "killed", "capture", "SIGKILL while it writes", run, when)
    harms: tuple[tuple[str, str, Harm], ...] = (
        ("cut off halfway", "the end of its journal is lacking", _cut_journal),
        ("wrong shape", "its plan is something else", partial(_plan, '{"other": 1}\n')),
        ("empty", "its plan has no content", partial(_plan, "")),
    )
    for failure, injected, harm in harms:
        run = partial(_harmed_draft, known, harm)
        yield Trial(FILE, failure, "capture --resume", injected, run)


def _calm(whole: Pipeline) -> Pipeline:
    """Return the pipeline with a quiet capture of all of it, in calm weather."""
    known = whole.part(ALL)
    known.served.become(CALM)
    return known


def _full_capture(whole: Pipeline, share: float, place: Path) -> Verdict:
    known = _calm(whole)
    sizes = sum((path.stat().st_size + 4095) // 4096 for path in known.quiet.rglob("*.*"))
    disk = Disk(place / "disk", int(2 * share * sizes) * 4096)  # the draft beside the case
    disk.place.mkdir()
    folder = disk.place / "case"
    return _resumed(known, folder, said(*known.arguments(folder), disk=disk))


def _read_only_capture(whole: Pipeline, place: Path) -> Verdict:
    known = _calm(whole)
    disk = Disk(place / "disk", read_only=True)
    disk.place.mkdir()
    folder = disk.place / "case"
    return _resumed(known, folder, said(*known.arguments(folder), disk=disk))


def _killed_capture(whole: Pipeline, dies: tuple[str, str, int], place: Path) -> Verdict:
    known = _calm(whole)
    folder = place / "case"
    told = said(*known.arguments(folder), dies=dies)
    if told.code != -signal.SIGKILL:
        raise RuntimeError(f"it was not killed: {told}")
    return _resumed(known, folder, told)


def _resumed(known: Pipeline, folder: Path, told: Said) -> Verdict:
    """Return the verdict on a capture that could not write: none or a whole case, and --resume."""
    killed = told.code == -signal.SIGKILL
    if (folder / MANIFEST).is_file():  # killed after its last rename
        differ = differences(folder, known.quiet)
        wrong = "" if killed else f"exit code {told.code} and a case"
        return Verdict(f"killed; {WHOLE}", "", ", ".join(differ), wrong)
    half = no_case(folder)
    expected = (-signal.SIGKILL,) if killed else (2,)
    wrong = first(bug(told), f"exit code {told.code}" if told.code not in expected else "")
    begun = (draft_folder_of(folder) / PLAN).is_file()
    again = known.capture(folder, *(["--resume"] if begun else []))
    lost = again.err if again.code else ", ".join(differences(folder, known.quiet))
    sentence = "" if killed else sentence_of(told)
    ends = "killed" if killed else f"exit {told.code}, no case"
    ends += "; `--resume` or the same again gives every row"
    clear = "" if killed else unclear(sentence, str(folder.parent))
    return Verdict(ends, lost, half, wrong, clear, sentence)


def _cut_journal(draft: Path) -> None:
    content = (draft / JOURNAL).read_bytes()
    (draft / JOURNAL).write_bytes(content[: 2 * len(content) // 3])


def _plan(text: str, draft: Path) -> None:
    (draft / PLAN).write_text(text, encoding="utf-8")


def _harmed_draft(whole: Pipeline, harm: Harm, place: Path) -> Verdict:
    known = _calm(whole)
    folder = place / "case"
    killed = said(*known.arguments(folder), dies=CAPTURE_DIES[2][1:])
    if killed.code != -signal.SIGKILL:
        raise RuntimeError(f"it was not killed: {killed}")
    harm(draft_folder_of(folder))
    told = known.capture(folder, "--resume")
    if not told.code:
        return Verdict(f"exit 0, {WHOLE}", ", ".join(differences(folder, known.quiet)))
    half, sentence = no_case(folder), sentence_of(told)
    wrong = first(bug(told), f"exit code {told.code}" if told.code != 2 else "")
    shutil.rmtree(draft_folder_of(folder))  # as the message says
    again = known.capture(folder)
    lost = again.err if again.code else ", ".join(differences(folder, known.quiet))
    ends = "exit 2, no case; once the draft is removed the same again gives every row"
    return Verdict(
        ends, lost, half, wrong, unclear(sentence, draft_folder_of(folder).name), sentence
    )


def checks(_: None) -> Iterator[Trial]:
    """Yield the trials of checks of a case whose files are not what they were."""
    harms: tuple[tuple[str, str, Harm], ...] = (
        ("cut off halfway", "the end of a table is lacking", _cut("raw")),
        ("cut off halfway", "the end of the manifest is lacking", _cut(MANIFEST)),
        ("wrong shape", "the manifest is a list", _written(MANIFEST, b"[]")),
        ("wrong shape", "a table is a text", _written("raw", b"a text")),
        ("empty", "the manifest has no content", _written(MANIFEST, b"")),
        ("empty", "a table has no content", _written("raw", b"")),
        ("enormous", "the manifest is nested a million times", _written(MANIFEST, b"[" * 10**6)),
        ("denied", "a table may not be read", _forbidden("raw")),
        ("denied", "the manifest may not be read", _forbidden(MANIFEST)),
    )
    for failure, injected, harm in harms:
        yield Trial(FILE, failure, "check", injected, partial(_harmed_case, harm), fast=True)


def _file(case: Path, name: str) -> Path:
    return case / name if name == MANIFEST else case / name / "part-0.parquet"


def _cut(name: str) -> Harm:
    def harm(case: Path) -> None:
        content = _file(case, name).read_bytes()
        _file(case, name).write_bytes(content[: len(content) // 2])

    return harm


def _written(name: str, content: bytes) -> Harm:
    def harm(case: Path) -> None:
        _file(case, name).write_bytes(content)

    return harm


def _forbidden(name: str) -> Harm:
    return lambda case: _file(case, name).chmod(0)


def _harmed_case(harm: Harm, place: Path) -> Verdict:
    case = Path(shutil.copytree(CASE, place / "case"))
    harm(case)
    before = _contents(case)
    told = said("check", case, "--step", "raw", obedient=True)
    changed = [name for name, size in _contents(case).items() if before.get(name) != size]
    sentence = sentence_of(told) or next(
        (line.strip() for line in told.out.splitlines() if "raw" in line), ""
    )
    wrong = first(
        bug(told), f"exit code {told.code} without evidence" if told.code in (0, 1) else ""
    )
    return Verdict(
        f"exit {told.code}", f"changed: {', '.join(changed)}" if changed else "", "", wrong,
        unclear(sentence, "case"), sentence,
    )  # fmt: skip


def _contents(folder: Path) -> dict[str, int]:
    return {
        str(path.relative_to(folder)): path.stat().st_size
        for path in folder.rglob("*")
        if path.is_file()
    }
