"""Findings that an analyst adds to those of the checks: made of a query, saved beside them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from investigate.checks.registry import MAX_KEYS
from investigate.errors import UsageError
from investigate.findings import SCHEMA, as_document, dump, from_document
from investigate.model import Finding, Outcome, Severity, Step, counted
from investigate.queries import Answer

OWN = "own"  # the part of the findings document that holds them
_CODE = re.compile(r"own/[a-z0-9]+(-[a-z0-9]+)*")


def finding_of(
    code: str, rows: Answer, *, step: str, key: str, severity: str, question: str, advice: str
) -> Finding:
    """Return the finding that these rows are, or that there are none.

    It counts the different keys, and cites at most 10,000. Raises `UsageError` for a code without
    own/, an unknown step, severity or column, and a question that is none.
    """
    if not _CODE.fullmatch(code):
        raise UsageError(
            f"{code!r} is no name for a finding of your own", hint='name it like "own/late-refunds"'
        )
    if not question.strip().endswith("?"):
        raise UsageError(f"question: {question!r} does not ask", hint="end it with a question mark")
    if key not in rows.table.columns:
        raise UsageError.unknown("column", key, rows.table.columns)
    weight, place = Severity.parse(severity), Step.parse(step)
    count, keys = _keys(rows, key)
    return Finding(
        code, place, Outcome.FOUND if keys else Outcome.PASSED, weight, question.strip(),
        f"{counted(count, 'row')} by {key}." if keys else "There are none.",
        key, count, keys, advice=advice,
    )  # fmt: skip


def _keys(rows: Answer, key: str) -> tuple[int, tuple[str, ...]]:
    column = rows.table[key]
    known = rows.table.filter(column.notnull()).select(key=column.cast("string")).distinct()
    count = int(rows.engine.scalar(known.count()))
    listed = rows.engine.rows(known.order_by("key").limit(MAX_KEYS))
    return count, tuple(row["key"] for row in listed)


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

    Raises `UsageError` if the file there is no findings document, or cannot be written.
    """
    _refuse_foreign(path)
    text = dump({**document, OWN: [as_document(finding) for finding in own]})
    draft = path.with_name(f".{path.name}.partial")
    try:
        draft.write_text(text, encoding="utf-8", newline="\n")
        draft.replace(path)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror or error}",
            hint="name a file in a folder that is there, and that you may write to",
        ) from error


def _refuse_foreign(path: Path) -> None:
    if not path.exists():
        return
    try:
        known = json.loads(path.read_text(encoding="utf-8"))["schema"] == SCHEMA
    except (OSError, ValueError, KeyError, TypeError):
        known = False
    if not known:
        raise UsageError(f"{path} holds no findings", hint="name another file, as own.json")
