from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from investigate import pipeline
from investigate.pipeline import REFERENCE
from investigate.sandbox.world import Sandbox
from tests.sandbox.pipelines import (
    DAY,
    START,
    counted,
    keys,
    later,
    log,
    raw,
    request,
    rows,
    running,
    said,
)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with running() as started:
        yield started


def test_an_event_is_stored_in_all_three_places(sandbox: Sandbox) -> None:
    answer = sandbox.ingest(request())
    (row,), (seen,) = rows(sandbox, "events"), rows(sandbox, "dedupe")
    assert (answer.status_code, answer.status) == (200, "ACCEPTED")
    assert keys(sandbox) == [answer.s3_key] == [row["s3_key"]]
    body = raw(sandbox, row["s3_key"])
    assert {name: body[name] for name in request()} == request()
    assert body["event_id"] == row["event_id"] == seen["event_id"] == answer.event_id
    assert REFERENCE.recomputed_event_id(body) == answer.event_id
    assert (row["status"], row["ingest_lag_ms"]) == ("ACCEPTED", 3_600_000)
    assert row["SK"] == REFERENCE.event_sk("2026-03-10T05:00:00Z", row["event_id"])
    assert seen["ttl_epoch"] == START.timestamp() + 30 * 86_400


def test_the_key_of_an_object_tells_where_it_belongs(sandbox: Sandbox) -> None:
    sandbox.ingest(request(event_time="2026-03-09T23:30:00+00:00"))
    (key,) = keys(sandbox)
    parts = REFERENCE.parse_raw_key(key)
    assert parts
    assert (parts.event_date, parts.ingest_date, parts.hour) == ("2026-03-09", "2026-03-10", "23")


def test_times_are_normalised_and_milliseconds_kept(sandbox: Sandbox) -> None:
    sandbox.clock.move_to(START.replace(microsecond=250_000))
    sandbox.ingest(request(event_time="2026-03-10T07:00:00.5+02:00"))
    (row,) = rows(sandbox, "events")
    assert row["event_time"] == "2026-03-10T05:00:00.500Z"
    assert row["ingest_time"] == "2026-03-10T06:00:00.250Z"
    assert row["ingest_lag_ms"] == 3_599_750


def test_an_accepted_event_is_logged_and_counted(sandbox: Sandbox) -> None:
    answer = sandbox.ingest(request())
    (line,) = said(sandbox, "ingest", "event_ingested")
    assert line["request_id"] == answer.request_id
    assert (line["status"], line["lag_ms"]) == ("ACCEPTED", 3_600_000)
    assert counted(sandbox, "ingest", "IngestCount") == [1]
    assert counted(sandbox, "ingest", "DuplicateCount") == [0]


def test_d1_a_duplicate_overwrites_the_accepted_row(sandbox: Sandbox) -> None:
    sandbox.ingest(request())
    later(sandbox, seconds=5)
    answer = sandbox.ingest(request())
    (row,), (seen,) = rows(sandbox, "events"), rows(sandbox, "dedupe")
    assert answer.status == row["status"] == "DUPLICATE"
    assert seen["first_seen_ingest_time"] < row["ingest_time"]
    assert counted(sandbox, "ingest", "DuplicateCount") == [0, 1]


def test_d2_a_duplicate_on_another_day_points_at_no_object(sandbox: Sandbox) -> None:
    first = sandbox.ingest(request())
    later(sandbox, days=1)
    second = sandbox.ingest(request())
    (row,) = rows(sandbox, "events")
    assert keys(sandbox) == [first.s3_key]
    assert row["s3_key"] == second.s3_key != first.s3_key


def test_d3_a_crash_behind_the_gate_loses_the_event_for_good(sandbox: Sandbox) -> None:
    crashed = sandbox.ingest(request(), crash="after-dedupe")
    retried = sandbox.ingest(request())
    assert (crashed.status_code, crashed.status) == (502, None)
    assert retried.status == "DUPLICATE"
    assert keys(sandbox) == []


def test_d4_an_expired_row_that_still_exists_refuses_the_event(sandbox: Sandbox) -> None:
    sandbox.ingest(request())
    later(sandbox, days=31)
    assert sandbox.ingest(request()).status == "DUPLICATE"


def test_d4_after_the_row_is_deleted_the_event_is_accepted_again(sandbox: Sandbox) -> None:
    first = sandbox.ingest(request())
    later(sandbox, days=31)
    sandbox.delete_item("dedupe", {"event_id": first.event_id})
    assert sandbox.ingest(request()).status == "ACCEPTED"
    assert len(keys(sandbox)) == 2


def test_d5_an_idempotency_key_gives_one_id_to_two_payloads(sandbox: Sandbox) -> None:
    first = sandbox.ingest(request("a", idempotency_key="k"))
    second = sandbox.ingest(request("b", idempotency_key="k", event_time="2026-03-10T05:30:00Z"))
    assert first.event_id == second.event_id
    assert second.status == "DUPLICATE"
    assert len({row["payload_sha"] for row in rows(sandbox, "events")}) == 2


def test_d16_the_lag_is_not_padded(sandbox: Sandbox) -> None:
    for seconds in (9, 10):
        when = START.replace(hour=5, minute=59, second=60 - seconds)
        sandbox.ingest(request(event_time=pipeline.format_time(when)))
    ordered = sorted(rows(sandbox, "events"), key=lambda row: str(row["GSI1SK"]))
    assert [row["ingest_lag_ms"] for row in ordered] == [10_000, 9_000]


def test_d17_a_fast_clock_shows_no_lag(sandbox: Sandbox) -> None:
    sandbox.ingest(request(event_time="2026-03-10T06:10:00Z"))
    (row,) = rows(sandbox, "events")
    assert row["event_time"] > row["ingest_time"]
    assert row["ingest_lag_ms"] == 0


def test_d18_an_object_can_be_written_again(sandbox: Sandbox) -> None:
    first = sandbox.ingest(request())
    sandbox.delete_item("dedupe", {"event_id": first.event_id})
    later(sandbox, minutes=5)
    second = sandbox.ingest(request())
    assert second.s3_key == first.s3_key
    body = raw(sandbox, str(first.s3_key))
    assert body["ingest_time"] == "2026-03-10T06:05:00Z"


def test_d24_a_dry_run_answers_and_counts_but_writes_nothing() -> None:
    with running(dry_run=frozenset({"ingest"})) as sandbox:
        answer = sandbox.ingest(request())
        assert (answer.status_code, answer.status) == (200, "ACCEPTED")
        assert counted(sandbox, "ingest", "IngestCount") == [1]
        assert keys(sandbox) == rows(sandbox, "events") == rows(sandbox, "dedupe") == []


def test_d25_a_delimiter_lets_two_events_share_an_id(sandbox: Sandbox) -> None:
    first = sandbox.ingest(request(source="a|b", event_type="c"))
    second = sandbox.ingest(request(source="a", event_type="b|c"))
    assert first.event_id == second.event_id
    assert second.status == "DUPLICATE"


def test_d26_a_crash_before_the_row_leaves_an_object_without_one(sandbox: Sandbox) -> None:
    crashed = sandbox.ingest(request(), crash="after-raw")
    assert crashed.status_code == 502
    assert len(keys(sandbox)) == 1
    assert rows(sandbox, "events") == []
    assert sandbox.ingest(request()).status == "DUPLICATE"
    assert [row["status"] for row in rows(sandbox, "events")] == ["DUPLICATE"]


def test_a_timeout_after_the_row_answers_nothing_and_stores_everything(sandbox: Sandbox) -> None:
    answer = sandbox.ingest(request(), crash="timeout-after-row")
    assert (answer.status_code, answer.status) == (504, None)
    assert len(keys(sandbox)) == len(rows(sandbox, "events")) == 1
    assert said(sandbox, "ingest", "event_ingested") == []


def test_d28_a_failed_invocation_leaves_no_metric(sandbox: Sandbox) -> None:
    sandbox.ingest(request(), crash="after-raw")
    assert counted(sandbox, "ingest", "IngestCount") == []


@pytest.mark.parametrize(
    ("body", "code", "reason"),
    [
        ("{", 400, "invalid_json"),
        ({"source": "web"}, 400, "schema"),
        ("[]", 400, "schema"),
        (request(event_time="yesterday"), 400, "schema"),
    ],
    ids=["not-json", "fields-missing", "a-list", "bad-time"],
)
def test_an_invalid_event_is_refused_with_its_reason(
    sandbox: Sandbox, body: Any, code: int, reason: str
) -> None:
    answer = sandbox.ingest(body)
    assert (answer.status_code, answer.event_id) == (code, None)
    (line,) = said(sandbox, "ingest", "event_invalid")
    assert (line["reason"], line["request_id"]) == (reason, answer.request_id)
    assert counted(sandbox, "ingest", "InvalidCount") == [1]


@pytest.mark.parametrize("body", [None, "null", "5"])
def test_d27_some_input_is_not_handled(sandbox: Sandbox, body: str | None) -> None:
    assert sandbox.ingest(body).status_code == 502
    assert any('"errorType": "TypeError"' in line for line in log(sandbox, "ingest"))


@pytest.mark.parametrize("changes", [{"source": None}, {"event_type": ""}])
def test_d27_a_null_source_and_an_empty_type_are_accepted(
    sandbox: Sandbox, changes: dict[str, Any]
) -> None:
    answer = sandbox.ingest(request(**changes))
    assert answer.status == "ACCEPTED"
    assert REFERENCE.recomputed_event_id(raw(sandbox, str(answer.s3_key))) == answer.event_id


def test_d27_what_is_no_text_is_the_text_of_it_in_rows_and_as_sent_in_the_object(
    sandbox: Sandbox,
) -> None:
    answer = sandbox.ingest(request(source=None, entity_id=42))
    (row,) = rows(sandbox, "events")
    assert (row["source"], row["entity_id"], row["PK"]) == ("None", "42", "ENTITY#42")
    stored = raw(sandbox, str(answer.s3_key))
    assert (stored["source"], stored["entity_id"]) == (None, 42)
    sandbox.replay("42", *DAY)
    assert sandbox.consume() == 1
    (aggregate,) = rows(sandbox, "aggregates")
    assert (aggregate["PK"], aggregate["entity_id"]) == ("ENTITY#42", "42")


def test_a_throttled_request_leaves_no_trace_but_a_metric(sandbox: Sandbox) -> None:
    answer = sandbox.ingest(request(), crash="throttled")
    assert answer.status_code == 500
    assert log(sandbox, "ingest") == []
    assert rows(sandbox, "dedupe") == []


def test_an_object_says_when_it_was_written(sandbox: Sandbox) -> None:
    sandbox.ingest(request())
    (item,) = sandbox.clients.s3.list_objects_v2(Bucket=sandbox.names.raw_bucket)["Contents"]
    assert item["LastModified"].astimezone(UTC) == datetime(2026, 3, 10, 6, tzinfo=UTC)
