"""`investigate replay`: send the planned events for processing again, each exactly once."""

from __future__ import annotations

import argparse
from functools import partial

from investigate.commands.console import Console
from investigate.commands.recovering import recovery
from investigate.evidence import Evidence
from investigate.model import counted
from investigate.recovery.already import already, prospects
from investigate.recovery.replaying import (
    SCHEMA,
    days,
    missed_keys,
    refuse_slow,
    replay,
    sorted_out,
    to_send,
)
from investigate.report.text import labelled

SHOWN = 10


def run(options: argparse.Namespace, console: Console) -> int:
    """Send what the plan lists, within the limits, and say how it ended."""
    with recovery(options, console, "replay-plan") as at_work:
        plan = at_work.plan(SCHEMA)
        evidence = Evidence(at_work.case)
        unsaid = prospects(evidence, str(plan["entity_id"]), missed_keys(plan))
        wanted = to_send(plan, at_work.pace.limits, unsaid)
        known = already(evidence, at_work.record, again=options.again)
        rows, held = sorted_out(wanted, known)
        refuse_slow(rows, at_work.record, at_work.pace.limits)
        at_work.live.refuse_dry_run()
        touched = days(plan, rows)
        window, limits = plan["window"], at_work.pace.limits
        shown = [
            f"REPLAY of {plan['entity_id']}",
            labelled("window", f"{window['start']} to {window['end']}"),
            labelled("sends", f"{counted(len(rows), 'message')}, {limits.rate:g} a second"),
            *(labelled("left out", f"{row['event_id']} {why}") for row, why in held[:SHOWN]),
            *_unseen(known.unseen),
            labelled("days", ", ".join(day["day"] for day in touched) or "none"),
            labelled("watch", "stops at a failure of the processor or a new dead letter"),
        ]
        done = at_work.confirmed_run(plan, "\n".join(shown), touched)
        at_work.carry_out(done, partial(replay, done, at_work.live, plan, rows))
        done.summary.held = [f"{row['event_id']} {why}" for row, why in held]
        return at_work.finish(done, touched, "message")


def _unseen(many: int) -> list[str]:
    if not many:
        return []
    words = f"{counted(many, 'message')} wait that nobody looked at: an event may be among them"
    return [labelled("unknown", words)]
