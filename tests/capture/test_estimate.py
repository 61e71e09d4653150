"""What a capture would take is known before it is read, and a limit stops it then."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from investigate.aws import RequestLimits, connect
from investigate.capture import cost_objects, prices
from investigate.capture.cost import Cost
from investigate.capture.estimate import check_limits, estimate
from investigate.capture.source import CaptureOptions
from investigate.errors import AccessError, SettingsError, UsageError
from investigate.model import Window
from investigate.sandbox.serve import serve
from investigate.settings import PipelineNames
from tests.builders import END, START
from tests.capture import delivered
from tests.capture.delivered import BUCKET, Objects
from tests.capture.helpers import refuse
from tests.capture.whole import requests, take

MB = 1024 * 1024


def options(**changed: Any) -> CaptureOptions:
    return CaptureOptions(Window(START, END), captured_at=END, **changed)


def reckoned(world: Any, names: PipelineNames | None = None, **changed: Any) -> dict[str, Cost]:
    connection = connect(region=world.options.region, objects="botocore")
    costs = estimate(connection, names or world.names, options(**changed))
    return {f"{cost.table} {cost.operation.split(':')[1]}": cost for cost in costs}


def ingest(world: Any, count: int) -> None:
    for number in range(count):
        moment = START + timedelta(minutes=number)
        world.ingest(
            {
                "source": "shop", "event_type": "order", "entity_id": "u1", "payload": number,
                "event_time": moment.isoformat().replace("+00:00", "Z"),
            }
        )  # fmt: skip


def sized(connection: Any, **about: Any) -> None:
    """Let DynamoDB say this of every table."""
    known = {"TableSizeBytes": 10 * MB, "ItemCount": 20_000, **about}

    def answer(**_: Any) -> Any:
        body = {"Table": known, "ResponseMetadata": {"HTTPStatusCode": 200, "HTTPHeaders": {}}}
        return SimpleNamespace(status_code=200, headers={}, raw=None), body

    events = connection.client("dynamodb").meta.events
    events.register("before-call.dynamodb.DescribeTable", answer)


def tables(world: Any, about: dict[str, Any], **changed: Any) -> dict[str, Cost]:
    connection = connect(region=world.options.region, objects="botocore")
    sized(connection, **about)
    wanted = options(only=("events", "dedupe", "aggregates"), **changed)
    return {cost.table: cost for cost in estimate(connection, world.names, wanted)}


def test_objects_are_counted_and_every_one_is_a_request(world):
    ingest(world, 7)
    costs = reckoned(world)
    listing, reading = costs["raw ListObjectsV2"], costs["raw GetObject"]
    assert (reading.requests, reading.bound) == (7, "about")
    assert reading.bytes == sum(
        entry["Size"]
        for entry in boto3.client("s3").list_objects_v2(Bucket=world.names.raw_bucket)["Contents"]
    )
    assert reading.price_usd == pytest.approx(7 * 0.0004 / 1000)
    assert listing.price_usd == pytest.approx(listing.requests * 0.005 / 1000)


def test_the_listing_is_what_the_estimate_itself_sent(world):
    ingest(world, 3)
    with serve(world) as served:
        connection = connect(
            region=world.options.region, endpoint_url=served.url, objects="botocore"
        )
        costs = estimate(connection, world.names, options(only=("raw",)))
        sent = [request for request in served.requests if tuple(request)[1] == "ListObjectsV2"]
    assert costs[0].requests == len(sent)


def test_objects_of_event_dates_outside_the_window_are_not_counted(world):
    ingest(world, 1)
    far = "2026-01-01T00:00:00Z"
    world.ingest({"source": "shop", "event_type": "order", "entity_id": "u1", "payload": 0,
                  "event_time": far})  # fmt: skip
    assert reckoned(world)["raw GetObject"].requests == 1


def test_earlier_versions_are_counted_where_a_bucket_keeps_them(world):
    s3 = boto3.client("s3")
    s3.put_bucket_versioning(
        Bucket=world.names.raw_bucket, VersioningConfiguration={"Status": "Enabled"}
    )
    key = "raw/source=s/event_type=t/event_date=2026-03-10/ingest_date=2026-03-10/hour=00/e.json"
    for body in (b"{}", b"[]"):
        s3.put_object(Bucket=world.names.raw_bucket, Key=key, Body=body)
    costs = reckoned(world)
    assert costs["raw GetObject"].requests == 2
    assert costs["raw ListObjectVersions"].bound == "about"


def test_a_listing_that_would_take_too_many_requests_stops_and_says_at_least(world, monkeypatch):
    ingest(world, 2)
    monkeypatch.setattr(cost_objects, "MOST_LISTS", 2)
    costs = reckoned(world)
    assert costs["raw ListObjectsV2"].bound == costs["raw GetObject"].bound == "at least"
    assert costs["raw ListObjectsV2"].requests == 2
    assert "stopped after 2 requests" in costs["raw ListObjectsV2"].basis


def test_a_scan_takes_half_a_unit_for_four_kilobytes(world):
    cost = tables(world, {"TableSizeBytes": 10 * MB, "ItemCount": 20_000})["events"]
    assert cost.operation == "dynamodb:Scan"
    assert (cost.read_units, cost.requests, cost.bytes) == (1280, 10, 10 * MB)
    assert cost.price_usd == pytest.approx(1280 * 0.125 / 1_000_000)
    assert cost.bound == "about"
    assert "20,000 rows, counted by DynamoDB within 6 hours" in cost.basis


def test_provisioned_capacity_is_no_price_but_a_burden(world):
    cost = tables(world, {"ProvisionedThroughput": {"ReadCapacityUnits": 64}})["events"]
    assert cost.price_usd == 0
    assert "competes with the pipeline for 64 units a second, all of them for 20 s" in cost.basis


def test_reads_of_infrequent_access_are_said_to_cost_more(world):
    about = {"TableClassSummary": {"TableClass": "STANDARD_INFREQUENT_ACCESS"}}
    assert "infrequent access" in tables(world, about)["events"].basis


def test_single_entities_are_asked_for_and_only_bounds_are_known(world):
    costs = tables(world, {}, entities=("u1", "u2"))
    events, dedupe = costs["events"], costs["dedupe"]
    assert (events.operation, events.requests, events.read_units) == ("dynamodb:Query", 2, 1)
    assert (dedupe.operation, dedupe.bound) == ("dynamodb:BatchGetItem", "at least")
    assert "rows of 524 bytes on average" in events.basis
    assert "at most 1,280.0 read units" in events.basis
    assert "at most 10,000.0 read units" in dedupe.basis


def test_single_entities_need_at_most_the_objects_there_are(world):
    ingest(world, 2)
    cost = reckoned(world, entities=("u1",))["raw GetObject"]
    assert (cost.requests, cost.bound) == (2, "at most")


def test_logs_metrics_queues_and_functions_are_reckoned(world):
    ingest(world, 1)
    costs = reckoned(world, sample_messages=25)
    assert costs["log_lines FilterLogEvents"].bound == "at most"
    assert costs["queue_state GetQueueAttributes"].requests == 2
    sample = costs["messages ReceiveMessage"]
    assert (sample.requests, sample.bound) == (8, "about")
    assert costs["functions GetFunctionConfiguration"].requests == 21
    assert costs["mappings ListEventSourceMappings"].requests == 2
    assert costs["deliveries ListRuleNamesByTarget"].requests == 6
    assert costs["deployments ListVersionsByFunction"].requests == 3
    assert costs["rescued GetRecords"].bound == "unknown"
    metrics = costs["metric_points GetMetricData"]
    assert metrics.price_usd == pytest.approx(int(metrics.basis.split()[0]) / 100_000)


def test_a_forced_sample_takes_a_request_for_each_message(world):
    cost = reckoned(world, sample_messages=25, force_sampling=True)["messages ReceiveMessage"]
    assert (cost.requests, cost.bound) == (30, "about")
    assert "1 a request" in cost.basis


def test_queues_and_functions_are_reckoned_as_a_capture_asks_for_them(world, tmp_path):
    costs = reckoned(world)
    case = take(world, tmp_path / "case")
    asked = requests(case)
    operations = (
        "GetFunctionConfiguration", "GetFunctionConcurrency", "ListFunctionEventInvokeConfigs",
        "ListAliases", "GetPolicy",
    )  # fmt: skip
    # Of the groups, each is asked for once more when its lines are read.
    groups = asked["logs:DescribeLogGroups"] // 2
    of_functions = sum(asked[f"lambda:{one}"] for one in operations) + groups
    assert costs["functions GetFunctionConfiguration"].requests == of_functions
    assert costs["queue_state GetQueueAttributes"].requests == asked["sqs:GetQueueAttributes"]


def test_messages_are_reckoned_only_if_they_are_sampled(world):
    assert "messages ReceiveMessage" not in reckoned(world)


def test_only_the_tables_asked_for_are_reckoned(world):
    assert set(reckoned(world, only=("events",))) == {"events Scan"}


def test_nothing_is_reckoned_for_what_has_no_name(world):
    assert set(reckoned(world, PipelineNames())) == {"alarms DescribeAlarms"}


def test_what_is_denied_is_unknown_and_the_rest_is_reckoned(world):
    connection = connect(region=world.options.region, objects="botocore")
    refuse(connection, "dynamodb", "DescribeTable")
    costs = estimate(connection, world.names, options(only=("events", "queue_state")))
    assert [(cost.table, cost.bound) for cost in costs] == [
        ("events", "unknown"),
        ("queue_state", "about"),
    ]
    assert costs[0].basis == "AccessDeniedException: dynamodb:DescribeTable of demo-events"


def test_a_bucket_whose_versioning_is_denied_is_listed_as_the_capture_will(world):
    ingest(world, 1)
    connection = connect(region=world.options.region, objects="botocore")
    refuse(connection, "s3", "GetBucketVersioning", "AccessDenied")
    assert len(estimate(connection, world.names, options(only=("raw",)))) == 2


def test_a_wrong_name_is_no_estimate(world):
    with pytest.raises(AccessError) as refused:
        reckoned(world, PipelineNames(events_table="wrong"))
    assert refused.value.kind == "not-found"


def test_the_estimate_reads_no_row_no_object_and_no_line(world):
    ingest(world, 3)
    with serve(world) as served:
        connection = connect(
            region=world.options.region, endpoint_url=served.url, objects="botocore"
        )
        estimate(connection, world.names, options(sample_messages=5))
        asked = {tuple(request)[1] for request in served.requests}
    assert asked == {
        "GetBucketVersioning", "ListObjectsV2", "DescribeTable", "GetFunctionConfiguration",
        "DescribeLogGroups",
    }  # fmt: skip


def deliver(objects: Objects) -> None:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    for key, body in objects.items():
        s3.put_object(Bucket=BUCKET, Key=key, Body=body)


def test_an_export_takes_no_read_units_and_a_request_for_each_of_its_files(world):
    objects = Objects()
    row = {"event_id": {"S": "a"}}
    url = delivered.export(objects, delivered.item_lines(row), delivered.item_lines(row, row))
    deliver(objects)
    names = PipelineNames(dedupe_export=url)
    cost = reckoned(world, names, only=("dedupe",))["dedupe GetObject"]
    # The two files, and the two manifests, each with its checksum.
    assert (cost.requests, cost.read_units, cost.bound) == (6, 0, "about")
    assert "an export of 3 rows" in cost.basis


def test_an_export_of_another_table_is_no_estimate(world):
    objects = Objects()
    url = delivered.export(objects, delivered.item_lines())
    deliver(objects)
    names = PipelineNames(events_table="demo-events", events_export=url)
    with pytest.raises(SettingsError):
        reckoned(world, names, only=("events",))


def test_an_inventory_is_read_in_place_of_a_listing(world):
    objects = Objects()
    columns = ("bucket", "key", "size", "last_modified_date", "e_tag")
    url = delivered.inventory(objects, "CSV", columns, delivered.csv_text(columns, []))
    deliver(objects)
    names = PipelineNames(raw_bucket="orders-raw", raw_inventory=url)
    connection = connect(region=world.options.region, objects="botocore")
    files, reading = estimate(connection, names, options(only=("raw",)))
    assert (files.operation, files.bound) == ("s3:GetObject", "about")
    assert files.requests == 3  # the file, the manifest and its checksum
    assert (reading.bound, reading.requests) == ("unknown", 0)
    assert connection.meter.snapshot()["requests"] == {"s3:GetObject": 2}


COSTS = [
    Cost("events", "dynamodb:Scan", "", "about", requests=10, read_units=1280.5),
    Cost("dedupe", "dynamodb:Scan", "", "about", requests=2, read_units=100),
    Cost("raw", "s3:GetObject", "", requests=5_000),
    Cost("log_lines", "logs:FilterLogEvents", "", "at most", requests=1_000_000),
    Cost("spans", "xray:GetTraceSummaries", "", "unknown"),
]


def test_a_capture_within_its_limits_may_begin():
    check_limits(COSTS, RequestLimits())
    check_limits(COSTS, RequestLimits(requests=5_012, read_units=1380.5))


def test_too_many_read_units_are_refused_with_what_takes_them_and_what_to_do():
    with pytest.raises(UsageError) as refused:
        check_limits(COSTS, RequestLimits(read_units=1000))
    assert refused.value.message == (
        "the capture would take 1,381 read units, --max-read-units is 1,000: "
        "events (dynamodb:Scan) 1,281, dedupe (dynamodb:Scan) 100"
    )
    assert refused.value.hint.startswith("--max-read-units 1569 would do; or name an export")


def test_too_many_requests_are_refused_and_upper_bounds_do_not_count():
    with pytest.raises(UsageError, match="5,012 requests, --max-requests is 5,000: raw"):
        check_limits(COSTS, RequestLimits(requests=5_000))


def test_every_price_says_where_it_stands():
    assert all(price.usd > 0 and "aws.amazon.com/" in price.source for price in prices.PRICES)
    assert prices.S3_LIST.for_(2_000) == pytest.approx(0.01)
    assert prices.READ_UNITS.for_(4_000_000) == pytest.approx(0.5)
