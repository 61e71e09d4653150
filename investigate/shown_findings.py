"""Findings and what they answer for, in the pieces that a notebook shows."""

from __future__ import annotations

from collections.abc import Sequence

from investigate import display
from investigate.display import Shown
from investigate.evidence import Evidence
from investigate.model import Finding, Outcome, isoformat, verdict
from investigate.wording import reading_note

_CAN_WAIT = ("suspect", "expected", "passed")


def lead_of(name: str, findings: Sequence[Finding]) -> Shown:
    """Return the line that says the verdict of findings, and how many ended how."""
    word = verdict(findings)
    return Shown(
        f'<style>{display.stylesheet()}</style>\n<p class="inv-p inv-lead">'
        f"{display.badge(word)} <strong>{display.esc(name)}</strong>: "
        f"{display.esc(display.tally(findings))}</p>",
        f"{name}: {word} ({display.tally(findings)})",
    )


def scope_line(evidence: Evidence) -> Shown:
    """Return the line that says which case was looked at, and which part of it."""
    case, window = evidence.case, evidence.window
    names = evidence.entities
    some = f"entit{'y' if len(names) == 1 else 'ies'} {', '.join(names)}"
    who = some if names else "all entities"
    note = reading_note(evidence.design)
    return display.paragraph(
        f"Case {case.name}, captured {isoformat(case.captured_at)}. Looked at: "
        f"{isoformat(window.start)} ≤ event time < {isoformat(window.end)}, {who}. "
        f"Evidence younger than {isoformat(evidence.settled_until)} is not judged."
        + (f" {note}" if note else "")
    )


def every_answer(findings: Sequence[Finding]) -> list[Shown]:
    """Return each finding with all it says; those that passed are folded."""
    passed = [finding for finding in findings if finding.outcome is Outcome.PASSED]
    loud = [finding for finding in findings if finding.outcome is not Outcome.PASSED]
    pieces = [display.findings_table(loud)] if loud else []
    if not findings:
        pieces.append(display.paragraph("no check asks about this step", kind="not-evaluated"))
    if passed:
        many = f"{len(passed)} check{'s' if len(passed) > 1 else ''} passed"
        pieces.append(display.folded(many, display.findings_table(passed)))
    return pieces


def in_brief(findings: Sequence[Finding]) -> list[Shown]:
    """Return each finding in one line: open what cannot wait, folded the rest; without anything
    urgent the suspects are open too."""
    groups: dict[str, list[Finding]] = {"urgent": []}
    for finding in findings:
        word = display.word_of(finding)
        groups.setdefault(word if word in _CAN_WAIT else "urgent", []).append(finding)
    urgent = groups["urgent"]
    pieces = [display.findings_list(urgent)] if urgent else []
    return pieces + [
        display.folded(
            f"{len(groups[word])} {word}",
            display.findings_list(groups[word]),
            shut=bool(urgent) or word != "suspect",
        )
        for word in _CAN_WAIT
        if word in groups
    ]
