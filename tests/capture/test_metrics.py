from __future__ import annotations

import json
from datetime import timedelta

import pytest

from investigate.capture import metrics
from investigate.capture.metrics import Series
from investigate.capture.source import Gathered
from investigate.errors import AccessError
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


def test_points_within_five_minutes_are_one_sum(world):
    for minute in (0, 1, 4):
        put(world, "NumberOfMessagesDeleted", 1.0, START + timedelta(minutes=minute))
    (row,) = gather(source_of(world, captured_at=at(1))).rows
    assert (row["value"], row["at_utc"]) == (3.0, START)


def test_of_the_age_the_greatest_counts(world):
    for minute, age in ((0, 60.0), (1, 120.0)):
        put(world, "ApproximateAgeOfOldestMessage", age, START + timedelta(minutes=minute))
    (row,) = gather(source_of(world, captured_at=at(1))).rows
    assert row["value"] == 120.0


def test_what_is_older_than_cloudwatch_keeps_finely_is_asked_by_the_hour(world):
    source = source_of(world, captured_at=START + timedelta(days=70))
    asked = []
    source.connection.client("cloudwatch").meta.events.register(
        "provide-client-params.cloudwatch.GetMetricData",
        lambda params, **_: asked.extend(
            query["MetricStat"]["Period"] for query in params["MetricDataQueries"]
        ),
    )
    gather(source)
    assert set(asked) == {3600}


def test_every_function_and_queue_has_its_series(world):
    source = source_of(world)
    asked = {(one.namespace, one.metric, one.value) for one in metrics._all_series(source)}
    assert asked == {
        *(
            ("AWS/Lambda", metric, f"demo-{role}")
            for role in ("ingest", "replay", "processor")
            for metric in ("Invocations", "Errors", "Throttles")
        ),
        *(("AWS/SQS", metric, "demo-replay") for metric in metrics.QUEUE_METRICS),
    }


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
