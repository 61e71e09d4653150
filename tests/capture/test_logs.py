from __future__ import annotations

import json
from datetime import timedelta

import pytest

from investigate.capture import logs
from investigate.capture.source import LEAD
from investigate.capture.values import to_millis
from investigate.sandbox.world import SandboxOptions, emulator
from tests.builders import START, at
from tests.capture.helpers import coverage, loaded, refuse, rows_of, source_of

EVENT = {
    "source": "web",
    "event_type": "order",
    "entity_id": "e1",
    "event_time": "2026-03-10T00:00:00Z",
    "payload": {"n": 1},
}
GROUP = "/aws/lambda/demo-ingest"


def read(source):
    return {captured.table: loaded(source, captured) for captured in logs.read(source)}


def write(world, when, message):
    stream = {"logGroupName": GROUP, "logStreamName": "by-hand"}
    if not world.clients.logs.describe_log_streams(
        logGroupName=GROUP, logStreamNamePrefix="by-hand"
    )["logStreams"]:
        world.clients.logs.create_log_stream(**stream)
    event = {"timestamp": to_millis(when), "message": message}
    world.clients.logs.put_log_events(**stream, logEvents=[event])


@pytest.mark.parametrize("log_format", ["JSON", "Text"])
def test_both_formats_give_the_same_invocations_and_metrics(log_format):
    with emulator(SandboxOptions(start=START, log_format=log_format)) as world:
        world.ingest(EVENT)
        world.ingest("not json")
        world.ingest({**EVENT, "entity_id": "e2"}, crash="timeout-after-row")
        world.ingest({**EVENT, "entity_id": "e3"}, crash="after-dedupe")
        found = read(source_of(world))
    assert {captured.coverage.status for captured in found.values()} == {"captured"}
    invocations = rows_of(found["invocations"])
    assert sorted(row["status"] for row in invocations) == ["error", "ok", "ok", "timeout"]
    (failed,) = [row for row in invocations if row["status"] == "error"]
    assert failed["error_type"]
    assert failed["error_message"]
    emf = [row for row in rows_of(found["metric_points"]) if row["origin"] == "emf"]
    assert {row["metric"] for row in emf} >= {"IngestCount", "IngestLagMs"}
    ingested = [row for row in rows_of(found["log_lines"]) if row["message"] == "event_ingested"]
    # In text format the INFO lines never arrive (D20).
    assert len(ingested) == (1 if log_format == "JSON" else 0)


def test_a_logged_line_carries_the_id_that_ingest_gave(world):
    answer = world.ingest(EVENT)
    lines = rows_of(read(source_of(world))["log_lines"])
    (line,) = [row for row in lines if row["message"] == "event_ingested"]
    assert (line["function"], line["event_id"]) == ("demo-ingest", answer.event_id)
    assert line["request_id"] == answer.request_id
    assert json.loads(line["fields"])["status"] == "ACCEPTED"


def test_logs_are_read_from_an_hour_before_the_window_to_the_capture(world):
    line = "[INFO]\t\tr\t{}"
    world.clock.move_to(START + timedelta(hours=3))
    captured_at = START + timedelta(hours=2)
    for when in (START - LEAD, captured_at):
        write(world, when, line.format("in"))
    for outside in (
        START - LEAD - timedelta(milliseconds=1),
        captured_at + timedelta(milliseconds=1),
    ):
        write(world, outside, line.format("out"))
    found = read(source_of(world, captured_at=captured_at))
    assert [row["message"] for row in rows_of(found["log_lines"])] == ["in", "in"]


def test_more_lines_than_a_page_holds_are_all_read(world):
    world.clients.logs.create_log_stream(logGroupName=GROUP, logStreamName="many")
    for first in range(0, 10_500, 5_000):
        events = [
            {"timestamp": to_millis(START) + n, "message": f"[INFO]\t\tr\tline {n}"}
            for n in range(first, min(first + 5_000, 10_500))
        ]
        world.clients.logs.put_log_events(
            logGroupName=GROUP, logStreamName="many", logEvents=events
        )
    assert len(rows_of(read(source_of(world))["log_lines"])) == 10_500


def test_lines_that_retention_has_taken_leave_a_horizon(world):
    world.clients.logs.put_retention_policy(logGroupName=GROUP, retentionInDays=1)
    found = read(source_of(world, captured_at=at(30)))
    captured = found["invocations"]
    reason = f"{GROUP} has lost its lines from before 2026-03-10T06:00:00Z to its retention"
    assert coverage(captured) == ("partial", reason)
    assert captured.coverage.horizon == "2026-03-10T06:00:00Z/2026-03-11T05:50:00Z"
    whole = read(source_of(world, captured_at=at(24)))["invocations"]
    assert coverage(whole) == ("captured", None)


def test_a_capture_that_goes_on_later_claims_no_line_that_expired_meanwhile(world):
    world.clients.logs.put_retention_policy(logGroupName=GROUP, retentionInDays=1)
    later = read(source_of(world, captured_at=at(24), resumed_at=at(40)))["invocations"]
    assert later.coverage.status == "partial"
    assert later.coverage.horizon == "2026-03-10T16:00:00Z/2026-03-10T23:50:00Z"
    latest = read(source_of(world, captured_at=at(24), resumed_at=at(48)))["invocations"]
    assert latest.coverage.horizon == "2026-03-10T23:50:00Z/2026-03-10T23:50:00Z", "nothing"


def test_an_unknown_retention_keeps_no_line_from_being_read_and_is_said(world):
    world.ingest(EVENT)
    source = source_of(world)
    refuse(source.connection, "logs", "DescribeLogGroups")
    found = read(source)
    status, reason = coverage(found["log_lines"])
    assert (status, reason.split(";")[0]) == (
        "partial",
        "AccessDeniedException: logs:DescribeLogGroups",
    )
    assert rows_of(found["log_lines"])


def test_a_denied_log_makes_every_table_partial_and_names_it(world):
    world.ingest(EVENT)
    source = source_of(world)
    refuse(
        source.connection, "logs", "FilterLogEvents",
        only=lambda asked: b"demo-replay" in asked["body"],
    )  # fmt: skip
    found = read(source)
    reason = "AccessDeniedException: logs:FilterLogEvents of /aws/lambda/demo-replay"
    assert {name: coverage(one) for name, one in found.items()} == dict.fromkeys(
        ("invocations", "log_lines", "metric_points"), ("partial", reason)
    )
    assert len(rows_of(found["invocations"])) == 1


def test_all_logs_denied_leave_only_the_metrics_of_cloudwatch(world):
    world.ingest(EVENT)
    source = source_of(world)
    refuse(source.connection, "logs", "FilterLogEvents")
    found = read(source)
    assert found["invocations"].coverage.status == "denied"
    assert found["invocations"].rows is None
    points = found["metric_points"]
    assert points.coverage.status == "partial"
    assert {row["origin"] for row in rows_of(points)} == {"cloudwatch"}


def test_a_log_group_that_is_not_there_is_no_empty_log(world):
    for role in ("ingest", "replay", "processor"):
        world.clients.logs.delete_log_group(logGroupName=f"/aws/lambda/demo-{role}")
    captured = read(source_of(world))["log_lines"]
    assert captured.coverage.status == "failed"
    assert str(captured.coverage.reason).startswith("ResourceNotFoundException: logs:FilterLog")


def test_a_log_group_of_another_name_is_read(world):
    world.clients.logs.create_log_group(logGroupName="/elsewhere")
    source = source_of(world)
    logging = {"LoggingConfig": {"LogGroup": "/elsewhere", "LogFormat": "Text"}}
    source.functions = {role: {**known, **logging} for role, known in source.functions.items()}
    refuse(
        source.connection, "logs", "FilterLogEvents",
        only=lambda asked: b"/aws/lambda" in asked["body"],
    )  # fmt: skip
    assert read(source)["log_lines"].coverage.status == "captured"


def test_of_a_log_group_that_functions_share_each_reads_its_own_streams(world):
    world.clients.logs.create_log_group(logGroupName="/shared")
    source = source_of(world)
    logging = {"LoggingConfig": {"LogGroup": "/shared", "LogFormat": "Text"}}
    source.functions = {role: {**known, **logging} for role, known in source.functions.items()}
    for function in ("demo-ingest", "demo-processor", "another-teams"):
        stream = {
            "logGroupName": "/shared",
            "logStreamName": f"2026/03/10/{function}[$LATEST]0a1b",
        }
        world.clients.logs.create_log_stream(**stream)
        lines = (f"START RequestId: {function} Version: $LATEST", f"END RequestId: {function}")
        events = [{"timestamp": to_millis(START), "message": line} for line in lines]
        world.clients.logs.put_log_events(**stream, logEvents=events)
    runs = rows_of(read(source)["invocations"])
    assert sorted((run["function"], run["request_id"]) for run in runs) == [
        ("demo-ingest", "demo-ingest"),
        ("demo-processor", "demo-processor"),
    ]


def test_a_function_whose_configuration_is_denied_is_read_by_its_default_group(world):
    world.ingest(EVENT)
    source = source_of(world)
    refuse(source.connection, "lambda", "GetFunctionConfiguration")
    assert len(rows_of(read(source)["invocations"])) == 1


def test_a_function_that_logs_no_success_makes_the_invocations_partial(world):
    source = source_of(world)
    quiet = {"LoggingConfig": {"LogFormat": "JSON", "SystemLogLevel": "WARN"}}
    ingest = {**source.functions["ingest"], **quiet}
    source.functions = {**source.functions, "ingest": ingest}
    found = read(source)
    assert found["invocations"].coverage.status == "partial"
    assert "SystemLogLevel WARN" in str(found["invocations"].coverage.reason)
    assert coverage(found["log_lines"]) == ("captured", None)


def test_without_functions_and_queue_nothing_is_known(world):
    found = read(source_of(world, without=("functions", "replay_queue_url")))
    statuses = {table: captured.coverage.status for table, captured in found.items()}
    # The tables are named, and have metrics of their own.
    assert statuses == {
        "invocations": "skipped",
        "log_lines": "skipped",
        "metric_points": "partial",
    }
    assert found["log_lines"].rows is None
