"""`investigate process-plan`: what waits for the processor, and what speaks against letting it."""

from __future__ import annotations

import argparse
import json
from typing import Any

from investigate.commands.console import Console
from investigate.commands.question import evidence_of
from investigate.errors import RecoveryRefused
from investigate.model import counted
from investigate.process_plan import document
from investigate.recovery.processing_briefly import refuse_by_plan
from investigate.terminal_text import labelled


def run(options: argparse.Namespace, console: Console) -> int:
    """Print the plan; nothing is enabled, ever."""
    plan = document(evidence_of(options))
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
    lines.append(labelled("against it", _against(plan)))
    console.out("\n".join(lines))
    return 0


def _against(plan: dict[str, Any]) -> str:
    try:
        refuse_by_plan(plan)
    except RecoveryRefused as error:
        return error.message
    return "nothing in the case; `process-briefly` looks at the pipeline itself before it begins"


def _failures(known: dict[str, object] | None) -> str:
    if known is None:
        return "unknown: neither invocations nor log lines were captured"
    return f"{known['count']} of the code, {known['transient']} of them may have passed"
