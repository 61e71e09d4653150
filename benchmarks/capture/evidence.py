"""The pipeline that is captured: raw objects of about 1 KB and the rows of EventsTable for them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from investigate import pipeline
from investigate.model import Window
from investigate.pipeline import REFERENCE

REGION = "eu-west-1"
BUCKET = "raw-events"
TABLE = "EventsTable"
START = datetime(2026, 3, 10, tzinfo=UTC)
DAYS = 3
WINDOW = Window(START, START + timedelta(days=DAYS))
FEEDS = (
    ("webshop", "order"),
    ("mobile-app", "payment"),
    ("warehouse", "shipment"),
    ("thermostat", "reading"),
)
ENTITIES = 40  # of each feed
_STEP = timedelta(seconds=977)  # prime to the seconds of the window: events lie on all its hours


@dataclass(frozen=True, slots=True)
class Event:
    """One event as ingest stored it: the body of its object, and its row in EventsTable."""

    body: Mapping[str, Any]
    row: Mapping[str, str | int]

    @property
    def key(self) -> str:
        """The key of the raw object."""
        return str(self.row["s3_key"])

    @property
    def data(self) -> bytes:
        """The bytes of the raw object, as the reference pipeline writes them."""
        return json.dumps(self.body).encode()

    @property
    def item(self) -> dict[str, dict[str, str]]:
        """The row as DynamoDB's JSON."""
        return {
            name: {"N": str(value)} if isinstance(value, int) else {"S": value}
            for name, value in self.row.items()
        }


def events(count: int) -> Iterator[Event]:
    """Yield so many events; the first n of any count are the same."""
    for number in range(count):
        yield _event(number)


def _event(number: int) -> Event:
    source, event_type = FEEDS[number % len(FEEDS)]
    entity_id = f"{source}-{number // len(FEEDS) % ENTITIES}"
    moment = START + (number * _STEP) % timedelta(days=DAYS)
    lag = 700 + number % 7_000
    event_time = pipeline.format_time(moment)
    ingest_time = pipeline.format_time(moment + timedelta(milliseconds=lag))
    payload = _payload(number)
    sha = pipeline.payload_sha(payload)
    event_id = REFERENCE.hashed_event_id(source, event_type, entity_id, event_time, sha)
    plain = {"source": source, "event_type": event_type, "entity_id": entity_id}
    known = {"event_id": event_id, "event_time": event_time, "ingest_time": ingest_time}
    body = {**plain, "payload": payload, **known, "payload_sha": sha}
    return Event(body, _row({**plain, **known, "payload_sha": sha}, lag))


def _payload(number: int) -> dict[str, Any]:
    items = [
        {"sku": f"SKU-{(number * 31 + line) % 9_973:05}", "quantity": 1 + line, "price": 9.5 + line,
         "description": "Größe 42, dunkelblau"}
        for line in range(4)
    ]  # fmt: skip
    return {
        "number": number,
        "currency": "EUR",
        "total": sum(item["price"] * item["quantity"] for item in items),  # type: ignore[operator]
        "gift": number % 5 == 0,
        "note": None,
        "items": items,
        "address": {"city": "Köln", "street": f"Hauptstraße {number % 200}", "postcode": "50667"},
    }


def _row(event: Mapping[str, str], lag: int) -> dict[str, str | int]:
    source, event_type, event_id = event["source"], event["event_type"], event["event_id"]
    event_time, ingest_time, day = (
        event["event_time"],
        event["ingest_time"],
        event["event_time"][:10],
    )
    return {
        "PK": REFERENCE.event_pk(event["entity_id"]),
        "SK": REFERENCE.event_sk(event_time, event_id),
        "GSI1PK": REFERENCE.event_gsi1pk(source, event_type, day),
        "GSI1SK": REFERENCE.event_gsi1sk(lag, ingest_time, event_id),
        **event,
        "ingest_lag_ms": lag,
        "status": REFERENCE.accepted,
        "day": day,
        "hour": event_time[11:13],
        "s3_bucket": BUCKET,
        "s3_key": REFERENCE.raw_key(source, event_type, event_time, ingest_time, event_id),
    }
