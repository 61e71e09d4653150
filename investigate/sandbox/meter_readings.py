"""A second pipeline: meters send readings, and what they used is added up per hour.

It is here to be captured and examined beside the reference pipeline, and as an example of a
plug-in: all that a pipeline of one's own needs is a `Design` such as this one, in a module of one's
own, and an entry point of the group `investigate.pipelines`; see docs/another-pipeline.md.
"""

from __future__ import annotations

from investigate.pipeline import Aggregate, Design

METER_READINGS = Design(
    name="meter-readings",
    metric_namespace="MeterReadings",
    aggregate=Aggregate(
        metric_name="hourly_watt_hours",
        period="hour",
        summed="watt_hours",
        sk_layout="HOUR/{day}/V{version}",
        input_layout="{payload_sha} {event_id}\n",
        inputs_start="",
        inputs_between="",
        inputs_end="",
        inputs_are_json=False,
    ),
    accepted="STORED",
    duplicate="SEEN",
    raw_prefix="readings/",
    raw_key_layout="{event_date}/{event_type}/{source}/{hour}h/{ingest_date}.{event_id}.json",
    hashed_id_layout="{event_time}~{entity_id}~{source}~{event_type}~{payload_sha}",
    keyed_id_layout="key~{entity_id}~{source}~{event_type}~{idempotency_key}",
    id_digest="sha1",
    delimiters=("~", "/"),
    pk_layout="METER/{entity_id}",
    sk_layout="AT/{event_time}/{event_id}",
    gsi1pk_layout="{day}/{event_type}/{source}",
    gsi1sk_layout="{ingest_time}/{ingest_lag_ms}",
    message_fields={
        "event_id": "reading",
        "entity_id": "meter",
        "event_time": "at",
        "s3_bucket": "bucket",
        "s3_key": "key",
    },
    batch_size=8,
    sample_ids=6,
)
