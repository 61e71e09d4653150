"""Faults of raw objects: deleted, tampered with, corrupt, copied, moved, rewritten, expired."""

from __future__ import annotations

from datetime import timedelta

from investigate.sandbox.faults.registry import fault, with_in_raw_key
from investigate.sandbox.stories import Plot, Sent, Story, at, raw_body


@fault("raw-deleted-unprocessed")
def raw_deleted_unprocessed(plot: Plot) -> Story:
    """Objects are deleted before their day is processed."""
    *lost, _, _ = yield from plot.usual(10, 11, 5)
    yield at(10, "20:00")
    for sent in lost:
        plot.sandbox.delete_object(sent.s3_key)
        for code in ("raw/missing", "replay/would-fail", "processor/swallowed-errors"):
            plot.truth.add(code, sent.event_id)
    yield at(11, "02:30")
    plot.process(10, "partial")


@fault("raw-deleted-processed")
def raw_deleted_processed(plot: Plot) -> Story:
    """Objects are deleted after their day was processed."""
    lost, *_ = yield from plot.usual(10, 13, 4)
    yield at(11, "02:32")
    plot.process(10, "complete")
    yield at(11, "09:00")
    plot.sandbox.delete_object(lost.s3_key)
    plot.truth.add("raw/missing", lost.event_id)
    plot.truth.add("replay/would-fail", lost.event_id)


@fault("raw-tampered")
def raw_tampered(plot: Plot) -> Story:
    """Somebody changes an amount in a stored payload."""
    changed, *_ = yield from plot.usual(10, 14, 3)
    yield at(10, "21:00")
    payload = {**changed.request["payload"], "order": "none of yours"}
    plot.overwrite(changed, {**raw_body(plot, changed), "payload": payload})
    plot.truth.add("raw/payload-mismatch", changed.event_id)
    plot.truth.add("raw/overwritten", changed.event_id)
    yield at(11, "02:34")
    plot.process(10, "complete")


@fault("raw-id-tampered")
def raw_id_tampered(plot: Plot) -> Story:
    """Somebody changes the event id inside a stored object."""
    changed, *_ = yield from plot.usual(11, 14, 3)
    yield at(12, "02:36")
    plot.process(11, "complete")
    yield at(12, "09:10")
    plot.overwrite(changed, {**raw_body(plot, changed), "event_id": "f" * 64})
    plot.truth.add("raw/id-mismatch", changed.event_id)
    plot.truth.add("raw/overwritten", changed.event_id)


@fault("raw-corrupt")
def raw_corrupt(plot: Plot) -> Story:
    """Objects are overwritten with what is no event, before their day is processed."""
    text, listed, *_ = yield from plot.usual(10, 15, 4)
    yield at(10, "21:10")
    plot.sandbox.put_object(text.s3_key, b"<html>503 Slow Down</html>")
    plot.sandbox.put_object(listed.s3_key, b"[]")
    for sent in (text, listed):
        plot.truth.add("raw/corrupt", sent.s3_key)
        for code in ("raw/overwritten", "replay/would-fail", "processor/swallowed-errors"):
            plot.truth.add(code, sent.event_id)
    yield at(11, "02:38")
    plot.process(10, "partial")


@fault("raw-copied", unfit=with_in_raw_key("ingest_date"))
def raw_copied(plot: Plot) -> Story:
    """A restore puts a second copy of an object under another day's key."""
    original, *_ = yield from plot.usual(10, 16, 3)
    yield at(11, "02:40")
    plot.process(10, "complete")
    yield at(12, "09:20")
    copy = _key(plot, original, original.event_time, "2026-03-12T09:20:00Z")
    plot.overwrite(original, raw_body(plot, original), key=copy)
    plot.truth.add("raw/misplaced", copy)
    plot.truth.add("raw/duplicate-objects", original.event_id)
    plot.truth.add("raw/overwritten", original.event_id)


@fault("raw-misplaced", unfit=with_in_raw_key("hour"))
def raw_misplaced(plot: Plot) -> Story:
    """Objects are moved to keys that disagree with them, or have no layout at all."""
    moved, strange, *_ = yield from plot.usual(11, 16, 4)
    yield at(12, "02:42")
    plot.process(11, "complete")
    yield at(12, "09:30")
    hour = _key(plot, moved, "2026-03-11T06:03:00Z", moved.event_time)
    rescued = f"{plot.sandbox.names.raw_prefix}rescued/{strange.event_id}.json"
    for sent, key in ((moved, hour), (strange, rescued)):
        plot.overwrite(sent, raw_body(plot, sent), key=key)
        plot.sandbox.delete_object(sent.s3_key)
        plot.truth.add("raw/misplaced", key)
        for code in ("raw/overwritten", "events/dangling-key", "replay/would-fail"):
            plot.truth.add(code, sent.event_id)


@fault("raw-rewritten")
def raw_rewritten(plot: Plot) -> Story:
    """A backfill writes objects again, with the same content."""
    again = yield from plot.usual(11, 18, 2)
    yield at(12, "09:40")
    for sent in again:
        plot.overwrite(sent, raw_body(plot, sent))
        plot.truth.add("raw/overwritten", sent.event_id)


@fault("raw-expired")
def raw_expired(plot: Plot) -> Story:
    """Bookings made a quarter ago for these days: their objects have expired (D19)."""
    yield at(11, "12:00") - timedelta(days=96)
    booking = plot.send(plot.event(at(11, "12:00"), event_type="booking"))
    yield at(11, "12:00") - timedelta(days=4)
    plot.sandbox.delete_object(booking.s3_key)  # as the lifecycle rule does
    plot.truth.add("raw/expired", booking.event_id)
    plot.truth.add("replay/would-fail", booking.event_id)


def _key(plot: Plot, sent: Sent, event_time: str, ingest_time: str) -> str:
    """Return the key that an event would have with other times."""
    source, event_type = sent.request["source"], sent.request["event_type"]
    return plot.design.raw_key(source, event_type, event_time, ingest_time, sent.event_id)
