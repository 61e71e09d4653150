"""The keys that rows point at and no list has named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from investigate.capture import pointers, raw, tables
from investigate.capture.privacy import Mask
from investigate.capture.source import Source
from tests.capture.helpers import source_of

ACCOUNT = "123456789012"
WHEN = "2026-03-10T06:00:00Z"
DAY = "event_date=2026-01-01/ingest_date=2026-01-01/hour=00"


def pointed(world, key, *, bucket="demo-raw", event_id="a"):
    row = {"PK": event_id, "SK": "s", "event_id": event_id, "s3_bucket": bucket}
    world.put_item("events", {**row, "s3_key": key, "event_time": WHEN})


def masking(world, **names):
    """A source that hides the account, which names of the pipeline hold."""
    plain = source_of(world, mask_account=True)
    named = replace(plain.names, account_id=ACCOUNT, **names)
    return Source(plain.connection, named, plain.options, plain.draft, mask=Mask(account=ACCOUNT))


def unlisted(source):
    tables.read_events(source)
    tables.read_dedupe(source)
    return pointers.unlisted(source)


def test_no_row_is_read_no_key_is_known(world):
    assert pointers.unlisted(source_of(world)) == []


def test_keys_come_in_order_and_once(world):
    for number, key in enumerate(("raw/b", "raw/a", "raw/a")):
        pointed(world, key, event_id=str(number))
    assert unlisted(source_of(world)) == ["raw/a", "raw/b"]


def test_what_lies_in_another_bucket_is_not_asked_for(world):
    pointed(world, "raw/a", bucket="another")
    assert unlisted(source_of(world)) == []


def test_what_is_listed_is_not_asked_for(world):
    pointed(world, "raw/a")
    world.put_object("raw/a", b"{")
    source = source_of(world)
    raw.read(source)
    assert unlisted(source) == []


@pytest.mark.parametrize(
    ("bucket", "key"),
    [
        (f"raw-{ACCOUNT}", "raw/a"),  # as many are called
        ("demo-raw", f"raw/{ACCOUNT}/a"),
    ],
)
def test_with_masked_accounts_keys_are_asked_for_as_s3_knows_them(world, bucket, key):
    pointed(world, key, bucket=bucket)
    source = masking(world, raw_bucket=bucket, raw_prefix=key[:-1])
    assert unlisted(source) == [key]


def test_with_masked_accounts_a_listed_key_is_not_asked_for_by_the_gate(world):
    pointed(world, "raw/else")
    gate = {"event_id": "a", "source": "web", "event_type": "order", "event_time": "2026-01-01T00"}
    world.put_item("dedupe", {**gate, "first_seen_ingest_time": "2026-01-01T00"})
    prefix = f"raw/{ACCOUNT}/"
    key = f"{prefix}source=web/event_type=order/{DAY}/event_id=a.json"
    source = masking(world, raw_prefix=prefix)
    assert unlisted(source) == ["raw/else", key] or unlisted(source) == [key, "raw/else"]
    source.keep("raw", {"raw": [{"s3_key": key}]}, {})
    assert pointers.unlisted(source) == ["raw/else"]
