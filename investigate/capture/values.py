"""What AWS and the pipeline wrote, as values that fit the columns of a case."""

from __future__ import annotations

import json
import math
import re
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MASKED = "*" * 12
GZIP = b"\x1f\x8b"  # with which compressed contents begin
_ROOT = re.compile(r"(?:^|;)\s*Root=([^;]+)")  # of a header as "Root=1-…;Parent=…;Sampled=1"
_INT64 = 2**63
# Far from Python's own limit, which ends whatever goes through nested values step by step; a
# document that AWS or the pipeline writes has a dozen levels.
DEEPEST = 200
# A text may lack its end: then it is the rest, so that each sign is looked at once.
_SIGNS = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[{]|[\]}]', re.S)
_MAYBE_INFINITE = re.compile(r"[0-9][eE]\+?[0-9]{3}|[0-9]{309}")  # a float has at most e+308
# DynamoDB's numbers have 38 digits and exponents below 126 (developer guide, "Data types").
_GREATEST = 400


def text(value: Any) -> str | None:
    """Return a value as text: texts as they are, other plain values as Python writes them.

    That is what the pipeline's own `str(...)` makes of a number in a field that should be text.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return str(value)
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def trace_of(header: str | None) -> str | None:
    """Return the trace id in a trace header, its `Root`."""
    root = _ROOT.search(header or "")
    return root[1] if root else None


def whole(value: Any) -> int | None:
    """Return a whole number that fits a column, from a number or its text; else None."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    if isinstance(value, str) and not re.fullmatch(r"-?[0-9]{1,19}", value):
        return None
    number = int(value)
    return number if -_INT64 <= number < _INT64 else None


def number(value: Any) -> float | None:
    """Return a finite number as a float; else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        converted = float(value)
    except OverflowError:
        return None
    return converted if math.isfinite(converted) else None


def moment(value: Any) -> datetime | None:
    """Return the UTC time a text states, with or without fractions; None if it states none.

    A time without an offset is UTC, as the pipeline itself takes it.
    """
    if not isinstance(value, str):
        return None
    try:
        parsed = datetime.fromisoformat(value)
        if parsed.tzinfo is UTC:
            return parsed
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def from_millis(value: Any) -> datetime | None:
    """Return the UTC time of milliseconds since 1970, given as a number or its text."""
    millis = whole(value)
    try:
        return None if millis is None else EPOCH + timedelta(milliseconds=millis)
    except OverflowError:
        return None


def utc(value: Any) -> datetime | None:
    """Return the UTC time that a time, or seconds since 1970 as a number or its text, states.

    SQS writes whole seconds; the SDK makes a time in the local zone of what other services write.
    """
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    seconds = str(value).split(".")[0]
    return from_millis(f"{seconds}000") if whole(seconds) is not None else None


def later(when: datetime, span: timedelta) -> datetime | None:
    """Return the time that is so much later; None beyond the calendar."""
    try:
        return when + span
    except OverflowError:
        return None


def to_millis(when: datetime) -> int:
    """Return the whole milliseconds since 1970 of a time."""
    return (when - EPOCH) // timedelta(milliseconds=1)


def json_object(source: str) -> dict[str, Any] | None:
    """Return the JSON object a text is, or None if it is none that can be read: also one that is
    nested more than `DEEPEST` times, or has a number of thousands of digits.

    NaN and infinities, which only Python takes for JSON, become null; so does 1e999.
    """
    if is_deep(source):
        return None
    parse_float = _finite if _MAYBE_INFINITE.search(source) else None
    try:
        parsed = json.loads(source, parse_constant=lambda name: None, parse_float=parse_float)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None


def is_deep(source: str) -> bool:
    """Return whether a text of JSON is nested more than `DEEPEST` times."""
    if source.count("[") + source.count("{") <= DEEPEST:
        return False
    depth = 0
    for sign in _SIGNS.finditer(source):
        if sign[0] in "[{":
            depth += 1
            if depth > DEEPEST:
                return True
        elif sign[0] in "]}":
            depth -= 1
    return False


def _finite(digits: str) -> float | None:
    return number(float(digits))


def plain(attribute: Mapping[str, Any]) -> Any:
    """Return a DynamoDB attribute as a JSON value.

    Binary values become base64 text, whether they come as bytes or as that text already, sets
    sorted lists, and a number that a float cannot hold exactly, or DynamoDB cannot, stays text.
    """
    ((kind, value),) = attribute.items()
    if kind in _PLAIN:
        return _PLAIN[kind](value)
    return value  # S, BOOL


def storable(value: Any, account: str | None = None) -> Any:
    """Return a value as Parquet can hold it: a lone surrogate becomes its JSON escape.

    With an account, the account id is masked wherever it stands by itself.
    """
    if isinstance(value, list):
        return [storable(part, account) for part in value]
    if isinstance(value, Mapping):
        return {name: storable(part, account) for name, part in value.items()}
    if not isinstance(value, str):
        return value
    if not value.isascii():
        value = value.encode("utf-8", "backslashreplace").decode("utf-8")
    return by_itself(account).sub(MASKED, value) if account else value


@cache
def by_itself(account: str) -> re.Pattern[str]:
    """Return what finds an account id where it is no part of a longer number."""
    return re.compile(rf"(?<!\d){re.escape(account)}(?!\d)")


def _exact(digits: str) -> Any:
    exact = _decimal(digits)
    # Asked first: written out, 1e999999999 would take all the memory there is.
    if exact is None or exact.adjusted() > _GREATEST:
        return digits
    if exact == exact.to_integral_value():
        return int(exact)
    rounded = float(digits)
    return rounded if Decimal(repr(rounded)) == exact else digits


def _decimal(digits: str) -> Decimal | None:
    """Return a number exactly; None for a text that is none."""
    try:
        exact = Decimal(digits)
    except InvalidOperation:
        return None
    return exact if exact.is_finite() else None


def _by_size(digits: str) -> tuple[Decimal, str]:
    return _decimal(digits) or Decimal(), digits


def _base64(value: bytes | str) -> str:
    return value if isinstance(value, str) else b64encode(value).decode("ascii")


_PLAIN: Mapping[str, Any] = {
    "N": _exact,
    "B": _base64,
    "NULL": lambda value: None,
    "M": lambda value: {name: plain(part) for name, part in value.items()},
    "L": lambda value: [plain(part) for part in value],
    "SS": sorted,
    "NS": lambda value: [_exact(digits) for digits in sorted(value, key=_by_size)],
    "BS": lambda value: sorted(map(_base64, value)),
}
