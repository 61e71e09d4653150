"""Every check's statement is SQL of its dialect, and means what the check means."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pytest
import sqlglot
from sqlglot import expressions as sge

from investigate.case import Case, open_case
from investigate.checks import book, offending_rows
from investigate.settings import Thresholds
from investigate.statements import DIALECTS, recording_evidence, statement_of, table_definitions
from investigate.statements.dialects import ATHENA_BYTES
from investigate.statements.heading import headed
from investigate.statements.recording import RecordingEvidence
from tests.builders import evidence_of
from tests.complete import troubled
from tests.statements.trino_functions import TRINO_FUNCTIONS, functions_in

CODES = [check.code for check in book]
SMALL = 7_000  # bytes of a statement that is read in Trino's SQL and written in DuckDB's at once
# Correlated in a way that sqlglot, which translates them for this test, names wrongly in DuckDB.
UNTRANSLATED = {"replay/would-fail", "retries/no-backoff"}


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> RecordingEvidence:
    case = evidence_of(tmp_path_factory.mktemp("statements"), **troubled()).case
    return recording_evidence(case, Thresholds(), None)


@pytest.fixture(scope="module")
def elsewhere(evidence: RecordingEvidence) -> duckdb.DuckDBPyConnection:
    """A database that knows nothing of the product but the definitions of the case's tables."""
    return other_engine(evidence.case)


def other_engine(case: Case) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(DIALECTS["duckdb"].session)
    connection.execute(
        "CREATE SCHEMA incident; "
        + table_definitions(case, DIALECTS["duckdb"], database="incident")
    )
    return connection


def rows_of(evidence: RecordingEvidence, code: str) -> list[str]:
    rows = evidence.engine.rows(offending_rows(book[code], evidence).rows)
    return sorted(repr(tuple(row.values())) for row in rows)


def answers(connection: duckdb.DuckDBPyConnection, sql: str) -> list[str]:
    return sorted(map(repr, connection.execute(sql).fetchall()))


@pytest.mark.parametrize("code", CODES)
def test_a_statement_run_elsewhere_gives_the_rows_of_the_check(evidence, elsewhere, code):
    statement = statement_of(book[code], evidence, DIALECTS["duckdb"], database="incident")
    assert answers(elsewhere, statement.sql) == rows_of(evidence, code)


@pytest.mark.parametrize("code", CODES)
def test_the_statement_for_athena_is_one_of_its_sql_with_functions_it_has(evidence, code):
    statement = statement_of(book[code], evidence, DIALECTS["athena"], database="incident")
    # Athena reads statements that select as Trino does; sqlglot's own Athena takes a backslash in
    # a text for an escape, which it is in neither.
    (parsed,) = sqlglot.parse(headed(statement, evidence), dialect="trino")
    assert isinstance(parsed, sge.Select)
    assert functions_in(statement.sql) - TRINO_FUNCTIONS.keys() == set()
    named = {table.name for table in parsed.find_all(sge.Table) if table.db == "incident"}
    assert named == set(statement.tables)
    assert len(headed(statement, evidence).encode()) <= ATHENA_BYTES


def small(evidence: RecordingEvidence) -> dict[str, str]:
    made = {
        code: statement_of(book[code], evidence, DIALECTS["athena"], database="incident").sql
        for code in CODES
    }
    return {code: sql for code, sql in made.items() if len(sql) <= SMALL}


def test_athenas_sql_translated_by_another_library_gives_the_rows_of_the_check(evidence, elsewhere):
    # The duckdb dialect would hide what only the compiler for Athena gets wrong.
    told = small(evidence)
    assert len(told) > 50
    wrong = []
    for code in told.keys() - UNTRANSLATED:
        (translated,) = sqlglot.transpile(told[code], read="trino", write="duckdb")
        if answers(elsewhere, translated) != rows_of(evidence, code):
            wrong.append(code)
    assert wrong == []


def test_the_same_case_gives_the_same_bytes_whichever_check_was_asked_first(evidence):
    check = book["replay/would-fail"]
    alone = recording_evidence(open_case(evidence.case.folder), Thresholds(), None)
    first = headed(statement_of(check, alone, DIALECTS["athena"]), alone)
    assert headed(statement_of(check, evidence, DIALECTS["athena"]), evidence) == first


def test_a_heading_tells_the_thresholds_and_facts_that_the_statement_does_not_ask(evidence):
    statement = statement_of(book["raw/late"], evidence, DIALECTS["athena"])
    told = headed(statement, evidence)
    assert "--   threshold late_seconds = 21600" in told
    assert "storm_factor" not in told
    assert "not run:   by athena" in told
    heading = [line for line in told.splitlines() if line.startswith("--")]
    assert any(
        re.match(r"--   of raw_objects: \d+ \(analysis\.objects\.", line) for line in heading
    )


def test_parts_are_not_called_as_tables_of_the_case_are(evidence):
    statement = statement_of(book["aggregates/split"], evidence, DIALECTS["athena"])
    assert len(set(statement.parts)) == len(statement.parts)
    assert not set(statement.parts) & set(evidence.case.files)
    assert statement.parts[-1] == "offending_rows"
    assert statement.reads > len(statement.tables)


def test_a_text_of_the_case_cannot_leave_the_heading(tmp_path):
    case = evidence_of(tmp_path, **troubled()).case
    evidence = recording_evidence(case, Thresholds(), None)
    evidence.recorder.note("a\nDROP TABLE raw;")
    statement = statement_of(book["raw/late"], evidence, DIALECTS["athena"])
    hostile = type(statement)(
        *(getattr(statement, name) for name in ("check", "dialect", "sql", "parts", "tables")),
        reads=1, taken=("a\nDROP TABLE raw;\r--",), reason="b\nDROP",
    )  # fmt: skip
    assert len(sqlglot.parse(headed(hostile, evidence), dialect="trino")) == 1


def test_athena_gets_tables_as_external_ones_with_every_column_in_backticks(evidence):
    made = table_definitions(
        evidence.case, DIALECTS["athena"], database="incident", location="s3://bucket/case"
    )
    statements = [text for text in made.split(";\n\n") if text]
    assert len(statements) == len(evidence.case.files)
    for text in statements:
        (parsed,) = sqlglot.parse(text, dialect="athena")
        assert isinstance(parsed, sge.Create)
    (aggregates,) = [text for text in statements if "`incident`.`aggregates`" in text]
    assert "  `sample_event_ids` array<string>,\n" in aggregates
    assert "  `value` double,\n" in aggregates
    assert "  `computed_at_utc` timestamp\n" in aggregates
    assert "LOCATION 's3://bucket/case/aggregates/'" in aggregates


def test_without_an_address_no_definition_can_be_run_by_accident(evidence):
    made = table_definitions(evidence.case, DIALECTS["athena"])
    assert "s3://" not in made
    assert made.count("LOCATION 'PUT-THE-ADDRESS") == len(evidence.case.files)
    trino = table_definitions(evidence.case, DIALECTS["trino"], location="s3://bucket/case/")
    assert all(isinstance(one, sge.Create) for one in sqlglot.parse(trino, dialect="trino") if one)


def test_a_path_with_a_quote_is_read_as_it_is(tmp_path):
    folder = tmp_path / "it's"
    folder.mkdir()
    case = evidence_of(folder, **troubled()).case
    made = other_engine(case).execute("SELECT count(*) FROM incident.raw").fetchall()
    assert made == [(case.rows["raw"],)]
    assert isinstance(case.folder, Path)
