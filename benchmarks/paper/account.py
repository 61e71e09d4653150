"""An account that exists on paper only: what the package's own estimate says of one of any size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil
from typing import Any, cast

from benchmarks.paper import assumptions as assumed
from investigate.aws import Connection
from investigate.aws.objects import KEYS_PER_REQUEST
from investigate.capture import prices
from investigate.capture.cost import Cost
from investigate.capture.cost_tables import PAGE_BYTES, read_units
from investigate.capture.estimate import estimate
from investigate.capture.source import CaptureOptions
from investigate.capture.tables import KEYS_AT_ONCE
from investigate.model import Window
from investigate.settings import PipelineNames
from investigate.tables import TABLES

GROWING = ("events", "dedupe", "aggregates", "log_lines")  # the others cost the same at any size
ENTITY = 10_000  # events of the one entity whose capture is reckoned
_WINDOW = Window(datetime(2026, 3, 10, tzinfo=UTC), datetime(2026, 3, 13, tzinfo=UTC))
_OPTIONS = CaptureOptions(
    _WINDOW,
    datetime(2026, 3, 13, 6, tzinfo=UTC),
    only=tuple(name for name in TABLES if name != "raw"),
)
_NAMES = PipelineNames(
    region="us-east-1",
    events_table="events",
    dedupe_table="dedupe",
    aggregates_table="aggregates",
    replay_queue_url="https://sqs.us-east-1.amazonaws.com/000000000000/replay",
    functions={"ingest": "ingest", "replay": "replay", "processor": "processor"},
)


@dataclass(frozen=True, slots=True)
class Account:
    """So many events in S3, DynamoDB and CloudWatch Logs."""

    events: int
    aggregates: int  # rows

    @property
    def rows(self) -> Mapping[str, int]:
        """The rows of each DynamoDB table."""
        return {"events": self.events, "dedupe": self.events, "aggregates": self.aggregates}

    @property
    def sizes(self) -> Mapping[str, int]:
        """The bytes of each DynamoDB table."""
        each = {
            "events": assumed.EVENT_BYTES,
            "dedupe": assumed.DEDUPE_BYTES,
            "aggregates": assumed.AGGREGATE_BYTES,
        }
        return {name: round(rows * each[name].value) for name, rows in self.rows.items()}

    @property
    def logs(self) -> Mapping[str, int]:
        """The bytes of each function's log group."""
        ingest = self.events * assumed.ATTEMPTS.value * assumed.INGEST_LOG.value
        batches = self.events / assumed.BATCH.value * assumed.BATCH_LOG.value
        return {"ingest": round(ingest), "replay": 0, "processor": round(batches)}

    def copied(self) -> list[Cost]:
        """Return what a capture that copies everything asks, table by table."""
        told = estimate(cast("Connection", _OnPaper(self)), _NAMES, _OPTIONS)
        return [*self._raw(), *told]

    def _raw(self) -> Iterator[Cost]:
        pages = ceil(self.events / KEYS_PER_REQUEST)
        # The estimate of the package lists to count, which nobody can on paper.
        yield Cost(
            "raw", "s3:ListObjectsV2", f"{KEYS_PER_REQUEST:,} keys a page",
            requests=pages,
            price_usd=prices.S3_LIST.for_(pages),
        )  # fmt: skip
        yield self._gets("one for each object")

    def _gets(self, basis: str) -> Cost:
        return Cost(
            "raw", "s3:GetObject", basis,
            requests=self.events,
            bytes=round(self.events * assumed.RAW_BYTES.value),
            price_usd=prices.S3_GET.for_(self.events),
        )  # fmt: skip

    def instead(self) -> list[Cost]:
        """Return what can be asked instead: each line replaces one or more of those copied."""
        exported = sum(self.sizes.values())
        return [
            Cost(
                "raw", "S3 Inventory", "one report; instead of the listing",
                price_usd=assumed.INVENTORY.for_(self.events),
            ),
            self._gets("`--in-place`: not by the capture, but by every command that reads `raw`"),
            Cost(
                "events, dedupe, aggregates", "DynamoDB export",
                "one full export of each; instead of the scans",
                bytes=exported,
                price_usd=assumed.EXPORT.for_(exported),
            ),
            *_of_one_entity(),
        ]  # fmt: skip


def _of_one_entity() -> Iterator[Cost]:
    size = round(ENTITY * assumed.EVENT_BYTES.value)
    queried, by_key = read_units(size), ENTITY / 2
    yield Cost(
        "events", "dynamodb:Query", f"`--entity`: one of {ENTITY:,} events",
        requests=ceil(size / PAGE_BYTES),
        read_units=queried,
        bytes=size,
        price_usd=prices.READ_UNITS.for_(queried),
    )  # fmt: skip
    yield Cost(
        "dedupe", "dynamodb:BatchGetItem", f"`--entity`: the same {ENTITY:,} events by key",
        requests=ceil(ENTITY / KEYS_AT_ONCE),
        read_units=by_key,
        bytes=round(ENTITY * assumed.DEDUPE_BYTES.value),
        price_usd=prices.READ_UNITS.for_(by_key),
    )  # fmt: skip


class _OnPaper:
    """Answers what an estimate asks, and nothing else."""

    region = "us-east-1"

    def __init__(self, account: Account) -> None:
        self._account = account

    def call(self, service: str, operation: str, **asked: Any) -> dict[str, Any]:
        if (service, operation) == ("dynamodb", "DescribeTable"):
            name = asked["TableName"]
            known = {
                "ItemCount": self._account.rows[name],
                "TableSizeBytes": self._account.sizes[name],
            }
            return {"Table": known}
        if (service, operation) == ("lambda", "GetFunctionConfiguration"):
            return {"FunctionName": asked["FunctionName"]}
        raise NotImplementedError(f"{service}:{operation}")

    def pages(self, service: str, operation: str, **asked: Any) -> Iterator[dict[str, Any]]:
        if (service, operation) != ("logs", "DescribeLogGroups"):
            raise NotImplementedError(f"{service}:{operation}")
        group = asked["logGroupNamePrefix"]
        size = self._account.logs[group.rsplit("/", 1)[-1]]
        yield {"logGroups": [{"logGroupName": group, "storedBytes": size}]}
