"""Plan files: plain JSON that carries a digest of itself, so that an edited one is noticed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

DIGEST = "digest"


def sealed(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a plan with the digest of everything else in it, as its last entry."""
    rest = {name: value for name, value in document.items() if name != DIGEST}
    return {**rest, DIGEST: seal_of(rest)}


def seal_of(document: Mapping[str, Any]) -> str:
    """Return the hex SHA-256 of a plan without its digest, whatever its layout in the file."""
    rest = {name: value for name, value in document.items() if name != DIGEST}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()
