"""The event source mapping: polls the replay queue and hands batches to the processor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from investigate.sandbox.interrupts import processor_failure
from investigate.sandbox.runtime import Runtime


@dataclass
class Consumer:
    """Reads one queue for the processor, as far as the mapping and its state allow it."""

    runtime: Runtime
    queue_url: str
    queue_arn: str

    def consume(
        self, *, batches: int | None, failure: str | None, same_second: bool = False
    ) -> int:
        """Process the messages that are waiting now, or so many batches; return how many were
        deleted. What becomes visible again meanwhile is left for the next time."""
        interrupt = processor_failure(failure)
        deleted = 0
        for messages in self._batches(batches):
            outcome = self.runtime.invoke(
                "processor",
                {"Records": [self._record(message) for message in messages]},
                interrupt=interrupt,
                throttled=failure == "throttle",
            )
            if outcome.status == "ok":
                deleted += self._delete(messages)
            if not same_second:
                clock = self.runtime.clock
                clock.move_to(clock.now() + timedelta(seconds=1))
        return deleted

    def _batches(self, batches: int | None) -> Iterator[list[dict[str, Any]]]:
        if not self.enabled():
            return
        waiting, read = self._waiting(), 0
        while read < waiting and batches != 0:
            messages = self._receive()
            if not messages:
                return
            read += len(messages)
            batches = None if batches is None else batches - 1
            yield messages

    def enabled(self) -> bool:
        """Whether a mapping from the queue to the processor is there and enabled."""
        return any(mapping["State"] == "Enabled" for mapping in self.mappings())

    def mappings(self) -> list[dict[str, Any]]:
        """The mappings from the queue to the processor."""
        found = self.runtime.clients.lambda_.list_event_source_mappings(
            EventSourceArn=self.queue_arn, FunctionName=self.runtime.functions["processor"]
        )
        return list(found["EventSourceMappings"])

    def enable(self, *, enabled: bool) -> None:
        """Enable or disable the mapping."""
        for mapping in self.mappings():
            self.runtime.clients.lambda_.update_event_source_mapping(
                UUID=mapping["UUID"], Enabled=enabled
            )

    def remove(self) -> None:
        """Delete the mapping."""
        for mapping in self.mappings():
            self.runtime.clients.lambda_.delete_event_source_mapping(UUID=mapping["UUID"])

    def _waiting(self) -> int:
        name = "ApproximateNumberOfMessages"
        found = self.runtime.clients.sqs.get_queue_attributes(
            QueueUrl=self.queue_url, AttributeNames=[name]
        )
        return int(found["Attributes"][name])

    def _receive(self) -> list[dict[str, Any]]:
        found = self.runtime.clients.sqs.receive_message(
            QueueUrl=self.queue_url,
            MaxNumberOfMessages=self.runtime.design.batch_size,
            MessageSystemAttributeNames=["All"],
            WaitTimeSeconds=0,  # an emulator with a clock that stands still would never return
        )
        return list(found.get("Messages", []))

    def _delete(self, messages: list[dict[str, Any]]) -> int:
        entries = [
            {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
            for number, message in enumerate(messages)
        ]
        done = self.runtime.clients.sqs.delete_message_batch(
            QueueUrl=self.queue_url, Entries=entries
        )
        return len(done.get("Successful", []))

    def _record(self, message: dict[str, Any]) -> dict[str, Any]:
        return {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message["Attributes"],
            "messageAttributes": {},
            "md5OfBody": message["MD5OfBody"],
            "eventSource": "aws:sqs",
            "eventSourceARN": self.queue_arn,
            "awsRegion": self.queue_arn.split(":")[3],
        }
