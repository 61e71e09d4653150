"""Faults of raw objects: deleted, tampered with, corrupt, copied, moved, rewritten, expired."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from investigate.sandbox.faults.registry import fault
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
    _write(plot, changed, {**raw_body(plot, changed), "payload": {"order": "none of yours"}})
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
    _write(plot, changed, {**raw_body(plot, changed), "event_id": "f" * 64})
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


@fault("raw-copied")
def raw_copied(plot: Plot) -> Story:
    """A restore puts a second copy of an object under another day's key."""
    original, *_ = yield from plot.usual(10, 16, 3)
    yield at(11, "02:40")
    plot.process(10, "complete")
    yield at(12, "09:20")
    copy = original.s3_key.replace("/ingest_date=2026-03-10/", "/ingest_date=2026-03-12/")
    _write(plot, original, raw_body(plot, original), key=copy)
    plot.truth.add("raw/misplaced", copy)
    plot.truth.add("raw/duplicate-objects", original.event_id)
    plot.truth.add("raw/overwritten", original.event_id)


@fault("raw-misplaced")
def raw_misplaced(plot: Plot) -> Story:
    """Objects are moved to keys that disagree with them, or have no layout at all."""
    moved, strange, *_ = yield from plot.usual(11, 16, 4)
    yield at(12, "02:42")
    plot.process(11, "complete")
    yield at(12, "09:30")
    hour = moved.s3_key.replace("/hour=16/", "/hour=06/")
    for sent, key in ((moved, hour), (strange, f"raw/rescued/{strange.event_id}.json")):
        _write(plot, sent, raw_body(plot, sent), key=key)
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
        _write(plot, sent, raw_body(plot, sent))
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


def _write(plot: Plot, sent: Sent, body: dict[str, Any], *, key: str | None = None) -> None:
    plot.sandbox.put_object(key or sent.s3_key, json.dumps(body).encode())
