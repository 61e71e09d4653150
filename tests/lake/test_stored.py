"""A case in a bucket is the case, on this machine and in the hands of workers, or is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from investigate.case import RECORD, Case, open_case
from investigate.engine import DuckDBEngine
from investigate.errors import CaseDamagedError, CaseError, UsageError
from investigate.evidence import Evidence
from investigate.lake import stored
from investigate.lake.stored import StoredCase
from investigate.sandbox.serve import serve

DEMO = Path(__file__).resolve().parents[2] / "data/cases/lost-events"
BUCKET = "demo-raw"
URL = f"s3://{BUCKET}/cases/incident-42"

Put = Callable[[str, bytes], None]


@pytest.fixture
def put(world) -> Put:
    """Put the demo case into the bucket of the sandbox; return what changes a file of it."""

    def write(path: str, body: bytes) -> None:
        world.clients.s3.put_object(Bucket=BUCKET, Key=f"cases/incident-42/{path}", Body=body)

    for path in sorted(DEMO.rglob("*")):
        if path.is_file():
            write(path.relative_to(DEMO).as_posix(), path.read_bytes())
    return write


def rows(case: Case, table: str) -> list[str]:
    # One process, this one: the emulator is in no other.
    evidence = Evidence(case, DuckDBEngine(processes=1))
    found = evidence[table]
    return sorted(map(repr, evidence.engine.rows(found.select(sorted(found.columns)))))


@pytest.mark.parametrize("way", [StoredCase.copied, StoredCase.in_place])
@pytest.mark.parametrize("table", ["raw", "aggregates", "messages"])
def test_a_case_in_a_bucket_has_the_rows_of_the_case_that_was_put_there(put, way, table):
    here = open_case(DEMO)
    case = way(StoredCase.at(URL + "/"))
    assert (case.name, case.rows, case.coverage) == (here.name, here.rows, here.coverage)
    assert rows(case, table) == rows(here, table)


def test_what_stays_in_the_bucket_is_not_copied_and_what_is_copied_only_its_owner_reads(put):
    there = StoredCase.at(URL).in_place().folder
    assert [path.name for path in there.rglob("*.parquet")] == []
    here = StoredCase.at(URL).copied().folder
    assert {path.parent.name for path in here.rglob("*.parquet")} == set(open_case(DEMO).files)
    assert here.stat().st_mode & 0o077 == there.stat().st_mode & 0o077 == 0
    assert not (here / RECORD).exists()


@pytest.mark.parametrize("way", [StoredCase.copied, StoredCase.in_place])
def test_a_file_that_is_not_the_one_of_the_manifest_is_never_read(put, way):
    path = next(iter(open_case(DEMO).files["events"])).path
    put(path, (DEMO / path).read_bytes()[:-1] + b"?")
    with pytest.raises(CaseDamagedError, match="is not what its manifest says"):
        rows(way(StoredCase.at(URL)), "events")
    same_size = bytearray((DEMO / path).read_bytes())
    same_size[100] ^= 1
    put(path, bytes(same_size))
    with pytest.raises(CaseDamagedError, match=f"{path}: its SHA-256"):
        rows(way(StoredCase.at(URL)), "events")


@pytest.mark.parametrize("way", [StoredCase.copied, StoredCase.in_place])
def test_a_file_that_is_gone_or_has_grown_is_an_error_that_names_it(put, world, way):
    path = next(iter(open_case(DEMO).files["events"])).path
    put(path, (DEMO / path).read_bytes() + b"more")
    with pytest.raises(CaseDamagedError, match=r"has \d+ bytes, not|no column|not a Parquet"):
        rows(way(StoredCase.at(URL)), "events")
    world.clients.s3.delete_object(Bucket=BUCKET, Key=f"cases/incident-42/{path}")
    with pytest.raises(CaseDamagedError, match=f"{path} is missing"):
        rows(way(StoredCase.at(URL)), "events")


def test_a_manifest_that_promises_other_rows_or_columns_is_found_out(put):
    manifest = json.loads((DEMO / "case.json").read_text(encoding="utf-8"))
    manifest["tables"]["events"]["rows"] += 1
    put("case.json", json.dumps(manifest).encode())
    with pytest.raises(CaseDamagedError, match=r"events: \d+ rows, the manifest says"):
        rows(StoredCase.at(URL).in_place(), "events")
    manifest["tables"]["events"] = manifest["tables"]["dedupe"]
    put("case.json", json.dumps(manifest).encode())
    with pytest.raises(CaseDamagedError, match="no column 'pk'"):
        rows(StoredCase.at(URL).in_place(), "events")


def test_a_table_without_files_and_files_of_other_columns_are_found_out(put):
    manifest = json.loads((DEMO / "case.json").read_text(encoding="utf-8"))
    tables = manifest["tables"]
    manifest["tables"] = {**tables, "events": {"rows": 0, "files": []}}
    put("case.json", json.dumps(manifest).encode())
    with pytest.raises(CaseDamagedError, match="events: 0 rows"):
        rows(StoredCase.at(URL).in_place(), "events")
    both = {
        "rows": tables["raw"]["rows"] + tables["events"]["rows"],
        "files": tables["raw"]["files"] + tables["events"]["files"],
    }
    manifest["tables"] = {**tables, "raw": both}
    put("case.json", json.dumps(manifest).encode())
    with pytest.raises(CaseDamagedError, match=r"events/.*no column"):
        rows(StoredCase.at(URL).in_place(), "raw")


def test_what_is_wrong_with_a_manifest_is_said_of_the_address(put):
    put("case.json", b"{")
    with pytest.raises(
        CaseDamagedError, match=r"s3://demo-raw/cases/incident-42/case\.json cannot"
    ):
        StoredCase.at(URL)


def test_a_footer_longer_than_what_is_asked_for_first_is_read_whole(put, monkeypatch):
    monkeypatch.setattr(stored, "_FOOTER", 100)
    assert rows(StoredCase.at(URL).in_place(), "raw") == rows(open_case(DEMO), "raw")


@pytest.mark.parametrize(
    ("url", "said", "kind"),
    [
        ("s3://demo-raw", "is not the address of a case", UsageError),
        ("s3:///cases/x", "is not the address of a case", UsageError),
        ("s3://demo-raw/nowhere", "there is no case at s3://demo-raw/nowhere/", CaseError),
        ("s3://no-such-bucket/x", "there is no case at s3://no-such-bucket/x/", CaseError),
    ],
)
def test_an_address_with_no_case_is_one_message_with_what_to_type(world, url, said, kind):
    with pytest.raises(kind, match=said) as refused:
        StoredCase.at(url)
    assert "s3://" in str(refused.value.hint)


def test_an_endpoint_that_does_not_answer_is_a_message_with_what_to_set(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(CaseError, match="cannot be read: s3:GetObject") as refused:
        StoredCase.at(URL)
    assert "AWS_ENDPOINT_URL" in str(refused.value.hint)


def test_the_commands_answer_for_a_case_in_a_bucket_or_say_how_to_copy_it(
    put, world, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")  # of the emulator in this process
    with serve(world) as served:
        monkeypatch.setenv("AWS_ENDPOINT_URL", served.url)

        def asked(*arguments: str) -> subprocess.CompletedProcess[str]:
            command = [sys.executable, "-m", "investigate", *arguments]
            return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

        there = asked("check", URL, "--step", "raw", "--format", "json")
        here = asked("check", str(DEMO), "--step", "raw", "--format", "json")
        assert there.stderr == here.stderr
        assert (there.stdout, there.returncode) == (here.stdout, here.returncode)
        assert '"raw/missing"' in there.stdout
        refused = asked("verify", URL)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert f"aws s3 sync {URL} cases/incident-42" in refused.stderr
