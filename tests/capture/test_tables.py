from __future__ import annotations

import json
from typing import Any

import pytest

from investigate.capture import tables
from investigate.capture.source import Captured
from tests.builders import Event, aggregate_row, at, dedupe_row, event_row
from tests.capture.helpers import coverage, loaded, rows_of, source_of

EVENT = Event("a")


def read(reader, world) -> Captured:
    source = source_of(world)
    (captured,) = reader(source)
    return loaded(source, captured)


def put(world, role: str, item: dict[str, Any]) -> None:
    name = getattr(world.names, f"{role}_table")
    world.clients.dynamodb.put_item(TableName=name, Item=item)


def test_a_row_of_the_index_gives_every_column(world):
    answer = world.ingest(
        {
            "source": "web",
            "event_type": "order",
            "entity_id": "e1",
            "event_time": "2026-03-09T23:59:58Z",
            "payload": {"name": "a"},
        }
    )
    captured = read(tables.read_events, world)
    (row,) = rows_of(captured)
    assert coverage(captured) == ("captured", None)
    event = Event("a", when=at(0) - (at(2) - at(0)) / 3600)
    assert answer.event_id == event.id
    expected = event_row(event, s3_bucket="demo-raw")
    assert {**row, "attributes": None} == {**expected, "attributes": None}


def test_the_whole_row_is_kept_as_text_with_sorted_names(world):
    put(
        world,
        "events",
        {
            "PK": {"S": "ENTITY#e1"},
            "SK": {"S": "TS#1"},
            "zebra": {"B": b"\xff"},
            "alpha": {"SS": ["b", "a"]},
            "price": {"N": "1.50"},
        },
    )
    (row,) = rows_of(read(tables.read_events, world))
    assert list(json.loads(row["attributes"])) == ["PK", "SK", "alpha", "price", "zebra"]
    assert json.loads(row["attributes"])["price"] == 1.5
    assert row["event_id"] is None


def test_more_rows_than_a_page_holds_are_all_read(world):
    for number in range(30):
        row = {"PK": {"S": "p"}, "SK": {"S": f"{number:02d}"}, "blob": {"S": "x" * 100_000}}
        put(world, "events", row)
    captured = read(tables.read_events, world)
    assert [row["sk"] for row in rows_of(captured)] == [f"{number:02d}" for number in range(30)]


def test_values_of_a_wrong_type_do_not_stop_a_capture(world):
    put(
        world,
        "events",
        {
            "PK": {"S": "p"},
            "SK": {"S": "s"},
            "event_time": {"N": "5"},
            "ingest_lag_ms": {"N": "9" * 30},
            "status": {"L": [{"S": "ACCEPTED"}]},
        },
    )
    (row,) = rows_of(read(tables.read_events, world))
    assert (row["event_time"], row["event_time_utc"]) == ("5", None)
    assert (row["ingest_lag_ms"], row["status"]) == (None, '["ACCEPTED"]')


def test_a_row_of_the_gate_gives_every_column(world):
    expected = dedupe_row(EVENT)
    stored = ("event_id", "first_seen_ingest_time", "entity_id", "source", "event_type")
    world.put_item(
        "dedupe",
        {
            **{name: expected[name] for name in stored},
            "event_time": expected["event_time"],
            "ttl_epoch": expected["ttl_epoch"],
        },
    )
    assert rows_of(read(tables.read_dedupe, world)) == [expected]


def test_an_aggregate_version_gives_every_column_and_its_version_from_the_key(world):
    expected = aggregate_row([EVENT])
    derived = ("pk", "sk", "version", "computed_at_utc")
    world.put_item(
        "aggregates",
        {
            "PK": expected["pk"],
            "SK": expected["sk"],
            **{name: value for name, value in expected.items() if name not in derived},
            "value": 1,
        },
    )
    assert rows_of(read(tables.read_aggregates, world)) == [expected]


@pytest.mark.parametrize(
    ("sort_key", "day", "version"),
    [
        ("DAY#2026-03-10#VER#17", "2026-03-10", 17),
        ("DAY#2026-03-10#VER#" + "9" * 30, "2026-03-10", None),
        ("DAY#2026-03-10", None, None),
        ("nonsense", None, None),
    ],
)
def test_an_aggregate_with_a_strange_key_has_no_version(world, sort_key, day, version):
    put(world, "aggregates", {"PK": {"S": "ENTITY#e1"}, "SK": {"S": sort_key}})
    (row,) = rows_of(read(tables.read_aggregates, world))
    assert (row["day"], row["version"], row["sample_event_ids"]) == (day, version, None)


@pytest.mark.parametrize(
    ("read", "name"),
    [
        (tables.read_events, "events"),
        (tables.read_dedupe, "dedupe"),
        (tables.read_aggregates, "aggregates"),
    ],
)
def test_a_table_that_is_not_configured_is_skipped(world, read, name):
    (captured,) = read(source_of(world, without=(f"{name}_table",)))
    assert coverage(captured) == ("skipped", f"no {name} table is configured")
