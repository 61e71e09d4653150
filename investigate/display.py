"""Everything that notebooks show besides figures: escaped HTML, and the same as plain text."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib.resources import files
from typing import Any

from investigate.invisible_characters import escape_invisible
from investigate.model import Finding, Outcome, Step, isoformat, verdict

PLOTLY_MIME = "application/vnd.plotly.v1+json"
SCRIPT_MIME = "application/javascript"
SCRIPT_TEXT = "(run this notebook, and its tables can be sorted, filtered and copied)"
LONGEST_CELL = 200  # a raw object's key fits
NOTHING = "–"
OTHERS = "(all others)"  # stands for every name that a figure has no place for

# Each verdict has a word, a mark and a colour, so that none is told by colour alone. The colours
# stay apart for colour-blind eyes (Okabe and Ito).
COLOURS: Mapping[str, str] = {
    "passed": "#009e73",
    "expected": "#0072b2",
    "suspect": "#e69f00",
    "dangerous": "#d55e00",
    "escalate": "#8e1b5c",
    "not-evaluated": "#5b6470",
    "error": "#111111",
}
MARKS: Mapping[str, str] = {
    "passed": "✓",
    "expected": "·",
    "suspect": "?",
    "dangerous": "!",
    "escalate": "‼",
    "not-evaluated": "∅",
    "error": "✗",
}

_QUOTED = re.compile("`([^`]+)`")


def visible(value: object) -> str:
    """Return a value as text in which every character can be seen."""
    return escape_invisible(str(value))


def esc(value: object) -> str:
    """Return a value as text that is safe in HTML, in attributes too."""
    return html.escape(visible(value), quote=True)


def stylesheet() -> str:
    """Return the style sheet of everything this module writes; all its classes begin with inv-."""
    return files("investigate").joinpath("display.css").read_text(encoding="utf-8")


def script() -> str:
    """Return the script that lets a reader sort, filter and copy what this module writes."""
    return files("investigate").joinpath("display.js").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Shown:
    """One output of a notebook: HTML, and the same as plain text where there is no HTML."""

    html: str
    text: str
    data: Mapping[str, Any] = field(default_factory=dict)  # further MIME types

    def __str__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        return {**self.data, "text/html": self.html, "text/plain": self.text}


class Opening(Shown):
    """The first output of a notebook: before it comes the script that its tables need."""

    def _ipython_display_(self) -> None:
        # An output of its own: JupyterLab shows one type of an output, and would choose this one.
        from IPython.display import display

        display({SCRIPT_MIME: script(), "text/plain": SCRIPT_TEXT}, raw=True)
        display(self._repr_mimebundle_(), raw=True)


def stack(*pieces: Shown, label: str = "") -> Shown:
    """Return several outputs as one, one below the other."""
    name = f' role="group" aria-label="{esc(label)}"' if label else ""
    inner = "\n".join(piece.html for piece in pieces)
    return Shown(
        f'<div class="inv-stack"{name}>\n{inner}\n</div>', "\n".join(p.text for p in pieces)
    )


def paragraph(text: str, *, kind: str = "") -> Shown:
    """Return one paragraph of plain words; `kind` is a verdict to mark it with."""
    if not kind:
        return Shown(f'<p class="inv-p">{esc(text)}</p>', visible(text))
    return Shown(
        f'<p class="inv-p inv-notice inv-{kind}">{badge(kind)} {esc(text)}</p>',
        f"{MARKS[kind]} {kind}: {visible(text)}",
    )


def badge(word: str) -> str:
    """Return the HTML of a verdict or an outcome: its mark and its word."""
    return (
        f'<span class="inv-badge inv-{word}" style="background:{COLOURS[word]};color:{ink(word)}">'
        f'<span aria-hidden="true">{MARKS[word]}</span> {esc(word)}</span>'
    )


def ink(word: str) -> str:
    """Return the text colour that is readable on a verdict's colour."""
    return "#111111" if word in ("passed", "suspect", "dangerous") else "#ffffff"


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    caption: str = "",
    kind: str = "rows",
) -> Shown:
    """Return a table with every value escaped; a cell that is a `Shown` keeps its own HTML."""
    listed = [[(value, _cell(value)) for value in row] for row in rows]
    head = "".join(f'<th scope="col">{esc(column)}</th>' for column in columns)
    # What a cell is called, where a narrow screen shows the cells of a row below each other.
    names = ["" if kind == "rows" else f' data-label="{esc(column)}"' for column in columns]
    body = "\n".join(
        "<tr>"
        + "".join(
            f"<td{name}{_altered(value, cell)}>{cell.html}</td>"
            for name, (value, cell) in zip(names, row, strict=True)
        )
        + "</tr>"
        for row in listed
    )
    title = f"<caption>{esc(caption)}</caption>" if caption else ""
    # What scrolls is reached with the keyboard, so a screen reader has to say what it is.
    name = caption or f"Table of {', '.join(map(str, columns))}"
    markup = (
        f'<div class="inv-scroll inv-{kind}" tabindex="0" role="group" aria-label="{esc(name)}">'
        f'<table class="inv-table">{title}\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )
    lines = [" | ".join(visible(column) for column in columns)]
    lines += [" | ".join(cell.text.replace("\n", " ") for _, cell in row) for row in listed]
    return Shown(markup, "\n".join([visible(caption), *lines] if caption else lines))


def folded(summary: str, inside: Shown, *, anchor: str = "", shut: bool = True) -> Shown:
    """Return an output folded under one line; `anchor` is where links to it point."""
    name = f' id="{esc(anchor)}"' if anchor else ""
    return Shown(
        f'<details class="inv-details"{name}{"" if shut else " open"}>'
        f"<summary>{esc(summary)}</summary>\n{inside.html}\n</details>",
        f"{visible(summary)}\n{inside.text}",
    )


def cut(shown: int, total: int, unit: str = "rows") -> str:
    """Say how much of a list is shown: "50 of 12,345 rows"."""
    unit = unit.removesuffix("s") if total == 1 else unit
    return f"{total:,} {unit}" if shown >= total else f"{shown:,} of {total:,} {unit}"


def cell_text(value: object) -> str:
    """Return what a table shows of a value; long texts are cut and say how long they are."""
    if not filled(value):
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.3f}".rstrip("0").rstrip(".")
    if isinstance(value, datetime):
        return isoformat(value) if value.tzinfo else f"{value.isoformat()}Z"
    if isinstance(value, (list, tuple)):
        return _shorter(", ".join(cell_text(part) for part in value))
    return _shorter(visible(value))


def _shorter(text: str) -> str:
    if len(text) <= LONGEST_CELL:
        return text
    return f"{text[:LONGEST_CELL]}… ({len(text):,} characters)"


def _cell(value: object) -> Shown:
    if isinstance(value, Shown):
        return value
    text = cell_text(value)
    return Shown(html.escape(text, quote=True), text)


def _altered(value: object, cell: Shown) -> str:
    """Mark a cell that does not show its whole text as it is: display.js copies no id from it.

    With a class, because JupyterLab takes other attributes away while a notebook is not trusted.
    """
    return ' class="inv-altered"' if isinstance(value, str) and value and cell.text != value else ""


Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Numbers:
    """The small table behind a figure; without evidence it is empty and `unknown` says why."""

    name: str
    rows: Sequence[Row] = ()
    unknown: str = ""

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        return self.shown()._repr_mimebundle_()

    def column(self, name: str) -> list[Any]:
        """Return one column of the rows."""
        return [row[name] for row in self.rows]

    def shown(self, limit: int = 60) -> Shown:
        """Return the numbers as a folded table, so that a figure can be read without seeing it."""
        if self.unknown:
            return paragraph(f"{self.name}: {self.unknown}", kind="not-evaluated")
        if not self.rows:
            return paragraph(f"{self.name}: there are none.")
        size = cut(min(limit, len(self.rows)), len(self.rows))
        return folded(f"The numbers: {self.name} ({size})", row_table(self.rows[:limit]))


def row_table(rows: Sequence[Row], *, caption: str = "") -> Shown:
    """Return rows as a table, without the columns that are empty in all of them."""
    columns = [name for name in (rows[0] if rows else ()) if any(filled(row[name]) for row in rows)]
    return table(columns, ([row[name] for name in columns] for row in rows), caption=caption)


def filled(value: object) -> bool:
    """Return whether a cell has something to show."""
    return value is not None and value != ""


def strip(findings: Sequence[Finding], here: Step | None = None) -> Shown:
    """Return the six steps in their order, each with its verdict and counts."""
    pieces = [_step_box(step, findings, step is here) for step in Step if not step.is_chapter]
    return Shown(
        '<ol class="inv-strip" aria-label="The six steps">\n'
        + "\n".join(piece.html for piece in pieces)
        + "\n</ol>",
        " → ".join(piece.text for piece in pieces),
    )


def _step_box(step: Step, findings: Sequence[Finding], current: bool) -> Shown:
    own = [finding for finding in findings if finding.step is step]
    word = verdict(own)
    mark = ' aria-current="step"' if current else ""
    return Shown(
        f'<li class="inv-step inv-{word}" style="border-color:{COLOURS[word]}"{mark}>'
        f"<b>{esc(step.value)}</b> {badge(word)} <small>{esc(tally(own))}</small></li>",
        f"{step.value}: {word} ({tally(own)})",
    )


def tally(findings: Sequence[Finding]) -> str:
    """Say how the checks of a step or a case ended, the passed ones last."""
    words = {
        Outcome.FOUND: "found",
        Outcome.NOT_EVALUATED: "not evaluated",
        Outcome.ERROR: "failed to run",
        Outcome.PASSED: "passed",
    }
    counted = {outcome: sum(f.outcome is outcome for f in findings) for outcome in words}
    told = [f"{count} {words[outcome]}" for outcome, count in counted.items() if count]
    return ", ".join(told) or "no checks"


def findings_table(findings: Sequence[Finding]) -> Shown:
    """Return findings as a table: what was found, then what could not be told, then the rest."""
    columns = ("check", "result", "count", "question and answer", "what to do", "what to avoid")
    rows = [_finding_row(finding) for finding in by_weight(findings)]
    return table(columns, rows, kind="findings")


def findings_list(findings: Sequence[Finding]) -> Shown:
    """Return findings as a table of one line each, without what to do: that is in their step."""
    rows = [
        (*_finding_row(finding)[:2], f"{finding.count:,}", finding.step.value, _answer(finding))
        for finding in by_weight(findings)
    ]
    return table(("check", "result", "count", "step", "answer"), rows, kind="findings")


def _answer(finding: Finding) -> Shown:
    """What a check says, or what it asks and why there is no answer; whole, however long."""
    told = finding.outcome in (Outcome.FOUND, Outcome.PASSED)
    text = finding.summary if told else f"{finding.question} {finding.summary}"
    return Shown(esc(text), visible(text))


def by_weight(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings in the order in which a person should read them."""
    order = [Outcome.FOUND, Outcome.ERROR, Outcome.NOT_EVALUATED, Outcome.PASSED]
    return sorted(findings, key=lambda finding: (order.index(finding.outcome), -finding.severity))


def word_of(finding: Finding) -> str:
    """Return the word a finding is marked with: its severity if something was found."""
    found = finding.outcome is Outcome.FOUND
    return finding.severity.label if found else finding.outcome.value


def _finding_row(finding: Finding) -> tuple[object, ...]:
    word = word_of(finding)
    unsure = finding.outcome in (Outcome.NOT_EVALUATED, Outcome.ERROR)
    weight = f" (would be {finding.severity.label})" if unsure else ""
    code = Shown(f"<code>{esc(finding.code)}</code>", visible(finding.code))
    result = Shown(f"{badge(word)}<br><small>{esc(weight.strip())}</small>", f"{word}{weight}")
    said = Shown(
        f"{esc(finding.question)}<br><strong>{esc(finding.summary)}</strong>{_doubt(finding)}",
        f"{visible(finding.question)} {visible(finding.summary)}",
    )
    count = f"{finding.count:,}" if finding.outcome is Outcome.FOUND else NOTHING
    return code, result, count, said, prose(finding.advice), prose(finding.avoid)


def prose(text: str) -> Shown:
    """Our own sentences: never cut, and what stands between backticks is code."""
    return Shown(_QUOTED.sub(r"<code>\1</code>", esc(text or NOTHING)), visible(text or NOTHING))


def _doubt(finding: Finding) -> str:
    if finding.outcome is not Outcome.FOUND or not finding.reason:
        return ""
    return f"<br><small>There may be more: {esc(finding.reason)}</small>"
