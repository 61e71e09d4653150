"""The pages of a report: the index, all findings, and one per notebook. The templates escape every
value."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from investigate.report.changes_since import ChangesSince
from investigate.report.index import facts_of
from investigate.report.notebooks import NOTEBOOKS
from investigate.report.page import cells_of, has_figures, script_data, title_of
from investigate.report.single_file import digests, parts_of

GENERATOR = "investigate report"
# The one form of command that can be copied: evidence cannot have put anything of its own into it.
_OF_A_CASE = re.compile(r"investigate [a-z-]+ CASE")
PLOTLY_SCRIPT = f"assets/plotly-{version('plotly')}.min.js"


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
        self,
        again: str,
        *,
        root: str = "",
        own_list: str = "",
        incident: str = "",
        since: ChangesSince | None = None,
    ) -> str:
        """Return the first page; `again` is the command that makes the same report.

        `root` leads from its folder to that of the report, `own_list` from there to the list of
        the runs of `incident`; `since` is what changed since the last.
        """
        failed = [page for page in self.pages if page.failure]
        codes = {entry["code"] for entry in self._document["checks"]}
        history = {
            "root": root, "own_list": own_list, "incident": incident, "since": since,
            "codes": codes,
        }  # fmt: skip
        facts = facts_of(self._document)
        return self._render("index", **facts, **history, again=again, failed=failed)

    def findings(self, *, root: str = "") -> str:
        """Return the page of all findings, each with its ids, reason and advice."""
        return self._render("findings", **facts_of(self._document), root=root)

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
            plotly=PLOTLY_SCRIPT,
            root=root,
            figure_templates=_looks(),
            previous=around[position],
            following=around[position + 2],
        )

    def single(self, again: str, *, since: ChangesSince | None = None) -> str:
        """Return the whole report as one page that needs no file beside it."""
        first = self.index(again, since=since)
        pages = {"index": ("Summary", first), "findings": ("Findings", self.findings())}
        for position, page in enumerate(self.pages):
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
            "pages": self.pages,
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


def prose(text: str) -> Markup:
    """Return a sentence of ours as HTML: what stands in backticks is code, and a command about the
    case can be copied. Never for a reason, which may quote the evidence."""

    def code(match: re.Match[str]) -> str:
        return f"<code{' data-copy' if _OF_A_CASE.fullmatch(match[1]) else ''}>{match[1]}</code>"

    return Markup(re.sub(r"`([^`]+)`", code, display.esc(text)))  # noqa: S704  escaped


def scripts() -> Mapping[str, Traversable]:
    """Return the scripts of a report by their place in it, in the order in which they run."""
    own = files("investigate.report") / "assets"
    return {
        PLOTLY_SCRIPT: files("plotly") / "package_data" / "plotly.min.js",
        **{f"assets/{name}": own / name for name in ("figures.js", "report.js")},
        "assets/display.js": files("investigate") / "display.js",
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
    ours = (own / "assets" / "report.css").read_text(encoding="utf-8")
    style = _brief("\n".join([display.stylesheet(), *map(_colours, display.COLOURS), ours]))
    rendering.globals.update(
        style=Markup(style),  # noqa: S704  our own files
        generator=GENERATOR,
        marks=display.MARKS,
        prose=prose,
        root="",
    )
    return rendering
