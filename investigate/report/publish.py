"""A finished report takes its place: the run's folder, the lists that name it, the newest run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from jinja2 import Environment

from investigate.report.briefing import Document
from investigate.report.folder import ReportDraft, alone, refuse_foreign
from investigate.report.history import (
    LIST,
    RECORD,
    History,
    RunEntry,
    list_text,
    page_name,
    page_text,
)
from investigate.report.runs import Run
from investigate.report.runs_pages import newest_page, render, sealed_page
from investigate.report.site import environment


def add_run(
    draft: ReportDraft,
    run: Run,
    document: Document,
    failures: Mapping[str, str],
    write_index: Callable[[RunEntry], None],
) -> RunEntry:
    """Put a draft in its place and its run into the lists, and return how it stands there.

    `failures` holds the notebooks that failed, by name. `write_index` writes the pages that say
    what changed since the last run: which one that is, is known only while nobody else adds one.
    Raise `UsageError` if the folder is kept by another process, or holds files of others by now.
    """
    templates = environment()
    with alone(draft.out):
        refuse_foreign(draft.out, run.place)
        history = History(draft.out, run)
        entry = history.entry(document, list(failures))
        record = history.record(entry, failures)
        for folder in (draft.files, draft.run):
            (folder / RECORD).write_text(record, encoding="utf-8")
        write_index(entry)
        if entry.kept:
            for name, text in _lists(history, entry, templates):
                (draft.files / name).parent.mkdir(parents=True, exist_ok=True)
                (draft.files / name).write_text(text, encoding="utf-8")
        draft.publish(run.place if entry.kept else None)
    return entry


def _lists(history: History, entry: RunEntry, templates: Environment) -> Iterator[tuple[str, str]]:
    """Yield the files of both lists that change with this run: their names and their texts."""
    for folder, known, page, sealed in history.with_row(entry.row):
        yield f"{folder}/{LIST}", list_text(known)
        place = newest_page(folder, known)
        yield place.name, render(templates, place, known, known.rows)
        if page:
            place = sealed_page(folder, page)
            yield f"{folder}/{page_name(page)}.json", page_text(sealed)
            yield place.name, render(templates, place, known, sealed, page)
