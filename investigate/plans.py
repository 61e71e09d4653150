"""Plan files: plain JSON that carries a digest of itself, so that an edited one is noticed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from investigate.errors import UsageError

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


def unsealed(text: str, schema: str, name: str) -> dict[str, Any]:
    """Return the plan in a text; raise `UsageError` for another kind of file, or an edited one."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{name} is not JSON: {error}", hint=_made(schema)) from error
    if not isinstance(document, dict) or document.get("schema") != schema:
        found = document.get("schema") if isinstance(document, dict) else type(document).__name__
        raise UsageError(
            f"{name} is a plan of schema {found!r}, and {schema!r} is needed", hint=_made(schema)
        )
    if document.get(DIGEST) != seal_of(document):
        raise UsageError(
            f"{name} was changed after it was made: its digest is not that of its contents",
            hint=f"plans are made again, never edited; {_made(schema)}",
        )
    return document


def _made(schema: str) -> str:
    command = schema.removeprefix("investigate.").partition("/")[0]
    return f"make the plan with: investigate {command} CASE … --format json > plan.json"
