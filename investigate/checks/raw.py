"""Checks of the raw objects: is every event still there, whole, once, and under its key?"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

from investigate.analysis.capture_scope import unkept_gap, unlisted_dates_gap
from investigate.analysis.objects import (
    first_ingest_gap,
    is_corrupt,
    keys_of_several_versions,
    objects_gap,
    of_several_objects,
    raw_objects,
    readable_objects,
    refuse_if_unnamed,
    rows_without_object,
    shown,
    unnamed_gap,
    with_deleted_versions,
    with_first_ingest,
)
from investigate.checks.registry import PartialRows, check
from investigate.engine import day_of, differ, is_day
from investigate.evidence import Evidence
from investigate.model import Severity, joined


@check(
    "raw/missing",
    Severity.ESCALATE,
    key="event_id",
    needs=("events",),
    whole=("raw",),
    found="{count} event{s} {have} an EventsTable row but no raw object under any key.",
    advice="No replay brings the payload back. Only if the rows of this finding have "
    "`deleted_versions` does the bucket keep versions: save that `version_id` first "
    "(`aws s3api get-object --version-id`), then the object can be restored from it. Look for a "
    "failed ingest request at the first arrival of one of them (`raw/ingest-failures`; ingest "
    "writes the dedupe row before the object, so a crash between the two leaves this), else for "
    "who deleted the object (CloudTrail), and get the events again from the producer or from a "
    "bucket copy.",
    avoid="Do not simply have them sent again: while an id has its dedupe row, ingest answers "
    "DUPLICATE and stores nothing. Do not delete the EventsTable rows; they are the only record "
    "of what was lost.",
)
def missing(evidence: Evidence) -> PartialRows:
    """Is there an event the index knows (EventsTable row with S3 references) whose raw object
    exists under no key?"""
    rows, reason = rows_without_object(evidence)
    rows = rows.filter(~rows.outlived, ~rows.unsure)
    refuse_if_unnamed(evidence, rows, "no object")
    return PartialRows(with_deleted_versions(evidence, _references(rows)), reason)


@check(
    "raw/expired",
    Severity.SUSPECT,
    key="event_id",
    needs=("events",),
    whole=("raw",),
    found="{count} EventsTable row{s} outlived {their} raw object, which the lifecycle rule took.",
    advice="Nobody lost these: objects expire and rows do not. Leave these events out of any "
    "replay, and give the EventsTable a TTL that matches the bucket's lifecycle if they are in "
    "the way.",
    avoid="Do not report these as data loss, and do not replay their window: each message would "
    "fail in the processor.",
)
def expired(evidence: Evidence) -> PartialRows:
    """Did the bucket's lifecycle rule take the raw object of a row that is still there?"""
    rows, reason = rows_without_object(evidence)
    rows = rows.filter(rows.outlived)
    refuse_if_unnamed(evidence, rows, "no object")
    return PartialRows(_references(rows), reason)


@check(
    "raw/corrupt",
    Severity.DANGEROUS,
    key="s3_key",
    needs=("raw",),
    ownerless=True,
    found="{count} raw object{s} {are} not a JSON object with the required fields.",
    advice="Read one with `aws s3api get-object` and see who wrote it: ingest writes the whole "
    "body in one request, so a broken one came from another writer, a migration or a manual "
    "upload. If the bucket keeps versions, an earlier version may be whole.",
    avoid="Do not replay these events: the processor drops what it cannot parse and reports "
    "success. Do not repair an object in place; keep the broken one as evidence.",
)
def corrupt(evidence: Evidence) -> PartialRows:
    """Is there a raw object that is not a JSON object with the required fields?"""
    objects = evidence.settled(raw_objects(evidence), "last_modified", "raw")
    broken = objects.filter(is_corrupt(objects))
    dated = is_day(broken.key_event_date)
    rows = broken.select(
        "error", "size", "last_modified", "entity_id",
        key=broken.s3_key,
        event_id=broken.rid,
        day=ibis.ifelse(dated, broken.key_event_date, ibis.null("string")),
    )  # fmt: skip
    return PartialRows(rows, objects_gap(evidence))


@check(
    "raw/payload-mismatch",
    Severity.DANGEROUS,
    key="event_id",
    needs=("raw",),
    found="{count} event{s} {have} a payload that no longer has the hash recorded at ingest.",
    advice="Somebody or something changed the data after it was accepted. Compare the object with "
    "the producer's copy, ask CloudTrail for PutObject on its key, and look at `raw/overwritten` "
    "for the same ids.",
    avoid="Do not correct the recorded hash to make this go away, and do not recompute aggregates "
    "from these objects until you know which payload is right.",
)
def payload_mismatch(evidence: Evidence) -> PartialRows:
    """Does the payload still have the hash that was recorded at ingest?"""
    objects = evidence.settled(readable_objects(evidence), "last_modified", "raw")
    changed = objects.filter(differ(objects.payload_sha, objects.payload_sha_actual))
    return PartialRows(
        shown(changed, recorded="payload_sha", actual="payload_sha_actual"), objects_gap(evidence)
    )


@check(
    "raw/id-mismatch",
    Severity.DANGEROUS,
    key="event_id",
    needs=("raw",),
    found="{count} raw object{s} disagree{_s} about {their} event id: key, body and recipe differ.",
    advice="Compare the three ids of a row. Key and body agree and the recipe does not: a field "
    "that the id is made of was edited, or ingest runs another recipe. The key differs: the "
    "object was copied or renamed.",
    avoid="Do not rename objects to the recomputed id: the EventsTable and the DedupeTable know "
    "the old one.",
)
def id_mismatch(evidence: Evidence) -> PartialRows:
    """Do the event id recomputed from the body (both recipes), the id in the body and the id in
    the key agree?"""
    objects = evidence.settled(readable_objects(evidence), "last_modified", "raw")
    in_key, in_body, recipe = objects.key_event_id, objects.event_id, objects.event_id_actual
    at_odds = objects.filter(
        differ(in_key, in_body) | differ(in_body, recipe) | differ(in_key, recipe)
    )
    rows = shown(
        at_odds, id_in_key="key_event_id", id_in_body="event_id", id_by_recipe="event_id_actual"
    )
    return PartialRows(rows, objects_gap(evidence))


@check(
    "raw/overwritten",
    Severity.DANGEROUS,
    key="event_id",
    needs=("raw",),
    ownerless=True,
    found="{count} raw object{s} {have} been written again after ingest.",
    advice="Raw data is meant to be written once, but nothing enforces it. Ask CloudTrail who "
    "called PutObject on the key at `last_modified`; compare with `raw/payload-mismatch`. To "
    "prevent it, write with If-None-Match: * and switch on versioning.",
    avoid="Do not delete either version, and do not take the newest for the right one.",
)
def overwritten(evidence: Evidence) -> PartialRows:
    """Was an object written again after its ingest time (or has more than one version)?"""
    objects = with_first_ingest(evidence)
    several = keys_of_several_versions(evidence)
    objects = objects.left_join(several, [("s3_key", "again_key")]).drop("again_key")
    objects = objects.mutate(versions=objects.versions.fill_null(1))
    objects = evidence.settled(objects, "last_modified", "raw")
    allowed = ibis.interval(seconds=evidence.thresholds.overwrite_seconds)
    again = (objects.last_modified > objects.ingested_by + allowed).fill_null(False)
    rows = objects.filter(again | (objects.versions > 1))
    others = objects.filter(~again & (objects.versions == 1))
    return PartialRows(
        rows.select(
            "s3_key", "first_ingest_utc", "last_modified", "versions", "event_time_utc",
            "entity_id", key=ibis.coalesce(rows.rid, rows.s3_key), event_id="rid",
        ),
        joined(first_ingest_gap(evidence, evidence.in_scope(others)), unkept_gap(evidence)),
    )  # fmt: skip


@check(
    "raw/duplicate-objects",
    Severity.DANGEROUS,
    key="event_id",
    needs=("raw",),
    ownerless=True,
    found="{count} event{s} {are} stored under more than one key.",
    advice="The same event was accepted twice, usually on two days (see `dedupe/reaccepted`), or "
    "an object was copied. The EventsTable row points at one of the keys only; take that one as "
    "the event and count the event once.",
    avoid="Do not delete the extra object before you have compared the two bodies, and do not sum "
    "over the bucket: the event would count twice.",
)
def duplicate_objects(evidence: Evidence) -> PartialRows:
    """Is one event stored under more than one key?"""
    several = _by_id(raw_objects(evidence).semi_join(of_several_objects(evidence), "rid"))
    several = several.filter(several.first_key != several.last_key)
    found = evidence.settled(several, "first_modified", "raw")
    elsewhere = unlisted_dates_gap(
        evidence, lambda: _by_id(raw_objects(evidence)).mutate(event_id="key")
    )
    return PartialRows(found, joined(unnamed_gap(evidence), elsewhere, unkept_gap(evidence)))


def _by_id(objects: ir.Table) -> ir.Table:
    objects = objects.filter(objects.rid.notnull())
    return objects.group_by(key=objects.rid).agg(
        distinct_keys=objects.s3_key.nunique(),
        first_key=objects.s3_key.min(),
        last_key=objects.s3_key.max(),
        first_modified=objects.last_modified.min(),
        event_time_utc=objects.event_time_utc.min(),
        entity_id=objects.entity_id.min(),
    )


@check(
    "raw/misplaced",
    Severity.SUSPECT,
    key="s3_key",
    needs=("raw",),
    ownerless=True,
    found="{count} raw object{s} {are} stored where {their} body does not belong.",
    advice="Whoever reads the bucket by partition (Athena, a backfill) misses these objects. See "
    "which part of the key differs from the body: a wrong date points at time handling, a wrong "
    "source or type at a copy.",
    avoid="Do not move the objects: the EventsTable points at the keys as they are.",
)
def misplaced(evidence: Evidence) -> PartialRows:
    """Does the key's partition (source, type, dates, hour) agree with the body?"""
    objects = evidence.settled(raw_objects(evidence), "last_modified", "raw")
    elsewhere = (
        differ(objects.key_source, objects.source)
        | differ(objects.key_event_type, objects.event_type)
        | differ(objects.key_event_date, day_of(objects.event_time_utc))
        | differ(objects.key_ingest_date, day_of(objects.ingest_time_utc))
        | differ(objects.key_hour, objects.event_time_utc.strftime("%H"))
    )
    rows = objects.filter(objects.key_event_id.isnull() | (objects.readable & elsewhere))
    return PartialRows(
        rows.select(
            "source", "event_type", "event_time", "ingest_time", "event_time_utc", "entity_id",
            key=rows.s3_key, event_id=rows.rid,
        ),
        objects_gap(evidence),
    )  # fmt: skip


def _references(rows: ir.Table) -> ir.Table:
    return rows.select(
        "sk", "status", "s3_key", "event_time_utc", "ingest_time_utc", "entity_id",
        key=rows.event_id,
    )  # fmt: skip
