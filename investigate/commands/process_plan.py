"""`investigate process-plan`: what waits for the processor, and what speaks against letting it."""

from __future__ import annotations

import argparse
import json

from investigate.commands.console import Console
from investigate.commands.question import engine_of, parameters_of
from investigate.errors import RecoveryRefused
from investigate.investigation import evidence_for
from investigate.model import counted
from investigate.process_plan import document
from investigate.recovery.brief import refuse_by_plan
from investigate.report.text import labelled


def run(options: argparse.Namespace, console: Console) -> int:
    """Print the plan; nothing is enabled, ever."""
    plan = document(evidence_for(parameters_of(options), engine=engine_of(options)))
    if options.format == "json":
        console.out(json.dumps(plan, indent=1, ensure_ascii=False))
        return 0
    queue, sample = plan["queue"], plan["sample"]
    seen = "nobody looked" if sample is None else f"{sample['messages']} sampled"
    bad = "" if sample is None else f", {sample['malformed']} of them malformed"
    states = ", ".join(mapping["state"] for mapping in plan["mappings"]) or "there is none"
    lines = [
        f"PROCESS BRIEFLY {plan['case']}: a plan; nothing is enabled",
        "",
        labelled("captured", plan["captured_at"]),
        labelled(
            "waiting", f"{counted(queue['visible'], 'message')} in {queue['name']}: {seen}{bad}"
        ),
        labelled("mapping", states),
        labelled("failures", _failures(plan["failures"])),
    ]
    try:
        refuse_by_plan(plan)
    except RecoveryRefused as error:
        lines.append(labelled("against it", error.message))
    console.out("\n".join(lines))
    return 0


def _failures(known: dict[str, object] | None) -> str:
    if known is None:
        return "unknown: neither invocations nor log lines were captured"
    return f"{known['count']} of the code, {known['transient']} of them may have passed"
