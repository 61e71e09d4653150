"""`investigate report`: execute the notebooks on a case and write the report."""

from __future__ import annotations

import argparse
from pathlib import Path

from investigate.commands.console import Console
from investigate.commands.question import parameters_of
from investigate.findings import examine, exit_code
from investigate.investigation import evidence_for
from investigate.report.build import write_report
from investigate.report.execute import Executed
from investigate.report.folder import refuse_foreign, refuse_unwritable
from investigate.report.notebooks import default_folder, sources
from investigate.report.text import headline

NOTEBOOK_FAILED = 3


def run(options: argparse.Namespace, console: Console) -> int:
    """Write the report, say where it is, and return the exit code of the contract."""
    out = Path(options.out)
    refuse_foreign(out)
    refuse_unwritable(out)
    notebooks = sources(default_folder())
    evidence = evidence_for(parameters_of(options))
    console.say("running the checks")
    examination = examine(evidence)
    console.say("running the notebooks")

    def told(executed: Executed) -> None:
        console.say(f"  {executed.name}: {executed.failure or 'done'}")

    failed = write_report(evidence, examination, out, notebooks=notebooks, told=told)
    console.out(f"{headline(examination.document)}\n\n  {out / 'index.html'}")
    if failed:
        return NOTEBOOK_FAILED
    return exit_code(examination.findings, options.fail_on, allow_gaps=options.allow_gaps)
