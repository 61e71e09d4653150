"""What the first page of a report and the page of all findings say, in the names they use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from investigate import display
from investigate.model import Outcome, Severity
from investigate.report import briefing
from investigate.report.briefing import Document, Entry
from investigate.report.notebooks import page_of
from investigate.wording import period_named

# What bounds the size of these two pages, however large the case; findings.json has the rest.
KEYS_SHOWN = 10
MOVES_SHOWN = 6
SUBJECTS_SHOWN = 3  # ids beside a move; the finding has the others
ROWS_SHOWN = 20
CHANGES_SHOWN = 12  # of one kind since the last run
VERSIONS_SHOWN = 4
LINES_SHOWN = 40  # findings of one severity
UNTOLD_SHOWN = 25
REASON_SHOWN = 80  # characters of why a check has no answer; the page of findings has it whole
COMPLETE = "complete"
_BOUNDS: Mapping[str, int] = {
    "keys_cap": KEYS_SHOWN,
    "subjects_cap": SUBJECTS_SHOWN,
    "rows_cap": ROWS_SHOWN,
    "changes_cap": CHANGES_SHOWN,
    "lines_cap": LINES_SHOWN,
    "untold_cap": UNTOLD_SHOWN,
    "versions_cap": VERSIONS_SHOWN,
}


def facts_of(document: Document) -> Mapping[str, Any]:
    """Return what these two pages say of a findings document, in the names their templates use."""
    alarming = briefing.alarming(document)
    urgent = _most_urgent(alarming)
    days = document["aggregates"]
    troubled = [day for day in days if day["verdict"] != COMPLETE]
    do = [entry for entry in urgent if entry["advice"]]
    do_not = [entry for entry in urgent if entry["avoid"]]
    calm_do, calm_do_not = briefing.calm_moves(document)
    return {
        **{name: document[name] for name in ("window", "captured_at", "settled_until", "verdict")},
        "coverage": document["coverage"],
        "retries": document["retries"],
        "entities": document.get("entities", ()),
        "meaning": briefing.MEANINGS[document["verdict"]],
        "broken": briefing.first_broken_step(document),
        "tally": _tally(document),
        "completeness": briefing.completeness(document),
        "walk": briefing.walk(document),
        "chapters": briefing.chapters(document),
        "calm_do": calm_do,
        "calm_do_not": calm_do_not,
        "do": do[:MOVES_SHOWN],
        "do_total": len(do),
        "do_not": do_not[:MOVES_SHOWN],
        "do_not_total": len(do_not),
        "alarming": alarming,
        "by_severity": by_severity(alarming),
        "expected": briefing.expected(document),
        "untold": briefing.unanswered(document),
        "passed": briefing.of_outcome(document, Outcome.PASSED),
        "design": document.get("design", ""),
        "period": _period(document),
        "days": days,
        "days_shown": troubled[:ROWS_SHOWN],
        "days_told": _days_told(document, len(troubled)),
        **_BOUNDS,
        **_WORDING,
    }


def anchor(code: str) -> str:
    """Return where on a page a check stands."""
    return code.replace("/", "-")


def shortened_reason(reason: str) -> str:
    """Return how a reason begins, for a line of a list."""
    return reason if len(reason) <= REASON_SHOWN else f"{reason[:REASON_SHOWN].rstrip()} …"


def by_severity(entries: Sequence[Entry]) -> list[tuple[str, list[Entry]]]:
    """Return findings, the worst first, as groups of one severity each."""
    grouped = groupby(entries, key=itemgetter("severity"))
    return [(severity, list(group)) for severity, group in grouped]


def is_shown_whole(key: str) -> bool:
    """Return whether a key is shown as it is, so that a copy of what is shown is the key."""
    return display.cell_text(key) == key


def counts(summary: Entry) -> str:
    """Return in words how a step's checks ended; what is zero is not said."""
    told = [
        (summary["found"], "found"),
        (summary["not_evaluated"] + summary["error"], "not told"),
        (summary["passed"], "passed"),
    ]
    return ", ".join(f"{count} {word}" for count, word in told if count) or "no checks"


def seconds(value: float | None) -> str:
    """Return a number of seconds with its unit, or a dash."""
    return "–" if value is None else f"{value:g} s"


def _most_urgent(alarming: list[Entry]) -> list[Entry]:
    """Return the findings that cannot wait; if there are none, those that need a look."""
    can_wait = (Severity.SUSPECT.label, Severity.EXPECTED.label)
    return [entry for entry in alarming if entry["severity"] not in can_wait] or alarming


def _tally(document: Document) -> str:
    by_severity = [
        (sum(entry["severity"] == label for entry in briefing.found(document)), label)
        for label in briefing.SEVERITIES
    ]
    told = [f"{count} {label}" for count, label in by_severity if count]
    untold = len(briefing.unanswered(document))
    told += [f"{untold} could not be told"] if untold else []
    passed = len(briefing.of_outcome(document, Outcome.PASSED))
    return f"Of {len(document['checks'])} checks: {', '.join([*told, f'{passed} passed'])}."


def _period(document: Document) -> str:
    """Return what an aggregate is of, a `day` or an `hour`."""
    return next((period_named(day["day"]) for day in document["aggregates"]), "day")


def _days_told(document: Document, troubled: int) -> str:
    listed = len(document["aggregates"])
    # Those that are not complete are listed first: where all are such, there may be more of them.
    left_out = document.get("aggregates_left_out", {}).get("days", 0)
    total, least = listed + left_out, "At least " if left_out and troubled == listed else ""
    shown = f" The first {ROWS_SHOWN} of them:" if troubled > ROWS_SHOWN else ""
    if not troubled:
        return f"All {total:,} {_period(document)}s that have events or aggregates are complete."
    return f"{least}{troubled:,} of {total:,} {_period(document)}s are not complete.{shown}"


# What the templates call to put things into words.
_WORDING: Mapping[str, Any] = {
    "shortened_reason": shortened_reason,
    "clipped": display.cell_text,
    "is_shown_whole": is_shown_whole,
    "page_of": page_of,
    "anchor": anchor,
    "counts": counts,
    "seconds": seconds,
}
