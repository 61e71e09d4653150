"""Raw objects: their bodies, beside the reference encoder, and their keys."""

from __future__ import annotations

import hashlib
import json

from benchmarks.fuzz.target import Target, expect, fits, parts_of, seed, text_of
from investigate import pipeline
from investigate.capture.body import read_body
from investigate.pipeline import REFERENCE

_LONGEST_ERROR = 300  # an error is shown in tables, and quotes nothing of the body
_SHA = "0" * 64
_BODY = {
    "event_id": _SHA,
    "source": "web",
    "event_type": "order",
    "entity_id": "u1",
    "event_time": "2026-03-10T00:00:00.250Z",
    "ingest_time": "2026-03-10T00:00:01Z",
    "idempotency_key": "k",
    "payload_sha": _SHA,
    "payload": {"b": [1, 1.5, -0.0, 1e16, True, None], "a": "\u00fc\U0001f600", "": {}},
}
_KEY = REFERENCE.raw_key("web", "order", "2026-03-10T07:00:00Z", "2026-03-11T00:00:00Z", _SHA)


def _read_body(data: bytes) -> None:
    row = read_body(data, REFERENCE, payloads=True)
    fits("raw", [{"s3_key": "k", **row}])
    without = read_body(data, REFERENCE, payloads=False)
    expect(without == ({**row, "payload": None} if row["readable"] else row), "only hashes differ")
    if not row["readable"]:
        word = row["error"].partition(" ")[0]
        expect(word in pipeline.CONTENT_ERRORS, f"{word!r} is a reason that the checks know")
        expect(len(row["error"]) < _LONGEST_ERROR, "a reason is short")
        return
    body = json.loads(data.decode("utf-8"))
    # The reference: what ingest and the processor do, in their own words.
    told = json.dumps(body["payload"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    sha = hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()
    expect(row["payload"] == told, "canonical JSON is that of the reference encoder")
    expect(row["payload_sha_actual"] == sha, "so is its hash")


def _parse_key(data: bytes) -> None:
    key = text_of(data)
    parts = REFERENCE.parse_raw_key(key)
    if parts is not None:
        made = "raw/" + REFERENCE.raw_key_layout.format(**parts._asdict())
        expect(made == key, "the parts of a key make that key")
    source, kind, event_id = (text_of(part) for part in parts_of(data, 3))
    made = REFERENCE.raw_key(source, kind, "2026-03-10T07", "2026-03-11T00", event_id)
    if len(made) > pipeline.LONGEST_KEY:
        return
    known = REFERENCE.parse_raw_key(made)
    expect(known is not None, "a key that ingest writes has the layout")
    if known and "/" not in source + kind + event_id:
        expect(known[:2] == (source, kind), "the parts are those it was made of")


TARGETS = (
    Target(
        "raw-body",
        "the body of a raw object",
        _read_body,
        (
            seed(_BODY),
            seed({**_BODY, "source": None, "entity_id": 7, "idempotency_key": None}),
            seed({**_BODY, "event_time": "soon"}),
            seed({}),
            b'{"payload": NaN, "payload": "\\ud800"}',
            b"\xef\xbb\xbf{}",
        ),
    ),
    Target(
        "raw-key",
        "a key of S3; or source, event type and event id, of which a key is made",
        _parse_key,
        (_KEY.encode(), seed("web", "order", _SHA), seed("a/b=c", "x#y|z", "")),
    ),
)
