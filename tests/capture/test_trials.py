"""Each action is tried by its cheapest call, and the answer is read for what it proves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from investigate.aws import SIDE_EFFECTS, connect
from investigate.capture.permissions import NEEDS
from investigate.capture.trials import Subject, Trial, needed_but_lacking, try_all
from investigate.capture.trials_of_sources import UNTRIED
from investigate.errors import AccessError
from investigate.sandbox.serve import serve
from investigate.settings import PipelineNames
from tests.builders import END
from tests.capture.delivered import BUCKET, Objects
from tests.capture.helpers import refuse
from tests.capture.whole import deliver, export_of, inventory_of

OF_A_STACK = ("cloudformation:ListStackResources", "cloudformation:DescribeStackEvents")


def subject(world: Any, names: PipelineNames | None = None, **options: Any) -> Subject:
    connection = connect(region=world.options.region, objects="botocore", **options)
    return Subject(connection, names or world.names, END)


def statuses(trials: list[Trial]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for trial in trials:
        found.setdefault(trial.need.action, set()).add(trial.status)
    return found


def of(trials: list[Trial], action: str) -> Trial:
    return next(trial for trial in trials if trial.need.action == action)


def test_who_may_do_everything_lacks_nothing(world):
    trials = try_all(subject(world))
    assert {trial.need for trial in trials} == set(NEEDS)
    wanted = {need.action: {"granted"} for need in NEEDS}
    wanted |= {key: {"not configured"} for key in OF_A_STACK}
    wanted |= {key: {"not tried"} for key in ("sqs:ReceiveMessage", *UNTRIED)}
    assert statuses(trials) == wanted
    assert needed_but_lacking(trials) == []


def test_nothing_with_an_effect_is_sent_and_every_other_action_is(world):
    with serve(world) as served:
        try_all(subject(world, endpoint_url=served.url))
        sent = {tuple(request)[:2] for request in served.requests}
    effects = {(service, name) for service, names in SIDE_EFFECTS.items() for name in names}
    assert sent & effects == set()
    tried = [need for need in NEEDS if not need.has_effect and need.action not in UNTRIED]
    wanted = {(need.service, need.operation) for need in tried}
    assert sent == wanted - {tuple(action.split(":")) for action in OF_A_STACK}


def test_each_configured_resource_is_tried_for_itself(world):
    trials = try_all(subject(world))
    assert [one.resource for one in trials if one.need.action == "dynamodb:Scan"] == [
        "demo-events", "demo-dedupe", "demo-aggregates",
    ]  # fmt: skip
    assert of(trials, "s3:GetObject").resource == "demo-raw/raw/*"


def reported(world: Any) -> PipelineNames:
    """The names of a pipeline with an inventory, and an export of its events."""
    objects = Objects()
    inventory, export = inventory_of(world, objects), export_of(world, objects, "events")
    deliver(world, objects)
    return replace(world.names, raw_inventory=inventory, events_export=export)


def objects_of(trials: list[Trial]) -> dict[str, str]:
    return {one.resource: one.status for one in trials if one.need.action == "s3:GetObject"}


def test_each_named_report_is_tried_and_its_table_is_not(world):
    names = reported(world)
    trials = try_all(subject(world, names))
    assert objects_of(trials) == {
        "demo-raw/raw/*": "granted",
        names.raw_inventory: "granted",
        f"{names.events_export}/manifest-summary.json": "granted",
    }
    for operation in ("Scan", "Query", "BatchGetItem", "DescribeTable"):
        tried = {one.resource for one in trials if one.need.operation == operation}
        assert tried <= {"demo-dedupe", "demo-aggregates"}


def test_a_report_that_is_denied_or_not_there_is_said_by_its_name(world):
    names = reported(world)
    asked = subject(world, replace(names, raw_inventory=f"s3://{BUCKET}/none/manifest.json"))
    refuse(
        asked.connection, "s3", "GetObject", "AccessDenied",
        lambda request: "manifest-summary" in request["url_path"],
    )  # fmt: skip
    trials = try_all(asked)
    assert objects_of(trials) == {
        "demo-raw/raw/*": "granted",
        f"s3://{BUCKET}/none/manifest.json": "not found",
        f"{names.events_export}/manifest-summary.json": "denied",
    }
    assert [need.action for need in needed_but_lacking(trials)] == ["s3:GetObject"]


def test_every_denied_action_is_said_to_be_and_lacks_if_every_capture_needs_it(world):
    asked = subject(world, replace(world.names, stack="orders"))
    denied = [need for need in NEEDS if not need.has_effect and need.action not in UNTRIED]
    # What is before the functions is tried by their ARNs; so their configuration is denied below.
    denied = [need for need in denied if need.operation != "GetFunctionConfiguration"]
    for need in denied:
        refuse(asked.connection, need.service, need.operation)
    trials = try_all(asked)
    told = statuses(trials)
    assert {need.action: told[need.action] for need in denied} == {
        need.action: {"denied"} for need in denied
    }
    assert needed_but_lacking(trials) == [need for need in denied if not need.only_for]


def test_without_a_function_that_can_be_read_what_is_before_them_is_not_tried(world):
    asked = subject(world)
    refuse(asked.connection, "lambda", "GetFunctionConfiguration")
    told = statuses(try_all(asked))
    assert told["lambda:GetFunctionConfiguration"] == {"denied"}
    assert told["events:ListRuleNamesByTarget"] == {"not configured"}
    assert told["kinesis:GetShardIterator"] == {"not configured"}


def test_a_refused_object_is_denied_for_sure_only_if_the_bucket_may_be_listed(world):
    asked = subject(world)
    refuse(asked.connection, "s3", "GetObject", "AccessDenied")
    assert of(try_all(asked), "s3:GetObject").note == ""
    refuse(asked.connection, "s3", "ListObjectsV2", "AccessDenied")
    told = of(try_all(asked), "s3:GetObject")
    assert (told.status, "or only s3:ListBucket is" in told.note) == ("denied", True)


def test_one_denied_resource_leaves_the_others_granted(world):
    asked = subject(world)
    refuse(
        asked.connection, "dynamodb", "Scan", only=lambda request: b"demo-dedupe" in request["body"]
    )
    scans = {one.resource: one.status for one in try_all(asked) if one.need.operation == "Scan"}
    assert scans == {
        "demo-events": "granted",
        "demo-dedupe": "denied",
        "demo-aggregates": "granted",
    }


@pytest.mark.parametrize(
    ("entry", "value", "action"),
    [
        ("raw_bucket", "none-such", "s3:ListBucket"),
        ("raw_bucket", "none-such", "s3:GetObject"),
        ("events_table", "none-such", "dynamodb:Scan"),
        ("dedupe_table", "none-such", "dynamodb:BatchGetItem"),
        ("functions", {"ingest": "none-such"}, "lambda:GetFunctionConfiguration"),
        ("replay_queue_url", "https://sqs.eu-west-1.amazonaws.com/123456789012/none-such",
         "sqs:GetQueueAttributes"),
    ],
)  # fmt: skip
def test_a_name_that_does_not_exist_is_not_found(world, entry, value, action):
    trials = try_all(subject(world, replace(world.names, **{entry: value})))
    assert "not found" in statuses(trials)[action]


def test_a_stack_that_does_not_exist_is_not_found(world):
    trials = try_all(subject(world, replace(world.names, stack="none-such")))
    assert statuses(trials)["cloudformation:ListStackResources"] == {"not found"}


def test_a_log_group_that_was_never_written_is_no_wrong_name(world):
    asked = subject(world)
    refuse(asked.connection, "logs", "FilterLogEvents", "ResourceNotFoundException")
    told = of(try_all(asked), "logs:FilterLogEvents")
    assert (told.status, "no such log group" in told.note) == ("granted", True)


def test_what_is_not_configured_is_not_tried(world):
    told = statuses(try_all(subject(world, PipelineNames())))
    assert told["dynamodb:Scan"] == {"not configured"}
    assert told["s3:GetObject"] == {"not configured"}
    assert told["cloudwatch:DescribeAlarms"] == {"granted"}


def test_an_answer_that_proves_nothing_is_unknown_and_lacking(world):
    asked = subject(world)
    refuse(asked.connection, "cloudwatch", "DescribeAlarms", "Strange")
    trials = try_all(asked)
    told = of(trials, "cloudwatch:DescribeAlarms")
    assert (told.status, told.note) == ("unknown", "Strange")
    assert [need.action for need in needed_but_lacking(trials)] == ["cloudwatch:DescribeAlarms"]


def test_expired_credentials_end_the_trials(world):
    asked = subject(world)
    refuse(asked.connection, "sqs", "GetQueueUrl", "ExpiredToken")
    with pytest.raises(AccessError) as refused:
        try_all(asked)
    assert refused.value.kind == "expired"


def test_the_log_group_of_a_function_that_may_not_be_read_is_the_default_one(world):
    asked = subject(world)
    refuse(asked.connection, "lambda", "GetFunctionConfiguration")
    assert asked.log_groups == tuple(
        f"/aws/lambda/demo-{role}" for role in ("ingest", "replay", "processor")
    )
