"""`investigate replay-plan`: what a replay would send, what it would leave out, and why."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import ibis.expr.types as ir

from investigate.analysis.prospects import READABLE, UNKNOWN, WOULD_FAIL, with_prospects
from investigate.analysis.replays import planned
from investigate.case import MANIFEST, digest
from investigate.commands.console import Console
from investigate.commands.question import engine_of, parameters_of
from investigate.errors import UsageError
from investigate.evidence import Evidence
from investigate.investigation import evidence_for
from investigate.model import isoformat
from investigate.plans import sealed
from investigate.report.text import labelled, table

SCHEMA = "investigate.replay-plan/1"
ROWS_SHOWN = 20
COLUMNS = (
    "event_id", "event_time", "sk", "status", "s3_bucket", "s3_key", "decision", "reason", "wanted",
)  # fmt: skip
PROSPECTS = (WOULD_FAIL, UNKNOWN, READABLE)  # what needs a hand comes first


def run(options: argparse.Namespace, console: Console) -> int:
    """Print the plan; nothing is sent, ever."""
    if options.limit < 1:
        raise UsageError(
            f"--limit {options.limit} is not a number of rows",
            hint="give 1 or more; the pipeline itself takes 0 for its default of 500",
        )
    evidence = evidence_for(parameters_of(options), engine=engine_of(options))
    rows = planned(evidence, options.limit, include_duplicates=options.include_duplicates)
    sends, others = (rows.filter(choice) for choice in (_sends(rows), ~_sends(rows)))
    judged = with_prospects(evidence, sends).select(*COLUMNS, "prospect", "why").order_by("sk")
    send = [_shown(row) for row in evidence.engine.rows(judged)]
    left = others.select(*COLUMNS).order_by("sk")
    leave_out = [_shown(row) for row in evidence.engine.rows(left)]
    send.sort(key=lambda row: PROSPECTS.index(row["prospect"]))
    plan = _plan(evidence, options, send, leave_out)
    console.out(_text(plan) if options.format == "text" else json.dumps(plan, indent=1))
    return 0


def _sends(rows: ir.Table) -> ir.BooleanValue:
    return rows.decision == "send"


Rows = Sequence[dict[str, Any]]


def _plan(
    evidence: Evidence, options: argparse.Namespace, send: Rows, leave_out: Rows
) -> dict[str, Any]:
    window = evidence.window
    return sealed(
        {
            "schema": SCHEMA,
            "case": evidence.case.name,
            "captured_at": isoformat(evidence.case.captured_at),
            "manifest": digest(evidence.case.folder / MANIFEST),
            "entity_id": options.entity,
            "window": {"start": isoformat(window.start), "end": isoformat(window.end)},
            "limit": options.limit,
            "include_duplicates": options.include_duplicates,
            "counts": _counts(send, leave_out),
            "send": list(send),
            "leave_out": list(leave_out),
        }
    )


def _counts(send: Rows, leave_out: Rows) -> dict[str, int]:
    """Return how many rows are sent and how it would end, and how many should be sent."""
    ends = Counter(row["prospect"] for row in send)
    missed = sum(row["wanted"] for row in leave_out)
    right = sum(row["wanted"] for row in send)
    return {
        "send": len(send),
        "would_fail": ends[WOULD_FAIL],
        "unknown": ends[UNKNOWN],
        "leave_out": len(leave_out),
        "should_send": right + missed,
        "missed": missed,
        "sent_needlessly": len(send) - right,
    }


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "decision"}


def _text(plan: dict[str, Any]) -> str:
    send, leave_out = plan["send"], plan["leave_out"]
    fine = [row for row in send if row["prospect"] == READABLE]
    parts = [
        _head(plan),
        _listed("WOULD FAIL", [row for row in send if row["prospect"] == WOULD_FAIL]),
        _listed("CANNOT BE TOLD", [row for row in send if row["prospect"] == UNKNOWN]),
        _listed("SHOULD BE SENT, BUT WOULD NOT BE", [row for row in leave_out if row["wanted"]]),
        _listed("WOULD BE SENT, BUT SHOULD NOT BE", [row for row in fine if not row["wanted"]]),
        _listed("WOULD BE SENT", [row for row in fine if row["wanted"]]),
    ]
    return "\n\n".join(part for part in parts if part)


def _head(plan: dict[str, Any]) -> str:
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
