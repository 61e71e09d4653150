"""The functions and their event source mappings; values of environment variables are never kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from investigate.capture.source import Captured, Gathered, Row, Source, gap
from investigate.capture.values import moment, text, whole
from investigate.case import Coverage
from investigate.errors import AccessError
from investigate.settings import FUNCTION_ROLES

_OWN_CONFIG = "GetFunctionEventInvokeConfig"


def read_functions(source: Source) -> list[Captured]:
    """Return the table `functions`: one row for each function the configuration names."""
    gathered = Gathered()
    for role in FUNCTION_ROLES:
        known = source.functions.get(role) or source.lacks(f"{role} function")
        if isinstance(known, Coverage):
            gathered.gaps.append(known)
            continue
        settings, gaps = _more_settings(source, role, known["FunctionName"])
        gathered.add([{**function_row(role, known), **settings}])
        gathered.gaps.extend(gaps)
        if "Error" in known.get("Environment", {}):
            gathered.gaps.append(Coverage("denied", f"DRY_RUN of the {role} function is unknown"))
    return [gathered.captured("functions")]


def read_mappings(source: Source) -> list[Captured]:
    """Return the table `mappings`: those of the processor and those of the replay queue."""
    gathered = Gathered()
    found: dict[str, Row] = {}
    for question in _questions(source, gathered):
        try:
            for page in source.connection.pages("lambda", "ListEventSourceMappings", **question):
                found.update(
                    {entry["UUID"]: mapping_row(entry) for entry in page["EventSourceMappings"]}
                )
        except AccessError as error:
            gathered.gaps.append(gap(error))
            continue
        gathered.places += 1
    gathered.rows.extend(found.values())
    return [gathered.captured("mappings")]


def log_group(configuration: Mapping[str, Any]) -> str:
    """Return the log group a function writes to, which need not be the default one."""
    default = f"/aws/lambda/{configuration['FunctionName']}"
    return str(configuration.get("LoggingConfig", {}).get("LogGroup", default))


def function_row(role: str, known: Mapping[str, Any]) -> Row:
    """Return a function's configuration as a row of `functions`."""
    environment = known.get("Environment", {})
    dry_run = environment.get("Variables", {}).get("DRY_RUN", "false").lower() == "true"
    return {
        "name": known["FunctionName"],
        "role": role,
        "arn": known["FunctionArn"],
        "timeout_s": whole(known.get("Timeout")),
        "memory_mb": whole(known.get("MemorySize")),
        "dlq_arn": text(known.get("DeadLetterConfig", {}).get("TargetArn")),
        "log_group": log_group(known),
        "log_format": known.get("LoggingConfig", {}).get("LogFormat", "Text"),
        "tracing": text(known.get("TracingConfig", {}).get("Mode")),
        # The pipeline's own rule: "true" in any case; "1" and "yes" are not dry runs.
        "dry_run": None if "Error" in environment else dry_run,
        "code_sha256": text(known.get("CodeSha256")),
        "last_modified_utc": moment(known.get("LastModified")),
    }


def mapping_row(entry: Mapping[str, Any]) -> Row:
    """Return an event source mapping as a row of `mappings`."""
    on_failure = entry.get("DestinationConfig", {}).get("OnFailure", {})
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
        "on_failure_arn": text(on_failure.get("Destination")),
        "max_concurrency": whole(entry.get("ScalingConfig", {}).get("MaximumConcurrency")),
        "last_result": text(entry.get("LastProcessingResult")),
    }


def name_of(function_arn: str) -> str:
    """Return the name in a function's ARN, with or without a version at its end."""
    parts = function_arn.split(":")
    return parts[6] if len(parts) > 6 else function_arn


def _more_settings(source: Source, role: str, name: str) -> tuple[Row, list[Coverage]]:
    settings: Row = {}
    gaps = []
    try:
        answer = source.connection.call("lambda", "GetFunctionConcurrency", FunctionName=name)
        settings["reserved_concurrency"] = whole(answer.get("ReservedConcurrentExecutions"))
    except AccessError as error:
        if error.code != "ResourceNotFoundException":
            gaps.append(gap(error))
    configs = source.invoke_configs[role]
    if isinstance(configs, Coverage):
        return settings | _own_invoke_config(source, name), [*gaps, configs]
    return settings | invoke_settings(configs), gaps


def _own_invoke_config(source: Source, name: str) -> Row:
    """Return a function's own settings for asynchronous calls where not all could be listed."""
    asked = {"FunctionName": name}
    try:
        return _invoke_config(source.connection.call("lambda", _OWN_CONFIG, **asked))
    except AccessError:
        return {}  # the gap of the list says so already


def invoke_settings(configs: list[Row]) -> Row:
    """Return the settings for asynchronous calls as columns of `functions`: those of $LATEST in
    columns of their own, those of every other version or alias together as JSON text."""
    by_qualifier = {qualifier_of(one["FunctionArn"]): _invoke_config(one) for one in configs}
    own = by_qualifier.pop("$LATEST", {})
    return {**own, "qualified_invoke_configs": text(by_qualifier or None)}


def qualifier_of(function_arn: str) -> str:
    """Return the version or alias at the end of a function's ARN; without one, $LATEST."""
    parts = function_arn.split(":")
    return parts[7] if len(parts) > 7 else "$LATEST"


def _invoke_config(answer: Mapping[str, Any]) -> Row:
    on_failure = answer.get("DestinationConfig", {}).get("OnFailure", {})
    return {
        "on_failure_arn": text(on_failure.get("Destination")),
        "max_retry_attempts": whole(answer.get("MaximumRetryAttempts")),
        "max_event_age_s": whole(answer.get("MaximumEventAgeInSeconds")),
    }


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
        gathered.gaps.append(gap(error))
