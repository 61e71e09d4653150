"""`investigate redrive`: send back the dead letters that are decided `retry`, and no others."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial

from investigate.commands.console import Console
from investigate.commands.recovering import Recovery, recovery
from investigate.errors import RecoveryRefused
from investigate.evidence import Evidence
from investigate.model import counted
from investigate.recovery.moving import move, refuse_move
from investigate.recovery.redriving import redrive, split_by_rules
from investigate.recovery.under_way import under_way
from investigate.redrive_plan import SCHEMA, PlannedLetter, RedrivePlan, of_document
from investigate.terminal_text import labelled

SHOWN = 10


def run(options: argparse.Namespace, console: Console) -> int:
    """Send back what the plan decides to retry, within the limits, and say how it ended."""
    with recovery(options, console, "redrive-plan") as at_work:
        document = at_work.plan(SCHEMA, {"letters": [dict]})
        plan = of_document(document)
        known = under_way(Evidence(at_work.case), at_work.record, again=options.again)
        letters, held = split_by_rules(plan, at_work.live.replay_queue(), known)
        at_work.live.refuse_dry_run()
        limits = at_work.pace.limits
        arns = refuse_move(plan, letters, at_work.live, limits) if options.move else []
        shown = _shown(at_work, plan, letters, held)
        done = at_work.confirmed_run(document, shown, ())
        work = partial(move, done, at_work.live, arns)
        if not options.move:
            work = partial(redrive, done, at_work.live, letters)
        at_work.carry_out(done, work)
        return at_work.finish(done, (), "dead letter")


def _shown(
    at_work: Recovery,
    plan: RedrivePlan,
    letters: Sequence[PlannedLetter],
    held: Sequence[tuple[PlannedLetter, RecoveryRefused]],
) -> str:
    limits = at_work.pace.limits
    counts = ", ".join(f"{many:,} {decision}" for decision, many in plan.counts.items() if many)
    how = f"{counted(len(letters), 'letter')}, {limits.rate:g} a second"
    lines = [
        f"REDRIVE of {plan.case}",
        labelled("decided", counts),
        labelled("sends back", how),
        labelled("first", ", ".join(letter.message_id for letter in letters[:SHOWN])),
        *(labelled("held back", error.message) for _, error in held[:SHOWN]),
        labelled("watch", "stops at a failure of the processor or a new dead letter"),
    ]
    return "\n".join(lines)
