"""The event source mappings, and how long the streams behind them keep a record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from investigate.capture.dead_letters import DYNAMODB_STREAM_KEEPS
from investigate.capture.source import Captured, Gathered, Row, Source, coverage_of_error
from investigate.capture.values import text, utc, whole
from investigate.errors import AccessError


def read_mappings(source: Source) -> list[Captured]:
    """Return the table `mappings`: those of the processor and those of the replay queue."""
    known = entries(source)
    gathered = Gathered(gaps=list(known.gaps), places=known.places)
    kept = _retentions(source, known.rows, gathered)
    for entry in known.rows:
        row = mapping_row(entry)
        gathered.rows.append({**row, "source_retention_s": kept.get(row["source_arn"])})
    return [gathered.captured("mappings")]


def entries(source: Source) -> Gathered:
    """Return the mappings as Lambda gives them, asked for once, and what could not be asked."""
    return source.once("mappings", lambda: _entries(source))


def _entries(source: Source) -> Gathered:
    gathered = Gathered()
    found: dict[str, Row] = {}
    for question in _questions(source, gathered):
        try:
            for page in source.connection.pages("lambda", "ListEventSourceMappings", **question):
                found.update({entry["UUID"]: entry for entry in page["EventSourceMappings"]})
        except AccessError as error:
            gathered.gaps.append(coverage_of_error(error))
            continue
        gathered.places += 1
    gathered.rows.extend(found.values())
    return gathered


def mapping_row(entry: Mapping[str, Any]) -> Row:
    """Return an event source mapping as a row of `mappings`; what its source says is not in it."""
    return {
        "uuid": entry["UUID"],
        "function": name_of(entry["FunctionArn"]),
        "source_arn": text(entry.get("EventSourceArn")),
        "state": text(entry.get("State")),
        "batch_size": whole(entry.get("BatchSize")),
        "window_s": whole(entry.get("MaximumBatchingWindowInSeconds")),
        "max_retry_attempts": whole(entry.get("MaximumRetryAttempts")),
        "max_record_age_s": whole(entry.get("MaximumRecordAgeInSeconds")),
        "bisect": entry.get("BisectBatchOnFunctionError"),
        "partial_batch_response": "ReportBatchItemFailures"
        in (entry.get("FunctionResponseTypes") or []),
        "on_failure_arn": failures_to(entry),
        "max_concurrency": whole(entry.get("ScalingConfig", {}).get("MaximumConcurrency")),
        "last_result": text(entry.get("LastProcessingResult")),
        "parallelization": whole(entry.get("ParallelizationFactor")),
        "filters": text(entry.get("FilterCriteria") or None),
        "last_modified_utc": utc(entry.get("LastModified")),
    }


def failures_to(entry: Mapping[str, Any]) -> str | None:
    """Return the ARN to which a mapping sends the records that failed for good."""
    return text(entry.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination"))


def name_of(function_arn: str) -> str:
    """Return the name in a function's ARN, with or without a version at its end."""
    parts = function_arn.split(":")
    return parts[6] if len(parts) > 6 else function_arn


def _retentions(source: Source, known: list[Row], gathered: Gathered) -> dict[str | None, int]:
    """Return, by its ARN, how many seconds each stream keeps a record; of a queue, nothing: that
    stands in `queue_state`."""
    kept: dict[str | None, int] = {}
    for arn in sorted({str(entry.get("EventSourceArn") or "") for entry in known}):
        service = arn.split(":")[2:3]
        if service == ["dynamodb"]:
            kept[arn] = int(DYNAMODB_STREAM_KEEPS.total_seconds())
        elif service == ["kinesis"]:
            try:
                kept[arn] = _kinesis_seconds(source, arn)
            except AccessError as error:
                gathered.gaps.append(coverage_of_error(error))
    return kept


def _kinesis_seconds(source: Source, arn: str) -> int:
    answer = source.connection.call("kinesis", "DescribeStreamSummary", StreamARN=arn)
    return int(answer["StreamDescriptionSummary"]["RetentionPeriodHours"]) * 3600


def _questions(source: Source, gathered: Gathered) -> Iterator[dict[str, str]]:
    processor = source.names.functions.get("processor")
    if processor:
        yield {"FunctionName": processor}
    else:
        gathered.gaps.append(source.lacks("processor function"))
    if not source.names.replay_queue_url:
        gathered.gaps.append(source.lacks("replay queue"))
        return
    try:
        yield {"EventSourceArn": source.replay_queue["QueueArn"]}
    except AccessError as error:
        gathered.gaps.append(coverage_of_error(error))
