"""A whole synthetic case, written by the writer of a capture, in order and in bounded memory."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.synthetic import metrics, processing, stores, telemetry
from benchmarks.synthetic.sql import with_values
from benchmarks.synthetic.traffic import (
    CAPTURED, DAYS, EVERY, SLICE, SOURCES, START_MS, WINDOW, Traffic, make_traffic,
)  # fmt: skip
from benchmarks.synthetic.truth import TRUTH, record_truth, write_truth
from investigate.case import Case, Coverage, open_case
from investigate.case_writer import CaseWriter
from investigate.tables import TABLES

DEMO = Path("data/cases/healthy")  # whose functions, queues and alarms a synthetic case has
SETTINGS = ("functions", "alarms", "deployments")
EMPTY = ("spans", "deliveries", "rescued")
MEMORY_MB = 2_000
BATCH_ROWS = 50_000
ROWS_AT_ONCE = 400_000  # that are sorted at a time


@dataclass(frozen=True, slots=True)
class Written:
    """A synthetic case and how many events happened in it."""

    folder: Path
    events: int


def write_case(
    folder: Path, events: int, *, every: int = EVERY, memory_mb: int = MEMORY_MB
) -> Written:
    """Write a case of about so many events with its truth.json, and return where it is.

    Each fault is on one of `every` days of entities. Two runs give the same bytes.
    """
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        traffic = make_traffic(Path(scratch) / "traffic.db", events, every, memory_mb)
        con = traffic.con
        processing.process(con, traffic.entities * DAYS, SLICE)
        demo = open_case(DEMO)
        mapping = _settings(demo, "mappings").column("uuid")[0].as_py()
        record_truth(con, str(mapping))
        with _writer(folder, demo) as writer:
            _write_tables(writer, traffic, demo)
        write_truth(con, folder, traffic.events)
        con.close()
    return Written(folder, traffic.events)


def _writer(folder: Path, demo: Case) -> CaseWriter:
    tool = {"name": "benchmark", "version": "1"}
    return CaseWriter(folder, folder.name, WINDOW, CAPTURED, 300, tool, demo.pipeline)


def _coverage(table: str) -> Coverage:
    until = CAPTURED - timedelta(minutes=10)
    horizons = {
        **dict.fromkeys(("invocations", "log_lines", "metric_points"),
                        f"2026-03-09T23:00:00Z/{_iso(until)}"),
        **dict.fromkeys(("functions", "mappings", "alarms", "deliveries", "deployments", "rescued"),
                        None),
    }  # fmt: skip
    if table == "spans":
        return Coverage("partial", "sampled: absence of a trace is not absence of the event")
    return Coverage("captured", None, horizons.get(table, f"../{_iso(CAPTURED)}"))


def _iso(moment: Any) -> str:
    return str(moment.strftime("%Y-%m-%dT%H:%M:%SZ"))


def _write_tables(writer: CaseWriter, traffic: Traffic, demo: Case) -> None:
    con = traffic.con
    for table, queries in _queries(traffic).items():
        writer.add_batches(table, _batches(con, table, queries), _coverage(table))
    for table in SETTINGS:
        writer.add(table, _settings(demo, table).to_pylist(), _coverage(table))
    writer.add("queue_state", _queues(con, demo), _coverage("queue_state"))
    stopped = {"state": "Disabled", "partial_batch_response": False}
    maps = [{**row, **stopped} for row in _settings(demo, "mappings").to_pylist()]
    writer.add("mappings", maps, _coverage("mappings"))
    for table in EMPTY:
        writer.add(table, [], _coverage(table))


def _settings(demo: Case, table: str) -> pa.Table:
    return pq.read_table(demo.paths(table)[0])


def _queues(con: duckdb.DuckDBPyConnection, demo: Case) -> list[dict[str, Any]]:
    """The queues of the demo, with as many messages as wait in them."""
    waiting = {
        "replay": f"SELECT count(*) FROM ({processing.MESSAGES})",
        "dead-letter": f"SELECT count(*) FROM ({processing.DEAD_LETTERS_ROWS})",
    }
    counts = {role: con.execute(query).fetchall()[0][0] for role, query in waiting.items()}
    age = {"replay": 10 * 3600, "dead-letter": None}
    return [
        {**row, "visible": counts[row["role"]], "oldest_age_s": age[row["role"]]}
        for row in _settings(demo, "queue_state").to_pylist()
    ]


def _queries(traffic: Traffic) -> dict[str, list[str]]:
    """The queries that give each large table in order, a part at a time."""
    parts = max(1, -(-traffic.events // ROWS_AT_ONCE))
    entities = _ranges(0, traffic.entities, parts)
    places = _ranges(0, 2 * len(SOURCES), min(parts, 2 * len(SOURCES)), inclusive=True)
    minutes = _ranges(START_MS // 60_000, int(CAPTURED.timestamp()) // 60, 3 * parts)
    times = [(low * 60_000, high * 60_000) for low, high in minutes]
    hexes = [format(16 * n // min(parts, 16), "x") for n in range(min(parts, 16))]
    ids = list(zip(["", *hexes[1:]], [*hexes[1:], "g"], strict=True))
    return {
        "raw": _over(stores.RAW, places),
        "events": _over(stores.EVENTS, entities),
        "dedupe": _over(stores.DEDUPE, ids),
        "messages": [processing.MESSAGES],
        "dead_letters": [processing.DEAD_LETTERS_ROWS],
        "aggregates": _over(processing.AGGREGATES, entities),
        "invocations": [
            *_over(telemetry.INGEST_INVOCATIONS, times),
            *_over(telemetry.PROCESSOR_INVOCATIONS, times),
            telemetry.REPLAY_INVOCATIONS,
        ],
        "log_lines": [
            *_over(telemetry.INGEST_LINES, times),
            *_over(telemetry.PROCESSOR_LINES, times),
            telemetry.REPLAY_LINES,
        ],
        "metric_points": [
            *metrics.PREPARE,
            *metrics.OF_SERVICES,
            *(query for one in metrics.OF_INGEST for query in _over(one, places)),
            *metrics.OF_RUNS,
        ],
    }


def _over(query: str, ranges: Sequence[tuple[object, object]]) -> list[str]:
    return [with_values(query, low=low, high=high) for low, high in ranges]


def _ranges(first: int, end: int, parts: int, *, inclusive: bool = False) -> list[tuple[int, int]]:
    bounds = [first + (end - first) * n // parts for n in range(parts + 1)]
    if inclusive:
        return [
            (low + (1 if number else 0), high)
            for number, (low, high) in enumerate(zip(bounds, bounds[1:], strict=False))
        ]
    return list(zip(bounds, bounds[1:], strict=False))


def _batches(
    con: duckdb.DuckDBPyConnection, table: str, queries: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    for query in queries:
        if query.lstrip().startswith("CREATE"):
            con.execute(query)
            continue
        for batch in con.sql(query).to_arrow_reader(BATCH_ROWS):
            rows = pa.Table.from_batches([batch]).cast(TABLES[table])
            yield from rows.to_batches()


def happened(folder: Path) -> int:
    """Return how many events a synthetic case is about."""
    truth = json.loads((folder / TRUTH).read_text(encoding="utf-8"))
    return int(truth["events"])
