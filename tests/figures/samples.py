"""One small input for every figure, with a name in it that would be markup if it were let."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from investigate import figures
from investigate.display import Numbers
from investigate.figures import Drawing

HOSTILE = '<b>x</b><a href="https://evil.example">&amp;</a><script>alert(1)</script>\u202e\x1b[31m'
HASH = "a" * 64


def numbers(*rows: dict[str, Any]) -> Numbers:
    return Numbers("sample", list(rows))


def per_hour(**values: Any) -> dict[str, Any]:
    return {"time": "2026-03-10 06:00:00", "seconds": 3600, **values}


DAY = {"entity_id": HOSTILE, "day": "2026-03-10", "verdict": "partial", "of_days": 9}
VERSION = {
    **DAY,
    "of_versions": 30,
    "version": 7,
    "computed": "2026-03-11 00:00:00",
    "inputs_hash": HASH,
}
PART = {
    **DAY, "version": 7, "computed": "2026-03-11 00:00:00", "explained": True, "events": 2,
    "begins": "2026-03-10 06:00:00", "ends": "2026-03-10 07:00:00",
}  # fmt: skip

SAMPLES: dict[str, Sequence[Numbers]] = {
    "aggregate_versions": [
        numbers(
            {**VERSION, "input_count": 3, "explained_by": "sample-ids"},
            {**VERSION, "input_count": 3, "explained_by": "unexplained", "inputs_hash": "b" * 64},
        )
    ],
    "alarm_tests": [
        numbers(
            {"alarm": HOSTILE, "metric": HOSTILE, "resource": HOSTILE, "threshold": ">= 1",
             "total": 4.0, "worst": 2.0, "began": "2026-03-10 06:00:00", "fired": None,
             "word": "silent", "unknown": "", "start": "2026-03-10 00:00:00",
             "end": "2026-03-12 06:00:00"}
        )
    ],
    "failures_and_changes": [
        numbers(per_hour(function=HOSTILE, failures=2)),
        numbers(
            {"resource": HOSTILE, "kind": "function", "what": HOSTILE, "version": "$LATEST",
             "at": "2026-03-10 05:50:00"}
        ),
    ],
    "attempts_timeline": [
        numbers(
            *(
                {"group": HOSTILE, "channel": "client", "sequence": HOSTILE, "attempt": n + 1,
                 "outcome": outcome, "first": "2026-03-10 06:00:00", "attempts": 2,
                 "of_sequences": 5, "time": "2026-03-10 06:00:00", "gap_s": gap, "after_s": 4.0 * n}
                for n, (outcome, gap) in enumerate([("failed", None), ("ok", 4.0)])
            )
        )
    ],
    "batch_walk": [numbers(*(
        {"walk": walk, "invocation": place, "record": record, "state": state, "deliveries": 3,
         "invocations": 1, "function": HOSTILE, "source": HOSTILE, "settings": "not split",
         "records": 2, "bad": "2", "basis": "a logged batch", "agrees": True}
        for walk, place, record, state in (
            ("simulated", 1, 1, "returned"), ("simulated", 1, 2, "bad"),
            ("simulated", 0, 2, "endless"), ("logged", 1, 1, "returned"), ("logged", 1, 2, "bad"),
        )
    ))],
    "checks_by_step": [
        numbers(
            {"step": "raw", "word": "escalate", "checks": 1},
            {"step": "raw", "word": "not-evaluated", "checks": 2},
        )
    ],
    "day_coverage": [
        numbers(
            {**DAY, "sent": 5, "expected": 5, "held_by_newest": 2, "held_by_union": 3,
             "arrived_since": 1}
        )
    ],
    "day_verdicts": [numbers({**DAY, "of_complete": 4})],
    "duplicates_by_cause": [
        numbers({"source": HOSTILE, "made_by": "client-retry", "duplicates": 4})
    ],
    "duplicates_over_time": [numbers(per_hour(source=HOSTILE, duplicates=4))],
    "event_flow": [
        numbers(
            {"stage": "known", "reached": 9, "dropped": 0, "waiting": 0, "unknown": 0, "joined": 9,
             "why": ""},
            {"stage": "processed", "reached": 5, "dropped": 2, "waiting": 1, "unknown": 1,
             "joined": 0, "why": HOSTILE},
        )
    ],
    "events_over_time": [
        numbers(per_hour(source=HOSTILE, events=3, of_sources=1)),
        numbers(
            {"source": HOSTILE, "event_type": HOSTILE, "start": "2026-03-10 07:00:00",
             "end": "2026-03-10 09:00:00", "seconds": 7200.0, "usual_seconds": 60.0, "of": 1}
        ),
    ],
    "failure_classes": [
        numbers({"function": HOSTILE, "failure": "timeout", "failures": 3, "earlier": 1,
                 "later": 2, "runs": 9})
    ],
    "invocations_over_time": [numbers(per_hour(status="timeout", invocations=2))],
    "lag_over_time": [
        numbers(per_hour(events=3, median_lag=2.0, longest_lag=30_000.0)),
        numbers(
            {"time": "2026-03-10 06:00:00", "lag": 30_000.0, "kind": "late", "event_id": HOSTILE,
             "of_kind": 1}
        ),
    ],
    "ledger_cells": [
        numbers(
            {"station": "raw", "cell": "present", "events": 8, "broken": 1},
            {"station": "raw", "cell": "absent", "events": 1, "broken": 1},
            {"station": "events", "cell": "unknown", "events": 9, "broken": 0},
        )
    ],
    "letter_deadlines": [
        numbers(
            {"message_id": HOSTILE, "channel": "sqs-redrive", "decision": "retry",
             "reason": HOSTILE, "failed": "2026-03-10 06:00:00", "until": "2026-03-14 06:00:00",
             "left_s": 172_800, "now": "2026-03-12 06:00:00", "expiring_s": 86_400, "total": 1}
        )
    ],
    "letter_groups": [
        numbers(
            {"channel": "sqs-redrive", "function": "processor", "fingerprint": HOSTILE,
             "kind": "malformed", "lasting": "permanent", "decision": "repair", "letters": 3,
             "first_failed": None, "last_failed": None, "first_until": None}
        )
    ],
    "message_ages": [
        numbers(
            {"age_s": 3600, "well_formed": True, "messages": 2, "seconds": 3600, "oldest_s": 5000,
             "retention_s": 345_600, "expiring_s": 86_400}
        )
    ],
    "queue_levels": [
        numbers(
            {"queue": HOSTILE, "role": "replay", "visible": 3, "not_visible": None, "delayed": 0,
             "oldest_age_s": 60, "retention_s": 345_600}
        )
    ],
    "receive_counts": [
        numbers({"receives": 6, "well_formed": False, "messages": 2, "poison_receives": 5})
    ],
    "records_over_time": [numbers(per_hour(what="failed", records=2))],
    "repeats_by_kind": [
        numbers(
            {"kind": "hiding-loss", "made_by": "client-timeout", "events": 1},
            {"kind": "benign", "made_by": "double-send", "events": 6},
        )
    ],
    "replay_edges": [
        numbers(
            {"event_id": HOSTILE, "event_time": HOSTILE, "entity": HOSTILE, "edge": "start",
             "offset_ms": 500, "by_time": True, "by_text": False, "of": 1, "of_odd": 1}
        )
    ],
    "replay_plan": [numbers(per_hour(entity=HOSTILE, reason="no refs", events=2))],
    "replays_logged": [
        numbers(
            {"logged": "2026-03-11 00:00:00", "entity": HOSTILE, "start": HOSTILE, "end": HOSTILE,
             "rows_there": 9, "scanned": 4, "sent": 4, "of": 1, "of_short": 1,
             "of_unknown": 0}
        )
    ],
    "retry_arrivals": [
        numbers(
            {"group": HOSTILE, "time": "2026-03-10 06:00:00", "retries": 25,
             "beat": "synchronised", "of_seconds": 2},
            {"group": "b", "time": "2026-03-10 06:00:01", "retries": 1, "beat": "insufficient",
             "of_seconds": 2},
        )
    ],
    "retry_gaps": [
        numbers(
            {"source": HOSTILE, "attempt": 2, "median_gap_s": 1.0, "shortest_gap_s": 0.5,
             "longest_gap_s": 2.0, "sequences": 3, "pattern": "fixed", "of_sources": 1}
        )
    ],
    "retry_load": [
        numbers(
            {"group": HOSTILE, "channel": "client", "attempts": 50, "firsts": 10, "repeats": 40,
             "worst_hour": "2026-03-10 06:00:00", "amplification": 5.0,
             "worst_amplification": 6.0, "wasted_gb_s": 1.5, "wasted_usd": 0.000025,
             "storm": True, "factor": 3.0, "of_groups": 2},
            {"group": "b", "channel": "queue", "attempts": 12, "firsts": 10, "repeats": 2,
             "worst_hour": None, "amplification": 1.2, "worst_amplification": None,
             "wasted_gb_s": None, "wasted_usd": None, "storm": False, "factor": 3.0,
             "of_groups": 2},
        )
    ],
    "trace_hops": [
        numbers(
            {"place": 0, "burst": 0, "offset_s": 0.0, "seconds": 0.02, "station": "ingest",
             "what": HOSTILE, "status": "ok", "proves": HOSTILE, "joined_by": "request_id",
             "join_id": HOSTILE, "at": "2026-03-10 06:00:00", "begins": "2026-03-10 06:00:00",
             "quiet_s": 0.0},
            {"place": 1, "burst": 1, "offset_s": 0.0, "seconds": 0.0, "station": "processor",
             "what": HOSTILE, "status": "error", "proves": HOSTILE, "joined_by": "request_id",
             "join_id": HOSTILE, "at": "2026-03-11 06:00:00", "begins": "2026-03-11 06:00:00",
             "quiet_s": 86_400.0},
        )
    ],
    "version_coverage": [
        numbers(
            {**PART, "part": 0, "held": 1, "doubled": 0},
            {**PART, "part": 1, "held": 2, "doubled": 1},
            {**PART, "part": 2, "held": 0, "doubled": 0, "explained": False},
        )
    ],
}  # fmt: skip


def draw(name: str, inputs: Sequence[Numbers] | None = None) -> Drawing:
    """The figure of that name, of its sample or of other input."""
    function: Callable[..., Drawing] = getattr(figures, name)
    return function(*(SAMPLES[name] if inputs is None else inputs))
