"""A page read as columns gives what its items give one by one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from investigate.aws.items import parse_page
from investigate.capture.columns import of_page
from investigate.capture.rows import converted
from investigate.capture.source import stored
from investigate.pipeline import REFERENCE

KEYS = {"PK": {"S": "ENTITY#e1"}, "SK": {"S": "TS#1"}}


def page_of(*items: Mapping[str, Any], **more: Any) -> bytes:
    page = {"Count": len(items), "Items": items, "LastEvaluatedKey": KEYS, **more}
    return json.dumps(page, separators=(",", ":"), ensure_ascii=False).encode()


def columns_of(table: str, *items: Mapping[str, Any]) -> Any:
    """The rows as they come from columns, which are compared with the rows one by one."""
    found = parse_page(page_of(*items))
    assert found is not None
    assert found[0].columns is not None
    rows = of_page(table, found[0].columns)
    assert rows is not None
    rows.validate(full=True)
    assert rows.equals(stored(table, converted(table, items, REFERENCE)).combine_chunks())
    return rows


def test_items_as_ingest_writes_them_are_the_same_rows_both_ways():
    item = {
        **KEYS,
        "GSI1PK": {"S": "SRC#web"},
        "GSI1SK": {"S": "LAG#1"},
        "event_time": {"S": "2026-03-10T00:00:00.500Z"},
        "ingest_time": {"S": "2026-03-10T00:00:01Z"},
        "ingest_lag_ms": {"N": "500"},
        "day": {"S": "2026-03-10"},
        "dry": {"BOOL": True},
        "größe": {"S": "Ärmel"},
    }
    (row,) = columns_of("events", item).to_pylist()
    assert (row["pk"], row["gsi1sk"], row["ingest_lag_ms"]) == ("ENTITY#e1", "LAG#1", 500)
    assert row["event_time_utc"].isoformat() == "2026-03-10T00:00:00.500000+00:00"
    assert json.loads(row["attributes"])["day"] == "2026-03-10"


def test_items_with_different_attributes_are_the_same_rows_both_ways():
    second = {**KEYS, "day": {"S": "2026-03-10"}, "ingest_lag_ms": {"N": "7"}}
    rows = columns_of("events", {**KEYS, "status": {"S": "ACCEPTED"}}, second).to_pylist()
    assert [row["status"] for row in rows] == ["ACCEPTED", None]
    assert [list(json.loads(row["attributes"])) for row in rows] == [
        ["PK", "SK", "status"],
        ["PK", "SK", "day", "ingest_lag_ms"],
    ]


TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters='"\\')),
    st.sampled_from(
        ["", "2026-03-10", "2026-03-10T00:00:00Z", "2026-02-30T00:00:00Z", "0000-01-01T00:00:00Z",
         "2026-03-10T24:00:00Z", "2026-03-10T23:59:60Z", "2026-03-10T01:00:00+01:00", "12", "}}]",
         "2026-03-10T00:00:00.1234567Z", "2026-03-10 00:00:00Z", "2026-03-10T00:00Z", "null"]
    ),
)  # fmt: skip
NUMBERS = st.one_of(
    st.integers().map(str),
    st.decimals(allow_nan=False, allow_infinity=False, places=3).map(str),
    st.sampled_from(["-0", "007", "1E+3", "0.1", "1.50", "9" * 19, "9" * 38, "1e-130"]),
)
VALUES = st.one_of(
    TEXTS.map(lambda text: {"S": text}),
    NUMBERS.map(lambda number: {"N": number}),
    st.booleans().map(lambda flag: {"BOOL": flag}),
)
NAMES = ("event_id", "event_time", "ingest_time", "ingest_lag_ms", "ttl_epoch", "status", "other",
         "first_seen_ingest_time", "pk", "GSI1PK")  # fmt: skip


@pytest.mark.parametrize("table", ["events", "dedupe"])
@given(st.lists(st.dictionaries(st.sampled_from(NAMES), VALUES), min_size=1, max_size=4))
def test_whatever_the_values_are_columns_give_the_rows_or_nothing(table, found):
    items = [{"SK": {"S": str(number)}, **item} for number, item in enumerate(found)]
    page = parse_page(page_of(*items))
    if page is None:
        return
    assert (list(page[0]), len(page[0])) == (items, len(items))
    assert page[1]["LastEvaluatedKey"] == KEYS
    rows = None if page[0].columns is None else of_page(table, page[0].columns)
    assert rows is None or rows.equals(
        stored(table, converted(table, items, REFERENCE)).combine_chunks()
    )


@pytest.mark.parametrize(
    "value",
    [{"M": {"a": {"S": "x"}}}, {"L": [{"M": {"a": {"S": "x"}}}]}, {"NULL": True}, {"B": "/w=="},
     {"SS": ["a"]}],
    ids=str,
)  # fmt: skip
def test_items_that_are_not_plain_are_taken_as_they_are(value):
    item = {**KEYS, "other": value}
    found = parse_page(page_of(item, {**KEYS, "more": {"S": "}}]"}}))
    assert found is not None
    assert found[0].columns is None
    assert found[0][0] == item
    assert len(found[0]) == 2


def test_attributes_of_different_kinds_are_taken_as_they_are():
    items = [{**KEYS, "status": {"S": "a"}}, {**KEYS, "status": {"N": "1"}}]
    found = parse_page(page_of(*items))
    assert found is not None
    assert (found[0].columns, list(found[0])) == (None, items)


def test_an_attribute_in_both_cases_is_read_item_by_item():
    found = parse_page(page_of({**KEYS, "pk": {"S": "small"}}))
    assert found is not None
    assert found[0].columns is not None
    assert of_page("events", found[0].columns) is None


@pytest.mark.parametrize(
    "value",
    [5, "x", None, [], {}, {"N": 5}, {"S": None}, {"X": "x"}, {"S": "x", "N": "1"}, {"L": [5]}],
    ids=str,
)
@pytest.mark.parametrize("name", ["PK", "other"])
def test_a_page_with_what_dynamodb_does_not_write_has_no_items(name, value):
    odd = {**KEYS, name: value}
    for items in ([odd], [KEYS, odd, KEYS], [odd, KEYS]):
        assert parse_page(page_of(*items)) is None


def test_a_page_with_an_item_that_is_none_has_no_items():
    assert parse_page(page_of(KEYS, None, KEYS)) is None
    assert parse_page(page_of(KEYS, [], KEYS)) is None


@pytest.mark.parametrize(("opens", "closes"), [('{"M":{"a":', "}}"), ('{"L":[', "]}"), ("[", "]")])
def test_maps_within_maps_without_end_are_refused_and_end_no_process(opens, closes):
    deep = opens * 100_000 + '{"S":"x"}' + closes * 100_000
    page = page_of(KEYS, {**KEYS, "o": {"S": "here"}}, KEYS).replace(b'{"S":"here"}', deep.encode())
    assert parse_page(page) is None


def test_a_text_may_hold_what_looks_like_another_structure():
    items = [{**KEYS, "a": {"S": "}{:}[null]{}true"}}, {}, {**KEYS, "a": {"S": ""}}]
    found = parse_page(page_of(*items))
    assert found is not None
    assert found[0].columns is not None
    assert list(found[0]) == items


@pytest.mark.parametrize(
    "page",
    [
        page_of({**KEYS, "a": {"S": 'a"b'}}),
        page_of(),
        page_of({**KEYS})[:-20],
        b"{}",
        page_of({**KEYS, "a": {"S": "\xff"}}).replace("\xff".encode(), b"\xff"),
        page_of({**KEYS}, LastEvaluatedKey={"PK": {"S": "x}}]"}}),
        page_of({**KEYS}, Other=[KEYS]),
    ],
    ids=[
        "escapes",
        "no items",
        "cut off",
        "no page",
        "not utf-8",
        "looks like the end",
        "two lists",
    ],
)
def test_a_page_that_cannot_be_cut_apart_safely_is_left_alone(page):
    assert parse_page(page) is None
