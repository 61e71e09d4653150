"""The second door: a short list of writes, to named resources, for the recovery alone."""

from __future__ import annotations

import ast
from pathlib import Path

import boto3
import pytest
from botocore.stub import Stubber

from investigate.aws import READ_ONLY
from investigate.aws.connection import Connection
from investigate.aws.writing import WRITES, WriteDoor, WriteTargets, listed
from investigate.errors import AccessError, WriteRefused
from tests.test_layers import PACKAGE, imported, modules, room

URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/replay-queue"
OTHER = "https://sqs.eu-west-1.amazonaws.com/123456789012/other"
DEAD = "arn:aws:sqs:eu-west-1:123456789012:dead-letters"
UUID = "11111111-2222-3333-4444-555555555555"
TARGETS = WriteTargets(frozenset({URL}), frozenset({URL}), frozenset({DEAD}), frozenset({UUID}))


@pytest.fixture
def door():
    session = boto3.Session("a", "b", region_name="eu-west-1")
    return WriteDoor(Connection(session), TARGETS)


def test_the_list_of_writes_is_exactly_this():
    assert listed() == [
        "lambda:UpdateEventSourceMapping",
        "sqs:CancelMessageMoveTask",
        "sqs:DeleteMessage",
        "sqs:ListMessageMoveTasks",
        "sqs:ReceiveMessage",
        "sqs:SendMessage",
        "sqs:StartMessageMoveTask",
    ]


def test_no_write_is_on_the_list_of_reads():
    assert [name for service, names in WRITES.items() for name in names & READ_ONLY[service]] == []


@pytest.mark.parametrize(
    ("service", "operation", "parameters"),
    [
        ("sqs", "PurgeQueue", {"QueueUrl": URL}),
        ("lambda", "DeleteEventSourceMapping", {"UUID": UUID}),
        ("cloudformation", "UpdateStack", {"StackName": "s"}),
        ("sqs", "SendMessage", {"QueueUrl": OTHER, "MessageBody": "x"}),
        ("sqs", "DeleteMessage", {"QueueUrl": OTHER, "ReceiptHandle": "x"}),
        ("sqs", "StartMessageMoveTask", {"SourceArn": "other"}),
        ("sqs", "StartMessageMoveTask", {"SourceArn": DEAD, "DestinationArn": "elsewhere"}),
        ("lambda", "UpdateEventSourceMapping", {"UUID": "other", "Enabled": True}),
        ("lambda", "UpdateEventSourceMapping", {"UUID": UUID, "Enabled": True, "BatchSize": 1}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_anything_else_is_refused_before_it_leaves(door, service, operation, parameters):
    with pytest.raises(WriteRefused, match="nothing was sent"):
        door.call(service, operation, **parameters)


def test_the_client_itself_refuses_what_is_not_listed(door):
    with pytest.raises(WriteRefused, match="sqs:PurgeQueue"):
        door.client("sqs").purge_queue(QueueUrl=URL)
    with pytest.raises(WriteRefused, match="sqs:SendMessage"):
        door.client("sqs").send_message(QueueUrl=OTHER, MessageBody="x")


def test_a_mapping_is_switched_by_exactly_this_request(door):
    with Stubber(door.client("lambda")) as stub:
        stub.add_response(
            "update_event_source_mapping", {"UUID": UUID, "State": "Disabling"},
            {"UUID": UUID, "Enabled": False},
        )  # fmt: skip
        answer = door.call("lambda", "UpdateEventSourceMapping", UUID=UUID, Enabled=False)
    assert answer["State"] == "Disabling"


def test_what_aws_refuses_is_an_error_of_access(door):
    with Stubber(door.client("sqs")) as stub:
        stub.add_client_error("send_message", "AccessDenied", "no", http_status_code=403)
        with pytest.raises(AccessError) as caught:
            door.call("sqs", "SendMessage", QueueUrl=URL, MessageBody="x")
    assert caught.value.kind == "denied"


def test_a_write_is_tried_once(door):
    retries = door.client("sqs").meta.config.retries
    assert retries["total_max_attempts"] == 1


def test_only_the_recovery_opens_the_second_door():
    users = {room(path) for path in modules() if "investigate.aws.writing" in set(imported(path))}
    assert users == {"recovery"}
    assert not hasattr(__import__("investigate.aws").aws, "WriteDoor")


def test_only_the_commands_of_the_recovery_import_it():
    users = {
        path.relative_to(PACKAGE).as_posix()
        for path in modules()
        if room(path) != "recovery"
        and any(name.startswith("investigate.recovery") for name in imported(path))
    }
    assert users == {
        "commands/recovering.py",
        "commands/replay.py",
        "commands/redrive.py",
        "commands/process_briefly.py",
        "commands/process_plan.py",
    }


def test_no_notebook_imports_it():
    notebooks = list((PACKAGE.parent / "notebooks").glob("*.ipynb"))
    assert notebooks
    assert [path.name for path in notebooks if "recovery" in path.read_text("utf-8")] == []


def test_a_client_that_nothing_holds_back_is_made_by_the_two_doors_only():
    users = [
        path.relative_to(PACKAGE).as_posix()
        for path in modules()
        for node in ast.walk(ast.parse(Path(path).read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr == "open_with"
    ]
    assert users == ["aws/connection.py", "aws/writing.py"]
