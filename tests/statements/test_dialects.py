"""What Trino's functions would get wrong is written in other words."""

from __future__ import annotations

import ibis
import pytest

from investigate.errors import UsageError
from investigate.statements.dialects import DIALECTS, dialect_of
from investigate.statements.values import values_query

ROWS = ibis.table(
    {
        "text": "string",
        "start": "timestamp",
        "end": "timestamp",
        "many": "int64",
        "part": "float64",
    },
    name="rows",
)


def athena(expression: ibis.Value) -> str:
    dialect = DIALECTS["athena"]
    query = dialect.parsed(expression.name("x").as_table())
    text = dialect.written(query, pretty=False)
    return text.removeprefix("SELECT ").partition(' AS "x"')[0].replace('"t0".', "")


@pytest.mark.parametrize(
    ("expression", "written"),
    [
        (ROWS.start.strftime("%Y-%m-%dT%H:%M:%SZ"), "DATE_FORMAT(\"start\", '%Y-%m-%dT%H:%i:%sZ')"),
        (
            ROWS.text.try_cast("timestamp"),
            "TRY_CAST(REPLACE(\"text\", 'T', ' ') AS TIMESTAMP(6))",
        ),
        (ibis.timestamp("2026-03-10 01:02:03"), "CAST('2026-03-10 01:02:03' AS TIMESTAMP(6))"),
        (
            ROWS.end.delta(ROWS.start, unit="microsecond"),
            'CAST(ROUND((TO_UNIXTIME("end") - TO_UNIXTIME("start")) * 1000000) AS BIGINT)',
        ),
        (
            ROWS.end.delta(ROWS.start, unit="second"),
            "DATE_DIFF('second', DATE_TRUNC('SECOND', \"start\"), DATE_TRUNC('SECOND', \"end\"))",
        ),
        (ROWS.text.hexdigest("sha256"), 'LOWER(TO_HEX(SHA256(TO_UTF8("text"))))'),
        (ibis.greatest(ROWS.many, 1), 'COALESCE(GREATEST("many", 1), "many", 1)'),
        (ibis.least(ROWS.many, 1), 'COALESCE(LEAST("many", 1), "many", 1)'),
        (
            ROWS.text.re_extract("a(b)", 1),
            "COALESCE(REGEXP_EXTRACT(\"text\", 'a(b)', 1), IF(NOT \"text\" IS NULL, ''))",
        ),
        (
            ROWS.text.re_extract("a(b)", 1).nullif(""),
            "NULLIF(REGEXP_EXTRACT(\"text\", 'a(b)', 1), '')",
        ),
        (ROWS.part.cast("string"), 'JSON_FORMAT(CAST("part" AS JSON))'),
        (ibis.literal("-").join([ROWS.text, "a"]), "CONCAT_WS('-', \"text\", 'a')"),
    ],
)  # fmt: skip
def test_an_expression_is_written_as_what_means_the_same_in_trino(expression, written):
    assert athena(expression) == written


def test_a_quantile_is_exact():
    text = athena(ROWS.many.quantile(0.9))
    assert "APPROX" not in text.upper()
    assert text.startswith("ELEMENT_AT(ARRAY_SORT(ARRAY_AGG(")


def test_rows_of_the_product_keep_their_types_even_if_there_are_none():
    rows = ibis.memtable([], schema={"name": "string", "at": "timestamp"})
    dialect = DIALECTS["athena"]
    text = dialect.written(values_query(rows.op(), dialect), pretty=False)
    assert (
        text
        == 'SELECT CAST(NULL AS VARCHAR) AS "name", CAST(NULL AS TIMESTAMP(6)) AS "at" WHERE FALSE'
    )


def test_an_unknown_dialect_names_those_there_are():
    with pytest.raises(UsageError, match="known: athena, trino, duckdb"):
        dialect_of("athna")
