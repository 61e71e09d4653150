"""What people are told: a few lines that fit the target, without payloads and without secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from investigate.aws.secrets import redact
from investigate.model import Severity, counted
from investigate.notify.news import News
from investigate.report import briefing
from investigate.report.briefing import Document
from investigate.terminal_text import printable

# A text in a section of Slack's Block Kit holds 3,000 characters, a message of Discord 2,000; no
# target gets more than the first, and each gets less where its own limit is lower.
LONGEST = 3_000
IN_FULL = 10  # findings with all their lines; of more than that, one line each
KEYS = 5
KEY_LONGEST = 120
TEXT_LONGEST = 400

# What makes chat programs call out everybody, should an id hold it.
_CALL = re.compile(r"(?<=[@!])(?=(?:everyone|here|channel|all)\b)|(?<=<)(?=[!@#])", re.IGNORECASE)
_APART = "\u200b"


@dataclass(frozen=True, slots=True)
class Message:
    """A title, a text and how bad it is."""

    title: str
    body: str
    severity: Severity


@dataclass(frozen=True, slots=True)
class ReportPaths:
    """Where there is more: the case and the first page of its report, as they were named."""

    case: str
    report: str


def compose(
    document: Document, news: Sequence[News], where: ReportPaths, *, limit: int = LONGEST
) -> Message:
    """Return what to tell of these findings (one at least) in at most `limit` characters.

    Where all of it is too long, the findings at the end become one line each, then a number.
    """
    worst = max(one.severity for one in news)
    return Message(_title(document, news, worst), _body(document, news, where, limit), worst)


def _title(document: Document, news: Sequence[News], worst: Severity) -> str:
    told = counted(len(news), "finding")
    return _safe(f"{worst.label.upper()}  {document['case']}: {told} to look at")


def _body(document: Document, news: Sequence[News], where: ReportPaths, limit: int) -> str:
    """Return the longest of the texts that fit, or the beginning of the shortest."""
    text = ""
    for full, lines in _lengths(len(news)):
        text = _text(document, news, where, full=full, lines=lines)
        if len(text) <= limit:
            return text
    return text[: max(limit - 1, 0)] + "…"


def _lengths(count: int) -> Iterator[tuple[int, int]]:
    """Yield how many findings are told in full, and how many with at least a line."""
    yield from ((full, count) for full in range(min(count, IN_FULL), -1, -1))
    yield from ((0, lines) for lines in range(count - 1, -1, -1))


def _text(
    document: Document, news: Sequence[News], where: ReportPaths, *, full: int, lines: int
) -> str:
    parts = [
        "\n".join(_head(document)),
        *("\n".join(_in_full(one)) for one in news[:full]),
        "\n".join(_in_a_line(one) for one in news[full:lines]),
        f"… and {counted(len(news) - lines, 'finding')} more" if lines < len(news) else "",
        "\n".join(_more(news[0], where)),
    ]
    return "\n\n".join(part for part in parts if part)


def _head(document: Document) -> Iterator[str]:
    window = document["window"]
    yield _safe(f"{document['verdict'].upper()}  {document['case']}")
    yield briefing.MEANINGS[document["verdict"]]
    yield f"Window: {window['start']} <= event time < {window['end']}"
    if document.get("entities"):
        yield _safe(f"Only: {', '.join(document['entities'])}", TEXT_LONGEST)
    broken = briefing.first_broken_step(document)
    if broken:
        yield f"First broken step: {broken}"


def _in_full(news: News) -> Iterator[str]:
    entry = news.entry
    yield _in_a_line(news)
    yield _safe(f"  {entry['summary']}", TEXT_LONGEST)
    shown = [_safe(key, KEY_LONGEST) for key in entry["keys"][:KEYS]]
    rest = news.count - len(shown)
    yield f"  {entry['key']}: {', '.join(shown)}" + (f" and {rest:,} more" if rest else "")
    yield _safe(f"  Do: {entry['advice']}", TEXT_LONGEST)
    yield _safe(f"  Do not: {entry['avoid']}", TEXT_LONGEST)


def _in_a_line(news: News) -> str:
    change = "new" if news.before is None else f"changed, {news.before:,} before"
    return f"{news.severity.label}  {news.code}: {news.count:,} ({change})"


def _more(first: News, where: ReportPaths) -> Iterator[str]:
    yield _safe(f"The rows: investigate check {where.case} --rows {first.code}")
    yield _safe(f"The report: {where.report}")


def _safe(text: object, longest: int = LONGEST) -> str:
    """Return a text on one line, without secrets of AWS, that calls out nobody."""
    shown = _CALL.sub(_APART, printable(redact(str(text))))
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"
