"""Reports of a demo case: where they are tried, and what must be true of each, however it ended."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from benchmarks.reliability.commands import NOTEBOOKS, Said, said
from investigate.case import DEMO_CASES
from investigate.investigation import RESULT_MIME
from investigate.report.history import FINDINGS, LIST, read_list
from investigate.report.runs import RUNS

CASE = DEMO_CASES / "lost-events"
QUIET = 1  # its exit code: something dangerous is found
INCIDENT = "night"
END = f"from IPython.display import display\ndisplay({{{RESULT_MIME!r}: {{}}}}, raw=True)"


@dataclass
class Reports:
    """Notebooks that take no time, and a folder with one report of which nothing is wrong."""

    place: Path
    notebooks: Path
    old: Path
    findings: str = ""

    def arguments(self, out: Path, *more: str) -> tuple[str, ...]:
        """Return the command line that writes a report."""
        return ("report", str(CASE), "--out", str(out), "--incident", INCIDENT, *more)

    def report(self, out: Path, *more: str, **circumstances: Any) -> Said:
        """Write a report with notebooks that take no time, unless others are named."""
        circumstances.setdefault("notebooks", self.notebooks)
        return said(*self.arguments(out, *more), **circumstances)

    def copy(self, place: Path) -> Path:
        """Return a folder that holds the old report."""
        return Path(shutil.copytree(self.old, place / "out"))


@contextmanager
def reports(place: Path) -> Iterator[Reports]:
    """A place for reports; raises `RuntimeError` if none can be written even in peace."""
    known = Reports(place, place / "notebooks", place / "old")
    written(known.notebooks)
    told = known.report(known.old)
    if told.code != QUIET:
        raise RuntimeError(f"an undisturbed report fails: {told.err}")
    known.findings = (known.old / FINDINGS).read_text(encoding="utf-8")
    yield known


def written(folder: Path, name: str = "", cells: Sequence[str] = (), end: str = END) -> Path:
    """Write the notebooks that are run into a folder; the one that is named has these cells, and
    this one at its end."""
    folder.mkdir(parents=True)
    for one in NOTEBOOKS:
        own = one == name
        made = _notebook(cells if own else (), end if own else END)
        nbformat.write(made, folder / f"{one}.ipynb")
    return folder


def _notebook(cells: Sequence[str], end: str) -> nbformat.NotebookNode:
    v4: Any = nbformat.v4
    names = ("case", "start", "end", "entity", "findings")
    first = "\n".join(f'{name} = ""' for name in names)
    tagged = {"tags": ["parameters"]}
    made = [
        v4.new_markdown_cell("# A title", id="title"),
        v4.new_code_cell(first, id="parameters", metadata=tagged),
        *(v4.new_code_cell(text, id=f"cell-{at}") for at, text in enumerate(cells)),
        *([v4.new_code_cell(end, id="result")] if end else []),
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    about = {"kernelspec": kernel, "language_info": {"name": "python"}}
    notebook: nbformat.NotebookNode = v4.new_notebook(cells=made, metadata=about)
    return notebook


def half_written(out: Path) -> str:
    """Return what in the folder of a report is not whole; empty if nothing is."""
    found = []
    for path in sorted(out.rglob("*")) if out.is_dir() else []:
        if path.is_file() and not any(part.startswith(".") for part in path.parts[-3:]):
            found += [f"{path.relative_to(out)} {why}" for why in [_torn(path)] if why]
    return "; ".join(found + _unlisted(out))


def _torn(path: Path) -> str:
    text = path.read_bytes()
    if path.suffix == ".html":
        return "" if text.rstrip().endswith(b"</html>") else "has no end"
    if path.suffix in (".json", ".ipynb"):
        try:
            json.loads(text)
        except ValueError:
            return "is no JSON"
    return "" if text else "is empty"


def _unlisted(out: Path) -> list[str]:
    """Return the runs of the list that are not there, and the first page that is not."""
    if not (out / RUNS / LIST).is_file():
        return [] if not (out / "index.html").exists() else ["a first page and no list of runs"]
    rows = read_list(out / RUNS, None).rows
    pages = [out / row.place / name for row in rows for name in ("index.html", FINDINGS)]
    return [f"{page.relative_to(out)} is missing" for page in pages if not page.is_file()]


def lost(known: Reports, out: Path, more: Sequence[str] = ()) -> str:
    """Return what a report that is written now, in peace, lacks of the findings."""
    again = known.report(out, *more)
    if again.code != QUIET:
        return f"the same again ends with {again.code}: {again.err[-800:]}"
    if (out / FINDINGS).read_text(encoding="utf-8") != known.findings:
        return "the same again finds something else"
    return half_written(out) or _left(out)


def _left(out: Path) -> str:
    left = [path.name for path in out.iterdir() if path.name.startswith(".")]
    return f"left over: {', '.join(sorted(left))}" if set(left) - {".lock"} else ""
