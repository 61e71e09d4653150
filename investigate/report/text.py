"""A findings document as plain text for a terminal, the verdict first."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

from investigate.model import Outcome
from investigate.report import briefing
from investigate.report.briefing import Document, Entry
from investigate.terminal_text import WIDTH, labelled, printable, table

KEYS_SHOWN = 5
ROWS_HINT = "The rows behind a finding: investigate check CASE --rows CODE\n"


def render(document: Document) -> str:
    """Return the whole answer to `investigate check`, the verdict first."""
    parts = [
        headline(document),
        _question(document),
        _steps(document),
        *_section("FOUND", map(_finding, briefing.alarming(document))),
        *_section("EXPECTED, no need to act", map(_finding, briefing.expected(document))),
        *_section("COULD NOT BE TOLD", map(_untold, briefing.unanswered(document))),
        *_section("PASSED", _passed(document)),
        _footer(document),
    ]
    return "\n\n".join(parts) + "\n"


def _footer(document: Document) -> str:
    """Return what to type next and, for who sees only the end, the verdict again."""
    rows = [ROWS_HINT] if briefing.found(document) else []
    return "\n".join([*rows, _verdict_line(document)])


def _verdict_line(document: Document) -> str:
    return f"{document['verdict'].upper()}  {printable(document['case'])}"


def headline(document: Document) -> str:
    """Return the verdict, what it means, and where to begin."""
    lines = [
        _verdict_line(document),
        "",
        f"  {briefing.MEANINGS[document['verdict']]}",
    ]
    broken = briefing.first_broken_step(document)
    whole = all(briefing.asked(entry) for entry in briefing.walk(document))
    asked = "" if whole else " of those asked about"
    said = f"  The first broken step{asked} is {broken}."
    return "\n".join(lines + ([said] if broken else []))


def _question(document: Document) -> str:
    window = document["window"]
    lines = [labelled("window", f"{window['start']} <= event time < {window['end']}")]
    if document.get("entities"):
        lines.append(labelled("entities", ", ".join(document["entities"])))
    until = document["settled_until"]
    lines.append(labelled("captured", f"{document['captured_at']}, judged up to {until}"))
    lines.append(labelled("evidence", briefing.completeness(document)))
    return "\n".join(lines)


def _steps(document: Document) -> str:
    broken = briefing.first_broken_step(document)
    heading = ("STEP", "VERDICT", "FOUND", "PASSED", "NOT TOLD", "")
    rows = [
        (
            entry["step"],
            entry["verdict"] if briefing.asked(entry) else "not asked",
            entry["found"],
            entry["passed"],
            entry["not_evaluated"] + entry["error"],
            "<- first broken step" if entry["step"] == broken else "",
        )
        for entry in [*briefing.walk(document), *briefing.chapters(document)]
    ]
    return table([heading, *rows])


def _section(title: str, items: Iterable[str]) -> Iterator[str]:
    listed = list(items)
    if listed:
        yield f"{title}\n\n" + "\n".join(listed)


def _finding(entry: Entry) -> str:
    lines = [
        f"{entry['severity']}  {entry['code']}",
        _wrapped(entry["summary"]),
        *_keys(entry),
    ]
    if entry["reason"]:
        lines.append(labelled("not all", entry["reason"]))
    lines += [labelled("do", entry["advice"]), labelled("do not", entry["avoid"])]
    return "\n".join(lines) + "\n"


def _keys(entry: Entry) -> Iterator[str]:
    shown = entry["keys"][:KEYS_SHOWN]
    label = entry["key"]
    # A key stands on one line, however long: it is there to be copied.
    yield f"  {label:<10} {printable(shown[0])}"
    yield from (f"{'':<13}{printable(key)}" for key in shown[1:])
    rest = entry["count"] - len(shown)
    if rest:
        yield labelled("", f"… and {rest:,} more (--format json lists them)")


def _untold(entry: Entry) -> str:
    word = "failed" if entry["outcome"] == Outcome.ERROR.value else "not evaluated"
    head = f"{entry['code']}  {word}"
    return "\n".join([head, _wrapped(entry["question"]), labelled("because", entry["reason"]), ""])


def _passed(document: Document) -> Iterator[str]:
    codes = [entry["code"] for entry in briefing.of_outcome(document, Outcome.PASSED)]
    if codes:
        yield _wrapped(", ".join(codes))


def _wrapped(text: Any) -> str:
    return textwrap.fill(
        printable(text), WIDTH, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False
    )
