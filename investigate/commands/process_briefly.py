"""`investigate process-briefly`: enable the mapping for so many messages, and disable it again."""

from __future__ import annotations

import argparse

from investigate.commands.console import Console
from investigate.commands.recovering import recovery
from investigate.model import counted
from investigate.process_plan import SCHEMA
from investigate.recovery.brief import (
    process_briefly,
    refuse_by_plan,
    refuse_by_state,
    refuse_second_run,
)
from investigate.report.text import labelled


def run(options: argparse.Namespace, console: Console) -> int:
    """Let the processor work within the limits, and say how it ended; or only undo."""
    with recovery(options, console, "process-plan") as at_work:
        if options.undo:
            console.out("nothing that a command enabled is enabled any more")
            return 0
        plan = at_work.plan(SCHEMA)
        refuse_second_run(at_work.record, str(plan["digest"]))
        refuse_by_plan(plan)
        mapping = refuse_by_state(plan, at_work.live)
        limits, queue = at_work.pace.limits, at_work.live.replay_queue()
        shown = [
            f"PROCESS BRIEFLY: the mapping from {queue.name} to {plan['processor']['name']}",
            labelled(
                "waiting",
                f"{counted(queue.waiting, 'message')}, {queue.not_visible} of them hidden",
            ),
            labelled("processes", f"up to {limits.messages} of them, for {limits.seconds:g} s"),
            labelled("watch", "stops at a failure of the processor or a new dead letter"),
            labelled("then", f"the mapping {mapping['UUID']} is disabled again, whatever happens"),
        ]
        touched = (plan["sample"] or {}).get("days", [])
        done = at_work.confirmed_run(plan, "\n".join(shown), touched)
        process_briefly(done, at_work.live, plan, mapping)
        return at_work.finish(done, touched, "message")
