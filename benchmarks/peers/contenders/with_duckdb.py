"""The questions in hand-written DuckDB SQL, of the tables in a folder that is named."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.peers.questions import Answers, answers, printed

TABLES = ("raw", "events", "dedupe", "aggregates", "invocations", "log_lines", "functions")

PREPARE = """
SET TimeZone = 'UTC';
SET preserve_insertion_order = false;
-- What several questions read, decoded once.
CREATE TEMP TABLE objects AS
SELECT coalesce(key_event_id, event_id) AS rid, event_id, s3_key,
    coalesce(readable, false) AS readable, last_modified, entity_id, event_type, source,
    event_time, event_time_utc, ingest_time_utc, payload_sha, payload_sha_actual
FROM raw WHERE NOT regexp_matches(coalesce(error, ''), '^(gone|deleted)');
CREATE TEMP TABLE rows_ AS
SELECT event_id, sk, s3_bucket, s3_key, status, source, event_type, entity_id, event_time,
    event_time_utc, ingest_time_utc, payload_sha
FROM events;
CREATE TEMP TABLE no_key AS
SELECT event_id, event_time_utc FROM rows_ ANTI JOIN objects USING (s3_key)
WHERE event_id <> '' AND s3_key <> '' AND s3_bucket <> ''
    AND (ingest_time_utc IS NULL OR ingest_time_utc <= $until::TIMESTAMPTZ);
CREATE TEMP TABLE elsewhere AS
SELECT rid AS event_id FROM objects SEMI JOIN no_key ON rid = no_key.event_id
UNION
SELECT event_id FROM objects SEMI JOIN no_key USING (event_id) WHERE readable;
CREATE TEMP TABLE lost AS
SELECT event_id, any_value(no_key.event_time_utc) AS event_time_utc,
    least(min(rows_.ingest_time_utc), min(first_seen_utc)) AS arrived
FROM no_key ANTI JOIN elsewhere USING (event_id)
    JOIN rows_ USING (event_id) LEFT JOIN dedupe USING (event_id) GROUP BY ALL;
"""

IN_WINDOW = (
    "(event_time_utc IS NULL OR event_time_utc >= $start::TIMESTAMPTZ "
    "AND event_time_utc < $end::TIMESTAMPTZ)"
)

KEYS = {
    "raw/missing": "SELECT event_id FROM lost WHERE arrived > $expired::TIMESTAMPTZ "
    f"AND {IN_WINDOW}",
    "raw/expired": "SELECT event_id FROM lost WHERE arrived <= $expired::TIMESTAMPTZ "
    f"AND {IN_WINDOW}",
    "events/dangling-key": "SELECT event_id FROM no_key SEMI JOIN elsewhere USING (event_id) "
    f"WHERE {IN_WINDOW}",
    "events/missing-row": f"""
        SELECT rid FROM objects
        ANTI JOIN rows_ AS same_id ON rid = same_id.event_id
        ANTI JOIN rows_ AS same_key ON objects.s3_key = same_key.s3_key
        WHERE readable AND last_modified <= $until::TIMESTAMPTZ AND {IN_WINDOW}""",
    "dedupe/orphan": f"""
        SELECT event_id FROM dedupe
        ANTI JOIN objects ON dedupe.event_id = rid
        ANTI JOIN rows_ ON dedupe.event_id = rows_.event_id
        WHERE (first_seen_utc IS NULL OR first_seen_utc <= $until::TIMESTAMPTZ) AND {IN_WINDOW}""",
    "raw/payload-mismatch": f"""
        SELECT rid FROM objects WHERE readable AND payload_sha <> payload_sha_actual
            AND (last_modified IS NULL OR last_modified <= $until::TIMESTAMPTZ) AND {IN_WINDOW}""",
}

REPEATS = f"""
WITH refused AS (SELECT * FROM rows_ WHERE status = 'DUPLICATE'),
seen AS (
    SELECT rid AS event_id, min(ingest_time_utc) AS moment FROM objects
    SEMI JOIN refused ON rid = refused.event_id GROUP BY ALL
    UNION ALL SELECT event_id, min(ingest_time_utc) FROM rows_
    SEMI JOIN refused USING (event_id) GROUP BY ALL
    UNION ALL SELECT event_id, min(first_seen_utc) FROM dedupe
    SEMI JOIN refused USING (event_id) GROUP BY ALL
),
arrived AS (SELECT event_id, min(moment) AS arrived FROM seen GROUP BY ALL),
timed AS (
    SELECT refused.*, arrived, ingest_time_utc - arrived AS gap,
        coalesce(gap <= INTERVAL 900 SECOND, false) AS soon
    FROM refused LEFT JOIN arrived USING (event_id)
),
opening AS (
    SELECT *, coalesce(lead(ingest_time_utc, 4) OVER place
        <= ingest_time_utc + INTERVAL 600 SECOND, false) AS opens
    FROM timed WINDOW place AS (PARTITION BY soon, source ORDER BY ingest_time_utc, event_id, sk)
),
runs AS (
    SELECT *, bool_or(opens) OVER (PARTITION BY soon, source ORDER BY ingest_time_utc, event_id, sk
        ROWS BETWEEN 4 PRECEDING AND CURRENT ROW) AS in_run
    FROM opening
),
soon_ones AS (SELECT event_id, arrived FROM runs WHERE soon),
first_lines AS (
    SELECT event_id, arg_min(request_id, (logged_utc, request_id)) AS request_id FROM log_lines
    SEMI JOIN soon_ones USING (event_id) WHERE message = 'event_ingested' GROUP BY ALL
),
calls AS (
    SELECT started_utc, ended_utc, status FROM invocations
    WHERE function IN (SELECT name FROM functions WHERE role = 'ingest')
),
died AS (
    SELECT event_id FROM first_lines
    WHERE request_id IN (SELECT request_id FROM invocations WHERE status <> 'ok')
    UNION
    SELECT event_id FROM soon_ones JOIN calls ON started_utc <= arrived AND ended_utc >= arrived
    GROUP BY ALL HAVING NOT bool_or(status = 'ok')
)
SELECT event_id, CASE
    WHEN soon AND event_id IN (FROM died) THEN 'client-timeout'
    WHEN soon AND gap < INTERVAL 1 SECOND THEN 'double-send'
    WHEN soon THEN 'client-retry' WHEN in_run THEN 'upstream-replay' ELSE 'late-repeat' END
FROM runs SEMI JOIN (FROM objects WHERE readable) AS stored
    ON runs.event_id = rid AND runs.payload_sha = stored.payload_sha
    AND runs.event_time = stored.event_time
    AND runs.event_type = stored.event_type AND runs.entity_id = stored.entity_id
    AND runs.source IS NOT DISTINCT FROM stored.source
WHERE (ingest_time_utc IS NULL OR ingest_time_utc <= $until::TIMESTAMPTZ) AND {IN_WINDOW}
"""

# Nearly every version has no more inputs than sample ids, and is reproduced by them.
SAMPLES = """
CREATE TEMP MACRO item(id, sha) AS '{"event_id":"' || id || '","payload_sha":"' || sha || '"}';
CREATE TEMP TABLE raw_days AS
SELECT entity_id, strftime(event_time_utc, '%Y-%m-%d') AS day, rid AS event_id,
    min(event_time) AS event_time, arg_min(payload_sha, event_time || payload_sha) AS sha,
    bool_or(readable) AS readable
FROM objects WHERE event_time_utc IS NOT NULL GROUP BY ALL;
CREATE TEMP TABLE row_days AS
SELECT entity_id, strftime(event_time_utc, '%Y-%m-%d') AS day, event_id,
    min(event_time) AS event_time, arg_min(payload_sha, event_time || payload_sha) AS sha
FROM rows_ WHERE event_time_utc IS NOT NULL GROUP BY ALL;
CREATE TEMP TABLE samples AS
WITH listed AS (
    SELECT pk, sk, inputs_hash, entity_id, day, len(sample_event_ids) AS wanted,
        unnest(sample_event_ids) AS event_id, generate_subscripts(sample_event_ids, 1) AS place
    FROM aggregates WHERE coalesce(input_count <= 10, true)
)
SELECT pk, sk, inputs_hash, wanted, place, event_id, raw_days.sha AS of_raw, row_days.sha AS of_row
FROM listed LEFT JOIN raw_days USING (entity_id, day, event_id)
    LEFT JOIN row_days USING (entity_id, day, event_id);
CREATE TEMP TABLE unknown AS
WITH reproduced AS (
    SELECT pk, sk FROM samples GROUP BY pk, sk, inputs_hash, wanted
    HAVING count(coalesce(of_raw, of_row)) = wanted AND inputs_hash = sha256(
        '[' || string_agg(item(event_id, coalesce(of_raw, of_row)), ',' ORDER BY place) || ']')
)
SELECT pk, sk, entity_id, day, inputs_hash, input_count, computed_at_utc
FROM aggregates ANTI JOIN reproduced USING (pk, sk) WHERE inputs_hash <> sha256('[]');
"""

# What is left is tried with one store alone, then with the whole day as it stood, once and doubled.
DAYS = """
CREATE TEMP TABLE known_days AS
WITH seen AS (
    SELECT event_id, min(moment) AS arrived FROM (
        SELECT rid AS event_id, ingest_time_utc AS moment FROM objects
        UNION ALL SELECT event_id, ingest_time_utc FROM rows_
        UNION ALL SELECT event_id, first_seen_utc FROM dedupe)
    WHERE event_id IN (
        SELECT event_id FROM raw_days SEMI JOIN unknown USING (entity_id, day)
        UNION SELECT event_id FROM row_days SEMI JOIN unknown USING (entity_id, day))
    GROUP BY ALL
),
stored AS (
    SELECT 'raw' AS store, entity_id, day, event_id, event_time, sha FROM raw_days
    SEMI JOIN unknown USING (entity_id, day)
    UNION ALL
    SELECT 'events', entity_id, day, event_id, event_time, sha FROM row_days
    SEMI JOIN unknown USING (entity_id, day)
    UNION ALL
    SELECT 'kept', entity_id, day, event_id, row_days.event_time, row_days.sha FROM row_days
    SEMI JOIN unknown USING (entity_id, day)
    SEMI JOIN (FROM raw_days WHERE readable) AS kept USING (event_id)
)
SELECT pk, sk, store, inputs_hash, any_value(input_count) AS length, count(*) AS size,
    list(item(event_id, sha) ORDER BY event_time, event_id) AS items
FROM unknown JOIN stored USING (entity_id, day) LEFT JOIN seen USING (event_id)
WHERE coalesce(arrived <= computed_at_utc, true) GROUP BY pk, sk, store, inputs_hash;
CREATE TEMP TABLE by_day AS
SELECT pk, sk FROM known_days
WHERE size = length AND inputs_hash = sha256('[' || array_to_string(items, ',') || ']')
    OR 2 * size = length AND inputs_hash = sha256('['
        || array_to_string(list_transform(items, lambda one: one || ',' || one), ',') || ']')
UNION ALL
SELECT pk, sk FROM (
    SELECT pk, sk, inputs_hash, wanted, place, event_id, unnest([of_raw, of_row]) AS sha,
        unnest(['raw', 'events']) AS store
    FROM samples SEMI JOIN unknown USING (pk, sk))
GROUP BY pk, sk, store, inputs_hash, wanted
HAVING count(sha) = wanted
    AND inputs_hash = sha256('[' || string_agg(item(event_id, sha), ',' ORDER BY place) || ']');
"""

# At last with every run of the days that are not too long for it.
UNEXPLAINED = """
WITH starts AS (
    SELECT pk, sk, inputs_hash, items, length,
        unnest(generate_series(1, size - length + 1)) AS start
    FROM known_days ANTI JOIN by_day USING (pk, sk) WHERE size <= 1000 AND length < size
),
by_run AS (
    SELECT pk, sk FROM starts WHERE inputs_hash
        = sha256('[' || array_to_string(items[start : start + length - 1], ',') || ']')
)
SELECT entity_id || ' ' || day FROM unknown
ANTI JOIN by_day USING (pk, sk) ANTI JOIN by_run USING (pk, sk)
WHERE (computed_at_utc IS NULL OR computed_at_utc <= $until::TIMESTAMPTZ)
    AND day BETWEEN $first_day AND $last_day
"""


def main(folder: Path) -> Answers:
    """Return the answers from the tables of a folder."""
    con = duckdb.connect()
    for name in TABLES:
        con.read_parquet(str(folder / name / "*.parquet"), hive_partitioning=False).create_view(
            name
        )
    limits = json.loads((folder / "limits.json").read_text(encoding="utf-8"))
    for script in (PREPARE, SAMPLES, DAYS):
        for statement in duckdb.extract_statements(script):
            needed = {name: limits[name] for name in statement.named_parameters}
            con.execute(statement, needed)
    keys = {code: _column(con, query, limits) for code, query in KEYS.items()}
    causes: dict[str, str] = dict(_rows(con, REPEATS, limits))
    keys["events/duplicate"] = list(causes)
    keys["aggregates/unexplained"] = _column(con, UNEXPLAINED, limits)
    made_by = {cause: list(causes.values()).count(cause) for cause in set(causes.values())}
    return answers(keys, made_by)


def _rows(con: duckdb.DuckDBPyConnection, query: str, limits: dict[str, str]) -> list[Any]:
    (statement,) = duckdb.extract_statements(query)
    needed = {name: limits[name] for name in statement.named_parameters}
    return con.execute(statement, needed).fetchall()


def _column(con: duckdb.DuckDBPyConnection, query: str, limits: dict[str, str]) -> list[str]:
    return [key for (key,) in _rows(con, query, limits)]


if __name__ == "__main__":
    print(printed(main(Path(sys.argv[1]))))
