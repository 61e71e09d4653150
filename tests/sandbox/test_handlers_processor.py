from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest

from investigate.pipeline import REFERENCE
from investigate.sandbox.world import Sandbox
from tests.sandbox.pipelines import (
    DAY,
    START,
    counted,
    depth,
    ingest_many,
    keys,
    log,
    raw,
    request,
    rows,
    running,
    said,
)  # fmt: skip


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with running() as started:
        yield started


def send(sandbox: Sandbox, key: str) -> None:
    sandbox.send_message(json.dumps({"s3_bucket": sandbox.names.raw_bucket, "s3_key": key}))


def test_a_batch_becomes_an_aggregate_whose_hash_can_be_recomputed(sandbox: Sandbox) -> None:
    ingest_many(sandbox, 3)
    sandbox.replay("e1", *DAY)
    assert sandbox.consume() == 3
    (row,), events = rows(sandbox, "aggregates"), rows(sandbox, "events")
    inputs = [(one["event_time"], one["event_id"], one["payload_sha"]) for one in events]
    assert row["inputs_hash"] == REFERENCE.aggregate.inputs_hash(inputs)
    assert row["value"] == row["input_count"] == 3
    assert row["sample_event_ids"] == [event_id for _, event_id, _ in sorted(inputs)]
    version = int(START.timestamp())
    assert (row["SK"], row["version"]) == (f"DAY#2026-03-10#VER#{version}", version)
    assert (row["window_start"], row["window_end"]) == DAY
    assert row["computed_at"] == "2026-03-10T06:00:00Z"


def test_every_step_of_a_batch_is_logged_and_counted(sandbox: Sandbox) -> None:
    ingest_many(sandbox, 2)
    sandbox.replay("e1", *DAY)
    sandbox.consume()
    assert [line["records"] for line in said(sandbox, "processor", "processor_start")] == [2]
    loaded = said(sandbox, "processor", "processor_record_loaded")
    assert [line["s3_key"] for line in loaded] == [row["s3_key"] for row in rows(sandbox, "events")]
    assert [line["groups"] for line in said(sandbox, "processor", "processor_grouped")] == [1]
    (written,) = said(sandbox, "processor", "processor_aggregate_written")
    (row,) = rows(sandbox, "aggregates")
    assert {name: written[name] for name in ("day", "version", "inputs_hash")} == {
        name: row[name] for name in ("day", "version", "inputs_hash")
    }
    assert counted(sandbox, "processor", "ProcessorMessageCount") == [2]
    assert counted(sandbox, "processor", "ProcessorErrorCount") == [0]


def test_entities_and_days_of_a_batch_are_kept_apart(sandbox: Sandbox) -> None:
    for changes in ({}, {"entity_id": "e2"}, {"event_time": "2026-03-09T05:00:00Z"}):
        send(sandbox, str(sandbox.ingest(request(**changes)).s3_key))
    sandbox.consume()
    found = {(row["entity_id"], row["day"]) for row in rows(sandbox, "aggregates")}
    assert found == {("e1", "2026-03-10"), ("e2", "2026-03-10"), ("e1", "2026-03-09")}


def test_d10_a_dry_run_lets_the_messages_be_deleted_unread() -> None:
    with running(dry_run=frozenset({"processor"})) as sandbox:
        ingest_many(sandbox, 2)
        sandbox.replay("e1", *DAY)
        assert sandbox.consume() == 2
        assert rows(sandbox, "aggregates") == []
        assert depth(sandbox) == (0, 0)
        assert len(said(sandbox, "processor", "processor_start")) == 1


def test_d11_an_unreadable_record_is_swallowed_and_its_message_deleted(sandbox: Sandbox) -> None:
    ingest_many(sandbox, 2)
    sandbox.delete_object(keys(sandbox)[0])
    sandbox.replay("e1", *DAY)
    assert sandbox.consume() == 2
    assert [row["input_count"] for row in rows(sandbox, "aggregates")] == [1]
    (failed,) = said(sandbox, "processor", "processor_record_failed")
    assert "NoSuchKey" in failed["err"]
    assert "event_id" not in failed
    assert counted(sandbox, "processor", "ProcessorErrorCount") == [1]


@pytest.mark.parametrize("body", ["not json", "{}", "[]", "null"])
def test_d11_a_malformed_message_is_swallowed(sandbox: Sandbox, body: str) -> None:
    sandbox.send_message(body)
    assert sandbox.consume() == 1
    assert len(said(sandbox, "processor", "processor_record_failed")) == 1


def test_d12_an_object_without_a_field_fails_the_whole_batch(sandbox: Sandbox) -> None:
    ingest_many(sandbox, 2)
    key = keys(sandbox)[0]
    body = {name: value for name, value in raw(sandbox, key).items() if name != "payload_sha"}
    sandbox.put_object(key, json.dumps(body).encode())
    sandbox.replay("e1", *DAY)
    assert sandbox.consume() == 0
    assert rows(sandbox, "aggregates") == []
    assert depth(sandbox) == (0, 2)
    assert any('"errorType": "KeyError"' in line for line in log(sandbox, "processor"))


def test_d13_every_batch_counts_only_itself(sandbox: Sandbox) -> None:
    ingest_many(sandbox, 25)
    sandbox.replay("e1", *DAY)
    assert sandbox.consume() == 25
    assert [row["input_count"] for row in rows(sandbox, "aggregates")] == [10, 10, 5]


def test_d14_two_batches_in_one_second_overwrite_one_another(sandbox: Sandbox) -> None:
    ingest_many(sandbox, 15)
    sandbox.replay("e1", *DAY)
    assert sandbox.consume(same_second=True) == 15
    assert [row["input_count"] for row in rows(sandbox, "aggregates")] == [5]
    written = said(sandbox, "processor", "processor_aggregate_written")
    assert len({line["inputs_hash"] for line in written}) == 2


def test_d15_a_double_in_a_batch_counts_twice(sandbox: Sandbox) -> None:
    key = str(sandbox.ingest(request()).s3_key)
    send(sandbox, key)
    send(sandbox, key)
    sandbox.consume()
    (row,) = rows(sandbox, "aggregates")
    assert row["input_count"] == 2
    assert len(row["sample_event_ids"]) == 2
    assert len(set(row["sample_event_ids"])) == 1


@pytest.mark.parametrize("failure", ["error", "timeout", "out-of-memory"])
def test_d28_a_failed_batch_leaves_no_metric(sandbox: Sandbox, failure: str) -> None:
    ingest_many(sandbox, 1)
    sandbox.replay("e1", *DAY)
    assert sandbox.consume(failure=failure) == 0
    assert counted(sandbox, "processor", "ProcessorErrorCount") == []


def test_the_next_aggregate_has_a_later_version(sandbox: Sandbox) -> None:
    ingest_many(sandbox, 1)
    for _ in range(2):
        sandbox.replay("e1", *DAY)
        sandbox.consume()
    first, second = (row["version"] for row in rows(sandbox, "aggregates"))
    assert second - first == 1
    assert sandbox.clock.now() == START + timedelta(seconds=2)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_an_object_that_is_not_plain_utf_8_cannot_be_read(sandbox: Sandbox, encoding: str) -> None:
    sandbox.put_object("raw/marked.json", json.dumps(request()).encode(encoding))
    send(sandbox, "raw/marked.json")
    assert sandbox.consume() == 1
    assert len(said(sandbox, "processor", "processor_record_failed")) == 1
