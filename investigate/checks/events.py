"""Checks of the EventsTable: does the index know every event, once, and as it is stored?"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from investigate.analysis.capture_scope import (
    ambiguous_ids_gap,
    key_in_reach,
    unkept_gap,
    unlisted_dates_gap,
)
from investigate.analysis.duplicates import duplicates, semantic_duplicates
from investigate.analysis.objects import (
    has_refs,
    ids_of,
    raw_objects,
    readable_objects,
    shown,
    unfetched_gap,
    unnamed_gap,
    without_their_key,
)
from investigate.checks.registry import PartialRows, check
from investigate.engine import blank, day_of, differ, filled
from investigate.errors import NotEvaluable
from investigate.evidence import Evidence
from investigate.model import Severity, joined


@check(
    "events/missing-row",
    Severity.DANGEROUS,
    key="event_id",
    needs=("raw",),
    whole=("events",),
    found="{count} raw object{s} {are} unknown to the EventsTable.",
    advice="Ingest died between the object and the row, or the row was deleted or throttled. No "
    "replay can find these events, so they are missing from the aggregates without an error. Look "
    "for the failed ingest request at the object's time. The producer sending the event again "
    "heals it: the duplicate writes the row.",
    avoid="Do not write rows by hand before the sort key and the S3 key were checked against the "
    "recipe, and do not upload the object again.",
)
def missing_row(evidence: Evidence) -> PartialRows:
    """Is there a readable raw object that no EventsTable row knows?"""
    if reason := unkept_gap(evidence):
        raise NotEvaluable(reason)
    objects = evidence.settled(readable_objects(evidence), "last_modified", "events")
    events = evidence["events"]
    unknown = objects.anti_join(events.select(row_id="event_id"), [("rid", "row_id")])
    unknown = unknown.anti_join(events.select(row_key="s3_key"), [("s3_key", "row_key")])
    return PartialRows(
        shown(unknown, source="source", event_time="event_time"), unfetched_gap(evidence)
    )


@check(
    "events/dangling-key",
    Severity.DANGEROUS,
    key="event_id",
    needs=("events",),
    whole=("raw",),
    found="{count} row{s} point{_s} at a key that does not exist; the object is under another.",
    advice="A duplicate on a later day overwrote the row with a key that was never written. The "
    "object is at `existing_key`. The key can be computed too: the same layout with the ingest "
    "date of the dedupe row's first_seen_ingest_time. Correct the row's s3_key before any replay.",
    avoid="Do not replay these events as they are: the processor cannot load them and reports "
    "success, so they vanish. Do not copy the object to the wrong key; that makes two of it.",
)
def dangling_key(evidence: Evidence) -> PartialRows:
    """Does a row point at a key that does not exist, while the raw object exists under another?"""
    objects = raw_objects(evidence)
    lost = evidence.settled(without_their_key(evidence), "ingest_time_utc", "raw")
    known = ids_of(objects)
    known = known.semi_join(lost.select(lost_id="event_id"), [("object_id", "lost_id")])
    there = known.group_by("object_id").agg(existing_key=known.s3_key.min())
    found = lost.filter(key_in_reach(evidence, lost)).join(there, [("event_id", "object_id")])
    shown_rows = _rows(found, "s3_key", "existing_key", "status", key=found.event_id)
    elsewhere = unlisted_dates_gap(evidence, lambda: lost.anti_join(found, "event_id"))
    return PartialRows(shown_rows, joined(unnamed_gap(evidence), elsewhere))


@check(
    "events/payload-conflict",
    Severity.DANGEROUS,
    key="event_id",
    needs=("events", "raw"),
    found="{count} event{s} {have} a row and a raw object with different payload hashes.",
    advice="One idempotency key was used for two different payloads: the gate took the first, and "
    "the row now describes the second. Show both hashes to the producer and ask which is meant; "
    "the raw object holds the accepted payload, the other one was never stored.",
    avoid="Do not treat these as duplicates, and do not trust the row's payload_sha: an aggregate "
    "computed from it cannot be reproduced from the objects.",
)
def payload_conflict(evidence: Evidence) -> PartialRows:
    """Do row and raw object of one event id carry different payload hashes (an idempotency key
    reused for other data)?"""
    rows = evidence.settled(evidence["events"], "ingest_time_utc", "events", "raw")
    stored = readable_objects(evidence).select(
        "rid", stored_key="s3_key", hash_in_object="payload_sha"
    )
    pairs = rows.join(stored, [("event_id", "rid")])
    found = pairs.filter(differ(pairs.payload_sha, pairs.hash_in_object))
    found = found.mutate(hash_in_row="payload_sha")
    shown_rows = _rows(
        found, "status", "hash_in_row", "hash_in_object", "stored_key", key=found.event_id
    )
    elsewhere = unlisted_dates_gap(evidence, lambda: rows.anti_join(found, "event_id"))
    return PartialRows(shown_rows, joined(unfetched_gap(evidence), elsewhere))


@check(
    "events/reused-id",
    Severity.DANGEROUS,
    key="event_id",
    needs=("events",),
    found="{count} event id{s} stand{_s} on more than one row.",
    advice="The rows differ in entity or event time, so the id was made from an idempotency key "
    "that the producer used again, or from fields whose delimiters collide (`dedupe/collision-"
    "risk`). Only the first was stored; ask the producer for the others under new keys.",
    avoid="Do not delete one of the rows: they are the only trace of the events that were refused. "
    "A replay sends one message for the id, whichever row sorts first.",
)
def reused_id(evidence: Evidence) -> PartialRows:
    """Does one event id stand on more than one row?"""
    events = evidence["events"]
    events = events.filter(~blank(events.event_id))
    counts = events.group_by(several_id="event_id").agg(rows_of_id=events.sk.count())
    several = counts.filter(counts.rows_of_id > 1)
    rows = events.inner_join(several, events.event_id == several.several_id).drop("several_id")
    found = evidence.settled(rows, "ingest_time_utc", "events")
    shown_rows = _rows(found, "pk", "rows_of_id", "status", "payload_sha", key=found.event_id)
    return PartialRows(shown_rows, ambiguous_ids_gap(evidence))


@check(
    "events/unreplayable",
    Severity.DANGEROUS,
    key="event_id, else sk",
    needs=("events",),
    found="{count} row{s} lack{_s} an event id, a bucket or a key, so no replay sends them.",
    advice="See who wrote these rows: ingest writes all three. If the raw object exists, fill in "
    "the reference (the key follows from the row's own fields); then the next replay takes it up.",
    avoid="Do not take a replay's `sent` for the number of events: it leaves these rows out "
    "without a word.",
)
def unreplayable(evidence: Evidence) -> ir.Table:
    """Does a row lack event_id, s3_bucket or s3_key?"""
    rows = evidence.settled(evidence["events"], "ingest_time_utc", "events")
    found = rows.filter(blank(rows.event_id) | ~has_refs(rows))
    key = found.event_id.nullif("").fill_null(found.sk)
    return _rows(found, "pk", "status", "s3_bucket", "s3_key", key=key)


@check(
    "events/key-mismatch",
    Severity.SUSPECT,
    key="sk",
    needs=("events",),
    found="{count} row{s} {have} keys that do not follow from {their} own attributes.",
    advice="Compare each key with the expected one. A wrong sort key puts the event in another "
    "place of a replay's window; a wrong index key hides it from lag queries. Find the writer: "
    "ingest makes both from the same fields.",
    avoid="Do not update the attributes to fit the key. A key cannot be changed in place either: "
    "it takes a new row and a delete, so plan it.",
)
def key_mismatch(evidence: Evidence) -> ir.Table:
    """Do PK, SK and the index keys agree with the row's own attributes?"""
    rows = evidence.settled(evidence["events"], "ingest_time_utc", "events")
    rows, design = rows.mutate(day=day_of(rows.event_time_utc)), evidence.design
    rows = rows.mutate(
        expected_pk=filled(design.pk_layout, rows),
        expected_sk=filled(design.sk_layout, rows),
        expected_gsi1pk=filled(design.gsi1pk_layout, rows),
        expected_gsi1sk=filled(design.gsi1sk_layout, rows),
    )
    keys = ("pk", "sk", "gsi1pk", "gsi1sk")
    wrong = [differ(rows[name], rows[f"expected_{name}"]) for name in keys]
    found = rows.filter(ibis.or_(*wrong))
    pairs = [column for name in keys for column in (name, f"expected_{name}")]
    return _rows(found, *(name for name in pairs if name != "sk"), key=found.sk)


@check(
    "events/unknown-status",
    Severity.SUSPECT,
    key="sk",
    needs=("events",),
    found="{count} row{s} {have} a status that ingest never writes.",
    advice="Ingest writes ACCEPTED or DUPLICATE. Another value comes from another version of "
    "ingest, a migration or a manual edit: compare the rows' ingest times with the deployments.",
    avoid="Do not filter a replay by status; it does not, and neither must a repair.",
)
def unknown_status(evidence: Evidence) -> ir.Table:
    """Is the status anything but ACCEPTED or DUPLICATE?"""
    rows = evidence.settled(evidence["events"], "ingest_time_utc", "events")
    found = rows.filter(~rows.status.isin(evidence.design.statuses).fill_null(False))
    return _rows(found, "pk", "event_id", "status", key=found.sk)


@check(
    "events/duplicate",
    Severity.EXPECTED,
    key="event_id",
    needs=("events", "raw"),
    found="{count} event{s} {have} been sent again with the same payload, and refused.",
    advice="The gate did its work. Look at `made_by`: client retries after a timeout ask for a "
    "faster ingest or a longer client timeout; an upstream replay asks who replayed and why; many "
    "late repeats ask for the producer's own dedupe.",
    avoid="Do not delete rows of status DUPLICATE: each has overwritten the ACCEPTED row of the "
    "same event and is the only one left.",
)
def duplicate(evidence: Evidence) -> PartialRows:
    """Which events were refused as duplicates of the same payload, and what made them (client
    retry, timeout, upstream replay)?"""
    rows = evidence.settled(duplicates(evidence), "ingest_time_utc", "events", "raw")
    found = _rows(
        rows, "made_by", "gap_seconds", "arrived_utc", "source", "event_type", key=rows.event_id
    )
    return PartialRows(found, unfetched_gap(evidence))


@check(
    "events/semantic-duplicate",
    Severity.SUSPECT,
    key="event_id",
    needs=("events",),
    found="{count} event{s} repeat{_s} another id's payload for the same entity within seconds.",
    advice="It looks like a double click or a retry under a new idempotency key: a double charge, "
    "if the payload is one. The gate cannot see it, since ids differ. Show both ids to the "
    "producer; to prevent it, the client must reuse one key for one intent.",
    avoid="Do not delete or reverse one of them on this evidence alone: two equal orders can be "
    "meant.",
)
def semantic_duplicate(evidence: Evidence) -> ir.Table:
    """Did the same entity, type and payload arrive again within seconds under another id (a
    double charge)?"""
    found = evidence.settled(semantic_duplicates(evidence), "ingest_time_utc", "events")
    return _rows(
        found, "earlier_event_id", "earlier_utc", "source", "event_type", "payload_sha",
        key=found.event_id,
    )  # fmt: skip


def _rows(rows: ir.Table, *columns: str, key: ir.StringValue) -> ir.Table:
    return rows.select("sk", "event_time_utc", "ingest_time_utc", "entity_id", *columns, key=key)
