"""docs/guide.md: a chapter for each notebook, from its own words, its figures and its checks."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from investigate import figures, numbers, open_investigation
from investigate.checks import book
from investigate.report.notebooks import NOTEBOOKS, default_folder, sources
from tests.layers import ROOT
from tests.pages.marks import anchor, cell

HEALTHY = "healthy"
_HEAD = """# The guide, step by step

<!-- Written by `make docs` from the notebooks, the registry of checks and the demo cases. -->

What each notebook asks, what should be true, what each figure and table tells, and what to do
next. The words are those of the notebooks; the titles of figures are what they say of the demo case
`healthy`, where nothing is wrong, and of `everything`, where every fault the sandbox knows happened
at once. So a figure of your own case can be put beside a good and a bad one.

Every notebook opens with the verdict, what was captured and what was found; these parts are the
same in all and are not repeated here. `investigate report CASE --out reports` runs them all,
`make lab` opens them.
"""
# Sections of a notebook that a chapter has under the same heading.
_KEPT = ("What should be true", "What this does not show")
# Cells that are the same in every notebook.
_SHARED = ("What is asked.", "The verdict.", "The verdict of the case.", "Done.")


@dataclass
class Told:
    """What the notebook says of one figure or table, and the titles it had by demo case."""

    text: str
    titles: dict[str, str] = field(default_factory=dict)


@dataclass
class Chapter:
    """One notebook: title, question, what it reads, its kept sections, and what it tells of."""

    stem: str
    title: str
    question: str
    reads: str
    sections: dict[str, str]
    told: list[Told]
    done: str


def text() -> str:
    """Return the whole page. It runs the checks of the healthy case, which takes seconds."""
    incident = open_investigation(str(ROOT / "data/cases" / HEALTHY))
    chapters = [chapter(path, incident) for path in sources(default_folder())]
    contents = "\n".join(f"* [{c.title}](#{anchor(c.title)}): {c.question}" for c in chapters)
    return "\n".join([_HEAD, contents, *map(_written, chapters)])


def chapter(path: Path, incident: Any) -> Chapter:
    """Return what a notebook says, with the titles of its figures on the healthy case and on its
    own."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    title, question, reads = "".join(cells[0]["source"]).split("\n\n", 2)
    made = Chapter(path.stem, title.removeprefix("# "), question.strip("*"), reads, {}, [], "")
    names: dict[str, Any] = {
        "incident": incident, "figures": figures, "numbers": numbers, "event": "",
    }  # fmt: skip
    for entry in cells[1:]:
        source = "".join(entry["source"])
        if entry["cell_type"] == "markdown":
            _read(source, made)
        elif made.told:
            _add_titles(source, entry, made.told[-1], names)
    return made


def _read(source: str, made: Chapter) -> None:
    if heading := re.match(r"## (.+)\n\n", source):
        if heading[1] in _KEPT:
            made.sections[heading[1]] = source[heading.end() :]
    elif bold := re.match(r"\*\*(.+?)\*\*", source):
        if bold[1] == "Done.":
            made.done = source.partition("Next: ")[2]
        elif bold[1] not in _SHARED:
            made.told.append(Told(source))


def _add_titles(source: str, entry: dict[str, Any], told: Told, names: dict[str, Any]) -> None:
    """Run a cell on the healthy case as far as it makes a figure, and take both titles."""
    *before, last = ast.parse(source).body
    makes = isinstance(last, ast.Expr) and ast.unparse(last).startswith("figures.")
    needed = [node for node in before if isinstance(node, ast.Assign)]
    if not makes and not (needed and "story" in ast.unparse(needed[0])):
        return
    exec(compile(ast.Module(needed, []), str(told), "exec"), names)  # noqa: S102 - our notebook
    if makes and isinstance(last, ast.Expr):
        figure = eval(compile(ast.Expression(last.value), str(told), "eval"), names)  # noqa: S307
        told.titles[HEALTHY] = str(figure.layout.title.text)
        told.titles["everything"] = _committed(entry)


def _committed(entry: dict[str, Any]) -> str:
    for output in entry["outputs"]:
        drawn = output.get("data", {}).get("application/vnd.plotly.v1+json")
        if drawn:
            return str(drawn["layout"]["title"]["text"])
    raise ValueError("a cell with a figure has no figure among its outputs: investigate regenerate")


def _written(made: Chapter) -> str:
    lines = [
        f"\n## {made.title}\n",
        f"**{made.question}**\n",
        _linked(made.reads) + f" The notebook: [{made.stem}](../notebooks/{made.stem}.ipynb).\n",
        f"### {made.stem[:2]} · What should be true\n",
        _linked(made.sections["What should be true"]) + "\n",
        *_answers(made.stem),
        f"### {made.stem[:2]} · What each figure and table tells\n",
        *(_of(told) for told in made.told),
        f"\n### {made.stem[:2]} · What it does not show\n",
        _linked(made.sections["What this does not show"]) + "\n",
        f"**Next:** {_linked(made.done)}",
    ]
    return "\n".join(lines)


def _of(told: Told) -> str:
    titles = "".join(
        f"\n  * `{case}`: “{_plain(title)}”" for case, title in told.titles.items() if title
    )
    return f"* {_linked(told.text)}{titles}"


def _plain(title: str) -> str:
    return cell(re.sub(r"<[^>]+>", " ", title))


def _answers(stem: str) -> Iterator[str]:
    """The checks of the notebook's step, and what to do when the healthy picture is not there."""
    step = NOTEBOOKS[stem]
    if step is None:
        return
    codes = [check.code for check in book.of(step)]
    links = ", ".join(f"[`{code}`](findings.md#{anchor(code)})" for code in codes)
    yield f"`investigate check CASE --step {step.value}` asks: {links}.\n"


def _linked(said: str) -> str:
    """Lead links between notebooks to the chapters of this page."""
    return re.sub(r"\]\((\d\d_[a-z_]+)\.ipynb\)", lambda found: f"](#{_anchors()[found[1]]})", said)


def _anchors() -> dict[str, str]:
    return {
        path.stem: anchor(
            "".join(json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"][:1])
            .strip()
            .removeprefix("# ")
        )
        for path in sources(default_folder())
    }
