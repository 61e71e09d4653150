"""The pages of a report: one per notebook, and the index. The templates escape every value."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from nbformat import NotebookNode

from investigate import display
from investigate.figures.style import template
from investigate.report.briefing import Document
from investigate.report.index import facts_of
from investigate.report.notebooks import NOTEBOOKS
from investigate.report.page import cells_of, has_figures, script_data, title_of

GENERATOR = "investigate report"
PLOTLY = f"assets/plotly-{version('plotly')}.min.js"


@dataclass(frozen=True, slots=True)
class Page:
    """One notebook's place in the report; `failure` says why it did not come to its end."""

    name: str
    short: str
    title: str
    word: str
    notebook: NotebookNode
    failure: str | None


class Site:
    """Renders the pages of one report."""

    def __init__(self, document: Document, pages: Sequence[Page]) -> None:
        self._document = document
        self._pages = pages
        self._templates = _environment()

    def index(self, command: str) -> str:
        """Return the first page."""
        failed = [page for page in self._pages if page.failure]
        return self._render("index", **facts_of(self._document), command=command, failed=failed)

    def page(self, position: int) -> str:
        """Return the page of one notebook."""
        page = self._pages[position]
        cells = cells_of(page.notebook)
        around = [None, *self._pages, None]
        return self._render(
            "page",
            name=page.name,
            title=page.title,
            failure=page.failure,
            cells=cells,
            figures=has_figures(cells),
            plotly=PLOTLY,
            figure_templates=script_data({shade: _look(shade) for shade in ("light", "dark")}),
            previous=around[position],
            following=around[position + 2],
        )

    def _render(self, name: str, /, **values: Any) -> str:
        shared = {"case": self._document["case"], "pages": self._pages}
        return self._templates.get_template(f"{name}.html.j2").render(**shared, **values)


def pages_of(
    document: Document, notebooks: Sequence[tuple[str, NotebookNode, str | None]]
) -> list[Page]:
    """Return the pages of these notebooks (name, notebook, failure), in their order."""
    words = {entry["step"]: entry["verdict"] for entry in document["steps"]}
    pages = []
    for name, notebook, failure in notebooks:
        step = NOTEBOOKS[name]
        short = step.value if step else name.split("_", 1)[1]
        word = "error" if failure else str(words.get(short, document["verdict"]))
        pages.append(Page(name, short, title_of(notebook, name), word, notebook, failure))
    return pages


def prose(text: str) -> Markup:
    """Return a sentence of ours as HTML: what stands in backticks is code."""
    code = re.sub(r"`([^`]+)`", r"<code>\1</code>", display.esc(text))
    return Markup(code)  # noqa: S704  escaped above


def _look(shade: str) -> Mapping[str, Any]:
    look: Mapping[str, Any] = template(shade).to_plotly_json()
    return look


def _seen(value: object) -> object:
    """Return what a template writes with nothing in it that hides or reorders text."""
    return display.visible(value) if type(value) is str else value


def _environment() -> Environment:
    own = files("investigate.report")
    environment = Environment(
        loader=FileSystemLoader(str(own / "templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_seen,
    )
    style = display.stylesheet() + (own / "assets" / "report.css").read_text(encoding="utf-8")
    environment.globals.update(
        style=Markup(style),  # noqa: S704  our own files
        generator=GENERATOR,
        colours=display.COLOURS,
        marks=display.MARKS,
        ink=display.ink,
        prose=prose,
    )
    return environment
