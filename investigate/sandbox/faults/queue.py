"""Faults of the queue: purged, full of doubles or rubbish, waiting for nobody."""

from __future__ import annotations

import json

from investigate.sandbox.faults.registry import fault
from investigate.sandbox.stories import Plot, Story, at

# What leaves messages waiting happens after 04:00 on the 13th, when nothing consumes any more.


@fault("queue-purged")
def queue_purged(plot: Plot) -> Story:
    """Somebody purges the queue while a day's messages are waiting."""
    lost = yield from plot.usual(11, 12, 4)
    yield at(12, "03:40")
    plot.replay(11)
    plot.sandbox.clients.sqs.purge_queue(QueueUrl=plot.sandbox.names.replay_queue_url)
    plot.truth.add("sqs/lost", *(sent.event_id for sent in lost))
    plot.verdict(11, "missing")


@fault("consumer-stopped")
def consumer_stopped(plot: Plot) -> Story:
    """The mapping is disabled: a day's messages wait, and will expire."""
    yield from plot.usual(12, 15, 4)
    yield at(13, "04:00")
    plot.stop_consumer()
    plot.replay(12)
    plot.verdict(12, "pending")


@fault("doubled-messages-waiting")
def doubled_messages_waiting(plot: Plot) -> Story:
    """A day is replayed twice while nothing consumes."""
    doubled = yield from plot.usual(12, 16, 3)
    yield at(13, "04:10")
    plot.stop_consumer()
    plot.replay(12)
    plot.replay(12)
    plot.truth.add("sqs/duplicate-messages", *(sent.event_id for sent in doubled))
    plot.verdict(12, "pending")


@fault("malformed-messages")
def malformed_messages(plot: Plot) -> Story:
    """Another system writes to the queue what the processor cannot read."""
    yield at(13, "04:20")
    plot.stop_consumer()
    without_reference = json.dumps({"event_id": "e-1", "entity_id": plot.name})
    for body in ("restart, please", "[1, 2]", without_reference):
        plot.truth.add("sqs/malformed", plot.sandbox.send_message(body))


@fault("concurrency-zero")
def concurrency_zero(plot: Plot) -> Story:
    """The processor's concurrency is set to 0, as if to stop it for a moment."""
    yield from plot.usual(12, 17, 2)
    yield at(13, "04:30")
    plot.sandbox.set_reserved_concurrency("processor", 0)
    plot.truth.add("configuration/concurrency", plot.sandbox.names.functions["processor"])
    plot.replay(12)
    plot.consume()
    plot.verdict(12, "pending")
    plot.left_waiting()
