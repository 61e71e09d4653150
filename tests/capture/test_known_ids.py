"""A capture of single entities: asked for by key, and what it cannot tell is said."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from investigate.aws import Listed
from investigate.capture import known_ids, tables
from investigate.case import Coverage
from tests.builders import Event
from tests.capture.delivered import Objects
from tests.capture.helpers import refuse, source_of
from tests.capture.whole import deliver, export_of, fill, inventory_of, over, requests, rows, take

NOW = "../2026-03-10T20:00:00Z"


@pytest.fixture
def full(world):
    """Six events of two entities, an aggregate of each, and an object that no row knows."""
    fill(world)
    for entity in ("e0", "e1"):
        world.put_item(
            "aggregates",
            {"PK": f"ENTITY#{entity}", "SK": "METRIC#n#DAY#2026-03-10#VER#1", "entity_id": entity},
        )
    prefix = "raw/source=web/event_type=order/event_date=2026-03-10/ingest_date=2026-03-10/hour=06"
    world.put_object(f"{prefix}/event_id={'a' * 64}.json", b'{"entity_id": "e0"}')
    return world


def test_one_entity_is_captured_by_queries_and_keys_and_no_scan(full, tmp_path):
    case = take(full, tmp_path / "case", entities=("e0",))
    assert case.scope_entities == ("e0",)
    assert {table: case.rows[table] for table in ("events", "dedupe", "raw", "aggregates")} == {
        "events": 3, "dedupe": 3, "raw": 3, "aggregates": 1,
    }  # fmt: skip
    for table in ("events", "dedupe", "aggregates"):
        assert {row["entity_id"] for row in rows(case, table)} == {"e0"}
    ids = {row["event_id"] for row in rows(case, "events")}
    assert {row["key_event_id"] for row in rows(case, "raw")} == ids
    asked = {name: count for name, count in requests(case).items() if name.startswith("dynamodb")}
    # Three scans of one row each are the first look; a query for each of events and aggregates.
    assert asked == {"dynamodb:Scan": 3, "dynamodb:Query": 2, "dynamodb:BatchGetItem": 1}
    assert requests(case)["s3:GetObject"] == 3


def test_what_the_capture_of_an_entity_cannot_tell_is_said(full, tmp_path):
    case = take(full, tmp_path / "case", entities=("e0", "e1"))
    known = "6 known events of e0, e1"
    assert case.coverage["events"] == Coverage("captured", "entity e0, e1 only", NOW)
    assert case.coverage["aggregates"] == Coverage("captured", "entity e0, e1 only", NOW)
    assert case.coverage["dedupe"] == Coverage(
        "partial",
        f"only the rows of {known}: an event that no row of the index knows is not seen",
        NOW,
        listed=True,
    )
    dates = "event dates 2026-03-09 to 2026-03-11 only"
    reason = f"{dates}; only the objects of {known}"
    assert case.coverage["raw"] == Coverage("partial", reason, NOW, listed=True)


def test_an_entity_that_nobody_knows_leaves_empty_tables(full, tmp_path):
    case = take(full, tmp_path / "case", entities=("nobody",))
    assert {case.rows[table] for table in ("events", "dedupe", "raw", "aggregates")} == {0}
    assert "0 known events of nobody" in case.coverage["dedupe"].reason
    assert "dynamodb:BatchGetItem" not in requests(case)


def test_many_ids_are_asked_for_a_hundred_at_a_time_and_what_is_left_over_again(
    full, tmp_path, monkeypatch
):
    monkeypatch.setattr(tables, "KEYS_AT_ONCE", 2)
    case = take(full, tmp_path / "case", entities=("e0",))
    assert case.rows["dedupe"] == 3
    assert requests(case)["dynamodb:BatchGetItem"] == 2


def test_a_denied_query_leaves_nothing_known_and_the_rest_says_so(full, tmp_path):
    connection = over(full)
    refuse(connection, "dynamodb", "Query")
    case = take(full, tmp_path / "case", connection=connection, entities=("e0",))
    assert case.coverage["events"].status == "denied"
    for table in ("dedupe", "raw"):
        # Nothing was asked for, and nothing is proved by it.
        assert case.rows[table] == 0
        assert (case.coverage[table].status, case.coverage[table].listed) == ("partial", False)


def test_by_reports_an_entity_is_the_same(full, tmp_path):
    objects = Objects()
    names = replace(
        full.names,
        raw_inventory=inventory_of(full, objects),
        events_export=export_of(full, objects, "events"),
    )
    deliver(full, objects)
    one = take(full, tmp_path / "one", entities=("e0",))
    case = take(full, tmp_path / "case", names, entities=("e0",))
    for table in ("events", "dedupe", "raw"):
        assert rows(case, table) == rows(one, table)


def test_the_id_is_that_in_the_key_and_odd_keys_have_none(world):
    day = "2026-03-10"
    key = f"raw/source=a/event_type=b/event_date={day}/ingest_date={day}/hour=06/event_id={{}}.json"
    full = Listed(key.format("ab" * 32), 2, None, None)
    assert known_ids.may_be_of(full, world.names, {"ab" * 32})
    assert not known_ids.may_be_of(full, world.names, {"cd" * 32})
    # Whose it is, only its body says.
    assert known_ids.may_be_of(full._replace(key="raw/x.json"), world.names, {"cd" * 32})


def test_without_entities_every_id_is_wanted(world):
    assert known_ids.of(source_of(world)) is None
    assert known_ids.of(source_of(world, entities=("e0",))) == frozenset()


def test_words_name_the_number_and_the_entities():
    assert known_ids.in_words({"a"}, ["e0"]) == "1 known event of e0"
    assert known_ids.in_words({"a", "b"}, ["e0", "e1"]) == "2 known events of e0, e1"


def test_an_object_whose_key_names_no_event_is_kept_if_its_body_may_be_the_entitys(full, tmp_path):
    for key, entity in (("own", "e0"), ("other", "e1")):
        body = {**Event(key).body, "entity_id": entity}
        full.put_object(f"raw/moved/{key}.json", json.dumps(body).encode())
    full.put_object("raw/moved/broken.json", b"{")
    case = take(full, tmp_path / "case", entities=("e0",))
    moved = {row["s3_key"] for row in rows(case, "raw") if row["key_event_id"] is None}
    assert moved == {"raw/moved/own.json", "raw/moved/broken.json"}


def test_the_ids_are_not_whole_before_their_table_is_settled(world):
    source = source_of(world, entities=("e0",))
    assert not known_ids.are_whole(source)
    told = {"table": "events", "coverage": {"status": "captured"}, "kept": True}
    source.keep("tables events", {}, {"tables": [told]})
    assert known_ids.are_whole(source)
    assert known_ids.are_whole(source_of(world))  # no entity: every object is wanted
