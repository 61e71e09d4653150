"""The ground truth of a synthetic case: written down where the faults are, never by a check."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.synthetic.faults import DAY, FAULTS
from benchmarks.synthetic.processing import QUEUE
from benchmarks.synthetic.sql import ENTITY, filled, raw_key, with_values
from benchmarks.synthetic.stores import COPIED_KEY, MOVED_KEY
from benchmarks.synthetic.telemetry import PROCESSOR
from benchmarks.synthetic.traffic import START_MS, WINDOW
from investigate import pipeline
from investigate.pipeline import REFERENCE

SCHEMA = "investigate.truth/1"
TRUTH = "truth.json"
LISTED = 1_000  # first keys of one code; all of them are told by their number and their digest

_EVENTS = "FROM events JOIN faults USING (fault) WHERE fault = @fault"
_DAYS = "FROM days WHERE fault = @fault"
_OWN = "(SELECT own_source FROM faults WHERE fault = @fault) || u"
_SILENCES = f"""
WITH edges AS (
    SELECT u, source, event_type, max(event_ms) FILTER (p = 14) AS quiet,
        max(event_ms) FILTER (p = 15) AS again, max(event_ms) AS last
    FROM events WHERE fault = @fault GROUP BY ALL
)
SELECT concat_ws(' ', source, event_type, iso(quiet), iso(again)) FROM edges
UNION ALL SELECT concat_ws(' ', source, event_type, iso(last),
    '{pipeline.format_time(WINDOW.end)}') FROM edges
"""
# What a fault names as found: the keys, as SQL.
KEYS: Mapping[str, str] = {
    "hit": f"SELECT event_id {_EVENTS} AND hit",
    "event": f"SELECT event_id {_EVENTS}",
    "key": f"SELECT {raw_key('event_ms', 'ingest_ms')} FROM (SELECT events.* {_EVENTS} AND hit)",
    "moved-key": f"SELECT {MOVED_KEY} FROM (SELECT events.* {_EVENTS} AND hit)",
    "copied-key": f"SELECT {COPIED_KEY} FROM (SELECT events.* {_EVENTS} AND hit)",
    "sk": f"SELECT {filled(REFERENCE.sk_layout, event_time='iso(event_ms)')} {_EVENTS} AND hit",
    "request": f"SELECT uuid_of('ingest ' || n || ' 0') {_EVENTS} AND hit",
    "day": f"SELECT {ENTITY} || ' ' || day_text({START_MS} + d * {DAY}) {_DAYS}",
    "entity": f"SELECT {ENTITY} {_DAYS}",
    "source": f"SELECT {_OWN} {_DAYS}",
    "silence": _SILENCES,
    "replay": f"SELECT uuid_of('failed replay ' || u) {_DAYS}",
    "failed-run": "SELECT request_id FROM runs WHERE fault = @fault AND status <> 'ok'",
    "message": f"SELECT uuid_of('message ' || n || ' 0') {_EVENTS}",
    "letter": f"SELECT uuid_of('message ' || n || ' 0') {_EVENTS}",
    "malformed": f"SELECT uuid_of('malformed ' || u) {_DAYS}",
}
_HOT = f"SELECT DISTINCT {ENTITY} FROM days WHERE hot"
# Of the setting of the whole pipeline, and of the entities that have more rows than a replay reads.
SETTING = (
    ("configuration/mapping-disabled", (PROCESSOR,)),
    ("processor/not-consuming", (PROCESSOR,)),
    ("processor/throttles", (PROCESSOR,)),
    ("sqs/backlog", (QUEUE.rpartition(":")[2],)),
)


def record_truth(con: duckdb.DuckDBPyConnection, mapping: str) -> None:
    """Write into the table `truth` (code, key) what each fault caused, and into `verdicts` (key,
    verdict) what became of each day that is not complete."""
    con.execute("CREATE TABLE truth (code VARCHAR, key VARCHAR)")
    con.execute("CREATE TABLE verdicts (key VARCHAR, verdict VARCHAR)")
    for number, fault in enumerate(FAULTS):
        for code, whose in fault.found:
            con.execute(f"INSERT INTO truth SELECT '{code}', * FROM ({_sql(whose, number)})")
        if fault.verdict not in ("complete", ""):
            days = _sql("day", number)
            con.execute(f"INSERT INTO verdicts SELECT *, '{fault.verdict}' FROM ({days})")
    con.execute(f"INSERT INTO truth SELECT 'replay/truncated', * FROM ({_HOT})")
    for code, keys in (*SETTING, ("configuration/partial-batch-response", (mapping,))):
        con.executemany("INSERT INTO truth VALUES (?, ?)", [(code, key) for key in keys])


def _sql(whose: str, fault: int) -> str:
    return with_values(KEYS[whose], fault=fault)


def write_truth(con: duckdb.DuckDBPyConnection, folder: Path, events: int) -> Path:
    """Write truth.json beside a case: of each code the first keys, and of all of them the number
    and the digest (`digest_of`), as of the lines "entity day verdict" of days not complete."""
    codes = [
        code for (code,) in con.execute("SELECT DISTINCT code FROM truth ORDER BY 1").fetchall()
    ]
    found = {code: _of_code(con, code) for code in codes}
    verdicts = con.execute("SELECT key, verdict FROM verdicts ORDER BY key").fetchall()
    document = {
        "schema": SCHEMA,
        "events": events,
        "faults": sorted(fault.name for fault in FAULTS if fault.name),
        "findings": {code: keys[:LISTED] for code, keys in found.items()},
        "digests": {code: digest_of(keys) for code, keys in found.items()},
        "retries": _retries(con),
        "verdicts": digest_of(f"{key} {verdict}" for key, verdict in verdicts),
    }
    path = folder / TRUTH
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def _of_code(con: duckdb.DuckDBPyConnection, code: str) -> list[str]:
    rows = con.execute(
        "SELECT DISTINCT key FROM truth WHERE code = ? ORDER BY key", [code]
    ).fetchall()
    return [key for (key,) in rows]


def digest_of(keys: Iterable[str]) -> dict[str, Any]:
    """Return the number of sorted keys, and the SHA-256 of them with a line end after each."""
    hashed, count = hashlib.sha256(), 0
    for key in keys:
        hashed.update(f"{key}\n".encode())
        count += 1
    return {"count": count, "sha256": hashed.hexdigest()}


def _retries(con: duckdb.DuckDBPyConnection) -> list[dict[str, str]]:
    """The pattern of every source that repeats its attempts, and of the queue."""
    rows = con.execute(
        "SELECT DISTINCT source, CASE pattern WHEN '' THEN 'insufficient' ELSE pattern END "
        "FROM events JOIN faults USING (fault) WHERE hit AND asked = 'ok' AND len(repeats) > 0 "
        "AND shape <> 'keyed' ORDER BY source"
    ).fetchall()
    groups = [("client", source, pattern) for source, pattern in rows]
    groups.append(("queue", QUEUE.rpartition(":")[2], "sqs-visibility"))
    listed = [{"group": g, "channel": c, "pattern": p} for c, g, p in groups]
    return sorted(listed, key=lambda row: (row["group"], row["channel"]))
