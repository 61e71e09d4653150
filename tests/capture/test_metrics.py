from __future__ import annotations

import json
from datetime import timedelta

import pytest

from investigate.capture import metrics
from investigate.capture.metrics import Series
from investigate.capture.source import Captured, Gathered
from investigate.case import Coverage
from investigate.errors import AccessError
from investigate.model import isoformat
from investigate.sandbox.world import SandboxOptions, emulator
from tests.builders import START, at
from tests.capture.helpers import refuse, source_of

QUEUE = {"QueueName": "demo-replay"}


def put(world, name, value, when, namespace="AWS/SQS", dimensions=QUEUE):
    listed = [{"Name": key, "Value": one} for key, one in dimensions.items()]
    data = {"MetricName": name, "Dimensions": listed, "Timestamp": when, "Value": value}
    world.clients.cloudwatch.put_metric_data(Namespace=namespace, MetricData=[data])


def gather(source):
    gathered = Gathered()
    metrics.gather(source, gathered)
    return gathered


def test_a_point_of_a_queue_and_of_a_function_give_every_column(world):
    put(world, "NumberOfMessagesSent", 3.0, at(1))
    function = {"FunctionName": "demo-processor"}
    put(world, "Throttles", 2.0, at(2), "AWS/Lambda", function)
    found = sorted(gather(source_of(world, captured_at=at(3))).rows, key=lambda row: row["at_utc"])
    assert found == [
        {
            "namespace": namespace,
            "metric": metric,
            "dimensions": json.dumps(dimensions),
            "at_utc": when,
            "value": value,
            "origin": "cloudwatch",
        }
        for namespace, metric, dimensions, when, value in (
            ("AWS/SQS", "NumberOfMessagesSent", QUEUE, at(1), 3.0),
            ("AWS/Lambda", "Throttles", function, at(2), 2.0),
        )
    ]


def test_points_within_a_minute_are_one_sum(world):
    for second in (0, 20, 59):
        put(world, "NumberOfMessagesDeleted", 1.0, START + timedelta(seconds=second))
    (row,) = gather(source_of(world, captured_at=at(1))).rows
    assert (row["value"], row["at_utc"]) == (3.0, START)


def test_of_the_age_the_greatest_counts(world):
    for second, age in ((0, 60.0), (30, 120.0)):
        put(world, "ApproximateAgeOfOldestMessage", age, START + timedelta(seconds=second))
    (row,) = gather(source_of(world, captured_at=at(1))).rows
    assert row["value"] == 120.0


@pytest.mark.parametrize(("days", "period"), [(14, 60), (16, 300), (62, 300), (64, 3600)])
def test_the_older_the_question_the_coarser_the_points_that_cloudwatch_still_has(
    world, days, period
):
    source = source_of(world, captured_at=START + timedelta(days=days))
    asked = []
    source.connection.client("cloudwatch").meta.events.register(
        "provide-client-params.cloudwatch.GetMetricData",
        lambda params, **_: asked.extend(
            query["MetricStat"]["Period"] for query in params["MetricDataQueries"]
        ),
    )
    gather(source)
    assert set(asked) == {period}


@pytest.mark.parametrize(
    ("days", "start"),
    [(2, "2026-03-09T23:00:00Z"), (456, "2026-03-11T00:00:00Z")],
    ids=["all that is asked for", "what CloudWatch still keeps"],
)
def test_the_horizon_says_from_when_on_there_can_be_points(world, days, start):
    captured_at = START + timedelta(days=days)
    source = source_of(world, captured_at=captured_at)
    captured = metrics.with_horizon(source, Captured("metric_points", Coverage("captured"), []))
    assert captured.coverage.horizon == f"{start}/{isoformat(captured_at)}"


def test_a_capture_that_goes_on_later_claims_no_points_that_expired_meanwhile(world):
    captured_at = START + timedelta(days=455)
    source = source_of(world, captured_at=captured_at, resumed_at=captured_at + timedelta(hours=9))
    captured = metrics.with_horizon(source, Captured("metric_points", Coverage("captured"), []))
    assert captured.coverage.horizon == f"2026-03-10T09:00:00Z/{isoformat(captured_at)}"


def test_more_series_than_one_request_may_ask_for_are_asked_for_in_several(world, monkeypatch):
    monkeypatch.setattr(metrics, "SERIES_AT_ONCE", 20)
    put(world, "NumberOfMessagesSent", 3.0, at(1))
    source = source_of(world, captured_at=at(3))
    asked = []
    source.connection.client("cloudwatch").meta.events.register(
        "provide-client-params.cloudwatch.GetMetricData",
        lambda params, **_: asked.append(len(params["MetricDataQueries"])),
    )
    assert [row["value"] for row in gather(source).rows] == [3.0]
    assert asked == [20, 16]


def test_every_function_queue_and_table_has_its_series(world):
    source = source_of(world)
    asked = {(one.namespace, one.metric, one.value) for one in metrics._all_series(source)}
    assert asked == {
        *(
            ("AWS/Lambda", metric, f"demo-{role}")
            for role in ("ingest", "replay", "processor")
            for metric in metrics.FUNCTION_METRICS
        ),
        *(("AWS/SQS", metric, "demo-replay") for metric in metrics.QUEUE_METRICS),
        *(
            ("AWS/DynamoDB", metric, f"demo-{table}")
            for table in ("events", "dedupe", "aggregates")
            for metric in metrics.TABLE_METRICS
        ),
    }


def test_a_dead_letter_queue_known_from_the_redrive_policy_has_its_series():
    with emulator(SandboxOptions(start=START, dead_letter_queue=True)) as world:
        source = source_of(world, without=("dead_letter_queue_urls",))
        names = {one.value for one in metrics._all_series(source) if one.namespace == "AWS/SQS"}
    assert names == {"demo-replay", "demo-dead-letters"}


def test_denied_metrics_are_a_gap(world):
    source = source_of(world)
    refuse(source.connection, "cloudwatch", "GetMetricData", "AccessDenied")
    (gap,) = gather(source).gaps
    assert (gap.status, gap.reason) == ("denied", "AccessDenied: cloudwatch:GetMetricData")


@pytest.mark.parametrize(
    ("status", "kind"),
    [("Forbidden", "denied"), ("InternalError", "failed"), ("PartialData", "failed")],
)
def test_a_series_that_is_refused_inside_an_answer_is_a_gap_too(world, status, kind):
    source = source_of(world)

    def spoil(parsed, **_):
        parsed["MetricDataResults"][0]["StatusCode"] = status

    source.connection.client("cloudwatch").meta.events.register(
        "after-call.cloudwatch.GetMetricData", spoil
    )
    gathered = gather(source)
    assert (gathered.gaps[0].status, gathered.rows) == (kind, [])


def test_a_series_that_goes_on_on_the_next_page_is_no_gap(world):
    put(world, "NumberOfMessagesSent", 3.0, at(1))
    source = source_of(world, captured_at=at(3))
    pages = []

    def split(parsed, **_):
        pages.append(parsed)
        if len(pages) == 1:
            parsed["NextToken"] = "more"
            for result in parsed["MetricDataResults"]:
                result.update(StatusCode="PartialData", Timestamps=[], Values=[])

    source.connection.client("cloudwatch").meta.events.register(
        "after-call.cloudwatch.GetMetricData", split
    )
    gathered = gather(source)
    assert (len(pages), gathered.gaps) == (2, [])
    assert [row["value"] for row in gathered.rows] == [3.0]


def test_without_a_queue_its_metrics_are_said_to_lack(world):
    gathered = gather(source_of(world, without=("replay_queue_url",)))
    assert [gap.reason for gap in gathered.gaps] == ["no replay queue is configured"]


AGE = Series("AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", "demo-replay", "Maximum")


def test_the_latest_point_before_the_capture_is_the_newest_within_the_lookback(world):
    for minute, age in ((-61, 1.0), (-30, 2.0), (-10, 3.0), (5, 4.0)):
        put(world, AGE.metric, age, at(2) + timedelta(minutes=minute))
    source = source_of(world, captured_at=at(2))
    assert metrics.latest(source, AGE, timedelta(hours=1)) == 3.0
    assert metrics.latest(source, AGE, timedelta(minutes=5)) is None


def test_a_denied_latest_point_is_an_access_error(world):
    source = source_of(world)
    refuse(source.connection, "cloudwatch", "GetMetricData", "AccessDenied")
    with pytest.raises(AccessError):
        metrics.latest(source, AGE, timedelta(hours=1))
