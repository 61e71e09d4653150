"""Lines of logs: of the platform, of functions and of metrics (EMF); segments of traces."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from benchmarks.fuzz.target import PARTS, Target, expect, fits, seed, strict_json, text_of
from investigate.capture.emf import metric_points
from investigate.capture.loglines import LogReader
from investigate.capture.privacy import Mask
from investigate.capture.spans import span_rows
from investigate.capture.values import json_object

_AT = 1_773_100_800_000
_ID = "8f5b1d0e-4f0c-4a55-9b39-3a1d2c5b7e10"
_REPORT = (
    f"REPORT RequestId: {_ID}\tDuration: 12.34 ms\tBilled Duration: 13 ms\tMemory Size: 256 MB\t"
    "Max Memory Used: 80 MB\tStatus: timeout\tError Type: Sandbox.Timedout\n"
    "XRAY TraceId: 1-2-3\tSegmentId: 4\tSampled: true"
)
_LINES = (
    f"START RequestId: {_ID} Version: $LATEST",
    f'[INFO]\t2026-03-10T00:00:00.250Z\t{_ID}\t{{"msg": "event_ingested", "event_id": "e"}}',
    "[ERROR] KeyError: 'x'\nTraceback (most recent call last):\n  File",
    f"2026-03-10T00:00:00.250Z {_ID} Task timed out after 3.00 seconds",
    f"RequestId: {_ID} Error: Runtime exited with error: signal: killed\nRuntime.ExitError",
    f"END RequestId: {_ID}",
    _REPORT,
)
_ABOUT = {"requestId": _ID, "status": "error", "errorType": "E", "metrics": {"durationMs": 1.5}}
_RECORDS: tuple[dict[str, Any], ...] = (
    {"time": "2026-03-10T00:00:00Z", "type": "platform.start", "record": {"requestId": _ID}},
    {"level": "INFO", "message": {"msg": "m", "event_id": "e"}, "requestId": _ID, "n": 1e300},
    {"errorType": "E", "errorMessage": "m", "stackTrace": ["a"], "timestamp": "2026-03-10"},
    {
        "time": "2026-03-10T00:00:00Z",
        "type": "platform.report",
        "record": {**_ABOUT, "tracing": {"value": "Root=1-2-3;Sampled=1"}},
    },
)
_EMF = {
    "_aws": {
        "Timestamp": _AT,
        "CloudWatchMetrics": [
            {
                "Namespace": "PipelineInvestigationKit",
                "Dimensions": [["Function", "Source"], []],
                "Metrics": [{"Name": "IngestCount", "Unit": "Count"}],
            }
        ],
    },
    "Function": "ingest",
    "Source": "web",
    "IngestCount": [1, 2],
}
_SEGMENT = {
    "id": "s", "name": "f", "start_time": 1773100800.25, "end_time": 1773100801.0,
    "fault": True, "aws": {"request_id": _ID},
    "subsegments": [{"id": "t", "start_time": 1, "subsegments": [{"id": "u"}]}],
}  # fmt: skip
_MOST_OF_A_BYTE = 20  # rows that a byte of evidence may become; more is a blow-up


def _log(data: bytes) -> None:
    reader = LogReader("f")
    for said in data.split(PARTS):
        event = {"logStreamName": "s", "timestamp": _AT, "message": text_of(said)}
        reader.take(event)
    fits("invocations", reader.invocations)
    fits("log_lines", reader.lines)
    fits("metric_points", reader.points)
    for line in reader.lines:
        strict_json(line["fields"], "fields of a log line")
    mask = Mask({"email"}, "123456789012")
    fits("log_lines", [mask.row("log_lines", line) for line in reader.lines])


def _emf(data: bytes) -> None:
    record = json_object(text_of(data))
    if record is not None:
        points = list(metric_points(record, datetime(2026, 3, 10, tzinfo=UTC)))
        fits("metric_points", points)
        expect(len(points) <= _MOST_OF_A_BYTE * len(data), "a line does not become a flood")


def _span(data: bytes) -> None:
    document = json_object(text_of(data))
    if document is not None:
        for payloads in (True, False):
            rows = list(span_rows("t", document, payloads=payloads))
            fits("spans", rows)
            for row in rows:
                strict_json(row["document"], "the document of a span")


TARGETS = (
    Target(
        "log-lines",
        "lines of a log, one after another",
        _log,
        (seed(*_LINES), seed(*_RECORDS), seed(_EMF), *map(seed, _LINES)),
    ),
    Target("emf", "a line of metrics", _emf, (seed(_EMF),)),
    Target(
        "trace-segment",
        "the document of a segment of X-Ray",
        _span,
        (seed(_SEGMENT), seed({})),
    ),
)
