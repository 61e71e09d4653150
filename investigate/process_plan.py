"""The plan for processing briefly: what waits, who would process it, and what speaks against it."""

from __future__ import annotations

from typing import Any

import ibis.expr.types as ir

from investigate.analysis.error_rules import TRANSIENT, kind_of, lasting_of
from investigate.analysis.failures import failures
from investigate.analysis.loading import count_unverifiable, unloadable
from investigate.analysis.queues import named, replay_queues
from investigate.analysis.roles import functions_of
from investigate.case import MANIFEST, digest
from investigate.errors import NotEvaluable
from investigate.evidence import Evidence
from investigate.model import isoformat
from investigate.pipeline import Design
from investigate.plan_integrity import TEXT_OR_NULL, Shape, with_digest

SCHEMA = "investigate.process-plan/1"
SHOWN = 100  # poison messages and entity-days that are listed; the counts are exact
# These errors are about one record, not about the code that met it.
OF_THE_RECORD = ("malformed", "missing")
_MANY: Shape = (type(None), int)
SHAPE: Shape = {  # of what `process-briefly` reads of its plan
    "queue": (
        type(None),
        {"name": str, "visible": _MANY, "not_visible": _MANY, "delayed": _MANY},
    ),
    "processor": (type(None), {"name": str, "dry_run": (type(None), bool)}),
    "mappings": [{"uuid": str, "state": TEXT_OR_NULL, "batch_size": _MANY}],
    "sample": (type(None), {"messages": int, "days": [{"entity_id": str, "day": str}]}),
    "failures": (
        type(None),
        {
            "last_lasting": (
                type(None),
                {"request_id": TEXT_OR_NULL, "at_utc": TEXT_OR_NULL, "error": TEXT_OR_NULL},
            ),
            "deployed_since": (type(None), bool),
        },
    ),
}
PASSING = ("timeout", "throttle", "service")  # classes of failures that time can mend


def document(evidence: Evidence) -> dict[str, Any]:
    """Return the plan as plain values in a fixed order, with its digest; what the case does not
    tell is null. Raises `NotEvaluable` if queues, mappings or functions were not captured."""
    evidence.require(("queue_state", "mappings", "functions"))
    case = evidence.case
    queue = _queue(evidence)
    return with_digest(
        {
            "schema": SCHEMA,
            "case": case.name,
            "captured_at": isoformat(case.captured_at),
            "manifest": digest(case.folder / MANIFEST),
            "queue": queue,
            "processor": _processor(evidence),
            "mappings": _mappings(evidence, queue),
            "sample": _sample(evidence),
            "failures": _failures(evidence),
        }
    )


def _queue(evidence: Evidence) -> dict[str, Any] | None:
    rows = replay_queues(evidence)
    shown = rows.select("name", "arn", "visible", "not_visible", "delayed", "dead_letter_arn")
    found = evidence.engine.rows(shown.order_by("name"))
    return found[0] if found else None


def _processor(evidence: Evidence) -> dict[str, Any] | None:
    rows = functions_of(evidence, "processor")
    found = evidence.engine.rows(
        rows.select("name", "dry_run", "last_modified_utc").order_by("name")
    )
    return (
        {**found[0], "last_modified_utc": _text(found[0]["last_modified_utc"])} if found else None
    )


def _mappings(evidence: Evidence, queue: dict[str, Any] | None) -> list[dict[str, Any]]:
    rows = evidence["mappings"]
    rows = rows.filter(rows.source_arn == (queue or {}).get("arn", ""))
    rows = rows.mutate(function=named(rows.function))
    shown = rows.select("uuid", "function", "state", "batch_size", "max_concurrency")
    return evidence.engine.rows(shown.order_by("uuid"))


def _sample(evidence: Evidence) -> dict[str, Any] | None:
    """What was seen of the waiting messages; None: nobody looked."""
    if not evidence.has("messages"):
        return None
    rows = evidence["messages"]
    bad = rows.filter(~rows.well_formed)
    count = evidence.engine.count(rows)
    stuck = rows.filter(rows.receive_count >= evidence.thresholds.poison_receives)
    good, seen = rows.filter(rows.well_formed), evidence.has("raw")
    return {
        "messages": count,
        **_counted(evidence, "malformed", bad),
        **_counted(evidence, "unloadable", unloadable(evidence, good) if seen else None),
        **_counted(evidence, "stuck", stuck),
        # Messages whose raw object nobody looked at; all of them where none was captured.
        "unlooked": count_unverifiable(evidence, good) if seen else count,
        "most_receives": evidence.engine.scalar(rows.receive_count.max()),
        "days": days_of(evidence, rows),
    }


def _counted(evidence: Evidence, kind: str, rows: ir.Table | None) -> dict[str, Any]:
    """How many messages are of a kind, and the first of them; null where nobody looked."""
    if rows is None:
        return {kind: None, f"{kind}_ids": []}
    ids = rows.select("message_id").order_by("message_id").limit(SHOWN)
    return {
        kind: evidence.engine.count(rows),
        f"{kind}_ids": [row["message_id"] for row in evidence.engine.rows(ids)],
    }


def days_of(evidence: Evidence, rows: ir.Table) -> list[dict[str, str]]:
    """Return the entity-days (entity_id, day) that rows with entity_id and event_time_utc touch."""
    days = (
        rows.mutate(day=evidence.period_of(rows.event_time_utc))
        .select("entity_id", "day")
        .distinct()
    )
    days = days.filter(days.entity_id.notnull() & days.day.notnull())
    return evidence.engine.rows(days.order_by("entity_id", "day").limit(SHOWN))


def _failures(evidence: Evidence) -> dict[str, Any] | None:
    """What the processor failed with that is about its code, and when last; None: nothing tells."""
    try:
        rows = failures(evidence)
    except NotEvaluable:
        return None
    processors = functions_of(evidence, "processor").select(processor="name")
    rows = rows.inner_join(processors, rows.function == processors.processor)
    text = rows.error.fill_null("")
    rows = rows.mutate(
        kind=kind_of(text), transient=(lasting_of(text) == TRANSIENT) | rows.failure.isin(PASSING)
    )
    rows = rows.filter(~rows.kind.isin(OF_THE_RECORD))
    lasting = rows.filter(~rows.transient)
    last = lasting.order_by([lasting.at_utc.desc(), lasting.request_id]).limit(1)
    found = evidence.engine.rows(last.select("at_utc", "request_id", "error"))
    return {
        "first": _text(evidence.engine.scalar(rows.at_utc.min())),
        "count": evidence.engine.count(rows),
        "transient": evidence.engine.scalar(rows.transient.sum().fill_null(0)),
        "last_lasting": {**found[0], "at_utc": _text(found[0]["at_utc"])} if found else None,
        "deployed_since": _deployed(evidence, lasting) if found else None,
    }


def _deployed(evidence: Evidence, lasting: ir.Table) -> bool | None:
    """Whether every processor that failed for good was changed since; None: nothing tells."""
    functions = evidence["functions"]
    last = lasting.group_by("function").agg(failed_utc=lasting.at_utc.max())
    joined = last.left_join(functions, last.function == functions.name)
    newer = joined.mutate(newer=joined.last_modified_utc > joined.failed_utc)
    known: bool | None = evidence.engine.scalar(newer.newer.all())
    unknown = evidence.engine.scalar(newer.newer.isnull().any())
    return None if unknown else known


def batch_size(plan: dict[str, Any], design: Design) -> int:
    """Return how many messages one batch of the planned mapping may hold."""
    known = plan["mappings"][0]["batch_size"] if plan["mappings"] else None
    return int(known or design.batch_size)


def _text(moment: Any) -> str | None:
    return None if moment is None else f"{moment.isoformat(timespec='seconds')}Z"
