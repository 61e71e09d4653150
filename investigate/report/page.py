"""An executed notebook as a page: our own few MIME types, figures as data, the rest named."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import unescape
from typing import Any

from markupsafe import Markup
from nbconvert.filters import Highlight2HTML, markdown2html
from nbformat import NotebookNode

from investigate.display import PLOTLY_MIME, SCRIPT_MIME
from investigate.investigation import RESULT_MIME
from investigate.report.tidy import FAILURE_CELL, INJECTED

HTML = "text/html"
PLAIN = "text/plain"
SHOWN = (PLOTLY_MIME, HTML, PLAIN)  # the first of these that an output has is shown
KNOWN = frozenset({*SHOWN, RESULT_MIME})
DEFAULT_HEIGHT = 420
PLAIN_TOP = 30  # the room above a plot without a title: that of the tool bar
_TO_NOTEBOOK = re.compile(r'href="(\d\d_[a-z_]+)\.ipynb')


@dataclass(frozen=True, slots=True)
class Piece:
    """One thing on a page: what kind it is, what it holds, and what to call it."""

    kind: str
    content: Any
    label: str = ""
    height: int = 0
    title: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: its text or code as HTML, and its outputs."""

    id: str
    kind: str
    source: Markup
    outputs: Sequence[Piece] = ()
    open: bool = False  # what was asked is shown; other code is folded


def cells_of(notebook: NotebookNode) -> list[Cell]:
    """Return what a page shows of a notebook; the note of a failure stands above the cells."""
    return [_cell(cell) for cell in notebook.cells if cell.id != FAILURE_CELL]


def has_figures(cells: Sequence[Cell]) -> bool:
    """Return whether a page needs plotly.js."""
    return any(piece.kind == "figure" for cell in cells for piece in cell.outputs)


def title_of(notebook: NotebookNode, otherwise: str) -> str:
    """Return the first heading of a notebook."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and cell.id != FAILURE_CELL:
            for line in cell.source.splitlines():
                if line.startswith("# "):
                    return str(line[2:].strip())
    return otherwise


def script_data(value: object) -> Markup:
    """Return a value as JSON that cannot end the script element it stands in."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return Markup(text)  # noqa: S704  no markup is left in it


def _cell(cell: NotebookNode) -> Cell:
    if cell.cell_type == "markdown":
        words = _TO_NOTEBOOK.sub(r'href="\1.html', markdown2html(cell.source))
        # The notebooks are ours; no evidence is ever in a markdown cell.
        return Cell(cell.id, "text", Markup(words))  # noqa: S704
    code = Markup(Highlight2HTML()(cell.source))  # noqa: S704  escaped by Pygments
    return Cell(cell.id, "code", code, tuple(_pieces(cell)), open=cell.id == INJECTED)


def _pieces(cell: NotebookNode) -> Iterator[Piece]:
    for output in cell.outputs:
        if output.output_type == "stream":
            yield Piece("messages" if output.name == "stderr" else "text", output.text)
        elif output.output_type == "error":
            told = f"{output.ename}: {output.evalue}"
            yield Piece("error", "\n".join(output.traceback), told)
        else:
            yield from _data(output.data)


def _data(data: Mapping[str, Any]) -> Iterator[Piece]:
    if SCRIPT_MIME in data:
        return  # a page asks for its scripts by itself, and runs none that an output brings
    for mime in sorted(set(data) - KNOWN):
        yield Piece("dropped", mime)
    mime = next((known for known in SHOWN if known in data), "")
    if mime == PLOTLY_MIME:
        yield _figure(data[PLOTLY_MIME], str(data.get(PLAIN, "")))
    elif mime == HTML:
        # Written by investigate.display, which escapes; the page's policy runs no script in it.
        yield Piece("html", Markup(data[HTML]))  # noqa: S704
    elif mime == PLAIN:
        yield Piece("text", data[PLAIN])


def _figure(figure: Mapping[str, Any], sentence: str) -> Piece:
    """A figure with its title as a line of the page, which wraps where plotly would cut it."""
    layout = dict(figure.get("layout", {}))
    title = str((layout.pop("title", None) or {}).get("text", ""))
    room = layout.get("margin", {}).get("t", 0) - PLAIN_TOP if title else 0
    height = int(layout.get("height") or DEFAULT_HEIGHT) - max(room, 0)
    if room > 0:
        layout.update(height=height, margin={**layout["margin"], "t": PLAIN_TOP})
    drawn = script_data({"data": figure.get("data", []), "layout": layout})
    said = unescape(title.replace("<br>", " "))
    return Piece("figure", drawn, sentence or "figure", height, said)
