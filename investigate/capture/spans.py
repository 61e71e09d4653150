"""X-Ray's traces of the functions, segment by segment. X-Ray keeps a sample, for thirty days."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from investigate.capture.source import Captured, Row, Source, between, coverage_of_error
from investigate.capture.values import EPOCH, json_object, number, text
from investigate.case import Coverage
from investigate.errors import AccessError
from investigate.model import counted

KEPT = timedelta(days=30)
SPAN_OF_A_QUESTION = timedelta(hours=6)  # a longer one is refused
TRACES_AT_ONCE = 5
# A busy pipeline has ten thousands of traces a day; what failed is read first.
MOST_TRACES = 2_000
SAMPLED = "sampled: absence of a trace is not absence of the event"
_NODES = ("AWS::Lambda", "AWS::Lambda::Function")
_PRIVATE = ("annotations", "metadata")  # what the functions themselves wrote into a trace


def read(source: Source) -> list[Captured]:
    """Return the table `spans`: every segment and subsegment of the traces there are."""
    unread = _untraced(source)
    if unread:
        return [Captured("spans", unread)]
    options = source.options
    start = max(options.since, options.read_at - KEPT)
    found = _summaries(source, start)
    chosen = sorted(found, key=lambda trace: (not found[trace], trace))[:MOST_TRACES]
    rows, notes = _segments(source, chosen)
    if len(found) > len(chosen):
        notes = [f"{len(chosen)} of {len(found)} traces were read, failed ones first", *notes]
    # Never whole: that a trace is not there says nothing.
    known = Coverage("partial", "; ".join([SAMPLED, *notes]), between(start, options.captured_at))
    return [Captured("spans", known, rows)]


def filter_of(functions: Sequence[str]) -> str:
    """Return X-Ray's filter for the traces that pass through one of the functions."""
    nodes = (
        f'service(id(name: "{name}", type: "{kind}"))' for name in functions for kind in _NODES
    )
    return " OR ".join(nodes)


def chunks(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Yield a time in pieces that are short enough to ask for."""
    while start < end:
        until = min(start + SPAN_OF_A_QUESTION, end)
        yield start, until
        start = until


def span_rows(
    trace_id: str, document: Mapping[str, Any], *, payloads: bool = True
) -> Iterator[Row]:
    """Yield a segment and all its subsegments as rows of `spans`, each with its parent's id."""
    waiting = deque([(document, document.get("parent_id"))])
    while waiting:
        part, parent = waiting.popleft()
        yield _span_row(trace_id, part, parent, payloads=payloads)
        below = part.get("subsegments")
        for child in below if isinstance(below, list) else []:
            if isinstance(child, dict):
                waiting.append((child, part.get("id")))


def _span_row(trace_id: str, part: Mapping[str, Any], parent: Any, *, payloads: bool) -> Row:
    left_out = ("subsegments", *(() if payloads else _PRIVATE))
    aws = part.get("aws")
    return {
        "trace_id": trace_id,
        "segment_id": text(part.get("id")),
        "parent_id": text(parent),
        "name": text(part.get("name")),
        "started_utc": _moment(part.get("start_time")),
        "ended_utc": _moment(part.get("end_time")),  # none while it is in progress
        **{flag: bool(part.get(flag)) for flag in ("error", "fault", "throttle")},
        "origin": text(part.get("origin")),
        "request_id": text(aws.get("request_id")) if isinstance(aws, dict) else None,
        "document": text({key: value for key, value in part.items() if key not in left_out}),
    }


def _moment(seconds: Any) -> datetime | None:
    known = number(seconds)
    try:
        return None if known is None else EPOCH + timedelta(microseconds=round(known * 1_000_000))
    except OverflowError:
        return None


def _untraced(source: Source) -> Coverage | None:
    """Why there can be no traces, or None."""
    if not source.names.functions:
        return source.lacks("function")
    modes = {
        known.get("TracingConfig", {}).get("Mode")
        for known in source.functions.values()
        if not isinstance(known, Coverage)
    }
    unknown = any(isinstance(known, Coverage) for known in source.functions.values())
    if "Active" in modes or unknown:
        return None
    return Coverage("skipped", "tracing is not Active on any of the functions")


def _summaries(source: Source, start: datetime) -> dict[str, bool]:
    """Return the id of every trace of the functions, and whether anything in it went wrong."""
    expression = filter_of(list(source.names.functions.values()))
    found: dict[str, bool] = {}
    for first, last in chunks(start, source.options.captured_at):
        for page in source.connection.pages(
            "xray",
            "GetTraceSummaries",
            StartTime=first,
            EndTime=last,
            TimeRangeType="Event",
            Sampling=False,
            FilterExpression=expression,
        ):
            for one in page.get("TraceSummaries", []):
                wrong = any(one.get(f"Has{what}") for what in ("Fault", "Error", "Throttle"))
                found[one["Id"]] = found.get(one["Id"], False) or wrong
    return found


def _segments(source: Source, trace_ids: Sequence[str]) -> tuple[list[Row], list[str]]:
    """Return the rows of the traces, and what could not be had of them."""
    reading = _Reading(source)
    for first in range(0, len(trace_ids), TRACES_AT_ONCE):
        try:
            reading.take(list(trace_ids[first : first + TRACES_AT_ONCE]))
        except AccessError as error:
            if not reading.rows:
                raise
            return reading.rows, [*reading.told(), f"stopped by {coverage_of_error(error).reason}"]
    return reading.rows, reading.told()


class _Reading:
    """The rows of the traces that were handed out, and how much was not."""

    def __init__(self, source: Source) -> None:
        self.rows: list[Row] = []
        self._source = source
        self._lacking: Counter[str] = Counter()

    def take(self, trace_ids: list[str]) -> None:
        """Add the rows of these traces; what is not handed out is asked for once more."""
        left = self._ask(trace_ids)
        if left:
            left = self._ask(left)
        self._lacking["not handed out"] += len(left)

    def told(self) -> list[str]:
        """What is lacking, in words."""
        lacking = sorted(self._lacking.items())
        return [f"{what}: {counted(count, 'trace')}" for what, count in lacking if count]

    def _ask(self, trace_ids: list[str]) -> list[str]:
        left: list[str] = []
        for page in self._source.connection.pages("xray", "BatchGetTraces", TraceIds=trace_ids):
            left.extend(page.get("UnprocessedTraceIds", []))
            for trace in page.get("Traces", []):
                self._add(trace)
        return left

    def _add(self, trace: Mapping[str, Any]) -> None:
        documents = [json_object(segment["Document"]) for segment in trace.get("Segments", [])]
        self._lacking["cut off at the limit of X-Ray"] += bool(trace.get("LimitExceeded"))
        self._lacking["with an unreadable segment"] += None in documents
        payloads = self._source.options.payloads
        for document in filter(None, documents):
            self.rows.extend(span_rows(trace["Id"], document, payloads=payloads))
