from __future__ import annotations

import json

import pytest

from investigate import pipeline
from investigate.capture.body import read_body
from investigate.pipeline import REFERENCE
from tests.builders import Event

BODY = Event("a").body


def read(body: object, *, payloads: bool = True) -> dict[str, object]:
    data = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    return read_body(data, REFERENCE, payloads=payloads)


def error_of(body: object) -> str:
    found = read(body)
    assert found["readable"] is False
    assert set(found) == {"readable", "error"}
    assert str(found["error"]).split(" ")[0] in pipeline.CONTENT_ERRORS
    return str(found["error"])


def test_a_body_as_ingest_writes_it_gives_every_column():
    event = Event("a")
    assert read(event.body) == {
        "readable": True,
        "error": None,
        **{name: event.body[name] for name in pipeline.REQUIRED_FIELDS if name != "payload"},
        "event_time_utc": event.when,
        "ingest_time_utc": event.ingested,
        "idempotency_key": None,
        "payload_sha_actual": event.sha,
        "event_id_actual": event.id,
        "payload": '{"name":"a"}',
    }


def test_a_payload_that_was_changed_has_another_hash_and_the_same_id():
    found = read({**BODY, "payload": {"name": "tampered"}})
    assert found["payload_sha_actual"] == pipeline.payload_sha({"name": "tampered"})
    assert found["payload_sha_actual"] != found["payload_sha"]
    assert found["event_id_actual"] == found["event_id"]


def test_an_idempotency_key_gives_the_id_by_the_other_recipe():
    body = {**BODY, "idempotency_key": "k1"}
    body["event_id"] = REFERENCE.keyed_event_id("web", "order", "e1", "k1")
    found = read(body)
    assert (found["event_id_actual"], found["idempotency_key"]) == (body["event_id"], "k1")


def test_without_payloads_the_hash_stays_and_the_payload_does_not():
    found = read(BODY, payloads=False)
    assert found["payload"] is None
    assert found["payload_sha_actual"] == BODY["payload_sha"]


TAKEN_AS_TEXT = ("source", "event_type", "entity_id")


@pytest.mark.parametrize("name", pipeline.REQUIRED_FIELDS)
def test_a_required_field_that_is_absent_is_missing(name):
    without = {key: value for key, value in BODY.items() if key != name}
    assert error_of(without) == f"missing-fields ({name})"


@pytest.mark.parametrize("name", [n for n in pipeline.REQUIRED_FIELDS if n not in TAKEN_AS_TEXT])
def test_a_required_field_that_is_null_is_missing(name):
    assert error_of({**BODY, name: None}) == f"missing-fields ({name})"


@pytest.mark.parametrize("name", TAKEN_AS_TEXT)
def test_d27_a_null_that_ingest_accepted_is_the_text_it_made_of_it(name):
    texts = {**BODY, name: "None"}
    texts["event_id"] = REFERENCE.recomputed_event_id(texts)
    found = read({**texts, name: None})
    assert (found["readable"], found[name]) == (True, "None")
    assert found["event_id_actual"] == texts["event_id"]


def test_a_field_that_is_no_plain_value_is_missing_and_a_number_is_its_text():
    assert error_of({**BODY, "entity_id": ["e1"]}) == "missing-fields (entity_id)"
    numbered = {**BODY, "entity_id": 42}
    numbered["event_id"] = REFERENCE.recomputed_event_id(numbered)
    found = read(numbered)
    assert (found["entity_id"], found["event_id_actual"]) == ("42", numbered["event_id"])


@pytest.mark.parametrize("name", ["event_time", "ingest_time"])
def test_a_time_that_is_none_is_a_bad_time(name):
    assert error_of({**BODY, name: "noon"}) == f"bad-time ({name})"


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", "not-json (Expecting value at 1:1)"),
        (b'{"event_id": "a"', "not-json (Expecting ',' delimiter at 1:17)"),
        (b"\xef\xbb\xbf{}", "not-json (Unexpected UTF-8 BOM (decode using utf-8-sig) at 1:1)"),
        (b'{"a": "\xff"}', "not-utf8 (byte 7)"),
        ("{}".encode("utf-16"), "not-utf8 (byte 0)"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not-json (a number has too many digits)"),
        (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "not-json (nested too deeply)"),
        (b"[]", "not-an-object (list)"),
        (b"null", "not-an-object (NoneType)"),
        (b'"text"', "not-an-object (str)"),
    ],
    ids=["empty", "cut off", "byte order mark", "latin-1", "utf-16", "huge number", "deep", "list",
         "null", "text"],
)  # fmt: skip
def test_what_the_processor_cannot_read_is_unreadable(data, error):
    assert error_of(data) == error


@pytest.mark.parametrize(
    "payload",
    ['{"n":NaN}', '{"n":-Infinity}', '{"n":1e999}', '{"n":123456789012345678901234567890}',
     '{"n":1e16}', '{"a":1,"a":2}', '{"é":"\\u00e9 \\ud83d\\ude42"}'],
    ids=["nan", "infinity", "overflow", "big integer", "float", "key given twice", "escapes"],
)  # fmt: skip
def test_what_the_processor_reads_is_readable_with_the_hash_of_the_reference(payload):
    text = json.dumps({**BODY, "payload": "here"}).replace('"here"', payload)
    found = read(text.encode())
    assert found["readable"] is True
    assert found["payload_sha_actual"] == pipeline.payload_sha(json.loads(payload))


def test_a_lone_surrogate_is_read_and_hashed():
    found = read(json.dumps({**BODY, "payload": {"a": "\ud800"}}).encode())
    assert found["payload_sha_actual"] == pipeline.payload_sha({"a": "\ud800"})


def test_an_error_never_quotes_the_content():
    assert "secret" not in error_of(b'{"card": "secret" "x"}')
    assert "secret" not in error_of({**BODY, "event_time": "secret"})
