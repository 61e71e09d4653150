"""DuckDB and Spark give the same findings, rows, ledger and explanations of the same case.

`make test` compares one case, which has every table and makes most checks find something;
EACH_CASE_ON_SPARK=1 compares every demo case and five random ones too.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import ibis.expr.types as ir
import pytest

from investigate.analysis.explanation import version_inputs, versions
from investigate.case import Case, open_case
from investigate.checks import book, offending_rows
from investigate.engine.spark import SparkEngine
from investigate.evidence import Evidence
from investigate.findings import Examination, dump, examine
from investigate.ledger import ledger
from investigate.ledger.csv import csv_lines
from investigate.model import Outcome
from tests.builders import evidence_of
from tests.complete import troubled
from tests.parity.cases import scrambled

DEMO = Path(__file__).resolve().parents[2] / "data" / "cases"
OTHERS = [
    *sorted(path.parent.name for path in DEMO.glob("*/case.json")),
    *(f"random-{n}" for n in range(1, 6)),
]
NAMES = ["complete", *(OTHERS if os.environ.get("EACH_CASE_ON_SPARK") else ())]


@dataclass
class Both:
    """One case, examined by two engines."""

    duckdb: Evidence
    spark: Evidence
    by_duckdb: Examination
    by_spark: Examination

    def rows_of(self, build) -> tuple[list, list]:
        """The rows of a table on each engine, sorted there by all of its columns."""
        return tuple(_sorted(evidence, build(evidence)) for evidence in (self.duckdb, self.spark))


def _sorted(evidence: Evidence, table: ir.Table) -> list[str]:
    # As text: 1 and 1.0, or 0.0 and -0.0, are not the same, and no number is itself.
    return [repr(row) for row in evidence.engine.rows(table.order_by(table.columns))]


def case_of(name: str, folder: Path) -> Case:
    if name == "complete":
        return evidence_of(folder, **troubled()).case
    if name.startswith("random-"):
        return evidence_of(folder, **scrambled(int(name.removeprefix("random-")))).case
    return open_case(DEMO / name)


@pytest.fixture(scope="module", params=NAMES)
def both(request, spark: SparkEngine, tmp_path_factory) -> Both:
    case = case_of(request.param, tmp_path_factory.mktemp("case"))
    one, other = Evidence(case), Evidence(case, engine=spark)
    return Both(one, other, examine(one), examine(other))


def test_the_findings_documents_are_the_same_bytes(both):
    assert dump(both.by_duckdb.document) == dump(both.by_spark.document)
    assert not any(found.outcome is Outcome.ERROR for found in both.by_spark.findings)


@pytest.mark.parametrize("check", list(book), ids=lambda check: check.code)
def test_a_check_objects_to_the_same_rows(both, check):
    one, other = (
        next(found for found in examination.findings if found.code == check.code)
        for examination in (both.by_duckdb, both.by_spark)
    )
    assert one == other
    if one.outcome is Outcome.FOUND:
        rows, same = both.rows_of(lambda evidence: offending_rows(check, evidence).rows)
        assert rows == same
        assert rows


def test_the_ledgers_are_the_same_rows_and_the_same_lines_of_csv(both):
    rows, same = both.rows_of(ledger)
    assert rows == same
    assert rows
    lines, others = (
        "".join(csv_lines(evidence, ledger(evidence))) for evidence in (both.duckdb, both.spark)
    )
    assert lines == others


@pytest.mark.parametrize("table", [versions, version_inputs], ids=lambda table: table.__name__)
def test_aggregates_are_explained_by_the_same_events(both, table):
    rows, same = both.rows_of(table)
    assert rows == same
    assert rows
