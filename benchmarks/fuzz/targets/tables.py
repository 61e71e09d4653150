"""DynamoDB: attribute values of all types as rows of a case, and pages as they are sent."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from benchmarks.fuzz.target import Target, expect, fits, parsed, seed, strict_json
from investigate.aws.items import are_items, parse_page
from investigate.capture.rows import CONVERT, converted
from investigate.capture.values import plain
from investigate.pipeline import REFERENCE

# What DynamoDB takes (developer guide, "Supported data types and naming rules in DynamoDB").
_NUMBER = re.compile(r"-?[0-9]{1,38}(\.[0-9]{1,38})?([eE][+-]?[0-9]{1,3})?")
_NESTED = 32
_GREATEST = 126  # digits before the point
_ITEM: dict[str, dict[str, Any]] = {
    "PK": {"S": "ENTITY#u1"},
    "SK": {"S": "TS#2026-03-10T00:00:00Z#EID#e"},
    "event_id": {"S": "e"},
    "event_time": {"S": "2026-03-10T00:00:00Z"},
    "ingest_lag_ms": {"N": "250"},
    "value": {"N": "1.5"},
    "gone": {"NULL": True},
    "flag": {"BOOL": False},
    "raw": {"B": "eA=="},
    "names": {"SS": ["b", "a"]},
    "numbers": {"NS": ["10", "9.5"]},
    "bytes": {"BS": ["eQ==", "eA=="]},
    "deep": {"M": {"a": {"L": [{"S": "x"}, {"M": {}}]}}},
    "sample_event_ids": {"L": [{"S": "e"}]},
}


def is_attribute(value: Any, depth: int = 0) -> bool:
    """Return whether a value is an attribute as DynamoDB hands it out, by its own words."""
    if not isinstance(value, dict) or len(value) != 1 or depth > _NESTED:
        return False
    ((kind, inner),) = value.items()
    return kind in _KINDS and _KINDS[kind](inner, depth)


def _is_number(value: Any) -> bool:
    if not isinstance(value, str) or not _NUMBER.fullmatch(value):
        return False
    number = Decimal(value)
    return not number or -130 < number.adjusted() < _GREATEST


def _is_binary(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(b64decode(value, validate=True) or True)
    except ValueError:
        return False


def _all(member: Callable[[Any], bool]) -> Callable[[Any, int], bool]:
    return lambda value, _: isinstance(value, list) and bool(value) and all(map(member, value))


_KINDS: Mapping[str, Callable[[Any, int], bool]] = {
    "S": lambda value, _: isinstance(value, str),
    "N": lambda value, _: _is_number(value),
    "B": lambda value, _: _is_binary(value),
    "BOOL": lambda value, _: isinstance(value, bool),
    "NULL": lambda value, _: value is True,
    "SS": _all(lambda one: isinstance(one, str)),
    "NS": _all(_is_number),
    "BS": _all(_is_binary),
    "L": lambda value, depth: (
        isinstance(value, list) and all(is_attribute(one, depth + 1) for one in value)
    ),
    "M": lambda value, depth: (
        isinstance(value, dict) and all(is_attribute(one, depth + 1) for one in value.values())
    ),
}


def _convert(data: bytes) -> None:
    found = parsed(data)
    members = found.items() if isinstance(found, dict) else ()
    # What is no attribute DynamoDB does not hand out; an export may, and is a parser of its own.
    item = {name: value for name, value in members if is_attribute(value)}
    for table in CONVERT:
        (row,) = converted(table, [item], REFERENCE)
        fits(table, [row])
        strict_json(row.get("attributes"), "attributes")
    for value in item.values():
        _is_exact(value)


def _is_exact(attribute: Mapping[str, Any]) -> None:
    kept = json.loads(json.dumps(plain(attribute)))
    if "N" in attribute:
        exact = Decimal(repr(kept)) if isinstance(kept, float) else Decimal(kept)
        expect(exact == Decimal(attribute["N"]), f"{attribute['N']} is kept as it is")
    for kind in {"S", "BOOL", "B"} & attribute.keys():
        expect(kept == attribute[kind], "a plain value is kept as it is")
    for kind in {"SS", "BS"} & attribute.keys():
        expect(kept == sorted(attribute[kind]), "a set is kept as a sorted list")


def _take(data: bytes) -> None:
    if parsed(data) is None:
        return  # which the SDK refuses
    found = parse_page(data)
    if found is None:
        return
    items, _ = found
    listed = list(items)
    expect(are_items(listed), "what DynamoDB does not write is refused")
    expect(len(items) == len(listed), "a page has as many items either way")
    if items.columns is not None:
        columns = [_without_nulls(row) for row in items.columns.to_pylist()]
        expect(columns == listed, "the columns of a page are its items")


def _without_nulls(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: {kind: value for kind, value in attribute.items() if value is not None}
        for name, attribute in row.items()
        if attribute is not None
    }


def _page(*items: Mapping[str, Any]) -> bytes:
    page = {"Count": len(items), "Items": items, "ScannedCount": len(items)}
    return json.dumps(page, separators=(",", ":"), ensure_ascii=False).encode()


_TEXTS = {name: value for name, value in _ITEM.items() if set(value) <= {"S", "N", "BOOL"}}
TARGETS = (
    Target(
        "dynamodb-items",
        "an item in DynamoDB JSON",
        _convert,
        (
            seed(_ITEM),
            seed({"event_id": {"N": "1E+125"}, "a": {"N": "-0.00000000000000000000000000001"}}),
            seed({"sk": {"S": "DAY#2026-03-10#VER#7"}, "a": {"NS": ["3", "20", "1e2"]}}),
        ),
    ),
    Target(
        "dynamodb-page",
        "a page of a scan or a query, as it is sent",
        _take,
        (_page(_TEXTS, _TEXTS), _page(_TEXTS, {"other": {"S": "2026-03-10"}}), _page(_ITEM)),
    ),
)
