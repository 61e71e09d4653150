"""What the figures of dead letters show: which errors, which decisions, and how long there is."""

from __future__ import annotations

from typing import Any

import ibis

from investigate.analysis.dead_letters import letter_decisions, urgent_first
from investigate.analysis.discards import discards
from investigate.evidence import Evidence
from investigate.numbers.bins import (
    listed,
    moment_text,
    sample_ids,
    with_ids,
)

MOST_GROUPS = 30
MOST_LETTERS = 60


def letter_groups(evidence: Evidence) -> list[dict[str, Any]]:
    """Return the dead letters by error and decision, the most first: channel, function,
    fingerprint, kind, lasting, decision, letters, first_failed, last_failed, first_until, ids (of
    messages: first and last of few)."""
    rows = evidence.in_scope(letter_decisions(evidence))
    counted = rows.group_by(
        "channel", "function", "fingerprint", "kind", "lasting", "decision"
    ).agg(
        letters=rows.count(),
        first_failed=rows.failed_utc.min(),
        last_failed=rows.failed_utc.max(),
        first_until=rows.until_utc.min(),
        **sample_ids(rows.message_id),
    )
    ordered = counted.order_by([ibis.desc("letters"), "fingerprint", "channel", "decision"])
    times = ("first_failed", "last_failed", "first_until")
    return with_ids(listed(evidence, ordered, *times, most=MOST_GROUPS), "letters")


def letter_deadlines(evidence: Evidence) -> list[dict[str, Any]]:
    """Return the dead letters that end first: message_id, channel, decision, reason, failed and
    until (texts; None if unknown), left_s (until the end, from the capture), now, expiring_s (the
    threshold), and total (letters in all)."""
    rows = evidence.in_scope(letter_decisions(evidence))
    total = evidence.engine.count(rows)
    shown = urgent_first(rows).select(
        "message_id", "channel", "decision", "reason", "left_s",
        failed=ibis._.failed_utc, until=ibis._.until_utc,
    )  # fmt: skip
    extra = {
        "now": moment_text(evidence.case.captured_at),
        "expiring_s": evidence.thresholds.expiring_seconds,
        "total": total,
    }
    first = listed(evidence, shown, "failed", "until", most=MOST_LETTERS)
    return [{**row, **extra} for row in first]


def discarded(evidence: Evidence) -> list[dict[str, Any]]:
    """Return what was given up with nothing kept of it: function, why, lost, example."""
    evidence.require_one(("invocations", "metric_points"))
    rows = discards(evidence)
    return listed(evidence, rows.order_by(["function", "why"]))
