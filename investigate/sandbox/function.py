"""What a function of the pipeline is given, and how it reads and writes times, rows and lines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from investigate.pipeline import Design
from investigate.sandbox.clock import Clock
from investigate.sandbox.cloud import Clients


@dataclass(frozen=True)
class Line:
    """One line a function wrote: logged with a level, or printed without one."""

    text: str
    level: str | None = None


@dataclass
class Context:
    """What a function is given for one invocation, and the lines it wrote so far."""

    function: str
    request_id: str
    environment: Mapping[str, str]
    clients: Clients
    clock: Clock
    design: Design
    lines: list[Line] = field(default_factory=list)

    @property
    def dry_run(self) -> bool:
        """Whether the function was told to change nothing."""
        return self.environment["DRY_RUN"] == "true"

    def info(self, message: str, **fields: Any) -> None:
        """Log one structured line, which thin logs lose (D20)."""
        self.lines.append(Line(json.dumps({"msg": message, **fields}), "INFO"))

    def warning(self, message: str, **fields: Any) -> None:
        """Log one structured line, which even thin logs keep."""
        self.lines.append(Line(json.dumps({"msg": message, **fields}), "WARNING"))

    def count(self, metrics: Mapping[str, int], **dimensions: str) -> None:
        """Print metrics in the embedded metric format."""
        named = {"Function": self.function, **dimensions}
        units = {name: "Milliseconds" if name.endswith("Ms") else "Count" for name in metrics}
        directive = {
            "Namespace": self.design.metric_namespace,
            "Dimensions": [list(named)],
            "Metrics": [{"Name": name, "Unit": unit} for name, unit in units.items()],
        }
        stamp = int(self.clock.now().timestamp() * 1000)
        about = {"Timestamp": stamp, "CloudWatchMetrics": [directive]}
        self.lines.append(Line(json.dumps({"_aws": about, **named, **metrics})))


def parse_time(text: str) -> datetime:
    """Return a client's time, in UTC when it has no offset; raise `ValueError` if it is none."""
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def to_item(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row as DynamoDB wants it."""
    return {name: _TO.serialize(value) for name, value in row.items()}


def from_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row that DynamoDB gave."""
    return {name: _FROM.deserialize(value) for name, value in item.items()}


_TO, _FROM = TypeSerializer(), TypeDeserializer()
