"""`investigate checks`: the catalogue of questions."""

from __future__ import annotations

import argparse
import json
from typing import Any

from investigate.checks import Check, book
from investigate.commands.console import Console
from investigate.terminal_text import labelled, table


def run(options: argparse.Namespace, console: Console) -> int:
    """Print every check on a line, or all there is to know of those named by code."""
    chosen = [book[code] for code in options.codes] or list(book)
    if options.format == "json":
        console.out(json.dumps([_as_document(check) for check in chosen], indent=1))
    elif options.codes:
        console.out("\n".join(_whole(check) for check in chosen))
    else:
        rows = [(c.code, c.step.value, c.severity.label, c.question) for c in chosen]
        console.out(table([("CODE", "STEP", "SEVERITY", "QUESTION"), *rows]))
    return 0


def _as_document(check: Check) -> dict[str, Any]:
    return {
        "code": check.code,
        "step": check.step.value,
        "severity": check.severity.label,
        "question": check.question,
        "key": check.key,
        "needs": list(check.needs),
        "whole": list(check.whole),
        "reads": list(check.tables),
        "advice": check.advice,
        "avoid": check.avoid,
    }


def _whole(check: Check) -> str:
    lines = [
        f"{check.code}  {check.severity.label}",
        labelled("question", check.question),
        labelled("key", check.key),
        labelled("reads", ", ".join(check.tables)),
        labelled("do", check.advice),
        labelled("do not", check.avoid),
    ]
    return "\n".join(lines) + "\n"
