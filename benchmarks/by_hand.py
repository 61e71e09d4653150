"""The explanation of aggregate versions as one would write it in a notebook: pandas and loops."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

Input = tuple[str, str, str]  # event time, event id, payload hash
Day = dict[str, dict[str, tuple[Input, pd.Timestamp]]]  # store -> event id -> input, arrival


def explain(case: Path) -> dict[tuple[str, str], tuple[str, str | None]]:
    """Return (explained_by, agrees_with) of every aggregate version, by (pk, sk)."""
    days = _days(case)
    rows: list[dict[str, Any]] = pq.read_table(case / "aggregates").to_pylist()
    return {
        (row["pk"], row["sk"]): _explained(row, days.get((row["entity_id"], row["day"]), {}))
        for row in rows
    }


def _table(case: Path, name: str) -> pd.DataFrame:
    frame: pd.DataFrame = pq.read_table(case / name).to_pandas()
    return frame


def _days(case: Path) -> dict[tuple[str, str], Day]:
    days: dict[tuple[str, str], Day] = {}
    for store in ("raw", "events"):
        frame = _table(case, store)
        columns = ("entity_id", "event_time", "event_id", "payload_sha", "ingest_time_utc")
        for entity, when, event_id, sha, arrived in zip(
            *(frame[column] for column in columns), strict=True
        ):
            day = days.setdefault((entity, when[:10]), {"raw": {}, "events": {}})
            day[store][event_id] = ((when, event_id, sha), arrived)
    return days


def _explained(row: dict[str, Any], day: Day) -> tuple[str, str | None]:
    found = {
        store: name for store in ("raw", "events") if (name := _strategy(row, day.get(store, {})))
    }
    if not found:
        return "unexplained", None
    return next(iter(found.values())), "both" if len(found) == 2 else next(iter(found))


def _strategy(row: dict[str, Any], events: dict[str, tuple[Input, pd.Timestamp]]) -> str | None:
    for name, inputs in _candidates(row, events):
        if _hash(inputs) == row["inputs_hash"]:
            return name
    return None


def _candidates(
    row: dict[str, Any], events: dict[str, tuple[Input, pd.Timestamp]]
) -> Iterator[tuple[str, Sequence[Input]]]:
    size, samples = row["input_count"], row["sample_event_ids"]
    if size <= 10 and all(event_id in events for event_id in samples):
        yield "sample-ids", [events[event_id][0] for event_id in samples]
    early = sorted(known for known, arrived in events.values() if arrived <= row["computed_at_utc"])
    if len(early) == size:
        yield "day-as-of-computed", early
    for start in range(len(early) - size + 1):
        yield "consecutive-run", early[start : start + size]
    if 2 * len(early) == size:
        yield "day-doubled", [event for event in early for _ in range(2)]


def _hash(inputs: Sequence[Input]) -> str:
    listed = ",".join(f'{{"event_id":"{key}","payload_sha":"{sha}"}}' for _, key, sha in inputs)
    return hashlib.sha256(f"[{listed}]".encode()).hexdigest()
