"""What the figures of the queue show: how old messages are, how often received, how many wait."""

from __future__ import annotations

from typing import Any

import ibis

from investigate.engine import seconds_between
from investigate.evidence import Evidence, timestamp
from investigate.numbers.bins import (
    LADDER,
    listed,
    sample_ids,
    with_ids,
)

MOST_BARS = 48
MANY_RECEIVES = 20


def queue_levels(evidence: Evidence) -> list[dict[str, Any]]:
    """Return how many messages each queue held: queue, role, visible, not_visible, delayed,
    oldest_age_s, retention_s."""
    rows = evidence["queue_state"].select(
        "role", "visible", "not_visible", "delayed", "oldest_age_s", "retention_s", queue="name"
    )
    return listed(evidence, rows.order_by(["role", "queue"]), most=MOST_BARS)


def message_ages(evidence: Evidence) -> list[dict[str, Any]]:
    """Return how many sampled messages had waited how long when the case was captured: age_s (the
    start of a bin), well_formed, messages, seconds (the length of a bin), oldest_s, retention_s
    (the shortest of the replay queues; none if unknown), expiring_s (the threshold),
    ids (of messages: first and last of few)."""
    rows = evidence["messages"]
    ages = seconds_between(rows.sent_utc, timestamp(evidence.case.captured_at))
    rows = rows.filter(rows.sent_utc.notnull()).mutate(age=ages.cast("int64"))
    oldest = evidence.engine.scalar(rows.age.max())
    if oldest is None:
        return []
    seconds = next((span for span in LADDER if oldest <= span * MOST_BARS), LADDER[-1])
    counted = rows.group_by(
        age_s=rows.age - rows.age % seconds, well_formed=rows.well_formed.fill_null(False)
    ).agg(messages=rows.count(), **sample_ids(rows.message_id))
    limits = {
        "seconds": seconds,
        "oldest_s": oldest,
        "retention_s": _retention(evidence),
        "expiring_s": evidence.thresholds.expiring_seconds,
    }
    found = with_ids(listed(evidence, counted.order_by("age_s", "well_formed")), "messages")
    return [{**row, **limits} for row in found]


def receive_counts(evidence: Evidence) -> list[dict[str, Any]]:
    """Return how many sampled messages were received how often: receives (20 stands for 20 and
    more), well_formed, messages, poison_receives (the threshold), ids (first and last of few)."""
    rows = evidence["messages"]
    rows = rows.filter(rows.receive_count.notnull())
    counted = rows.group_by(
        receives=ibis.least(rows.receive_count, MANY_RECEIVES),
        well_formed=rows.well_formed.fill_null(False),
    ).agg(
        messages=rows.count(),
        poison_receives=ibis.literal(evidence.thresholds.poison_receives),
        **sample_ids(rows.message_id),
    )
    return with_ids(listed(evidence, counted.order_by("receives", "well_formed")), "messages")


def _retention(evidence: Evidence) -> int | None:
    if not evidence.has("queue_state"):
        return None
    queues = evidence["queue_state"]
    shortest = queues.filter(queues.role == "replay").retention_s.min()
    return evidence.engine.scalar(shortest)  # type: ignore[no-any-return]
