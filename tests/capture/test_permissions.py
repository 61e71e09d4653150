"""What a capture needs is what the package may ask, and the policy allows exactly that."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from investigate.aws import READ_ONLY, SIDE_EFFECTS, action_of
from investigate.capture.permissions import NEEDS, PolicyScope, document, policy, statements
from investigate.settings import PipelineNames
from investigate.tables import TABLES
from tests.pages import permissions as permissions_page

WHOLE = permissions_page.example()
# It opens its files without closing them, and has an escape that newer Pythons warn of.
LINT = """
import sys, parliament
for finding in parliament.analyze_policy_string(sys.stdin.read()).findings:
    print(finding.issue, finding.title, finding.detail, finding.location)
"""


def lint(policy: Any) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LINT],
        input=json.dumps(policy), capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


def by_sid(policy: Any) -> dict[str, Any]:
    return {statement["Sid"]: statement for statement in policy["Statement"]}


def allowed(policy: Any) -> set[str]:
    return {action for statement in policy["Statement"] for action in statement["Action"]}


def actions(operations: Any) -> set[str]:
    return {action_of(service, name) for service, names in operations.items() for name in names}


def test_every_operation_on_the_list_has_its_need_and_every_need_its_operation():
    # GetCallerIdentity cannot be denied by a policy, and needs none.
    wanted = actions(READ_ONLY) - {"sts:GetCallerIdentity"}
    needed = {action_of(need.service, need.operation) for need in NEEDS if not need.has_effect}
    assert needed == wanted
    assert {need.action for need in NEEDS if need.has_effect} == actions(SIDE_EFFECTS)


def test_no_action_is_listed_twice_and_every_table_is_one():
    assert len({need.action for need in NEEDS}) == len(NEEDS)
    assert {table for need in NEEDS for table in need.tables} == set(TABLES)


@pytest.mark.parametrize("scope", [None, WHOLE])
def test_the_policy_allows_what_is_needed_and_nothing_with_an_effect(scope):
    needed = {need.action for need in NEEDS if not need.has_effect}
    assert allowed(policy(scope)) == needed
    sampling = policy(scope, sampling=True)
    assert allowed(sampling) - needed == {"sqs:ReceiveMessage"}
    assert sampling["Statement"][-1]["Action"] == ["sqs:ReceiveMessage"]


@pytest.mark.parametrize("sampling", [True, False])
def test_a_policy_linter_finds_nothing_wrong(sampling):
    assert lint(policy(WHOLE, sampling=sampling)) == ""


def test_of_the_policy_for_any_pipeline_a_linter_says_only_that_it_is_wide():
    found = lint(policy(None, sampling=True)).splitlines()
    assert found
    assert [line for line in found if not line.startswith("RESOURCE_STAR ")] == []


def test_the_linter_would_find_a_wrong_action_and_a_wrong_resource():
    wrong = by_sid(policy(WHOLE))["ReadDynamodbTables"]
    assert "UNKNOWN_ACTION" in lint(document([{**wrong, "Action": "dynamodb:ScanTable"}]))
    assert "RESOURCE_MISMATCH" in lint(document([{**wrong, "Resource": "arn:aws:s3:::raw"}]))


def test_a_narrowed_policy_stars_only_what_iam_cannot_narrow():
    stars = {
        action
        for statement in policy(WHOLE)["Statement"]
        for action in statement["Action"]
        if statement["Resource"] == "*"
    }
    assert stars == {need.action for need in NEEDS if need.kind == "any"}


def test_the_bucket_is_narrowed_to_its_prefix():
    told = by_sid(policy(WHOLE))
    assert told["ReadS3Keys"]["Resource"] == ["arn:aws:s3:::orders-raw"]
    assert told["ReadS3Keys"]["Condition"] == {
        "StringLikeIfExists": {"s3:prefix": ["raw/", "raw/*"]}
    }
    assert "arn:aws:s3:::orders-raw/raw/*" in told["ReadS3Objects"]["Resource"]
    whole = by_sid(policy(replace(WHOLE, names=replace(WHOLE.names, raw_prefix=""))))
    assert "Condition" not in whole["ReadS3Keys"]
    assert "arn:aws:s3:::orders-raw/*" in whole["ReadS3Objects"]["Resource"]


def test_a_bucket_of_failures_is_narrowed_to_what_lambda_writes():
    told = by_sid(policy(replace(WHOLE, failure_buckets=("failures",))))
    assert told["ReadS3Keys"]["Resource"] == ["arn:aws:s3:::failures", "arn:aws:s3:::orders-raw"]
    prefixes = told["ReadS3Keys"]["Condition"]["StringLikeIfExists"]["s3:prefix"]
    assert prefixes == ["raw/", "raw/*", "aws/lambda/*"]
    assert "arn:aws:s3:::failures/aws/lambda/*" in told["ReadS3Objects"]["Resource"]


def test_an_inventory_is_allowed_with_its_data_and_an_export_with_its_own():
    assert {
        "arn:aws:s3:::orders-inventory/orders-raw/daily/*",
        "arn:aws:s3:::orders-exports/AWSDynamoDB/01773360000000-1a2b3c4d/*",
    } <= set(by_sid(policy(WHOLE))["ReadS3Objects"]["Resource"])


def test_what_has_no_name_has_no_statement():
    scope = PolicyScope(PipelineNames(events_table="events"), "123456789012", "eu-west-1")
    assert set(by_sid(policy(scope, sampling=True))) == {
        "ReadDynamodbTables", "ReadLambdaAccount", "ReadLogsAccount", "ReadCloudwatchAccount",
        "ReadCloudwatchAlarms", "ReadXrayAccount", "ReadEventsAccount", "ReadSnsAccount",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("region", "partition"),
    [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")],
)
def test_every_arn_is_of_the_partition_of_its_region(region, partition):
    told = json.dumps(policy(replace(WHOLE, region=region), sampling=True))
    assert "arn:" in told


def test_a_stack_and_the_stacks_within_it_are_allowed_by_name_or_by_its_arn():
    arn = "arn:aws:cloudformation:eu-west-1:123456789012:stack/orders-prod/0a1b"
    named = replace(WHOLE, names=replace(WHOLE.names, stack=arn))
    told = by_sid(policy(named))["ReadCloudformationStacks"]["Resource"]
    assert told == by_sid(policy(WHOLE))["ReadCloudformationStacks"]["Resource"]
    assert "arn:aws:cloudformation:eu-west-1:123456789012:stack/orders-prod-*/*" in told


def test_log_groups_that_are_known_stand_in_place_of_the_default_ones():
    told = by_sid(policy(replace(WHOLE, log_groups=("/orders/all",))))
    assert told["ReadLogsLogGroups"]["Resource"] == [
        "arn:aws:logs:eu-west-1:123456789012:log-group:/orders/all:*"
    ]


def test_a_queue_of_another_account_is_narrowed_to_that_one():
    other = "9" * 12
    names = PipelineNames(replay_queue_url=f"https://sqs.eu-west-1.amazonaws.com/{other}/replay")
    told = by_sid(policy(replace(WHOLE, names=names)))
    assert told["ReadSqsQueues"]["Resource"] == [f"arn:aws:sqs:eu-west-1:{other}:replay"]


def test_some_needs_alone_make_the_statements_to_add():
    scan = [need for need in NEEDS if need.operation == "Scan"]
    (statement,) = statements(scan, WHOLE)
    assert statement["Action"] == ["dynamodb:Scan"]
    assert len(statement["Resource"]) == 3


def test_the_page_is_generated_from_the_code():
    page = permissions_page.PAGE.read_text(encoding="utf-8")
    assert page == permissions_page.written(page), "run: make docs"
