from __future__ import annotations

import json
from datetime import timedelta

import pytest

from investigate.aws import Body, Listed
from investigate.capture import listings, raw, raw_rows, readers, tables
from investigate.errors import AccessError
from tests.builders import Event, at
from tests.capture.helpers import coverage, loaded, refuse, rows_of, source_of

EVENTS = [Event(name, when=at(hour)) for hour, name in enumerate("abcde")]


def store(world, *events):
    for event in events:
        world.put_object(event.s3_key, json.dumps(event.body).encode())


DATES = "event dates 2026-03-09 to 2026-03-11 only"


def read(source):
    (captured,) = raw.read(source)
    return loaded(source, captured)


def by_key(captured):
    return {row["s3_key"]: row for row in rows_of(captured)}


def test_every_object_is_listed_and_read(world):
    store(world, *EVENTS)
    captured = read(source_of(world))
    assert coverage(captured) == ("captured", DATES)
    rows = by_key(captured)
    assert set(rows) == {event.s3_key for event in EVENTS}
    row = rows[EVENTS[0].s3_key]
    assert (row["key_event_id"], row["event_id"]) == (EVENTS[0].id, EVENTS[0].id)
    assert (row["key_source"], row["key_event_type"]) == ("web", "order")
    assert (row["key_event_date"], row["key_ingest_date"]) == ("2026-03-10", "2026-03-10")
    assert row["key_hour"] == "00"
    assert row["last_modified"] == world.clock.now()
    assert row["size"] == len(json.dumps(EVENTS[0].body))
    assert len(row["etag"]) == 32
    assert row["version_id"] is None


def test_the_rows_come_in_the_order_of_the_list_whichever_was_read_first(world):
    store(world, *EVENTS)
    first = [row["s3_key"] for row in rows_of(read(source_of(world)))]
    assert first == sorted(first)
    assert first == [row["s3_key"] for row in rows_of(read(source_of(world)))]


def test_more_objects_than_a_page_holds_are_all_listed(world, monkeypatch):
    monkeypatch.setattr(
        raw_rows,
        "row_of",
        lambda entry, body, layout, patience: {"s3_key": entry.key, "readable": True},
    )
    for number in range(1005):
        world.put_object(f"raw/{number:04d}", b"{")
    assert len(rows_of(read(source_of(world)))) == 1005


def test_a_key_without_the_layout_has_no_parts_and_is_read_all_the_same(world):
    world.put_object("raw/elsewhere.json", json.dumps(EVENTS[0].body).encode())
    (row,) = rows_of(read(source_of(world)))
    assert (row["key_event_id"], row["key_hour"]) == (None, None)
    assert row["event_id"] == EVENTS[0].id


def test_only_the_prefix_is_read_and_the_consoles_folders_are_no_objects(world):
    store(world, EVENTS[0])
    world.put_object("other/x.json", b"{}")
    world.put_object("raw/", b"")
    world.put_object("raw/empty.json", b"")
    rows = by_key(read(source_of(world)))
    assert set(rows) == {EVENTS[0].s3_key, "raw/empty.json"}
    assert rows["raw/empty.json"]["error"].startswith("not-json")


def test_an_unreadable_body_is_a_row_that_says_why_and_the_table_is_whole(world):
    store(world, EVENTS[0])
    world.put_object(EVENTS[1].s3_key, b"\xff")
    captured = read(source_of(world))
    assert coverage(captured) == ("captured", DATES)
    row = by_key(captured)[EVENTS[1].s3_key]
    assert (row["readable"], row["error"]) == (False, "not-utf8 (byte 0)")
    assert row["key_event_id"] == EVENTS[1].id


def test_without_payloads_no_payload_is_kept(world):
    store(world, *EVENTS)
    captured = read(source_of(world, payloads=False))
    assert {row["payload"] for row in rows_of(captured)} == {None}


@pytest.mark.parametrize(
    ("code", "error", "status"),
    [
        ("AccessDenied", "denied (AccessDenied)", "partial"),
        ("InvalidObjectState", "archived", "partial"),
        ("InternalError", "failed (InternalError)", "partial"),
        ("NoSuchKey", "gone", "captured"),
    ],
)
def test_an_object_that_cannot_be_read_is_a_row_and_the_coverage_counts_it(
    world, code, error, status
):
    missing = " (s3:GetObject, s3:GetObjectVersion of a version, kms:Decrypt of a key)"
    store(world, *EVENTS)
    source = source_of(world)
    refuse(source.connection, "s3", "GetObject", code, lambda asked: EVENTS[2].id in asked["url"])
    captured = read(source)
    row = by_key(captured)[EVENTS[2].s3_key]
    assert (row["readable"], row["error"]) == (False, error)
    word = error.split(" ")[0]
    assert coverage(captured) == (
        status,
        f"{DATES}; of 5 objects could not be read: 1 {word}{missing if word == 'denied' else ''}",
    )


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidAccessKeyId"])
def test_credentials_that_stop_working_end_the_reading_of_the_table(world, code):
    store(world, *EVENTS)
    source = source_of(world)
    refuse(source.connection, "s3", "GetObject", code)
    with pytest.raises(AccessError):
        raw.read(source)


def test_a_silent_endpoint_is_asked_only_so_often():
    patience = readers.Patience(2)
    silent = AccessError("s3:GetObject: timed out", kind="unreachable", code="ReadTimeoutError")
    patience.spend(silent)
    patience.spend(AccessError("s3:GetObject: no", kind="denied", code="AccessDenied"))
    patience.spend(silent)
    with pytest.raises(AccessError):
        patience.spend(silent)


def test_an_object_far_larger_than_ingest_can_write_is_not_loaded(world, monkeypatch):
    store(world, EVENTS[0])
    monkeypatch.setattr(raw_rows, "LARGEST_BODY", 10)
    captured = read(source_of(world))
    (row,) = rows_of(captured)
    assert row["error"] == f"failed ({row['size']} bytes)"
    assert captured.coverage.status == "partial"


def test_every_version_is_a_row_and_those_of_a_deleted_object_say_so(world):
    world.clients.s3.put_bucket_versioning(
        Bucket=world.names.raw_bucket, VersioningConfiguration={"Status": "Enabled"}
    )
    store(world, EVENTS[0], EVENTS[1], EVENTS[1], EVENTS[2])
    world.clock.move_to(world.clock.now() + timedelta(seconds=1))
    world.delete_object(EVENTS[2].s3_key)
    rows = rows_of(read(source_of(world)))
    existing = [row["s3_key"] for row in rows if row["readable"]]
    assert sorted(existing) == sorted([EVENTS[0].s3_key, EVENTS[1].s3_key, EVENTS[1].s3_key])
    assert len({row["version_id"] for row in rows}) == 5
    deleted = [row for row in rows if not row["readable"]]
    assert [(row["s3_key"], row["error"]) for row in deleted] == [(EVENTS[2].s3_key, "deleted")] * 2
    assert max(row["last_modified"] for row in deleted) == world.clock.now()


def test_an_unknown_versioning_is_said_and_the_objects_are_read(world):
    store(world, EVENTS[0])
    source = source_of(world)
    refuse(source.connection, "s3", "GetBucketVersioning", "AccessDenied")
    captured = read(source)
    assert len(rows_of(captured)) == 1
    assert coverage(captured) == (
        "captured",
        f"{DATES}; earlier versions were not looked for: "
        "AccessDenied: s3:GetBucketVersioning of demo-raw",
    )


def test_an_object_written_between_list_and_read_is_described_as_it_was_read(world, monkeypatch):
    store(world, EVENTS[0])
    source = source_of(world)
    days = ("2026-03-01", "2026-03-31")
    listed = list(listings.BucketListing(source).entries(days, ""))
    world.clock.move_to(world.clock.now() + timedelta(hours=1))
    world.put_object(EVENTS[0].s3_key, b"{}")
    monkeypatch.setattr(listings.BucketListing, "entries", lambda *_: iter(listed))
    (row,) = rows_of(read(source))
    assert (row["size"], row["last_modified"]) == (2, world.clock.now())
    assert row["etag"] != listed[0].etag


def test_a_denied_list_is_an_access_error_for_the_whole_table(world):
    source = source_of(world)
    refuse(source.connection, "s3", "ListObjectsV2", "AccessDenied")
    with pytest.raises(AccessError) as raised:
        raw.read(source)
    assert raised.value.asked == "s3:ListBucket of demo-raw"


def test_without_a_bucket_the_table_is_skipped(world):
    captured = read(source_of(world, without=("raw_bucket",)))
    assert coverage(captured) == ("skipped", "no raw bucket is configured")
    assert captured.rows is None


def test_a_key_that_a_row_points_at_and_no_list_names_is_asked_for_by_name(world):
    there, elsewhere, nowhere = EVENTS[:3]
    store(world, there)
    far = elsewhere.s3_key.replace("event_date=2026-03-10", "event_date=2026-01-01")
    world.put_object(far, json.dumps(elsewhere.body).encode())
    for event, key in ((there, there.s3_key), (elsewhere, far), (nowhere, nowhere.s3_key)):
        world.put_item(
            "events",
            {
                "PK": event.id, "SK": "s", "event_id": event.id, "s3_bucket": "demo-raw",
                "s3_key": key, "event_time": event.body["event_time"],
            },
        )  # fmt: skip
    source = source_of(world)
    tables.read_events(source)
    captured = read(source)
    assert {row["s3_key"] for row in rows_of(captured)} == {there.s3_key, far}
    assert coverage(captured) == (
        "captured",
        f"{DATES}; of 2 keys that rows point at and no list names, asked for by name, 1 is there",
    )


def test_an_event_that_the_gate_knows_from_another_day_is_asked_for_there(world):
    (event,) = EVENTS[:1]
    before = event.s3_key.replace("2026-03-10", "2026-01-01")
    world.put_object(before, json.dumps(event.body).encode())
    row = {"PK": "p", "SK": "s", "event_id": event.id, "event_time": event.body["event_time"]}
    world.put_item("events", {**row, "s3_bucket": "demo-raw", "s3_key": event.s3_key})
    gate = {name: event.body[name] for name in ("event_id", "source", "event_type")}
    times = dict.fromkeys(("event_time", "first_seen_ingest_time"), "2026-01-01T00:00:00Z")
    world.put_item("dedupe", {**gate, **times})
    source = source_of(world)
    tables.read_events(source)
    tables.read_dedupe(source)
    assert [row["s3_key"] for row in rows_of(read(source))] == [before]


def pointing(world, *keys, bucket="demo-raw"):
    """Rows of the index that point at these keys."""
    for number, key in enumerate(keys):
        row = {"PK": f"p{number}", "SK": "s", "event_id": f"{number}", "s3_bucket": bucket}
        world.put_item("events", {**row, "s3_key": key, "event_time": "2026-03-10T06:00:00Z"})


FAR = tuple(EVENTS[n].s3_key.replace("2026-03-10", "2026-01-01") for n in range(3))


def refusing(world, code, **options):
    """A source whose index is read, and whose objects are not."""
    source = source_of(world, **options)
    tables.read_events(source)
    refuse(source.connection, "s3", "GetObject", code)
    return source


@pytest.mark.parametrize("code", ["InternalError", "InvalidObjectState", "AccessDenied", "Strange"])
def test_what_could_not_be_asked_for_is_not_called_missing(world, code):
    pointing(world, *FAR[:2])
    captured = read(refusing(world, code))
    rows = by_key(captured)
    assert set(rows) == set(FAR[:2])
    assert {(row["readable"], row["size"]) for row in rows.values()} == {(False, None)}
    assert captured.coverage.status == "partial"
    assert captured.coverage.listed
    said = "asked for by name, 0 are there, and of 2 it is not known"
    assert said in captured.coverage.reason


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidAccessKeyId"])
def test_credentials_that_stop_working_at_the_names_are_no_absence(world, code):
    pointing(world, *FAR)
    source = refusing(world, code)
    with pytest.raises(AccessError):
        raw.read(source)
    assert source.draft.note("raw/pointed-at") is None


def test_one_patience_is_for_all_that_is_asked_for_by_name(world, monkeypatch):
    pointing(world, *FAR)
    monkeypatch.setattr(raw, "Patience", lambda: readers.Patience(2))
    source = refusing(world, "SlowDown")
    with pytest.raises(AccessError, match="SlowDown"):
        raw.read(source)
    assert source.draft.note("raw/pointed-at") is None


def test_a_key_that_the_whole_list_has_not_is_absent_although_it_is_denied(world):
    # Without the right to list, S3 denies what is not there.
    pointing(world, EVENTS[0].s3_key, FAR[0])
    rows = by_key(read(refusing(world, "AccessDenied")))
    assert {key: row["error"] for key, row in rows.items()} == {FAR[0]: "denied (AccessDenied)"}


def test_a_report_proves_nothing_of_what_is_denied(world, monkeypatch):
    pointing(world, EVENTS[0].s3_key)
    monkeypatch.setattr(listings.BucketListing, "names_all", lambda *_: False)
    assert set(by_key(read(refusing(world, "AccessDenied")))) == {EVENTS[0].s3_key}


def test_of_too_many_keys_the_rest_is_not_called_missing(world, monkeypatch):
    monkeypatch.setattr(raw.pointers, "MOST", 2)
    pointing(world, *FAR)
    source = source_of(world)
    tables.read_events(source)
    captured = read(source)
    assert (captured.coverage.status, captured.coverage.listed) == ("partial", False)
    said = "more than 2 keys that rows point at are listed nowhere: 2 were asked for"
    assert said in captured.coverage.reason


def test_what_is_asked_for_by_name_is_read_in_steps_and_gone_on_with(world, monkeypatch):
    monkeypatch.setattr(raw, "_ASKED_AT_ONCE", 1)
    pointing(world, *FAR)
    for key in FAR:
        world.put_object(key, b"{")
    source = source_of(world)
    tables.read_events(source)
    whole = source.keep

    def killed(unit, rows, note):
        if unit == "raw/pointed-at" and note["objects"] == 3:
            raise KeyboardInterrupt
        whole(unit, rows, note)

    monkeypatch.setattr(source, "keep", killed)
    with pytest.raises(KeyboardInterrupt):
        raw.read(source)
    monkeypatch.setattr(source, "keep", whole)
    captured = read(source)
    assert [row["s3_key"] for row in rows_of(captured)] == sorted(FAR)
    said = "of 3 keys that rows point at and no list names, asked for by name, 3 are there"
    assert said in captured.coverage.reason


def test_a_capture_that_goes_on_counts_what_was_found_by_name_before(world):
    store(world, EVENTS[0])
    pointing(world, *FAR[:2])
    source = refusing(world, "AccessDenied")
    once, again = (read(source).coverage.reason for _ in range(2))
    assert again == once
    assert "of 3 objects could not be read: 3 denied" in once


def test_no_more_than_one_object_may_have_is_loaded_of_what_no_list_names(world, monkeypatch):
    monkeypatch.setattr(raw, "LARGEST_BODY", 10)
    pointing(world, FAR[0])
    world.put_object(FAR[0], b"{" * 11)
    source = source_of(world)
    tables.read_events(source)
    (row,) = rows_of(read(source))
    assert (row["error"], row["payload"], row["size"]) == ("failed (11 bytes)", None, None)


def test_an_object_is_kept_under_the_key_that_it_has(world, monkeypatch):
    store(world, EVENTS[0])
    source = source_of(world)
    slashed = Listed("raw/x.json/", 2, at(0), "e")

    class Found:
        def __init__(self, *_): ...

        def read_all(self, entries, largest=None):
            return [Body(b"{}", at(0), "e", slashed.key) for _ in entries]

    lost = slashed._replace(key="raw/x.json")
    monkeypatch.setattr(listings.BucketListing, "entries", lambda *_: iter([lost]))
    monkeypatch.setattr(source.connection, "objects", Found)
    (row,) = rows_of(read(source))
    assert row["s3_key"] == slashed.key
    assert source.draft.note("raw")["after"] == slashed.key
