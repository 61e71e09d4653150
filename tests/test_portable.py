"""Every question that a check asks can be asked of Spark too, with functions that Spark has."""

from __future__ import annotations

import re
from typing import Any

import ibis.expr.types as ir
import pytest

from investigate.case import Case
from investigate.checks import book, offending_rows
from investigate.engine import DuckDBEngine
from investigate.errors import NotEvaluable
from investigate.evidence import Evidence
from investigate.ledger import ledger
from investigate.trace import story_of
from tests.builders import evidence_of
from tests.complete import troubled
from tests.spark import spark_sql

# Functions of Spark SQL 3.5 that the questions may use. Add one only after looking it up in
# https://spark.apache.org/docs/latest/api/sql/: what is not there needs a Python function.
SPARK_FUNCTIONS = {
    "ABS", "ARRAY", "ARRAY_SORT", "BOOL_OR", "CAST", "COALESCE", "COLLECT_LIST", "CONCAT",
    "CONCAT_WS", "CONTAINS", "COUNT", "DATEDIFF", "DATE_FORMAT", "DENSE_RANK", "ELEMENT_AT",
    "ENDSWITH", "EXPLODE", "FLOOR", "GREATEST", "IF", "ISNAN", "LAG", "LEAD", "LEAST", "LENGTH",
    "LOCATE", "LOG", "LOWER", "MAX", "MIN", "NULLIF", "PERCENTILE", "POSEXPLODE", "REGEXP_EXTRACT",
    "REGEXP_REPLACE", "REPLACE", "ROUND", "ROW_NUMBER", "SHA2", "SIZE", "STARTSWITH", "STRUCT",
    "SUBSTRING", "SUM", "TRANSFORM", "TRY_CAST", "UPPER",
}  # fmt: skip


class Bilingual(DuckDBEngine):
    """Answers with DuckDB, after writing down what Spark would be asked."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[str] = []

    def _write(self, table: ir.Table) -> None:
        self.written.append(spark_sql(table))

    def view(self, table: ir.Table, name: str) -> ir.Table:
        self._write(table)
        return super().view(table, name)

    def materialise(self, table: ir.Table) -> ir.Table:
        self._write(table)
        return super().materialise(table)

    def rows(self, table: ir.Table) -> list[dict[str, Any]]:
        self._write(table)
        return super().rows(table)

    def scalar(self, value: ir.Scalar) -> Any:
        self._write(value.as_table())
        return super().scalar(value)


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return evidence_of(tmp_path_factory.mktemp("portable"), **troubled()).case


@pytest.fixture(scope="module")
def evidence(case: Case) -> Evidence:
    """What checks share is asked of Spark once, by the first that needs it."""
    return Evidence(case, engine=Bilingual())


def functions_in(sql: str) -> set[str]:
    without_texts = re.sub(r"'(?:[^'\\]|\\.|'')*'", "''", sql)
    without_types = without_texts.replace(" AS DECIMAL(", " AS (")
    return set(re.findall(r"\b([A-Z][A-Z0-9_]*)\(", without_types))


@pytest.mark.parametrize("check", list(book), ids=lambda check: check.code)
def test_every_question_can_be_asked_of_spark(evidence, check):
    engine = evidence.engine
    engine.written.clear()
    try:
        engine.written.append(spark_sql(offending_rows(check, evidence).rows))
    except NotEvaluable as unknown:
        pytest.fail(f"the complete case cannot answer {check.code}: {unknown}")
    used = set().union(*(functions_in(sql) for sql in engine.written))
    assert used - SPARK_FUNCTIONS == set()


def test_the_ledger_and_the_story_of_an_event_can_be_asked_of_spark(case):
    engine = Bilingual()
    evidence = Evidence(case, engine=engine)
    rows = engine.rows(ledger(evidence))
    story_of(evidence, rows[0]["event_id"])
    used = set().union(*(functions_in(sql) for sql in engine.written))
    assert used - SPARK_FUNCTIONS == set()


def test_a_function_that_spark_lacks_is_noticed():
    assert functions_in("SELECT UNWRAP_JSON_STR(`a`), 'NOT_ME('") == {"UNWRAP_JSON_STR"}
