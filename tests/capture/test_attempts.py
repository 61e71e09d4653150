from __future__ import annotations

from datetime import timedelta

import pytest

from investigate.capture.attempts import Stream
from tests.builders import START

LATER = START + timedelta(milliseconds=1500)
REPORT = (
    "REPORT RequestId: r1\tDuration: 1499.99 ms\tBilled Duration: 1500 ms\tMemory Size: 512 MB\t"
    "Max Memory Used: 90 MB\tInit Duration: 130.49 ms\t"
)


def read(*lines, start=START):
    """The only attempt of a stream with these platform lines, a second and a half apart."""
    stream = Stream("s1")
    for number, line in enumerate(lines):
        assert stream.take_platform_line(line, start if number == 0 else LATER)
    (attempt,) = stream.attempts
    return attempt.row()


def record(kind, about, time="2026-03-10T00:00:01.500Z"):
    return {"time": time, "type": f"platform.{kind}", "record": {"requestId": "r1", **about}}


def test_an_invocation_in_text_gives_every_column():
    trace = "\nXRAY TraceId: 1-5e34a614-10bd\tSegmentId: 07f5\tSampled: true\t"
    row = read("START RequestId: r1 Version: $LATEST", "END RequestId: r1", REPORT + trace)
    assert row == {
        "request_id": "r1",
        "log_stream": "s1",
        "started_utc": START,
        "ended_utc": LATER,
        "duration_ms": 1499.99,
        "billed_ms": 1500,
        "memory_mb": 512,
        "max_memory_mb": 90,
        "trace_id": "1-5e34a614-10bd",
        "error_type": None,
        "error_message": None,
        "status": "ok",
    }


def test_a_trace_on_a_line_of_its_own_belongs_to_the_report_before_it():
    row = read(
        "START RequestId: r1", "END RequestId: r1", REPORT, "XRAY TraceId: 1-5\tSegmentId: 0"
    )
    assert row["trace_id"] == "1-5"


def test_an_invocation_in_json_gives_every_column():
    stream = Stream("s1")
    metrics = {
        "durationMs": 1499.99,
        "billedDurationMs": 1500,
        "memorySizeMB": 512,
        "maxMemoryUsedMB": 90,
    }
    tracing = {"type": "X-Amzn-Trace-Id", "value": "Root=1-5e34a614-10bd;Parent=07f5;Sampled=1"}
    stream.take_platform_record(record("start", {}, "2026-03-10T00:00:00Z"), None)
    report = {"metrics": metrics, "status": "success", "tracing": tracing}
    stream.take_platform_record(record("report", report), None)
    text = read(
        "START RequestId: r1", "END RequestId: r1", REPORT + "\nXRAY TraceId: 1-5e34a614-10bd"
    )
    assert stream.attempts[0].row() == text


@pytest.mark.parametrize(
    ("tail", "status", "kind"),
    [
        ("", "ok", None),
        ("Status: timeout", "timeout", None),
        ("Status: error\tError Type: Runtime.ExitError", "error", "Runtime.ExitError"),
        ("Status: error\tError Type: Runtime.OutOfMemory", "out-of-memory", "Runtime.OutOfMemory"),
    ],
)
def test_a_report_in_text_says_how_it_ended(tail, status, kind):
    row = read("START RequestId: r1", REPORT + tail)
    assert (row["status"], row["error_type"]) == (status, kind)


@pytest.mark.parametrize(
    ("about", "status"),
    [
        ({"status": "success"}, "ok"),
        ({"status": "failure"}, "error"),
        ({"status": "error", "errorType": "ValueError"}, "error"),
        ({"status": "timeout"}, "timeout"),
        ({"status": "error", "errorType": "Runtime.OutOfMemory"}, "out-of-memory"),
    ],
)
@pytest.mark.parametrize("kind", ["report", "runtimeDone"])
def test_a_report_in_json_says_how_it_ended(kind, about, status):
    stream = Stream("s1")
    stream.take_platform_record(record(kind, about), None)
    assert stream.attempts[0].status == status


def test_a_killed_process_was_out_of_memory_unless_it_had_plenty():
    stream = Stream("s1")
    attempt = stream.attempt("r1")
    attempt.killed = True
    attempt.fail(None, "Runtime exited with error: signal: killed")
    assert attempt.status == "out-of-memory"
    attempt.memory_mb, attempt.max_memory_mb = 512, 90
    assert attempt.status == "error"
    attempt.max_memory_mb = 512
    assert attempt.status == "out-of-memory"


def test_an_invocation_whose_end_is_not_logged_has_no_status():
    row = read("START RequestId: r1 Version: $LATEST")
    assert (row["status"], row["ended_utc"]) == (None, None)


def test_an_invocation_whose_start_is_not_logged_starts_its_duration_before_its_end():
    row = read(REPORT, start=LATER)
    assert row["started_utc"] == LATER - timedelta(milliseconds=1499.99)


def test_a_second_start_of_one_request_is_a_second_attempt():
    stream = Stream("s1")
    for line in ("START RequestId: r1", "END RequestId: r1", "START RequestId: r1"):
        stream.take_platform_line(line, START)
    assert [attempt.status for attempt in stream.attempts] == ["ok", None]


def test_an_exception_outside_an_invocation_belongs_to_the_next_one():
    stream = Stream("s1")
    stream.failed("Runtime.ImportModuleError", "No module named 'x'", None)
    stream.take_platform_line("START RequestId: r1", START)
    stream.take_platform_line("END RequestId: r1", START)
    (attempt,) = stream.attempts
    assert (attempt.status, attempt.error_type) == ("error", "Runtime.ImportModuleError")


def test_the_first_cause_that_is_named_stays():
    stream = Stream("s1")
    stream.take_platform_line("START RequestId: r1", START)
    stream.failed("ValueError", "bad limit", None)
    stream.take_platform_line(REPORT + "Status: error\tError Type: Function.Unhandled", START)
    (attempt,) = stream.attempts
    assert (attempt.error_type, attempt.error_message) == ("ValueError", "bad limit")


@pytest.mark.parametrize(
    "line",
    [
        "INIT_START Runtime Version: 1",
        "INIT_REPORT Init Duration: 1 ms",
        "EXTENSION\tA: b",
    ],
)
def test_other_lines_of_the_platform_say_nothing_of_an_invocation(line):
    stream = Stream("s1")
    assert stream.take_platform_line(line, START)
    assert stream.attempts == []


@pytest.mark.parametrize("about", [None, "x", {}, {"requestId": None}])
def test_a_platform_record_without_a_request_is_passed_over(about):
    stream = Stream("s1")
    stream.take_platform_record({"type": "platform.initStart", "record": about}, START)
    assert stream.attempts == []
