"""The questions in pandas, as in a notebook, of the tables in a folder that is named."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.peers.contenders.by_loops import any_run, hashed
from benchmarks.peers.questions import Answers, answers, printed

RAW = [
    "key_event_id", "event_id", "s3_key", "readable", "error", "last_modified", "entity_id",
    "event_type", "source", "event_time", "event_time_utc", "ingest_time_utc", "payload_sha",
    "payload_sha_actual",
]  # fmt: skip
EVENTS = [
    "event_id", "sk", "s3_bucket", "s3_key", "status", "source", "event_type", "entity_id",
    "event_time", "event_time_utc", "ingest_time_utc", "payload_sha",
]  # fmt: skip
GATE = ["event_id", "first_seen_utc", "event_time_utc"]
DAY = ["entity_id", "day", "event_id"]
Frames = dict[str, pd.DataFrame]


def main(folder: Path) -> Answers:
    """Return the answers from the tables of a folder."""
    told = json.loads((folder / "limits.json").read_text(encoding="utf-8"))
    limits = {name: pd.Timestamp(told[name]) for name in ("start", "end", "until", "expired")}
    tables = {
        "raw": pd.read_parquet(folder / "raw", columns=RAW),
        "events": pd.read_parquet(folder / "events", columns=EVENTS),
        "dedupe": pd.read_parquet(folder / "dedupe", columns=GATE),
    }
    raw = tables["raw"]
    raw = raw[~raw.error.str.match("gone|deleted").fillna(False).astype(bool)]
    tables["raw"] = raw.assign(
        rid=raw.key_event_id.fillna(raw.event_id), readable=raw.readable.fillna(False).astype(bool)
    )
    keys = _stores_compared(tables, limits)
    repeats = _repeats(folder, tables, limits)
    keys["events/duplicate"] = list(repeats.index)
    keys["aggregates/unexplained"] = _unexplained(folder, tables, told)
    return answers(keys, {str(cause): count for cause, count in repeats.value_counts().items()})


def _stores_compared(tables: Frames, limits: Mapping[str, Any]) -> dict[str, list[str]]:
    raw, events, gate = tables["raw"], tables["events"], tables["dedupe"]
    readable = raw[raw.readable]
    named = (events[["event_id", "s3_key", "s3_bucket"]].fillna("") != "").all(axis=1)
    lost = events[named & ~events.s3_key.isin(raw.s3_key)]
    lost = _in_window(_settled(lost, "ingest_time_utc", limits), limits)
    elsewhere = lost.event_id.isin(raw.rid) | lost.event_id.isin(readable.event_id)
    gone = lost[~elsewhere]
    outlived = gone.event_id.map(_arrivals(tables, gone.event_id)) <= limits["expired"]
    rowless = _settled(readable, "last_modified", limits)
    rowless = rowless[~rowless.rid.isin(events.event_id)]
    rowless = rowless[~rowless.s3_key.isin(events.s3_key)]
    orphans = _settled(gate, "first_seen_utc", limits)
    orphans = orphans[~orphans.event_id.isin(raw.rid)]
    orphans = orphans[~orphans.event_id.isin(events.event_id)]
    changed = readable[readable.payload_sha != readable.payload_sha_actual]
    changed = changed[changed.payload_sha.notna() & changed.payload_sha_actual.notna()]
    return {
        "raw/missing": gone.event_id[~outlived].tolist(),
        "raw/expired": gone.event_id[outlived].tolist(),
        "events/dangling-key": lost.event_id[elsewhere].tolist(),
        "events/missing-row": _in_window(rowless, limits).rid.tolist(),
        "dedupe/orphan": _in_window(orphans, limits).event_id.tolist(),
        "raw/payload-mismatch": _in_window(
            _settled(changed, "last_modified", limits), limits
        ).rid.tolist(),
    }


def _settled(rows: pd.DataFrame, column: str, limits: Mapping[str, Any]) -> pd.DataFrame:
    settled: pd.DataFrame = rows[rows[column].isna() | (rows[column] <= limits["until"])]
    return settled


def _in_window(rows: pd.DataFrame, limits: Mapping[str, Any]) -> pd.DataFrame:
    moment = rows.event_time_utc
    inside = (moment >= limits["start"]) & (moment < limits["end"])
    windowed: pd.DataFrame = rows[moment.isna() | inside]
    return windowed


def _arrivals(tables: Frames, ids: pd.Series) -> pd.Series:
    """When each of these ids was first seen by any store."""
    seen = [
        frame[[key, column]].set_axis(["event_id", "arrived"], axis=1)[frame[key].isin(ids)]
        for frame, key, column in (
            (tables["raw"], "rid", "ingest_time_utc"),
            (tables["events"], "event_id", "ingest_time_utc"),
            (tables["dedupe"], "event_id", "first_seen_utc"),
        )
    ]
    first: pd.Series = pd.concat(seen).groupby("event_id").arrived.min()
    return first


def _repeats(folder: Path, tables: Frames, limits: Mapping[str, Any]) -> pd.Series:
    """What made each refused repeat of a stored event, by event id."""
    events, raw = tables["events"], tables["raw"]
    rows = events[events.status == "DUPLICATE"]
    rows = rows.assign(arrived=rows.event_id.map(_arrivals(tables, rows.event_id)))
    rows["gap"] = (rows.ingest_time_utc - rows.arrived).dt.total_seconds()
    rows["soon"] = rows.gap <= 900
    rows = rows.sort_values(["ingest_time_utc", "event_id", "sk"])
    peers = rows.groupby(["soon", "source"], dropna=False)
    fifth = peers.ingest_time_utc.shift(-4)
    rows["opens"] = (fifth - rows.ingest_time_utc) <= pd.Timedelta(seconds=600)
    rows["in_run"] = False
    for back in range(5):
        rows["in_run"] |= peers.opens.shift(back, fill_value=False)
    died = rows.event_id.isin(_died(folder, rows[rows.soon]))
    rows["made_by"] = np.select(
        [rows.soon & died, rows.soon & (rows.gap < 1), rows.soon, rows.in_run],
        ["client-timeout", "double-send", "client-retry", "upstream-replay"],
        "late-repeat",
    )
    same = ["payload_sha", "event_time", "event_type", "entity_id", "source"]
    stored = raw.loc[raw.readable & raw.rid.isin(rows.event_id), ["rid", *same]]
    rows = rows.merge(
        stored.drop_duplicates(), left_on=["event_id", *same], right_on=["rid", *same]
    )
    rows = _in_window(_settled(rows, "ingest_time_utc", limits), limits)
    made_by: pd.Series = rows.set_index("event_id").made_by
    return made_by


def _died(folder: Path, rows: pd.DataFrame) -> set[str]:
    """The ids whose first ingest request failed, by its log line or by the time of its run."""
    lines = pd.read_parquet(
        folder / "log_lines",
        columns=["event_id", "request_id", "logged_utc"],
        filters=[("message", "==", "event_ingested")],
    )
    lines = lines[lines.event_id.isin(rows.event_id)].sort_values(["logged_utc", "request_id"])
    calls = pd.read_parquet(
        folder / "invocations",
        columns=["function", "request_id", "started_utc", "ended_utc", "status"],
    )
    failed = calls.request_id[calls.status.notna() & (calls.status != "ok")]
    first = lines.drop_duplicates("event_id")
    by_log = first.event_id[first.request_id.isin(failed)]
    roles = pd.read_parquet(folder / "functions", columns=["name", "role"])
    calls = calls[calls.function.isin(roles.name[roles.role == "ingest"])]
    return set(by_log) | _died_in_a_run(rows, calls.dropna(subset=["started_utc", "ended_utc"]))


def _died_in_a_run(rows: pd.DataFrame, calls: pd.DataFrame) -> set[str]:
    """The ids that arrived during runs of which none ended well: a join by time, for which the runs
    are sorted by their start, so that only those near an arrival are looked at."""
    calls = calls.sort_values("started_utc")
    longest = (calls.ended_utc - calls.started_utc).max()
    arrived = rows.arrived
    low = calls.started_utc.searchsorted(arrived - longest, side="left")
    high = calls.started_utc.searchsorted(arrived, side="right")
    count = high - low
    row = np.repeat(np.arange(len(rows)), count)
    call = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + low.repeat(count)
    pairs = pd.DataFrame(
        {
            "event_id": rows.event_id.to_numpy()[row],
            "arrived": arrived.to_numpy()[row],
            "ended": calls.ended_utc.to_numpy()[call],
            "well": (calls.status == "ok").to_numpy()[call],
        }
    )
    well = pairs[pairs.arrived <= pairs.ended].groupby("event_id").well.any()
    return set(well.index[~well])


def _unexplained(folder: Path, tables: Frames, told: Mapping[str, str]) -> list[str]:
    versions = pd.read_parquet(folder / "aggregates")
    versions = versions[versions.inputs_hash != hashed([])]
    stores = [_one_per_id(tables["raw"], "rid"), _one_per_id(tables["events"], "event_id")]
    left = versions[~versions.index.isin(_by_samples(versions, *stores))]
    for store in stores:  # one store alone, for the few that the two together do not reproduce
        left = left[~left.index.isin(_by_samples(left, store, store))]
    left = left[~left.index.isin(_by_runs(left, tables, stores))]
    left = left[left.computed_at_utc.isna() | (left.computed_at_utc <= pd.Timestamp(told["until"]))]
    left = left[left.day.between(told["first_day"], told["last_day"])]
    return [f"{entity} {day}" for entity, day in zip(left.entity_id, left.day, strict=True)]


def _one_per_id(rows: pd.DataFrame, key: str) -> pd.DataFrame:
    """The known events of each day, of those that stand there more than once the first."""
    rows = rows[rows.event_time_utc.notna() & rows[key].notna() & rows.entity_id.notna()]
    days = rows[["entity_id", "event_time", "payload_sha"]].assign(
        event_id=rows[key],
        day=rows.event_time_utc.dt.strftime("%Y-%m-%d"),
        readable=rows.get("readable", False),
    )
    again = days.duplicated("event_id", keep=False)
    first = days[again].sort_values(["event_time", "payload_sha"]).drop_duplicates(DAY)
    return pd.concat([days[~again], first])


def _by_samples(versions: pd.DataFrame, first: pd.DataFrame, second: pd.DataFrame) -> pd.Index:
    """The versions whose sample ids reproduce them, with the payload hash of the first store where
    it has the event, else that of the second."""
    few = versions[versions.input_count.isna() | (versions.input_count <= 10)]
    listed = few[["entity_id", "day", "sample_event_ids"]].explode("sample_event_ids")
    listed = listed.rename(columns={"sample_event_ids": "event_id"}).rename_axis("version")
    listed = listed.reset_index()
    for name, store in (("first", first), ("second", second)):
        wanted = store.loc[store.event_id.isin(listed.event_id), [*DAY, "payload_sha"]]
        listed = listed.merge(wanted.rename(columns={"payload_sha": name}), "left", on=DAY)
    sha = listed["first"].fillna(listed.second)
    listed["text"] = '{"event_id":"' + listed.event_id + '","payload_sha":"' + sha + '"}'
    known = sha.notna().groupby(listed.version).all()
    texts = listed[listed.version.isin(known.index[known])].groupby("version").text.agg(",".join)
    found = texts.map(lambda text: hashed([text]))
    return found.index[found == versions.inputs_hash.loc[found.index]]


def _by_runs(versions: pd.DataFrame, tables: Frames, stores: list[pd.DataFrame]) -> set[Any]:
    """The versions that a whole day reproduces, or a run of it, as it stood when they were made."""
    asked = versions[["entity_id", "day"]].drop_duplicates()
    raw, index = (store.merge(asked, on=["entity_id", "day"]) for store in stores)
    kept = index[index.event_id.isin(raw.event_id[raw.readable])]
    arrived = _arrivals(tables, pd.concat([raw, index]).event_id)
    wanted = versions[["entity_id", "day", "inputs_hash", "input_count", "computed_at_utc"]]
    wanted = wanted.rename_axis("version").reset_index()
    found: set[Any] = set()
    for store in (index, raw, kept):
        rows = wanted[~wanted.version.isin(found)].merge(store, on=["entity_id", "day"])
        rows = rows[~(rows.event_id.map(arrived) > rows.computed_at_utc)]
        rows = rows.sort_values(["version", "event_time", "event_id"])
        rows["text"] = (
            '{"event_id":"' + rows.event_id + '","payload_sha":"' + rows.payload_sha + '"}'
        )
        runs = rows.groupby("version").agg(
            texts=("text", list), length=("input_count", "first"), wanted=("inputs_hash", "first")
        )
        for version, texts, length, inputs_hash in runs.itertuples(name=None):
            if any_run(texts, int(length), inputs_hash):
                found.add(version)
    return found


if __name__ == "__main__":
    print(printed(main(Path(sys.argv[1]))))
