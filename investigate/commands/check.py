"""`investigate check`: run the checks and print the findings."""

from __future__ import annotations

import argparse

from investigate.commands.console import Console
from investigate.commands.question import parameters_of
from investigate.findings import dump, examine, exit_code
from investigate.investigation import evidence_for
from investigate.model import Step
from investigate.report.text import render
from investigate.settings import Thresholds, load_settings


def run(options: argparse.Namespace, console: Console) -> int:
    """Print what the checks say and return the exit code of the contract."""
    steps = tuple(step for step in Step if not options.step or step in options.step)
    thresholds = load_settings(options.config).thresholds if options.config else Thresholds()
    evidence = evidence_for(parameters_of(options), engine=options.engine, thresholds=thresholds)
    examination = examine(evidence, steps)
    document = examination.document
    console.out(dump(document) if options.format == "json" else render(document))
    return exit_code(examination.findings, options.fail_on, allow_gaps=options.allow_gaps)
