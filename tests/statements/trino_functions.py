"""The functions of Trino that a statement may call, each looked up, and what had to be minded."""

from __future__ import annotations

import re

# From Trino's pages "List of functions and operators"; Athena's engine 3 has those of Trino. A
# function that is not here is noticed by the test: look it up, and how it treats nulls, before it
# is added.
TRINO_FUNCTIONS = {
    "ABS": "as everywhere",
    "ARRAY_AGG": "keeps nulls: the statement filters them",
    "ARRAY_JOIN": "leaves nulls out; an empty array is made null first",
    "ARRAY_SORT": "nulls last; cannot compare rows with a null in them, which no input has",
    "BOOL_OR": "leaves nulls out",
    "CARDINALITY": "null of null",
    "CAST": "text to time refuses a T between day and hour; a fraction to text is 1.5E0",
    "CEIL": "a double of a double",
    "COALESCE": "as everywhere",
    "CONCAT": "null if one is null, as || is",
    "CONCAT_WS": "leaves nulls out",
    "COUNT": "as everywhere",
    "DATE": "the day of a time without a zone",
    "DATE_DIFF": "whole units between, so both ends are truncated first; has no microseconds",
    "DATE_FORMAT": "MySQL's letters: %i are minutes, %s seconds, %M a month's name",
    "DATE_TRUNC": "as everywhere",
    "ELEMENT_AT": "counts from 1; null beyond the end",
    "EXISTS": "no function",
    "FILTER": "no function",
    "FLOOR": "a double of a double",
    "GREATEST": "null if one is null: the statement leaves nulls out",
    "IF": "null without an else",
    "IN": "no function",
    "IS_NAN": "as everywhere",
    "JSON_FORMAT": "of a fraction cast to JSON: 1.5; from ten million on 1.0E7",
    "LAG": "as everywhere",
    "LEAD": "as everywhere",
    "LEAST": "null if one is null: the statement leaves nulls out",
    "LENGTH": "in characters",
    "LOG": "log(base, number)",
    "LOWER": "as everywhere",
    "MAX": "leaves nulls out; text by code points",
    "MIN": "leaves nulls out; text by code points",
    "NULLIF": "as everywhere",
    "OVER": "no function",
    "REGEXP_EXTRACT": "null without a match, where DuckDB has an empty text",
    "REGEXP_LIKE": "finds the pattern anywhere",
    "REGEXP_REPLACE": "replaces all; $ and \\ in the replacement mean a group, and none has them",
    "REPLACE": "as everywhere",
    "ROUND": "half away from zero",
    "ROW": "a row of values",
    "DENSE_RANK": "from 1, as ROW_NUMBER",
    "ROW_NUMBER": "from 1: the statement takes 1 away",
    "SHA256": "of bytes, to bytes",
    "STARTS_WITH": "as everywhere",
    "STRPOS": "from 1; 0 if not there",
    "SUBSTR": "from 1; negative from the end",
    "SUM": "of whole numbers: an error beyond 64 bits",
    "TIMESTAMP": "no function: the type, with its digits",
    "TO_HEX": "capitals: the statement lowers them",
    "TO_UNIXTIME": "a double, of a time without a zone as UTC",
    "TO_UTF8": "bytes of a text",
    "TRANSFORM": "x -> ... for each element",
    "TRY_CAST": "null where CAST is an error",
    "UNNEST": "WITH ORDINALITY counts from 1: the statement takes 1 away",
    "UPPER": "as everywhere",
}


def functions_in(sql: str) -> set[str]:
    """Every word in capitals before a bracket, outside of texts."""
    without_texts = re.sub(r"'(?:[^']|'')*'", "''", sql)
    without_types = without_texts.replace(" AS DECIMAL(", " AS (")
    return set(re.findall(r"\b([A-Z][A-Z0-9_]*)\(", without_types))
