"""The functions; of their environment only `DRY_RUN` and the level of the log are kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from investigate.capture import log_groups
from investigate.capture.invokers import invokers
from investigate.capture.qualifiers import LATEST, qualifier_of
from investigate.capture.source import Captured, Gathered, Row, Source, coverage_of_error
from investigate.capture.values import moment, text, whole
from investigate.case import Coverage
from investigate.errors import AccessError
from investigate.settings import FUNCTION_ROLES

_OWN_CONFIG = "GetFunctionEventInvokeConfig"
# Where a function without the level of Lambda's own logging says it: ingest and the processor in
# the first, Powertools for AWS Lambda in the second. No other variable is ever kept, nor are these
# if they hold another word.
_LEVEL_VARIABLES = ("LOG_LEVEL", "POWERTOOLS_LOG_LEVEL")
_LEVELS = frozenset({"TRACE", "DEBUG", "INFO", "WARN", "WARNING", "ERROR", "CRITICAL", "FATAL"})
_NEVER = 0  # days, of a log group that keeps its lines for ever


def read_functions(source: Source) -> list[Captured]:
    """Return the table `functions`: one row for each function the configuration names."""
    gathered = Gathered()
    for role in FUNCTION_ROLES:
        known = source.functions.get(role) or source.lacks(f"{role} function")
        if isinstance(known, Coverage):
            gathered.gaps.append(known)
            continue
        settings, gaps = _more_settings(source, role, known["FunctionName"])
        about, more_gaps = _surroundings(source, known)
        gathered.add([{**function_row(role, known), **settings, **about}])
        gathered.gaps.extend([*gaps, *more_gaps])
        if dry_run_of(known.get("Environment", {})) is None:
            gathered.gaps.append(Coverage("denied", f"DRY_RUN of the {role} function is unknown"))
    return [gathered.captured("functions")]


def log_group(configuration: Mapping[str, Any]) -> str:
    """Return the log group a function writes to, which need not be the default one."""
    default = f"/aws/lambda/{configuration['FunctionName']}"
    return str(configuration.get("LoggingConfig", {}).get("LogGroup", default))


def dry_run_of(environment: Mapping[str, Any]) -> bool | None:
    """Return whether a function with this `Environment`, as Lambda answers it, is in DRY_RUN; None
    where Lambda could not read it: then there is an Error in the place of the variables."""
    if "Error" in environment:
        return None
    # The pipeline's own rule: "true" in any case; "1" and "yes" are not dry runs.
    variables: Mapping[str, str] = environment.get("Variables", {})
    return variables.get("DRY_RUN", "false").lower() == "true"


def function_row(role: str, known: Mapping[str, Any]) -> Row:
    """Return a function's configuration as a row of `functions`."""
    environment = known.get("Environment", {})
    variables = environment.get("Variables", {})
    logging = known.get("LoggingConfig", {})
    return {
        "name": known["FunctionName"],
        "role": role,
        "arn": known["FunctionArn"],
        "timeout_s": whole(known.get("Timeout")),
        "memory_mb": whole(known.get("MemorySize")),
        "dlq_arn": text(known.get("DeadLetterConfig", {}).get("TargetArn")),
        "log_group": log_group(known),
        "log_format": logging.get("LogFormat", "Text"),
        "log_level": text(logging.get("ApplicationLogLevel")) or _level_in(variables),
        "tracing": text(known.get("TracingConfig", {}).get("Mode")),
        "dry_run": dry_run_of(environment),
        "code_sha256": text(known.get("CodeSha256")),
        "last_modified_utc": moment(known.get("LastModified")),
        "handler": text(known.get("Handler")),
        "runtime": text(known.get("Runtime")),
    }


def _level_in(variables: Mapping[str, str]) -> str | None:
    said = (variables.get(name, "").upper() for name in _LEVEL_VARIABLES)
    return next((level for level in said if level in _LEVELS), None)


def _more_settings(source: Source, role: str, name: str) -> tuple[Row, list[Coverage]]:
    settings: Row = {}
    gaps = []
    try:
        answer = source.connection.call("lambda", "GetFunctionConcurrency", FunctionName=name)
        settings["reserved_concurrency"] = whole(answer.get("ReservedConcurrentExecutions"))
    except AccessError as error:
        if error.code != "ResourceNotFoundException":
            gaps.append(coverage_of_error(error))
    configs = source.invoke_configs[role]
    if isinstance(configs, Coverage):
        return settings | _own_invoke_config(source, name), [*gaps, configs]
    return settings | invoke_settings(configs), gaps


def _surroundings(source: Source, known: Row) -> tuple[Row, list[Coverage]]:
    """Return what others say of a function: who may invoke it, and its log group."""
    about: Row = {}
    gaps = []
    try:
        group = log_groups.described(source.connection, log_group(known))
        about["log_group_exists"] = group is not None
        if group is not None:
            about["log_retention_days"] = whole(group.get("retentionInDays", _NEVER))
    except AccessError as error:
        gaps.append(coverage_of_error(error))
    allowed = invokers(source, known["FunctionName"])
    if allowed.gaps:  # a part of those who may invoke it would pass for all
        return about, [*gaps, *allowed.gaps]
    return {**about, "invokers": json.dumps(allowed.rows, ensure_ascii=False)}, gaps


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
    own = by_qualifier.pop(LATEST, {})
    return {**own, "qualified_invoke_configs": text(by_qualifier or None)}


def _invoke_config(answer: Mapping[str, Any]) -> Row:
    on_failure = answer.get("DestinationConfig", {}).get("OnFailure", {})
    return {
        "on_failure_arn": text(on_failure.get("Destination")),
        "max_retry_attempts": whole(answer.get("MaximumRetryAttempts")),
        "max_event_age_s": whole(answer.get("MaximumEventAgeInSeconds")),
    }
