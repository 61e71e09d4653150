"""What the figure of a batch shows: each record in each invocation, simulated and as logged."""

from __future__ import annotations

from typing import Any

from investigate.analysis.batch_walk_rules import ENDLESS, QueueSettings, StreamSettings
from investigate.analysis.batch_walks import (
    BAD,
    DELIVERED,
    RETURNED,
    Batch,
    Row,
    Settings,
    batches,
    unwalked,
)
from investigate.errors import NotEvaluable
from investigate.evidence import Evidence

SIMULATED, LOGGED = "simulated", "logged"
MOST_COLUMNS = 14  # invocations shown of either walk
_WALKED = (
    "function", "source", "settings", "records", "bad", "basis", "agrees", "invocations",
    "most_deliveries", "given_up", "kept", "endless",
)  # fmt: skip


def batch_walk(evidence: Evidence) -> list[dict[str, Any]]:
    """Return what becomes of one batch, record by record: that of the mapping for which a batch
    with a bad record was logged, else a supposed one. Rows: walk (simulated, logged), invocation
    (1 for the first; 0 for what becomes of the record at the end), record, state, deliveries (of
    the record in this walk), and of the batch function, source, settings, records, bad, basis,
    agrees and invocations (of this walk). Raises `NotEvaluable` if there are mappings, but the
    settings of none are known."""
    found = batches(evidence)
    if not found and (unknown := unwalked(evidence)):
        raise NotEvaluable("; ".join(dict.fromkeys(why for _, why in unknown)))
    return _cells(found[0]) if found else []


def batch_walks(evidence: Evidence) -> list[dict[str, Any]]:
    """Return what each mapping does with a batch that has a bad record: function, source, settings,
    records, bad, basis, invocations, most_deliveries (of a record), kept (of what it gives up on),
    given_up (records), endless (records that come again until they expire) and agrees. Where the
    settings are not known, they say why, the basis is `not known`, and the rest None."""
    known = [
        {
            **_about(batch),
            "invocations": len(batch.walk.invocations),
            "most_deliveries": max(batch.walk.deliveries),
            "given_up": len(batch.walk.lost),
            "kept": batch.keeps_failures,
            "endless": 0 if batch.walk.endless is None else _length(*batch.walk.endless),
        }
        for batch in batches(evidence)
    ]
    unknown = [
        {
            **dict.fromkeys(_WALKED),
            "function": mapping["function"],
            "source": _source(mapping),
            "settings": why,
            "basis": "not known",
        }
        for mapping, why in unwalked(evidence)
    ]
    return known + unknown


def _cells(batch: Batch) -> list[dict[str, Any]]:
    about = _about(batch)
    shown = batch.invocations[:MOST_COLUMNS]
    numbers = range(1, batch.records + 1)
    simulated = [
        _cell(
            SIMULATED, place, n, batch.state(records, n), batch.walk.deliveries[n - 1], len(shown)
        )
        for place, records in enumerate(shown, 1)
        for n in records
    ]
    ends = [
        _cell(SIMULATED, 0, n, batch.end_of(n), batch.walk.deliveries[n - 1], len(shown))
        for n in numbers
    ]
    logged = batch.logged[:MOST_COLUMNS]
    times = {n: sum(n in one.records for one in batch.logged) for n in numbers}
    seen = [
        _cell(LOGGED, place, n, _seen(batch, one.failed, n), times[n], len(logged))
        for place, one in enumerate(logged, 1)
        for n in one.records
    ]
    return [{**cell, **about} for cell in (*simulated, *ends, *seen) if cell["state"]]


def _cell(
    walk: str, place: int, record: int, state: str | None, deliveries: int, invocations: int
) -> dict[str, Any]:
    return {
        "walk": walk, "invocation": place, "record": record, "state": state,
        "deliveries": deliveries, "invocations": invocations,
    }  # fmt: skip


def _seen(batch: Batch, failed: bool, record: int) -> str:
    if not failed:
        return DELIVERED
    return BAD if record in batch.bad else RETURNED


def _about(batch: Batch) -> dict[str, Any]:
    return {
        "function": batch.mapping["function"],
        "source": _source(batch.mapping),
        "settings": settings_text(batch.settings),
        "records": batch.records,
        "bad": ", ".join(str(n) for n in batch.bad),
        "basis": "a logged batch" if batch.logged else "a supposed batch",
        "agrees": batch.agrees,
    }


def _source(mapping: Row) -> str:
    return str(mapping["source_arn"]).rsplit(":", 1)[-1]


def settings_text(settings: Settings) -> str:
    """Return the settings that decide what becomes of a batch, in words."""
    partial = "partial answers" if settings.report_failures else "no partial answers"
    if isinstance(settings, QueueSettings):
        most = settings.max_receive_count
        return f"{f'{most} receives at most' if most else 'no redrive policy'}, {partial}"
    return f"{_attempts(settings)}, {'split in two' if settings.bisect else 'not split'}, {partial}"


def _attempts(settings: StreamSettings) -> str:
    many = settings.retry_attempts
    return "retries without end" if many == ENDLESS else f"{many} retries"


def _length(first: int, last: int) -> int:
    return last - first + 1
