"""`investigate replay`: send the planned events for processing again, each exactly once."""

from __future__ import annotations

import argparse
from functools import partial

from investigate.commands.console import Console
from investigate.commands.recovering import recovery
from investigate.model import counted
from investigate.recovery.replaying import SCHEMA, days, replay, to_send
from investigate.report.text import labelled


def run(options: argparse.Namespace, console: Console) -> int:
    """Send what the plan lists, within the limits, and say how it ended."""
    with recovery(options, console, "replay-plan") as at_work:
        plan = at_work.plan(SCHEMA)
        rows = to_send(plan, at_work.pace.limits)
        at_work.live.refuse_dry_run()
        touched = days(plan, rows)
        window, limits = plan["window"], at_work.pace.limits
        shown = [
            f"REPLAY of {plan['entity_id']}",
            labelled("window", f"{window['start']} to {window['end']}"),
            labelled("sends", f"{counted(len(rows), 'message')}, {limits.rate:g} a second"),
            labelled("days", ", ".join(day["day"] for day in touched) or "none"),
            labelled("watch", "stops at a failure of the processor or a new dead letter"),
        ]
        done = at_work.confirmed_run(plan, "\n".join(shown), touched)
        at_work.carry_out(done, partial(replay, done, at_work.live, plan, rows))
        return at_work.finish(done, touched, "message")
