"""What each table of a focused case knows of one event, as a few plain rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ibis
import ibis.expr.types as ir

from investigate.analysis import logs, replays
from investigate.analysis.aggregates import version_inputs, versions
from investigate.analysis.objects import raw_objects
from investigate.errors import NotEvaluable
from investigate.evidence import Evidence
from investigate.ledger import ledger

Row = dict[str, Any]
MOST = 200  # of one kind; a story has a few of each


@dataclass(frozen=True, slots=True)
class Facts:
    """The rows of one event, each list in order of time."""

    event_id: str
    ledger: Row
    attempts: list[Row]  # of ingest: lines `event_ingested`, with their invocations
    arrived_in: list[Row]  # failed ingest invocations in which the event arrived, without a line
    gate: list[Row]
    objects: list[Row]
    rows: list[Row]
    replays: list[Row]  # that sent it
    left_out: list[Row]  # by a replay of its window
    messages: list[Row]
    dead_letters: list[Row]
    loads: list[Row]  # by the processor, with their invocations
    failures: list[Row]  # errors said in the same requests
    versions: list[Row]  # of its day that count it
    spans: list[Row]


def facts_of(evidence: Evidence, event_id: str) -> Facts:
    """Return what a focused evidence knows of an event."""
    known = ledger(evidence)
    entry = evidence.engine.rows(known.filter(known.event_id == event_id))
    attempts = _lines(evidence, event_id, "event_ingested")
    loads = _lines(evidence, event_id, "processor_record_loaded")
    requests = sorted({row["request_id"] for row in (*attempts, *loads) if row["request_id"]})
    gate = _of(evidence, "dedupe", event_id, "first_seen_utc")
    return Facts(
        event_id,
        entry[0] if entry else {},
        attempts,
        _arrived_in(evidence, requests),
        gate,
        _objects(evidence, event_id),
        _of(evidence, "events", event_id, "ingest_time_utc"),
        _sent_by(evidence, event_id),
        _left_out(evidence, event_id),
        _of(evidence, "messages", event_id, "sent_utc"),
        _of(evidence, "dead_letters", event_id, "last_failed_utc"),
        loads,
        _failures(evidence, requests),
        _versions(evidence, event_id),
        _spans(evidence, attempts, loads),
    )


def _listed(evidence: Evidence, rows: ir.Table, *order: str) -> list[Row]:
    return evidence.engine.rows(rows.order_by(order).limit(MOST))


def _of(evidence: Evidence, table: str, event_id: str, moment: str) -> list[Row]:
    if not evidence.has(table):
        return []
    rows = evidence[table]
    own = rows.filter(rows.event_id == event_id)
    own = own.drop(*({"attributes", "body"} & set(own.columns)))
    return _listed(evidence, own, moment)


def _objects(evidence: Evidence, event_id: str) -> list[Row]:
    if not evidence.has("raw"):
        return []
    rows = raw_objects(evidence)
    return _listed(evidence, rows.filter(rows.rid == event_id).drop("payload"), "last_modified")


def _lines(evidence: Evidence, event_id: str, message: str) -> list[Row]:
    """The event's lines with that message, each with how its invocation went."""
    if not evidence.has("log_lines"):
        return []
    rows = logs.lines(evidence, message)
    rows = rows.filter(rows.event_id == event_id).mutate(
        answer=logs.text_in(rows.fields, "status"), s3_key=logs.text_in(rows.fields, "s3_key")
    )
    rows = rows.select("function", "request_id", "logged_utc", "answer", "s3_key")
    return _listed(evidence, _with_runs(evidence, rows), "logged_utc", "request_id")


def _with_runs(evidence: Evidence, rows: ir.Table) -> ir.Table:
    columns = ("started_utc", "ended_utc", "status", "error_type", "error_message", "trace_id")
    if not evidence.has("invocations"):
        nothing = {name: ibis.null("string") for name in columns[2:]}
        moments = {name: ibis.null("timestamp") for name in columns[:2]}
        return rows.mutate(**moments, **nothing)
    runs = evidence["invocations"].select("request_id", *columns)
    return rows.left_join(runs, "request_id").drop("request_id_right")


def _arrived_in(evidence: Evidence, requests: list[str]) -> list[Row]:
    """Invocations of ingest that ended badly and said nothing of the event, though it arrived
    while they ran: the focus keeps no other."""
    if not (evidence.has("invocations") and evidence.has("functions")):
        return []
    functions = evidence["functions"]
    own = functions.filter(functions.role == "ingest").select(function="name")
    runs = evidence["invocations"].semi_join(own, "function")
    runs = runs.filter(runs.status != "ok")
    found = _listed(evidence, runs, "started_utc", "request_id")
    return [row for row in found if row["request_id"] not in requests]


def _sent_by(evidence: Evidence, event_id: str) -> list[Row]:
    if not (evidence.has("log_lines") and evidence.has("events")):
        return []
    rows = replays.reconstructed(evidence)
    rows = rows.filter(rows.event_id == event_id)
    columns = ("request_id", "logged_utc", "start", "end", "s3_key", "replay")
    return _listed(evidence, rows.select(*columns), "logged_utc", "replay")


def _left_out(evidence: Evidence, event_id: str) -> list[Row]:
    if not (evidence.has("log_lines") and evidence.has("events")):
        return []
    rows = replays.left_out(evidence)
    rows = rows.filter(rows.event_id == event_id)
    told = replays.logged(evidence).select("replay", "request_id", "logged_utc", "start", "end")
    return _listed(evidence, rows.inner_join(told, "replay"), "logged_utc", "replay")


def _failures(evidence: Evidence, requests: list[str]) -> list[Row]:
    """Lines of level WARNING and worse in the requests that handled the event."""
    if not (evidence.has("log_lines") and requests):
        return []
    rows = evidence["log_lines"]
    rows = rows.filter(
        rows.request_id.isin(requests), rows.level.isin(("WARNING", "WARN", "ERROR"))
    )
    rows = rows.mutate(err=logs.text_in(rows.fields, "err"))
    columns = ("function", "request_id", "logged_utc", "level", "message", "err")
    return _listed(evidence, rows.select(*columns), "logged_utc", "request_id", "message")


def _versions(evidence: Evidence, event_id: str) -> list[Row]:
    try:
        inputs, told = version_inputs(evidence), versions(evidence)
    except NotEvaluable:
        return []
    own = inputs.filter(inputs.event_id == event_id)
    counts = own.group_by("pk", "sk").agg(times=own.count(), payload_sha=own.payload_sha.min())
    rows = told.inner_join(counts, ["pk", "sk"])
    columns = (
        "entity_id", "day", "version", "sk", "computed_at_utc", "inputs_hash", "input_count",
        "explained_by", "times", "payload_sha",
    )  # fmt: skip
    return _listed(evidence, rows.select(*columns), "computed_at_utc", "sk")


def _spans(evidence: Evidence, *lines: list[Row]) -> list[Row]:
    """The spans of the traces that the event's invocations belong to."""
    traces = sorted({row["trace_id"] for rows in lines for row in rows if row["trace_id"]})
    requests = sorted({row["request_id"] for rows in lines for row in rows if row["request_id"]})
    if not (evidence.has("spans") and (traces or requests)):
        return []
    rows = evidence["spans"]
    own = rows.trace_id.isin(traces) if traces else ibis.literal(False)
    if requests:
        asked = rows.filter(rows.request_id.isin(requests)).select("trace_id")
        own = own | rows.trace_id.isin(asked.trace_id)
    return _listed(evidence, rows.filter(own), "started_utc", "segment_id")
