from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from investigate.capture.values import (
    MASKED,
    from_millis,
    json_object,
    moment,
    number,
    plain,
    storable,
    text,
    to_millis,
    whole,
)

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("stated", "meant"),
    [
        ("2026-03-10T12:00:00Z", NOON),
        ("2026-03-10T12:00:00.5Z", NOON + timedelta(seconds=0.5)),
        ("2026-03-10T12:00:00.123456Z", NOON + timedelta(microseconds=123456)),
        ("2026-03-10T12:00:00.123456789Z", NOON + timedelta(microseconds=123456)),
        ("2026-03-10T14:00:00+02:00", NOON),
        ("2026-03-10T12:00:00.000+0000", NOON),
        ("2026-03-10T12:00:00", NOON),
        ("yesterday", None),
        ("", None),
        ("0001-01-01T00:00:00+14:00", None),
        (1773144000, None),
        (None, None),
    ],
)
def test_a_moment_is_read_with_and_without_fractions_and_else_unknown(stated, meant):
    assert moment(stated) == meant
    assert meant is None or moment(stated).tzinfo is UTC


@pytest.mark.parametrize(
    ("value", "expected"),
    [(7, 7), ("7", 7), ("-7", -7), (2**63, None), ("9" * 5000, None), (True, None), (7.5, None),
     ("7.5", None), ("", None), (None, None), (-(2**63), -(2**63))],
)  # fmt: skip
def test_a_whole_number_is_one_that_fits_its_column(value, expected):
    assert whole(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(7, 7.0), (7.5, 7.5), (float("nan"), None), (float("inf"), None), (10**400, None),
     (True, None), ("7", None)],
)  # fmt: skip
def test_a_number_is_finite(value, expected):
    assert number(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [("a", "a"), (7, "7"), (7.5, "7.5"), (True, "True"), (None, None), ({"b": [1]}, '{"b": [1]}')],
)
def test_a_text_is_what_the_pipeline_makes_of_a_value(value, expected):
    assert text(value) == expected


def test_milliseconds_are_read_and_written():
    assert from_millis(to_millis(NOON)) == NOON
    assert from_millis("1773144000500") == NOON + timedelta(seconds=0.5)
    assert to_millis(NOON.astimezone(timezone(timedelta(hours=5)))) == 1773144000000
    assert from_millis(10**18) is None
    assert from_millis("soon") is None


def test_only_an_object_is_a_json_object():
    assert json_object('{"a": 1}') == {"a": 1}
    assert json_object("[1]") is None
    assert json_object("{") is None
    assert json_object("[" * 100_000) is None
    assert json_object('{"a": NaN}') == {"a": None}


@pytest.mark.parametrize(
    ("attribute", "expected"),
    [
        ({"S": "a"}, "a"),
        ({"BOOL": False}, False),
        ({"NULL": True}, None),
        ({"N": "7"}, 7),
        ({"N": "1E+2"}, 100),
        ({"N": "1.50"}, 1.5),
        ({"N": "0.1"}, 0.1),
        ({"N": "1.2345678901234567890123456789"}, "1.2345678901234567890123456789"),
        ({"N": "99999999999999999999"}, 99999999999999999999),
        ({"B": b"\x00\xff"}, "AP8="),
        ({"SS": ["b", "a"]}, ["a", "b"]),
        ({"NS": ["10", "9"]}, [9, 10]),
        ({"BS": [b"b", b"a"]}, ["YQ==", "Yg=="]),
        ({"L": [{"N": "1"}, {"NULL": True}]}, [1, None]),
        ({"M": {"a": {"M": {"b": {"S": "c"}}}}}, {"a": {"b": "c"}}),
    ],
)
def test_an_attribute_of_dynamodb_becomes_plain_json(attribute, expected):
    found = plain(attribute)
    assert found == expected
    assert not isinstance(found, Decimal)


def test_a_lone_surrogate_is_stored_as_its_escape_and_other_text_as_it_is():
    assert storable("a\ud800b") == "a\\ud800b"
    assert storable("über 🙂 \x00") == "über 🙂 \x00"
    assert storable({"a": ["\udfff", 1, None]}) == {"a": ["\\udfff", 1, None]}


def test_an_account_is_masked_where_it_stands_by_itself():
    account = "123456789012"
    assert storable(f"arn:aws:sqs:x:{account}:q", account) == f"arn:aws:sqs:x:{MASKED}:q"
    assert storable(f"9{account}", account) == f"9{account}"
    assert storable(f"bucket-{account}") == f"bucket-{account}"
