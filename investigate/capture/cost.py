"""What one operation costs, and the capture that is reckoned."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from investigate.aws import Connection
from investigate.capture.source import CaptureOptions
from investigate.settings import PipelineNames

# How a figure relates to what the capture will really take. None is exact: a pipeline goes on
# meanwhile, and its own settings and rows name queues and objects that only the capture asks for.
Bound = Literal["about", "at least", "at most", "unknown"]


@dataclass(frozen=True, slots=True)
class Cost:
    """What one operation takes for one table, as far as it can be known beforehand."""

    table: str
    operation: str  # service:Operation
    basis: str  # how it was reckoned
    bound: Bound = "about"
    requests: int = 0
    read_units: float = 0.0
    bytes: int = 0
    price_usd: float = 0.0


@dataclass(frozen=True, slots=True)
class PlannedCapture:
    """The capture that is reckoned."""

    connection: Connection
    names: PipelineNames
    options: CaptureOptions

    def sent(self, operation: str) -> int:
        """Return how many requests of an operation this connection has sent."""
        return int(self.connection.meter.snapshot()["requests"].get(operation, 0))

    def read(self, bucket: str, key: str) -> bytes:
        """Return a whole object."""
        return self.connection.read_object(Bucket=bucket, Key=key)[1]

    @property
    def queues(self) -> list[str]:
        """The URLs of all queues that are known."""
        urls = (self.names.replay_queue_url, *self.names.dead_letter_queue_urls)
        return [url for url in urls if url]


Reckon = Callable[[PlannedCapture], Iterator[Cost]]
