"""The agreed columns of every table of a case, and the one door through which rows enter them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from investigate.compact import LAYOUTS, stored_columns
from investigate.errors import CaseDamagedError, UsageError

TEXT = pa.string()
WHOLE = pa.int64()
NUMBER = pa.float64()
FLAG = pa.bool_()
TEXTS = pa.list_(pa.string())
MOMENT = pa.timestamp("us", tz="UTC")


def _schema(**columns: pa.DataType) -> pa.Schema:
    return pa.schema(list(columns.items()))


RAW = _schema(
    s3_key=TEXT, size=WHOLE, last_modified=MOMENT, etag=TEXT, version_id=TEXT,
    key_event_id=TEXT, key_source=TEXT, key_event_type=TEXT, key_event_date=TEXT,
    key_ingest_date=TEXT, key_hour=TEXT, readable=FLAG, error=TEXT,
    event_id=TEXT, source=TEXT, event_type=TEXT, entity_id=TEXT,
    event_time=TEXT, event_time_utc=MOMENT, ingest_time=TEXT, ingest_time_utc=MOMENT,
    idempotency_key=TEXT, payload_sha=TEXT, payload_sha_actual=TEXT, event_id_actual=TEXT,
    payload=TEXT,
)  # fmt: skip

EVENTS = _schema(
    pk=TEXT, sk=TEXT, event_id=TEXT, source=TEXT, event_type=TEXT, entity_id=TEXT,
    event_time=TEXT, event_time_utc=MOMENT, ingest_time=TEXT, ingest_time_utc=MOMENT,
    ingest_lag_ms=WHOLE, payload_sha=TEXT, status=TEXT, s3_bucket=TEXT, s3_key=TEXT,
    gsi1pk=TEXT, gsi1sk=TEXT, attributes=TEXT,
)  # fmt: skip

DEDUPE = _schema(
    event_id=TEXT, first_seen_ingest_time=TEXT, first_seen_utc=MOMENT, entity_id=TEXT,
    source=TEXT, event_type=TEXT, event_time=TEXT, event_time_utc=MOMENT, ttl_epoch=WHOLE,
)  # fmt: skip

MESSAGES = _schema(
    message_id=TEXT, body=TEXT, body_sha=TEXT, well_formed=FLAG, event_id=TEXT, entity_id=TEXT,
    event_time=TEXT, event_time_utc=MOMENT, s3_bucket=TEXT, s3_key=TEXT, sent_utc=MOMENT,
    first_received_utc=MOMENT, receive_count=WHOLE, group_id=TEXT, sender_id=TEXT, trace_id=TEXT,
    attributes=TEXT,
)  # fmt: skip

DEAD_LETTERS = _schema(
    channel=TEXT, source_arn=TEXT, message_id=TEXT, request_id=TEXT, body=TEXT, event_id=TEXT,
    error_code=TEXT, error_message=TEXT, condition=TEXT, attempts=WHOLE,
    first_failed_utc=MOMENT, last_failed_utc=MOMENT, expires_utc=MOMENT,
    shard_id=TEXT, start_sequence=TEXT, end_sequence=TEXT, queue_arn=TEXT, target_arn=TEXT,
    sent_utc=MOMENT, body_sha=TEXT, attributes=TEXT,
)  # fmt: skip

AGGREGATES = _schema(
    pk=TEXT, sk=TEXT, entity_id=TEXT, day=TEXT, version=WHOLE, metric_name=TEXT, value=NUMBER,
    inputs_hash=TEXT, input_count=WHOLE, sample_event_ids=TEXTS, computed_at=TEXT,
    computed_at_utc=MOMENT,
)  # fmt: skip

INVOCATIONS = _schema(
    function=TEXT, request_id=TEXT, started_utc=MOMENT, ended_utc=MOMENT, duration_ms=NUMBER,
    billed_ms=WHOLE, memory_mb=WHOLE, max_memory_mb=WHOLE, status=TEXT, error_type=TEXT,
    error_message=TEXT, trace_id=TEXT, log_stream=TEXT,
)  # fmt: skip

LOG_LINES = _schema(
    function=TEXT, request_id=TEXT, logged_utc=MOMENT, level=TEXT, message=TEXT, fields=TEXT,
    event_id=TEXT, entity_id=TEXT,
)  # fmt: skip

METRIC_POINTS = _schema(
    namespace=TEXT, metric=TEXT, dimensions=TEXT, at_utc=MOMENT, value=NUMBER, origin=TEXT,
)  # fmt: skip

QUEUE_STATE = _schema(
    name=TEXT, arn=TEXT, role=TEXT, visible=WHOLE, not_visible=WHOLE, delayed=WHOLE,
    oldest_age_s=WHOLE, retention_s=WHOLE, visibility_timeout_s=WHOLE, dead_letter_arn=TEXT,
    max_receive_count=WHOLE, delay_s=WHOLE, fifo=FLAG, redrive_allow=TEXT,
    last_modified_utc=MOMENT,
)  # fmt: skip

FUNCTIONS = _schema(
    name=TEXT, role=TEXT, arn=TEXT, timeout_s=WHOLE, memory_mb=WHOLE, reserved_concurrency=WHOLE,
    dlq_arn=TEXT, on_failure_arn=TEXT, max_retry_attempts=WHOLE, max_event_age_s=WHOLE,
    log_group=TEXT, log_format=TEXT, tracing=TEXT, dry_run=FLAG, code_sha256=TEXT,
    last_modified_utc=MOMENT, qualified_invoke_configs=TEXT, handler=TEXT, runtime=TEXT,
    log_level=TEXT, log_retention_days=WHOLE, log_group_exists=FLAG, invokers=TEXT,
)  # fmt: skip

MAPPINGS = _schema(
    uuid=TEXT, function=TEXT, source_arn=TEXT, state=TEXT, batch_size=WHOLE, window_s=WHOLE,
    max_retry_attempts=WHOLE, max_record_age_s=WHOLE, bisect=FLAG, partial_batch_response=FLAG,
    on_failure_arn=TEXT, max_concurrency=WHOLE, last_result=TEXT,
    parallelization=WHOLE, filters=TEXT, last_modified_utc=MOMENT, source_retention_s=WHOLE,
)  # fmt: skip

ALARMS = _schema(
    name=TEXT, namespace=TEXT, metric=TEXT, dimensions=TEXT, actions=TEXTS, state=TEXT, arn=TEXT,
    statistic=TEXT, period_s=WHOLE, threshold=NUMBER, comparison=TEXT, evaluation_periods=WHOLE,
    datapoints_to_alarm=WHOLE, treat_missing=TEXT, actions_enabled=FLAG, state_updated_utc=MOMENT,
    metrics=TEXT, rule=TEXT,
)  # fmt: skip

SPANS = _schema(
    trace_id=TEXT, segment_id=TEXT, parent_id=TEXT, name=TEXT, started_utc=MOMENT, ended_utc=MOMENT,
    error=FLAG, fault=FLAG, throttle=FLAG, document=TEXT, origin=TEXT, request_id=TEXT,
)  # fmt: skip

DELIVERIES = _schema(
    arn=TEXT, kind=TEXT, source_arn=TEXT, name=TEXT, target_arn=TEXT, state=TEXT,
    max_retry_attempts=WHOLE, max_event_age_s=WHOLE, dead_letter_arn=TEXT, raw_delivery=FLAG,
    pattern=TEXT,
)  # fmt: skip

DEPLOYMENTS = _schema(
    resource=TEXT, kind=TEXT, at_utc=MOMENT, what=TEXT, status=TEXT, version=TEXT, detail=TEXT,
)  # fmt: skip

RESCUED = _schema(
    message_id=TEXT, queue_arn=TEXT, stream_arn=TEXT, shard_id=TEXT, sequence=TEXT, status=TEXT,
    partition_key=TEXT, arrived_utc=MOMENT, data=TEXT, event_id=TEXT, error=TEXT,
)  # fmt: skip

# The raw objects that a case only points at: every version of each key, with what S3 knew of it.
LISTING = _schema(
    key=TEXT, version_id=TEXT, size=WHOLE, last_modified=MOMENT, etag=TEXT, newest=FLAG,
    deleted=FLAG,
)  # fmt: skip

TABLES: Mapping[str, pa.Schema] = {
    "raw": RAW, "events": EVENTS, "dedupe": DEDUPE, "messages": MESSAGES,
    "dead_letters": DEAD_LETTERS, "aggregates": AGGREGATES, "invocations": INVOCATIONS,
    "log_lines": LOG_LINES, "metric_points": METRIC_POINTS, "queue_state": QUEUE_STATE,
    "functions": FUNCTIONS, "mappings": MAPPINGS, "alarms": ALARMS, "spans": SPANS,
    "deliveries": DELIVERIES, "deployments": DEPLOYMENTS, "rescued": RESCUED,
}  # fmt: skip

# Columns of tables that were captured before there were such columns: a case may lack them.
LATER: Mapping[str, frozenset[str]] = {
    "messages": frozenset({"sender_id", "trace_id", "attributes"}),
    "functions": frozenset(
        {
            "qualified_invoke_configs",
            "handler",
            "runtime",
            "log_level",
            "log_retention_days",
            "log_group_exists",
            "invokers",
        }
    ),
    "queue_state": frozenset({"delay_s", "fifo", "redrive_allow", "last_modified_utc"}),
    "mappings": frozenset(
        {"parallelization", "filters", "last_modified_utc", "source_retention_s"}
    ),
}

# A table's rows are stored in this order, so that one pipeline gives one file, byte for byte.
ORDER: Mapping[str, tuple[str, ...]] = {
    "raw": ("s3_key", "version_id"), "events": ("pk", "sk"), "dedupe": ("event_id",),
    "messages": ("message_id",), "dead_letters": ("channel", "message_id", "queue_arn"),
    "aggregates": ("pk", "sk"), "invocations": ("function", "started_utc", "request_id"),
    "log_lines": ("function", "logged_utc", "request_id", "message", "fields"),
    "metric_points": ("namespace", "metric", "dimensions", "at_utc", "value"),
    "queue_state": ("name",), "functions": ("name",), "mappings": ("uuid",), "alarms": ("name",),
    "spans": ("trace_id", "segment_id"), "deliveries": ("arn",),
    "deployments": ("resource", "at_utc", "what", "version"),
    "rescued": ("queue_arn", "message_id", "sequence"),
}  # fmt: skip


def schema_of(table: str) -> pa.Schema:
    """Return a table's columns; raise `UsageError` naming the known tables."""
    if table not in TABLES:
        raise UsageError.unknown("table", table, TABLES)
    return TABLES[table]


def as_table(table: str, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Return rows as an Arrow table with exactly the agreed columns; a missing value is null.

    Raises `CaseDamagedError` naming every column that is not agreed, and values of a wrong type.
    """
    schema = schema_of(table)
    listed = list(rows)
    strange = sorted({name for row in listed for name in row} - set(schema.names))
    if strange:
        raise CaseDamagedError(f"table {table!r} has no column {', '.join(map(repr, strange))}")
    try:
        return pa.Table.from_pylist(listed, schema=schema)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
        raise CaseDamagedError(f"table {table!r}: {error}") from error


def listing_problems(found: pa.Schema) -> list[str]:
    """Return in words in what the columns of a listing are not the agreed ones, all and no other:
    what reads the objects takes each for something that it knows of one."""
    return [] if found.remove_metadata().equals(LISTING) else ["its columns are not of a listing"]


def missing_columns(table: str, found: pa.Schema) -> list[str]:
    """Return what a file lacks of the agreed columns: names, and names with another type."""
    problems = []
    left_out = LAYOUTS.get(table, {})
    for field in schema_of(table):
        position = found.get_field_index(field.name)
        if position < 0 and all(
            name in found.names for name in stored_columns(field.name, left_out)
        ):
            continue  # left out of a large table, because it follows from others
        if position < 0:
            if field.name not in LATER.get(table, ()):
                problems.append(f"no column {field.name!r}")
        elif not _compatible(found.field(position).type, field.type):
            problems.append(
                f"column {field.name!r} is {found.field(position).type}, not {field.type}"
            )
    return problems


def _compatible(found: pa.DataType, wanted: pa.DataType) -> bool:
    if pa.types.is_list(wanted):
        return bool(pa.types.is_list(found) or pa.types.is_large_list(found))
    if pa.types.is_string(wanted):
        return bool(pa.types.is_string(found) or pa.types.is_large_string(found))
    if pa.types.is_timestamp(wanted):
        return bool(pa.types.is_timestamp(found))
    return bool(found == wanted)
