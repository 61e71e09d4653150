"""What each table of a focused case knows of one event, as a few plain rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import ibis
import ibis.expr.types as ir

from investigate.analysis import logs, replays
from investigate.analysis.aggregates import version_inputs, versions
from investigate.analysis.capture_scope import key_in_reach
from investigate.analysis.objects import is_corrupt, raw_objects
from investigate.analysis.roles import functions_of
from investigate.errors import NotEvaluable
from investigate.evidence import Evidence
from investigate.ledger import ledger
from investigate.ledger.objections import CODES
from investigate.pipeline import Design

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
    rows: list[Row]  # each with whether the object under its key would be here if it existed
    replays: list[Row]  # that sent it
    left_out: list[Row]  # by a replay of its window
    messages: list[Row]
    dead_letters: list[Row]
    loads: list[Row]  # by the processor, with their invocations
    failures: list[Row]  # errors said in the same requests
    versions: list[Row]  # of its day that count it
    spans: list[Row]
    raw_listed: bool  # whether an object in reach that is not among them is provably not there
    totals: Mapping[str, int]  # of what is counted where only the first `MOST` are listed
    codes: Collection[str]  # of the checks that may object to it
    design: Design  # of the pipeline


@dataclass(frozen=True, slots=True)
class _Reader:
    """Lists rows of an evidence, and counts those of a kind that has more than are listed."""

    evidence: Evidence
    totals: dict[str, int] = field(default_factory=dict)

    def listed(self, kind: str, rows: ir.Table, *order: str) -> list[Row]:
        engine = self.evidence.engine
        found = engine.rows(rows.order_by(order).limit(MOST + 1))
        if len(found) > MOST:
            self.count(kind, rows.count())
        return found[:MOST]

    def count(self, kind: str, number: ir.IntegerScalar) -> None:
        self.totals[kind] = int(self.evidence.engine.scalar(number))


def facts_of(evidence: Evidence, event_id: str, codes: Collection[str] = CODES) -> Facts:
    """Return what a focused evidence knows of an event; `codes` are the checks that may object."""
    known = ledger(evidence, codes)
    entry = evidence.engine.rows(known.filter(known.event_id == event_id))
    reader = _Reader(evidence)
    attempts = _attempts(reader, event_id)
    loads = _lines(reader, "loads", event_id, "processor_record_loaded")
    handled = _handled(evidence, event_id)
    gate = _of(reader, "gate", "dedupe", event_id, "first_seen_utc")
    return Facts(
        event_id,
        entry[0] if entry else {},
        attempts,
        _arrived_in(reader, handled),
        gate,
        _objects(reader, event_id),
        _rows(reader, event_id),
        _sent_by(reader, event_id),
        _left_out(reader, event_id),
        _of(reader, "messages", "messages", event_id, "sent_utc"),
        _of(reader, "dead_letters", "dead_letters", event_id, "last_failed_utc"),
        loads,
        _failures(reader, handled),
        _versions(reader, event_id),
        _spans(reader, handled),
        evidence.is_listed("raw"),
        reader.totals,
        codes,
        evidence.design,
    )


def _of(reader: _Reader, kind: str, table: str, event_id: str, moment: str) -> list[Row]:
    if not reader.evidence.has(table):
        return []
    rows = reader.evidence[table]
    own = rows.filter(rows.event_id == event_id)
    own = own.drop(*({"attributes", "body"} & set(own.columns)))
    return reader.listed(kind, own, moment)


def _rows(reader: _Reader, event_id: str) -> list[Row]:
    """The event's rows; where not all are listed, those marked as a repetition are counted."""
    if not reader.evidence.has("events"):
        return []
    rows = reader.evidence["events"]
    own = rows.filter(rows.event_id == event_id).drop("attributes")
    own = own.mutate(in_reach=key_in_reach(reader.evidence, own))
    found = reader.listed("rows", own, "ingest_time_utc")
    if "rows" in reader.totals:
        marked = own.filter(own.status == reader.evidence.design.duplicate)
        reader.count("marked", marked.count())
    return found


def _objects(reader: _Reader, event_id: str) -> list[Row]:
    """The writes of the event's objects; where not all are listed, their keys are counted."""
    if not reader.evidence.has("raw"):
        return []
    rows = raw_objects(reader.evidence)
    rows = rows.filter(rows.rid == event_id).drop("payload")
    found = reader.listed("objects", rows.mutate(corrupt=is_corrupt(rows)), "last_modified")
    if "objects" in reader.totals:
        reader.count("keys", rows.s3_key.nunique())
    return found


def _attempts(reader: _Reader, event_id: str) -> list[Row]:
    """The event's lines of ingest; where not all are listed, each kind of answer is counted."""
    found = _lines(reader, "attempts", event_id, "event_ingested")
    if "attempts" in reader.totals:
        rows = _lines_of(reader.evidence, event_id, "event_ingested")
        design = reader.evidence.design
        for kind, answer in (("accepted", design.accepted), ("refused", design.duplicate)):
            own = rows.filter(rows.answer == answer)
            reader.count(kind, own.count())
    return found


def _lines(reader: _Reader, kind: str, event_id: str, message: str) -> list[Row]:
    if not reader.evidence.has("log_lines"):
        return []
    rows = _lines_of(reader.evidence, event_id, message)
    return reader.listed(kind, rows, "logged_utc", "request_id")


def _lines_of(evidence: Evidence, event_id: str, message: str) -> ir.Table:
    """The event's lines with that message, each with how its invocation went."""
    rows = logs.lines(evidence, message)
    rows = rows.filter(rows.event_id == event_id).mutate(
        answer=logs.text_in(rows.fields, "status"), s3_key=logs.text_in(rows.fields, "s3_key")
    )
    rows = rows.select("function", "request_id", "logged_utc", "answer", "s3_key")
    return _with_runs(evidence, rows)


def _with_runs(evidence: Evidence, rows: ir.Table) -> ir.Table:
    columns = ("started_utc", "ended_utc", "status", "error_type", "error_message", "trace_id")
    if not evidence.has("invocations"):
        nothing = {name: ibis.null("string") for name in columns[2:]}
        moments = {name: ibis.null("timestamp") for name in columns[:2]}
        return rows.mutate(**moments, **nothing)
    runs = evidence["invocations"].select("request_id", *columns)
    return rows.left_join(runs, "request_id").drop("request_id_right")


def _handled(evidence: Evidence, event_id: str) -> ir.Table | None:
    """The requests (request_id, trace_id) that left a line of the event, listed or not."""
    if not evidence.has("log_lines"):
        return None
    lines = (
        _lines_of(evidence, event_id, message).select("request_id", "trace_id")
        for message in ("event_ingested", "processor_record_loaded")
    )
    return evidence.engine.materialise(ibis.union(*lines, distinct=True))


def _arrived_in(reader: _Reader, handled: ir.Table | None) -> list[Row]:
    """Invocations of ingest that ended badly and said nothing of the event, though it arrived
    while they ran: the focus keeps no other."""
    if not (reader.evidence.has("invocations") and reader.evidence.has("functions")):
        return []
    own = functions_of(reader.evidence, "ingest").select(function="name")
    runs = reader.evidence["invocations"].semi_join(own, "function")
    runs = runs.filter(runs.status != "ok")
    if handled is not None:
        runs = runs.anti_join(handled.select("request_id"), "request_id")
    return reader.listed("arrived_in", runs, "started_utc", "request_id")


def _sent_by(reader: _Reader, event_id: str) -> list[Row]:
    if not (reader.evidence.has("log_lines") and reader.evidence.has("events")):
        return []
    rows = replays.reconstructed(reader.evidence)
    rows = rows.filter(rows.event_id == event_id)
    columns = ("request_id", "logged_utc", "start", "end", "s3_key", "replay")
    return reader.listed("replays", rows.select(*columns), "logged_utc", "replay")


def _left_out(reader: _Reader, event_id: str) -> list[Row]:
    if not (reader.evidence.has("log_lines") and reader.evidence.has("events")):
        return []
    rows = replays.left_out(reader.evidence)
    rows = rows.filter(rows.event_id == event_id)
    told = replays.logged(reader.evidence).select(
        "replay", "request_id", "logged_utc", "start", "end"
    )
    return reader.listed("left_out", rows.inner_join(told, "replay"), "logged_utc", "replay")


def _failures(reader: _Reader, handled: ir.Table | None) -> list[Row]:
    """Lines of level WARNING and worse in the requests that handled the event."""
    if handled is None:
        return []
    rows = reader.evidence["log_lines"].semi_join(handled.select("request_id"), "request_id")
    rows = rows.filter(rows.level.upper().isin(logs.TROUBLE))
    rows = rows.mutate(err=logs.text_in(rows.fields, "err"))
    columns = ("function", "request_id", "logged_utc", "level", "message", "err")
    return reader.listed("failures", rows.select(*columns), "logged_utc", "request_id", "message")


def _versions(reader: _Reader, event_id: str) -> list[Row]:
    """The versions that count the event; where not all are listed, the most counts in one too."""
    try:
        inputs, told = version_inputs(reader.evidence), versions(reader.evidence)
    except NotEvaluable:
        return []
    own = inputs.filter(inputs.event_id == event_id)
    counts = own.group_by("pk", "sk").agg(times=own.count(), payload_sha=own.payload_sha.min())
    rows = told.inner_join(counts, ["pk", "sk"])
    columns = (
        "entity_id", "day", "version", "sk", "computed_at_utc", "inputs_hash", "input_count",
        "explained_by", "times", "payload_sha",
    )  # fmt: skip
    found = reader.listed("versions", rows.select(*columns), "computed_at_utc", "sk")
    if "versions" in reader.totals:
        reader.count("times", rows.times.max())
    return found


def _spans(reader: _Reader, handled: ir.Table | None) -> list[Row]:
    """The spans of the traces that the event's invocations belong to."""
    if handled is None or not reader.evidence.has("spans"):
        return []
    rows = reader.evidence["spans"]
    asked = rows.semi_join(handled.select("request_id"), "request_id").select("trace_id")
    traces = ibis.union(handled.select("trace_id"), asked, distinct=True)
    return reader.listed("spans", rows.semi_join(traces, "trace_id"), "started_utc", "segment_id")
