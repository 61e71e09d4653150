"""A whole report: the notebooks run on a case, and all a browser needs to show it offline."""

from __future__ import annotations

import re
import shlex
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from investigate.case import Case
from investigate.display import visible
from investigate.evidence import Evidence
from investigate.findings import Examination, dump
from investigate.model import isoformat
from investigate.report.execute import Executed, execute_all
from investigate.report.folder import published
from investigate.report.site import FOLDER, Page, Site, pages_of, scripts
from investigate.report.tidy import failure_of, tidied, written

FINDINGS = "findings.json"
SINGLE = "report.html"


def write_report(
    evidence: Evidence,
    examination: Examination,
    out: Path,
    *,
    notebooks: Sequence[Path],
    single_file: bool = False,
    told: Callable[[Executed], None] = lambda executed: None,
) -> list[Executed]:
    """Write the report of an examination into `out` and return the notebooks that failed.

    The report appears whole or not at all; a notebook that fails is part of it, and says so. With
    `single_file` the same report also stands in one file, `report.html`, that can be sent.
    """
    with published(out) as draft:
        with _workplace(evidence.case, examination) as folder:
            executed = execute_all(notebooks, _parameters(evidence), folder, told=told)
        (draft / FINDINGS).write_text(dump(examination.document), encoding="utf-8")
        pages = _pages(executed, examination)
        site = Site(examination.document, pages, folder=folder_in_commands(evidence.case.folder))
        again = _again(evidence)
        _write_pages(draft, site, pages, again)
        if single_file:
            (draft / SINGLE).write_text(site.single(again), encoding="utf-8")
        _write_assets(draft)
    return [notebook for notebook in executed if notebook.failure]


def name_of(case: Case) -> str:
    """Return a case's name as a file name that says where it came from and nothing else."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", case.name).strip("-") or "case"


def folder_in_commands(folder: Path) -> str:
    """Return a case's folder for the commands of a report: as it was asked for if that tells
    nothing of this machine, quoted for a shell; else the word that stands for it."""
    text = folder.as_posix()
    tells_nothing = not folder.is_absolute() and ".." not in folder.parts and text != "."
    return shlex.quote(text) if tells_nothing and visible(text) == text else FOLDER


@contextmanager
def _workplace(case: Case, examination: Examination) -> Iterator[Path]:
    """Give the folder the notebooks run in: there the case and its findings have short names, so
    that no path of this machine gets into a report."""
    with tempfile.TemporaryDirectory(prefix="inv-") as name:
        folder = Path(name)
        (folder / name_of(case)).symlink_to(case.folder.resolve(), target_is_directory=True)
        (folder / FINDINGS).write_text(dump(examination.document), encoding="utf-8")
        yield folder


def _parameters(evidence: Evidence) -> dict[str, str]:
    return {
        "case": name_of(evidence.case),
        "start": isoformat(evidence.window.start),
        "end": isoformat(evidence.window.end),
        "entity": "".join(evidence.entities),
        "findings": FINDINGS,
    }


def _again(evidence: Evidence) -> str:
    """Return the command that asks the same again."""
    asked = ["--start", isoformat(evidence.window.start), "--end", isoformat(evidence.window.end)]
    asked += [part for entity in evidence.entities for part in ("--entity", entity)]
    folder = folder_in_commands(evidence.case.folder)
    return f"investigate report {folder} {shlex.join(asked)}"


def _pages(executed: Sequence[Executed], examination: Examination) -> list[Page]:
    notebooks = [(done.name, tidied(done), failure_of(done)) for done in executed]
    return pages_of(examination.document, notebooks)


def _write_pages(draft: Path, site: Site, pages: Sequence[Page], again: str) -> None:
    (draft / "index.html").write_text(site.index(again), encoding="utf-8")
    (draft / "findings.html").write_text(site.findings(), encoding="utf-8")
    for position, page in enumerate(pages):
        (draft / f"{page.name}.html").write_text(site.page(position), encoding="utf-8")
        (draft / f"{page.name}.ipynb").write_text(written(page.notebook), encoding="utf-8")


def _write_assets(draft: Path) -> None:
    (draft / "assets").mkdir()
    for name, script in scripts().items():
        (draft / name).write_bytes(script.read_bytes())
