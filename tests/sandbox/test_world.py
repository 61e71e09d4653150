from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from investigate.errors import UsageError
from investigate.sandbox.world import Sandbox, SandboxOptions, connected, emulator
from tests.sandbox.pipelines import (
    DAY,
    START,
    depth,
    dump,
    ingest_many,
    keys,
    later,
    metric,
    request,
    rows,
    running,
    story,
)  # fmt: skip

ROOT = Path(__file__).parents[2]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with running() as started:
        yield started


def test_actions_run_in_order_of_time_and_may_schedule_more(sandbox: Sandbox) -> None:
    done: list[tuple[str, datetime]] = []

    def note(name: str) -> None:
        done.append((name, sandbox.clock.now()))

    hour = timedelta(hours=1)
    sandbox.at(START + 2 * hour, lambda: note("late"))
    sandbox.at(START + hour, lambda: note("early"))
    sandbox.at(START + hour, lambda: note("early, but second"))
    sandbox.at(START + hour, lambda: sandbox.at(START + 1.5 * hour, lambda: note("between")))
    sandbox.run()
    assert [name for name, _ in done] == ["early", "early, but second", "between", "late"]
    assert [moment - START for _, moment in done] == [hour, hour, 1.5 * hour, 2 * hour]


def test_the_clock_never_goes_back(sandbox: Sandbox) -> None:
    later(sandbox, hours=2)
    sandbox.clock.move_to(START)
    assert sandbox.clock.now() == START + timedelta(hours=2)
    assert datetime.now(UTC) == sandbox.clock.now()


def test_names_are_complete(sandbox: Sandbox) -> None:
    names = sandbox.names
    assert set(names.functions) == {"ingest", "replay", "processor"}
    assert all((names.raw_bucket, names.events_table, names.dedupe_table, names.aggregates_table))
    assert names.dead_letter_queue_urls == ()


def test_resources_are_those_of_the_reference_pipeline() -> None:
    with running(dead_letter_queue=True, max_receive_count=4) as sandbox:
        queue = sandbox.clients.sqs.get_queue_attributes(
            QueueUrl=sandbox.names.replay_queue_url, AttributeNames=["All"]
        )["Attributes"]
        assert (queue["VisibilityTimeout"], queue["MessageRetentionPeriod"]) == ("60", "345600")
        assert '"maxReceiveCount": 4' in queue["RedrivePolicy"]
        function = sandbox.clients.lambda_.get_function_configuration(
            FunctionName=sandbox.names.functions["processor"]
        )
        assert (function["Timeout"], function["MemorySize"]) == (60, 512)
        assert function["LoggingConfig"]["LogFormat"] == "JSON"
        (mapping,) = sandbox.clients.lambda_.list_event_source_mappings()["EventSourceMappings"]
        assert (mapping["BatchSize"], mapping["State"]) == (10, "Enabled")
        assert "FunctionResponseTypes" not in mapping


def test_a_dry_run_can_be_switched_on_and_off(sandbox: Sandbox) -> None:
    later(sandbox, hours=1)
    sandbox.set_dry_run("ingest", True)
    sandbox.ingest(request())
    assert keys(sandbox) == []
    found = sandbox.clients.lambda_.get_function_configuration(FunctionName="demo-ingest")
    assert found["Environment"]["Variables"]["DRY_RUN"] == "true"
    assert found["LastModified"] == "2026-03-10T07:00:00.000+0000"
    sandbox.set_dry_run("ingest", False)
    sandbox.ingest(request())
    assert len(keys(sandbox)) == 1


def test_stores_can_be_changed_past_the_pipeline(sandbox: Sandbox) -> None:
    sandbox.put_object("raw/x", b"?")
    sandbox.put_item("aggregates", {"PK": "p", "SK": "s", "value": 1})
    assert keys(sandbox) == ["raw/x"]
    assert rows(sandbox, "aggregates") == [{"PK": "p", "SK": "s", "value": 1}]
    sandbox.delete_object("raw/x")
    sandbox.delete_item("aggregates", {"PK": "p", "SK": "s"})
    assert keys(sandbox) == rows(sandbox, "aggregates") == []


def test_a_mapping_made_again_does_not_wake_the_emulators_own_consumer(sandbox: Sandbox) -> None:
    sandbox.remove_consumer()
    sandbox.clients.lambda_.create_event_source_mapping(
        EventSourceArn="arn:aws:sqs:eu-west-1:123456789012:demo-replay",
        FunctionName="demo-processor",
    )
    sandbox.send_message("a")
    assert depth(sandbox) == (1, 0)
    assert sandbox.consume() == 1


def test_a_long_poll_of_an_empty_queue_returns(sandbox: Sandbox) -> None:
    found = sandbox.clients.sqs.receive_message(
        QueueUrl=sandbox.names.replay_queue_url, WaitTimeSeconds=20
    )
    assert "Messages" not in found


def test_invocations_and_messages_are_measured_by_the_minute(sandbox: Sandbox) -> None:
    ingest_many(sandbox, 3)
    later(sandbox, minutes=1)
    sandbox.ingest(request(), crash="after-raw")
    sandbox.replay("e1", *DAY)
    later(sandbox, minutes=5)
    sandbox.consume()
    assert metric(sandbox, "AWS/Lambda", "Errors") == [0, 0, 1, 0]  # ingest, both, consumer
    assert sum(metric(sandbox, "AWS/Lambda", "Invocations")) == 6
    assert metric(sandbox, "AWS/SQS", "NumberOfMessagesSent") == [3]
    assert metric(sandbox, "AWS/SQS", "NumberOfMessagesReceived") == [3]
    assert metric(sandbox, "AWS/SQS", "NumberOfMessagesDeleted") == [3]
    assert metric(sandbox, "AWS/SQS", "ApproximateAgeOfOldestMessage", "Maximum") == [300]


def test_a_seeded_run_gives_the_same_bytes() -> None:
    dumps = []
    for seed in (7, 7, 8):
        with running(seed=seed) as sandbox:
            story(sandbox)
            dumps.append(dump(sandbox))
    assert dumps[0] == dumps[1] != dumps[2]


def test_the_bytes_depend_on_no_time_zone_no_order_of_hashes_and_no_configuration(
    sandbox: Sandbox,
) -> None:
    story(sandbox)
    elsewhere = {"AWS_PROFILE": "absent", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1"}
    changed = {"TZ": "Asia/Kathmandu", "PYTHONHASHSEED": "3", **elsewhere}
    found = subprocess.run(
        [sys.executable, "-m", "tests.sandbox.pipelines"],
        cwd=ROOT,
        env={**os.environ, **changed},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.rstrip("\n") == dump(sandbox)


def test_the_environment_is_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "mine")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    before, zone = dict(os.environ), time.tzname
    with running():
        assert "AWS_PROFILE" not in os.environ
    assert (dict(os.environ), time.tzname) == (before, zone)


def test_an_emulator_has_no_endpoint_and_a_connected_sandbox_needs_one() -> None:
    somewhere = SandboxOptions(start=START, endpoint_url="http://127.0.0.1:1")
    with pytest.raises(UsageError, match="connected"), emulator(somewhere):
        pass
    with pytest.raises(UsageError, match="endpoint_url"):
        connected(SandboxOptions(start=START))


@pytest.mark.parametrize(
    "options",
    [
        {"start": datetime(2026, 3, 10)},  # noqa: DTZ001 - refused for that
        {"start": START, "log_format": "XML"},
        {"start": START, "dry_run": frozenset({"capture"})},
    ],
    ids=["naive-start", "log-format", "role"],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        SandboxOptions(**options)  # type: ignore[arg-type]


def test_names_that_do_not_exist_are_refused(sandbox: Sandbox) -> None:
    with pytest.raises(UsageError, match="after-dedupe"):
        sandbox.ingest(request(), crash="after-dedup")
    with pytest.raises(UsageError, match="timeout-after-N"):
        sandbox.replay("e1", *DAY, crash="timeout")
    with pytest.raises(UsageError, match="out-of-memory"):
        sandbox.consume(failure="memory")
    with pytest.raises(UsageError, match="known: events"):
        sandbox.put_item("queue", {})
    with pytest.raises(UsageError, match="processor"):
        sandbox.set_dry_run("consumer", True)
