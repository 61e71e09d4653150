"""The plans that the commands with an effect read: sealed by whoever wrote them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from benchmarks.fuzz.target import FILES, Target, expect, parsed, refusing, seed
from benchmarks.fuzz.targets.questions import END, LETTER, PLAN, START
from investigate import process_plan, redrive_plan, replay_plan
from investigate.case import MANIFEST, Case, digest
from investigate.errors import RecoveryRefused, UsageError
from investigate.model import Window
from investigate.pipeline import REFERENCE
from investigate.plan_integrity import Shape, with_digest
from investigate.recovery.pace import SendLimits
from investigate.recovery.plan_file import PlanRequest, plan_for
from investigate.recovery.processing_briefly import refuse_by_plan
from investigate.recovery.replaying import days, missed_keys, to_send

_LIMITS = SendLimits(messages=10, seconds=60.0, rate=1.0)
_OF = {"case": "n", "captured_at": "2026-03-14T00:00:00Z", "manifest": "0"}
_ROW = {
    "event_id": "e", "event_time": "2026-03-10T05:00:00Z", "sk": "TS#1", "s3_bucket": "b",
    "s3_key": "k", "wanted": True, "prospect": "readable", "why": None, "reason": "in the window",
}  # fmt: skip
_REPLAY: dict[str, Any] = {
    "schema": replay_plan.SCHEMA, **_OF, "entity_id": "u1", "limit": 500,
    "window": {"start": "2026-03-10", "end": "2026-03-13"}, "send": [_ROW], "leave_out": [_ROW],
}  # fmt: skip
_PROCESS: dict[str, Any] = {
    "schema": process_plan.SCHEMA, **_OF,
    "queue": {"name": "q", "visible": 1, "not_visible": 0, "delayed": None},
    "processor": {"name": "p", "dry_run": False},
    "mappings": [{"uuid": "u", "state": "Disabled", "batch_size": 10}],
    "sample": {"messages": 1, "malformed": 0, "unloadable": None, "days": [], "unlooked": 0},
    "failures": {"last_lasting": None, "deployed_since": None},
}  # fmt: skip


def _replayed(plan: Mapping[str, Any]) -> None:
    missed_keys(plan)
    rows = to_send(plan, _LIMITS)
    expect(all(row["wanted"] for row in rows), "only what is wanted is sent")
    days(plan, rows, REFERENCE)


def _redriven(plan: Mapping[str, Any]) -> None:
    read = redrive_plan.of_document(plan)
    json.dumps(redrive_plan.document(read), ensure_ascii=False)
    redrive_plan.as_csv(read)


_KINDS: dict[str, tuple[Shape, Callable[[Mapping[str, Any]], None]]] = {
    replay_plan.SCHEMA: (replay_plan.SHAPE, _replayed),
    process_plan.SCHEMA: (process_plan.SHAPE, refuse_by_plan),
    redrive_plan.SCHEMA: ({"letters": [dict]}, _redriven),
}


def _plan(data: bytes) -> None:
    found = parsed(data)
    known = found if isinstance(found, dict) else {}
    FILES.hold(MANIFEST, b"{}")
    case = Case(
        FILES.folder, "n", Window(START, END), END, 0, {}, {}, files={}, rows={}, coverage={}
    )
    # Of this very case, and with its own seal: neither says anything of what the plan holds.
    named = with_digest({**known, "manifest": digest(FILES.folder / MANIFEST)}) if known else found
    FILES.hold("plan.json", json.dumps(named).encode())
    asked = PlanRequest(case, FILES.folder / "plan.json", END + timedelta(1), timedelta(days=9))
    wanted = known.get("schema")
    schema = wanted if isinstance(wanted, str) and wanted in _KINDS else redrive_plan.SCHEMA
    shape, read = _KINDS[schema]
    with refusing(UsageError, RecoveryRefused):
        read(plan_for(asked, schema, shape))


TARGETS = (
    Target(
        "plan",
        "a plan of any kind, of this case and sealed by whoever wrote it",
        _plan,
        (
            seed(redrive_plan.document(PLAN)),
            seed({**_OF, "schema": redrive_plan.SCHEMA, "letters": [asdict(LETTER)]}),
            seed(_REPLAY),
            seed({**_REPLAY, "send": [], "leave_out": []}),
            seed(_PROCESS),
            seed({**_PROCESS, "sample": None, "failures": None}),
        ),
    ),
)
