"""What Lambda and CloudWatch tell of the traffic: invocations, log lines and metric points."""

from __future__ import annotations

from benchmarks.synthetic.faults import DAY
from benchmarks.synthetic.processing import WRITES
from benchmarks.synthetic.sql import ENTITY, columns_of, json_object, literal, quoted, raw_key
from benchmarks.synthetic.stores import BUCKET
from benchmarks.synthetic.traffic import START_MS
from investigate import pipeline
from investigate.pipeline import REFERENCE

INGEST, REPLAY, PROCESSOR = "demo-ingest", "demo-replay", "demo-processor"
_ERROR = "An error occurred (InternalServerError) when calling the PutItem operation"

# Every request to ingest that was made in the time of the logs: the first, and each repeat. In the
# order of time, once for all the tables that tell of them.
REQUESTS = f"""
CREATE TABLE requests AS
SELECT n, 0 AS attempt, source, event_type, place, event_id, event_ms, ingest_ms AS at_ms,
    CASE WHEN hit THEN asked ELSE 'ok' END AS ended, '{REFERENCE.accepted}' AS answer
FROM events JOIN faults USING (fault) WHERE NOT (hit AND asked = '')
UNION ALL
SELECT n, attempt, source, event_type, place, event_id, event_ms, at_ms, 'ok',
    CASE WHEN stored = 'twice' THEN '{REFERENCE.accepted}' ELSE '{REFERENCE.duplicate}' END
FROM events JOIN faults USING (fault) JOIN repeats USING (n)
ORDER BY at_ms
"""
_ASKED = "SELECT * FROM requests WHERE at_ms >= @low AND at_ms < @high"
REQUEST_ID = "uuid_of('ingest ' || n || ' ' || attempt)"


def _invocations(name: str, rows: str, memory: int, **columns: str) -> str:
    kinds = """CASE status WHEN 'error' THEN 'ClientError'
        WHEN 'out-of-memory' THEN 'Runtime.OutOfMemory' END"""
    listed = columns_of(
        "invocations",
        function=f"'{name}'", request_id="request_id", started_utc="moment(at_ms)",
        ended_utc="moment(at_ms + duration)", duration_ms="duration", billed_ms="duration",
        memory_mb=str(memory), max_memory_mb="CASE WHEN status = 'out-of-memory' THEN "
        f"{memory} ELSE 80 + mix(at_ms % 1000003, 31) % 30 END",
        status="status", error_type=kinds,
        error_message=f"CASE status WHEN 'error' THEN {literal(_ERROR)} END",
        log_stream="strftime(moment(at_ms), '%Y/%m/%d') || '/[$LATEST]' || "
        f"md5('{name}' || at_ms % 64)",
        **columns,
    )  # fmt: skip
    return f"SELECT {listed} FROM ({rows}) ORDER BY started_utc, request_id"


INGEST_INVOCATIONS = _invocations(
    INGEST,
    f"""SELECT {REQUEST_ID} AS request_id, at_ms, ended AS status,
    CASE ended WHEN 'timeout' THEN 30000 ELSE 20 + mix(n + attempt, 32) % 90 END AS duration
    FROM ({_ASKED})""",
    pipeline.INGEST_MEMORY_MB,
    trace_id="'1-' || lpad(to_hex(at_ms // 1000), 8, '0') || '-' || left(md5(request_id), 24)",
)
REPLAY_INVOCATIONS = _invocations(
    REPLAY,
    """SELECT request_id, at_ms, status, CASE status WHEN 'timeout' THEN 30000 ELSE 48 END
    AS duration FROM replays""",
    pipeline.INGEST_MEMORY_MB,
)
PROCESSOR_INVOCATIONS = _invocations(
    PROCESSOR,
    """SELECT request_id, start_ms AS at_ms, status, duration FROM runs
    WHERE start_ms >= @low AND start_ms < @high""",
    pipeline.PROCESSOR_MEMORY_MB,
)


def _lines(name: str, rows: str) -> str:
    listed = columns_of(
        "log_lines",
        function=f"'{name}'", request_id="request_id", logged_utc="moment(logged_ms)",
        level="level", message="message", fields="fields", event_id="told_id",
        entity_id="told_entity",
    )  # fmt: skip
    return f"SELECT {listed} FROM ({rows}) ORDER BY logged_utc, request_id, message, fields"


_ERROR_FIELDS = json_object(
    errorMessage=literal(f'"{_ERROR}"'), errorType=literal('"ClientError"'),
)  # fmt: skip
_ERROR_LINE = f"'ERROR' AS level, {literal('ClientError: ' + _ERROR)} AS message, {_ERROR_FIELDS}"

INGEST_LINES = _lines(
    INGEST,
    f"""
SELECT {REQUEST_ID} AS request_id, at_ms + 1 AS logged_ms, 'INFO' AS level,
    'event_ingested' AS message, {json_object(
        event_id=quoted("event_id"), lag_ms="greatest(at_ms - event_ms, 0)",
        request_id=quoted(REQUEST_ID), s3_key=quoted(raw_key("event_ms", "at_ms")),
        status=quoted("answer"),
    )} AS fields, event_id AS told_id, NULL AS told_entity
FROM ({_ASKED}) WHERE ended = 'ok'
UNION ALL
SELECT {REQUEST_ID}, at_ms + 1, {_ERROR_LINE}, NULL, NULL FROM ({_ASKED})
WHERE ended = 'error'
""",
)  # fmt: skip

REPLAY_LINES = _lines(
    REPLAY,
    f"""
SELECT request_id, at_ms + 40 AS logged_ms, 'INFO' AS level, 'replay_enqueued' AS message,
    {json_object(
        end=quoted(f"iso(start_ms + {DAY})"), entity_id=quoted(ENTITY), scanned="scanned",
        sent="sent", start=quoted("iso(start_ms)"),
    )} AS fields, NULL AS told_id, {ENTITY} AS told_entity
FROM replays WHERE status = 'ok'
UNION ALL
SELECT request_id, at_ms + 40, {_ERROR_LINE}, NULL, NULL FROM replays WHERE status = 'error'
""",
)  # fmt: skip

# A run of the processor logs its start, each record, the groups and what it wrote.
_DAY_START = f"{START_MS} + d * {DAY}"
_LOADED = f"""
SELECT request_id, start_ms + 2 + p % 10 + copy * 10 AS logged_ms,
    CASE WHEN events.loaded THEN 'INFO' ELSE 'WARNING' END AS level,
    CASE WHEN events.loaded THEN 'processor_record_loaded' ELSE 'processor_record_failed' END
        AS message,
    CASE WHEN events.loaded THEN {json_object(
        entity_id=quoted("entity_id"), event_id=quoted("event_id"),
        event_time=quoted("iso(event_ms)"), s3_bucket=quoted(f"'{BUCKET}'"),
        s3_key=quoted(raw_key("event_ms", "ingest_ms")),
    )} ELSE {json_object(err=literal(
        '"An error occurred (NoSuchKey) when calling the GetObject operation"'
    ))} END AS fields,
    CASE WHEN events.loaded THEN event_id END AS told_id,
    CASE WHEN events.loaded THEN entity_id END AS told_entity
FROM handed JOIN events ON handed.u = events.u AND batch = p // {REFERENCE.batch_size},
    range(CASE WHEN twice THEN 2 ELSE 1 END) copies(copy)
WHERE events.sent AND status IN ('ok', 'error')
"""  # fmt: skip
PROCESSOR_LINES = _lines(
    PROCESSOR,
    f"""
WITH handed AS (SELECT * FROM runs WHERE start_ms >= @low AND start_ms < @high)
SELECT request_id, start_ms + 1 AS logged_ms, 'INFO' AS level, 'processor_start' AS message,
    {json_object(records="records")} AS fields, NULL AS told_id, NULL AS told_entity FROM handed
UNION ALL {_LOADED}
UNION ALL
SELECT request_id, start_ms + {WRITES} - 1, 'INFO', 'processor_grouped',
    {json_object(groups="1")}, NULL, NULL FROM handed WHERE status = 'ok'
UNION ALL
SELECT request_id, start_ms + {WRITES}, {_ERROR_LINE}, NULL, NULL FROM handed
WHERE status = 'error'
UNION ALL
SELECT request_id, start_ms + {WRITES}, 'INFO', 'processor_aggregate_written', {json_object(
        day=quoted(f"day_text({_DAY_START})"), entity_id=quoted(ENTITY), input_count="input_count",
        inputs_hash=quoted("inputs_hash"),
        metric_name=quoted(f"'{REFERENCE.aggregate.metric_name}'"),
        value="input_count", version="second", window_end=quoted(f"iso({_DAY_START} + {DAY})"),
        window_start=quoted(f"iso({_DAY_START})"),
    )}, NULL, {ENTITY} FROM written
WHERE request_id IS NOT NULL AND start_ms >= @low AND start_ms < @high
""",
)  # fmt: skip
