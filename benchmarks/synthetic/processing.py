"""What the replays sent and the processor made of it: invocations, versions, messages, letters."""

from __future__ import annotations

import duckdb

from benchmarks.synthetic.faults import DAY
from benchmarks.synthetic.sql import (
    ENTITY,
    columns_of,
    filled,
    json_object,
    quoted,
    raw_key,
    with_values,
)
from benchmarks.synthetic.stores import BUCKET
from benchmarks.synthetic.traffic import CAPTURED, START_MS
from investigate.layouts import pieces_of
from investigate.pipeline import REFERENCE

BATCH, SAMPLES = REFERENCE.batch_size, REFERENCE.sample_ids
RETURNS = 400_000  # after the visibility timeout of the demo's queue, with a margin
TO_PROCESSOR = 5_000  # from a replay to its first batch
WRITES = 61  # from the start of an invocation to its version
STOPPED_MS = int(CAPTURED.timestamp()) * 1000 - 10 * 3_600_000  # when consumption was paused
UNTIL_MS = int(CAPTURED.timestamp()) * 1000 - 11 * 60_000
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:demo-replay"
DEAD_LETTERS = "arn:aws:sqs:eu-west-1:123456789012:demo-dead-letters"

# A day is replayed on the next one, between 00:40 and 21:30, one entity after the other; what waits
# was sent after the pause.
REPLAYED_MS = f"""CASE WHEN work = 'waiting' THEN {STOPPED_MS} + e % 3000 * 1000
    ELSE {START_MS} + (d + 1) * {DAY} + 2400000 + turn(e) * 1000 END"""

_SENT = f"""
CREATE TABLE sent AS
SELECT u, p // {BATCH} AS batch, count(*) FILTER (sent) AS sent,
    count(*) FILTER (sent AND loaded) AS loaded, count(*) FILTER (sent AND NOT loaded) AS failed
FROM events JOIN faults USING (fault) JOIN days USING (u, e, d, fault)
WHERE work IN ('batch', 'purged', 'waiting') GROUP BY ALL
"""
_REPLAYS = f"""
CREATE TABLE replays AS
WITH asked AS (
    SELECT days.*, replay, shape,
        {REPLAYED_MS} + replay * 3600000 AS at_ms, failed_replay
    FROM days JOIN faults USING (fault), range(replays) numbers(replay)
    WHERE work IN ('batch', 'purged', 'waiting')
), counted AS (SELECT u, CAST(sum(sent.sent) AS BIGINT) AS sent FROM sent GROUP BY u)
SELECT u, e, {START_MS} + d * {DAY} AS start_ms, at_ms, sent,
    sent + CASE WHEN fault IN (SELECT fault FROM faults WHERE "row" = 'second') THEN 1 ELSE 0 END
        AS scanned, 'ok' AS status, uuid_of('replay ' || u || ' ' || replay) AS request_id
FROM asked JOIN counted USING (u)
UNION ALL
SELECT u, e, {START_MS} + d * {DAY}, at_ms - 120000, NULL, NULL, failed_replay,
    uuid_of('failed replay ' || u) FROM asked WHERE failed_replay <> ''
UNION ALL
SELECT u, e, {START_MS} - 2 * {DAY}, at_ms + 60000, 0, 0, 'ok', uuid_of('empty replay ' || u)
FROM asked WHERE shape = 'nothing'
"""

# One row per invocation of the processor.
_RUNS = f"""
CREATE TABLE runs AS
WITH handed AS (
    SELECT days.u, days.e, d, days.fault, batch, run, attempt, attempts[attempt + 1] AS status,
        version, sent.loaded, sent.failed,
        {REPLAYED_MS} + {TO_PROCESSOR} + run * 3600000
            + batch * CASE WHEN version = 'last' THEN 100 ELSE 2000 END + attempt * {RETURNS}
            AS start_ms,
        version = 'doubled' AS twice
    FROM days JOIN faults USING (fault) JOIN sent USING (u), range(runs) numbers(run),
        range(len(attempts)) tries(attempt)
    WHERE work = 'batch'
)
SELECT *, (loaded + failed) * CASE WHEN twice THEN 2 ELSE 1 END AS records,
    uuid_of('run ' || u || ' ' || batch || ' ' || run || ' ' || attempt) AS request_id,
    CASE status WHEN 'timeout' THEN 60000 ELSE 90 END AS duration
FROM handed
"""
_ITEM = "concat({})".format(
    ", ".join(
        f"'{piece.text}', {piece.name}" if piece.name else f"'{piece.text}'"
        for piece in pieces_of(REFERENCE.aggregate.input_layout)
    )
)
_VERSIONS = f"""
INSERT INTO versions
WITH counted AS (
    SELECT u, CASE WHEN work = 'batch' THEN p // {BATCH} ELSE 0 END AS batch, n, event_id,
        version = 'doubled' AS twice, {_ITEM} AS item
    FROM events JOIN faults USING (fault) JOIN days USING (u, e, d, fault)
    WHERE u >= @first AND u < @end AND work IN ('batch', 'backfill')
        AND events.sent AND events.loaded
), joined AS (
    SELECT u, batch, bool_or(twice) AS twice, count(*) AS events, list(event_id ORDER BY n) AS ids,
        string_agg(CASE WHEN twice THEN concat(item, ',', item) ELSE item END, ',' ORDER BY n)
            AS inputs
    FROM counted GROUP BY u, batch
)
SELECT u, e, d, fault, batch, version, work, twice, sha256(concat('[', inputs, ']')),
    CASE WHEN twice THEN 2 * events ELSE events END,
    CASE WHEN twice THEN flatten([[id, id] FOR id IN ids]) ELSE ids END[1:{SAMPLES}]
FROM joined JOIN days USING (u) JOIN faults USING (fault)
"""
_MAKE_VERSIONS = """
CREATE TABLE versions (
    u BIGINT, e BIGINT, d BIGINT, fault BIGINT, batch BIGINT, version VARCHAR, work VARCHAR,
    twice BOOLEAN, inputs_hash VARCHAR, input_count BIGINT, sample_event_ids VARCHAR[]
)
"""
# What was written, by whom; a backfill is no invocation.
_WRITTEN = f"""
CREATE TABLE written AS
SELECT versions.* EXCLUDE (version), versions.version, batch AS part, request_id, run,
    (start_ms + {WRITES}) // 1000 AS second, start_ms
FROM versions JOIN runs USING (u, e, d, fault, batch, version, twice)
WHERE status = 'ok' AND input_count > 0
UNION ALL
SELECT versions.* EXCLUDE (version), version, 0, NULL, 0, ({REPLAYED_MS}) // 1000, NULL
FROM versions WHERE work = 'backfill'
"""


def process(con: duckdb.DuckDBPyConnection, units: int, slice_of: int) -> None:
    """Make what was sent (`sent`, `replays`), the processor's invocations (`runs`) and the
    versions (`versions`, and `written` with who wrote each)."""
    for query in (_SENT, _REPLAYS, _RUNS, _MAKE_VERSIONS):
        con.execute(query)
    for first in range(0, units, slice_of):
        con.execute(with_values(_VERSIONS, first=first, end=first + slice_of))
    con.execute(_WRITTEN)


_DAY_TEXT = f"day_text({START_MS} + d * {DAY})"
_AGGREGATES_COLUMNS = columns_of(
    "aggregates",
    pk=filled(REFERENCE.pk_layout),
    sk="'DAY#' || day || '#VER#' || second",
    entity_id="entity_id", day="day", version="second",
    metric_name=f"'{REFERENCE.aggregate.metric_name}'", value="input_count",
    inputs_hash="CASE WHEN version = 'forged' THEN sha256('forged ' || u) ELSE inputs_hash END",
    input_count="input_count", sample_event_ids="sample_event_ids",
    computed_at="iso(second * 1000)", computed_at_utc="moment(second * 1000)",
)  # fmt: skip
AGGREGATES = f"""
WITH kept AS (
    SELECT *, {ENTITY} AS entity_id, {_DAY_TEXT} AS day FROM written
    WHERE e >= @low AND e < @high AND version <> 'none'
    QUALIFY version <> 'last' OR row_number() OVER (PARTITION BY u, second ORDER BY part DESC) = 1
)
SELECT {_AGGREGATES_COLUMNS} FROM kept ORDER BY pk, sk
"""

_BODY = json_object(
    event_id=quoted("event_id"), entity_id=quoted("entity_id"),
    event_time=quoted("iso(event_ms)"), s3_bucket=quoted(f"'{BUCKET}'"),
    s3_key=quoted(raw_key("event_ms", "ingest_ms")),
)  # fmt: skip
_MESSAGES = f"""
SELECT events.*, {_BODY} AS body, receives, true AS formed,
    uuid_of('message ' || events.n || ' ' || message) AS message_id,
    {REPLAYED_MS} + message * 3600000 AS sent_ms
FROM events JOIN faults USING (fault) JOIN days USING (u, e, d, fault),
    range(messages) sends(message)
WHERE messages > 0
UNION ALL
SELECT * REPLACE ('restart, please ' || u AS body, false AS formed,
    uuid_of('malformed ' || u) AS message_id)
FROM (SELECT events.*, '' AS body, 1 AS receives, true AS formed, '' AS message_id,
    {REPLAYED_MS} AS sent_ms
FROM events JOIN faults USING (fault) JOIN days USING (u, e, d, fault)
WHERE shape = 'malformed' AND p = 0)
"""


def _if_formed(value: str) -> str:
    return f"CASE WHEN formed THEN {value} END"


_MESSAGES_COLUMNS = columns_of(
    "messages",
    message_id="message_id", body="body", body_sha="sha256(body)", well_formed="formed",
    event_id=_if_formed("event_id"), entity_id=_if_formed("entity_id"),
    event_time=_if_formed("iso(event_ms)"), event_time_utc=_if_formed("moment(event_ms)"),
    s3_bucket=_if_formed(f"'{BUCKET}'"), s3_key=_if_formed(raw_key("event_ms", "ingest_ms")),
    sent_utc="moment(sent_ms)", first_received_utc=f"moment({UNTIL_MS} + 600000)",
    receive_count="receives", sender_id="'AIDAIT2UOQQY3AUEKVGXU'",
)  # fmt: skip
MESSAGES = f"""
SELECT {_MESSAGES_COLUMNS} FROM ({_MESSAGES}) ORDER BY message_id
"""

_LETTERS = f"""
SELECT events.*, {_BODY} AS body, uuid_of('message ' || events.n || ' 0') AS message_id,
    len(attempts) AS tried, {REPLAYED_MS} AS sent_ms
FROM events JOIN faults USING (fault) JOIN days USING (u, e, d, fault) WHERE hit AND letters
"""
_DEAD_LETTERS_ROWS_COLUMNS = columns_of(
    "dead_letters",
    channel="'sqs-redrive'", source_arn=f"'{QUEUE}'", message_id="message_id", body="body",
    event_id="event_id", attempts="tried",
    first_failed_utc=f"moment(sent_ms + {TO_PROCESSOR})",
    last_failed_utc=f"moment(sent_ms + {TO_PROCESSOR} + (tried - 1) * {RETURNS})",
    expires_utc="moment(sent_ms + 1209600000)", queue_arn=f"'{DEAD_LETTERS}'",
    sent_utc="moment(sent_ms)", body_sha="sha256(body)",
)  # fmt: skip
DEAD_LETTERS_ROWS = f"""
SELECT {_DEAD_LETTERS_ROWS_COLUMNS} FROM ({_LETTERS}) ORDER BY channel, message_id, queue_arn
"""
