"""Plan files: plain JSON that carries a digest of itself, so that an edited one is noticed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, TypeAlias

from investigate.errors import quoted

DIGEST = "digest"

# What a plan read back must look like: a type; what an object must hold at least; what each item
# of a list is; or one of several of these.
Shape: TypeAlias = "type | dict[str, Shape] | list[Shape] | tuple[Shape, ...]"
TEXT_OR_NULL: Shape = (type(None), str)


def with_digest(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a plan with the digest of everything else in it, as its last entry."""
    rest = {name: value for name, value in document.items() if name != DIGEST}
    return {**rest, DIGEST: digest_of(rest)}


def digest_of(document: Mapping[str, Any]) -> str:
    """Return the hex SHA-256 of a plan without its digest, whatever its layout in the file."""
    rest = {name: value for name, value in document.items() if name != DIGEST}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def shape_error(value: Any, shape: Shape, at: str = "") -> str:
    """Return in words what in a value is not of a shape, with where it stands; empty if all is."""
    if isinstance(shape, tuple):
        wrong = [shape_error(value, one, at) for one in shape]
        return "" if "" in wrong else wrong[-1]
    if isinstance(shape, dict) and isinstance(value, dict):
        return _first_wrong(value, shape, at)
    if isinstance(shape, list) and isinstance(value, list):
        items = (shape_error(one, shape[0], f"{at}[{place}]") for place, one in enumerate(value))
        return next((wrong for wrong in items if wrong), "")
    # A flag is a number to Python, and to nobody else.
    fits = isinstance(shape, type) and isinstance(value, shape)
    fits = fits and not (isinstance(value, bool) and shape is int)
    return "" if fits else f"{at or 'it'} is {quoted(value)}"


def _first_wrong(value: Mapping[str, Any], shape: Mapping[str, Shape], at: str) -> str:
    for name, one in shape.items():
        if name not in value:
            return f"{at or 'it'} has no {name}"
        if wrong := shape_error(value[name], one, f"{at}.{name}" if at else name):
            return wrong
    return ""
