"""What Spark's workers read in place is what the processes of DuckDB read, failures included."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from pathlib import Path

import pyarrow as pa
import pytest

from investigate.case import Case, Coverage, open_case
from investigate.case_writer import CaseWriter
from investigate.engine import DuckDBEngine
from investigate.engine.spark import SparkEngine
from investigate.errors import AccessError
from investigate.evidence import Evidence
from investigate.in_place import DYNAMODB_EXPORT, RAW_OBJECTS, DataFile, InPlace
from investigate.model import Window
from investigate.tables import LISTING
from tests.builders import CAPTURED, END, START, at

KEYS = ("raw/a.json", "raw/b.json", "raw/gone.json")


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """A case that points at three objects, of which one is gone, and at an export of two files."""
    lake = tmp_path / "lake"
    (lake / "raw").mkdir(parents=True)
    (lake / "raw/a.json").write_text("not json")
    (lake / "raw/b.json").write_text('{"payload": {"ä": [1, 2.5]}}')
    files = []
    for number in range(2):
        item = {"PK": {"S": f"ENTITY#{number}"}, "SK": {"S": "TS#1"}, "ingest_lag_ms": {"N": "7"}}
        body = gzip.compress(json.dumps({"Item": item}).encode(), mtime=0)
        (lake / f"{number}.gz").write_bytes(body)
        md5 = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
        files.append(DataFile(f"{number}.gz", 1, md5))
    place = lake.as_uri() + "/"
    names = [{"key": key, "size": 8, "last_modified": at(1), "deleted": False} for key in KEYS]
    listing = pa.RecordBatch.from_pylist(names, schema=LISTING)
    with CaseWriter(
        tmp_path / "case", "pointing", Window(START, END), CAPTURED, 300, {}, {"region": None}
    ) as writer:
        known = InPlace(RAW_OBJECTS, place, 3, prefix="raw/")
        writer.point("raw", known, Coverage("captured"), [listing])
        known = InPlace(DYNAMODB_EXPORT, place, 2, files=tuple(files))
        writer.point("events", known, Coverage("captured"))
    return open_case(tmp_path / "case")


def rows(case: Case, engine: DuckDBEngine | SparkEngine, table: str) -> list[str]:
    evidence = Evidence(case, engine)
    found = evidence[table]
    return sorted(map(repr, evidence.engine.rows(found.select(sorted(found.columns)))))


@pytest.mark.parametrize(("table", "many"), [("raw", 3), ("events", 2)])
def test_both_engines_read_the_same_rows_in_place(case, spark, table, many):
    by_spark = rows(case, spark, table)
    assert len(by_spark) == many
    assert by_spark == rows(case, DuckDBEngine(processes=1), table)


def test_a_damaged_file_is_the_same_error_on_both(case, spark):
    (Path(case.lake["events"].folder) / "1.gz").write_bytes(b"other")
    said = []
    for engine in (spark, DuckDBEngine(processes=1)):
        with pytest.raises(AccessError, match=r"1\.gz has the MD5") as refused:
            rows(case, engine, "events")
        said.append(str(refused.value))
    assert said[0] == said[1]
