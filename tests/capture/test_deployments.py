"""What AWS remembers of changes: versions of functions, events of the stack."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import boto3

from investigate.capture import deployments
from tests.builders import START
from tests.capture.helpers import coverage, refuse, rows_of, source_of

TEMPLATE = {"Resources": {"ReplayQueue": {"Type": "AWS::SQS::Queue"}}}


def read(source: Any) -> Any:
    (captured,) = deployments.read_deployments(source)
    return captured


def stacked(source: Any, stack: str = "orders") -> Any:
    source.names = replace(source.names, stack=stack)
    return source


def test_each_version_of_a_function_is_a_row(world):
    world.clock.move_to(START + timedelta(hours=1))
    world.clients.lambda_.publish_version(FunctionName="demo-ingest")
    captured = read(source_of(world))
    assert coverage(captured) == ("captured", None)
    rows = [row for row in rows_of(captured) if row["resource"] == "demo-ingest"]
    told = {row["what"]: (row["kind"], row["version"], row["status"]) for row in rows}
    assert told == {
        "$LATEST updated": ("function", "$LATEST", "Successful"),
        "version published": ("function", "1", "Successful"),
    }
    assert len({row["detail"] for row in rows}) == 1
    assert {row["at_utc"] for row in rows} <= {START, START + timedelta(hours=1)}
    assert len(rows_of(captured)) == 4


def test_the_events_of_the_stack_are_rows(world):
    world.clock.move_to(START + timedelta(hours=2))
    boto3.client("cloudformation").create_stack(
        StackName="orders", TemplateBody=json.dumps(TEMPLATE)
    )
    rows = [row for row in rows_of(read(stacked(source_of(world)))) if row["kind"] == "stack"]
    assert ("orders", "CREATE_COMPLETE") in {(row["resource"], row["what"]) for row in rows}
    assert {row["detail"] for row in rows} == {"AWS::CloudFormation::Stack"}
    assert {row["at_utc"] for row in rows} == {START + timedelta(hours=2)}


def event(days: float) -> dict[str, Any]:
    return {
        "LogicalResourceId": f"{days} days before",
        "ResourceType": "AWS::Lambda::Function",
        "ResourceStatus": "UPDATE_COMPLETE",
        "Timestamp": START - timedelta(days=days),
    }


def test_events_from_long_before_the_window_end_the_paging(world):
    source = stacked(source_of(world))
    pages = [[event(-1), event(13)], [event(14), event(14.1), event(2)], [event(3)]]
    asked = []

    def answer(service: str, operation: str, **parameters: Any) -> Any:
        if operation != "DescribeStackEvents":
            return
        for page in pages:
            asked.append(parameters["StackName"])
            yield {"StackEvents": page}

    source.connection.pages = answer
    found = [row["resource"] for row in rows_of(read(source))]
    assert found == ["-1 days before", "13 days before", "14 days before"]
    assert asked == ["orders", "orders"]


def test_a_denied_stack_leaves_the_functions(world):
    source = stacked(source_of(world))
    refuse(source.connection, "cloudformation", "DescribeStackEvents", "AccessDenied")
    captured = read(source)
    reason = "AccessDenied: cloudformation:DescribeStackEvents of orders"
    assert coverage(captured) == ("partial", reason)
    assert len(rows_of(captured)) == 3


def test_denied_versions_are_no_absent_deployments(world):
    source = source_of(world)
    refuse(source.connection, "lambda", "ListVersionsByFunction")
    assert read(source).coverage.status == "denied"


def test_without_functions_and_stack_there_is_nothing_to_ask(world):
    captured = read(source_of(world, without=("functions",)))
    assert coverage(captured) == ("skipped", "no function is configured")
