"""A whole report: the notebooks run on a case, and all a browser needs to show it offline."""

from __future__ import annotations

import re
import shlex
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.resources import files
from math import inf
from pathlib import Path

from investigate.case import Case
from investigate.evidence import Evidence
from investigate.findings import Examination, dump
from investigate.model import isoformat
from investigate.precomputed import write_precomputed
from investigate.report.execute import Executed, execute_all, share_of
from investigate.report.folder import FIRST_PAGE, ReportDraft, refuse_foreign, report_draft
from investigate.report.history import FINDINGS, History, RunEntry
from investigate.report.kernels import warm_kernels
from investigate.report.notebook_states import write_states
from investigate.report.publish import add_run
from investigate.report.runs import Run, run_of
from investigate.report.site import Page, Site, pages_of, scripts
from investigate.report.tidy import failure_of, tidied, written
from investigate.report.watch import LIMITS, RunLimits

UP = "../../../"  # from the folder of a run to that of the report
SINGLE = "report.html"


def write_report(
    evidence: Evidence,
    examination: Examination,
    out: Path,
    *,
    notebooks: Sequence[Path],
    incident: str = "",
    single_file: bool = False,
    limits: RunLimits = LIMITS,
    seconds: float = inf,
    told: Callable[[Executed], None] = lambda executed: None,
) -> list[Executed]:
    """Write the report of an examination into `out`, as the newest run and as one of the history of
    `incident` (empty: the case's name), and return the notebooks that failed.

    The report appears whole or not at all; a notebook that fails is part of it, and says so, and
    so are those that `seconds` leave no time for. With `single_file` the same report also stands in
    one file, `report.html`, that can be sent. Raise `UsageError` if `out` holds files of others, or
    a history that cannot be gone on with.
    """
    run = run_of(evidence, incident, notebooks)
    refuse_foreign(out, run.place)
    History(out, run)
    with report_draft(out) as draft, warm_kernels():
        with _workplace(evidence, examination) as folder:
            parameters = _parameters(evidence)
            # From here on the memory is the kernels' as well.
            evidence.engine.shrink(share_of(limits.memory.limit))
            executed = execute_all(
                notebooks, parameters, folder, limits=limits, seconds=seconds, told=told
            )
        site = Site(examination.document, _pages(executed, examination))
        _write_files(draft, site, executed, examination)
        failures = {done.name: done.failure for done in executed if done.failure}
        again = _again(evidence, incident)
        write_index = partial(_write_index, draft, site, again, run, single_file=single_file)
        add_run(draft, run, examination.document, failures, write_index)
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


def _again(evidence: Evidence, incident: str) -> str:
    """Return the command that asks the same again."""
    asked = ["--start", isoformat(evidence.window.start), "--end", isoformat(evidence.window.end)]
    asked += [part for entity in evidence.entities for part in ("--entity", entity)]
    asked += ["--incident", incident] if incident else []
    return shlex.join(["investigate", "report", "CASE", *asked])


def _pages(executed: Sequence[Executed], examination: Examination) -> list[Page]:
    notebooks = [(done.name, tidied(done), failure_of(done)) for done in executed]
    return pages_of(examination.document, notebooks)


def _write_files(
    draft: ReportDraft, site: Site, executed: Sequence[Executed], examination: Examination
) -> None:
    """Write all but the first page, which tells what changed since the last run."""
    _write_pages(draft, site)
    _write_twice(draft, FINDINGS, dump(examination.document))
    for folder in (draft.files, draft.run):
        write_states(executed, folder)
    write_assets(draft)


def _write_index(
    draft: ReportDraft, site: Site, again: str, run: Run, entry: RunEntry, *, single_file: bool
) -> None:
    own_list = f"{run.folder}/{FIRST_PAGE}"
    for folder, root in ((draft.files, ""), (draft.run, UP)):
        page = site.index(
            again, root=root, own_list=own_list, incident=run.incident, since=entry.since
        )
        (folder / FIRST_PAGE).write_text(page, encoding="utf-8")
    if single_file:
        # In the run's own folder too: the next report, which may come at any moment, removes that
        # at the top if it has none.
        _write_twice(draft, SINGLE, site.single(again, since=entry.since))


def _write_pages(draft: ReportDraft, site: Site) -> None:
    """Write every notebook, its page and that of all findings, for the newest run and for the run's
    own folder."""
    for page in site.pages:
        _write_twice(draft, f"{page.name}.ipynb", written(page.notebook))
    for folder, root in ((draft.files, ""), (draft.run, UP)):
        (folder / "findings.html").write_text(site.findings(root=root), encoding="utf-8")
        for position, page in enumerate(site.pages):
            html = site.page(position, root=root)
            (folder / f"{page.name}.html").write_text(html, encoding="utf-8")


def _write_twice(draft: ReportDraft, name: str, text: str) -> None:
    for folder in (draft.files, draft.run):
        (folder / name).write_text(text, encoding="utf-8")


def write_assets(draft: ReportDraft) -> None:
    """Write what all runs share, unless it is there already."""
    of_the_lists = {"assets/runs.js": files("investigate.report") / "assets" / "runs.js"}
    for name, source in {**scripts(), **of_the_lists}.items():
        if not _is_there(draft.out / name, Path(str(source))):
            target = draft.files / name
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(source.read_bytes())


def _is_there(path: Path, source: Path) -> bool:
    """Whether a file was written from this source."""
    if not path.is_file() or path.stat().st_size != source.stat().st_size:
        return False
    # A file only ever appears whole, and plotly's name tells its version.
    return path.name.startswith("plotly-") or path.read_bytes() == source.read_bytes()
