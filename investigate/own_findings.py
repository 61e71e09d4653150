"""Findings that an analyst adds to those of the checks: made of a query, saved beside them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from investigate.checks.registry import MAX_KEYS, outcome_of
from investigate.errors import UsageError
from investigate.evidence import SCOPED_BY
from investigate.findings import SCHEMA, as_document, dump, from_document, unlike
from investigate.model import Finding, Outcome, Severity, Step, counted
from investigate.parameters import refuse_unusable
from investigate.queries import Answer
from investigate.whole_files import replace_all

OWN = "own"  # the part of the findings document that holds them
_CODE = re.compile(r"own/[a-z0-9]+(-[a-z0-9]+)*")


def finding_of(
    code: str, rows: Answer, *, step: str, key: str, severity: str, question: str, advice: str
) -> Finding:
    """Return the finding that these rows are, those in the window and of the entity asked about.

    It counts the different keys, and cites at most 10,000. Without rows it has passed, or is not
    evaluated where the tables do not show everything. Raises `UsageError` for a code without own/,
    an unknown step, severity or column, a question that is none, and a text that cannot be saved.
    """
    if not _CODE.fullmatch(code):
        raise UsageError(
            f"{code!r} is no name for a finding of your own", hint='name it like "own/late-refunds"'
        )
    asked, do = _in_one_line("question", question), _in_one_line("advice", advice)
    if not asked.endswith("?"):
        raise UsageError(f"question: {question!r} does not ask", hint="end it with a question mark")
    if key not in rows.table.columns:
        raise UsageError.unknown("column", key, rows.table.columns)
    weight, place = Severity.parse(severity), Step.parse(step)
    count, keys = _keys(rows, key)
    unseen = rows.unseen()
    outcome, reason = outcome_of(count, unseen)
    summary = {
        Outcome.FOUND: f"{counted(count, 'row')} by {key}.",
        Outcome.PASSED: "There are none.",
        Outcome.NOT_EVALUATED: f"This could not be told: {reason}.",
    }[outcome]
    return Finding(
        code, place, outcome, weight, asked, summary + _beyond(rows), key, count, keys,
        reason=reason or None, advice=do,
    )  # fmt: skip


def _in_one_line(name: str, text: str) -> str:
    line = " ".join(text.split()) if isinstance(text, str) else text
    refuse_unusable(name, line)
    return line


def _keys(rows: Answer, key: str) -> tuple[int, tuple[str, ...]]:
    """Return how many keys there are in the scope, and the first of them; a row without a key
    counts, and a key beyond the scope does not."""
    table, engine = rows.table, rows.evidence.engine
    named = table[key].cast("string").fill_null("(no key)")
    asked = rows.evidence.in_scope(table.select(*_scoped_by(table), key=named))
    distinct = asked.select("key").distinct()
    count = engine.count(distinct)
    listed = engine.rows(distinct.order_by("key").limit(MAX_KEYS))
    return count, tuple(row["key"] for row in listed)


def _scoped_by(table: ir.Table) -> list[str]:
    """Return the columns that put a row in or out of the scope; another may only be called so."""
    fits = {"event_time_utc": dt.Timestamp, "day": dt.String, "entity_id": dt.String}
    kinds = table.schema()
    return [name for name in SCOPED_BY if name in kinds and isinstance(kinds[name], fits[name])]


def _beyond(rows: Answer) -> str:
    """Say in words that rows beyond what was asked about count too, as they do not tell whether
    they are; empty if they do, or if the whole case was asked about."""
    evidence, told = rows.evidence, _scoped_by(rows.table)
    lacking = []
    if evidence.window != evidence.case.window and not {"event_time_utc", "day"} & set(told):
        lacking.append("event_time_utc")
    if evidence.entities != evidence.case.scope_entities and "entity_id" not in told:
        lacking.append("entity_id")
    if not lacking:
        return ""
    return f" Counted in the whole case: the query returns no {' and no '.join(lacking)}."


def own_findings_in(document: Mapping[str, Any]) -> dict[str, Finding]:
    """Return the analyst's findings in a findings document, by code; raise `UsageError` if they
    were changed to something that is none."""
    try:
        return {entry["code"]: from_document(entry) for entry in document.get(OWN, ())}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UsageError(
            f"an own finding in the findings document is {type(error).__name__}: {error}",
            hint="add the finding again, and save it with save_findings",
        ) from error


def save(path: Path, document: Mapping[str, Any], own: Sequence[Finding]) -> None:
    """Write a findings document with these findings of the analyst beside those of the checks.

    Raises `UsageError` if the file there is no findings document or that of another case or
    question, or cannot be written.
    """
    _refuse_foreign(path, document)
    text = dump({**document, OWN: [as_document(finding) for finding in own]})
    try:
        replace_all({path: text})
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror or error}",
            hint="name a file in a folder that is there, and that you may write to",
        ) from error


def _refuse_foreign(path: Path, document: Mapping[str, Any]) -> None:
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return
    except (OSError, ValueError, RecursionError):
        known = None
    if not isinstance(known, dict) or known.get("schema") != SCHEMA:
        raise UsageError(f"{path} holds no findings", hint="name another file, as own.json")
    if other := unlike(known, document):
        raise UsageError(
            f"{path} holds the findings of another case or question: {other}",
            hint="name another file, as own.json",
        )
