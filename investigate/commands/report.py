"""`investigate report`: execute the notebooks on a case and write the report."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

from investigate.commands.console import Console
from investigate.commands.question import engine_memory_of, evidence_of
from investigate.commands.signals import stopped_by_signals
from investigate.errors import UsageError
from investigate.findings import examine, exit_code
from investigate.model import counted
from investigate.notify.message import ReportPaths
from investigate.notify.targets import Target, targets_of
from investigate.notify.tell import Delivery, tell
from investigate.notify.told_before import ToldBefore, file_for
from investigate.report.briefing import Document
from investigate.report.build import SINGLE, write_report
from investigate.report.ending import RunState
from investigate.report.execute import Executed, share_of
from investigate.report.folder import refuse_foreign, refuse_unwritable
from investigate.report.history import refuse_unreadable
from investigate.report.kernels import warm_kernels
from investigate.report.notebooks import default_folder, sources
from investigate.report.runs import incident_named
from investigate.report.text import headline
from investigate.report.watch import RunLimits

NOTEBOOK_FAILED = 3
NOT_TOLD = 4
NOTIFY = "INVESTIGATE_NOTIFY"


def run(options: argparse.Namespace, console: Console) -> int:
    """Write the report, say where it is, and return the exit code of the contract."""
    began = monotonic()
    out = _out_of(options)
    incident = incident_named(options.incident)
    targets = _targets(options, out)
    notebooks = sources(default_folder())
    memory = engine_memory_of(options)
    share_of(memory.limit)  # refused before the checks have run, not after
    evidence = evidence_of(options)

    def told(executed: Executed) -> None:
        console.say(f"  {executed.name}: {executed.failure or 'done'}")

    # Opened once nothing is refused any more: from here on kernels get ready beside the checks.
    with warm_kernels():
        console.say("running the checks")
        examination = examine(evidence)
        console.say("running the notebooks")
        with stopped_by_signals(console):
            failed = write_report(
                evidence,
                examination,
                out,
                notebooks=notebooks,
                incident=incident,
                single_file=options.single_file,
                limits=RunLimits(notebook=options.notebook_seconds, memory=memory),
                seconds=options.deadline - (monotonic() - began),
                told=told,
            )
    _say_what_is_missing(failed, options.deadline, console)
    console.out(f"{headline(examination.document)}\n\n  {out / 'index.html'}")
    if options.single_file:
        console.out(f"  {_to_send(out)}")
    if not _tell(examination.document, targets, options, console):
        return NOT_TOLD
    if failed:
        return NOTEBOOK_FAILED
    return exit_code(examination.findings, options.fail_on, allow_gaps=options.allow_gaps)


def _out_of(options: argparse.Namespace) -> Path:
    """Return the folder of the report; raise `UsageError` if none can be written there."""
    out = Path(options.out)
    refuse_foreign(out)
    refuse_unreadable(out)
    refuse_unwritable(out)
    return out


def _to_send(out: Path) -> str:
    """Say where the one file is, unless another report took the place of this one meanwhile."""
    try:
        return f"{out / SINGLE} ({(out / SINGLE).stat().st_size / 1e6:.1f} MB, to send)"
    except FileNotFoundError:
        return f"{SINGLE}: in the folder of this run, see {out / 'runs.html'}; a newer report came"


def _say_what_is_missing(failed: Sequence[Executed], deadline: int, console: Console) -> None:
    """Say what did not come to its end: whoever reads only the last lines must not take this for
    a whole."""
    late = [one for one in failed if one.state in (RunState.DEADLINE, RunState.NOT_STARTED)]
    if late:
        console.say(
            f"investigate: the deadline of {deadline} s was reached: "
            f"{counted(len(late), 'notebook')} stopped or not begun\n"
            "  the findings stand; give more time with --deadline, or a narrower window"
        )
    elif failed:
        names = ", ".join(one.name for one in failed)
        console.say(
            f"investigate: {counted(len(failed), 'notebook')} did not come to an end: {names}\n"
            "  the findings stand, and each page says why; run the same again, or look into the "
            "notebook with: make lab"
        )


def _targets(options: argparse.Namespace, out: Path) -> list[Target]:
    """Return whom to tell; raise `UsageError`, before anything is computed, if that cannot be."""
    targets = targets_of(options.notify or os.environ.get(NOTIFY, "").split())
    if targets:
        ToldBefore(file_for(out))
    return targets


def _tell(
    document: Document, targets: list[Target], options: argparse.Namespace, console: Console
) -> bool:
    """Tell people what is new to them, and return whether everybody knows."""
    if not targets:
        return True
    out = Path(options.out)
    where = ReportPaths(options.case, str(out / "index.html"))
    told = tell(document, targets, level=options.notify_at, where=where, memory=file_for(out))
    failed, left = False, [target.name for target in targets]
    try:
        for delivery in told:
            left.remove(delivery.target)
            console.say(_said(delivery, options))
            failed = failed or bool(delivery.failure)
    except (UsageError, OSError) as error:
        # The report is written: whatever the file beside it does, this is no other verdict.
        console.say(
            f"investigate: not told: {', '.join(left)}, as what was told before is not known: "
            f"{error}\n  the findings stand; see to that file, and the next run tells them"
        )
        return False
    return not failed


def _said(delivery: Delivery, options: argparse.Namespace) -> str:
    if delivery.failure:
        return (
            f"investigate: {delivery.target} was not told: {delivery.failure}\n"
            "  the findings stand, and the next run tries again"
        )
    if delivery.told:
        return f"{delivery.target}: told of {counted(delivery.told, 'finding')}"
    return f"{delivery.target}: nothing new at or above {options.notify_at.label}"
