"""`investigate redrive-plan`: what to do with each dead letter, why, and until when."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from investigate.commands.console import Console
from investigate.commands.question import evidence_of
from investigate.errors import UsageError
from investigate.model import counted
from investigate.redrive_plan import (
    PlannedLetter,
    RedrivePlan,
    as_csv,
    document,
    plan_of,
    summary_of,
    with_decisions,
)
from investigate.terminal_text import labelled, printable, table

SHOWN = 20


def run(options: argparse.Namespace, console: Console) -> int:
    """Print the plan; nothing is sent, ever."""
    evidence = evidence_of(options)
    plan = plan_of(evidence)
    if options.decisions:
        path = Path(options.decisions)
        plan = with_decisions(plan, _read(path), path.name)
    if options.format == "json":
        console.out(json.dumps(document(plan), indent=1, ensure_ascii=False))
    elif options.format == "csv":
        console.out(as_csv(plan))
    else:
        kept = evidence.has("dead_letters")
        console.out("\n\n".join(part for part in _parts(plan, kept=kept) if part))
    return 0


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"the decisions in {path} cannot be read: {error.strerror}",
            hint="make the table first: investigate redrive-plan CASE --format csv > FILE",
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(
            f"the decisions in {path} are not UTF-8 text", hint="save the table as CSV UTF-8"
        ) from error


def _parts(plan: RedrivePlan, *, kept: bool) -> list[str]:
    if not plan.letters and not kept:
        return [
            f"REDRIVE of {printable(plan.case)}: nothing to decide, "
            "because nothing keeps what fails for good",
            labelled("do", "see configuration/no-dead-letter-queue: investigate check CASE "
                     "--step configuration"),
        ]  # fmt: skip
    if not plan.letters:
        return [f"REDRIVE of {printable(plan.case)}: no dead letter, so nothing to decide"]
    return [_head(plan), _groups(plan.letters), _letters(plan.letters), _next(plan)]


def _head(plan: RedrivePlan) -> str:
    counts = ", ".join(f"{many:,} {decision}" for decision, many in plan.counts.items() if many)
    first = plan.letters[0]
    lines = [
        f"REDRIVE of {printable(plan.case)}: a plan; nothing is sent",
        "",
        labelled("letters", f"{counted(len(plan.letters), 'dead letter')}: {counts}"),
        labelled("captured", plan.captured_at),
        labelled("first ends", f"{first.until or 'unknown'} ({first.message_id})"),
    ]
    expired = sum(letter.expired for letter in plan.letters)
    if expired:
        lines.append(labelled("too late", f"{counted(expired, 'letter')} had expired by then"))
    return "\n".join(lines)


def _groups(letters: Sequence[PlannedLetter]) -> str:
    rows = [
        (f"{many:,}", decision, fingerprint) for fingerprint, decision, many in summary_of(letters)
    ]
    return "BY ERROR\n\n" + table([("LETTERS", "DECISION", "FINGERPRINT"), *rows[:SHOWN]])


def _letters(letters: Sequence[PlannedLetter]) -> str:
    rows = [(one.until or "unknown", one.decision, one.message_id, _why(one)) for one in letters]
    shown = table([("UNTIL", "DECISION", "MESSAGE", "WHY"), *rows[:SHOWN]])
    rest = len(rows) - SHOWN
    more = f"\n… and {rest:,} more (--format csv lists them)" if rest > 0 else ""
    return f"THE MOST URGENT FIRST\n\n{shown}{more}"


def _why(letter: PlannedLetter) -> str:
    notes = [letter.reason]
    if letter.fifo:
        notes.append("FIFO: later messages of its group may have passed it")
    if letter.consumers is not None and letter.consumers != 1:
        notes.append(f"{counted(letter.consumers, 'consumer')} would see it")
    if letter.note:
        notes.append(f"decided by hand: {letter.note}")
    return "; ".join(notes)


def _next(plan: RedrivePlan) -> str:
    return (
        "To decide otherwise, edit the columns decision and note of\n"
        "  investigate redrive-plan CASE --format csv > decisions.csv\n"
        "and read it back with --decisions decisions.csv."
    )
