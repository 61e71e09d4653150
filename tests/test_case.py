"""A case on disk: written once and whole, opened only if it is what its manifest says."""

from __future__ import annotations

import hashlib
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from investigate.case import (
    SCHEMA,
    Case,
    Coverage,
    open_case,
    read_manifest,
    verify_case,
)
from investigate.case_writer import CaseWriter
from investigate.errors import CaseDamagedError, CaseError, CaseVersionError, UsageError
from investigate.model import Window
from investigate.tables import TABLES
from tests.builders import CAPTURED, END, START, Event, at, event_row, raw_row

CAPTURED_WHOLE = Coverage("captured")


def writer(folder: Path, **changes: Any) -> CaseWriter:
    about = {
        "name": "small", "window": Window(START, END), "captured_at": CAPTURED,
        "settle_seconds": 300, "tool": {"name": "test", "version": "0"}, "pipeline": {},
    }  # fmt: skip
    return CaseWriter(folder, **{**about, **changes})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A case of two events and their raw objects."""
    events = [Event("a", at(1)), Event("b", at(2))]
    with writer(tmp_path / "small", pipeline={"region": "eu-west-1"}) as case:
        case.add("raw", [raw_row(event) for event in events], CAPTURED_WHOLE)
        case.add("events", [event_row(event) for event in events], CAPTURED_WHOLE)
        case.leave_out("dedupe", Coverage("denied", "no dynamodb:Scan"))
    return tmp_path / "small"


def manifest_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "case.json").read_text(encoding="utf-8"))


def change(folder: Path, **changes: Any) -> None:
    manifest = {**manifest_of(folder), **changes}
    (folder / "case.json").write_text(json.dumps(manifest), encoding="utf-8")


def file_of(manifest: dict[str, Any], table: str) -> dict[str, Any]:
    return manifest["tables"][table]["files"][0]


# a good case


def test_what_was_written_is_what_is_opened(folder):
    case = open_case(folder)
    assert (case.name, case.window, case.captured_at) == ("small", Window(START, END), CAPTURED)
    assert (case.settle_seconds, case.pipeline) == (300, {"region": "eu-west-1"})
    assert case.tables == ("raw", "events")
    assert case.rows == {"raw": 2, "events": 2}
    assert verify_case(case) == []


def test_coverage_is_known_of_every_table(folder):
    case = open_case(folder)
    assert case.coverage_of("raw") == CAPTURED_WHOLE
    assert case.coverage_of("dedupe") == Coverage("denied", "no dynamodb:Scan")
    assert case.coverage_of("spans") == Coverage("skipped", "not part of this capture")


def test_a_captured_table_without_rows_is_not_an_absent_one(tmp_path):
    with writer(tmp_path / "empty") as case:
        case.add("raw", [], CAPTURED_WHOLE)
    assert open_case(tmp_path / "empty").rows == {"raw": 0}


def test_the_manifest_has_the_agreed_shape(folder):
    manifest = manifest_of(folder)
    assert list(manifest) == [
        "schema", "name", "window", "captured_at", "settle_seconds", "tool", "pipeline", "tables",
        "coverage",
    ]  # fmt: skip
    assert manifest["schema"] == "investigate.case/1"
    assert manifest["window"] == {"start": "2026-03-10T00:00:00Z", "end": "2026-03-11T00:00:00Z"}
    assert set(file_of(manifest, "raw")) == {"path", "bytes", "sha256"}


def test_a_table_holds_exactly_the_agreed_columns(folder):
    (path,) = open_case(folder).paths("raw")
    assert pq.read_schema(path).names == TABLES["raw"].names


def test_the_same_rows_in_any_order_give_the_same_bytes(tmp_path):
    rows = [raw_row(Event(name, at(1))) for name in "abc"]
    for name, ordered in (("one", rows), ("two", rows[::-1])):
        with writer(tmp_path / name) as case:
            case.add("raw", ordered, CAPTURED_WHOLE)
    one, two = (
        (tmp_path / name / "raw" / "part-0.parquet").read_bytes() for name in ("one", "two")
    )
    assert one == two


# writing


def test_evidence_is_never_overwritten(folder):
    with pytest.raises(UsageError, match="exists already; evidence is never overwritten"):
        writer(folder)


def test_a_capture_that_fails_leaves_nothing_behind(tmp_path):
    def interrupted() -> None:
        with writer(tmp_path / "small") as case:
            case.add("raw", [raw_row(Event("a"))], CAPTURED_WHOLE)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_a_case_that_cannot_be_published_leaves_nothing_behind(tmp_path):
    folder = tmp_path / "small"

    def taken_meanwhile() -> None:
        with writer(folder) as case:
            case.add("raw", [], CAPTURED_WHOLE)
            folder.mkdir()
            (folder / "theirs").write_text("")

    with pytest.raises(OSError, match="not empty"):
        taken_meanwhile()
    assert [path.name for path in tmp_path.rglob("*")] == ["small", "theirs"]


def test_a_case_is_not_there_before_it_is_complete(tmp_path):
    with writer(tmp_path / "small") as case:
        case.add("raw", [], CAPTURED_WHOLE)
        assert not (tmp_path / "small").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["small"]


def test_a_draft_is_for_its_owner_only(tmp_path):
    with writer(tmp_path / "small"):
        (draft,) = tmp_path.iterdir()
        assert draft.stat().st_mode & 0o077 == 0


def test_a_case_is_for_its_owner_only(folder):
    assert folder.stat().st_mode & 0o077 == 0


def test_a_column_that_was_not_agreed_is_refused(tmp_path):
    with (
        pytest.raises(CaseDamagedError, match="'raw' has no column 'colour', 'weight'"),
        writer(tmp_path / "small") as case,
    ):
        case.add("raw", [{"s3_key": "k", "weight": 1, "colour": "red"}], CAPTURED_WHOLE)


def test_a_value_of_a_wrong_type_is_refused(tmp_path):
    with (
        pytest.raises(CaseDamagedError, match="table 'raw': "),
        writer(tmp_path / "small") as case,
    ):
        case.add("raw", [{"s3_key": "k", "size": "large"}], CAPTURED_WHOLE)


def test_an_unknown_table_is_refused(tmp_path):
    with (
        pytest.raises(UsageError, match="unknown table 'row'"),
        writer(tmp_path / "small") as case,
    ):
        case.add("row", [], CAPTURED_WHOLE)


@pytest.mark.parametrize("status", ["captured", "partial"])
def test_a_table_that_is_left_out_cannot_be_captured(tmp_path, status):
    with pytest.raises(ValueError, match=f"cannot be {status}"), writer(tmp_path / "s") as case:
        case.leave_out("raw", Coverage(status))


def test_a_coverage_status_is_one_of_five():
    with pytest.raises(CaseDamagedError, match="'mostly' is none of"):
        Coverage("mostly")


# opening what is no case, or not this one


def test_a_missing_folder_names_the_cases_beside_it(folder):
    with pytest.raises(CaseError, match=r"there is no case .*smal \(cases in .*: small\)") as error:
        open_case(folder.with_name("smal"))
    assert error.value.hint == f"did you mean {folder}?"


def test_a_folder_that_is_no_case_names_the_cases_in_it(folder):
    with pytest.raises(CaseError, match=r"holds no case\.json \(cases in .*: small\)") as error:
        open_case(folder.parent)
    assert error.value.hint == "name the folder that holds case.json"


def test_an_empty_folder_says_that_there_is_no_case(tmp_path):
    with pytest.raises(CaseError, match="no case in"):
        open_case(tmp_path)


def test_a_file_is_not_a_case(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CaseError, match="is not a case"):
        open_case(tmp_path / "file")


@pytest.mark.parametrize("schema", ["investigate.case/2", "", None, 1])
def test_a_case_of_another_version_is_refused(folder, schema):
    change(folder, schema=schema)
    with pytest.raises(CaseVersionError, match=r"this version reads 'investigate\.case/1'"):
        open_case(folder)


@pytest.mark.parametrize(
    "text", [b"", b"{", b"\xff\xfe", b"[1]", b"null", b'"case"', b"[" * 100_000]
)
def test_a_manifest_that_is_no_json_object_is_damaged(folder, text):
    (folder / "case.json").write_bytes(text)
    with pytest.raises(CaseDamagedError):
        open_case(folder)


@pytest.mark.parametrize("name", ["name", "window", "captured_at", "settle_seconds", "tables"])
def test_a_manifest_that_lacks_something_names_it(folder, name):
    manifest = manifest_of(folder)
    del manifest[name]
    (folder / "case.json").write_text(json.dumps(manifest))
    with pytest.raises(CaseDamagedError, match=name):
        open_case(folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"window": "yesterday"},
        {"window": {"start": "2026-03-10T00:00:00", "end": "2026-03-11T00:00:00Z"}},
        {"window": {"start": "2026-03-11T00:00:00Z", "end": "2026-03-10T00:00:00Z"}},
        {"captured_at": "noon"},
        {"captured_at": None},
        {"settle_seconds": "long"},
        {"settle_seconds": -1},
        {"settle_seconds": 10**18},
        {"settle_seconds": float("inf")},
        {"captured_at": "9999-12-31T23:00:00-05:00"},
        {"tables": {"raw": {"rows": float("inf"), "files": []}}},
        {"tables": []},
        {"tables": {"raw": {"rows": 2}}},
        {"tables": {"raw": {"rows": 2, "files": [{}]}}},
        {"tables": {"raw": {"rows": 2, "files": "part-0"}}},
        {"tables": {"raw": {"rows": 2, "files": [{"path": 1, "bytes": 1, "sha256": ""}]}}},
        {"coverage": {"raw": {"status": "fine"}}},
        {"coverage": {"raw": None}},
        {"coverage": []},
        {"tool": None},
        {"pipeline": "prod"},
    ],
    ids=str,
)
def test_a_manifest_that_misstates_something_is_damaged_and_no_crash(folder, changes):
    change(folder, **changes)
    with pytest.raises(CaseDamagedError):
        open_case(folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "x\ud800y"},
        {"coverage": {"raw": {"status": "partial", "reason": "\udc80"}}},
        {"pipeline": {"\ud800": 1}},
    ],
    ids=["name", "reason", "key"],
)
def test_half_a_character_is_refused_when_a_case_is_opened_and_not_when_a_report_is_written(
    folder, changes
):
    change(folder, **changes)
    with pytest.raises(CaseDamagedError, match="holds half a character") as error:
        open_case(folder)
    assert error.value.message.encode()


def test_a_whole_character_of_two_halves_is_a_name(folder):
    change(folder, name="x\U0001f600y")
    assert open_case(folder).name == "x\U0001f600y"


def test_a_table_that_nobody_agreed_on_is_damage(folder):
    tables = manifest_of(folder)["tables"]
    change(folder, tables={**tables, "secrets": tables["raw"]})
    with pytest.raises(CaseDamagedError, match="names unknown tables: secrets"):
        open_case(folder)


# a case whose files are not what the manifest says


def problem(folder: Path) -> str:
    with pytest.raises(CaseDamagedError, match="is not what its manifest says") as error:
        open_case(folder)
    return error.value.message


def test_a_file_that_is_missing_is_named(folder):
    (folder / "raw" / "part-0.parquet").unlink()
    assert "raw/part-0.parquet is missing" in problem(folder)


def test_a_file_that_was_cut_is_named(folder):
    path = folder / "raw" / "part-0.parquet"
    path.write_bytes(path.read_bytes()[:-1])
    assert "raw/part-0.parquet has" in problem(folder)


def test_a_file_with_one_changed_byte_is_named(folder):
    path = folder / "events" / "part-0.parquet"
    changed = bytearray(path.read_bytes())
    changed[40] ^= 1
    path.write_bytes(changed)
    assert "events/part-0.parquet: its SHA-256 is not the one in the manifest" in problem(folder)


def test_all_damage_is_told_at_once(folder):
    shutil.rmtree(folder / "raw")
    (folder / "events" / "part-0.parquet").write_bytes(b"")
    told = problem(folder)
    assert "raw/part-0.parquet is missing" in told
    assert "events/part-0.parquet has 0 bytes" in told


def put(folder: Path, table: str, content: bytes, rows: int = 2) -> None:
    """Replace a table's file and state its true digest, as somebody who edits a case would."""
    path = folder / table / "part-0.parquet"
    path.write_bytes(content)
    tables = manifest_of(folder)["tables"]
    digest = hashlib.sha256(content).hexdigest()
    file = {"path": f"{table}/part-0.parquet", "bytes": len(content), "sha256": digest}
    change(folder, tables={**tables, table: {"rows": rows, "files": [file]}})


def parquet(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return sink.getvalue().to_pybytes()


def test_a_file_that_is_no_parquet_is_named(folder):
    put(folder, "raw", b"not parquet at all")
    assert "raw/part-0.parquet is not a Parquet file" in problem(folder)


def test_columns_that_are_missing_or_of_another_type_are_named_together(folder):
    (path,) = open_case(folder).paths("raw")
    rows = pq.read_table(path)
    rows = rows.drop_columns(["s3_key", "etag"])
    rows = rows.set_column(rows.schema.get_field_index("size"), "size", pa.array(["1", "2"]))
    put(folder, "raw", parquet(rows))
    told = problem(folder)
    assert "no column 's3_key'" in told
    assert "no column 'etag'" in told
    assert "column 'size' is string, not int64" in told


def test_a_wrong_number_of_rows_is_named(folder):
    (path,) = open_case(folder).paths("raw")
    put(folder, "raw", path.read_bytes(), rows=3)
    assert "raw: 2 rows, the manifest says 3" in problem(folder)


def test_columns_beyond_the_agreed_ones_do_no_harm(folder):
    (path,) = open_case(folder).paths("raw")
    put(folder, "raw", parquet(pq.read_table(path).append_column("more", pa.array([1, 2]))))
    assert open_case(folder).rows["raw"] == 2


@pytest.mark.parametrize("path", ["../secret.parquet", "raw/../../secret", "/etc/passwd"])
def test_a_path_that_leaves_the_case_is_refused_before_it_is_read(folder, path):
    tables = manifest_of(folder)["tables"]
    tables["raw"]["files"][0]["path"] = path
    change(folder, tables=tables)
    with pytest.raises(CaseDamagedError, match="leaves the case"):
        read_manifest(folder)


def test_a_link_that_leaves_the_case_is_refused(folder):
    path = folder / "raw" / "part-0.parquet"
    outside = folder.parent / "outside.parquet"
    path.rename(outside)
    path.symlink_to(outside)
    assert "raw/part-0.parquet is a link out of the case" in problem(folder)


def test_a_case_may_lie_behind_a_link(folder):
    link = folder.parent / "link"
    link.symlink_to(folder)
    assert open_case(link).rows["raw"] == 2


def test_the_manifest_alone_can_be_read_of_a_damaged_case(folder):
    shutil.rmtree(folder / "raw")
    case = read_manifest(folder)
    assert isinstance(case, Case)
    assert case.rows == {"raw": 2, "events": 2}
    assert verify_case(case) == ["raw/part-0.parquet is missing"]


def test_times_are_kept_to_the_microsecond_and_in_utc(tmp_path):
    moment = datetime(2026, 3, 10, 1, 2, 3, 456789, tzinfo=UTC)
    with writer(tmp_path / "small", captured_at=moment) as case:
        case.add("raw", [{"s3_key": "k", "last_modified": moment}], CAPTURED_WHOLE)
    opened = open_case(tmp_path / "small")
    assert opened.captured_at == moment
    (path,) = opened.paths("raw")
    assert pq.read_table(path).column("last_modified").to_pylist() == [moment]


def test_the_schema_is_the_one_of_the_contract():
    assert SCHEMA == "investigate.case/1"


@pytest.mark.parametrize("name", ["case.json", "part-0.parquet"])
def test_a_file_that_may_not_be_read_is_said_to_be_that_and_not_to_be_damaged(
    tmp_path, monkeypatch, name
):
    with writer(tmp_path / "c") as case:
        case.add("raw", [raw_row(Event("a"))], CAPTURED_WHOLE)
    opened = Path.open

    def refuse(self, *arguments, **options):
        if self.name == name:
            raise PermissionError(13, "Permission denied", str(self))
        return opened(self, *arguments, **options)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(CaseError, match=f"{name} cannot be read: Permission denied") as refused:
        open_case(tmp_path / "c")
    assert type(refused.value) is CaseError
    assert "capture" not in str(refused.value)
    assert "chmod" in refused.value.hint
