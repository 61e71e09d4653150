from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest

from investigate.capture import alarms
from investigate.errors import AccessError
from investigate.pipeline import REFERENCE
from investigate.sandbox.world import Sandbox, SandboxOptions, emulator
from investigate.tables import as_table
from tests.builders import START
from tests.capture.helpers import coverage, refuse, rows_of, source_of

WATCHED = {"QueueName": frozenset({"demo-replay"}), "FunctionName": frozenset({"demo-ingest"})}


@pytest.fixture
def watched() -> Iterator[Sandbox]:
    with emulator(SandboxOptions(start=START, alarms=True)) as sandbox:
        yield sandbox


def read(source):
    (captured,) = alarms.read(source)
    return captured


def named(world, name):
    (row,) = [row for row in rows_of(read(source_of(world))) if row["name"] == name]
    return row


def test_the_alarms_of_the_pipeline_are_kept_and_the_others_are_counted(watched):
    captured = read(source_of(watched))
    names = [row["name"] for row in rows_of(captured)]
    assert sorted(names) == ["demo-processor-failing", "demo-replay-late"]
    assert coverage(captured) == ("captured", "left out: 1 alarm of other things")


def test_an_alarm_gives_what_it_takes_to_judge_it_afterwards(watched):
    row = named(watched, "demo-replay-late")
    as_table("alarms", [row])
    assert row == {
        "name": "demo-replay-late",
        "arn": "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:demo-replay-late",
        "namespace": "AWS/SQS",
        "metric": "ApproximateAgeOfOldestMessage",
        "dimensions": '{"QueueName": "demo-replay"}',
        "statistic": "Maximum",
        "period_s": 300,
        "threshold": 3600.0,
        "comparison": "GreaterThanThreshold",
        "evaluation_periods": 3,
        "datapoints_to_alarm": 2,
        "treat_missing": "notBreaching",
        "actions": ["arn:aws:sns:eu-west-1:123456789012:demo-alerts"],
        "actions_enabled": True,
        "state": "OK",
        "state_updated_utc": START,
        "metrics": None,
    }


def test_without_settings_of_its_own_an_alarm_has_those_of_cloudwatch(watched):
    row = named(watched, "demo-processor-failing")
    assert (row["datapoints_to_alarm"], row["treat_missing"]) == (1, "missing")
    assert (row["actions"], row["dimensions"]) == ([], '{"FunctionName": "demo-processor"}')


COMPOSED = {
    "AlarmName": "in-trouble",
    "AlarmArn": "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:in-trouble",
    "AlarmRule": 'ALARM("demo-replay-late") OR ALARM("demo-processor-failing")',
    "AlarmActions": ["arn:aws:sns:eu-west-1:123456789012:pager"],
    "ActionsEnabled": False,
    "StateValue": "ALARM",
    "StateUpdatedTimestamp": START,
}


def test_a_composed_alarm_has_its_rule_and_no_metric(watched):
    source = source_of(watched)
    others = {**COMPOSED, "AlarmName": "billing", "AlarmRule": "ALARM(spend)"}
    source.connection.client("cloudwatch").meta.events.register(
        "after-call.cloudwatch.DescribeAlarms",  # the emulator has no composed alarms
        lambda parsed, **_: parsed.update(CompositeAlarms=[COMPOSED, others]),
    )
    captured = read(source)
    row = rows_of(captured)[-1]
    as_table("alarms", [row])
    assert row == {
        "name": "in-trouble",
        "arn": COMPOSED["AlarmArn"],
        "rule": COMPOSED["AlarmRule"],
        "actions": COMPOSED["AlarmActions"],
        "actions_enabled": False,
        "state": "ALARM",
        "state_updated_utc": START,
    }
    assert captured.coverage.reason == "left out: 2 alarms of other things"


def test_no_alarm_at_all_is_a_table_without_rows(world):
    captured = read(source_of(world))
    assert (rows_of(captured), coverage(captured)) == ([], ("captured", None))


def test_composed_alarms_are_asked_for_by_name(world):
    source = source_of(world)
    asked = []
    source.connection.client("cloudwatch").meta.events.register(
        "provide-client-params.cloudwatch.DescribeAlarms", lambda params, **_: asked.append(params)
    )
    read(source)
    assert [one["AlarmTypes"] for one in asked] == [["MetricAlarm", "CompositeAlarm"]]


def test_denied_alarms_are_an_access_error(world):
    source = source_of(world)
    refuse(source.connection, "cloudwatch", "DescribeAlarms", "AccessDenied")
    with pytest.raises(AccessError):
        alarms.read(source)


def metric(namespace="AWS/SQS", name="X", **dimensions):
    listed = [{"Name": key, "Value": value} for key, value in dimensions.items()]
    return {"Namespace": namespace, "MetricName": name, "Dimensions": listed}


def computed(*parts):
    return {"AlarmName": "a", "Metrics": list(parts)}


def stat(found):
    return {"Id": "m", "MetricStat": {"Metric": found, "Period": 60, "Stat": "Sum"}}


@pytest.mark.parametrize(
    ("alarm", "own"),
    [
        (metric(QueueName="demo-replay"), True),
        (metric(QueueName="another"), False),
        (metric(FunctionName="demo-replay"), False),  # the name of a queue, not of a function
        (metric(REFERENCE.metric_namespace), True),
        (metric(REFERENCE.metric_namespace, Service="x"), True),
        (metric("AWS/Lambda", "Errors"), True),  # of all functions of the account
        (computed(stat(metric("AWS/Lambda", "Throttles"))), True),
        (metric("AWS/Lambda", "Errors", FunctionName="another"), False),
        (metric("AWS/SQS", "NumberOfMessagesSent"), False),
        (computed(stat(metric(QueueName="other")), stat(metric(QueueName="demo-replay"))), True),
        (computed(stat(metric(QueueName="other")), {"Id": "e", "Expression": "m*2"}), False),
        (
            computed({"Expression": "SELECT MAX(E) FROM L WHERE FunctionName = 'demo-ingest'"}),
            True,
        ),
        (computed({"Expression": "SEARCH('{AWS/SQS,QueueName} demo-replay-2', 'Sum')"}), False),
        (computed({"Expression": "ANOMALY_DETECTION_BAND(m1, 2)"}), False),
    ],
    ids=lambda value: str(value)[:60],
)
def test_an_alarm_concerns_the_pipeline_by_what_it_looks_at(alarm, own):
    assert alarms.concerns(alarm, WATCHED, REFERENCE.metric_namespace) is own


def test_an_alarm_on_all_functions_is_of_no_pipeline_without_functions():
    watched = {"QueueName": frozenset({"q"})}
    assert not alarms.concerns(metric("AWS/Lambda", "Errors"), watched, "PipelineInvestigationKit")


def test_an_alarm_on_all_functions_has_no_dimension():
    row = alarms.alarm_row({"AlarmName": "a", **metric("AWS/Lambda", "Errors")})
    assert (row["namespace"], row["dimensions"]) == ("AWS/Lambda", "{}")


def test_an_alarm_that_computes_with_several_metrics_keeps_them_all():
    parts = [stat(metric(QueueName="demo-replay")), {"Id": "e", "Expression": "m/2"}]
    row = alarms.alarm_row({**computed(*parts), "Threshold": 1.0, "EvaluationPeriods": 2})
    as_table("alarms", [row])
    assert (row["metric"], row["dimensions"], row["period_s"]) == (None, None, None)
    assert json.loads(row["metrics"]) == parts


def test_an_alarm_on_one_metric_in_the_new_form_has_it_in_the_columns():
    row = alarms.alarm_row(computed(stat(metric(QueueName="demo-replay"))))
    assert (row["metric"], row["statistic"], row["period_s"]) == ("X", "Sum", 60)
    assert row["dimensions"] == '{"QueueName": "demo-replay"}'


@pytest.mark.parametrize(
    "rule",
    ['ALARM("own")', "ALARM(own)", "NOT OK( 'own' )", "ALARM(other) AND INSUFFICIENT_DATA(own)",
     'ALARM("arn:aws:cloudwatch:eu-west-1:1:alarm:own")'],
)  # fmt: skip
def test_a_composed_alarm_belongs_to_the_alarms_in_its_rule(rule):
    assert alarms.composed_of(["own"], [{"AlarmName": "c", "AlarmRule": rule}])


def test_alarms_composed_of_composed_ones_are_found_and_strangers_are_not():
    composite = [
        {"AlarmName": "top", "AlarmRule": "ALARM(middle)"},
        {"AlarmName": "middle", "AlarmRule": "ALARM(own)"},
        {"AlarmName": "stranger", "AlarmRule": "ALARM(owner) OR TRUE"},
        {"AlarmName": "circle", "AlarmRule": "ALARM(circle)"},
    ]
    found = [one["AlarmName"] for one in alarms.composed_of(["own"], composite)]
    assert found == ["middle", "top"]


def test_an_alarm_on_a_dead_letter_queue_known_from_the_redrive_policy_is_kept():
    with emulator(SandboxOptions(start=START, dead_letter_queue=True)) as world:
        world.clock.move_to(START + timedelta(hours=1))
        names = alarms.watched_names(source_of(world, without=("dead_letter_queue_urls",)))
    assert names["QueueName"] == {"demo-replay", "demo-dead-letters"}
    assert names["TableName"] == {"demo-events", "demo-dedupe", "demo-aggregates"}
    assert names["BucketName"] == {"demo-raw"}
