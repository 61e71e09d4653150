"""Every version of the objects of a bucket that keeps them, and which keys are deleted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pytest

from investigate.analysis import objects as analysed
from investigate.aws import Connection, Listed
from investigate.capture import raw as raw_objects
from investigate.capture.object_versions import level, listed, with_deletions
from investigate.capture.partitions import Partition, dates_of, partitions
from investigate.evidence import Evidence
from investigate.model import Window
from investigate.pipeline import REFERENCE
from tests.builders import END, START
from tests.capture.helpers import refuse
from tests.capture.whole import change_versions, fill, over, requests, rows, take

BUCKET = "demo-raw"


def entry(key: str, version: str, *, newest: bool = False, marker: bool = False) -> Listed:
    return Listed(key, 2, START, "e", version, newest=newest, deleted=marker)


def told(entries: Iterable[Listed]) -> list[str]:
    return [f"{one.key}/{one.version_id}{'-' if one.deleted else ''}" for one in entries]


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([entry("a", "2", newest=True), entry("a", "1")], ["a/2", "a/1"]),
        # Deleted: its versions and the marker that says when.
        ([entry("a", "m", newest=True, marker=True), entry("a", "1")], ["a/m-", "a/1-"]),
        # Written again since: the marker is history, and only it is deleted.
        (
            [entry("a", "3", newest=True), entry("a", "m", marker=True), entry("a", "1")],
            ["a/3", "a/m-", "a/1"],
        ),
        # Deleted twice.
        (
            [entry("a", "n", newest=True, marker=True), entry("a", "m", marker=True)],
            ["a/n-", "a/m-"],
        ),
        # A marker may stand after the versions of its key, or before the next key.
        (
            [
                entry("a", "1"),
                entry("a", "m", newest=True, marker=True),
                entry("b", "1", newest=True),
            ],
            ["a/1-", "a/m-", "b/1"],
        ),
        ([], []),
    ],
    ids=["written twice", "deleted", "written anew", "deleted twice", "marker last", "nothing"],
)  # fmt: skip
def test_a_key_whose_newest_entry_is_a_marker_is_deleted(entries, expected):
    assert told(with_deletions(entries)) == expected


def by_version(one: Listed) -> tuple[str, str | None]:
    return one.key, one.version_id


def paged(connection: Connection, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Let every page of a listing be small."""
    whole = connection.pages

    def pages(service: str, operation: str, **asked: object) -> Iterable[dict]:
        return whole(service, operation, MaxKeys=size, **asked)

    monkeypatch.setattr(connection, "pages", pages)


@pytest.fixture
def kept(world):
    """A bucket of nine objects, of which some were changed since it keeps versions."""
    fill(world, events=6)
    for key in ("raw/a.txt", "raw/source=web/b.txt", "raw/zz.txt"):
        world.put_object(key, b"{}")
    change_versions(world)
    return world


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_a_listing_of_many_pages_is_that_of_one(kept, monkeypatch, size):
    whole = list(listed(over(kept), BUCKET, [Partition("raw/")], ""))
    connection = over(kept)
    paged(connection, monkeypatch, size)
    small = list(listed(connection, BUCKET, [Partition("raw/")], ""))
    # Of one key, a page holds its versions before its markers.
    assert sorted(small, key=by_version) == sorted(whole, key=by_version)
    assert [one.key for one in small] == [one.key for one in whole]
    assert len(whole) == 9 + 4
    assert [one.key for one in whole] == sorted(one.key for one in whole)
    assert sum(one.deleted for one in whole) == 3  # and the marker that is history


@pytest.mark.parametrize("size", [2, 1000])
def test_partitions_and_what_stands_between_them_come_in_the_order_of_their_keys(
    kept, monkeypatch, size
):
    connection = over(kept)
    paged(connection, monkeypatch, size)
    found = partitions(
        lambda prefix: level(connection, BUCKET, prefix),
        "raw/",
        dates_of(Window(START, END)),
        REFERENCE.raw_layout,
    )
    strays = [one.objects[0].key for one in found if one.objects]
    assert strays == ["raw/a.txt", "raw/source=web/b.txt", "raw/zz.txt"]
    assert list(listed(connection, BUCKET, found, "")) == list(
        listed(connection, BUCKET, [Partition("raw/")], "")
    )


def test_after_every_key_the_listing_goes_on_with_the_next(kept):
    connection = over(kept)
    found = partitions(
        lambda prefix: level(connection, BUCKET, prefix),
        "raw/",
        dates_of(Window(START, END)),
        REFERENCE.raw_layout,
    )
    whole = list(listed(connection, BUCKET, found, ""))
    for after in {one.key for one in whole}:
        rest = list(listed(connection, BUCKET, found, after))
        assert rest == [one for one in whole if one.key > after], after


def test_a_capture_tells_every_version_and_who_is_gone(kept, tmp_path):
    case = take(kept, tmp_path / "case", only=("raw",))
    versions = {}
    for row in rows(case, "raw"):
        versions.setdefault(row["s3_key"], []).append(row["error"] or "readable")
    again, gone, anew = sorted(key for key in versions if "event_date=2026-03-10" in key)[:3]
    assert len(versions[again]) == 2
    assert versions[gone] == ["deleted", "deleted"]
    assert len(versions[anew]) == 3
    assert versions[anew].count("deleted") == 1
    assert all(row["version_id"] for row in rows(case, "raw"))
    assert requests(case)["s3:ListObjectsV2"] == 1  # the first look


def test_all_versions_of_a_key_are_in_one_step_however_small(kept, tmp_path, monkeypatch):
    whole = take(kept, tmp_path / "whole", only=("raw",))
    monkeypatch.setattr(raw_objects, "STEP_OBJECTS", 1)
    small = take(kept, tmp_path / "small", only=("raw",))
    assert rows(small, "raw") == rows(whole, "raw")


def test_without_the_right_to_ask_for_versions_the_objects_are_listed_and_it_is_said(
    kept, tmp_path
):
    connection = over(kept)
    refuse(connection, "s3", "GetBucketVersioning", "AccessDenied")
    case = take(kept, tmp_path / "case", connection=connection, only=("raw",))
    assert case.rows["raw"] == 8  # one is deleted
    assert {row["version_id"] for row in rows(case, "raw")} == {None}
    asked = f"AccessDenied: s3:GetBucketVersioning of {BUCKET}"
    assert f"earlier versions were not looked for: {asked}" in case.coverage["raw"].reason


def test_an_object_that_was_deleted_and_written_again_is_there_for_the_checks(kept, tmp_path):
    case = take(kept, tmp_path / "case")
    evidence = Evidence(case)
    gone = Counter(row["s3_key"] for row in rows(case, "raw") if row["error"] == "deleted")
    (anew,) = (key for key, count in gone.items() if count == 1)
    objects = evidence.engine.rows(analysed.raw_objects(evidence))
    assert [row["s3_key"] for row in objects].count(anew) == 2
    assert analysed.unfetched_gap(evidence) == ""
