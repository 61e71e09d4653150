"""What the chapter on settings shows: what is set, what is advised, the alarms, the changes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import ibis
import ibis.expr.types as ir

from investigate.analysis import alarms
from investigate.analysis.changes import changes
from investigate.analysis.failures import failures
from investigate.checks import Check, book, offending_rows
from investigate.checks.configuration.advice import SHOWN
from investigate.engine import literal_rows
from investigate.errors import NotEvaluable
from investigate.evidence import Evidence
from investigate.model import Step
from investigate.numbers.bins import (
    bin_seconds,
    binned,
    listed,
    moment_text,
    or_others,
    sample_ids,
    span_of,
    top_names,
    with_ids,
)

# Table: its settings in the order in which a reader asks for them.
_SETTINGS = {
    "functions": (
        "role", "timeout_s", "memory_mb", "reserved_concurrency", "dry_run", "tracing",
        "log_format", "log_level", "log_retention_days", "dlq_arn", "on_failure_arn",
        "max_retry_attempts", "max_event_age_s", "last_modified_utc",
    ),
    "queue_state": (
        "role", "visibility_timeout_s", "retention_s", "dead_letter_arn", "max_receive_count",
        "delay_s",
    ),
    "mappings": (
        "function", "source_arn", "state", "batch_size", "window_s", "partial_batch_response",
        "max_concurrency", "max_retry_attempts", "max_record_age_s", "bisect", "on_failure_arn",
    ),
    "deliveries": (
        "kind", "source_arn", "target_arn", "state", "max_retry_attempts", "max_event_age_s",
        "dead_letter_arn", "raw_delivery",
    ),
}  # fmt: skip
_NAMES = {"functions": "name", "queue_state": "name", "mappings": "uuid", "deliveries": "arn"}
MOST_ALARMS = 40


def settings_advised(evidence: Evidence) -> list[dict[str, Any]]:
    """Return what the audit objects to, the gravest first: severity, resource, setting, found,
    advised, lost (what can be lost), source (the page that advises it), code."""
    evidence.require_one(tuple(_SETTINGS))
    found = objections(evidence).order_by("code", "key", *SHOWN)
    by_code: dict[str, list[dict[str, Any]]] = {}
    for row in evidence.engine.rows(found):
        by_code.setdefault(row["code"], []).append(row)
    rows = [
        {
            "severity": check.severity.label, "resource": row["key"],
            **{name: row[name] for name in ("setting", "found", "advised", "lost", "source")},
            "code": check.code,
        }
        for check in sorted(_audit(), key=lambda check: -check.severity)
        for row in by_code.get(check.code, ())
    ]  # fmt: skip
    return rows


def objections(evidence: Evidence) -> ir.Table:
    """Return what every check of the audit objects to: code, key and the columns `SHOWN`."""
    return evidence.derived("settings_advised", _build_objections)


def _build_objections(evidence: Evidence) -> ir.Table:
    nothing = literal_rows([], dict.fromkeys(("code", "key", *SHOWN), "string"))
    found = [rows for check in _audit() if (rows := _objections(check, evidence)) is not None]
    return ibis.union(nothing, *found)


def _audit() -> Iterator[Check]:
    return (check for check in book.of(Step.CONFIGURATION))


def _objections(check: Check, evidence: Evidence) -> ir.Table | None:
    try:
        rows = offending_rows(check, evidence).rows
    except NotEvaluable:
        return None  # the finding says so
    if "setting" not in rows.columns:
        return None
    return rows.select("key", *SHOWN).select(ibis.literal(check.code).name("code"), "key", *SHOWN)


def settings_found(evidence: Evidence) -> list[dict[str, Any]]:
    """Return every setting that was captured, one row each: kind (the table), resource, setting,
    value (None: not set, or not known)."""
    evidence.require_one(tuple(_SETTINGS))
    found = []
    for table, settings in _SETTINGS.items():
        if not evidence.has(table):
            continue
        known = evidence[table].select(_NAMES[table], *settings).order_by(_NAMES[table])
        found += [
            {
                "kind": table,
                "resource": row[_NAMES[table]],
                "setting": name,
                "value": _plain(row[name]),
            }
            for row in evidence.engine.rows(known)
            for name in settings
            if row[name] is not None
        ]
    return found


def _plain(value: Any) -> Any:
    return moment_text(value) if isinstance(value, datetime) else value


def alarm_tests(evidence: Evidence) -> list[dict[str, Any]]:
    """Return what each alarm on one metric would have done with the points of the case: alarm,
    metric, resource, threshold, total, worst (period), began and fired (texts; None: never), word
    (`fired`, `silent`, `quiet` where there was nothing to tell, `unknown`), unknown (why), and
    the window's start and end."""
    return [
        {
            "alarm": one.alarm, "metric": one.metric, "resource": one.resource,
            "threshold": one.threshold, "total": one.total, "worst": one.worst,
            "began": moment_text(one.began), "fired": moment_text(one.fired),
            "word": _word(one), "unknown": one.unknown,
            "start": moment_text(evidence.window.start),
            "end": moment_text(evidence.case.captured_at),
        }
        for one in alarms.back_tests(evidence)[:MOST_ALARMS]
    ]  # fmt: skip


def _word(one: alarms.BackTest) -> str:
    if one.unknown:
        return "unknown"
    if one.fired:
        return "fired"
    return "silent" if one.silent and one.metric in alarms.FAILURES else "quiet"


def failures_over_time(evidence: Evidence) -> list[dict[str, Any]]:
    """Return how many attempts and records failed per bin of time and function: time (the bin's
    start), function, failures, ids (of requests: first and last of few), seconds (the bin's
    length)."""
    rows = failures(evidence)
    rows = rows.filter(rows.at_utc.notnull())
    seconds = bin_seconds(span_of(evidence, rows, "at_utc"))
    names = top_names(evidence, rows, "function")
    counted = rows.group_by(
        function=or_others(rows.function, names), time=binned(rows.at_utc, seconds)
    ).agg(failures=rows.count(), **sample_ids(rows.request_id))
    found = with_ids(listed(evidence, counted.order_by(["time", "function"]), "time"), "failures")
    return [{**row, "seconds": seconds} for row in found]


def changes_made(evidence: Evidence) -> list[dict[str, Any]]:
    """Return the known changes of functions and of the stack from the window's start on, oldest
    first: resource, kind, at, what, version."""
    rows = changes(evidence)
    since = rows.filter(rows.at_utc >= ibis.timestamp(evidence.window.start.replace(tzinfo=None)))
    ordered = since.order_by(["at_utc", "resource", "what", "version"])
    return listed(
        evidence, ordered.select("resource", "kind", "what", "version", at="at_utc"), "at"
    )
