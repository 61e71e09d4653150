"""Where the list of raw objects comes from, and what it can tell."""

from __future__ import annotations

from dataclasses import replace

import pytest

from investigate.capture.inventoried import InventoryListing
from investigate.capture.listings import BucketListing, opened
from investigate.capture.partitions import dates_of
from investigate.errors import AccessError
from tests.capture.delivered import Objects
from tests.capture.helpers import refuse, source_of
from tests.capture.whole import deliver, fill, inventory_of


def keys(source) -> list[str]:
    return [one.key for one in opened(source).entries(dates_of(source.options.window), "")]


def test_without_a_report_the_bucket_itself_is_listed(world):
    fill(world)
    source = source_of(world)
    listing = opened(source)
    assert isinstance(listing, BucketListing)
    assert (listing.proves_emptiness, list(listing.notes)) == (True, [])
    assert listing.horizon == "../2026-03-10T07:05:00Z"
    assert len(keys(source)) == 6


def test_a_report_is_taken_where_one_is_named(world):
    fill(world)
    objects = Objects()
    source = source_of(world)
    source.names = replace(world.names, raw_inventory=inventory_of(world, objects))
    deliver(world, objects)
    listing = opened(source)
    assert isinstance(listing, InventoryListing)
    assert not listing.proves_emptiness
    assert listing.notes == ("as the inventory of 2026-03-10T19:00:00Z lists them",)
    assert keys(source) == keys(source_of(world))


@pytest.mark.parametrize("status", ["Enabled", "Suspended", None])
def test_versions_are_looked_for_where_a_bucket_keeps_or_kept_them(world, status):
    fill(world, events=1)
    if status:
        world.clients.s3.put_bucket_versioning(
            Bucket="demo-raw", VersioningConfiguration={"Status": status}
        )
    source = source_of(world)
    assert len(keys(source)) == 1
    asked = source.connection.meter.snapshot()["requests"]
    assert ("s3:ListObjectVersions" in asked) == (status is not None)
    assert ("s3:ListObjectsV2" in asked) == (status is None)


def test_only_the_wanted_event_dates_are_listed_and_from_the_key_it_goes_on(world):
    fill(world)
    source = source_of(world)
    whole = [one.key for one in opened(source).entries(("2026-03-10", "2026-03-11"), "")]
    assert len(whole) == 6
    early = [one.key for one in opened(source).entries(("2026-03-09", "2026-03-10"), "")]
    assert early == whole[:4]
    rest = [one.key for one in opened(source).entries(("2026-03-10", "2026-03-11"), whole[2])]
    assert rest == whole[3:]


def test_what_fails_otherwise_is_no_unversioned_bucket(world):
    source = source_of(world)
    refuse(source.connection, "s3", "GetBucketVersioning", "NotImplemented")
    with pytest.raises(AccessError, match="NotImplemented"):
        opened(source)
