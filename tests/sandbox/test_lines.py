from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from investigate.sandbox.world import Sandbox, SandboxOptions, emulator
from tests.sandbox.pipelines import DAY, START, ingest_many, keys, later, log, request, running


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with running() as started:
        yield started


@pytest.fixture
def thin() -> Iterator[Sandbox]:
    with running(log_format="Text") as started:
        yield started


def parsed(sandbox: Sandbox, role: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log(sandbox, role)]


def failing(sandbox: Sandbox, failure: str) -> None:
    ingest_many(sandbox, 1)
    sandbox.replay("e1", *DAY)
    sandbox.consume(failure=failure)


def test_json_lines_are_what_lambda_makes_of_them(sandbox: Sandbox) -> None:
    answer = sandbox.ingest(request())
    init, start, line, metrics, report = parsed(sandbox, "ingest")
    assert [one["type"] for one in (init, start, report)] == [
        "platform.initStart", "platform.start", "platform.report",
    ]  # fmt: skip
    assert set(line) == {"timestamp", "level", "message", "logger", "requestId"}
    assert line["timestamp"] == "2026-03-10T06:00:00.001Z"
    assert isinstance(line["message"], str)  # the logged JSON stays a text within the JSON
    assert "_aws" in metrics
    measured = report["record"]["metrics"]
    assert report["record"]["requestId"] == answer.request_id
    assert report["record"]["status"] == "success"
    assert measured["billedDurationMs"] >= measured["durationMs"] > 0
    assert measured["memorySizeMB"] == 256 > measured["maxMemoryUsedMB"]


def test_a_second_request_finds_the_environment_warm(sandbox: Sandbox) -> None:
    for _ in range(2):
        sandbox.ingest(request())
        later(sandbox, seconds=1)
    assert sum("platform.initStart" in line for line in log(sandbox, "ingest")) == 1
    streams = sandbox.clients.logs.describe_log_streams(logGroupName="/aws/lambda/demo-ingest")
    (stream,) = streams["logStreams"]
    assert re.fullmatch(r"2026/03/10/\[\$LATEST\][0-9a-f]{32}", stream["logStreamName"])


def test_requests_at_the_same_moment_run_in_environments_of_their_own(sandbox: Sandbox) -> None:
    sandbox.ingest(request())
    sandbox.ingest(request("b"))
    streams = sandbox.clients.logs.describe_log_streams(logGroupName="/aws/lambda/demo-ingest")
    assert len(streams["logStreams"]) == 2


def test_thin_logs_lose_info_lines_and_keep_metrics_d20(thin: Sandbox) -> None:
    answer = thin.ingest(request())
    lines = log(thin, "ingest")
    openings = [line.split(" ")[0] for line in lines]
    assert openings == ["INIT_START", "START", '{"_aws":', "END", "REPORT"]
    assert not any("event_ingested" in line for line in lines)
    assert lines[1] == f"START RequestId: {answer.request_id} Version: $LATEST\n"
    assert lines[-2] == f"END RequestId: {answer.request_id}\n"
    assert re.match(
        r"REPORT RequestId: [0-9a-f-]{36}\tDuration: [\d.]+ ms\tBilled Duration: \d+ ms\t"
        r"Memory Size: 256 MB\tMax Memory Used: \d+ MB\tInit Duration: [\d.]+ ms\t\n"
        r"XRAY TraceId: 1-[0-9a-f]{8}-[0-9a-f]{24}\tSegmentId: [0-9a-f]{16}\tSampled: true\t\n$",
        lines[-1],
    )


def test_thin_logs_keep_the_warning_of_a_record_without_its_event(thin: Sandbox) -> None:
    ingest_many(thin, 1)
    thin.delete_object(keys(thin)[0])
    thin.replay("e1", *DAY)
    thin.consume()
    (line,) = [one for one in log(thin, "processor") if one.startswith("[WARNING]")]
    _, moment, request_id, message = line.rstrip("\n").split("\t")
    assert moment == "2026-03-10T06:00:00.002Z"
    assert re.fullmatch(r"[0-9a-f-]{36}", request_id)
    assert set(json.loads(message)) == {"msg", "err"}


def test_an_uncaught_exception_names_its_request_only_in_json(
    sandbox: Sandbox,
) -> None:
    answer = sandbox.ingest("null")
    (line,) = [one for one in parsed(sandbox, "ingest") if one.get("level") == "ERROR"]
    assert (line["errorType"], line["requestId"]) == ("TypeError", answer.request_id)
    assert "not iterable" in line["errorMessage"]
    assert all('File "/var/task/handlers.py"' in frame for frame in line["stackTrace"])


def test_an_uncaught_exception_stands_between_start_and_end_in_text(thin: Sandbox) -> None:
    answer = thin.ingest("null")
    lines = log(thin, "ingest")
    (number,) = [n for n, line in enumerate(lines) if line.startswith("[ERROR] TypeError: ")]
    assert "Traceback (most recent call last):\n\u00a0\u00a0File" in lines[number]
    assert answer.request_id not in lines[number]
    assert lines[number - 1].startswith(f"START RequestId: {answer.request_id}")
    assert lines[number + 1].startswith(f"END RequestId: {answer.request_id}")


def test_a_timeout_in_text(thin: Sandbox) -> None:
    answer = thin.ingest(request(), crash="timeout-after-row")
    lines = log(thin, "ingest")
    assert lines[-3] == (
        f"2026-03-10T06:00:30.000Z {answer.request_id} Task timed out after 30.00 seconds\n\n"
    )
    assert "Duration: 30000.00 ms" in lines[-1]
    assert "Status: timeout" in lines[-1]


def test_a_timeout_in_json(sandbox: Sandbox) -> None:
    failing(sandbox, "timeout")
    done, report = parsed(sandbox, "processor")[-2:]
    assert (done["type"], done["record"]["status"]) == ("platform.runtimeDone", "timeout")
    assert report["record"]["metrics"]["durationMs"] == 60_000
    assert report["record"]["status"] == "timeout"
    assert report["time"] == "2026-03-10T06:01:00.000Z"


def test_out_of_memory_in_text(thin: Sandbox) -> None:
    failing(thin, "out-of-memory")
    lines = log(thin, "processor")
    assert lines[-3].endswith("signal: killed\nRuntime.ExitError\n")
    assert "Max Memory Used: 512 MB" in lines[-1]
    assert "Status: error\tError Type: Runtime.OutOfMemory" in lines[-1]


def test_out_of_memory_in_json(sandbox: Sandbox) -> None:
    failing(sandbox, "out-of-memory")
    record = parsed(sandbox, "processor")[-1]["record"]
    assert (record["status"], record["errorType"]) == ("error", "Runtime.OutOfMemory")
    assert record["metrics"]["maxMemoryUsedMB"] == 512


def test_an_invocation_that_hangs_leaves_the_next_one_another_environment(
    sandbox: Sandbox,
) -> None:
    sandbox.ingest(request(), crash="timeout-after-row")
    later(sandbox, seconds=10)
    sandbox.ingest(request("b"))
    later(sandbox, seconds=30)
    sandbox.ingest(request("c"))
    streams = sandbox.clients.logs.describe_log_streams(logGroupName="/aws/lambda/demo-ingest")
    assert len(streams["logStreams"]) == 2


def test_a_sink_sees_every_line() -> None:
    seen: list[tuple[str, str, datetime, str]] = []
    options = SandboxOptions(start=START)
    with emulator(options, log_sink=lambda *line: seen.append(line)) as sandbox:
        sandbox.ingest(request())
        assert [line for *_, line in seen] == log(sandbox, "ingest")
    assert {function for function, *_ in seen} == {"demo-ingest"}
