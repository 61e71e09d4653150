"""What stands above a statement: what it asks, what was taken from the case, what was not tried."""

from __future__ import annotations

import json
from textwrap import wrap

from investigate.case import Case
from investigate.evidence import Evidence
from investigate.model import isoformat
from investigate.statements.build import Statement
from investigate.statements.dialects import Dialect

MARK = "-- investigate sql: "  # what a file begins with that this product wrote
WIDTH = 100
# Trino's query.max-stage-count; each read of a table is a stage or more.
TRINO_STAGES = 150


def headed(statement: Statement, evidence: Evidence) -> str:
    """Return a statement with its heading, as comments; the same for the same case and question."""
    check, dialect = statement.check, statement.dialect
    taken = [
        f"window: {isoformat(evidence.window.start)} to {isoformat(evidence.window.end)}",
        f"entities: {', '.join(evidence.entities) or 'all'}",
        f"captured_at: {isoformat(evidence.case.captured_at)}, "
        f"settle_seconds: {evidence.case.settle_seconds}",
        *statement.taken,
    ]
    lines = [
        MARK + _flat(f"{check.code} of the case {evidence.case.name}, for {dialect.name}"),
        *_told("question", check.question),
        *_told("rows", f"each objects to one {check.key}, which is its key"),
        *_told("reads", ", ".join(statement.tables) or "no table"),
        *_told(
            "not run",
            f"by {dialect.name}, which was not asked: tests parse the SQL of every check",
        ),
        *(
            _told("in doubt", f"no row proves nothing: {statement.reason}")
            if statement.reason
            else ()
        ),
        *_limits(statement),
        *(_told("first", dialect.session) if dialect.session else ()),
        "-- taken from the case on this machine, and not asked by the statement:",
        *(f"--   {_flat(one)}" for one in taken),
    ]
    return "\n".join(lines) + f"\n{statement.sql};"


def headed_tables(case: Case, dialect: Dialect, made: str) -> str:
    """Return the definitions of a case's tables with their heading."""
    lines = [
        MARK + _flat(f"the tables of the case {case.name}, for {dialect.name}"),
        *_told("not run", f"this text was not run by {dialect.name}"),
        *_told("how", "one statement at a time, then the statement of a check"),
    ]
    if dialect.name != "duckdb":
        lines += _told("precise to", "milliseconds, in which these engines read times of Parquet")
    return "\n".join(lines) + "\n\n" + made


def _limits(statement: Statement) -> list[str]:
    size = len(statement.sql.encode())
    most = statement.dialect.most_bytes
    told = _told("size", f"{size:,} bytes" + (f" of at most {most:,}" if most else ""))
    if most and size > most:
        told += _told("too long", "this engine refuses a statement of this size")
    if statement.dialect.name != "duckdb":
        told += _told("work", f"tables are read {statement.reads:,} times in all")
        if statement.reads > TRINO_STAGES:
            told += _told(
                "too much?",
                f"Trino refuses more than {TRINO_STAGES} stages unless it is set up for more, and "
                "every read is at least one: use `investigate check` for this question",
            )
    return told


def _told(what: str, text: str) -> list[str]:
    first, *others = wrap(_flat(text), WIDTH - 14) or [""]
    return [f"-- {what + ':':<11}{first}", *(f"-- {'':<11}{line}" for line in others)]


def _flat(text: str) -> str:
    """Return a text on one line, so that nothing of a case leaves a comment."""
    return json.dumps(text, ensure_ascii=False)[1:-1].replace('\\"', '"').replace("\\\\", "\\")
