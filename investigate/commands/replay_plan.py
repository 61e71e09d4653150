"""`investigate replay-plan`: what a replay would send, what it would leave out, and why."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from typing import Any

from investigate.analysis.consumption import unread_queues
from investigate.analysis.replay_prospects import READABLE, UNKNOWN, WOULD_FAIL
from investigate.analysis.roles import require_role
from investigate.commands.console import Console
from investigate.commands.question import evidence_of
from investigate.errors import NotEvaluable, UsageError
from investigate.evidence import Evidence
from investigate.replay_plan import Rows, document
from investigate.terminal_text import labelled, table

ROWS_SHOWN = 20
_READ_BY = ("queue_state", "mappings", "functions")  # what tells who reads the replay queue


def run(options: argparse.Namespace, console: Console) -> int:
    """Print the plan; nothing is sent, ever."""
    if options.limit < 1:
        raise UsageError(
            f"--limit {options.limit} is not a number of rows",
            hint="give 1 or more; the pipeline itself takes 0 for its default of 500",
        )
    evidence = evidence_of(options)
    duplicates = options.include_duplicates
    plan = document(evidence, options.entity, options.limit, include_duplicates=duplicates)
    if options.format == "text":
        console.out(_text(plan, _reader(evidence)))
    else:
        console.out(json.dumps(plan, indent=1))
    return 0


def _reader(evidence: Evidence) -> str:
    """Return in words who would take the messages out of the replay queue."""
    blind = [table for table in _READ_BY if not evidence.is_whole(table)]
    if blind:
        return "unknown: " + "; ".join(evidence.capture_gap(table) for table in blind)
    try:
        require_role(evidence, "processor")  # or nobody is there who could leave a queue unread
        rows = evidence.engine.rows(unread_queues(evidence))
    except NotEvaluable as unknown:
        return f"unknown: {unknown.message}"
    unread = sorted(f"{row['queue']} ({row['why']})" for row in rows)
    if unread:
        return f"nobody reads {', '.join(unread)}: the messages would wait there"
    return "a processor reads the replay queue"


def _text(plan: dict[str, Any], reader: str) -> str:
    send, leave_out = plan["send"], plan["leave_out"]
    fine = [row for row in send if row["prospect"] == READABLE]
    parts = [
        _head(plan, reader),
        _listed("WOULD FAIL", [row for row in send if row["prospect"] == WOULD_FAIL]),
        _listed("CANNOT BE TOLD", [row for row in send if row["prospect"] == UNKNOWN]),
        _listed("SHOULD BE SENT, BUT WOULD NOT BE", [row for row in leave_out if row["wanted"]]),
        _listed("WOULD BE SENT, BUT SHOULD NOT BE", [row for row in fine if not row["wanted"]]),
        _listed("WOULD BE SENT", [row for row in fine if row["wanted"]]),
    ]
    return "\n\n".join(part for part in parts if part)


def _head(plan: dict[str, Any], reader: str) -> str:
    send, leave_out, counts = plan["send"], plan["leave_out"], plan["counts"]
    missed = [row for row in leave_out if row["wanted"]]
    needless = counts["sent_needlessly"]
    due = f"send {counts['should_send']:,} events, those whose time is in the window"
    if missed:
        due += f"; {len(missed):,} of them would be left out{_reasons(missed)}"
    if needless:
        due += f"; {needless:,} more would be sent needlessly"
    return "\n".join(
        [
            f"REPLAY of {plan['entity_id']}: a plan; nothing is sent",
            "",
            labelled("window", f"{plan['window']['start']} to {plan['window']['end']}, as text"),
            labelled("limit", f"{plan['limit']:,} rows before any filter"),
            labelled("sends", f"{len(send):,} messages{_reasons(send)}"),
            labelled("of these", _prospects(counts)),
            labelled("leaves out", f"{len(leave_out):,} of the rows{_reasons(leave_out)}"),
            labelled("should", due),
            labelled("reader", reader),
        ]
    )


def _prospects(counts: dict[str, int]) -> str:
    """Return in words how the messages would end, as far as the raw objects tell."""
    readable = counts["send"] - counts["would_fail"] - counts["unknown"]
    told = (
        f"{counts['would_fail']:,} would fail, {counts['unknown']:,} cannot be told, "
        f"{readable:,} have a readable raw object"
    )
    if counts["would_fail"]:
        told += "; do not replay before the first are repaired"
    return told


def _reasons(rows: Rows) -> str:
    counted = Counter(row["reason"] for row in rows)
    told = ", ".join(f"{count:,} {reason}" for reason, count in sorted(counted.items()))
    return f" ({told})" if told else ""


def _listed(title: str, rows: Rows) -> str:
    if not rows:
        return ""
    cells = [(row["event_time"], row["event_id"] or row["sk"], _said(row)) for row in rows]
    shown = table([("EVENT TIME", "EVENT ID", "REASON"), *cells[:ROWS_SHOWN]])
    rest = len(rows) - ROWS_SHOWN
    more = f"\n… and {rest:,} more (--format json lists them)" if rest > 0 else ""
    return f"{title}\n\n{shown}{more}"


def _said(row: dict[str, Any]) -> str:
    """Return why a row is where it is listed; what would become of its message comes first."""
    before = {WOULD_FAIL: "would fail: ", UNKNOWN: "unknown whether the object can be read: "}
    outlook = before.get(row.get("prospect", ""), "")
    return f"{outlook}{row['why']}; {row['reason']}" if outlook else str(row["reason"])
