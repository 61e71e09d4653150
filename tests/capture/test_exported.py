"""A table read from its export in place of a scan: the same rows, and the table is left alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from investigate.capture import exported
from investigate.case import Coverage
from investigate.errors import AccessError, SettingsError
from tests.capture.delivered import BUCKET, Objects, export, item_lines
from tests.capture.helpers import refuse
from tests.capture.whole import deliver, export_of, fill, over, requests, rows, take

TABLES = ("events", "dedupe", "aggregates")
UNTIL = "../2026-03-10T18:59:00Z"


@pytest.fixture
def full(world):
    fill(world)
    world.put_item("aggregates", {"PK": "ENTITY#e0", "SK": "METRIC#n#DAY#2026-03-10#VER#1"})
    return world


def named(world, **urls):
    return replace(world.names, **{f"{table}_export": url for table, url in urls.items()})


@pytest.fixture
def names(full):
    """The names of the pipeline, with an export of each table."""
    objects = Objects()
    urls = {table: export_of(full, objects, table) for table in TABLES}
    deliver(full, objects)
    return named(full, **urls)


def test_exports_give_the_rows_of_scans_and_ask_nothing_of_the_tables(full, names, tmp_path):
    scanned = take(full, tmp_path / "scanned", only=TABLES)
    read = take(full, tmp_path / "read", names, only=TABLES)
    assert [read.rows[table] for table in TABLES] == [6, 6, 1]
    for table in TABLES:
        assert rows(read, table) == rows(scanned, table)
    assert [name for name in requests(read) if name.startswith("dynamodb")] == []
    assert read.consumed["read_units"] == 0
    assert "dynamodb:Scan" in requests(scanned)


def test_an_export_tells_of_nothing_after_its_time(full, names, tmp_path):
    case = take(full, tmp_path / "case", names, only=("events",))
    told = "from its export of 2026-03-10T19:00:00Z"
    assert case.coverage["events"] == Coverage("captured", told, UNTIL)


def test_of_an_export_only_the_entities_asked_for_are_kept(full, names, tmp_path):
    case = take(full, tmp_path / "case", names, entities=("e0",))
    for table in ("events", "dedupe"):
        assert {row["entity_id"] for row in rows(case, table)} == {"e0"}
        assert case.rows[table] == 3
        told = "from its export of 2026-03-10T19:00:00Z, entity e0 only"
        assert case.coverage[table] == Coverage("captured", told, UNTIL)
    assert case.rows["raw"] == 3
    asked = {"dynamodb:Scan", "dynamodb:Query", "dynamodb:BatchGetItem"}
    assert not asked & set(requests(case))


def test_of_an_export_an_entity_has_the_rows_that_a_query_of_its_key_finds(full, tmp_path):
    astray = {"event_id": "astray", "entity_id": "e1"}  # under the key of another entity
    full.put_item("events", {"PK": "ENTITY#e0", "SK": "TS#2026-03-10T12:00:00Z#EVT#a", **astray})
    full.put_item("aggregates", {"PK": "ENTITY#e1", "SK": "METRIC#n", "entity_id": "e0"})
    objects = Objects()
    urls = {table: export_of(full, objects, table) for table in ("events", "aggregates")}
    deliver(full, objects)
    asked = {"entities": ("e0",), "only": ("events", "aggregates")}
    queried = take(full, tmp_path / "queried", **asked)
    read = take(full, tmp_path / "read", named(full, **urls), **asked)
    assert [read.rows["events"], read.rows["aggregates"]] == [4, 1]
    for table in ("events", "aggregates"):
        assert rows(read, table) == rows(queried, table)


@pytest.mark.parametrize(
    ("arn", "said"),
    [
        ("us-east-1:123456789012", "in region us-east-1, and the capture is of region eu-west-1"),
        (
            "eu-west-1:999999999999",
            "in account 999999999999, and the capture is of account 123456789012",
        ),
    ],
)
def test_an_export_of_the_same_name_elsewhere_stops_before_anything_is_read(
    full, tmp_path, arn, said
):
    objects = Objects()
    url = export(objects, tableArn=f"arn:aws:dynamodb:{arn}:table/demo-events")
    deliver(full, objects)
    with pytest.raises(SettingsError, match=said):
        take(full, tmp_path / "case", named(full, events=url))
    assert list(tmp_path.iterdir()) == []


def test_an_entity_is_found_by_an_export_of_events_without_the_table(full, names, tmp_path):
    names = replace(names, events_table=None)
    case = take(full, tmp_path / "case", names, entities=("e1",), only=("events",))
    assert case.rows["events"] == 3


@pytest.mark.parametrize("steps", [1, 2, 4, 5])
def test_an_export_that_was_left_in_the_middle_of_a_file_is_read_on(
    full, names, tmp_path, monkeypatch, steps
):
    whole = take(full, tmp_path / "whole", names, only=("events",))
    monkeypatch.setattr(exported, "STEP_ROWS", 1)
    seen = []

    def broken_off(table, items, design):
        if len(seen) == steps:
            raise KeyboardInterrupt
        seen.extend(items)
        return converted(table, items, design)

    converted = exported.converted
    with monkeypatch.context() as patch:
        patch.setattr(exported, "converted", broken_off)
        with pytest.raises(KeyboardInterrupt):
            take(full, tmp_path / "case", names, only=("events",))
    read_again = []
    monkeypatch.setattr(
        exported, "converted", lambda *some: read_again.extend(some[1]) or converted(*some)
    )
    case = take(full, tmp_path / "case", names, only=("events",), resume=True)
    assert case.files == whole.files
    assert len(read_again) == 6 - steps


def change(world, url, name):
    """Change one byte of an object of an export."""
    key = url.removeprefix(f"s3://{BUCKET}/") + name
    body = bytearray(world.clients.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())
    body[-1] ^= 1
    world.clients.s3.put_object(Bucket=BUCKET, Key=key, Body=bytes(body))


DATA = "/data/{:04d}mwg4zmni62jtl3di4q3q.json.gz"
MISMATCH = f"ChecksumMismatch: s3:GetObject of {BUCKET}"


@pytest.mark.parametrize(
    ("name", "status", "kept"),
    [
        ("/manifest-files.json", "failed", None),
        (DATA.format(0), "failed", None),
        (DATA.format(1), "partial", 3),
    ],
    ids=["manifest", "first file", "second file"],
)
def test_what_is_not_as_its_checksum_says_is_no_evidence_and_said(
    full, names, tmp_path, name, status, kept
):
    change(full, names.events_export, name)
    case = take(full, tmp_path / "case", names, only=("events", "dedupe"))
    assert case.coverage["events"] == Coverage(status, MISMATCH)
    assert case.rows.get("events") == kept
    assert case.coverage["dedupe"].status == "captured"


def test_a_denied_export_leaves_the_other_tables_whole(full, names, tmp_path):
    connection = over(full)
    refuse(connection, "s3", "GetObject", "AccessDenied", lambda ask: "/events/" in ask["url_path"])
    case = take(full, tmp_path / "case", names, connection=connection, only=("events", "dedupe"))
    assert case.coverage["events"] == Coverage("denied", f"AccessDenied: s3:GetObject of {BUCKET}")
    assert case.coverage["dedupe"].status == "captured"


def test_an_export_of_another_table_stops_before_anything_is_read(full, names, tmp_path):
    wrong = replace(names, dedupe_export=names.events_export)
    with pytest.raises(SettingsError, match="is of table 'demo-events'") as refused:
        take(full, tmp_path / "case", wrong)
    assert "name an export of that table" in refused.value.hint
    assert list(tmp_path.iterdir()) == []


def test_an_export_that_is_not_there_stops_before_anything_is_read(full, names, tmp_path):
    objects = Objects()
    url = export(objects, item_lines(), prefix="never-written")
    with pytest.raises(AccessError, match="is not complete, or lies elsewhere") as refused:
        take(full, tmp_path / "case", replace(names, dedupe_export=url))
    assert "aws s3 ls" in refused.value.hint
    assert list(tmp_path.iterdir()) == []
