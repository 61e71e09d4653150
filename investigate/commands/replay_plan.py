"""`investigate replay-plan`: what a replay would send, what it would leave out, and why."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from investigate.analysis.replays import planned
from investigate.commands.console import Console
from investigate.commands.question import parameters_of
from investigate.errors import UsageError
from investigate.evidence import Evidence
from investigate.investigation import evidence_for
from investigate.model import isoformat
from investigate.report.text import labelled, table

SCHEMA = "investigate.replay-plan/1"
ROWS_SHOWN = 20
COLUMNS = ("event_id", "event_time", "sk", "status", "s3_key", "decision", "reason", "wanted")


def run(options: argparse.Namespace, console: Console) -> int:
    """Print the plan; nothing is sent, ever."""
    if options.limit < 1:
        raise UsageError(
            f"--limit {options.limit} is not a number of rows",
            hint="give 1 or more; the pipeline itself takes 0 for its default of 500",
        )
    evidence = evidence_for(parameters_of(options))
    rows = planned(evidence, options.limit, include_duplicates=options.include_duplicates)
    listed = evidence.engine.rows(rows.select(*COLUMNS).order_by("sk"))
    plan = _plan(evidence, options, listed)
    console.out(_text(plan) if options.format == "text" else json.dumps(plan, indent=1))
    return 0


def _plan(
    evidence: Evidence, options: argparse.Namespace, rows: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    window = evidence.window
    return {
        "schema": SCHEMA,
        "case": evidence.case.name,
        "captured_at": isoformat(evidence.case.captured_at),
        "entity_id": options.entity,
        "window": {"start": isoformat(window.start), "end": isoformat(window.end)},
        "limit": options.limit,
        "include_duplicates": options.include_duplicates,
        "send": [_shown(row) for row in rows if row["decision"] == "send"],
        "leave_out": [_shown(row) for row in rows if row["decision"] != "send"],
    }


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in COLUMNS if name != "decision"}


def _text(plan: dict[str, Any]) -> str:
    send, leave_out = plan["send"], plan["leave_out"]
    wrong = [row for row in send if not row["wanted"]]
    lost = [row for row in leave_out if row["wanted"]]
    window = plan["window"]
    head = [
        f"REPLAY of {plan['entity_id']}: a plan; nothing is sent",
        "",
        labelled("window", f"{window['start']} to {window['end']}, compared as text"),
        labelled("limit", f"{plan['limit']:,} rows before any filter"),
        labelled("sends", f"{len(send):,} messages{_reasons(send)}"),
        labelled("leaves out", f"{len(leave_out):,} rows{_reasons(leave_out)}"),
    ]
    parts = [
        "\n".join(head),
        _listed("SHOULD BE SENT, BUT WOULD NOT BE", lost),
        _listed("WOULD BE SENT, BUT SHOULD NOT BE", wrong),
        _listed("WOULD BE SENT", [row for row in send if row["wanted"]]),
    ]
    return "\n\n".join(part for part in parts if part)


def _reasons(rows: Sequence[dict[str, Any]]) -> str:
    counted = Counter(row["reason"] for row in rows)
    told = ", ".join(f"{count:,} {reason}" for reason, count in sorted(counted.items()))
    return f" ({told})" if told else ""


def _listed(title: str, rows: Sequence[dict[str, Any]]) -> str:
    if not rows:
        return ""
    cells = [(row["event_time"], row["event_id"], row["reason"]) for row in rows[:ROWS_SHOWN]]
    shown = table([("EVENT TIME", "EVENT ID", "REASON"), *cells])
    rest = len(rows) - ROWS_SHOWN
    more = f"\n… and {rest:,} more (--format json lists them)" if rest > 0 else ""
    return f"{title}\n\n{shown}{more}"
