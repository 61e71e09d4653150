"""The pages that list runs: the newest of all, those of one incident, and the sealed older ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from jinja2 import Environment

from investigate.model import Outcome, counted
from investigate.report.briefing import SEVERITIES
from investigate.report.history import PAGE, RunList, RunRow, page_name
from investigate.report.runs import RUNS, folder_of

ALL = "runs.html"  # of all lists the only page that stands beside the newest report
_WORDS = (Outcome.ERROR.value, *SEVERITIES, Outcome.NOT_EVALUATED.value, Outcome.PASSED.value)
_FAR = 10  # pages


@dataclass(frozen=True, slots=True)
class ListPage:
    """A page of a list to be written: its name, and how it leads to the folder of the report and
    to the sealed pages."""

    name: str
    root: str
    pages: str


def newest_page(folder: str, known: RunList) -> ListPage:
    """Return where the newest runs of a list are shown."""
    if known.incident is None:
        return ListPage(ALL, "", f"{RUNS}/")
    return ListPage(f"{folder}/index.html", "../../", "")


def sealed_page(folder: str, number: int) -> ListPage:
    """Return where the runs of a sealed page are shown."""
    root = "../" * (folder.count("/") + 1)
    return ListPage(f"{folder}/{page_name(number)}.html", root, "")


def render(
    templates: Environment, place: ListPage, known: RunList, rows: Sequence[RunRow], page: int = 0
) -> str:
    """Return a page of a list as HTML: these rows (the oldest first) of sealed page `page`, or, if
    that is 0, the newest ones."""
    shown = list(reversed(rows))
    words = {row.word for row in rows}
    return templates.get_template("runs.html.j2").render(
        root=place.root,
        pages=place.pages,
        page=page,
        incident=known.incident,
        title="Runs" if known.incident is None else f"Runs of {known.incident}",
        told=_told(known, rows, page),
        rows=shown,
        words=[word for word in _WORDS if word in words],
        incidents=sorted({row.incident for row in rows}),
        older=list(_older(page - 1 if page else known.sealed)),
        number_of=known.number_of,
        folder_of=lambda incident: f"{RUNS}/{folder_of(incident)}",
        page_name=page_name,
    )


def _told(known: RunList, rows: Sequence[RunRow], page: int) -> str:
    """Return what the page shows; a sealed page says nothing that later runs would change."""
    if page:
        return f"Runs {(page - 1) * PAGE + 1:,} to {page * PAGE:,}, the newest first."
    shown = "" if len(rows) == known.added else f"; the newest {len(rows)} are on this page"
    return f"{counted(known.added, 'run')} in the order in which they were added{shown}."


def _older(newest: int) -> Iterator[tuple[int, int, int]]:
    """Yield the sealed pages that a page leads to: the next older one, one far back, the first;
    each with the numbers of its first and its last run."""
    for number in dict.fromkeys((newest, newest - _FAR, 1)):
        if 0 < number <= newest:
            yield number, (number - 1) * PAGE + 1, number * PAGE
