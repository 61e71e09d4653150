"""Attributes of DynamoDB in JSON, as a page and an export have them: in a page, the word of AWS; in
an export, a file that anybody may have written."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from typing import Any

# Levels of a map or list (Amazon DynamoDB developer guide, "Quotas").
_DEEPEST = 32
_HOLDS: Mapping[str, type[Any]] = {
    "S": str, "N": str, "B": str, "BOOL": bool, "NULL": bool, "M": dict, "L": list,
    "SS": list, "NS": list, "BS": list,
}  # fmt: skip
_SETS = ("SS", "NS", "BS")


def is_attribute(attribute: Any, depth: int = 0) -> bool:
    """Return whether a value has the form of an attribute: its kind, and what that holds."""
    if not isinstance(attribute, dict) or len(attribute) != 1 or depth > _DEEPEST:
        return False
    ((kind, value),) = attribute.items()
    if kind not in _HOLDS or not isinstance(value, _HOLDS[kind]):
        return False
    if kind in ("M", "L"):
        parts = value.values() if kind == "M" else value
        return all(is_attribute(part, depth + 1) for part in parts)
    return kind not in _SETS or all(isinstance(one, str) for one in value)


def with_bytes(attribute: Mapping[str, Any]) -> dict[str, Any]:
    """Return an attribute with its binary values as bytes: an export has them in base64.

    Raises `ValueError` for what is no base64.
    """
    ((kind, value),) = attribute.items()
    if kind == "B":
        return {kind: _bytes(value)}
    if kind == "BS":
        return {kind: [_bytes(one) for one in value]}
    if kind == "M":
        return {kind: {name: with_bytes(part) for name, part in value.items()}}
    if kind == "L":
        return {kind: [with_bytes(part) for part in value]}
    return {kind: value}


def _bytes(value: str) -> bytes:
    return b64decode(value, validate=True)
