"""Every failure that the logs tell of, by class: how a function failed, and with which error.

The classes are those of AWS Lambda's own account of its errors, and one that Lambda never sees: a
record whose error the processor swallowed (D11). Source: aws-facts 5.1; "Understanding the errors
of Lambda".
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from investigate.analysis import logs
from investigate.analysis.error_rules import error_text, fingerprint_of, kind_of
from investigate.engine import differ, literal_rows
from investigate.evidence import Evidence, timestamp

SWALLOWED, UNHANDLED = "swallowed", "unhandled"
# What an error is called that is not handled; of these Lambda or the code's own error tells.
NAMED = ("import-or-handler", "marshal", "access-denied", "throttle", "service")
_BY_STATUS = {"timeout": "timeout", "out-of-memory": "out-of-memory"}
_COLUMNS = {
    "function": "string", "request_id": "string", "at_utc": "timestamp", "failure": "string",
    "error": "string", "fingerprint": "string", "billed_ms": "int64", "memory_mb": "int64",
}  # fmt: skip


def failures(evidence: Evidence) -> ir.Table:
    """Return one row per failed invocation attempt, and one per record whose error was swallowed:
    function, request_id, at_utc (when it started, or was logged), failure (the class), error,
    fingerprint, billed_ms and memory_mb (null of what was swallowed: its invocation did more).

    Raises `NotEvaluable` if neither invocations nor log lines were captured.
    """
    evidence.require_one(("invocations", "log_lines"))
    return evidence.derived("failures", _failures)


def _failures(evidence: Evidence) -> ir.Table:
    parts = [literal_rows([], _COLUMNS)]
    if evidence.has("invocations"):
        parts.append(_attempts(evidence))
    if evidence.has("log_lines"):
        parts.append(_swallowed(evidence))
    return ibis.union(*(part.select(list(_COLUMNS)).cast(_COLUMNS) for part in parts))


def _attempts(evidence: Evidence) -> ir.Table:
    calls = evidence["invocations"]
    failed = calls.filter((calls.status != "ok").fill_null(False))
    error = error_text(failed.error_type, failed.error_message)
    kind = kind_of(error)
    statuses = [(failed.status == status, name) for status, name in _BY_STATUS.items()]
    failure = ibis.cases(*statuses, (kind.isin(NAMED), kind), else_=UNHANDLED)
    return failed.mutate(
        at_utc=failed.started_utc, failure=failure, error=error, fingerprint=fingerprint_of(error)
    )


def _swallowed(evidence: Evidence) -> ir.Table:
    """Records whose error the handler caught, in an invocation that is not known to have failed:
    nobody was told of them.

    An invocation that left no line of its own (the platform's lines are off, or were not captured),
    or none of its end, is no failed one: here each error that was said gets a class, and the
    handler's own line says that it was caught (D11). Whether SQS deleted the message takes the end
    of the invocation, so `processing.failed_records` counts less, and says what it left out."""
    lines = logs.lines(evidence, "processor_record_failed")
    if evidence.has("invocations"):
        calls = evidence["invocations"]
        bad = calls.filter(differ(calls.status, "ok"), calls.request_id.notnull())
        lines = lines.anti_join(bad, "request_id")
    error = error_text(ibis.literal(""), logs.text_in(lines.fields, "err"))
    return lines.mutate(
        at_utc=lines.logged_utc, failure=ibis.literal(SWALLOWED), error=error,
        fingerprint=fingerprint_of(error), billed_ms=ibis.null("int64"),
        memory_mb=ibis.null("int64"),
    )  # fmt: skip


def groups(evidence: Evidence) -> ir.Table:
    """Return one row per function, class and fingerprint: failures, first_utc, last_utc, `earlier`
    and `later` (failures in the first and in the second half of the time from the start of the
    window to the capture), `example` (a request id), and of the function `runs`, the attempts that
    were logged."""
    rows = failures(evidence)
    # The window is one of event time: what fails after its end, such as a replay, is seen as well.
    start, end = evidence.window.start, max(evidence.window.start, evidence.case.captured_at)
    late = (rows.at_utc >= timestamp(start + (end - start) / 2)).fill_null(False)
    rows = rows.mutate(late=late)
    found = rows.group_by("function", "failure", "fingerprint").agg(
        failures=rows.count(),
        earlier=(~rows.late).sum(),
        later=rows.late.sum(),
        first_utc=rows.at_utc.min(),
        last_utc=rows.at_utc.max(),
        example=rows.request_id.min(),
    )
    if not evidence.has("invocations"):
        return found.mutate(runs=ibis.null("int64"))
    calls = evidence["invocations"]
    runs = calls.group_by("function").agg(runs=calls.count())
    return found.left_join(runs, "function").drop("function_right")
