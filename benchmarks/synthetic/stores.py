"""What S3 and DynamoDB hold of the traffic: the raw objects, and the rows of index and gate."""

from __future__ import annotations

from benchmarks.synthetic.faults import AFTER_PROCESSING, DAY, MINUTE
from benchmarks.synthetic.sql import columns_of, filled, json_object, literal, quoted, raw_key
from benchmarks.synthetic.traffic import DAYS, START_MS
from investigate import pipeline
from investigate.pipeline import REFERENCE

BUCKET = "demo-raw"
LIFETIME = pipeline.DEDUPE_LIFETIME_DAYS * 86_400
EXPIRED = 35 * DAY  # how long before its time an event with an expired gate row first came
OTHER_ID = "sha256('other ' || event_id)"
_TAMPERED = """replace(payload, '"amount":', '"amount":9')"""
OTHER_SHA = "sha256('other ' || payload)"
_DAY_MS = f"{START_MS} + d * {DAY}"
_HOUR = "strftime(moment(event_ms), '%H')"
_NEXT_HOUR = "lpad(CAST((hour(moment(event_ms)) + 1) % 24 AS VARCHAR), 2, '0')"
MOVED_KEY = raw_key("event_ms", "ingest_ms", hour=_NEXT_HOUR)
COPIED_KEY = raw_key("event_ms", f"(ingest_ms + {DAY})")
_BROKEN = literal("not-json (Expecting value: line 1 column 1 (char 0))")

# Raw objects as the faults left them; `fate` is what became of one. A shelf holds a source, a type
# and a date, in the order of keys: they are put in this order once, so that each part of the table
# is read from one place however many parts there are.
OBJECTS = f"""
CREATE TABLE objects AS
SELECT d, entity_id, source, event_type, idempotency_key, payload, payload_sha, event_id,
    CASE WHEN place = 0 THEN 0 ELSE place * {DAYS} + d END AS shelf,
    CASE WHEN hit AND stored <> 'copied' THEN stored ELSE 'kept' END AS fate,
    event_ms - CASE WHEN gate_expired THEN {EXPIRED} ELSE 0 END AS event_ms,
    ingest_ms - CASE WHEN gate_expired THEN {EXPIRED} ELSE 0 END AS ingest_ms
FROM events JOIN faults USING (fault) WHERE NOT (hit AND stored IN ('none', 'deleted'))
UNION ALL
SELECT d, entity_id, source, event_type, idempotency_key, payload, payload_sha, event_id,
    CASE WHEN place = 0 THEN 0 ELSE place * {DAYS} + d END, 'kept', event_ms, at_ms
FROM events JOIN faults USING (fault) JOIN repeats USING (n) WHERE hit AND stored = 'twice'
UNION ALL
SELECT d, entity_id, source, event_type, idempotency_key, payload, payload_sha, event_id,
    CASE WHEN place = 0 THEN 0 ELSE place * {DAYS} + d END, stored, event_ms, ingest_ms
FROM events JOIN faults USING (fault) WHERE hit AND stored = 'copied'
ORDER BY shelf
"""


def _by_fate(usual: str, **others: str) -> str:
    """Return what an object has, as SQL, unless its fate is one of these."""
    told = " ".join(f"WHEN '{fate}' THEN {value}" for fate, value in others.items())
    return f"CASE fate {told} ELSE {usual} END"


def _if_whole(value: str) -> str:
    return f"CASE WHEN fate <> 'corrupt' THEN {value} END"


_WRITTEN_AGAIN = f"""CASE WHEN fate = 'corrupt' THEN {_DAY_MS} + {DAY + 30 * MINUTE}
    WHEN fate IN ('tampered', 'renamed', 'moved', 'copied', 'rewritten')
        THEN {_DAY_MS} + {AFTER_PROCESSING}
    ELSE ingest_ms END"""

_RAW_COLUMNS = columns_of(
    "raw",
    s3_key=_by_fate(raw_key("event_ms", "ingest_ms"), moved=MOVED_KEY, copied=COPIED_KEY),
    size="300 + octet_length(encode(payload))",
    last_modified=f"moment(({_WRITTEN_AGAIN}) // 1000 * 1000)",
    etag="md5(event_id || fate)",
    key_event_id="event_id", key_source="source", key_event_type="event_type",
    key_event_date="day_text(event_ms)",
    key_ingest_date=_by_fate("day_text(ingest_ms)", copied=f"day_text(ingest_ms + {DAY})"),
    key_hour=_by_fate(_HOUR, moved=_NEXT_HOUR),
    readable="fate <> 'corrupt'",
    error=f"CASE WHEN fate = 'corrupt' THEN {_BROKEN} END",
    event_id=_if_whole(_by_fate("event_id", renamed=OTHER_ID)),
    source=_if_whole("source"), event_type=_if_whole("event_type"),
    entity_id=_if_whole("entity_id"),
    event_time=_if_whole("iso(event_ms)"), event_time_utc=_if_whole("moment(event_ms)"),
    ingest_time=_if_whole("iso(ingest_ms)"), ingest_time_utc=_if_whole("moment(ingest_ms)"),
    idempotency_key=_if_whole("idempotency_key"),
    payload_sha=_if_whole("payload_sha"),
    payload_sha_actual=_if_whole(_by_fate("payload_sha", tampered=f"sha256({_TAMPERED})")),
    event_id_actual=_if_whole("event_id"),
    payload=_if_whole(_by_fate("payload", tampered=_TAMPERED)),
)  # fmt: skip
RAW = f"""
SELECT {_RAW_COLUMNS} FROM objects WHERE shelf BETWEEN @low AND @high ORDER BY s3_key
"""

_ATTRIBUTES = json_object(
    GSI1PK=quoted("gsi1pk"), GSI1SK=quoted("gsi1sk"), PK=quoted("pk"), SK=quoted("sk"),
    day=quoted("day_text(told_ms)"), entity_id=quoted("entity_id"), event_id=quoted("event_id"),
    event_time=quoted("iso(told_ms)"), event_type=quoted("event_type"),
    hour=quoted("strftime(moment(told_ms), '%H')"), ingest_lag_ms="lag_ms",
    ingest_time=quoted("iso(row_ms)"), payload_sha=quoted("row_sha"),
    s3_bucket=quoted("coalesce(s3_bucket, '')"), s3_key=quoted("coalesce(s3_key, '')"),
    source=quoted("source"), status=quoted("status"),
)  # fmt: skip

_EVENTS_COLUMNS = columns_of(
    "events",
    pk="pk", sk="sk", event_id="event_id", source="source", event_type="event_type",
    entity_id="entity_id", event_time="iso(told_ms)", event_time_utc="moment(told_ms)",
    ingest_time="iso(row_ms)", ingest_time_utc="moment(row_ms)", ingest_lag_ms="lag_ms",
    payload_sha="row_sha", status="status", s3_bucket="s3_bucket", s3_key="s3_key",
    gsi1pk="gsi1pk", gsi1sk="gsi1sk", attributes=_ATTRIBUTES,
)  # fmt: skip
# Rows of the index: `told_ms` and `row_ms` are the event and ingest times that a row has.
_ROWS = f"""
WITH latest AS (SELECT n, max(at_ms) AS last_ms FROM repeats GROUP BY n),
stored AS (
    SELECT events.*, CASE WHEN hit THEN "row" ELSE 'kept' END AS state, last_ms
    FROM events JOIN faults USING (fault) LEFT JOIN latest USING (n)
    WHERE e >= @low AND e < @high AND NOT (hit AND "row" = 'none')
), told AS (
    SELECT *, event_ms AS told_ms,
        CASE WHEN state IN ('repeated', 'accepted-again', 'conflict') THEN last_ms
            ELSE ingest_ms END AS row_ms,
        state IN ('repeated', 'conflict') AS refused
    FROM stored
    UNION ALL
    SELECT *, event_ms + (last_ms - ingest_ms), last_ms, true FROM stored WHERE state = 'second'
    UNION ALL
    SELECT *, event_ms - {EXPIRED}, ingest_ms - {EXPIRED}, false FROM stored WHERE gate_expired
), written AS (
    SELECT *, greatest(row_ms - told_ms, 0) AS lag_ms,
        CASE WHEN state = 'conflict' THEN {OTHER_SHA} ELSE payload_sha END AS row_sha,
        CASE WHEN state = 'status' THEN 'PENDING' WHEN refused THEN '{REFERENCE.duplicate}'
            ELSE '{REFERENCE.accepted}' END AS status,
        CASE WHEN state <> 'no-refs' THEN '{BUCKET}' END AS s3_bucket,
        CASE WHEN state <> 'no-refs' THEN {raw_key("told_ms", "row_ms")} END AS s3_key,
        {filled(REFERENCE.pk_layout)} AS pk,
        {filled(REFERENCE.sk_layout, event_time="iso(told_ms)")} AS sk,
        {filled(REFERENCE.gsi1pk_layout,
                day="day_text(told_ms + CASE WHEN state = 'index' THEN 86400000 ELSE 0 END)")}
            AS gsi1pk
    FROM told
)
SELECT *, {filled(REFERENCE.gsi1sk_layout, ingest_lag_ms="lag_ms", ingest_time="iso(row_ms)")}
    AS gsi1sk FROM written
"""  # fmt: skip

EVENTS = f"""
SELECT {_EVENTS_COLUMNS} FROM ({_ROWS}) ORDER BY pk, sk
"""

_GATE = f"""
SELECT events.*, event_ms - CASE WHEN gate_expired THEN {EXPIRED} ELSE 0 END AS told_ms,
    CASE WHEN hit AND gate = 'again' THEN at_ms WHEN gate_expired THEN ingest_ms - {EXPIRED}
        ELSE ingest_ms END AS first_ms
FROM events JOIN faults USING (fault)
    LEFT JOIN repeats ON hit AND gate = 'again' AND repeats.n = events.n
WHERE event_id >= '@low' AND event_id < '@high' AND NOT (hit AND gate = 'none')
"""

_DEDUPE_COLUMNS = columns_of(
    "dedupe",
    event_id="event_id", first_seen_ingest_time="iso(first_ms)", first_seen_utc="moment(first_ms)",
    entity_id="entity_id", source="source", event_type="event_type", event_time="iso(told_ms)",
    event_time_utc="moment(told_ms)", ttl_epoch=f"first_ms // 1000 + {LIFETIME}",
)  # fmt: skip
DEDUPE = f"""
SELECT {_DEDUPE_COLUMNS} FROM ({_GATE}) ORDER BY event_id
"""
