"""What a person needs to know first, read from a findings document: how bad, where, what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from investigate.model import STEPS, Outcome, Severity, Step

Document = Mapping[str, Any]
Entry = Mapping[str, Any]

MEANINGS: Mapping[str, str] = {
    Severity.ESCALATE.label: "Data is lost, or is being lost now: wake the owner.",
    Severity.DANGEROUS.label: "Data is wrong or will be lost. Nobody needs to be woken yet.",
    Severity.SUSPECT.label: "Look closer before you trust the numbers.",
    Severity.EXPECTED.label: "Normal behaviour only, worth knowing.",
    Outcome.PASSED.value: "Every check passed, with all its evidence at hand.",
    Outcome.NOT_EVALUATED.value: "Nothing was found, but not everything could be told.",
}

# What to do and what not, where no finding says it.
_CALM_MOVES: Mapping[str, tuple[str, str]] = {
    Severity.EXPECTED.label: (
        "Nothing now. Ask again when more was captured, or about a wider window.",
        "Do not replay, redrive or delete anything because of what is listed here: it is normal.",
    ),
    Outcome.PASSED.value: (
        "Nothing now. If somebody still misses data, ask about a wider window.",
        "Do not take this for an answer about other times or entities than those named above.",
    ),
    Outcome.NOT_EVALUATED.value: (
        "Capture what is missing, then make this report again. What could not be told, and why, is "
        "listed below.",
        "Do not take this for an all-clear, and do not replay, redrive or delete anything yet.",
    ),
}
_NO_MOVES = (
    "Read the findings below, the worst first.",
    "Do not replay, redrive or delete anything before you know the cause.",
)

SEVERITIES = tuple(severity.label for severity in sorted(Severity, reverse=True))
_GRAVITY = {label: len(SEVERITIES) - position for position, label in enumerate(SEVERITIES)}
_ORDER = {step.value: position for position, step in enumerate(Step)}

COVERAGE_WORDS: Mapping[str, str] = {
    "captured": "captured wholly",
    "partial": "in part",
    "denied": "denied",
    "failed": "failed",
    "skipped": "not captured",
}


def of_outcome(document: Document, outcome: Outcome) -> list[Entry]:
    """Return the checks of one outcome, in the order of the document."""
    return [entry for entry in document["checks"] if entry["outcome"] == outcome.value]


def found(document: Document) -> list[Entry]:
    """Return what was found, the worst first, and within one severity in the order of the steps."""
    return sorted(
        of_outcome(document, Outcome.FOUND),
        key=lambda entry: (-_GRAVITY[entry["severity"]], _ORDER[entry["step"]]),
    )


def alarming(document: Document) -> list[Entry]:
    """Return what was found above `expected`."""
    return [entry for entry in found(document) if entry["severity"] != Severity.EXPECTED.label]


def expected(document: Document) -> list[Entry]:
    """Return what was found and is normal behaviour."""
    return [entry for entry in found(document) if entry["severity"] == Severity.EXPECTED.label]


def unanswered(document: Document) -> list[Entry]:
    """Return the checks that have no answer: not evaluated, and those that failed."""
    return of_outcome(document, Outcome.ERROR) + of_outcome(document, Outcome.NOT_EVALUATED)


def calm_moves(document: Document) -> tuple[str, str]:
    """Return what to do, and what not to do, for where no finding says it."""
    gaps = document["verdict"] == Severity.EXPECTED.label and unanswered(document)
    return _CALM_MOVES.get(Outcome.NOT_EVALUATED.value if gaps else document["verdict"], _NO_MOVES)


def walk(document: Document) -> list[Entry]:
    """Return the summaries of the six steps, in their order."""
    six = [step.value for step in STEPS]
    return [entry for entry in document["steps"] if entry["step"] in six]


def chapters(document: Document) -> list[Entry]:
    """Return the summaries of those chapters that have checks."""
    six = [step.value for step in STEPS]
    return [entry for entry in document["steps"] if entry["step"] not in six and asked(entry)]


def asked(summary: Entry) -> int:
    """Return how many checks a step's summary counts."""
    return int(sum(summary[outcome.value.replace("-", "_")] for outcome in Outcome))


def first_broken_step(document: Document) -> str | None:
    """Return the first of the six steps whose verdict is dangerous or worse; failing that, the
    first with the worst verdict above `expected`; None if there is no such step."""
    steps = [(_GRAVITY.get(entry["verdict"], 0), entry["step"]) for entry in walk(document)]
    for gravity, step in steps:
        if gravity >= _GRAVITY[Severity.DANGEROUS.label]:
            return str(step)
    worst = max((gravity for gravity, _ in steps), default=0)
    if worst <= _GRAVITY[Severity.EXPECTED.label]:
        return None
    return next(str(step) for gravity, step in steps if gravity == worst)


def coverage_counts(document: Document) -> list[tuple[str, int]]:
    """Return how many tables stand under each status of coverage, in a fixed order."""
    counted = Counter(known["status"] for known in document["coverage"].values())
    return [(status, counted[status]) for status in COVERAGE_WORDS if counted[status]]


def completeness(document: Document) -> str:
    """Return in one line how complete the evidence is."""
    counts = dict(coverage_counts(document))
    total = len(document["coverage"])
    told = [f"{counts.get('captured', 0)} of {total} tables captured wholly"]
    told += [
        f"{count} {COVERAGE_WORDS[status]} ({', '.join(tables_of(document, status))})"
        for status, count in counts.items()
        if status != "captured"
    ]
    return "; ".join(told)


def tables_of(document: Document, status: str) -> list[str]:
    """Return the tables with one status of coverage."""
    return [name for name, known in document["coverage"].items() if known["status"] == status]
