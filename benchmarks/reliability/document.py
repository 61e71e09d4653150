"""docs/reliability.md: a section for each boundary, with a row for each failure and command."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from benchmarks.documents import markdown_table
from benchmarks.reliability.matrix import NO_COMMAND, REASONS
from benchmarks.reliability.trial import BOUNDARIES, FAILURES, Result

HEAD = """# What becomes of a failure

Each section between two marks was written by `python -m benchmarks reliability --write
docs/reliability.md`: the trials it made at one boundary of the product, and the verdict of a judge
that looks at what is left on disk and at what was said. Nothing in it was typed. A trial is one of
the product's own commands in a process of its own, with the failure at the boundary itself: an
answer of a served AWS, a small or read-only disk, a signal, a kernel, an engine, a target of
notifications. Waits between two tries are shortened, and a report asks the checks of `raw` alone.

* **lost**: evidence is missing although the outcome says that it is there; or the same again
  (`--resume`, the next command) does not give what a quiet run gives; or something was done twice.
* **half**: a file or folder at its final name is not whole.
* **wrong**: the exit code, the coverage or the state of a notebook is not true.
* **unclear**: no line names what failed and what to type next.

Each column counts trials; all must be 0. `-` says why there is no trial.
"""
HEADING = [
    "failure", "command", "what was done", "trials", "lost", "half", "wrong", "unclear",
    "how it ends", "what the user reads",
]  # fmt: skip
TEXTS = ("failure", "command", "what was done", "how it ends", "what the user reads")
# What differs from machine to machine and from run to run.
_OWN = (
    (r"https?://127\.0\.0\.1:\d+", "https://AWS"),
    (r"json://127\.0\.0\.1:\d+", "json://TARGET"),
    (r"(?<![\w.])/(?:[\w.-]+/)*rel-\w+/t\d+/", ""),
    (r"(?<![\w.])/(?:[\w.-]+/)*data/cases/", "data/cases/"),
    (r"port=\d+|:\d{5}\b", "port"),
    (r"investigate-\w{8}", "investigate-…"),
    (r"0x[0-9a-f]{8,}", "0x…"),
    (r"\d+(?:\.\d+)? (?:seconds|s)\b", "… s"),
)
LONGEST = 400
NOT_TRIED = "Not tried yet, by the run that wrote this: "
_SECTION = re.compile(r"<!-- begin ([\w ]+) -->\n\n(.*?)\n\n<!-- end \1 -->", re.DOTALL)


def written(results: Sequence[Result]) -> dict[str, str]:
    """Return the section of each boundary that was tried."""
    by = {boundary: [one for one in results if one.boundary == boundary] for boundary in BOUNDARIES}
    return {boundary: _section(boundary, own) for boundary, own in by.items() if own}


def write(document: Path, results: Sequence[Result]) -> None:
    """Put the section of each boundary that was tried into a document; the others stay. They stand
    in the order of the boundaries, whichever was tried first."""
    known = document.read_text(encoding="utf-8") if document.exists() else ""
    sections = {**dict(_SECTION.findall(known)), **written(results)}
    marked = [
        f"<!-- begin {name} -->\n\n{sections[name]}\n\n<!-- end {name} -->"
        for name in BOUNDARIES
        if name in sections
    ]
    lacking = [name for name in BOUNDARIES if name not in sections]
    note = [f"{NOT_TRIED}{', '.join(lacking)}."] if lacking else []
    text = "\n\n".join([HEAD.rstrip(), *note, *marked]) + "\n"
    document.write_text(text, encoding="utf-8")


def faults_of(results: Sequence[Result]) -> list[str]:
    """Return everything that the judge found, with the trial."""
    return [
        f"{one.boundary}, {one.failure}, {one.command}, {one.injected}, {one.moment}: {fault}"
        for one in results
        for fault in one.verdict.faults
    ]


def _section(boundary: str, results: Sequence[Result]) -> str:
    rows = [row for failure in FAILURES for row in _rows(boundary, failure, results)]
    texts = [f"## {boundary}", _summary(results), markdown_table(HEADING, rows, TEXTS)]
    return "\n\n".join(texts + _notes(boundary))


def _summary(results: Sequence[Result]) -> str:
    verdicts = [one.verdict for one in results]
    return (
        f"{len(results)} trials: {sum(bool(one.lost) for one in verdicts)} lost, "
        f"{sum(bool(one.half_written) for one in verdicts)} half-written, "
        f"{sum(bool(one.wrong) for one in verdicts)} wrong outcomes, "
        f"{sum(bool(one.unclear) for one in verdicts)} unclear messages."
    )


def _notes(boundary: str) -> list[str]:
    notes = [
        f"No trial of {command}: {why}." for command, why in NO_COMMAND.get(boundary, {}).items()
    ]
    return ["\n".join(f"* {note}" for note in notes)] if notes else []


def _rows(boundary: str, failure: str, results: Sequence[Result]) -> Iterator[list[str]]:
    own = [one for one in results if one.failure == failure]
    if not own:
        reason = REASONS.get((boundary, failure))
        if reason:
            yield [failure, "-", reason, *["-"] * 5, "-", "-"]
        return
    ordered = sorted(own, key=lambda one: (one.command, own.index(one)))
    for (command, injected), some in groupby(ordered, key=lambda one: (one.command, one.injected)):
        yield [failure, f"`{command}`", injected, *_judged(list(some))]


def _judged(results: Sequence[Result]) -> list[str]:
    verdicts = [one.verdict for one in results]
    counts = [
        len(results),
        *(
            sum(bool(getattr(one, name)) for one in verdicts)
            for name in ("lost", "half_written", "wrong", "unclear")
        ),
    ]
    ends = "; or ".join(dict.fromkeys(plain(one.ends) for one in verdicts))
    said = [plain(one.sentence) for one in verdicts if one.sentence]
    return [*map(str, counts), ends, said[0] if said else ""]


def plain(text: str) -> str:
    """Return a text without what another machine, or another run, would say otherwise."""
    for pattern, instead in _OWN:
        text = re.sub(pattern, instead, text)
    text = " ".join(text.split()).replace("|", "\\|")
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} …"


def trials_of(document: Path) -> Mapping[str, Mapping[str, list[list[str]]]]:
    """Return the rows of a document, by boundary and failure."""
    found: dict[str, dict[str, list[list[str]]]] = {}
    boundary = ""
    for line in document.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            boundary = line.removeprefix("## ")
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if cells and cells[0] in FAILURES:
            found.setdefault(boundary, {}).setdefault(cells[0], []).append(cells)
    return found
