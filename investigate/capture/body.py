"""The body of a raw object, read as the processor reads it: by Python's own JSON, in UTF-8."""

from __future__ import annotations

import json
from typing import Any

from investigate.capture.values import moment, text
from investigate.pipeline import REQUIRED_FIELDS, Design, canonical_json, sha256

_TEXTS = tuple(name for name in REQUIRED_FIELDS if name != "payload")
# Ingest only asks that these are there: a null becomes the text "None" in keys and rows (D27).
_NULL_IS_A_TEXT = ("source", "event_type", "entity_id")


class Unreadable(Exception):
    """Why a body is not an event; the first word is one of `pipeline.CONTENT_ERRORS`."""


def read_body(data: bytes, design: Design, *, payloads: bool) -> dict[str, Any]:
    """Return the columns of table `raw` that a body gives; an unreadable body gives only the error.

    What the processor can read is readable here: NaN, and a key given twice (the last one counts).
    What it cannot read is not: a byte order mark, numbers of thousands of digits, deep nesting.
    """
    try:
        body = _parse(data)
        return {"readable": True, "error": None, **_columns(body, design, payloads=payloads)}
    except Unreadable as error:
        return {"readable": False, "error": str(error)}
    except RecursionError:
        return {"readable": False, "error": "not-json (nested too deeply)"}


def _parse(data: bytes) -> dict[str, Any]:
    try:
        body = json.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise Unreadable(f"not-utf8 (byte {error.start})") from error
    except json.JSONDecodeError as error:
        raise Unreadable(f"not-json ({error.msg} at {error.lineno}:{error.colno})") from error
    except ValueError as error:
        # Not the message: it may quote the content.
        raise Unreadable("not-json (a number has too many digits)") from error
    if not isinstance(body, dict):
        raise Unreadable(f"not-an-object ({type(body).__name__})")
    return body


def _columns(body: dict[str, Any], design: Design, *, payloads: bool) -> dict[str, Any]:
    texts = _plain_texts(body)
    if texts is None:
        body = _with_null_texts(body)
        texts = {name: text(body[name]) for name in _TEXTS}
    times = {f"{name}_utc": moment(texts[name]) for name in ("event_time", "ingest_time")}
    bad = [name for name, when in times.items() if when is None]
    if bad:
        raise Unreadable(f"bad-time ({', '.join(name.removesuffix('_utc') for name in bad)})")
    canonical = canonical_json(body["payload"])
    return {
        **texts,
        **times,
        "idempotency_key": text(body.get("idempotency_key")),
        "payload_sha_actual": sha256(canonical),
        "event_id_actual": design.recomputed_event_id(body),
        "payload": canonical if payloads else None,
    }


def _plain_texts(body: dict[str, Any]) -> dict[str, Any] | None:
    """Return the fields that should be texts; None if one of them, or the payload, is not."""
    values = [body.get(name) for name in _TEXTS]
    if body.get("payload") is None or any(type(value) is not str for value in values):
        return None
    return dict(zip(_TEXTS, values, strict=True))


def _with_null_texts(body: dict[str, Any]) -> dict[str, Any]:
    """Return a body with the texts that ingest makes of nulls; raise `Unreadable` if it lacks a
    field."""
    nulls = {name: str(None) for name in _NULL_IS_A_TEXT if body.get(name, "") is None}
    body = {**body, **nulls}
    missing = [name for name in REQUIRED_FIELDS if not _is_there(name, body.get(name))]
    if missing:
        raise Unreadable(f"missing-fields ({', '.join(missing)})")
    return body


def _is_there(name: str, value: Any) -> bool:
    """A field counts if it is not null, and is plain where the pipeline makes a text of it."""
    return value is not None and (name == "payload" or isinstance(value, str | int | float))
