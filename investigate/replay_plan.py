"""The plan of a replay: what it would send, what it would leave out, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import ibis.expr.types as ir

from investigate.analysis.replay_prospects import READABLE, UNKNOWN, WOULD_FAIL, with_prospects
from investigate.analysis.replays import planned
from investigate.case import MANIFEST, digest
from investigate.evidence import Evidence
from investigate.model import isoformat
from investigate.plan_integrity import TEXT_OR_NULL, Shape, with_digest

SCHEMA = "investigate.replay-plan/1"
COLUMNS = (
    "event_id", "event_time", "sk", "status", "s3_bucket", "s3_key", "decision", "reason", "wanted",
)  # fmt: skip
_ROW: dict[str, Shape] = {
    "event_id": TEXT_OR_NULL, "event_time": TEXT_OR_NULL, "sk": str, "s3_bucket": TEXT_OR_NULL,
    "s3_key": TEXT_OR_NULL, "reason": str, "wanted": bool,
}  # fmt: skip
SHAPE: Shape = {  # of what a replay reads of its plan
    "entity_id": TEXT_OR_NULL,
    "window": (type(None), {"start": TEXT_OR_NULL, "end": TEXT_OR_NULL}),
    "limit": int,
    "send": [{**_ROW, "prospect": str, "why": TEXT_OR_NULL}],
    "leave_out": [_ROW],
}
PROSPECTS = (WOULD_FAIL, UNKNOWN, READABLE)  # what needs a hand comes first

Rows = Sequence[dict[str, Any]]


def document(
    evidence: Evidence, entity: str, limit: int, *, include_duplicates: bool
) -> dict[str, Any]:
    """Return the plan of an entity's replay in the window of the evidence as plain values in a
    fixed order, with its digest. Raises `NotEvaluable` if the events were not captured."""
    rows = planned(evidence, limit, include_duplicates=include_duplicates)
    sends, others = (rows.filter(choice) for choice in (_sends(rows), ~_sends(rows)))
    judged = with_prospects(evidence, sends).select(*COLUMNS, "prospect", "why").order_by("sk")
    send = [_shown(row) for row in evidence.engine.rows(judged)]
    left = others.select(*COLUMNS).order_by("sk")
    leave_out = [_shown(row) for row in evidence.engine.rows(left)]
    send.sort(key=lambda row: PROSPECTS.index(row["prospect"]))
    window = evidence.window
    return with_digest(
        {
            "schema": SCHEMA,
            "case": evidence.case.name,
            "captured_at": isoformat(evidence.case.captured_at),
            "manifest": digest(evidence.case.folder / MANIFEST),
            "entity_id": entity,
            "window": {"start": isoformat(window.start), "end": isoformat(window.end)},
            "limit": limit,
            "include_duplicates": include_duplicates,
            "counts": _counts(send, leave_out),
            "send": send,
            "leave_out": leave_out,
        }
    )


def _sends(rows: ir.Table) -> ir.BooleanValue:
    return rows.decision == "send"


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
