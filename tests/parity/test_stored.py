"""Spark's workers read a case in a bucket where it lies, and say as DuckDB does what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from investigate.case import Case, open_case
from investigate.engine import DuckDBEngine
from investigate.engine.spark import SparkEngine
from investigate.errors import CaseDamagedError
from investigate.evidence import Evidence
from investigate.lake.stored import StoredCase
from investigate.sandbox.serve import serve
from investigate.sandbox.world import SandboxOptions, emulator
from tests.builders import START
from tests.conftest import FAKE

DEMO = Path(__file__).resolve().parents[2] / "data/cases/lost-events"
BUCKET, PREFIX = "demo-raw", "cases/incident-42"


@pytest.fixture
def bucket(spark: SparkEngine) -> Iterator[Any]:
    """A client of the bucket with the demo case, which Spark's workers reach."""
    with emulator(SandboxOptions(start=START)) as world, serve(world) as served:
        for path in sorted(DEMO.rglob("*")):
            if path.is_file():
                key = f"{PREFIX}/{path.relative_to(DEMO).as_posix()}"
                world.clients.s3.put_object(Bucket=BUCKET, Key=key, Body=path.read_bytes())
        # What the workers have of their own on a cluster: a role, and the network.
        known = {
            **FAKE,
            "AWS_ENDPOINT_URL": served.url,
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false",  # as Java may have it of an emulator
        }
        spark._session.sparkContext.environment.update(known)
        yield world.clients.s3


def rows(case: Case, engine: DuckDBEngine | SparkEngine, table: str) -> list[str]:
    evidence = Evidence(case, engine)
    found = evidence[table]
    return sorted(map(repr, evidence.engine.rows(found.select(sorted(found.columns)))))


@pytest.mark.parametrize("table", ["raw", "aggregates", "log_lines"])
def test_spark_reads_the_rows_of_a_case_in_a_bucket(bucket, spark, table):
    there = StoredCase.at(f"s3://{BUCKET}/{PREFIX}").in_place()
    assert rows(there, spark, table) == rows(open_case(DEMO), DuckDBEngine(), table)


def test_a_worker_that_finds_a_file_changed_ends_the_query_with_the_same_words(bucket, spark):
    path = open_case(DEMO).files["events"][0].path
    changed = bytearray((DEMO / path).read_bytes())
    changed[100] ^= 1
    bucket.put_object(Bucket=BUCKET, Key=f"{PREFIX}/{path}", Body=bytes(changed))
    there = StoredCase.at(f"s3://{BUCKET}/{PREFIX}").in_place()
    said = []
    for engine in (spark, DuckDBEngine(processes=1)):
        with pytest.raises(CaseDamagedError, match="its SHA-256") as refused:
            rows(there, engine, "events")
        said.append(str(refused.value))
    assert said[0] == said[1]
