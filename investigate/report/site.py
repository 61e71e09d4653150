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
from investigate.report.since import Since

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
        self.pages = pages
        self._cells = [cells_of(page.notebook) for page in pages]
        self._templates = environment()

    def index(
        self, command: str, *, root: str = "", own_list: str = "", since: Since | None = None
    ) -> str:
        """Return the first page. `root` leads from its folder to that of the report, `own_list`
        from there to the list of the incident's runs; `since` is what changed since the last."""
        failed = [page for page in self.pages if page.failure]
        codes = {entry["code"] for entry in self._document["checks"]}
        history = {"root": root, "own_list": own_list, "since": since, "codes": codes}
        facts = facts_of(self._document)
        return self._render("index", **facts, **history, command=command, failed=failed)

    def page(self, position: int, *, root: str = "") -> str:
        """Return the page of one notebook; `root` leads from its folder to that of the report."""
        page = self.pages[position]
        cells = self._cells[position]
        around = [None, *self.pages, None]
        return self._render(
            "page",
            name=page.name,
            title=page.title,
            failure=page.failure,
            cells=cells,
            figures=has_figures(cells),
            root=root,
            plotly=PLOTLY,
            figure_templates=script_data({shade: _look(shade) for shade in ("light", "dark")}),
            previous=around[position],
            following=around[position + 2],
        )

    def _render(self, name: str, /, **values: Any) -> str:
        shared = {"case": self._document["case"], "pages": self.pages}
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


def environment() -> Environment:
    """Return what renders the templates of all pages."""
    own = files("investigate.report")
    rendering = Environment(
        loader=FileSystemLoader(str(own / "templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_seen,
    )
    style = display.stylesheet() + (own / "assets" / "report.css").read_text(encoding="utf-8")
    rendering.globals.update(
        style=Markup(style),  # noqa: S704  our own files
        generator=GENERATOR,
        colours=display.COLOURS,
        marks=display.MARKS,
        ink=display.ink,
        prose=prose,
    )
    return rendering
