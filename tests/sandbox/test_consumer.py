from __future__ import annotations

from collections.abc import Iterator

import pytest

from investigate import pipeline
from investigate.sandbox.world import Sandbox
from tests.sandbox.pipelines import (
    DAY,
    START,
    depth,
    ingest_many,
    later,
    log,
    metric,
    receive,
    rows,
    running,
)  # fmt: skip

VISIBILITY = pipeline.QUEUE_VISIBILITY_SECONDS + 1


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with running() as started:
        yield started


def receives(messages: list[dict[str, dict[str, str]]]) -> list[int]:
    return [int(message["Attributes"]["ApproximateReceiveCount"]) for message in messages]


def test_a_batch_holds_ten_messages_and_success_deletes_them(sandbox: Sandbox) -> None:
    for number in range(12):
        sandbox.send_message(str(number))
    assert sandbox.consume(batches=1) == 10
    assert depth(sandbox) == (2, 0)
    assert sandbox.consume() == 2


def test_a_failed_batch_is_hidden_and_comes_back_with_a_higher_count(sandbox: Sandbox) -> None:
    ingest_many(sandbox, 1)
    sandbox.replay("e1", *DAY)
    assert sandbox.consume(failure="timeout") == 0
    assert depth(sandbox) == (0, 1)
    assert sandbox.consume() == 0
    later(sandbox, seconds=VISIBILITY)
    assert receives(receive(sandbox)) == [2]


def test_a_run_ends_though_what_failed_becomes_visible_meanwhile(sandbox: Sandbox) -> None:
    ingest_many(sandbox, 20)
    sandbox.replay("e1", *DAY)
    assert sandbox.consume(failure="error") == 0
    assert len([line for line in log(sandbox, "processor") if "platform.start" in line]) == 2


@pytest.mark.parametrize("failure", ["error", "timeout", "out-of-memory", "throttle"])
def test_every_failure_leaves_the_message(sandbox: Sandbox, failure: str) -> None:
    ingest_many(sandbox, 1)
    sandbox.replay("e1", *DAY)
    assert sandbox.consume(failure=failure) == 0
    assert depth(sandbox) == (0, 1)
    assert rows(sandbox, "aggregates") == []


def test_without_a_dead_letter_queue_a_message_fails_for_ever(sandbox: Sandbox) -> None:
    ingest_many(sandbox, 1)
    sandbox.replay("e1", *DAY)
    for _ in range(6):
        sandbox.consume(failure="error")
        later(sandbox, seconds=VISIBILITY)
    assert receives(receive(sandbox)) == [7]


def test_with_a_dead_letter_queue_it_is_moved_after_its_receives() -> None:
    with running(dead_letter_queue=True, max_receive_count=2) as sandbox:
        ingest_many(sandbox, 1)
        sandbox.replay("e1", *DAY)
        (dead_letters,) = sandbox.names.dead_letter_queue_urls
        waiting = []
        for _ in range(3):
            waiting.append((depth(sandbox)[0], depth(sandbox, dead_letters)[0]))
            sandbox.consume(failure="error")
            later(sandbox, seconds=VISIBILITY)
        assert waiting == [(1, 0)] * 3
        assert depth(sandbox) == (0, 0)
        assert len(receive(sandbox, dead_letters)) == 1


def test_a_message_is_gone_after_the_retention(sandbox: Sandbox) -> None:
    sandbox.send_message("a")
    later(sandbox, days=3, hours=23)
    sandbox.send_message("b")
    assert depth(sandbox) == (2, 0)
    later(sandbox, hours=2)
    assert [message["Body"] for message in receive(sandbox)] == ["b"]


def test_a_stopped_consumer_leaves_the_queue_alone(sandbox: Sandbox) -> None:
    sandbox.send_message("a")
    sandbox.stop_consumer()
    assert sandbox.consume() == 0
    assert receives(receive(sandbox)) == [1]
    later(sandbox, seconds=VISIBILITY)
    sandbox.start_consumer()
    assert sandbox.consume() == 1


def test_a_removed_consumer_never_reads_again(sandbox: Sandbox) -> None:
    sandbox.send_message("a")
    sandbox.remove_consumer()
    sandbox.start_consumer()
    assert sandbox.consume() == 0
    assert sandbox.clients.lambda_.list_event_source_mappings()["EventSourceMappings"] == []


def test_no_concurrency_throttles_the_processor_and_still_counts_receives(
    sandbox: Sandbox,
) -> None:
    sandbox.send_message("a")
    sandbox.set_reserved_concurrency("processor", 0)
    assert sandbox.consume() == 0
    assert log(sandbox, "processor") == []
    assert metric(sandbox, "AWS/Lambda", "Throttles") == [1.0]
    later(sandbox, seconds=VISIBILITY)
    sandbox.set_reserved_concurrency("processor", None)
    assert receives(receive(sandbox)) == [2]


def test_each_batch_takes_a_second(sandbox: Sandbox) -> None:
    for number in range(25):
        sandbox.send_message(str(number))
    sandbox.consume()
    assert (sandbox.clock.now() - START).total_seconds() == 3
    sandbox.consume(same_second=True)
    assert (sandbox.clock.now() - START).total_seconds() == 3
