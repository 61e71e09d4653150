"""Raw objects by the id the index can know, and the rows that point at them."""

from __future__ import annotations

from datetime import timedelta

import ibis
import ibis.expr.types as ir

from investigate.analysis.arrivals import with_arrival
from investigate.analysis.capture_scope import unkept_gap, within_reach
from investigate.analysis.known_ids import raw_id
from investigate.engine import blank
from investigate.errors import NotEvaluable
from investigate.evidence import Evidence, timestamp
from investigate.model import counted, joined
from investigate.pipeline import CONTENT_ERRORS, GONE

_FIRST_WORD = "^([a-z0-9-]+)"


def raw_objects(evidence: Evidence) -> ir.Table:
    """Return every raw object with `rid`, the id in its key, else the one in its body; what was
    deleted is none."""
    return evidence.view("raw_objects", _with_ids)


def _with_ids(evidence: Evidence) -> ir.Table:
    raw = evidence["raw"]
    word = raw.error.fill_null("").re_extract(_FIRST_WORD, 1)
    raw = raw.filter(~word.isin(GONE))
    return raw.mutate(rid=raw_id(raw), readable=raw.readable.fill_null(False))


def with_deleted_versions(evidence: Evidence, rows: ir.Table) -> ir.Table:
    """Return offending rows, by event id, with what a bucket that keeps versions still has of
    their deleted object: `deleted_versions`, the `version_id` of the newest and `deleted_utc`, the
    time of its delete marker. Where nothing was deleted the rows have no such columns."""
    if not evidence.fact("deleted", _count_deleted, of_whole_case=True):
        return rows
    deleted = _deleted(evidence)
    deleted = deleted.mutate(rid=raw_id(deleted), marker=blank(deleted.etag))
    newest = ibis.row_number().over(
        group_by=["rid", "marker"], order_by=[ibis.desc("last_modified"), ibis.desc("version_id")]
    )
    ranked = deleted.mutate(place=newest)
    versions = ranked.group_by(deleted_id=ranked.rid).agg(
        deleted_versions=(~ranked.marker & ranked.version_id.notnull()).sum(),
        version_id=ranked.version_id.max(where=~ranked.marker & (ranked.place == 0)),
        deleted_utc=ranked.last_modified.max(where=ranked.marker),
    )
    return rows.left_join(versions, rows.key == versions.deleted_id).drop("deleted_id")


def _deleted(evidence: Evidence) -> ir.Table:
    raw = evidence["raw"]
    return raw.filter((raw.error == "deleted").fill_null(False))


def _count_deleted(evidence: Evidence) -> int:
    return evidence.engine.count(_deleted(evidence))


def readable_objects(evidence: Evidence) -> ir.Table:
    """Return the raw objects whose body could be read, with `rid`."""
    return evidence.view("readable_objects", _readable)


def _readable(evidence: Evidence) -> ir.Table:
    objects = raw_objects(evidence)
    return objects.filter(objects.readable)


def shown(objects: ir.Table, **others: str) -> ir.Table:
    """Return raw objects as offending rows, with some of their columns under other names."""
    return objects.select(
        "s3_key", "last_modified", "event_time_utc", "entity_id",
        key=objects.rid, **{name: objects[column] for name, column in others.items()},
    )  # fmt: skip


def is_corrupt(objects: ir.Table) -> ir.BooleanValue:
    """Return whether an object was fetched and does not hold what a raw object must hold."""
    word = objects.error.re_extract(_FIRST_WORD, 1)
    return ~objects.readable & word.isin(CONTENT_ERRORS).fill_null(False)


def unfetched_gap(evidence: Evidence) -> str:
    """Say in words how many raw objects nobody could look into; empty if there are none."""
    count = evidence.fact("unseen_objects", _count_unseen, of_whole_case=True)
    return f"raw: {count:,} objects could not be fetched" if count else ""


def _count_unseen(evidence: Evidence) -> int:
    return evidence.engine.count(unfetched_objects(evidence))


def unfetched_objects(evidence: Evidence) -> ir.Table:
    """Return the raw objects that are there and could not be fetched."""
    objects = raw_objects(evidence)
    return objects.filter(~objects.readable & ~is_corrupt(objects))


def objects_gap(evidence: Evidence) -> str:
    """Say in words which raw objects nobody looked into: not fetched, or left out by the scope;
    empty if there can be none."""
    return joined(unfetched_gap(evidence), unkept_gap(evidence))


def unnamed_gap(evidence: Evidence) -> str:
    """Say in words how many raw objects may be of any event, as neither their key nor their body
    told an id; empty if there are none."""
    if not unfetched_gap(evidence):
        return ""
    count = evidence.fact("unnamed_objects", _count_unnamed, of_whole_case=True)
    what = f"{counted(count, 'object')} that could not be fetched"
    return f"raw: {what} may be of any event" if count else ""


def _count_unnamed(evidence: Evidence) -> int:
    objects = unfetched_objects(evidence)
    return int(evidence.engine.scalar(objects.rid.isnull().sum()) or 0)


def has_refs(rows: ir.Table) -> ir.BooleanValue:
    """Return whether a row says where its raw object is: neither bucket nor key null or empty."""
    return ~blank(rows.s3_bucket) & ~blank(rows.s3_key)


def is_sendable(rows: ir.Table) -> ir.BooleanValue:
    """Return whether a replay sends a row: it has refs, and an id, without which its message would
    name no event."""
    return has_refs(rows) & ~blank(rows.event_id)


def pointing_rows(evidence: Evidence) -> ir.Table:
    """Return the EventsTable rows that have an event id and say where the raw object is."""
    return evidence.view("pointing_rows", _with_refs)


def _with_refs(evidence: Evidence) -> ir.Table:
    events = evidence["events"].drop("attributes")
    return events.filter(is_sendable(events))


def pointing_nowhere(evidence: Evidence) -> tuple[ir.Table, str]:
    """Return the rows that point at a raw object although none has their id, in its key or in its
    body, and none stands under the key they name; and why others may do so."""
    objects = raw_objects(evidence)
    rows = without_their_key(evidence)
    rows = rows.anti_join(ids_of(objects), [("event_id", "object_id")])
    return within_reach(evidence, rows)


def without_their_key(evidence: Evidence) -> ir.Table:
    """Return the pointing rows under whose `s3_key` no raw object stands."""
    return evidence.derived("rows_without_their_key", _without_their_key)


def _without_their_key(evidence: Evidence) -> ir.Table:
    keys = raw_objects(evidence).select(object_key="s3_key")
    return pointing_rows(evidence).anti_join(keys, [("s3_key", "object_key")])


def ids_of(objects: ir.Table) -> ir.Table:
    """Return (object_id, s3_key) of raw objects, by the id in their key and by that in their body
    if it is another."""
    in_body = objects.filter(objects.readable & objects.event_id.notnull())
    in_body = in_body.filter(~in_body.event_id.identical_to(in_body.rid))
    known = objects.select("s3_key", object_id="rid")
    return known.union(in_body.select("s3_key", object_id="event_id"))


def refuse_if_unnamed(evidence: Evidence, rows: ir.Table, what: str) -> None:
    """Raise `NotEvaluable` if there are such rows in scope and an object without a known id may
    be theirs."""
    reason = unnamed_gap(evidence)
    count = evidence.engine.count(evidence.in_scope(rows)) if reason else 0
    if count:
        raise NotEvaluable(f"{what} was found for {counted(count, 'event')}, but {reason}")


def with_lifecycle(evidence: Evidence, rows: ir.Table) -> ir.Table:
    """Add to rows of the index whether the bucket's lifecycle rule has taken their object
    (`outlived`; unknown age: no), and whether it may have (`unsure`): a refusal has overwritten the
    time of the first arrival (D1), and nothing else remembers it."""
    limits = evidence.thresholds
    oldest = evidence.case.captured_at - timedelta(days=limits.raw_lifetime_days)
    rows = with_arrival(evidence, rows)
    outlived = (rows.arrived_utc <= timestamp(oldest)).fill_null(False)
    refused_by = oldest + timedelta(days=limits.dedupe_lifetime_days)
    alone = (rows.status == evidence.design.duplicate) & (rows.arrived_utc == rows.ingest_time_utc)
    unsure = (alone & (rows.arrived_utc <= timestamp(refused_by))).fill_null(False)
    return rows.mutate(outlived=outlived, unsure=unsure & ~outlived)


def rows_without_object(evidence: Evidence) -> tuple[ir.Table, str]:
    """Return the settled rows of `pointing_nowhere` as `with_lifecycle` does, and why others may be
    among them or not."""
    rows, reason = pointing_nowhere(evidence)

    def aged(known: Evidence) -> ir.Table:
        return with_lifecycle(known, known.settled(rows, "ingest_time_utc", "raw"))

    lost = evidence.derived("rows_without_object", aged)
    return lost, joined(reason, _unsure_of_lifecycle(evidence, lost))


def _unsure_of_lifecycle(evidence: Evidence, rows: ir.Table) -> str:
    """Say in words how many rows of `with_lifecycle` are unsure; empty if none is."""
    count = evidence.engine.count(evidence.in_scope(rows.filter(rows.unsure)))
    what = counted(count, "refused event")
    return f"when {what} first arrived is unknown: their objects may have expired" if count else ""


def of_several_objects(evidence: Evidence) -> ir.Table:
    """Return the ids (rid) that more than one raw object has."""
    return evidence.derived("ids_of_several_objects", _of_several_objects)


def _of_several_objects(evidence: Evidence) -> ir.Table:
    objects = raw_objects(evidence)
    counts = objects.group_by("rid").agg(many=objects.count())
    return counts.filter((counts.many > 1) & counts.rid.notnull()).select("rid")


def keys_of_several_versions(evidence: Evidence) -> ir.Table:
    """Return (again_key, versions) of the keys under which more than one version stands."""
    return evidence.derived("keys_of_several_versions", _keys_of_several_versions)


def _keys_of_several_versions(evidence: Evidence) -> ir.Table:
    objects = raw_objects(evidence)
    # A key that tells an id tells the same of each of its versions.
    again = objects.filter(objects.key_event_id.notnull())
    again = again.semi_join(of_several_objects(evidence), "rid")
    again = again.union(objects.filter(objects.key_event_id.isnull()))
    counts = again.group_by(again_key="s3_key").agg(versions=again.count())
    return counts.filter(counts.versions > 1)


def with_first_ingest(evidence: Evidence) -> ir.Table:
    """Return raw objects with `first_ingest_utc`: the time in the body, else the gate's, else that
    of an accepted row that points at it; and `ingested_by`, no later than any row's time."""
    objects = raw_objects(evidence)
    objects = objects.select(
        "rid", "s3_key", "last_modified", "event_time_utc", "entity_id",
        first_ingest_utc=objects.readable.ifelse(objects.ingest_time_utc, ibis.null("timestamp")),
    )  # fmt: skip
    # Nearly every body tells; the other stores are asked only about those that do not.
    told = objects.filter(objects.first_ingest_utc.notnull())
    untold = _told_elsewhere(evidence, objects.filter(objects.first_ingest_utc.isnull()))
    told = told.mutate(ingested_by=told.first_ingest_utc)
    return told.union(untold.select(*told.columns).cast(told.schema()))


def _told_elsewhere(evidence: Evidence, objects: ir.Table) -> ir.Table:
    if evidence.has("dedupe"):
        gate = evidence["dedupe"].select(gate_id="event_id", gate_utc="first_seen_utc")
        joined = objects.left_join(gate, [("rid", "gate_id")])
        first = joined.first_ingest_utc.fill_null(joined.gate_utc)
        objects = joined.mutate(first_ingest_utc=first).drop("gate_id", "gate_utc")
    if not evidence.has("events"):
        return objects.mutate(ingested_by=objects.first_ingest_utc)
    rows = evidence["events"]
    # A duplicate's row has the time of the duplicate.
    accepted = rows.status == evidence.design.accepted
    rows = rows.semi_join(objects.select(object_key="s3_key"), [("s3_key", "object_key")])
    told = rows.group_by(row_id="event_id", row_key="s3_key").agg(
        accepted_utc=rows.ingest_time_utc.min(where=accepted), row_utc=rows.ingest_time_utc.min()
    )
    joined = objects.left_join(told, [("rid", "row_id"), ("s3_key", "row_key")])
    first = joined.first_ingest_utc.fill_null(joined.accepted_utc)
    return joined.mutate(
        first_ingest_utc=first, ingested_by=ibis.coalesce(first, joined.row_utc)
    ).drop("row_id", "row_key", "accepted_utc", "row_utc")


def first_ingest_gap(evidence: Evidence, objects: ir.Table) -> str:
    """Say in words for how many of these objects no first ingest is known; empty if for none."""
    count = evidence.engine.count(objects.filter(objects.first_ingest_utc.isnull()))
    return f"raw: the first ingest of {count:,} objects is not known" if count else ""
