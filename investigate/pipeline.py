"""The design of a pipeline under investigation: its names, key layouts, id and hash recipes.

Nothing else in the package repeats a fact of this module. `REFERENCE` is the reference pipeline
(PipelineInvestigationKit); D1 to D28 are the numbers of its known defects. Another pipeline is
another `Design`: docs/another-pipeline.md. A layout is a text with names in braces, as
"ENTITY#{entity_id}"; the names are columns of the tables of a case.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from investigate.layouts import Layout, RawKey, RawLayout, raw_layout_of

REQUIRED_FIELDS = (
    "event_id", "source", "event_type", "entity_id",
    "event_time", "ingest_time", "payload", "payload_sha",
)  # fmt: skip

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

LONGEST_KEY = 1024  # characters at most, as S3 takes no more bytes

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


def format_time(moment: datetime) -> str:
    """Return a time as a pipeline writes it: UTC, `Z`, milliseconds only where there are any.

    A time with a fraction sorts before the whole second, because "." < "Z" (D6).
    """
    text = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    if moment.microsecond:
        text += f".{moment.microsecond // 1000:03d}"
    return text + "Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate:
    """What the processor computes from the events of an entity in a period, version by version.

    Its period's text, as "2026-03-10" of a day or "2026-03-10T07" of an hour, is what the column
    `day` holds. The hash of its inputs is the SHA-256 of `inputs_start`, the `input_layout` of each
    event in the order of event time and id, `inputs_between` them, and `inputs_end`.
    """

    metric_name: str
    period: Literal["day", "hour"] = "day"
    summed: str | None = None  # the field of the payload whose sum is the value; None: the count
    sk_layout: str = "DAY#{day}#VER#{version}"  # whole seconds, so batches can collide (D14)
    input_layout: str = '{{"event_id":"{event_id}","payload_sha":"{payload_sha}"}}'
    inputs_start: str = "["
    inputs_between: str = ","
    inputs_end: str = "]"
    inputs_are_json: bool = True  # ids and hashes are escaped as in a JSON text

    @property
    def length(self) -> timedelta:
        """How long a period is."""
        return timedelta(hours=1) if self.period == "hour" else timedelta(days=1)

    def period_of(self, moment: str) -> str:
        """Return the text of the period in which a time lies, given as a text of `format_time`."""
        return moment[:13] if self.period == "hour" else moment[:10]

    def sk(self, day: str, version: int) -> str:
        """Return the sort key of an aggregate version."""
        return self.sk_layout.format(day=day, version=version)

    def sk_start(self, day: str) -> str:
        """Return what the sort keys of all versions of a period begin with."""
        return self.sk_layout.partition("{version}")[0].format(day=day)

    def version_of(self, sk: str) -> tuple[str, str] | None:
        """Return period and version in a sort key, or None if it does not have the layout."""
        found = Layout(self.sk_layout).parts(sk, version="[0-9]+")
        return (found["day"], found["version"]) if found else None

    def inputs_hash(self, inputs: Iterable[tuple[str, str, str]]) -> str:
        """Return the hash of an aggregate's inputs: (event_time text, event_id, payload_sha)."""
        return sha256(
            self.inputs_start
            + self.inputs_between.join(
                self.input_layout.format(event_id=self._text(one), payload_sha=self._text(sha))
                for _, one, sha in sorted(inputs)
            )
            + self.inputs_end
        )

    def _text(self, text: str) -> str:
        return canonical_json(text)[1:-1] if self.inputs_are_json else text

    def value(self, payloads: Iterable[Any]) -> int | float:
        """Return the value of a version of these payloads; `LookupError` or `TypeError` for a
        payload without the field that is summed."""
        if self.summed is None:
            return sum(1 for _ in payloads)
        total: int | float = sum(payload[self.summed] for payload in payloads)
        return total


def _named_alike() -> dict[str, str]:
    names = ("event_id", "entity_id", "event_time", "s3_bucket", "s3_key")
    return {name: name for name in names}


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """A pipeline's own names, layouts and recipes; raises `ValueError` for what cannot be one."""

    name: str
    metric_namespace: str
    aggregate: Aggregate
    accepted: str = "ACCEPTED"
    duplicate: str = "DUPLICATE"
    raw_prefix: str = "raw/"
    raw_key_layout: str  # below the prefix; the hour is that of the event time
    hashed_id_layout: str
    keyed_id_layout: str  # the payload plays no part (D5)
    id_digest: str = "sha256"  # as hashlib knows it
    delimiters: tuple[str, ...]  # D25: not escaped by the id and key recipes; that of ids first
    pk_layout: str  # of the EventsTable and of the AggregatesTable
    sk_layout: str  # the replay window compares it as text (D6)
    gsi1pk_layout: str
    gsi1sk_layout: str
    # What a message of the replay queue says of its event, by the columns of `messages`, and how
    # it calls that; the processor needs the last two.
    message_fields: Mapping[str, str] = field(default_factory=_named_alike, hash=False)
    batch_size: int = 10
    sample_ids: int = 10

    def __post_init__(self) -> None:
        raw_layout_of(self.raw_key_layout)
        Layout(self.pk_layout).refuse_unless_it_ends_with("entity_id")
        Layout(self.sk_layout).refuse_unless_it_begins_with("event_time")
        if Layout(self.aggregate.sk_layout).names != ("day", "version"):
            raise ValueError(
                f"the layout {self.aggregate.sk_layout!r} must have {{day}}, then {{version}}"
            )
        Layout(self.aggregate.input_layout).refuse_other_names("event_id", "payload_sha")
        if self.message_fields.keys() != _named_alike().keys():
            raise ValueError(f"message_fields must name {', '.join(_named_alike())}")
        self._refuse_recipes_that_cannot_be_followed()

    def _refuse_recipes_that_cannot_be_followed(self) -> None:
        known = ("source", "event_type", "entity_id")
        Layout(self.hashed_id_layout).refuse_names_beyond(*known, "event_time", "payload_sha")
        Layout(self.keyed_id_layout).refuse_names_beyond(*known, "idempotency_key")
        Layout(self.sk_layout).refuse_names_beyond("event_time", "event_id")
        Layout(self.gsi1pk_layout).refuse_names_beyond("source", "event_type", "day")
        Layout(self.gsi1sk_layout).refuse_names_beyond("ingest_lag_ms", "ingest_time", "event_id")
        if not hashlib.new(self.id_digest).digest_size:
            raise ValueError(f"the digest {self.id_digest!r} has no length of its own")

    @property
    def statuses(self) -> tuple[str, str]:
        """What ingest calls an event that it accepted, and one that it refused."""
        return self.accepted, self.duplicate

    def hashed_event_id(
        self, source: Any, event_type: Any, entity_id: Any, event_time: Any, recorded_sha: Any
    ) -> str:
        """Return the event id of an event without an idempotency key."""
        return self._digest(
            self.hashed_id_layout.format(
                source=source, event_type=event_type, entity_id=entity_id,
                event_time=event_time, payload_sha=recorded_sha,
            )
        )  # fmt: skip

    def keyed_event_id(
        self, source: Any, event_type: Any, entity_id: Any, idempotency_key: Any
    ) -> str:
        """Return the event id of an event with an idempotency key."""
        return self._digest(
            self.keyed_id_layout.format(
                source=source, event_type=event_type, entity_id=entity_id,
                idempotency_key=idempotency_key,
            )
        )  # fmt: skip

    def _digest(self, text: str) -> str:
        return hashlib.new(self.id_digest, text.encode("utf-8", "surrogatepass")).hexdigest()

    def recomputed_event_id(self, body: Mapping[str, Any]) -> str:
        """Return the id in the body if a recipe gives it, else the id that the body's recipe gives.

        The recorded payload hash is used, so that a tampered payload is one finding
        (`raw/payload-mismatch`) and a tampered id or field another (`raw/id-mismatch`).
        """
        source, kind, entity = (body.get(name) for name in ("source", "event_type", "entity_id"))
        time, recorded_sha = body.get("event_time"), body.get("payload_sha")
        recipes = [self.hashed_event_id(source, kind, entity, time, recorded_sha)]
        if body.get("idempotency_key"):
            recipes.insert(0, self.keyed_event_id(source, kind, entity, body["idempotency_key"]))
        recorded = body.get("event_id")
        return recorded if isinstance(recorded, str) and recorded in recipes else recipes[0]

    def raw_key(
        self,
        source: str,
        event_type: str,
        event_time: str,
        ingest_time: str,
        event_id: str,
        prefix: str | None = None,
    ) -> str:
        """Return the S3 key under which ingest stores an event; times are texts of `format_time`,
        and without a prefix it is the design's."""
        return (self.raw_prefix if prefix is None else prefix) + self.raw_key_layout.format(
            source=source,
            event_type=event_type,
            event_date=event_time[:10],
            ingest_date=ingest_time[:10],
            hour=event_time[11:13],
            event_id=event_id,
        )

    def parse_raw_key(self, key: str, prefix: str | None = None) -> RawKey | None:
        """Return the parts of a key below the prefix, or None if it does not have the layout, or S3
        cannot have it."""
        prefix = self.raw_prefix if prefix is None else prefix
        fits = key.startswith(prefix) and len(key) <= LONGEST_KEY
        return self.raw_layout.parsed(key.removeprefix(prefix)) if fits else None

    @property
    def raw_layout(self) -> RawLayout:
        """What follows from the layout of raw keys."""
        return raw_layout_of(self.raw_key_layout)

    def event_pk(self, entity_id: str) -> str:
        """Return the partition key of an entity in the EventsTable and the AggregatesTable."""
        return self.pk_layout.format(entity_id=entity_id)

    def event_sk(self, event_time: str, event_id: str) -> str:
        """Return the sort key of an event row."""
        return self.sk_layout.format(event_time=event_time, event_id=event_id)

    def event_gsi1pk(self, source: str, event_type: str, day: str) -> str:
        """Return the partition key of the lag index."""
        return self.gsi1pk_layout.format(source=source, event_type=event_type, day=day)

    def event_gsi1sk(self, lag_ms: int, ingest_time: str, event_id: str) -> str:
        """Return the sort key of the lag index; the lag is not zero padded (D16)."""
        return self.gsi1sk_layout.format(
            ingest_lag_ms=lag_ms, ingest_time=ingest_time, event_id=event_id
        )

    def replay_bound(self, moment: str) -> str:
        """Return the text a replay compares sort keys with, for a start or an end."""
        return Layout(self.sk_layout).start + moment

    def replay_message(self, row: Mapping[str, Any]) -> str:
        """Return the message that a replay sends for a row of the EventsTable."""
        return json.dumps({told: row.get(name) for name, told in self.message_fields.items()})


REFERENCE = Design(
    name="reference",
    metric_namespace="PipelineInvestigationKit",
    aggregate=Aggregate(metric_name="daily_event_count"),
    raw_key_layout="source={source}/event_type={event_type}/event_date={event_date}"
    "/ingest_date={ingest_date}/hour={hour}/event_id={event_id}.json",
    hashed_id_layout="HASH|{source}|{event_type}|{entity_id}|{event_time}|{payload_sha}",
    keyed_id_layout="IDEMPOTENCY|{source}|{event_type}|{entity_id}|{idempotency_key}",
    delimiters=("|", "#", "/", "="),
    pk_layout="ENTITY#{entity_id}",
    sk_layout="TS#{event_time}#EID#{event_id}",
    gsi1pk_layout="SRC#{source}#TYPE#{event_type}#DAY#{day}",
    gsi1sk_layout="LAG#{ingest_lag_ms}#TS#{ingest_time}#EID#{event_id}",
)
