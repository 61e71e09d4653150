"""How much evidence of an incident is left, by what the capture is given and what it is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from investigate.aws import connect
from investigate.aws.connection import Connection
from investigate.capture import CaptureOptions, capture
from investigate.sandbox.demo import SAMPLE_MESSAGES
from investigate.sandbox.stories import CAPTURED, WINDOW
from investigate.sandbox.world import Sandbox
from investigate.settings import Settings

# Kinds of evidence that a level may lack; `knowable` says which a finding needs.
KINDS = (
    "raw_list", "raw_bodies", "events", "dedupe", "aggregates", "lines", "calls", "messages",
    "queues", "functions", "mappings", "metrics",
)  # fmt: skip
SERVICES = {"s3", "dynamodb", "logs", "sqs", "cloudwatch", "lambda"}


@dataclass(frozen=True, slots=True)
class Level:
    """One degree of evidence: the log format of the functions, what is not configured, how many
    messages are sampled, which requests are refused, and which kinds of evidence are lost by it."""

    name: str
    lacks: frozenset[str] = frozenset()
    log_format: str = "JSON"
    unknown: tuple[str, ...] = ()  # names of the pipeline that the investigator does not have
    sample: int = SAMPLE_MESSAGES
    refused: Mapping[str, str] = field(default_factory=dict)  # operation -> resource, or ""
    denied: str = ""  # the action by which IAM knows what is refused


def _lacks(*kinds: str) -> frozenset[str]:
    return frozenset(kinds)


LEVELS: Mapping[str, Level] = {
    level.name: level
    for level in (
        Level("full"),
        Level("text-logs", _lacks("lines"), log_format="Text"),
        Level(
            "logs-denied", _lacks("lines", "calls"),
            refused={"FilterLogEvents": ""},
            denied="logs:FilterLogEvents",
        ),
        Level("no-dedupe", _lacks("dedupe"), unknown=("dedupe_table",)),
        Level("few-messages", _lacks("messages"), sample=1),
        Level("no-messages", _lacks("messages"), sample=0),
        Level(
            "raw-denied", _lacks("raw_list", "raw_bodies"),
            refused={"ListObjectsV2": "", "ListObjectVersions": ""},
            denied="s3:ListBucket",
        ),
        Level(
            "bodies-denied", _lacks("raw_bodies"),
            refused={"GetObject": ""},
            denied="s3:GetObject",
        ),
        Level(
            "events-denied", _lacks("events"),
            refused={"Scan": "events_table"},
            denied="dynamodb:Scan",
        ),
        Level(
            "dedupe-denied", _lacks("dedupe"),
            refused={"Scan": "dedupe_table"},
            denied="dynamodb:Scan",
        ),
        Level(
            "aggregates-denied", _lacks("aggregates"),
            refused={"Scan": "aggregates_table"},
            denied="dynamodb:Scan",
        ),
        Level(
            "queues-denied", _lacks("queues", "messages"),
            refused={"GetQueueAttributes": "", "ReceiveMessage": ""},
            denied="sqs:GetQueueAttributes",
        ),
        Level(
            "metrics-denied", _lacks("metrics"),
            refused={"GetMetricData": ""},
            denied="cloudwatch:GetMetricData",
        ),
        Level(
            "mappings-denied", _lacks("mappings"),
            refused={"ListEventSourceMappings": ""},
            denied="lambda:ListEventSourceMappings",
        ),
        Level(
            "no-functions", _lacks("functions", "lines", "calls", "mappings", "metrics"),
            unknown=("functions",),
        ),
    )
}  # fmt: skip
FULL = LEVELS["full"]


def take(sandbox: Sandbox, folder: Path, level: Level) -> None:
    """Capture a sandbox as an investigator can who has this much evidence."""
    nothing: dict[str, Any] = {name: {} if name == "functions" else None for name in level.unknown}
    settings = Settings(replace(sandbox.names, **nothing), WINDOW)
    options = CaptureOptions(WINDOW, CAPTURED, sample_messages=level.sample)
    connection = connect(
        region=sandbox.options.region, sampling=bool(level.sample), objects="botocore"
    )
    _refuse(connection, sandbox, level)
    capture(folder, settings, connection, options)


def _refuse(connection: Connection, sandbox: Sandbox, level: Level) -> None:
    """Let every refused operation end as AWS ends it for a user who lacks the permission."""

    def refuse(params: Mapping[str, Any], model: Any, **_: Any) -> None:
        what = level.refused.get(model.name)
        if what is None:
            return
        if not what or params.get("TableName") == getattr(sandbox.names, what):
            said = {"Code": "AccessDeniedException", "Message": "not authorized"}
            answer = {"Error": said, "ResponseMetadata": {"HTTPStatusCode": 403}}
            raise ClientError(answer, model.name)  # type: ignore[arg-type]

    for service in sorted(SERVICES) if level.refused else ():
        connection.client(service).meta.events.register("before-parameter-build", refuse)
