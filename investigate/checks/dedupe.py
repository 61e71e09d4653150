"""Checks of the DedupeTable, the gate of ingest: did it refuse too much, or let in too much?"""

from __future__ import annotations

import re
from datetime import timedelta

import ibis
import ibis.expr.types as ir

from investigate.analysis.arrivals import arrivals
from investigate.analysis.capture_scope import unkept_gap, unlisted_dates_gap, within_reach
from investigate.analysis.known_ids import known_ids
from investigate.analysis.logs import lines, text_in
from investigate.analysis.objects import (
    objects_gap,
    of_several_objects,
    pointing_rows,
    raw_objects,
    readable_objects,
    refuse_if_unnamed,
)
from investigate.checks.registry import PartialRows, check
from investigate.engine import milliseconds_since_1970
from investigate.errors import NotEvaluable
from investigate.evidence import Evidence, timestamp
from investigate.model import Severity, counted, joined


@check(
    "dedupe/orphan",
    Severity.ESCALATE,
    key="event_id",
    needs=("dedupe",),
    whole=("raw", "events"),
    found="{count} event{s} passed the gate and {are} stored nowhere.",
    advice="Ingest died behind the gate: the dedupe row was written, the object and the row were "
    "not. The payload is only at the client. Find the ingest request at first_seen (error or "
    "timeout), then have the producer send the event again after the dedupe row was removed "
    "under change control.",
    avoid="Do not just retry: until its dedupe row expires (30 days) the event is answered "
    "DUPLICATE and never stored. Do not clear the DedupeTable as a whole.",
)
def orphan(evidence: Evidence) -> PartialRows:
    """Is there a dedupe row whose event has neither a raw object nor an EventsTable row (ingest
    died behind the gate)?"""
    if unkept_gap(evidence):
        raise NotEvaluable("dedupe: rows were looked up by the ids of rows; an orphan has none")
    gate = evidence.settled(evidence["dedupe"], "first_seen_utc", "raw", "events")
    stored = raw_objects(evidence).select(stored_id="rid")
    known = evidence["events"].select(stored_id="event_id")
    lost = gate.anti_join(stored, [("event_id", "stored_id")])
    lost = lost.anti_join(known, [("event_id", "stored_id")])
    lost, elsewhere = within_reach(evidence, lost)
    refuse_if_unnamed(evidence, lost, "neither object nor row")
    rows = lost.select(
        "source", "event_type", "event_time", "event_time_utc", "first_seen_utc", "ttl_epoch",
        "entity_id", key=lost.event_id,
    )  # fmt: skip
    return PartialRows(rows, elsewhere)


@check(
    "dedupe/missing",
    Severity.DANGEROUS,
    key="event_id",
    whole=("dedupe",),
    either=("raw", "events"),
    found="{count} accepted event{s} {have} no dedupe row, so a repeat would be accepted too.",
    advice="The gate is open for these ids. Somebody deleted rows, the TTL is shorter than "
    "believed, or the object was written past ingest. Look at the table's TTL setting and at "
    "CloudTrail for deletes, and expect `dedupe/reaccepted` next.",
    avoid="Do not let the producer replay this period before the rows are back: every repeat "
    "would be stored and counted again.",
)
def missing(evidence: Evidence) -> PartialRows:
    """Is there an accepted event, younger than the dedupe lifetime, without a dedupe row?"""
    accepted = evidence.settled(_accepted(evidence), "ingest_time_utc", "dedupe")
    ids = known_ids(evidence)
    gateless = ids.filter(~ids.gated).select(gateless_id="event_id")
    open_ids = accepted.semi_join(gateless, [("key", "gateless_id")])
    open_ids = open_ids.union(accepted.filter(accepted.key.isnull()))
    open_ids = evidence.derived("accepted_without_gate", lambda _: open_ids)
    oldest = evidence.case.captured_at - timedelta(days=evidence.thresholds.dedupe_lifetime_days)
    first = arrivals(evidence).rename(arrived_id="event_id")
    rows = open_ids.left_join(first, open_ids.key == first.arrived_id).drop("arrived_id")
    # Each acceptance has its own age: one that let an event in again made a row anew.
    rows = rows.mutate(accepted_utc=ibis.coalesce(rows.ingest_time_utc, rows.arrived_utc))
    young = rows.filter(rows.accepted_utc > timestamp(oldest))
    undated = evidence.in_scope(rows.filter(rows.accepted_utc.isnull()))
    many = evidence.engine.count(undated)
    gap = f"when {counted(many, 'accepted event')} came is unknown" if many else ""
    return PartialRows(young, joined(objects_gap(evidence) if evidence.has("raw") else "", gap))


@check(
    "dedupe/reaccepted",
    Severity.DANGEROUS,
    key="event_id",
    needs=("raw",),
    ownerless=True,
    found="{count} event{s} {were} accepted more than once.",
    advice="The gate let the same event in again: its dedupe row had expired or was deleted in "
    "between, or two requests raced. Compare the ingest times with the dedupe lifetime, and see "
    "in `raw/duplicate-objects` whether two objects were left.",
    avoid="Do not add up aggregates over the two ingest days: the event stands in both.",
)
def reaccepted(evidence: Evidence) -> PartialRows:
    """Was one event accepted more than once?"""
    told = lines(evidence, "event_ingested") if evidence.has("log_lines") else None
    objects = raw_objects(evidence)
    ids = of_several_objects(evidence).select(again_id="rid")
    if told is not None:
        counts = told.group_by(again_id="event_id").agg(lines=told.count())
        ids = ids.union(counts.filter(counts.lines > 1).select("again_id"))
    # Only what has several objects or lines can have been accepted twice.
    some = objects.semi_join(ids, [("rid", "again_id")])
    said = None if told is None else told.semi_join(ids, [("event_id", "again_id")])
    accepted = evidence.design.accepted
    rows = _ingests(some, said, accepted)
    elsewhere = unlisted_dates_gap(
        evidence, lambda: _ingested_once(_ingests(objects, told, accepted))
    )
    return PartialRows(rows.filter(_more_than_once(rows)), joined(objects_gap(evidence), elsewhere))


@check(
    "dedupe/collision-risk",
    Severity.SUSPECT,
    key="event_id",
    either=("events", "raw", "dedupe"),
    found="{count} event{s} {have} delimiters of the id and key recipes in {their} fields.",
    advice="The recipes join fields with | # / and = and escape none of them: two distinct events "
    "can get one id, and the second is refused as a duplicate. Compare the events of such a "
    "source by hand, and have the producer keep these characters out.",
    avoid="Do not parse S3 keys or sort keys of these events by splitting them.",
)
def collision_risk(evidence: Evidence) -> PartialRows:
    """Do field values contain the delimiters of the id or key recipes, so that distinct events can
    share an id or a key?"""
    delimiter = "[" + "".join(re.escape(mark) for mark in evidence.design.delimiters) + "]"
    rows = ibis.union(*_identities(evidence))
    fields = ibis.literal(" ").join(
        [rows[name].fill_null("") for name in ("source", "event_type", "entity_id")]
    )
    risky = rows.filter(rows.key.notnull(), fields.re_search(delimiter))
    found = risky.group_by("key").agg(
        source=risky.source.min(),
        event_type=risky.event_type.min(),
        entity_id=risky.entity_id.min(),
        event_time_utc=risky.event_time_utc.min(),
    )
    return PartialRows(
        found, objects_gap(evidence) if evidence.has("raw") else unkept_gap(evidence)
    )


@check(
    "dedupe/expired-block",
    Severity.SUSPECT,
    key="event_id",
    needs=("events", "dedupe"),
    found="{count} event{s} {were} refused by a dedupe row that had already expired.",
    advice="DynamoDB deletes expired items some time later (within days), and the gate does not "
    "look at the TTL itself. The event was meant to be accepted again: if it was a new one under "
    "an old idempotency key, it is lost, so ask the producer.",
    avoid="Do not count on the TTL as an exact moment, and do not shorten it to fix this.",
)
def expired_block(evidence: Evidence) -> ir.Table:
    """Did an expired but undeleted dedupe row refuse an event?"""
    events = evidence.settled(evidence["events"], "ingest_time_utc", "events", "dedupe")
    refused = events.filter(events.status == evidence.design.duplicate)
    gate = evidence["dedupe"].select("ttl_epoch", "first_seen_utc", gate_id="event_id")
    rows = refused.join(gate, [("event_id", "gate_id")])
    # Divided, because a wrong expiry (milliseconds, microseconds) times 1000 may fit no number.
    late = milliseconds_since_1970(rows.ingest_time_utc) / 1000 > rows.ttl_epoch
    return rows.filter(late.fill_null(False)).select(
        "sk", "event_time_utc", "ingest_time_utc", "ttl_epoch", "first_seen_utc", "entity_id",
        key="event_id",
    )  # fmt: skip


def _ingests(objects: ir.Table, told: ir.Table | None, accepted: str) -> ir.Table:
    """Of each event, how many ingests its objects tell of, and how many requests the log."""
    rows = objects.group_by(key="rid").agg(
        ingests=objects.ingest_time.nunique(where=objects.readable),
        event_time_utc=objects.event_time_utc.min(),
        entity_id=objects.entity_id.min(),
    )
    if told is None:
        return rows
    rows = rows.outer_join(_acceptances(told, accepted), [("key", "told_id")])
    rows = rows.mutate(key=ibis.coalesce(rows.key, rows.told_id)).drop("told_id")
    return rows.mutate(entity_id=ibis.coalesce(rows.entity_id, rows.told_entity))


def _more_than_once(rows: ir.Table) -> ir.BooleanValue:
    again = rows.ingests > 1
    if "requests" in rows.columns:
        again = again | (rows.requests > 1)
    return rows.key.notnull() & again.fill_null(False)


def _ingested_once(rows: ir.Table) -> ir.Table:
    # One stored elsewhere only is none of this window: its time is that of its object.
    rows = rows.filter(~_more_than_once(rows) & rows.ingests.notnull())
    return rows.mutate(event_id="key")


def _accepted(evidence: Evidence) -> ir.Table:
    """What proves acceptance: a readable object, or a row of status ACCEPTED with references."""
    proofs = []
    columns = ("event_time_utc", "ingest_time_utc", "entity_id", "s3_key")
    if evidence.has("raw"):
        objects = readable_objects(evidence)
        proofs.append(objects.select(*columns, key=objects.rid, proof=ibis.literal("raw object")))
    if evidence.has("events"):
        rows = pointing_rows(evidence)
        rows = rows.filter(rows.status == evidence.design.accepted)
        proofs.append(rows.select(*columns, key=rows.event_id, proof=ibis.literal("row")))
    return ibis.union(*proofs)


def _acceptances(told: ir.Table, accepted: str) -> ir.Table:
    told = told.filter(text_in(told.fields, "status") == accepted)
    return told.group_by(told_id="event_id").agg(
        requests=told.request_id.nunique(), told_entity=told.entity_id.min()
    )


def _identities(evidence: Evidence) -> list[ir.Table]:
    """The fields that ids and keys are made of, from every table that was captured."""
    columns = ("source", "event_type", "entity_id", "event_time_utc")
    tables = []
    for name in ("events", "dedupe"):
        if evidence.has(name):
            tables.append(evidence[name].select(*columns, key="event_id"))
    if evidence.has("raw"):
        objects = raw_objects(evidence)
        tables.append(
            objects.select(
                source=ibis.coalesce(objects.source, objects.key_source),
                event_type=ibis.coalesce(objects.event_type, objects.key_event_type),
                entity_id=objects.entity_id, event_time_utc=objects.event_time_utc,
                key=objects.rid,
            )
        )  # fmt: skip
    return tables
