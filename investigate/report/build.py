"""A whole report: the notebooks run on a case, and all a browser needs to show it offline."""

from __future__ import annotations

import re
import shlex
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

from investigate.case import Case
from investigate.evidence import Evidence
from investigate.findings import Examination, dump
from investigate.model import isoformat
from investigate.precomputed import write_precomputed
from investigate.report.execute import Executed, execute_all
from investigate.report.folder import published
from investigate.report.kernels import warm_kernels
from investigate.report.site import PLOTLY, Page, Site, pages_of
from investigate.report.tidy import failure_of, tidied, written

FINDINGS = "findings.json"


def write_report(
    evidence: Evidence,
    examination: Examination,
    out: Path,
    *,
    notebooks: Sequence[Path],
    told: Callable[[Executed], None] = lambda executed: None,
) -> list[Executed]:
    """Write the report of an examination into `out` and return the notebooks that failed.

    The report appears whole or not at all; a notebook that fails is part of it, and says so.
    """
    with published(out) as draft, warm_kernels():
        with _workplace(evidence, examination) as folder:
            executed = execute_all(notebooks, _parameters(evidence), folder, told=told)
        (draft / FINDINGS).write_text(dump(examination.document), encoding="utf-8")
        _write_pages(draft, _pages(executed, examination), examination, _again(evidence))
        _write_assets(draft)
    return [notebook for notebook in executed if notebook.failure]


def name_of(case: Case) -> str:
    """Return a case's name as a file name that says where it came from and nothing else."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", case.name).strip("-") or "case"


@contextmanager
def _workplace(evidence: Evidence, examination: Examination) -> Iterator[Path]:
    """Give the folder the notebooks run in: there the case and its findings have short names, so
    that no path of this machine gets into a report."""
    with tempfile.TemporaryDirectory(prefix="inv-") as name:
        folder, case = Path(name), evidence.case
        (folder / name_of(case)).symlink_to(case.folder.resolve(), target_is_directory=True)
        (folder / FINDINGS).write_text(dump(examination.document), encoding="utf-8")
        write_precomputed(evidence, examination, folder / FINDINGS)
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
    return shlex.join(["investigate", "report", "CASE", *asked])


def _pages(executed: Sequence[Executed], examination: Examination) -> list[Page]:
    notebooks = [(done.name, tidied(done), failure_of(done)) for done in executed]
    return pages_of(examination.document, notebooks)


def _write_pages(draft: Path, pages: Sequence[Page], examination: Examination, again: str) -> None:
    site = Site(examination.document, pages)
    (draft / "index.html").write_text(site.index(again), encoding="utf-8")
    for position, page in enumerate(pages):
        (draft / f"{page.name}.html").write_text(site.page(position), encoding="utf-8")
        (draft / f"{page.name}.ipynb").write_text(written(page.notebook), encoding="utf-8")


def _write_assets(draft: Path) -> None:
    (draft / "assets").mkdir()
    script = files("investigate.report") / "assets" / "report.js"
    (draft / "assets" / "report.js").write_bytes(script.read_bytes())
    plotly = files("plotly") / "package_data" / "plotly.min.js"
    (draft / PLOTLY).write_bytes(plotly.read_bytes())
