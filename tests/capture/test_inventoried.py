"""Raw objects as a report lists them, in place of a listing: the same rows, and no listing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from investigate.capture import raw as raw_objects
from investigate.capture.source import Source
from investigate.errors import AccessError, SettingsError
from tests.capture.delivered import BUCKET, Objects, data_file, inventory
from tests.capture.whole import (
    CURRENT,
    change_versions,
    deliver,
    fill,
    inventory_of,
    requests,
    rows,
    take,
)

UNTIL = "../2026-03-10T18:00:00Z"
DATES = "event dates 2026-03-09 to 2026-03-11 only"
ODD = (
    "raw/readme.txt",
    "raw/source=web/notes",
    "raw/source=web/event_type=order/event_date=soon/ingest_date=2026-03-10/hour=06/x.json",
    "raw/other/event_date=2020-01-01/kept.json",
    "raw/source=web/event_type=order/event_date=2026-03-10/a b+c%2F.json",
    "raw/source=web/event_type=order/event_date=2026-03-10/äöü.json",
)
OUTSIDE = (
    "raw/source=web/event_type=order/event_date=2026-03-08/ingest_date=2026-03-10/hour=06/x.json",
    "raw/source=web/event_type=order/event_date=2026-03-12/ingest_date=2026-03-10/hour=06/x.json",
    "elsewhere/source=web/event_type=order/event_date=2026-03-10/x.json",
)


@pytest.fixture
def full(world):
    """Six objects of events, and keys that have the layout in part or not at all."""
    fill(world)
    for key in (*ODD, *OUTSIDE):
        world.put_object(key, b"{}")
    return world


def reported(world, *, objects=None, url=None, **how):
    """The names of a pipeline with a report of its bucket."""
    objects = Objects() if objects is None else objects
    url = url or inventory_of(world, objects, **how)
    deliver(world, objects)
    return replace(world.names, raw_inventory=url)


@pytest.mark.parametrize("file_format", ["CSV", "ORC", "Parquet"])
@pytest.mark.parametrize("versions", [False, True], ids=["current", "versions"])
def test_a_report_gives_the_rows_of_a_listing_and_nothing_is_listed(
    full, tmp_path, file_format, versions
):
    if versions:
        change_versions(full)
    names = reported(full, file_format=file_format, versions=versions)
    listed = take(full, tmp_path / "listed", only=("raw",))
    case = take(full, tmp_path / "case", names, only=("raw",))
    assert {row["s3_key"] for row in rows(listed, "raw")} >= set(ODD)
    assert rows(case, "raw") == rows(listed, "raw")
    if versions:
        assert [row["error"] for row in rows(case, "raw")].count("deleted") == 3
    asked = requests(case)
    assert asked["s3:ListObjectsV2"] == 1  # the first look, which tells the bucket's region
    assert not {"s3:ListObjectVersions", "s3:GetBucketVersioning"} & set(asked)


def test_a_report_tells_of_nothing_after_its_time_and_little_of_what_was_just_before(
    full, tmp_path
):
    case = take(full, tmp_path / "case", reported(full), only=("raw",))
    coverage = case.coverage["raw"]
    assert (coverage.status, coverage.horizon) == ("captured", UNTIL)
    assert coverage.reason == f"{DATES}; as the inventory of 2026-03-10T19:00:00Z lists them"
    assert case.event_dates == ("2026-03-09", "2026-03-11")


def test_an_object_that_is_gone_since_the_report_is_a_row_that_says_so(full, tmp_path):
    names = reported(full)
    full.delete_object(ODD[0])
    case = take(full, tmp_path / "case", names, only=("raw",))
    (gone,) = [row for row in rows(case, "raw") if row["s3_key"] == ODD[0]]
    assert (gone["readable"], gone["error"]) == (False, "gone")


def test_an_object_that_is_newer_than_the_report_is_found_by_the_row_that_points_at_it(
    world, tmp_path
):
    names = reported(world)
    fill(world, events=2)
    alone = take(world, tmp_path / "alone", names, only=("raw",))
    assert alone.rows["raw"] == 0
    case = take(world, tmp_path / "case", names, only=("raw", "events"))
    assert case.rows["raw"] == 2
    # That they are there proves nothing about the others.
    assert (case.coverage["raw"].status, case.coverage["raw"].listed) == ("partial", False)


@pytest.mark.parametrize("files", [0, 1], ids=["no files", "an empty file"])
def test_an_empty_report_proves_nothing(full, tmp_path, files):
    objects = Objects()
    bodies = [data_file("Parquet", CURRENT, [])] * files
    url = inventory(objects, "Parquet", CURRENT, *bodies, sourceBucket=full.names.raw_bucket)
    case = take(full, tmp_path / "case", reported(full, objects=objects, url=url), only=("raw",))
    coverage = case.coverage["raw"]
    assert (coverage.status, coverage.listed, case.rows["raw"]) == ("partial", False, 0)
    assert coverage.reason.endswith(
        "lists none under the prefix, for which it may not have been made"
    )


class Killed(BaseException):
    """Ends a capture as a signal would."""


@pytest.mark.parametrize("at", ["the second file", "the second step"])
def test_a_capture_by_report_that_was_killed_goes_on_where_it_was(full, tmp_path, monkeypatch, at):
    change_versions(full)
    names = reported(full, versions=True, files=3)
    monkeypatch.setattr(raw_objects, "STEP_OBJECTS", 4)
    whole = take(full, tmp_path / "whole", names, only=("raw",))
    method, number = {"the second file": ("keep_other", 2), "the second step": ("keep", 2)}[at]
    kept = getattr(Source, method)
    calls = []

    def killed(self, unit, *some):
        calls.append(unit)
        if calls.count(unit) == number and unit in ("inventory", "raw"):
            raise Killed
        kept(self, unit, *some)

    with monkeypatch.context() as patch:
        patch.setattr(Source, method, killed)
        with pytest.raises(Killed):
            take(full, tmp_path / "case", names, only=("raw",))
    read = []
    body = Source.body
    monkeypatch.setattr(Source, "body", lambda *some: read.append(some[2]) or body(*some))
    case = take(full, tmp_path / "case", names, only=("raw",), resume=True)
    assert case.files == whole.files
    data = [key for key in read if "/data/" in key]
    assert len(data) == {"the second file": 2, "the second step": 0}[at]
    assert list(tmp_path.glob(".*")) == []


def test_a_report_of_another_bucket_stops_before_anything_is_read(full, tmp_path):
    objects = Objects()
    url = inventory(objects, "Parquet", CURRENT, sourceBucket="orders")
    with pytest.raises(SettingsError, match="lists bucket 'orders', but raw_bucket is 'demo-raw'"):
        take(full, tmp_path / "case", reported(full, objects=objects, url=url))
    assert list(tmp_path.iterdir()) == []


def test_a_report_that_is_not_there_stops_before_anything_is_read(full, tmp_path):
    url = f"s3://{BUCKET}/inventory/orders-raw/all/2026-03-14T01-00Z/manifest.json"
    with pytest.raises(AccessError, match="is not there, or is still being written"):
        take(full, tmp_path / "case", reported(full, objects=Objects(), url=url))
    assert list(tmp_path.iterdir()) == []


def test_a_report_that_was_changed_is_no_evidence(full, tmp_path):
    objects = Objects()
    url = inventory_of(full, objects)
    (first, _) = (key for key in objects if "/data/" in key)
    objects[first] = objects[first][:-1] + bytes([objects[first][-1] ^ 1])
    case = take(full, tmp_path / "case", reported(full, objects=objects, url=url), only=("raw",))
    coverage = case.coverage["raw"]
    assert coverage.status == "failed"
    assert coverage.reason == f"ChecksumMismatch: s3:GetObject of {BUCKET}"
    assert "raw" not in case.tables


def test_without_a_prefix_the_dates_are_told_apart_as_well(world, tmp_path):
    fill(world, events=2)
    for key in (*ODD, *OUTSIDE):
        world.put_object(key.removeprefix("raw/"), b"{}")
    names = replace(reported(world), raw_prefix="")
    listed = take(world, tmp_path / "listed", replace(names, raw_inventory=None), only=("raw",))
    case = take(world, tmp_path / "case", names, only=("raw",))
    assert rows(case, "raw") == rows(listed, "raw")
