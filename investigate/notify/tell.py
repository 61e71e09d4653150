"""Tell each target what it does not know yet, and remember what arrived."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from investigate.model import Severity
from investigate.notify.message import ReportPaths, compose
from investigate.notify.news import News, at_or_above, identity, not_told_before
from investigate.notify.targets import Target
from investigate.notify.told_before import alone
from investigate.report.briefing import Document


@dataclass(frozen=True, slots=True)
class Delivery:
    """What came of one target: how many findings it was told, or why it was not."""

    target: str
    told: int = 0
    failure: str = ""


def tell(
    document: Document,
    targets: Sequence[Target],
    *,
    level: Severity,
    where: ReportPaths,
    memory: Path,
) -> Iterator[Delivery]:
    """Yield for each target what came of it; a target that failed is tried again the next time.

    Raise `UsageError` if what was told before cannot be read.
    """
    found = at_or_above(document, level)
    case = identity(document)
    with alone(memory) as known:
        for target in targets:
            news = not_told_before(found, known.of(target.id, case))
            failure = _send(document, news, target, where) if news else ""
            if news and not failure:
                # After each target, so that a run that is killed has forgotten nothing.
                try:
                    known.add(target.id, case, news)
                except OSError as error:
                    failure = f"it was told, but that cannot be remembered: {error.strerror}"
            yield Delivery(target.name, 0 if failure else len(news), failure)


def _send(document: Document, news: Sequence[News], target: Target, where: ReportPaths) -> str:
    title = compose(document, news, where).title
    return target.send(compose(document, news, where, limit=target.room(title)))
