from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from investigate.sandbox.world import ReplayAnswer, Sandbox
from tests.sandbox.pipelines import (
    DAY,
    counted,
    depth,
    ingest_many,
    log,
    receive,
    request,
    rows,
    running,
    said,
)  # fmt: skip


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with running() as started:
        yield started


def counts(answer: ReplayAnswer) -> tuple[int | None, int | None]:
    return answer.scanned, answer.sent


def two_rows_of_one_event(sandbox: Sandbox) -> None:
    """One idempotency key, used for two payloads."""
    for minute in (0, 30):
        when = f"2026-03-10T05:{minute:02d}:00Z"
        sandbox.ingest(request(str(minute), idempotency_key="k", event_time=when))


def test_a_replay_sends_one_message_per_row(sandbox: Sandbox) -> None:
    ingest_many(sandbox, 3)
    assert counts(sandbox.replay("e1", *DAY)) == (3, 3)
    bodies = [json.loads(message["Body"]) for message in receive(sandbox)]
    names = ("event_id", "entity_id", "event_time", "s3_bucket", "s3_key")
    assert bodies == [{name: row[name] for name in names} for row in rows(sandbox, "events")]


def test_a_replay_is_logged_and_counted(sandbox: Sandbox) -> None:
    ingest_many(sandbox, 2)
    sandbox.replay("e1", "2026-03-10T00:00:00+00:00", DAY[1])
    (line,) = said(sandbox, "replay", "replay_enqueued")
    told = {"entity_id": "e1", "start": DAY[0], "end": DAY[1], "scanned": 2, "sent": 2}
    assert line == {"msg": "replay_enqueued", **told}
    assert counted(sandbox, "replay", "ReplayRequestedCount") == [1]
    assert counted(sandbox, "replay", "ReplayMessageCount") == [2]


@pytest.mark.parametrize(
    ("when", "found"),
    [
        ("2026-03-10T00:00:00.500Z", 0),
        ("2026-03-10T00:00:00Z", 1),
        ("2026-03-11T00:00:00Z", 0),
        ("2026-03-11T00:00:00.250Z", 1),
    ],
    ids=["inside-but-missed", "at-the-start", "at-the-end", "outside-but-taken"],
)
def test_d6_the_window_compares_texts(sandbox: Sandbox, when: str, found: int) -> None:
    sandbox.ingest(request(event_time=when))
    assert sandbox.replay("e1", *DAY).scanned == found


def test_d7_the_limit_is_applied_before_the_duplicates_are_left_out(sandbox: Sandbox) -> None:
    two_rows_of_one_event(sandbox)
    sandbox.ingest(request("later", event_time="2026-03-10T05:45:00Z"))
    assert counts(sandbox.replay("e1", *DAY, limit=2)) == (2, 1)


def test_d7_one_page_is_read_and_the_rest_forgotten(sandbox: Sandbox) -> None:
    for number in range(4):  # 300 KB each, and a page holds 1 MB
        row = {"PK": "ENTITY#e1", "SK": f"TS#2026-03-10T05:00:0{number}Z", "fill": "x" * 300_000}
        sandbox.put_item("events", {**row, "event_id": f"i{number}"})
    assert sandbox.replay("e1", *DAY).scanned == 3


def test_d8_the_text_false_is_true(sandbox: Sandbox) -> None:
    two_rows_of_one_event(sandbox)
    assert counts(sandbox.replay("e1", *DAY, include_duplicates="false")) == (2, 2)
    assert counts(sandbox.replay("e1", *DAY, include_duplicates=False)) == (2, 1)


def test_d9_a_dry_run_does_not_even_query() -> None:
    with running(dry_run=frozenset({"replay"})) as sandbox:
        ingest_many(sandbox, 2)
        assert counts(sandbox.replay("e1", *DAY)) == (0, 0)
        assert depth(sandbox) == (0, 0)


def test_an_id_is_seen_before_its_references_are_looked_at(sandbox: Sandbox) -> None:
    two_rows_of_one_event(sandbox)
    first, _ = sorted(rows(sandbox, "events"), key=lambda row: str(row["SK"]))
    sandbox.put_item("events", {k: v for k, v in first.items() if k != "s3_key"})
    assert counts(sandbox.replay("e1", *DAY)) == (2, 0)


def test_rows_without_references_are_left_out(sandbox: Sandbox) -> None:
    ingest_many(sandbox, 2)
    row, _ = rows(sandbox, "events")
    sandbox.put_item("events", {**row, "s3_bucket": ""})
    assert counts(sandbox.replay("e1", *DAY)) == (2, 1)


def test_d23_a_timeout_leaves_a_part_sent_and_nothing_counted(sandbox: Sandbox) -> None:
    ingest_many(sandbox, 5)
    answer = sandbox.replay("e1", *DAY, crash="timeout-after-3")
    assert (answer.status_code, answer.sent) == (504, None)
    assert depth(sandbox) == (3, 0)
    assert counted(sandbox, "replay", "ReplayMessageCount") == []
    assert said(sandbox, "replay", "replay_enqueued") == []


@pytest.mark.parametrize(
    ("start", "limit", "error"),
    [(DAY[0], "many", "ValueError"), ("yesterday", None, "ValueError")],
    ids=["limit-no-number", "bad-time"],
)
def test_d27_bad_input_is_not_handled(sandbox: Sandbox, start: str, limit: Any, error: str) -> None:
    assert sandbox.replay("e1", start, DAY[1], limit=limit).status_code == 502
    assert any(f'"errorType": "{error}"' in line for line in log(sandbox, "replay"))


def test_d27_a_limit_of_zero_means_the_default(sandbox: Sandbox) -> None:
    ingest_many(sandbox, 2)
    assert counts(sandbox.replay("e1", *DAY, limit=0)) == (2, 2)


def test_a_failing_query_is_an_error_and_a_throttled_one_never_starts(sandbox: Sandbox) -> None:
    assert sandbox.replay("e1", *DAY, crash="error").status_code == 502
    lines = len(log(sandbox, "replay"))
    assert sandbox.replay("e1", *DAY, crash="throttled").status_code == 500
    assert len(log(sandbox, "replay")) == lines
