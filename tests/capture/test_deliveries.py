"""Rules and subscriptions that lead to the functions, and what becomes of what they cannot give."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

from investigate.capture import dead_letter_queues, deliveries, invokers, queues
from tests.capture.helpers import coverage, refuse, rows_of, source_of

ACCOUNT = "arn:aws:{}:eu-west-1:123456789012:{}"
INGEST = ACCOUNT.format("lambda", "function:demo-ingest")
RULE = ACCOUNT.format("events", "rule/orders")
FAILED = ACCOUNT.format("sqs", "undelivered")


def read(source: Any) -> Any:
    (captured,) = deliveries.read_deliveries(source)
    return captured


def rule(name: str = "orders", bus: str = "default", **target: Any) -> None:
    events = boto3.client("events")
    if bus != "default":
        events.create_event_bus(Name=bus)
    pattern = json.dumps({"source": ["shop"]})
    events.put_rule(Name=name, EventBusName=bus, EventPattern=pattern, State="ENABLED")
    targets = [{"Id": "ingest", "Arn": INGEST, **target}]
    events.put_targets(Rule=name, EventBusName=bus, Targets=targets)


def allow(world: Any, principal: str, arn: str) -> None:
    world.clients.lambda_.add_permission(
        FunctionName="demo-ingest", StatementId=principal.split(".")[0], Principal=principal,
        Action="lambda:InvokeFunction", SourceArn=arn,
    )  # fmt: skip


def subscribed(world: Any, endpoint: str = INGEST, **attributes: str) -> tuple[str, str]:
    """A topic that may invoke ingest, with a subscription; their ARNs."""
    sns = boto3.client("sns")
    topic = sns.create_topic(Name="orders")["TopicArn"]
    allow(world, "sns.amazonaws.com", topic)
    made = sns.subscribe(
        TopicArn=topic, Protocol=endpoint.split(":")[2], Endpoint=endpoint, Attributes=attributes
    )
    return topic, made["SubscriptionArn"]


def test_where_nothing_is_before_the_functions_the_table_has_no_rows(world):
    captured = read(source_of(world))
    assert (rows_of(captured), coverage(captured)) == ([], ("captured", None))


def test_a_target_of_a_rule_is_a_row_with_its_retries_and_its_queue(world):
    rule(
        RetryPolicy={"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 600},
        DeadLetterConfig={"Arn": FAILED},
    )
    assert rows_of(read(source_of(world))) == [
        {
            "arn": f"{RULE}#ingest",
            "kind": "eventbridge",
            "source_arn": RULE,
            "name": "orders",
            "target_arn": INGEST,
            "state": "ENABLED",
            "max_retry_attempts": 3,
            "max_event_age_s": 600,
            "dead_letter_arn": FAILED,
            "pattern": '{"source": ["shop"]}',
        }
    ]


def test_what_a_target_leaves_to_aws_is_null_and_a_schedule_is_a_pattern():
    known = {"Arn": RULE, "Name": "orders", "State": "DISABLED", "ScheduleExpression": "rate(1 d)"}
    row = deliveries.target_row(known, {"Id": "a", "Arn": INGEST})
    assert (row["max_retry_attempts"], row["max_event_age_s"], row["dead_letter_arn"]) == (
        None,
    ) * 3
    assert (row["pattern"], row["state"]) == ("rate(1 d)", "DISABLED")


def test_a_rule_of_another_bus_is_found_by_the_policy_of_the_function(world):
    rule(bus="shop")
    assert rows_of(read(source_of(world))) == []
    own = ACCOUNT.format("events", "rule/shop/orders")
    allow(world, "events.amazonaws.com", own)
    assert [row["source_arn"] for row in rows_of(read(source_of(world)))] == [own]


@pytest.mark.parametrize("pattern", ["arn:aws:events:*", "*", ACCOUNT.format("events", "rule/*/*")])
def test_a_pattern_in_a_policy_names_no_bus(world, pattern):
    rule()
    allow(world, "events.amazonaws.com", pattern)
    captured = read(source_of(world))
    assert ([row["name"] for row in rows_of(captured)], coverage(captured)) == (
        ["orders"],
        ("captured", None),
    )


@pytest.fixture
def alias(world: Any) -> str:
    """The alias `prod` of ingest, its ARN."""
    lambda_ = world.clients.lambda_
    version = lambda_.publish_version(FunctionName="demo-ingest")["Version"]
    lambda_.create_alias(FunctionName="demo-ingest", Name="prod", FunctionVersion=version)
    return f"{INGEST}:prod"


@pytest.mark.parametrize("qualifier", ["prod", "$LATEST"])
def test_a_rule_that_calls_an_alias_is_found(world, alias, qualifier):
    rule(Arn=f"{INGEST}:{qualifier}")
    captured = read(source_of(world))
    assert [row["target_arn"] for row in rows_of(captured)] == [f"{INGEST}:{qualifier}"]
    assert coverage(captured) == ("captured", None)


def test_a_rule_that_calls_a_version_with_settings_of_its_own_is_found(world):
    rule(Arn=f"{INGEST}:7")
    source = source_of(world)
    assert rows_of(read(source)) == []
    source = source_of(world)
    configs = {**source.invoke_configs, "ingest": [{"FunctionArn": f"{INGEST}:7"}]}
    source.__dict__["invoke_configs"] = configs
    assert [row["target_arn"] for row in rows_of(read(source))] == [f"{INGEST}:7"]


def test_the_policy_of_an_alias_names_topics_and_buses_too(world, alias):
    sns = boto3.client("sns")
    topic = sns.create_topic(Name="orders")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=alias)
    rule(bus="shop", Arn=alias)
    of_bus = ACCOUNT.format("events", "rule/shop/orders")
    policies = {
        None: None,
        "prod": {
            "Statement": [
                {
                    "Effect": "Allow", "Principal": {"Service": "x.amazonaws.com"},
                    "Condition": {"ArnLike": {"AWS:SourceArn": [topic, of_bus]}},
                }
            ]
        },
    }  # fmt: skip
    source = answering_policies(source_of(world), policies)
    captured = read(source)
    assert [(row["kind"], row["target_arn"]) for row in rows_of(captured)] == [
        ("eventbridge", alias), ("sns", alias),
    ]  # fmt: skip
    known = {"principal": "x.amazonaws.com", "qualifier": "prod"}
    assert invokers.invokers(source, "demo-ingest").rows == [
        {**known, "source_arn": topic}, {**known, "source_arn": of_bus},
    ]  # fmt: skip


def answering_policies(source: Any, policies: dict[str | None, Any]) -> Any:
    """The emulator has one policy for a function and all its aliases; AWS has one for each."""
    call = source.connection.call

    def answer(service: str, operation: str, **asked: Any) -> Any:
        if operation != "GetPolicy":
            return call(service, operation, **asked)
        policy = policies.get(asked.get("Qualifier")) if "ingest" in asked["FunctionName"] else None
        return {"Policy": json.dumps(policy or {"Statement": []})}

    source.connection.call = answer
    return source


def test_aliases_that_may_not_be_listed_leave_what_calls_them_unknown(world, alias):
    rule()
    source = source_of(world)
    refuse(source.connection, "lambda", "ListAliases")
    captured = read(source)
    assert captured.coverage.status == "partial"
    assert "AccessDeniedException: lambda:ListAliases of demo-ingest" in captured.coverage.reason
    assert [row["kind"] for row in rows_of(captured)] == ["eventbridge"]


def test_a_subscription_is_a_row_with_its_filter_and_its_queue(world):
    redrive = json.dumps({"deadLetterTargetArn": FAILED})
    topic, arn = subscribed(world, RedrivePolicy=redrive, FilterPolicy='{"kind": ["order"]}')
    assert rows_of(read(source_of(world))) == [
        {
            "arn": arn,
            "kind": "sns",
            "source_arn": topic,
            "name": "lambda",
            "target_arn": INGEST,
            "state": "confirmed",
            "dead_letter_arn": FAILED,
            "raw_delivery": False,
            "pattern": '{"kind": ["order"]}',
        }
    ]


def test_a_subscription_of_the_replay_queue_counts_and_one_of_others_does_not(world):
    queue = ACCOUNT.format("sqs", "demo-replay")
    topic, arn = subscribed(world, queue, RawMessageDelivery="true")
    other = ACCOUNT.format("lambda", "function:another")
    boto3.client("sns").subscribe(TopicArn=topic, Protocol="lambda", Endpoint=other)
    (row,) = rows_of(read(source_of(world)))
    assert (row["arn"], row["target_arn"], row["raw_delivery"]) == (arn, queue, True)


def test_a_subscription_that_waits_for_its_confirmation_has_no_settings(world):
    topic, _ = subscribed(world)
    source = source_of(world)
    pages = source.connection.pages

    def pending(service: str, operation: str, **asked: Any) -> Any:
        for page in pages(service, operation, **asked):
            for one in page.get("Subscriptions", []):
                one["SubscriptionArn"] = "PendingConfirmation"
            yield page

    source.connection.pages = pending
    (row,) = rows_of(read(source))
    assert (row["arn"], row["state"], row["raw_delivery"]) == (f"{topic}#{INGEST}", "pending", None)


@pytest.mark.parametrize(
    ("service", "operation", "left"),
    [
        ("events", "ListRuleNamesByTarget", ["sns"]),
        ("events", "DescribeRule", ["sns"]),
        ("events", "ListTargetsByRule", ["sns"]),
        ("sns", "ListSubscriptionsByTopic", ["eventbridge"]),
        ("sns", "GetSubscriptionAttributes", ["eventbridge"]),
        ("lambda", "GetPolicy", ["eventbridge"]),
    ],
)
def test_what_is_denied_is_said_and_the_rest_is_there(world, service, operation, left):
    rule()
    subscribed(world)
    source = source_of(world)
    refuse(source.connection, service, operation)
    captured = read(source)
    assert captured.coverage.status == "partial"
    assert f"AccessDeniedException: {service}:{operation}" in str(captured.coverage.reason)
    assert [row["kind"] for row in rows_of(captured)] == left


def test_a_function_that_may_not_be_read_leaves_what_is_before_it_unknown(world):
    source = source_of(world)
    refuse(source.connection, "lambda", "GetFunctionConfiguration")
    assert read(source).coverage.status == "denied"
    assert coverage(read(source_of(world, without=("functions",)))) == (
        "skipped",
        "no function is configured",
    )


def test_the_dead_letter_queues_of_deliveries_and_mappings_are_looked_at(world):
    sqs = world.clients.sqs
    for name in ("undelivered", "unnotified", "unprocessed"):
        sqs.create_queue(QueueName=name)
    rule(DeadLetterConfig={"Arn": FAILED})
    subscribed(
        world,
        RedrivePolicy=json.dumps({"deadLetterTargetArn": ACCOUNT.format("sqs", "unnotified")}),
    )
    source = source_of(world)
    entry = {
        "UUID": "u",
        "DestinationConfig": {"OnFailure": {"Destination": ACCOUNT.format("sqs", "unprocessed")}},
    }
    source.once("mappings", lambda: deliveries.Gathered([entry], places=1))
    found = dead_letter_queues.targets(source)
    assert sorted(found.names) == ["undelivered", "unnotified", "unprocessed"]
    (state,) = queues.read_state(source)
    roles = {row["name"]: row["role"] for row in rows_of(state)}
    assert roles == {"demo-replay": "replay", **dict.fromkeys(found.names, "dead-letter")}
