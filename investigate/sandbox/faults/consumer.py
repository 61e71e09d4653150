"""Faults of the processor: failing invocations, a message that always fails, a run that is dry."""

from __future__ import annotations

import json
from datetime import timedelta

from investigate.sandbox.faults.registry import fault
from investigate.sandbox.stories import Plot, Sent, Story, at, raw_body

# A batch that failed is visible again after a minute, so these stories keep minutes of their own.


@fault("processor-error")
def processor_error(plot: Plot) -> Story:
    """The table refuses a batch; the queue hands it out again, and it succeeds."""
    yield from _failing_once(plot, "error", hour=6, minute=20)


@fault("processor-timeout")
def processor_timeout(plot: Plot) -> Story:
    """An invocation runs into its time limit; the next one succeeds."""
    yield from _failing_once(plot, "timeout", hour=7, minute=24)


@fault("processor-out-of-memory")
def processor_out_of_memory(plot: Plot) -> Story:
    """An invocation is killed for its memory; the next one succeeds."""
    yield from _failing_once(plot, "out-of-memory", hour=8, minute=28)


@fault("processor-throttled")
def processor_throttled(plot: Plot) -> Story:
    """The processor is throttled for a moment; the next batch succeeds."""
    yield from _failing_once(plot, "throttle", hour=9, minute=32)


@fault("poison-object")
def poison_object(plot: Plot) -> Story:
    """An object without a payload hash fails its batch again and again (D12)."""
    (sent,) = yield from plot.usual(12, 12, 1)
    yield at(12, "18:00")
    body = raw_body(plot, sent)
    del body["payload_sha"]
    plot.sandbox.put_object(sent.s3_key, json.dumps(body).encode())
    plot.truth.add("raw/corrupt", sent.s3_key)
    plot.truth.add("raw/overwritten", sent.event_id)
    plot.truth.add("replay/would-fail", sent.event_id)
    for attempt in range(5):
        yield at(13, "03:44") + timedelta(seconds=65 * attempt)
        if not attempt:
            plot.truth.add("sqs/poison", plot.sandbox.send_message(_message(plot, sent)))
        plot.consume()
    plot.comes_back()
    yield at(13, "03:48:50")  # before the message is visible once more
    plot.stop_consumer()
    plot.verdict(12, "pending")


@fault("dry-run-processor")
def dry_run_processor(plot: Plot) -> Story:
    """The processor is in DRY_RUN, and a day's messages are deleted unread (D10)."""
    lost = yield from plot.usual(12, 13, 3)
    yield at(13, "03:48:30")  # while the poisonous message, if there is one, is not visible
    plot.sandbox.set_dry_run("processor", True)
    plot.replay(12)
    plot.consume()
    function = plot.sandbox.names.functions["processor"]
    plot.truth.add("processor/dry-run-loss", function)
    plot.truth.add("replay/dry-run", function)
    plot.truth.add("sqs/lost", *(sent.event_id for sent in lost))
    plot.verdict(12, "missing")


def _failing_once(plot: Plot, failure: str, *, hour: int, minute: int) -> Story:
    yield from plot.usual(11, hour, 3)
    yield at(12, f"03:{minute}")
    plot.replay(11)
    plot.consume(failure=failure)
    if failure == "error":  # the others end before a line tells what they loaded
        plot.comes_back()
    yield at(12, f"03:{minute + 2}")
    plot.consume()
    plot.verdict(11, "complete")


def _message(plot: Plot, sent: Sent) -> str:
    """Return what a replay sends for an event."""
    return plot.design.replay_message(
        {
            "event_id": sent.event_id,
            "entity_id": sent.request["entity_id"],
            "event_time": sent.request["event_time"],
            "s3_bucket": plot.sandbox.names.raw_bucket,
            "s3_key": sent.s3_key,
        }
    )
