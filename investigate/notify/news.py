"""What of a findings document is news: found at or above a level, and not told before."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from investigate.model import Severity
from investigate.report import briefing
from investigate.report.briefing import Document, Entry

# Of one case and target: a check's code, and what was told of it: digest of the keys, and count.
Told = Mapping[str, Sequence[tuple[str, int]]]


@dataclass(frozen=True, slots=True)
class News:
    """One finding to tell; `before` is the count that was told last, None if none ever was."""

    entry: Entry
    before: int | None = None

    @property
    def code(self) -> str:
        """The code of the check that found it."""
        return str(self.entry["code"])

    @property
    def count(self) -> int:
        """How many rows it is about, exactly."""
        return int(self.entry["count"])

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return Severity.parse(self.entry["severity"])

    @property
    def digest(self) -> str:
        """What tells this finding from another of the same check: its keys and their number."""
        named = json.dumps([self.count, list(self.entry["keys"])]).encode()
        return hashlib.sha256(named).hexdigest()[:32]


def identity(document: Document) -> str:
    """Return what makes two documents answer for the same case: name, window and entities.

    Not the time of its capture: a case captured again every hour is the same incident.
    """
    window = document["window"]
    scope = [document["case"], window["start"], window["end"], *document.get("entities", ())]
    return json.dumps(scope, ensure_ascii=False)


def at_or_above(document: Document, level: Severity) -> list[News]:
    """Return everything found at or above a level as news, the worst first."""
    found = [News(entry) for entry in briefing.found(document)]
    return [news for news in found if news.severity >= level]


def not_told_before(found: Sequence[News], told: Told) -> list[News]:
    """Return those findings whose very keys were never told, each with what was told last."""
    return list(_untold(found, told))


def _untold(found: Sequence[News], told: Told) -> Iterator[News]:
    for news in found:
        before = told.get(news.code, ())
        # A finding that goes and comes back with the same keys is no news either.
        if news.digest not in {digest for digest, _ in before}:
            yield News(news.entry, before[-1][1] if before else None)
