"""The pages of a report: the index, all findings, and one per notebook. The templates escape every
value."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable
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
from investigate.report.single import digests, parts_of

GENERATOR = "investigate report"
FOLDER = "CASE"  # stands in commands for the folder of a case whose place is not known
_CASE = re.compile(rf"(?<=\w ){FOLDER}\b")  # after a word: in a command
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

    def __init__(self, document: Document, pages: Sequence[Page], *, folder: str = FOLDER) -> None:
        """`folder` is what the commands of the pages call the folder of the case."""
        self._document = document
        self._pages = pages
        self._folder = folder
        self._templates = _environment(folder)

    def index(self, again: str) -> str:
        """Return the first page; `again` is the command that makes the same report."""
        failed = [page for page in self._pages if page.failure]
        return self._render("index", **facts_of(self._document), again=again, failed=failed)

    def findings(self) -> str:
        """Return the page of all findings, each with its ids, reason and advice."""
        return self._render("findings", **facts_of(self._document))

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
            figure_templates=_looks(),
            previous=around[position],
            following=around[position + 2],
        )

    def single(self, again: str) -> str:
        """Return the whole report as one page that needs no file beside it."""
        pages = {"index": ("Summary", self.index(again)), "findings": ("Findings", self.findings())}
        for position, page in enumerate(self._pages):
            pages[page.name] = (page.title, self.page(position))
        texts = [script.read_text(encoding="utf-8") for script in scripts().values()]
        return self._render(
            "single",
            verdict=self._document["verdict"],
            parts=parts_of(pages),
            scripts=[Markup(text) for text in texts],  # noqa: S704  our own files, and plotly's
            digests=Markup(digests(texts)),  # noqa: S704  base64
            figure_templates=_looks(),
        )

    def _render(self, name: str, /, **values: Any) -> str:
        shared = {
            "case": display.cell_text(self._document["case"]),
            "pages": self._pages,
            "folder": self._folder,
        }
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


def prose(text: str, folder: str = FOLDER) -> Markup:
    """Return a sentence of ours as HTML: what stands in backticks is code, and a command about the
    case can be copied as it stands, with the folder of the case in it."""

    def code(match: re.Match[str]) -> str:
        command, cases = _CASE.subn(lambda _: display.esc(folder), match[1])
        return f"<code{' data-copy' if cases else ''}>{command}</code>"

    return Markup(re.sub(r"`([^`]+)`", code, display.esc(text)))  # noqa: S704  escaped


def scripts() -> Mapping[str, Traversable]:
    """Return the scripts of a report by their place in it, in the order in which they run."""
    own = files("investigate.report") / "assets"
    return {
        PLOTLY: files("plotly") / "package_data" / "plotly.min.js",
        **{f"assets/{name}": own / name for name in ("figures.js", "report.js")},
    }


def _looks() -> Markup:
    return script_data({shade: _look(shade) for shade in ("light", "dark")})


def _look(shade: str) -> Mapping[str, Any]:
    look: Mapping[str, Any] = template(shade).to_plotly_json()
    return look


def _seen(value: object) -> object:
    """Return what a template writes with nothing in it that hides or reorders text."""
    return display.visible(value) if type(value) is str else value


def _colours(word: str) -> str:
    """Return the rule of a verdict's colour and of the ink that is readable on it."""
    return f".inv-{word} {{ --own: {display.COLOURS[word]}; --ink: {display.ink(word)}; }}"


def _brief(style: str) -> str:
    """Return a style sheet without its comments and indentation: every page carries it."""
    told = re.sub(r"/\*.*?\*/", "", style, flags=re.DOTALL)
    return "\n".join(line.strip() for line in told.splitlines() if line.strip())


def _environment(folder: str) -> Environment:
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
    ours = (own / "assets" / "report.css").read_text(encoding="utf-8")
    style = _brief("\n".join([display.stylesheet(), *map(_colours, display.COLOURS), ours]))
    environment.globals.update(
        style=Markup(style),  # noqa: S704  our own files
        generator=GENERATOR,
        marks=display.MARKS,
        prose=partial(prose, folder=folder),
    )
    return environment
