"""Checks whose engine fails in one way: no room, no evidence it can read, or no time."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.reliability.commands import Command, Said, killed_after, said
from benchmarks.reliability.disks import Disk
from benchmarks.reliability.reports import CASE, QUIET
from benchmarks.reliability.trial import Trial, Verdict, bug, first, sentence_of, unclear
from benchmarks.synthetic.case import write_case
from investigate.case import MANIFEST, digest

EVENTS = 150_000  # more than 256 MB of memory hold while one check looks at them
LITTLE = ("--memory", "256MB")  # enough with what is spilled
LEAST = ("--memory", "100MB")  # not enough for two checks, or only just
STEP = ("--step", "raw")
STOPPED, GAPS = 130, 3
_TABLE = Path("raw") / "part-0.parquet"


@dataclass
class Engines:
    """A case that does not fit into the least memory, and what is to be found in it."""

    large: Path
    findings: str


@contextmanager
def engines(place: Path) -> Iterator[Engines]:
    """The cases of these trials; raises `RuntimeError` if they cannot be checked in peace."""
    write_case(place / "large", EVENTS)
    told = said("check", place / "large", *STEP, "--format", "json")
    if told.code != QUIET:
        raise RuntimeError(f"an undisturbed check fails: {told.err}")
    yield Engines(place / "large", told.out)


def trials(known: Engines) -> Iterator[Trial]:
    """Yield every trial of the engine."""
    of = partial(Trial, "engine")
    yield of("enormous", "check", "more evidence than memory", partial(_large, known))
    full = partial(_no_spill, known)
    yield of("disk full", "check", "more evidence than memory, and no room to spill it", full)
    yield of("timed out", "check", "whoever waits gives up: Ctrl-C", partial(_stopped, known))


def small(_: None) -> Iterator[Trial]:
    """Yield the trials for which a demo case is large enough."""
    of = partial(Trial, "engine")
    yield of("denied", "check", "the folder for what is spilled may not be written", _forbidden)
    yield of("cut off halfway", "check", "a table is damaged within", _damaged, fast=True)
    yield of("wrong shape", "check", "a column is of another type", _retyped, fast=True)
    yield of("empty", "check", "a table has no rows", _no_rows, fast=True)
    for nth in (1, 5):
        killed = partial(_killed, nth)
        yield of("killed", "check", "SIGKILL while a query is asked", killed, f"query {nth}")


def _case(place: Path) -> Path:
    return Path(shutil.copytree(CASE, place / "case"))


def _verdict(told: Said, codes: set[int], *resources: str, lost: str = "") -> Verdict:
    """Return the verdict on a check that must not end well without its evidence."""
    wrong = first(bug(told), f"exit code {told.code}" if told.code not in codes else "")
    sentence = sentence_of(told) or _reason(told)
    return Verdict(
        f"exit {told.code}", lost, wrong=wrong, sentence=sentence,
        unclear=unclear(sentence, *resources),
    )  # fmt: skip


def _reason(told: Said) -> str:
    """Return why a check could not be evaluated, as the document says."""
    try:
        checks = json.loads(told.out)["checks"]
    except (ValueError, KeyError):
        return ""
    reasons = [one["reason"] for one in checks if one["outcome"] in ("error", "not-evaluated")]
    return str(reasons[0]) if reasons else ""


def _forbidden(place: Path) -> Verdict:
    spill = place / "spill"
    spill.mkdir()
    spill.chmod(0o500)
    told = said("check", CASE, *STEP, "--spill", spill, obedient=True)
    return _verdict(told, {2}, str(spill))


def _large(known: Engines, place: Path) -> Verdict:
    told = said("check", known.large, *STEP, "--format", "json", *LITTLE, "--spill", place)
    same = told.out == known.findings
    wrong = first(bug(told), f"exit code {told.code}" if told.code != QUIET else "")
    return Verdict(
        f"exit {told.code}, the same findings",
        "" if same else "other findings than with all memory",
        _left(place),
        wrong,
    )


def _left(place: Path) -> str:
    left = sorted(path.name for path in place.iterdir())
    return f"left over: {', '.join(left)}" if left else ""


def _no_spill(known: Engines, place: Path) -> Verdict:
    disk = Disk(place / "disk", 65_536)
    disk.place.mkdir()
    told = said(
        "check", known.large, *STEP, "--format", "json", *LEAST, "--spill", disk.place, disk=disk
    )
    if told.out == known.findings:
        return Verdict(f"exit {told.code}, it has enough memory", wrong=bug(told))
    return _verdict(told, {2, GAPS, QUIET}, lost=_untrue(told, known.findings))


def _untrue(told: Said, findings: str) -> str:
    """Return the checks that say something else than with room; to know less is not untrue."""
    try:
        told_of = {one["code"]: one for one in json.loads(told.out)["checks"]}
    except ValueError:
        return ""  # refused as a whole
    whole = {one["code"]: one for one in json.loads(findings)["checks"]}
    other = [
        code
        for code, one in told_of.items()
        if one["outcome"] not in ("error", "not-evaluated") and one != whole[code]
    ]
    return f"other answers: {', '.join(other)}" if other else ""


def _damaged(place: Path) -> Verdict:
    case = _case(place)
    content = bytearray((case / _TABLE).read_bytes())
    middle = len(content) // 3
    content[4:middle] = bytes(middle - 4)  # Parquet keeps what it is about at its end
    (case / _TABLE).write_bytes(content)
    told = said("check", case, *STEP, "--format", "json")
    return _verdict(told, {2, GAPS, QUIET}, lost=_passed(told))


def _passed(told: Said) -> str:
    """Return the checks of raw objects that passed although nothing can be read of these."""
    try:
        checks = json.loads(told.out)["checks"]
    except ValueError:
        return ""
    passed = [one["code"] for one in checks if one["outcome"] == "passed"]
    return f"passed: {', '.join(passed)}" if "raw/corrupt" in passed else ""


def _retyped(place: Path) -> Verdict:
    case = _case(place)
    rows = pq.read_table(case / _TABLE)
    at = rows.schema.get_field_index("size")
    texts = pa.array(["large"] * rows.num_rows)
    _rewrite(case, rows.set_column(at, "size", texts))
    return _verdict(said("check", case, *STEP, "--format", "json"), {2}, "raw")


def _no_rows(place: Path) -> Verdict:
    case = _case(place)
    _rewrite(case, pq.read_table(case / _TABLE).slice(0, 0))
    told = said("check", case, *STEP, "--format", "json")
    missing = [
        one["count"] for one in json.loads(told.out)["checks"] if one["code"] == "raw/missing"
    ]
    wrong = first(
        bug(told), f"exit code {told.code}" if told.code != QUIET else "",
        "no event of the index is called missing" if not any(missing) else "",
    )  # fmt: skip
    return Verdict(f"exit {told.code}, every event of the index is missing", wrong=wrong)


def _rewrite(case: Path, rows: pa.Table) -> None:
    """Put other rows into the table, with a manifest that says so."""
    pq.write_table(rows, case / _TABLE)
    manifest = json.loads((case / MANIFEST).read_text(encoding="utf-8"))
    table = manifest["tables"]["raw"]
    table["rows"] = rows.num_rows
    size, sha = (case / _TABLE).stat().st_size, digest(case / _TABLE)
    table["files"][0].update(bytes=size, sha256=sha)
    (case / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")


def _stopped(known: Engines, place: Path) -> Verdict:
    command = Command(("check", str(known.large), "--spill", str(place)))
    told = killed_after(3.0, command, signal.SIGINT)
    wrong = first(bug(told), f"exit code {told.code}" if told.code != STOPPED else "")
    said_so = "" if told.err.strip().endswith("investigate: stopped") else "it does not say so"
    return Verdict(
        f"exit {told.code}, nothing is left", "", _left(place), wrong, said_so, "stopped"
    )


def _killed(nth: int, place: Path) -> Verdict:
    arguments = ("check", str(CASE), *STEP, "--format", "json", "--spill", str(place))
    quiet = said("check", CASE, *STEP, "--format", "json")
    dies = ("investigate.engine.duckdb", "DuckDBEngine._answers", nth)
    told = said(*arguments, dies=dies)
    if told.code != -signal.SIGKILL:
        raise RuntimeError(f"it was not killed: {told}")
    again = said(*arguments)
    lost = "" if again.out == quiet.out else f"the same again says something else: {again.err}"
    return Verdict("killed; the same again finds the same, and clears up", lost, _left(place))
