"""`investigate process-briefly`: enable the mapping for so many messages, and disable it again."""

from __future__ import annotations

import argparse
from functools import partial

from investigate.commands.console import Console
from investigate.commands.recovering import Recovery, recovery
from investigate.errors import AccessError, RecoveryRefused
from investigate.model import counted
from investigate.process_plan import SCHEMA, SHAPE
from investigate.recovery.processing_briefly import (
    process_briefly,
    refuse_by_plan,
    refuse_by_state,
    refuse_second_run,
    refuse_sent_since,
)
from investigate.recovery.undo import RUNNING
from investigate.terminal_text import labelled


def run(options: argparse.Namespace, console: Console) -> int:
    """Let the processor work within the limits, and say how it ended; or only undo."""
    with recovery(options, console, "process-plan") as at_work:
        if options.undo:
            console.out(_state(at_work))
            return 0
        plan = at_work.plan(SCHEMA, SHAPE)
        refuse_second_run(at_work.record, str(plan["digest"]))
        refuse_sent_since(at_work.record, plan)
        refuse_by_plan(plan)
        mapping = refuse_by_state(plan, at_work.live, at_work.pace.limits.messages)
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
        # While it was confirmed, somebody may have enabled the mapping: then it is theirs.
        mapping = refuse_by_state(plan, at_work.live, limits.messages)
        work = partial(process_briefly, done, at_work.live, plan, mapping)
        at_work.carry_out(done, work)
        return at_work.finish(done, touched, "message", proved=True)


def _state(at_work: Recovery) -> str:
    """What an undo leaves: not by the record alone, since others change a mapping, too."""
    try:
        mapping = at_work.live.mapping()
    except (AccessError, RecoveryRefused) as error:
        return f"no command left a mapping enabled; how it is now cannot be seen: {error.message}"
    state, uuid = mapping["State"], mapping["UUID"]
    if state in RUNNING:
        return f"the mapping {uuid} is {state}: no command is known to have left it so"
    return f"nothing that a command enabled is enabled any more: the mapping {uuid} is {state}"
