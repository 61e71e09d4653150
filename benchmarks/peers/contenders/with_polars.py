"""The questions in lazy polars, of the tables in a folder that is named."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.peers.contenders.by_loops import any_run, hashed
from benchmarks.peers.questions import Answers, answers, printed

Lazy = Any  # polars is installed for this benchmark alone, so its types are not known
Limits = Mapping[str, Any]
DAY = ["entity_id", "day", "event_id"]
VERSION = ["pk", "sk"]


def main(folder: Path) -> Answers:
    """Return the answers from the tables of a folder."""
    told = json.loads((folder / "limits.json").read_text(encoding="utf-8"))
    limits = {
        name: datetime.fromisoformat(told[name]) for name in ("start", "end", "until", "expired")
    }
    tables = {
        name: pl.scan_parquet(folder / name / "*.parquet", hive_partitioning=False)
        for name in (
            "raw",
            "events",
            "dedupe",
            "aggregates",
            "invocations",
            "log_lines",
            "functions",
        )
    }
    deleted = pl.col("error").str.contains("^(gone|deleted)").fill_null(False)
    tables["raw"] = tables["raw"].filter(~deleted).with_columns(
        rid=pl.coalesce("key_event_id", "event_id"), readable=pl.col("readable").fill_null(False)
    )  # fmt: skip
    asked = {**_stores_compared(tables, limits), "repeats": _repeats(tables, limits)}
    # All at once, so that polars reads what several of them need only once.
    found = dict(zip(asked, pl.collect_all(list(asked.values())), strict=True))
    repeats = found.pop("repeats")
    keys = {code: frame.to_series().to_list() for code, frame in found.items()}
    keys["events/duplicate"] = repeats["event_id"].to_list()
    keys["aggregates/unexplained"] = _unexplained(tables, told, limits["until"])
    return answers(keys, dict(repeats["made_by"].value_counts().iter_rows()))


def _stores_compared(tables: Mapping[str, Lazy], limits: Limits) -> dict[str, Lazy]:
    raw, events, gate = tables["raw"], tables["events"], tables["dedupe"]
    readable = raw.filter("readable")
    named = [pl.col(name) != "" for name in ("event_id", "s3_key", "s3_bucket")]
    lost = events.filter(*named, *_counts("ingest_time_utc", limits))
    lost = lost.join(raw, on="s3_key", how="anti")
    ids = pl.concat([raw.select(event_id="rid"), readable.select("event_id")])
    gone = lost.join(ids, on="event_id", how="anti").select("event_id")
    gone = gone.join(_arrivals(tables, gone), on="event_id", how="left")
    outlived = (pl.col("arrived") <= limits["expired"]).fill_null(False)
    rowless = readable.filter(*_counts("last_modified", limits))
    rowless = rowless.join(events, left_on="rid", right_on="event_id", how="anti")
    rowless = rowless.join(events, on="s3_key", how="anti")
    orphans = gate.filter(*_counts("first_seen_utc", limits))
    orphans = orphans.join(raw, left_on="event_id", right_on="rid", how="anti")
    orphans = orphans.join(events, on="event_id", how="anti")
    changed = readable.filter(pl.col("payload_sha") != pl.col("payload_sha_actual"))
    changed = changed.filter(*_counts("last_modified", limits))
    return {
        "raw/missing": gone.filter(~outlived).select("event_id"),
        "raw/expired": gone.filter(outlived).select("event_id"),
        "events/dangling-key": lost.join(ids, on="event_id", how="semi").select("event_id"),
        "events/missing-row": rowless.select("rid"),
        "dedupe/orphan": orphans.select("event_id"),
        "raw/payload-mismatch": changed.select("rid"),
    }


def _counts(column: str, limits: Limits) -> list[Any]:
    """What is old enough to judge, and about the window."""
    moment = pl.col("event_time_utc")
    inside = (moment >= limits["start"]) & (moment < limits["end"])
    return [
        (pl.col(column) <= limits["until"]).fill_null(True),
        inside.fill_null(True),
    ]


def _arrivals(tables: Mapping[str, Lazy], ids: Lazy) -> Lazy:
    """When each of these ids was first seen by any store."""
    seen = [
        tables["raw"].select(event_id="rid", arrived="ingest_time_utc"),
        tables["events"].select("event_id", arrived="ingest_time_utc"),
        tables["dedupe"].select("event_id", arrived="first_seen_utc"),
    ]
    known = pl.concat([store.join(ids, on="event_id", how="semi") for store in seen])
    return known.group_by("event_id").agg(pl.col("arrived").min())


def _repeats(tables: Mapping[str, Lazy], limits: Limits) -> Lazy:
    """What made each refused repeat of a stored event."""
    rows = tables["events"].filter(pl.col("status") == "DUPLICATE")
    rows = rows.join(_arrivals(tables, rows.select("event_id")), on="event_id", how="left")
    gap = pl.col("ingest_time_utc") - pl.col("arrived")
    rows = rows.with_columns(gap=gap, soon=(gap <= timedelta(seconds=900)).fill_null(False))
    rows = rows.sort("ingest_time_utc", "event_id", "sk")
    of_source = ["soon", "source"]
    fifth = pl.col("ingest_time_utc").shift(-4).over(of_source) - pl.col("ingest_time_utc")
    rows = rows.with_columns(opens=(fifth <= timedelta(seconds=600)).fill_null(False))
    behind = [pl.col("opens").shift(back, fill_value=False).over(of_source) for back in range(5)]
    rows = rows.with_columns(in_run=pl.any_horizontal(behind))
    died = _died(tables, rows.filter("soon")).select("event_id", died=True)
    rows = rows.join(died.unique(), on="event_id", how="left")
    soon = pl.col("soon")
    made_by = (
        pl.when(soon & pl.col("died").fill_null(False)).then(pl.lit("client-timeout"))
        .when(soon & (pl.col("gap") < timedelta(seconds=1))).then(pl.lit("double-send"))
        .when(soon).then(pl.lit("client-retry"))
        .when("in_run").then(pl.lit("upstream-replay"))
        .otherwise(pl.lit("late-repeat"))
    )  # fmt: skip
    same = ["payload_sha", "event_time", "event_type", "entity_id", "source"]
    stored = tables["raw"].filter("readable").select("rid", *same)
    rows = rows.join(
        stored, left_on=["event_id", *same], right_on=["rid", *same], how="semi", nulls_equal=True
    )
    rows = rows.filter(*_counts("ingest_time_utc", limits))
    return rows.select("event_id", made_by=made_by)


def _died(tables: Mapping[str, Lazy], rows: Lazy) -> Lazy:
    """The ids whose first ingest request failed, by its log line or by the time of its run."""
    calls = tables["invocations"]
    lines = tables["log_lines"].filter(pl.col("message") == "event_ingested")
    lines = lines.join(rows, on="event_id", how="semi").sort("logged_utc", "request_id")
    first = lines.group_by("event_id").agg(pl.col("request_id").first())
    by_log = first.join(calls.filter(pl.col("status") != "ok"), on="request_id", how="semi")
    ingest = tables["functions"].filter(pl.col("role") == "ingest")
    runs = calls.join(ingest, left_on="function", right_on="name", how="semi")
    runs = runs.select("started_utc", "ended_utc", well=pl.col("status") == "ok")
    carried = rows.select("event_id", "arrived").join_where(
        runs, pl.col("started_utc") <= pl.col("arrived"), pl.col("ended_utc") >= pl.col("arrived")
    )
    by_time = carried.group_by("event_id").agg(pl.col("well").any()).filter(~pl.col("well"))
    return pl.concat([by_log.select("event_id"), by_time.select("event_id")])


def _unexplained(tables: Mapping[str, Lazy], told: Mapping[str, str], until: datetime) -> list[str]:
    versions = tables["aggregates"].filter(pl.col("inputs_hash") != hashed([])).collect()
    stores = pl.collect_all(
        [_one_per_id(tables["raw"], "rid"), _one_per_id(tables["events"], "event_id")]
    )
    left = versions.join(_by_samples(versions, *stores), on=VERSION, how="anti")
    for store in stores:  # one store alone, for the few that the two together do not reproduce
        left = left.join(_by_samples(left, store, store), on=VERSION, how="anti")
    left = left.filter(~_by_runs(left, tables, stores))
    left = left.filter(
        (pl.col("computed_at_utc") <= until).fill_null(True),
        pl.col("day").is_between(pl.lit(told["first_day"]), pl.lit(told["last_day"])),
    )
    return [f"{entity} {day}" for entity, day in left.select("entity_id", "day").iter_rows()]


def _one_per_id(rows: Lazy, key: str) -> Lazy:
    """The known events of each day, of those that stand there more than once the first."""
    readable = pl.col("readable") if key == "rid" else pl.lit(False)
    rows = rows.filter(pl.col("event_time_utc").is_not_null()).select(
        "entity_id", "event_time", "payload_sha", event_id=key, readable=readable,
        day=pl.col("event_time_utc").dt.strftime("%Y-%m-%d"),
    )  # fmt: skip
    first = pl.struct("event_time", "payload_sha").sort_by("event_time", "payload_sha").first()
    again = rows.filter(pl.len().over("event_id") > 1).group_by(DAY).agg(
        first.alias("first"), pl.col("readable").any()
    ).unnest("first")  # fmt: skip
    alone = rows.filter(pl.len().over("event_id") == 1)
    return pl.concat([alone, again.select(alone.collect_schema().names())])


def _item(sha: Any) -> Any:
    parts = ['{"event_id":"', pl.col("event_id"), '","payload_sha":"', sha, '"}']
    return pl.concat_str([pl.lit(part) if isinstance(part, str) else part for part in parts])


def _by_samples(versions: Any, first: Any, second: Any) -> Any:
    """The versions whose sample ids reproduce them, with the payload hash of the first store where
    it has the event, else that of the second."""
    few = versions.lazy().filter((pl.col("input_count") <= 10).fill_null(True))
    listed = few.select(*VERSION, "inputs_hash", "entity_id", "day", event_id="sample_event_ids")
    listed = listed.explode("event_id")
    for name, store in (("first", first), ("second", second)):
        known = store.lazy().select(*DAY, pl.col("payload_sha").alias(name))
        listed = listed.join(known, on=DAY, how="left", maintain_order="left")
    sha = pl.coalesce("first", "second")
    texts = listed.group_by([*VERSION, "inputs_hash"], maintain_order=True).agg(
        item=_item(sha).str.join(",", ignore_nulls=False)
    )
    found = texts.drop_nulls("item").collect()
    return found.filter(_hashes(found["item"]) == found["inputs_hash"]).select(VERSION)


def _hashes(texts: Any) -> Any:
    return texts.map_elements(lambda text: hashed([text]), return_dtype=pl.String)


def _by_runs(versions: Any, tables: Mapping[str, Lazy], stores: list[Any]) -> Any:
    """Whether a whole day reproduces a version, or a run of it, as it stood when it was made."""
    raw, index = (store.join(versions, on=["entity_id", "day"], how="semi") for store in stores)
    kept = index.join(raw.filter("readable"), on="event_id", how="semi")
    ids = pl.concat([raw, index]).select("event_id").unique()
    arrived = _arrivals(tables, ids.lazy()).collect()
    found = pl.zeros(len(versions), dtype=pl.Boolean, eager=True)
    numbered = versions.select("entity_id", "day", "computed_at_utc").with_row_index("version")
    wanted = versions.select("input_count", "inputs_hash").rows()
    for store in (index, raw, kept):
        rows = numbered.filter(~found).join(store, on=["entity_id", "day"])
        rows = rows.join(arrived, on="event_id", how="left")
        late = (pl.col("arrived") > pl.col("computed_at_utc")).fill_null(False)
        rows = rows.filter(~late).sort("version", "event_time", "event_id")
        days = rows.group_by("version").agg(item=_item(pl.col("payload_sha")))
        hits = [number for number, texts in days.iter_rows() if any_run(texts, *wanted[number])]
        found = found.scatter(hits, True)
    return found


if __name__ == "__main__":
    print(printed(main(Path(sys.argv[1]))))
