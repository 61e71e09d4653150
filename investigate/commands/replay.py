"""`investigate replay`: send the planned events for processing again, each exactly once."""

from __future__ import annotations

import argparse
from functools import partial

from investigate.commands.console import Console
from investigate.commands.recovering import recovery
from investigate.evidence import Evidence
from investigate.model import counted
from investigate.recovery.replaying import (
    days,
    missed_keys,
    refuse_slow,
    replay,
    split_by_under_way,
    to_send,
)
from investigate.recovery.under_way import prospects, under_way
from investigate.replay_plan import SCHEMA, SHAPE
from investigate.terminal_text import labelled

SHOWN = 10


def run(options: argparse.Namespace, console: Console) -> int:
    """Send what the plan lists, within the limits, and say how it ended."""
    with recovery(options, console, "replay-plan") as at_work:
        plan = at_work.plan(SCHEMA, SHAPE)
        evidence = Evidence(at_work.case)
        unsaid = prospects(evidence, str(plan["entity_id"]), missed_keys(plan))
        wanted = to_send(plan, at_work.pace.limits, unsaid)
        known = under_way(evidence, at_work.record, again=options.again)
        rows, held = split_by_under_way(wanted, known)
        refuse_slow(rows, at_work.record, at_work.pace.limits)
        at_work.live.refuse_dry_run()
        touched = days(plan, rows, at_work.case.design)
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


def _unseen(many: int | None) -> list[str]:
    if many == 0:
        return []
    waiting = "how many messages wait was not captured"
    if many is not None:
        waiting = f"{counted(many, 'message')} {'waits' if many == 1 else 'wait'} unseen"
    return [labelled("unknown", f"{waiting}: an event may be among them")]
