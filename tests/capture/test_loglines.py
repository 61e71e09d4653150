from __future__ import annotations

import json
from datetime import timedelta

import pytest

from investigate.capture.loglines import LogReader
from investigate.capture.values import to_millis
from tests.builders import START

SAID = {"ts": "2026-03-10T00:00:00+00:00", "msg": "event_ingested", "event_id": "a", "lag_ms": 5}
JSON_LINE = json.dumps(SAID, separators=(",", ":"))
TRACEBACK = 'Traceback (most recent call last):\n  File "/var/task/app.py", line 7, in handler'


def read(*messages, streams=None):
    """A reader that has taken these events, a second apart, from one stream or the given ones."""
    reader = LogReader("ingest")
    for number, message in enumerate(messages):
        when = START + timedelta(seconds=number)
        stream = streams[number] if streams else "s1"
        text = message if isinstance(message, str) else json.dumps(message)
        reader.take({"logStreamName": stream, "timestamp": to_millis(when), "message": text})
    return reader


def only_line(*messages):
    (line,) = read(*messages).lines
    return line


def test_a_structured_line_in_text_gives_every_column():
    line = only_line(f"[INFO]\t2026-03-10T00:00:00.123Z\tr1\t{JSON_LINE}\n")
    assert line == {
        "function": "ingest",
        "request_id": "r1",
        "logged_utc": START + timedelta(milliseconds=123),
        "level": "INFO",
        "message": "event_ingested",
        "fields": '{"event_id": "a", "lag_ms": 5, "ts": "2026-03-10T00:00:00+00:00"}',
        "event_id": "a",
        "entity_id": None,
    }


def test_a_structured_line_in_json_gives_the_same():
    outer = {"timestamp": "2026-03-10T00:00:00.123Z", "level": "INFO", "requestId": "r1"}
    text = only_line(f"[INFO]\t2026-03-10T00:00:00.123Z\tr1\t{JSON_LINE}")
    assert only_line({**outer, "message": JSON_LINE, "logger": "root"}) == text
    assert only_line({**outer, "message": SAID}) == text
    assert only_line({**outer, **SAID}) == text


def test_json_alone_belongs_to_the_invocation_around_it():
    line = only_line("START RequestId: r1 Version: $LATEST", JSON_LINE)
    assert (line["request_id"], line["level"], line["message"]) == ("r1", None, "event_ingested")
    assert line["logged_utc"] == START + timedelta(seconds=1)


def test_a_plain_text_with_a_level_is_its_own_message():
    line = only_line("[WARNING]\t2026-03-10T00:00:00.000Z\tr1\tslow: 3 s\tand more")
    assert (line["level"], line["message"], line["fields"]) == (
        "WARNING",
        "slow: 3 s\tand more",
        "{}",
    )


def test_a_line_without_a_level_is_left_out():
    assert read("hello", "", "[not a level] x", '["a", 1]').lines == []


def test_values_that_are_no_json_become_null():
    line = only_line('[INFO]\t2026-03-10T00:00:00.000Z\tr1\t{"msg": "m", "lag": NaN}')
    assert line["fields"] == '{"lag": null}'


def test_a_metric_line_gives_points_and_no_line():
    metric = {"Namespace": "Kit", "Dimensions": [[]], "Metrics": [{"Name": "n"}]}
    reader = read({"_aws": {"Timestamp": 0, "CloudWatchMetrics": [metric]}, "n": 1})
    assert ([point["metric"] for point in reader.points], reader.lines) == (["n"], [])


def test_an_uncaught_exception_in_text_fails_the_invocation_around_it():
    reader = read(
        "START RequestId: r1 Version: $LATEST",
        f"[ERROR] ValueError: invalid literal: 'x'\n{TRACEBACK}\n",
        "END RequestId: r1",
    )
    (invocation,) = reader.invocations
    assert (invocation["function"], invocation["status"]) == ("ingest", "error")
    assert invocation["error_type"] == "ValueError"
    assert invocation["error_message"] == "invalid literal: 'x'"
    (line,) = reader.lines
    assert (line["request_id"], line["level"]) == ("r1", "ERROR")
    assert line["message"] == "ValueError: invalid literal: 'x'"
    assert json.loads(line["fields"])["stackTrace"] == TRACEBACK.splitlines()


def test_an_uncaught_exception_may_have_no_message_and_carriage_returns():
    reader = read("START RequestId: r1", f"[ERROR] KeyError\r{TRACEBACK}", "END RequestId: r1")
    (invocation,) = reader.invocations
    assert (invocation["error_type"], invocation["error_message"]) == ("KeyError", "")


def test_an_uncaught_exception_in_json_fails_its_request():
    reader = read(
        {"type": "platform.start", "record": {"requestId": "r1"}},
        {
            "timestamp": "2026-03-10T00:00:00.500Z",
            "level": "ERROR",
            "errorType": "ValueError",
            "errorMessage": "bad",
            "requestId": "r1",
            "stackTrace": ["a"],
        },
    )
    (invocation,) = reader.invocations
    assert (invocation["status"], invocation["error_message"]) == ("error", "bad")
    (line,) = reader.lines
    assert (line["request_id"], line["message"]) == ("r1", "ValueError: bad")
    assert line["logged_utc"] == START + timedelta(milliseconds=500)


def test_an_exception_that_was_logged_is_no_failed_invocation():
    reader = read(
        "START RequestId: r1",
        {
            "level": "ERROR",
            "logger": "app",
            "message": "caught",
            "errorType": "E",
            "requestId": "r1",
        },
        "[ERROR]\t2026-03-10T00:00:00.000Z\tr1\tcaught too",
        "[ERROR] Oops: printed by the function",
        "END RequestId: r1",
    )
    assert [one["status"] for one in reader.invocations] == ["ok"]
    assert [line["message"] for line in reader.lines] == [
        "caught",
        "caught too",
        "Oops: printed by the function",
    ]
    assert {line["request_id"] for line in reader.lines} == {"r1"}


def test_an_exception_is_attributed_within_its_own_stream():
    reader = read(
        "START RequestId: r1",
        "START RequestId: r2",
        f"[ERROR] ValueError: bad\n{TRACEBACK}",
        "END RequestId: r1",
        "END RequestId: r2",
        streams=["s1", "s2", "s1", "s1", "s2"],
    )
    assert {one["request_id"]: one["status"] for one in reader.invocations} == {
        "r1": "error",
        "r2": "ok",
    }


def test_an_exception_on_import_belongs_to_the_invocation_it_prevents():
    reader = read(
        f"[ERROR] Runtime.ImportModuleError: Unable to import module 'app'\n{TRACEBACK}",
        "START RequestId: r1",
        "END RequestId: r1",
    )
    assert [one["error_type"] for one in reader.invocations] == ["Runtime.ImportModuleError"]


def test_a_timeout_line_names_its_request():
    reader = read(
        "START RequestId: r1",
        "END RequestId: r1",
        "REPORT RequestId: r1\tDuration: 3000.00 ms\t",
        "2026-03-10T00:00:03.000Z r1 Task timed out after 3.00 seconds\n\n",
    )
    (invocation,) = reader.invocations
    assert (invocation["status"], invocation["duration_ms"]) == ("timeout", 3000.0)
    (line,) = reader.lines
    assert (line["request_id"], line["level"]) == ("r1", "ERROR")
    assert line["message"] == "Task timed out after 3.00 seconds"


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ("Error: Runtime exited with error: signal: killed\nRuntime.ExitError", "out-of-memory"),
        ("Error: Runtime exited with error: exit status 1\nRuntime.ExitError", "error"),
    ],
)
def test_a_process_that_ended_is_told_from_one_that_was_killed(words, status):
    reader = read("START RequestId: r1", f"RequestId: r1 {words}\n", "END RequestId: r1")
    (invocation,) = reader.invocations
    assert (invocation["status"], invocation["error_type"]) == (status, "Runtime.ExitError")


def test_what_looks_like_json_and_is_none_is_passed_over():
    assert read("{not json", "{" * 50_000).lines == []


def test_a_reader_counts_every_row_it_holds():
    """Invocations that print nothing count, too: a step is to end when memory is full of them."""
    start, end = "START RequestId: r{0} Version: 1", "END RequestId: r{0}"
    quiet = [line.format(number) for number in range(5) for line in (start, end)]
    assert read(*quiet).size == 5
    both = read(*quiet, "[INFO]\t\tr4\tx", streams=[*"aaaabbbbcc", "c"])
    assert both.size == len(both.invocations) + len(both.lines) == 6
