"""`investigate check`: run the checks and print the findings, or the rows that one objects to."""

from __future__ import annotations

import argparse

from investigate.checks import book
from investigate.commands.console import Console
from investigate.commands.question import engine_of, parameters_of
from investigate.commands.rows import print_rows
from investigate.errors import UsageError
from investigate.findings import dump, examine, exit_code
from investigate.investigation import evidence_for
from investigate.model import Step
from investigate.report.text import render
from investigate.settings import Thresholds, load_settings


def run(options: argparse.Namespace, console: Console) -> int:
    """Print what the checks say and return the exit code of the contract."""
    steps = _steps(options)
    asked = book[options.rows] if options.rows else None
    thresholds = load_settings(options.config).thresholds if options.config else Thresholds()
    evidence = evidence_for(
        parameters_of(options), engine=engine_of(options), thresholds=thresholds
    )
    if asked:
        return print_rows(asked, evidence, options, console)
    examination = examine(evidence, steps)
    document = examination.document
    console.out(dump(document) if options.format == "json" else render(document))
    return exit_code(examination.findings, options.fail_on, allow_gaps=options.allow_gaps)


def _steps(options: argparse.Namespace) -> tuple[Step, ...]:
    """Return the steps asked about; raise `UsageError` for one without checks."""
    if options.step and options.rows:
        raise UsageError(
            "--rows asks for one check, so --step has no meaning", hint="leave one out"
        )
    answered = [step.value for step in Step if book.of(step)]
    for step in options.step or ():
        if step.value not in answered:
            raise UsageError(
                f"no check of {step.value!r} is part of this version",
                hint=f"steps with checks: {', '.join(answered)}",
            )
    return tuple(step for step in Step if not options.step or step in options.step)
