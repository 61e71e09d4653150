"""The pipeline's recipes, exactly: ids, hashes, keys and the text of times."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from investigate import pipeline
from investigate.pipeline import REFERENCE

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def sha(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


# canonical JSON and its hash


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        ({"b": 1, "a": [1, 2, {"d": None, "c": True}]}, '{"a":[1,2,{"c":true,"d":null}],"b":1}'),
        ({"name": "Zoë 漢字 😀"}, '{"name":"Zoë 漢字 😀"}'),
        ({"n": [1e16, 1.0, 0.1, 1e-7, 2**70, -0.0]}, '{"n":[1e+16,1.0,0.1,1e-07,'
         "1180591620717411303424,-0.0]}"),
        ({"n": float("nan")}, '{"n":NaN}'),
        ("text", '"text"'),
        (None, "null"),
        ({}, "{}"),
    ],
    ids=["sorted", "not escaped", "numbers", "no number", "a text", "nothing", "empty"],
)  # fmt: skip
def test_canonical_json_is_what_python_writes(payload, text):
    assert pipeline.canonical_json(payload) == text
    assert pipeline.payload_sha(payload) == sha(text)


def test_the_order_of_keys_and_the_spaces_of_the_client_do_not_change_the_hash():
    sent = json.loads('{ "b" : 1,\n "a" : { "y": 2, "x": 3 } }')
    assert pipeline.payload_sha(sent) == pipeline.payload_sha({"a": {"x": 3, "y": 2}, "b": 1})


def test_a_lone_surrogate_has_a_hash():
    assert len(pipeline.payload_sha({"name": "\ud800"})) == 64


# event ids


BODY = {
    "source": "web", "event_type": "order", "entity_id": "e1",
    "event_time": "2026-03-10T12:00:00Z", "payload_sha": "p" * 64,
}  # fmt: skip
HASHED = sha(f"HASH|web|order|e1|2026-03-10T12:00:00Z|{'p' * 64}")
KEYED = sha("IDEMPOTENCY|web|order|e1|k1")


def test_an_id_is_made_of_the_fields_or_of_the_idempotency_key():
    assert REFERENCE.hashed_event_id("web", "order", "e1", BODY["event_time"], "p" * 64) == HASHED
    assert REFERENCE.keyed_event_id("web", "order", "e1", "k1") == KEYED


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, HASHED),
        ({"idempotency_key": "k1"}, KEYED),
        ({"idempotency_key": ""}, HASHED),
        ({"idempotency_key": None}, HASHED),
        ({"idempotency_key": "k1", "event_id": HASHED}, HASHED),
        ({"idempotency_key": "k1", "event_id": "another"}, KEYED),
        ({"event_id": KEYED}, HASHED),
        ({"event_id": 7}, HASHED),
        ({"payload": {"tampered": True}}, HASHED),
    ],
    ids=[
        "no key", "a key", "an empty key", "a null key", "the id that the body has, if a recipe "
        "gives it", "an id of no recipe", "an id of a key that is not there", "an id of a wrong "
        "type", "the payload itself plays no part",
    ],
)  # fmt: skip
def test_the_id_of_a_body_is_recomputed_by_either_recipe(changes, expected):
    assert REFERENCE.recomputed_event_id({**BODY, **changes}) == expected


def test_a_body_without_fields_still_has_an_id():
    assert REFERENCE.recomputed_event_id({}) == sha("HASH|None|None|None|None|None")


# times as text


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (NOON, "2026-03-10T12:00:00Z"),
        (NOON.replace(microsecond=500_000), "2026-03-10T12:00:00.500Z"),
        (NOON.replace(microsecond=999_999), "2026-03-10T12:00:00.999Z"),
        (NOON.replace(microsecond=1), "2026-03-10T12:00:00.000Z"),
        (NOON.astimezone(timezone(timedelta(hours=-5))), "2026-03-10T12:00:00Z"),
    ],
)
def test_a_time_is_written_with_milliseconds_only_where_there_are_any(moment, text):
    assert pipeline.format_time(moment) == text


def test_text_order_is_not_time_order():
    """D6: a time with a fraction sorts before the whole second."""
    half_past = NOON.replace(microsecond=500_000)
    assert pipeline.format_time(half_past) < pipeline.format_time(NOON)


# keys


KEY = (
    "raw/source=web/event_type=order/event_date=2026-03-10/ingest_date=2026-03-11/hour=23"
    "/event_id=abc.json"
)


def test_the_key_of_a_raw_object():
    times = ("2026-03-10T23:59:59.500Z", "2026-03-11T00:00:01Z")
    assert REFERENCE.raw_key("web", "order", *times, "abc") == KEY


def test_a_key_is_read_as_it_was_written():
    key = REFERENCE.parse_raw_key(KEY)
    assert key == pipeline.RawKey("web", "order", "2026-03-10", "2026-03-11", "23", "abc")


@pytest.mark.parametrize("source", ["a/b", "a=b", "a/event_type=b", "", "é ü"])
def test_a_key_with_delimiters_in_its_source_is_still_read(source):
    key = REFERENCE.raw_key(source, "t", "2026-03-10T00:00:00Z", "2026-03-10T00:00:00Z", "abc")
    parsed = REFERENCE.parse_raw_key(key)
    assert parsed is not None
    assert (parsed.source, parsed.event_type, parsed.event_id) == (source, "t", "abc")


@pytest.mark.parametrize(
    "key",
    [
        "", "raw/", KEY.removeprefix("raw/"), KEY + ".gz", KEY.replace("hour=", "hr="),
        KEY.replace("/event_id=abc", ""), "other/" + KEY.removeprefix("raw/"),
    ],
)  # fmt: skip
def test_a_key_without_the_layout_has_no_parts(key):
    assert REFERENCE.parse_raw_key(key) is None


def test_the_prefix_can_be_another():
    key = KEY.replace("raw/", "landing/zone/", 1)
    assert REFERENCE.parse_raw_key(key, "landing/zone/") == REFERENCE.parse_raw_key(KEY)
    assert REFERENCE.parse_raw_key(key) is None


def test_the_keys_of_rows():
    assert REFERENCE.event_pk("e1") == "ENTITY#e1"
    assert REFERENCE.event_sk("2026-03-10T12:00:00Z", "abc") == "TS#2026-03-10T12:00:00Z#EID#abc"
    assert REFERENCE.event_gsi1pk("web", "order", "2026-03-10") == (
        "SRC#web#TYPE#order#DAY#2026-03-10"
    )
    assert REFERENCE.event_gsi1sk(9000, "2026-03-10T12:00:00Z", "abc") == (
        "LAG#9000#TS#2026-03-10T12:00:00Z#EID#abc"
    )
    assert REFERENCE.aggregate.sk("2026-03-10", 1773144000) == "DAY#2026-03-10#VER#1773144000"


def test_the_lag_in_the_index_is_not_padded():
    """D16: so it does not sort as a number."""
    keys = [REFERENCE.event_gsi1sk(lag, "t", "e") for lag in (9000, 10000)]
    assert sorted(keys) == keys[::-1]


def test_braces_in_a_field_are_only_text():
    assert REFERENCE.event_pk("{entity_id}{0}") == "ENTITY#{entity_id}{0}"


def test_a_replay_compares_texts_with_the_prefix_of_the_sort_key():
    bound = REFERENCE.replay_bound("2026-03-10T12:00:00Z")
    assert bound == "TS#2026-03-10T12:00:00Z"
    assert bound <= REFERENCE.event_sk("2026-03-10T12:00:00Z", "abc")


# the hash of an aggregate's inputs


def test_the_inputs_hash_is_that_of_the_canonical_list_in_order_of_time_and_id():
    inputs = [("t2", "a", "s1"), ("t1", "c", "s2"), ("t1", "b", "s3")]
    listed = [
        {"event_id": "b", "payload_sha": "s3"},
        {"event_id": "c", "payload_sha": "s2"},
        {"event_id": "a", "payload_sha": "s1"},
    ]
    assert REFERENCE.aggregate.inputs_hash(inputs) == pipeline.payload_sha(listed)
    assert REFERENCE.aggregate.inputs_hash(reversed(inputs)) == REFERENCE.aggregate.inputs_hash(
        inputs
    )


def test_an_event_that_counts_twice_changes_the_hash():
    once, twice = [("t", "a", "s")], [("t", "a", "s")] * 2
    assert REFERENCE.aggregate.inputs_hash(once) != REFERENCE.aggregate.inputs_hash(twice)
    assert REFERENCE.aggregate.inputs_hash([]) == sha("[]")
