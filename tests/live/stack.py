"""The reference pipeline as a CloudFormation stack, with the sandbox's handlers as its code."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import investigate
from investigate.settings import PipelineNames
from tests.live.server import REGION, Clients, wait_until

HERE = Path(__file__).resolve().parent
PACKAGE = Path(investigate.__file__).resolve().parent
CODE = {"CodeBucket": "code", "CodeKey": "functions.zip"}
WITHIN = 60  # seconds: what creates, drains and redrives here takes five on a quiet machine


@dataclass(frozen=True)
class Stack:
    """One deployed pipeline: its name, and its resources by logical id."""

    name: str
    clients: Clients
    resources: Mapping[str, str]

    @property
    def names(self) -> PipelineNames:
        queue = self.resources.get("DeadLetterQueue")
        return PipelineNames(
            region=REGION,
            raw_bucket=self.resources["RawBucket"],
            events_table=self.resources["EventsTable"],
            dedupe_table=self.resources["DedupeTable"],
            aggregates_table=self.resources["AggregatesTable"],
            replay_queue_url=self.resources["ReplayQueue"],
            dead_letter_queue_urls=(queue,) if queue else (),
            functions={
                role: self.resources[f"{role.capitalize()}Function"]
                for role in ("ingest", "replay", "processor")
            },
        )

    def invoke(self, role: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Send a function what its API would, and return the body of its answer."""
        answer = self.clients.lambda_.invoke(
            FunctionName=self.names.functions[role], Payload=json.dumps({"body": json.dumps(body)})
        )
        said = json.loads(answer["Payload"].read())
        assert said.get("statusCode") == 200, said
        return json.loads(said["body"])

    def set_mapping(self, *, enabled: bool) -> None:
        uuid = self.resources["ProcessorMapping"]
        self.clients.lambda_.update_event_source_mapping(UUID=uuid, Enabled=enabled)

    def messages(self, queue: str = "ReplayQueue") -> int:
        """How many messages a queue holds, in whatever state."""
        answer = self.clients.sqs.get_queue_attributes(
            QueueUrl=self.resources[queue], AttributeNames=["All"]
        )
        counts = ("", "NotVisible", "Delayed")
        return sum(int(answer["Attributes"][f"ApproximateNumberOfMessages{of}"]) for of in counts)

    def wait_for(self, messages: int, queue: str = "ReplayQueue") -> None:
        what = f"{queue} holds {messages} messages"
        wait_until(lambda: self.messages(queue) == messages, WITHIN, what)


def upload_code(clients: Clients) -> None:
    """Put the functions' code where the template expects it."""
    place = {"LocationConstraint": REGION}
    clients.s3.create_bucket(Bucket=CODE["CodeBucket"], CreateBucketConfiguration=place)
    clients.s3.put_object(Bucket=CODE["CodeBucket"], Key=CODE["CodeKey"], Body=_packed())


def deploy(clients: Clients, name: str, **parameters: str) -> Stack:
    """Create a stack from the template and return it when it is complete."""
    given = {**CODE, **parameters}
    clients.cloudformation.create_stack(
        StackName=name,
        TemplateBody=(HERE / "template.json").read_text(encoding="utf-8"),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    wait_until(lambda: _status(clients, name) == "CREATE_COMPLETE", WITHIN, f"{name} is created")
    pages = clients.cloudformation.get_paginator("list_stack_resources").paginate(StackName=name)
    listed = [entry for page in pages for entry in page["StackResourceSummaries"]]
    resources = {entry["LogicalResourceId"]: entry["PhysicalResourceId"] for entry in listed}
    return Stack(name, clients, resources)


def _status(clients: Clients, name: str) -> str:
    (stack,) = clients.cloudformation.describe_stacks(StackName=name)["Stacks"]
    status = stack["StackStatus"]
    assert status in ("CREATE_IN_PROGRESS", "CREATE_COMPLETE"), stack.get("StackStatusReason")
    return status


def _packed() -> bytes:
    """The package without what it imports, and the module in which each invocation enters."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(HERE / "entry.py", "entry.py")
        for module in sorted(PACKAGE.rglob("*.py")):
            archive.write(module, module.relative_to(PACKAGE.parent))
    return packed.getvalue()
