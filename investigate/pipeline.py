"""The pipeline under investigation: its names, key layouts, id and hash recipes and batch rules.

Nothing else in the package repeats a fact of this module. The facts are those of the reference
pipeline (PipelineInvestigationKit); D1 to D28 are the numbers of its known defects.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

METRIC_NAMESPACE = "PipelineInvestigationKit"
METRIC_NAME = "daily_event_count"
STATUSES = ACCEPTED, DUPLICATE = ("ACCEPTED", "DUPLICATE")
REQUIRED_FIELDS = (
    "event_id", "source", "event_type", "entity_id",
    "event_time", "ingest_time", "payload", "payload_sha",
)  # fmt: skip
DELIMITERS = ("|", "#", "/", "=")  # D25: not escaped by the id and key recipes

BATCH_SIZE = 10
SAMPLE_IDS = 10
DEFAULT_REPLAY_LIMIT = 500
QUERY_PAGE_BYTES = 1024 * 1024  # DynamoDB Query: at most 1 MB per page, before any filter
DEDUPE_LIFETIME_DAYS = 30
RAW_LIFETIME_DAYS = 90
QUEUE_RETENTION_SECONDS = 345_600
QUEUE_VISIBILITY_SECONDS = 60
INGEST_TIMEOUT_SECONDS = 30
REPLAY_TIMEOUT_SECONDS = 30
PROCESSOR_TIMEOUT_SECONDS = 60
INGEST_MEMORY_MB = 256
PROCESSOR_MEMORY_MB = 512

# The first word of a raw object's `error`. Only the first group is about what the object holds;
# the second says that the object could not be looked at, which is never evidence of damage.
CONTENT_ERRORS = ("not-utf8", "not-json", "not-an-object", "missing-fields", "bad-time")
ACCESS_ERRORS = ("denied", "gone", "deleted", "archived", "failed")
GONE = ("gone", "deleted")  # nothing is left of these under their key

_KEY = re.compile(
    r"source=(?P<source>.*)/event_type=(?P<event_type>.*)/event_date=(?P<event_date>[^/]*)"
    r"/ingest_date=(?P<ingest_date>[^/]*)/hour=(?P<hour>[^/]*)/event_id=(?P<event_id>.*)\.json"
)

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def canonical_json(payload: Any) -> str:
    """Return the text whose SHA-256 is a payload's hash: sorted keys, no spaces, non-ASCII kept."""
    return _CANONICAL.encode(payload)


def sha256(text: str) -> str:
    """Return the hex SHA-256 of a text in UTF-8; lone surrogates are kept as they are."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def payload_sha(payload: Any) -> str:
    """Return the hash that ingest records for a payload."""
    return sha256(canonical_json(payload))


def hashed_event_id(
    source: Any, event_type: Any, entity_id: Any, event_time: Any, recorded_sha: Any
) -> str:
    """Return the event id of an event without an idempotency key."""
    return sha256(f"HASH|{source}|{event_type}|{entity_id}|{event_time}|{recorded_sha}")


def keyed_event_id(source: Any, event_type: Any, entity_id: Any, idempotency_key: Any) -> str:
    """Return the event id of an event with an idempotency key; the payload plays no part (D5)."""
    return sha256(f"IDEMPOTENCY|{source}|{event_type}|{entity_id}|{idempotency_key}")


def recomputed_event_id(body: Mapping[str, Any]) -> str:
    """Return the id in the body if a recipe gives it, else the id that the body's recipe gives.

    The recorded payload hash is used, so that a tampered payload is one finding
    (`raw/payload-mismatch`) and a tampered id or field another (`raw/id-mismatch`).
    """
    source, kind, entity = (body.get(name) for name in ("source", "event_type", "entity_id"))
    recorded_sha = body.get("payload_sha")
    recipes = [hashed_event_id(source, kind, entity, body.get("event_time"), recorded_sha)]
    if body.get("idempotency_key"):
        recipes.insert(0, keyed_event_id(source, kind, entity, body["idempotency_key"]))
    recorded = body.get("event_id")
    return recorded if isinstance(recorded, str) and recorded in recipes else recipes[0]


def format_time(moment: datetime) -> str:
    """Return a time as the pipeline writes it: UTC, `Z`, milliseconds only where there are any.

    A time with a fraction sorts before the whole second, because "." < "Z" (D6).
    """
    text = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    if moment.microsecond:
        text += f".{moment.microsecond // 1000:03d}"
    return text + "Z"


class RawKey(NamedTuple):
    """The parts of a raw object's key, all as text."""

    source: str
    event_type: str
    event_date: str
    ingest_date: str
    hour: str
    event_id: str


# Below the prefix; the hour is that of the event time.
RAW_KEY_LAYOUT = (
    "source={source}/event_type={event_type}/event_date={event_date}"
    "/ingest_date={ingest_date}/hour={hour}/event_id={event_id}.json"
)


def raw_key(
    source: str,
    event_type: str,
    event_time: str,
    ingest_time: str,
    event_id: str,
    prefix: str = "raw/",
) -> str:
    """Return the S3 key under which ingest stores an event; times are texts of `format_time`."""
    return prefix + RAW_KEY_LAYOUT.format(
        source=source,
        event_type=event_type,
        event_date=event_time[:10],
        ingest_date=ingest_time[:10],
        hour=event_time[11:13],
        event_id=event_id,
    )


def parse_raw_key(key: str, prefix: str = "raw/") -> RawKey | None:
    """Return the parts of a key below the prefix, or None if it does not have the layout."""
    match = _KEY.fullmatch(key.removeprefix(prefix)) if key.startswith(prefix) else None
    return RawKey(*match.groups()) if match else None


# The names in braces are columns of the table `events` (and `day`, the day of the event time).
PK_LAYOUT = "ENTITY#{entity_id}"
SK_LAYOUT = "TS#{event_time}#EID#{event_id}"
GSI1PK_LAYOUT = "SRC#{source}#TYPE#{event_type}#DAY#{day}"
GSI1SK_LAYOUT = "LAG#{ingest_lag_ms}#TS#{ingest_time}#EID#{event_id}"


def event_pk(entity_id: str) -> str:
    """Return the partition key of an entity in the EventsTable and the AggregatesTable."""
    return PK_LAYOUT.format(entity_id=entity_id)


def event_sk(event_time: str, event_id: str) -> str:
    """Return the sort key of an event row; the replay window compares it as text (D6)."""
    return SK_LAYOUT.format(event_time=event_time, event_id=event_id)


def event_gsi1pk(source: str, event_type: str, day: str) -> str:
    """Return the partition key of the lag index."""
    return GSI1PK_LAYOUT.format(source=source, event_type=event_type, day=day)


def event_gsi1sk(lag_ms: int, ingest_time: str, event_id: str) -> str:
    """Return the sort key of the lag index; the lag is not zero padded (D16)."""
    return GSI1SK_LAYOUT.format(ingest_lag_ms=lag_ms, ingest_time=ingest_time, event_id=event_id)


def replay_bound(moment: str) -> str:
    """Return the text a replay compares sort keys with, for a start or an end."""
    return f"TS#{moment}"


# What a message of the replay queue says of its event; the processor needs the last two.
MESSAGE_FIELDS = ("event_id", "entity_id", "event_time", "s3_bucket", "s3_key")


def replay_message(row: Mapping[str, Any]) -> str:
    """Return the message that a replay sends for a row of the EventsTable."""
    return json.dumps({name: row.get(name) for name in MESSAGE_FIELDS})


def aggregate_sk(day: str, version: int) -> str:
    """Return the sort key of an aggregate version; whole seconds, so batches can collide (D14)."""
    return f"DAY#{day}#VER#{version}"


# What stands around the id and the hash of one input in the canonical JSON that is hashed.
INPUT_PREFIX, INPUT_MIDDLE, INPUT_SUFFIX = '{"event_id":"', '","payload_sha":"', '"}'


def inputs_hash(inputs: Iterable[tuple[str, str, str]]) -> str:
    """Return the hash of an aggregate's inputs: (event_time text, event_id, payload_sha)."""
    listed = [{"event_id": event_id, "payload_sha": sha} for _, event_id, sha in sorted(inputs)]
    return sha256(canonical_json(listed))
