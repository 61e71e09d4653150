"""What a connection has consumed, and how a limit stops a capture that can be resumed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from investigate.aws import RequestLimits
from investigate.aws.meter import Meter
from investigate.capture.draft import draft_folder_of
from investigate.errors import UsageError
from investigate.sandbox.world import SandboxOptions, emulator
from tests.builders import START
from tests.capture.whole import fill, over, requests, take


@pytest.fixture
def world():
    with emulator(SandboxOptions(start=START)) as sandbox:
        fill(sandbox)
        yield sandbox


def answer(*units):
    return {"ConsumedCapacity": [{"TableName": "events", "CapacityUnits": one} for one in units]}


def test_requests_are_counted_by_operation_and_read_units_together():
    meter = Meter()
    meter.request("s3:GetObject", 50)
    meter.request("dynamodb:Scan")
    meter.request("dynamodb:Scan")
    meter.consumed({"ConsumedCapacity": {"TableName": "events", "CapacityUnits": 0.5}})
    meter.consumed(answer(1.0, 2.25))
    meter.consumed({"Items": []})
    assert meter.snapshot() == {
        "requests": {"dynamodb:Scan": 2, "s3:GetObject": 50},
        "read_units": 3.8,
    }


def test_threads_lose_no_count():
    meter = Meter()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: (meter.request("a"), meter.consumed(answer(1))), range(2_000)))
    assert meter.snapshot() == {"requests": {"a": 2_000}, "read_units": 2_000.0}


@pytest.mark.parametrize(
    ("limits", "message", "option"),
    [
        (
            RequestLimits(requests=1_000),
            "the capture stopped after 1,200 requests: --max-requests is 1,000",
            "--max-requests",
        ),
        (
            RequestLimits(read_units=500),
            "the capture stopped after 512.5 read units: --max-read-units is 500",
            "--max-read-units",
        ),
    ],
)
def test_a_limit_that_is_reached_says_which_option_raises_it(limits, message, option):
    meter = Meter(limits)
    meter.start_from({})
    meter.check()
    meter.request("s3:GetObject", 1_200)
    meter.consumed(answer(512.5))
    with pytest.raises(UsageError) as stopped:
        meter.check()
    assert stopped.value.message == message
    assert stopped.value.hint == (
        f"what was captured until then is kept: go on with --resume and a higher {option}"
    )


def test_what_was_asked_before_the_capture_is_counted_and_not_limited():
    meter = Meter(RequestLimits(requests=2))
    meter.request("s3:ListObjectsV2", 10)
    meter.check()
    meter.start_from({})
    meter.request("s3:GetObject")
    meter.check()
    meter.request("s3:GetObject")
    with pytest.raises(UsageError, match="after 2 requests"):
        meter.check()
    assert meter.snapshot()["requests"] == {"s3:GetObject": 2, "s3:ListObjectsV2": 10}


def test_what_an_earlier_run_had_consumed_counts_for_the_limit():
    meter = Meter(RequestLimits(requests=10, read_units=3.0))
    meter.start_from({"requests": {"s3:GetObject": 9}, "read_units": 2.5})
    meter.check()
    meter.request("dynamodb:Scan")
    with pytest.raises(UsageError, match="after 10 requests"):
        meter.check()
    assert meter.snapshot() == {
        "requests": {"dynamodb:Scan": 1, "s3:GetObject": 9},
        "read_units": 2.5,
    }


def test_once_stopped_nothing_more_leaves():
    meter = Meter()
    meter.stop()
    with pytest.raises(KeyboardInterrupt):
        meter.request("s3:GetObject")
    assert meter.snapshot()["requests"] == {}


def test_a_stopped_connection_sends_nothing(world):
    connection = over(world)
    connection.meter.stop()
    with pytest.raises(KeyboardInterrupt):
        connection.call("s3", "ListObjectsV2", Bucket="demo-raw")
    assert connection.meter.snapshot()["requests"] == {}


@pytest.mark.parametrize(
    "limits", [RequestLimits(requests=25), RequestLimits(read_units=6)], ids=str
)
def test_a_capture_that_reaches_a_limit_keeps_what_it_has_and_goes_on_with_a_higher_one(
    world, tmp_path, limits
):
    whole = take(world, tmp_path / "whole")
    connection = over(world, limits=limits)
    with pytest.raises(UsageError, match="the capture stopped after"):
        take(world, tmp_path / "case", connection=connection)
    assert draft_folder_of(tmp_path / "case").is_dir()
    with pytest.raises(UsageError, match="the capture stopped after"):
        take(world, tmp_path / "case", connection=over(world, limits=limits), resume=True)
    higher = RequestLimits(requests=10_000, read_units=10_000)
    resumed = take(world, tmp_path / "case", connection=over(world, limits=higher), resume=True)
    assert resumed.files == whole.files
    assert sum(requests(resumed).values()) > sum(requests(whole).values())
    assert resumed.consumed["read_units"] >= whole.consumed["read_units"]


def test_a_limit_that_is_not_reached_changes_nothing(world, tmp_path):
    whole = take(world, tmp_path / "whole")
    exact = RequestLimits(requests=sum(requests(whole).values()))
    case = take(world, tmp_path / "case", connection=over(world, limits=exact))
    assert case.files == whole.files
    assert case.consumed == whole.consumed
