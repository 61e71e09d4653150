"""`python -m tests.report.at_once OUT RUNS`: so many processes publish a run into OUT at once."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from investigate.report.folder import report_draft
from investigate.report.publish import add_run
from investigate.report.runs import Run
from tests.report.samples import document, entry


def publish(out: Path, number: int) -> None:
    """A small run, every fourth of which is of the same incident."""
    told = document(entry("raw/missing", keys=[f"key-{number}"]))
    run = Run(f"incident-{number % 4}", {"n": number, "pipeline": "p", "thresholds": {}})
    with report_draft(out) as draft:

        def write_index(known):
            for folder in (draft.files, draft.run):
                (folder / "index.html").write_text(f"{number}", encoding="utf-8")
                (folder / "findings.json").write_text(f"{number}", encoding="utf-8")

        add_run(draft, run, told, {}, write_index)


def main(out: str, runs: str) -> int:
    """Fork so many processes, let them begin together, and return how many failed."""
    waiting, gate = os.pipe()
    children = []
    for number in range(int(runs)):
        child = os.fork()
        if child == 0:
            os.close(gate)
            os.read(waiting, 1)  # until the parent closes the gate
            publish(Path(out), number)
            os._exit(0)
        children.append(child)
    os.close(gate)
    return sum(os.waitpid(child, 0)[1] != 0 for child in children)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
