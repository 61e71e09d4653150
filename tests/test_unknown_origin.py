"""A case that somebody else made: it stays in its folder, and nothing in it runs."""

from __future__ import annotations

import ast
import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import investigate
from investigate.aws import Listed
from investigate.capture.folder import FolderObjects, files_of
from investigate.capture.partitions import dates_of
from investigate.case import Coverage, open_case
from investigate.case_writer import CaseWriter
from investigate.engine import open_engine
from investigate.errors import AccessError, CaseDamagedError, CaseError, UsageError
from investigate.evidence import Evidence
from investigate.in_place import RAW_OBJECTS, InPlace
from investigate.model import Window
from investigate.pipeline import REFERENCE
from investigate.recovery import record
from investigate.report.folder import alone
from investigate.report.notebooks import NOTEBOOKS, default_folder
from tests.builders import CAPTURED, END, START, Event, at, finding_of, raw_row

PACKAGE = Path(investigate.__file__).parent
EVENTS = (Event("a", at(1)), Event("b", at(2)))
SQL = "x\"); COPY (SELECT 1) TO 'stolen.csv'; --"
HARM = "'); COPY (SELECT 1) TO 'stolen.csv'; SELECT ('"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    where = tmp_path / "case"
    with CaseWriter(where, "c", Window(START, END), CAPTURED, 300, {"name": "t"}, {}) as case:
        case.add("raw", [raw_row(event) for event in EVENTS], Coverage("captured"))
    return where


def manifest_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "case.json").read_text("utf-8"))
    return found


def changed(folder: Path, **changes: Any) -> None:
    (folder / "case.json").write_text(json.dumps({**manifest_of(folder), **changes}), "utf-8")


def put(folder: Path, name: str, table: pa.Table) -> None:
    """Let the table `raw` be one file of this name, as the manifest says."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)
    listed(folder, name, path.read_bytes())


def listed(folder: Path, name: str, body: bytes) -> None:
    digest = hashlib.sha256(body).hexdigest()
    files = [{"path": name, "bytes": len(body), "sha256": digest}]
    changed(folder, tables={"raw": {"rows": 2, "files": files}})


def rows_of(folder: Path) -> pa.Table:
    return pq.read_table(folder / "raw" / "part-0.parquet")


# It stays in its folder


@pytest.mark.parametrize(
    "path",
    ["../x", "raw/../../x", "/etc/passwd", "//etc/passwd", "..", "raw/..", "a\n/../../x", "./../x"],
)
def test_a_path_that_leaves_the_case_is_refused(folder, path):
    listed(folder, path, b"")
    with pytest.raises(CaseDamagedError, match="leaves the case") as refused:
        open_case(folder)
    assert len(str(refused.value).splitlines()) <= 2


@pytest.mark.parametrize("path", ["", ".", "raw", "raw\0x", "raw/" + "x" * 5_000, "~/x", "C:\\x"])
def test_a_path_that_is_no_file_is_refused(folder, path):
    listed(folder, path, b"")
    with pytest.raises(CaseError):
        open_case(folder)


@pytest.mark.parametrize("what", ["folder", "file", "manifest of a device"])
def test_a_link_out_of_the_case_is_refused(folder, tmp_path, what):
    outside = tmp_path / "outside"
    if what == "folder":
        (folder / "raw").rename(outside)
        (folder / "raw").symlink_to(outside)
    elif what == "file":
        (folder / "raw" / "part-0.parquet").rename(outside)
        (folder / "raw" / "part-0.parquet").symlink_to(outside)
    else:
        (folder / "case.json").unlink()
        (folder / "case.json").symlink_to("/dev/zero")
    with pytest.raises(CaseError, match=r"a link out of the case|holds no case\.json"):
        open_case(folder)


@pytest.mark.parametrize(
    "name", ["raw/*.parquet", "raw/[ab].parquet", 'raw/it\'s\n"odd".parquet', "day=1/x'.parquet"]
)
def test_a_name_is_only_a_name_and_selects_no_other_file(folder, name):
    one = rows_of(folder).slice(0, 2)
    put(folder, name, one)
    pq.write_table(pa.concat_tables([one, one]), folder / "raw" / "a.parquet")
    evidence = Evidence(open_case(folder), open_engine())
    assert evidence.engine.scalar(evidence["raw"].count()) == 2
    assert set(evidence["raw"].columns) == set(one.column_names)


def test_a_record_that_is_a_link_is_neither_written_nor_read(folder, tmp_path):
    outside = tmp_path / "outside.jsonl"
    outside.write_text("mine\n")
    (folder / "recovery").mkdir()
    (folder / "recovery" / "record.jsonl").symlink_to(outside)
    with pytest.raises(CaseDamagedError, match="is a link"), record.opened(folder):
        pass
    with pytest.raises(CaseDamagedError, match="is a link"):
        record.read(folder)
    assert outside.read_text() == "mine\n"


def test_a_folder_of_records_that_is_a_link_is_refused(folder, tmp_path):
    (folder / "recovery").symlink_to(tmp_path)
    with pytest.raises(CaseDamagedError, match="is a link"), record.opened(folder):
        pass
    assert not (tmp_path / "record.jsonl").exists()


def test_the_keys_of_a_listing_lead_to_no_file_outside_of_its_folder(tmp_path):
    (tmp_path / "bucket").mkdir()
    (tmp_path / "secret").write_text("s")
    (tmp_path / "bucket" / "link").symlink_to(tmp_path / "secret")
    keys = ("../secret", str(tmp_path / "secret"), "link", "a/../../secret", "x\0y")
    entries = [Listed(key, 1, None, None) for key in keys]
    found = list(FolderObjects(tmp_path / "bucket").read_all(entries))
    assert [type(one) for one in found] == [AccessError] * len(keys)


def test_a_prefix_does_not_lead_out_of_the_copied_bucket(tmp_path):
    (tmp_path / "bucket").mkdir()
    with pytest.raises(AccessError, match="leads out of"):
        list(
            files_of(tmp_path / "bucket", "../", dates_of(Window(START, END)), REFERENCE.raw_layout)
        )


def test_a_listing_of_other_columns_is_refused_when_the_case_is_opened(tmp_path):
    where = tmp_path / "lake"
    place = InPlace(RAW_OBJECTS, "s3://b/", 1, prefix="raw/")
    with CaseWriter(where, "c", Window(START, END), CAPTURED, 300, {"name": "t"}, {}) as case:
        case.point("raw", place, Coverage("captured"), [])
    path = where / "lake" / "raw" / "part-0.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"key": ["raw/k"], "__class__": ["x"]}), path)
    body = path.read_bytes()
    file = {"path": "lake/raw/part-0.parquet", "bytes": len(body)}
    lake = manifest_of(where)["lake"]
    lake["raw"]["listing"] = [{**file, "sha256": hashlib.sha256(body).hexdigest()}]
    changed(where, lake=lake)
    with pytest.raises(CaseDamagedError, match="not of a listing"):
        open_case(where)


@pytest.mark.parametrize(
    "journal",
    [
        {"run": None, "files": [], "remove": ["../mine"]},
        {"run": None, "files": ["/etc/x"], "remove": []},
        {"run": "../../x", "files": [], "remove": []},
        {"files": []},
        [],
    ],
)
def test_a_report_that_was_left_half_way_moves_and_removes_nothing_outside(tmp_path, journal):
    mine = tmp_path / "mine"
    mine.write_text("m")
    stage = tmp_path / "reports" / ".publishing"
    stage.mkdir(parents=True)
    (stage / "journal.json").write_text(json.dumps(journal))
    with pytest.raises(UsageError, match="no report on its way"), alone(tmp_path / "reports"):
        pass
    assert mine.read_text() == "m"


# Nothing in it runs


KINDS = {
    "text": pa.array([HARM, HARM]),
    "struct": pa.array([{SQL: 1}, {HARM: 2}]),
    "map": pa.array([[(SQL, HARM)], []], pa.map_(pa.string(), pa.string())),
    "dictionary": pa.array([HARM, SQL]).dictionary_encode(),
    "decimal": pa.array([1, 2], pa.decimal128(38, 10)),
    "binary": pa.array([b"\xff", b"'"], pa.binary(1)),
    "null": pa.nulls(2),
}


NAMES = (SQL, "a'b", "", " ", "select", "RAW", "x" * 5_000)
COLUMNS = [*((name, "text") for name in NAMES), *((SQL, kind) for kind in KINDS if kind != "text")]


@pytest.mark.parametrize(("name", "kind"), COLUMNS)
def test_the_name_and_the_kind_of_a_column_are_never_run(folder, tmp_path, monkeypatch, name, kind):
    monkeypatch.chdir(tmp_path)
    put(folder, "raw/part-0.parquet", rows_of(folder).append_column(name, KINDS[kind]))
    evidence = Evidence(open_case(folder), open_engine())
    assert finding_of("raw/payload-mismatch", evidence).count == 0
    assert list(tmp_path.glob("*.csv")) == []


def test_values_are_never_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [
        {**raw_row(event), "payload_sha": HARM, "source": SQL, "event_id": f"{HARM}{number}"}
        for number, event in enumerate(EVENTS)
    ]
    where = tmp_path / "case"
    with CaseWriter(where, HARM, Window(START, END), CAPTURED, 300, {"name": SQL}, {}) as case:
        case.add("raw", rows, Coverage("partial", HARM))
    evidence = Evidence(open_case(where), open_engine())
    assert finding_of("raw/payload-mismatch", evidence).count == 2
    assert finding_of("raw/id-mismatch", evidence).count == 2
    assert [path.name for path in tmp_path.iterdir()] == ["case"]


def calls() -> list[tuple[str, ast.Call]]:
    return [
        (path.relative_to(PACKAGE).as_posix(), node)
        for path in sorted(PACKAGE.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
    ]


def name_of(call: ast.Call) -> str:
    return ast.unparse(call.func)


def test_nothing_that_could_hold_code_is_read_but_what_the_workers_of_one_run_hand_each_other():
    loads = {(path, name_of(call)) for path, call in calls()}
    dangerous = ("pickle.load", "marshal.load", "shelve.open", "yaml.load", "joblib.load")
    found = {path for path, name in loads if name.startswith(dangerous)}
    assert found == {"parallel.py"}
    running = {"eval", "exec", "compile", "__import__", "os.system", "os.popen"}
    assert {(path, name) for path, name in loads if name in running} == set()
    shells = [path for path, call in calls() for word in call.keywords if word.arg == "shell"]
    assert shells == []


def test_sql_is_run_by_the_engine_alone():
    run = ("execute", "executemany", "raw_sql", "sql")
    rooms = {
        path.split("/")[0]
        for path, call in calls()
        if isinstance(call.func, ast.Attribute)
        and call.func.attr in run
        and name_of(call).split(".")[0] in ("self", "con", "connection", "duckdb", "session")
    }
    assert rooms == {"engine"}


def test_a_report_is_made_of_the_notebooks_of_the_package_and_never_of_those_in_a_case(folder):
    (folder / "01_raw_data.ipynb").write_text("{}")
    assert not default_folder().is_relative_to(folder)
    assert "01_raw_data" in NOTEBOOKS
