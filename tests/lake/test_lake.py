"""A case that points at what AWS wrote says what a copy says, and never less than is there."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from investigate import cli
from investigate.capture import CaptureOptions
from investigate.capture import run as capture_run
from investigate.case import open_case, read_manifest
from investigate.engine import DuckDBEngine
from investigate.errors import AccessError, CaseDamagedError, SettingsError, UsageError
from investigate.lake.verification import changes
from investigate.model import Outcome, Window
from tests.builders import END, START
from tests.capture.delivered import BUCKET, Objects
from tests.capture.whole import CAPTURED_AT, fill, listed_objects, over, requests, take
from tests.lake.lakes import EXPORTED, STORES, answers, evidence_of, reports, stored_rows, synced


@pytest.fixture
def full(world):
    fill(world)
    world.put_item("aggregates", {"PK": "ENTITY#e0", "SK": "METRIC#n#DAY#2026-03-10#VER#1"})
    return world


def pointed(world, folder, names, **options):
    return take(world, folder, names, in_place=True, **options)


# the same as a copy


def test_an_incident_in_place_has_the_findings_of_its_copy(full, tmp_path):
    first, second, *_ = [one["key"] for one in listed_objects(full)]
    full.delete_object(first)
    full.put_object(second, b"not json")
    names = reports(full, CAPTURED_AT)
    copied = take(full, tmp_path / "copied", names, only=STORES)
    lake = pointed(full, tmp_path / "lake", names, only=STORES)
    for table in STORES:
        assert stored_rows(lake, table) == stored_rows(copied, table)
    found = answers(lake)
    assert found == answers(copied)
    assert found["raw/missing"].outcome is found["raw/corrupt"].outcome is Outcome.FOUND
    assert Outcome.PASSED in {one.outcome for one in found.values()}
    assert not set(STORES) & {path.name for path in lake.folder.iterdir()}


def test_the_case_says_where_its_rows_are_and_holds_none_of_them(full, tmp_path):
    names = reports(full, CAPTURED_AT)
    case = pointed(full, tmp_path / "case", names, only=STORES)
    assert set(case.lake) == set(STORES)
    assert not set(STORES) & set(case.files)
    assert set(STORES) == set(case.tables)
    events, raw = case.lake["events"], case.lake["raw"]
    assert (events.location, events.rows, len(events.files)) == (f"s3://{BUCKET}/", 6, 2)
    assert (raw.location, raw.rows, raw.as_of) == ("s3://demo-raw/", 6, "2026-03-10T20:00:00Z")
    assert "read in place from s3://demo-raw/" in str(case.coverage["raw"].reason)
    assert case.coverage["raw"].horizon == "../2026-03-10T19:00:00Z"
    assert case.coverage["events"].horizon == "../2026-03-10T19:59:00Z"
    assert case.event_dates == ("2026-03-09", "2026-03-11")
    copied = take(full, tmp_path / "copied", names, only=STORES)
    unread = 6 + 2 * len(EXPORTED)  # the objects, and the data files of the exports
    assert requests(case)["s3:GetObject"] == requests(copied)["s3:GetObject"] - unread
    assert read_manifest(case.folder) == case


def test_a_store_that_no_report_is_named_for_is_copied(full, tmp_path):
    case = pointed(full, tmp_path / "case", full.names, only=STORES)
    assert set(case.lake) == {"raw"}
    assert {table: case.rows[table] for table in case.files} == {
        "events": 6, "dedupe": 6, "aggregates": 1,
    }  # fmt: skip
    assert len(stored_rows(case, "raw")) == 6


def test_a_synced_folder_gives_the_rows_of_the_bucket_and_asks_nothing_of_aws(full, tmp_path):
    copied = take(full, tmp_path / "copied", only=STORES)
    names = synced(full, tmp_path, CAPTURED_AT)
    case = pointed(full, tmp_path / "case", names, only=STORES)
    assert requests(case) == {}
    for table in EXPORTED:
        assert stored_rows(case, table) == stored_rows(copied, table)
    known = stored_rows(case, "raw", without=("etag",))  # a file has none
    assert known == stored_rows(copied, "raw", without=("etag",))


def test_without_payloads_a_case_in_place_gives_hashes_only(full, tmp_path):
    case = pointed(full, tmp_path / "case", synced(full, tmp_path, CAPTURED_AT), payloads=False,
                   only=("raw",))  # fmt: skip
    assert {row["payload"] for row in stored_rows(case, "raw")} == {None}
    assert None not in {row["payload_sha_actual"] for row in stored_rows(case, "raw")}


# the window


def test_folders_of_other_event_dates_are_not_opened(full, tmp_path):
    names = synced(full, tmp_path, CAPTURED_AT)
    layout = "bucket/raw/source=web/event_type=order/event_date={}/ingest_date=2026-03-10/hour=06"
    for day in ("2026-03-08", "2026-03-09", "2026-03-12"):
        folder = tmp_path / layout.format(day)
        folder.mkdir(parents=True)
        (folder / "event_id=x.json").write_text("{}")
    (tmp_path / layout.format("2026-03-08")).parent.chmod(0)  # cannot even be listed
    try:
        case = pointed(full, tmp_path / "case", names, only=("raw",))
    finally:
        (tmp_path / layout.format("2026-03-08")).parent.chmod(0o700)
    days = {row["key_event_date"] for row in stored_rows(case, "raw")}
    assert days == {"2026-03-09", "2026-03-10", "2026-03-11"}


# what is not as the case says


def data_files(folder: Path, table: str) -> list[Path]:
    return sorted((folder / table).rglob("data/*.gz"))


def damaged(path: Path) -> None:
    body = bytearray(path.read_bytes())
    body[-1] ^= 1
    path.write_bytes(body)


@pytest.mark.parametrize(
    ("harm", "said"),
    [(damaged, "has the MD5"), (Path.unlink, "is named by the manifest, but is not there")],
    ids=["changed", "gone"],
)
def test_a_data_file_that_is_not_what_was_captured_is_an_error_with_its_name(
    full, tmp_path, harm, said
):
    case = pointed(full, tmp_path / "case", synced(full, tmp_path, CAPTURED_AT), only=STORES)
    harm(data_files(tmp_path, "events")[1])
    evidence = evidence_of(case)
    with pytest.raises(AccessError, match=said) as refused:
        _ = evidence["events"]
    assert str(data_files(tmp_path / "events", ".")[0].parent) in str(refused.value)
    with pytest.raises(AccessError, match=said):  # and no check makes less of it
        answers(case)


def test_an_object_that_is_gone_or_written_again_since_is_a_row_that_says_so(full, tmp_path):
    names = synced(full, tmp_path, CAPTURED_AT)
    case = pointed(full, tmp_path / "case", names, only=("raw",))
    first, second, *_ = sorted((tmp_path / "bucket").rglob("*.json"))
    first.unlink()
    second.write_text("not json")
    errors = {row["s3_key"]: row["error"] for row in stored_rows(case, "raw")}
    assert errors[first.relative_to(tmp_path / "bucket").as_posix()] == "gone"
    assert str(errors[second.relative_to(tmp_path / "bucket").as_posix()]).startswith("not-json")
    assert list(errors.values()).count(None) == 4


def test_a_link_out_of_the_folder_is_a_row_and_is_not_followed(full, tmp_path):
    names = synced(full, tmp_path, CAPTURED_AT)
    (tmp_path / "secret.json").write_text('{"secret": 1}')
    (tmp_path / "bucket/raw/link.json").symlink_to(tmp_path / "secret.json")
    (tmp_path / "bucket/raw/away").symlink_to(tmp_path)
    case = pointed(full, tmp_path / "case", names, only=("raw",))
    links = {row["s3_key"]: row["error"] for row in stored_rows(case, "raw") if row["error"]}
    assert links == {
        "raw/away": "failed (OutsideTheFolder)",
        "raw/link.json": "failed (OutsideTheFolder)",
    }


@pytest.mark.parametrize("key", ["../../secret.gz", "/etc/passwd"])
def test_a_case_whose_files_lead_out_of_their_place_is_refused(full, tmp_path, key):
    case = pointed(full, tmp_path / "case", synced(full, tmp_path, CAPTURED_AT), only=STORES)
    manifest = json.loads((case.folder / "case.json").read_text())
    manifest["lake"]["events"]["files"][0]["key"] = key
    (case.folder / "case.json").write_text(json.dumps(manifest))
    with pytest.raises(CaseDamagedError, match="leaves file:///"):
        open_case(case.folder)


def test_a_case_whose_listing_was_changed_is_refused(full, tmp_path):
    case = pointed(full, tmp_path / "case", full.names, only=("raw",))
    damaged(case.folder / case.listings["raw"][0].path)
    with pytest.raises(CaseDamagedError, match="its SHA-256 is not the one in the manifest"):
        open_case(case.folder)


def test_an_export_that_is_damaged_before_the_capture_is_no_evidence(full, tmp_path):
    objects = Objects()
    names = reports(full, CAPTURED_AT, objects)
    full.clients.s3.put_object(
        Bucket=BUCKET, Key=next(key for key in objects if key.endswith("files.json")), Body=b"{}"
    )
    case = pointed(full, tmp_path / "case", names, only=STORES)
    assert case.coverage["events"].status == "failed"
    assert not case.lake.keys() & {"events"}


# going on, and what is refused


def test_a_capture_in_place_that_was_killed_goes_on(full, tmp_path, monkeypatch):
    names = reports(full, CAPTURED_AT)
    whole = pointed(full, tmp_path / "whole", names, only=STORES)

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(capture_run, "publish", killed)
        with pytest.raises(KeyboardInterrupt):
            pointed(full, tmp_path / "case", names, only=STORES)
    case = pointed(full, tmp_path / "case", names, only=STORES, resume=True)
    assert (case.lake, case.coverage) == (whole.lake, whole.coverage)
    assert case.listings == whole.listings


@pytest.mark.parametrize(
    "option", [{"entities": ("e0",)}, {"mask": ("x",)}, {"mask_account": True}]
)
def test_what_stays_as_it_is_is_neither_cut_nor_masked(option):
    with pytest.raises(UsageError, match="neither of single entities nor masked"):
        CaptureOptions(Window(START, END), CAPTURED_AT, in_place=True, **option)


def test_a_folder_is_not_copied(full, tmp_path):
    names = synced(full, tmp_path, CAPTURED_AT)
    with pytest.raises(UsageError, match="for raw, events, dedupe, aggregates: these are not"):
        take(full, tmp_path / "case", names)
    assert not (tmp_path / "case").exists()


def test_a_folder_that_is_not_there_stops_before_anything_is_read(full, tmp_path):
    names = replace(full.names, raw_folder=str(tmp_path / "nowhere"))
    with pytest.raises(SettingsError, match="there is no such folder"):
        pointed(full, tmp_path / "case", names, connection=over(full))
    assert list(tmp_path.iterdir()) == []


# verify


def test_verify_says_what_a_case_in_place_proves_and_what_not(full, tmp_path, capsys):
    names = synced(full, tmp_path, CAPTURED_AT)
    case = pointed(full, tmp_path / "case", names, only=STORES)
    assert cli.main(["verify", str(case.folder)]) == 0
    out, err = capsys.readouterr()
    assert f"raw: 6 objects in {case.lake['raw'].location}; their list is in the case" in out
    assert f"events: 6 items in {case.lake['events'].location}; the case has the MD5" in out
    assert "nothing in place was read" in err


def test_verify_in_place_counts_what_is_gone_and_what_was_written_again(full, tmp_path):
    names = synced(full, tmp_path, CAPTURED_AT)
    case = pointed(full, tmp_path / "case", names, only=STORES)
    engine = DuckDBEngine(processes=1)
    assert list(changes(case, engine)) == []
    first, second, *_ = sorted((tmp_path / "bucket").rglob("*.json"))
    first.unlink()
    second.write_text("{}")
    place = case.lake["raw"].location
    assert list(changes(case, engine)) == [
        f"raw: of 6 in {place} 1 object written again since",
        f"raw: of 6 in {place} 1 object gone",
    ]
    damaged(data_files(tmp_path, "dedupe")[0])
    with pytest.raises(AccessError, match="has the MD5"):
        list(changes(case, engine))


def test_the_command_ends_with_2_only_if_what_is_in_place_changed(full, tmp_path, capsys):
    names = synced(full, tmp_path, CAPTURED_AT)
    case = pointed(full, tmp_path / "case", names, only=("raw",))
    asked = ["verify", str(case.folder), "--in-place"]
    assert cli.main(asked) == 0
    assert "is what it was when the case was captured" in capsys.readouterr().out
    sorted((tmp_path / "bucket").rglob("*.json"))[0].unlink()
    assert cli.main(asked) == 2
    err = capsys.readouterr().err
    assert "is not what it was: raw: of 6" in err
    assert "a copy (capture without --in-place) stays" in err


# another command, another process


def test_a_check_in_its_own_processes_answers_from_the_folder(full, tmp_path, capsys):
    case = pointed(full, tmp_path / "case", synced(full, tmp_path, CAPTURED_AT), only=STORES)
    lost = sorted((tmp_path / "bucket").rglob("*.json"))[0]
    lost.unlink()
    cli.main(["check", str(case.folder), "--rows", "raw/missing"])
    assert lost.stem.removeprefix("event_id=") in capsys.readouterr().out


def test_no_statement_is_made_of_tables_that_are_not_in_the_case(full, tmp_path, capsys):
    case = pointed(full, tmp_path / "case", synced(full, tmp_path, CAPTURED_AT), only=("raw",))
    assert cli.main(["sql", str(case.folder), "--dialect", "athena"]) == 2
    assert "raw is not in the case, which only points at it" in capsys.readouterr().err
