"""A running pipeline for tests, and what its stores and logs hold."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from investigate.sandbox.function import from_item
from investigate.sandbox.world import Sandbox, SandboxOptions, emulator

START = datetime(2026, 3, 10, 6, tzinfo=UTC)
DAY = ("2026-03-10T00:00:00Z", "2026-03-11T00:00:00Z")


@contextmanager
def running(**options: Any) -> Iterator[Sandbox]:
    with emulator(SandboxOptions(start=START, **options)) as sandbox:
        yield sandbox


def request(name: str = "a", **changes: Any) -> dict[str, Any]:
    """What a client sends about one event; another name is another event."""
    body = {
        "source": "web",
        "event_type": "order",
        "entity_id": "e1",
        "event_time": "2026-03-10T05:00:00Z",
        "payload": {"name": name},
    }
    return {**body, **changes}


def ingest_many(sandbox: Sandbox, count: int) -> None:
    """Ingest so many events of one entity and day, each a second after the one before."""
    for number in range(count):
        when = f"2026-03-10T05:00:{number:02d}Z"
        sandbox.ingest(request(str(number), event_time=when))


def later(sandbox: Sandbox, **delta: float) -> None:
    sandbox.clock.move_to(sandbox.clock.now() + timedelta(**delta))


def rows(sandbox: Sandbox, table: str) -> list[dict[str, Any]]:
    name = {"events": sandbox.names.events_table, "dedupe": sandbox.names.dedupe_table}
    found = sandbox.clients.dynamodb.scan(TableName=name.get(table, sandbox.names.aggregates_table))
    return sorted((from_item(item) for item in found["Items"]), key=str)


def keys(sandbox: Sandbox) -> list[str]:
    found = sandbox.clients.s3.list_objects_v2(Bucket=sandbox.names.raw_bucket)
    return [item["Key"] for item in found.get("Contents", [])]


def raw(sandbox: Sandbox, key: str) -> dict[str, Any]:
    found = sandbox.clients.s3.get_object(Bucket=sandbox.names.raw_bucket, Key=key)
    body: dict[str, Any] = json.loads(found["Body"].read())
    return body


def log(sandbox: Sandbox, role: str) -> list[str]:
    """The messages in the log group of a function, in order of time."""
    group = f"/aws/lambda/{sandbox.names.functions[role]}"
    return [event["message"] for event in _pages(sandbox, group)]


def _pages(sandbox: Sandbox, group: str) -> list[dict[str, Any]]:
    pages = sandbox.clients.logs.get_paginator("filter_log_events")
    return [event for page in pages.paginate(logGroupName=group) for event in page["events"]]


def said(sandbox: Sandbox, role: str, message: str) -> list[dict[str, Any]]:
    """The structured lines with a message, as the function logged them."""
    lines = [json.loads(line) for line in log(sandbox, role) if line.startswith("{")]
    logged = [json.loads(line["message"]) for line in lines if "message" in line]
    return [line for line in logged if line["msg"] == message]


def counted(sandbox: Sandbox, role: str, metric: str) -> list[int]:
    """The values of one metric in the embedded metric lines of a function."""
    lines = [json.loads(line) for line in log(sandbox, role) if line.startswith('{"_aws"')]
    return [line[metric] for line in lines if metric in line]


def depth(sandbox: Sandbox, url: str | None = None) -> tuple[int, int]:
    """How many messages of a queue are visible, and how many are in flight."""
    found = sandbox.clients.sqs.get_queue_attributes(
        QueueUrl=url or sandbox.names.replay_queue_url, AttributeNames=["All"]
    )["Attributes"]
    visible, hidden = "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"
    return int(found[visible]), int(found[hidden])


def receive(sandbox: Sandbox, url: str | None = None) -> list[dict[str, Any]]:
    found = sandbox.clients.sqs.receive_message(
        QueueUrl=url or sandbox.names.replay_queue_url,
        MaxNumberOfMessages=10,
        MessageSystemAttributeNames=["All"],
    )
    return list(found.get("Messages", []))


def metric(sandbox: Sandbox, namespace: str, name: str, stat: str = "Sum") -> list[float]:
    """The values of one CloudWatch metric per minute, all its dimensions together, by time."""
    dimension = "FunctionName" if namespace == "AWS/Lambda" else "QueueName"
    known = sandbox.clients.cloudwatch.list_metrics(Namespace=namespace, MetricName=name)
    found: list[tuple[datetime, float]] = []
    for one in known["Metrics"]:
        assert [part["Name"] for part in one["Dimensions"]] == [dimension]
        what = {"Metric": one, "Period": 60, "Stat": stat}
        answer = sandbox.clients.cloudwatch.get_metric_data(
            StartTime=START,
            EndTime=START + timedelta(days=9),
            MetricDataQueries=[{"Id": "a", "MetricStat": what}],
        )["MetricDataResults"][0]
        found += zip(answer["Timestamps"], answer["Values"], strict=True)
    return [value for _, value in sorted(found)]


def story(sandbox: Sandbox) -> None:
    """A few days in which everything that has a random part happens."""
    for number in range(25):
        moment = START + timedelta(minutes=7 * number)
        sandbox.at(moment, lambda number=number: sandbox.ingest(request(str(number))))
    sandbox.at(START + timedelta(hours=1), lambda: sandbox.ingest(request("3")))
    sandbox.at(START + timedelta(hours=2), lambda: sandbox.ingest(request("x"), crash="after-raw"))
    sandbox.at(START + timedelta(hours=4), lambda: sandbox.replay("e1", *DAY))
    sandbox.at(START + timedelta(hours=5), lambda: sandbox.consume(batches=1, failure="timeout"))
    sandbox.at(START + timedelta(days=1), lambda: sandbox.consume(batches=2))
    sandbox.at(START + timedelta(days=1, hours=1), lambda: sandbox.send_message("not json"))
    sandbox.run()


def dump(sandbox: Sandbox) -> str:
    """Everything the stores hold, as one text."""
    clients, names = sandbox.clients, sandbox.names
    listed = clients.s3.list_objects_v2(Bucket=names.raw_bucket)["Contents"]
    groups = [f"/aws/lambda/{function}" for function in names.functions.values()]
    held = {
        "objects": [
            [item["Key"], item["ETag"], item["LastModified"], raw(sandbox, item["Key"])]
            for item in listed
        ],
        "rows": {table: rows(sandbox, table) for table in ("events", "dedupe", "aggregates")},
        "lines": {group: _pages(sandbox, group) for group in groups},
        "streams": [
            clients.logs.describe_log_streams(logGroupName=group)["logStreams"] for group in groups
        ],
        "metrics": {
            name: metric(sandbox, namespace, name)
            for namespace, name in (
                ("AWS/Lambda", "Duration"),
                ("AWS/Lambda", "Errors"),
                ("AWS/SQS", "NumberOfMessagesSent"),
                ("AWS/SQS", "ApproximateAgeOfOldestMessage"),
            )
        },
        "functions": [
            _without_answer(clients.lambda_.get_function_configuration(FunctionName=function))
            for function in names.functions.values()
        ],
        "mappings": clients.lambda_.list_event_source_mappings()["EventSourceMappings"],
        "queue": clients.sqs.get_queue_attributes(
            QueueUrl=names.replay_queue_url, AttributeNames=["All"]
        )["Attributes"],
        "messages": receive(sandbox),
    }
    return json.dumps(held, indent=1, default=_text)


def _text(value: Any) -> str:
    """A time as an instant, because clients show times in the zone of the machine."""
    return str(value.timestamp() if isinstance(value, datetime) else value)


def _without_answer(found: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name != "ResponseMetadata"}


if __name__ == "__main__":
    with running() as running_sandbox:
        story(running_sandbox)
        print(dump(running_sandbox))  # noqa: T201 - read by the test that runs this file
