"""Who sent which events, and which day of whom has which fault: tables made of counters alone."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa

from benchmarks.synthetic.faults import DAY, FAULTS, Fault
from benchmarks.synthetic.sql import MACROS, with_values
from investigate.model import Window

START = datetime(2026, 3, 10, tzinfo=UTC)
DAYS = 5
WINDOW = Window(START, START + timedelta(days=DAYS))
CAPTURED = datetime(2026, 3, 16, 18, tzinfo=UTC)
START_MS = int(START.timestamp()) * 1000
EVERY = 1_000  # days of entities from one of a fault to the next
HOT_EVERY, HOT_FIRST, HOT_EVENTS = 1_000, 17, 150  # entities with more rows than a replay reads
EVENTS_OF_A_DAY = 12.5  # about, over all days
SLICE = 40_000  # days of entities that are made at a time
# In the order of their names, and all of them after the sources of single faults: raw objects are
# written source by source.
SOURCES = (
    ("mobile-app", "payment", "refund"), ("thermostat", "alarm", "reading"),
    ("warehouse", "pack", "pick"), ("webshop", "order", "return"),
)  # fmt: skip


# Columns of `faults` whose names would be those of an event or a day.
_COLUMNS = {
    "size": "own_size", "work": "own_work", "source": "own_source", "sent": "sends", "loaded": "loads",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Traffic:
    """The traffic of a case in a database of its own, and how much of it there is."""

    con: duckdb.DuckDBPyConnection
    entities: int
    events: int


def make_traffic(database: Path, events: int, every: int, memory_mb: int) -> Traffic:
    """Make the traffic of about so many events; each fault is on one of `every` days of entities.

    Tables: `faults`; `days` (u, e, d, fault, size, hot, work, first); `events` (n, u, e, d, p,
    fault, hit, entity_id, source, event_type, place, idempotency_key, event_ms, ingest_ms, payload,
    payload_sha, event_id, sent, loaded); `repeats` (n, attempt, at_ms). Times are milliseconds
    since 1970; `place` orders sources and types as keys do.
    """
    con = duckdb.connect(str(database))
    con.execute(f"SET memory_limit = '{memory_mb}MB'; SET TimeZone = 'UTC'; {MACROS}")
    entities = max(round(events / EVENTS_OF_A_DAY / DAYS), HOT_FIRST + 2)
    _make_faults(con, every)
    con.execute(with_values(_DAYS, units=entities * DAYS, every=every))
    con.execute(_EVENTS)
    for first in range(0, entities * DAYS, SLICE):
        con.execute(with_values(_FILL, first=first, end=first + SLICE))
    con.execute(_REPEATS)
    ((made,),) = con.execute(
        "SELECT count(*) FROM events WHERE NOT (hit AND gate_expired)"
    ).fetchall()
    return Traffic(con, entities, int(made))


def _make_faults(con: duckdb.DuckDBPyConnection, every: int) -> None:
    """Store the faults with the `slot` of each among `every` days."""
    step = every // len(FAULTS)
    if step < 2:
        raise ValueError(f"{len(FAULTS)} faults need at least {2 * len(FAULTS)} days, not {every}")
    names = [field.name for field in fields(Fault) if field.name != "found"]
    rows = [
        {
            "fault": number,
            "slot": number * step,
            **{_COLUMNS.get(name, name): _plain(getattr(fault, name)) for name in names},
        }
        for number, fault in enumerate(FAULTS)
    ]
    con.register("given", pa.Table.from_pylist(rows))
    con.execute("CREATE TABLE faults AS SELECT * FROM given")


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


# Small days are one batch; wide ones were counted by a backfill, in one version.
_DAYS = f"""
CREATE TABLE days AS
WITH counted AS (
    SELECT u, u // {DAYS} AS e, u % {DAYS} AS d,
        (u // {DAYS}) % {HOT_EVERY} = {HOT_FIRST} AS hot,
        mix(u, 1) % 5 = 0 AS wide
    FROM range(@units) numbers(u)
), chosen AS (
    SELECT counted.*, coalesce(faults.fault, 0) AS fault
    FROM counted LEFT JOIN faults ON faults.slot = u % @every AND faults.fault > 0 AND NOT hot
), planned AS (
    SELECT chosen.u, e, d, chosen.fault, hot,
        CASE WHEN hot THEN {HOT_EVENTS} WHEN chosen.fault > 0 THEN own_size
            WHEN wide THEN 20 + mix(u, 2) % 31 ELSE 4 + mix(u, 3) % 7 END AS size,
        CASE WHEN chosen.fault > 0 THEN own_work WHEN lead(shape) OVER (ORDER BY u) = 'edge' THEN 'none'
            WHEN wide OR hot THEN 'backfill' ELSE own_work END AS work
    FROM chosen JOIN faults USING (fault)
)
SELECT *, CAST(sum(size) OVER (ORDER BY u) - size AS BIGINT) AS first FROM planned ORDER BY u
"""

_EVENTS = """
CREATE TABLE events (
    n BIGINT, u BIGINT, e BIGINT, d BIGINT, p BIGINT, fault BIGINT, hit BOOLEAN, entity_id VARCHAR,
    source VARCHAR, event_type VARCHAR, place BIGINT, idempotency_key VARCHAR, event_ms BIGINT,
    ingest_ms BIGINT, payload VARCHAR, payload_sha VARCHAR, event_id VARCHAR, sent BOOLEAN,
    loaded BOOLEAN, gate_expired BOOLEAN
)
"""

_SOURCE = "CASE e % 4 " + " ".join(
    f"WHEN {number} THEN '{names[0]}'" for number, names in enumerate(SOURCES)
)
_TYPE = "CASE e % 4 * 2 + mix(m, 8) % 2 " + " ".join(
    f"WHEN {number} THEN '{name}'"
    for number, name in enumerate(name for names in SOURCES for name in names[1:])
)

# A twin has the payload and the type of the event before it (`m`), and comes 4 s later.
_FILL = f"""
INSERT INTO events
WITH placed AS (
    SELECT days.*, faults.* EXCLUDE (fault, name, slot), p, first + p AS n,
        list_contains(hits, p) AS hit,
        CASE WHEN shape = 'twin' AND list_contains(hits, p) THEN p - 1 ELSE p END AS q,
        {START_MS} + d * {DAY} AS day_ms, {DAY} // days.size AS width
    FROM days JOIN faults USING (fault), range(days.size) positions(p)
    WHERE u >= @first AND u < @end
), timed AS (
    SELECT *, first + q AS m,
        CASE WHEN shape = 'edge' AND hit THEN day_ms + 250
            WHEN shape = 'silence' THEN day_ms + 3600000 + p * 1200000
                + CASE WHEN p >= 15 THEN 21600000 ELSE 0 END
            ELSE day_ms + q * width
                + (10000 + mix(first + q, 5) % (width - 20000)) // 1000 * 1000
                + CASE WHEN mix(first + q, 6) % 3 = 0 THEN 1 + mix(first + q, 7) % 999 ELSE 0 END
                + CASE WHEN p = q THEN 0 ELSE 4000 END
        END AS event_ms
    FROM placed
), told AS (
    SELECT *, 'customer-' || lpad(CAST(e AS VARCHAR), 7, '0') AS entity_id,
        CASE WHEN own_source = '' THEN {_SOURCE} END ELSE own_source || u END AS source,
        CASE WHEN own_source = '' THEN {_TYPE} END ELSE 'reading' END AS event_type,
        CASE WHEN own_source = '' THEN 1 + e % 4 * 2 + mix(m, 8) % 2 ELSE 0 END AS place,
        CASE WHEN (shape = 'keyed' AND hit) OR mix(n, 9) % 10 = 0 THEN 'key-' || n END
            AS idempotency_key,
        CASE WHEN hit AND arrives IS NOT NULL THEN day_ms + arrives
            ELSE event_ms + CASE WHEN hit AND lag IS NOT NULL THEN lag
                ELSE 400 + mix(n, 10) % 7600 END END AS ingest_ms,
        '{{"amount":' || (mix(m, 11) % 500) || '.' || lpad(CAST(mix(m, 12) % 10 * 10 + 1
            + mix(m, 13) % 9 AS VARCHAR), 2, '0') || ',"lines":[{{"count":' || (1 + mix(m, 14) % 4)
            || ',"item":' || (mix(m, 15) % 100) || '}}],"number":' || m || ',"remark":"'
            || CASE mix(m, 16) % 4 WHEN 0 THEN '10 % off' WHEN 1 THEN 'für Zoë'
                WHEN 2 THEN '注文 №7' ELSE 'fragile' END || '"}}' AS payload
    FROM timed
), hashed AS (
    SELECT *, sha256(payload) AS payload_sha FROM told
)
SELECT n, u, e, d, p, fault, hit, entity_id, source, event_type, place, idempotency_key, event_ms,
    ingest_ms, payload, payload_sha,
    CASE WHEN idempotency_key IS NOT NULL
        THEN sha256('IDEMPOTENCY|' || source || '|' || event_type || '|' || entity_id || '|'
            || idempotency_key)
        ELSE sha256('HASH|' || source || '|' || event_type || '|' || entity_id || '|'
            || iso(event_ms - CASE WHEN hit AND gate = 'expired' THEN 35 * {DAY} ELSE 0 END)
            || '|' || payload_sha) END AS event_id,
    NOT hit OR sends AS sent, NOT hit OR loads AS loaded, hit AND gate = 'expired' AS gate_expired
FROM hashed ORDER BY n
"""

_REPEATS = f"""
CREATE TABLE repeats AS
WITH waited AS (
    SELECT n, attempt + 1 AS attempt, ingest_ms, d, repeats_at,
        CAST(repeats[attempt + 1] * (least_wait
            + (1 - least_wait) * (mix(p * 64 + attempt, 21) % 1000) / 1000) AS BIGINT) AS wait
    FROM events JOIN faults USING (fault),
        range(len(repeats) + CASE WHEN repeats_at IS NULL THEN 0 ELSE 1 END) attempts(attempt)
    WHERE hit
)
SELECT n, CAST(attempt AS BIGINT) AS attempt,
    CASE WHEN repeats_at IS NOT NULL THEN {START_MS} + d * {DAY} + repeats_at + n % 600000
        ELSE CAST(ingest_ms + sum(wait) OVER (PARTITION BY n ORDER BY attempt) AS BIGINT) END
        AS at_ms
FROM waited ORDER BY n, attempt
"""
