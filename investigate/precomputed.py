"""What the checks computed on the way, kept in files, so that a notebook need not do it again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import ibis.expr.types as ir

from investigate.case import MANIFEST, digest
from investigate.checks import rows_of
from investigate.errors import InvestigationError, UsageError
from investigate.evidence import Evidence
from investigate.findings import Examination
from investigate.ledger.rows import ledger
from investigate.model import Outcome
from investigate.numbers.configuration import objections

SCHEMA = "investigate.precomputed/1"
INDEX = "index.json"
SHOWN_ROWS = 50  # offending rows of a check that a page shows

# Whole bodies do not belong in a page: they are long, and they are what customers sent.
BODIES = ("payload", "attributes", "body", "fields", "document")
_TOTAL = "rows in all"


def first_rows(evidence: Evidence, code: str, limit: int) -> tuple[list[dict[str, Any]], int]:
    """Return the first `limit` offending rows of a check without bodies, and how many there are.

    Raises `NotEvaluable` where the evidence cannot tell, and `UsageError` for a limit below one.
    """
    if limit < 1:  # the rows themselves bring their number in all
        raise UsageError(f"the limit is {limit}", hint="ask for one row or more")
    first = _first(evidence, code, limit)
    rows = evidence.engine.rows(first.order_by([name for name in first.columns if name != _TOTAL]))
    total = max((int(row.pop(_TOTAL)) for row in rows), default=0)
    return rows, total


def _first(evidence: Evidence, code: str, limit: int) -> ir.Table:
    """The first offending rows of a check with their number in all, in no order."""

    def build(known: Evidence) -> ir.Table:
        table = rows_of(known, code)
        columns = ["key", *(name for name in table.columns if name not in ("key", *BODIES))]
        shown = table.select(columns)
        return shown.mutate(**{_TOTAL: shown.count().over()}).order_by(columns).limit(limit)

    return evidence.derived(f"first {limit} rows of {code}", build)


def write_precomputed(evidence: Evidence, examination: Examination, findings: Path) -> None:
    """Write what this evidence has computed, and what notebooks will ask for, into files beside
    its findings document, which must be written; only plain values and Parquet."""
    _compute_for_notebooks(evidence, examination)
    folder = _folder_of(findings)
    folder.mkdir()
    tables, facts = evidence.computed()
    written = {}
    for position, (name, table) in enumerate(tables.items()):
        path = folder / f"{position:03}.parquet"
        if evidence.engine.write_parquet(table, path):
            written[name] = {"path": path.name, "sha256": digest(path)}
    index = {
        **_identity(evidence, findings),
        "facts": {name: value for name, value in facts.items() if _is_plain(value)},
        "tables": written,
    }
    (folder / INDEX).write_text(json.dumps(index, ensure_ascii=False), encoding="utf-8")


def read_precomputed(evidence: Evidence, findings: Path) -> None:
    """Give evidence what was computed for it, if that lies beside its findings document.

    What belongs to another case, question or version, or was changed since, is left alone: then
    the notebook computes it, which takes longer and says the same.
    """
    folder = _folder_of(findings)
    index = _read_index(folder / INDEX)
    identity = _identity(evidence, findings) if index else {}
    if not index or any(index.get(name) != value for name, value in identity.items()):
        return
    tables = {name: folder / Path(told["path"]).name for name, told in index["tables"].items()}
    if all(_is_file(tables[name], told["sha256"]) for name, told in index["tables"].items()):
        evidence.give(tables, index["facts"])


def _compute_for_notebooks(evidence: Evidence, examination: Examination) -> None:
    """Compute here what would cost a notebook more, as it has not seen the checks."""
    found = [one.code for one in examination.findings if one.outcome is Outcome.FOUND]
    for code in found:
        with suppress(InvestigationError):  # the notebook that asks says why it cannot be told
            _first(evidence, code, SHOWN_ROWS)
    for table in (ledger, objections):
        with suppress(InvestigationError):
            table(evidence)


def _identity(evidence: Evidence, findings: Path) -> dict[str, Any]:
    """What precomputed tables answer for: these findings, which name the question, made of this
    very case by this code. Two of one identity may stand for each other."""
    return {
        "schema": SCHEMA,
        "version": version("investigate"),
        "findings": digest(findings),
        "case": digest(evidence.case.folder / MANIFEST),
        "thresholds": {name: str(value) for name, value in asdict(evidence.thresholds).items()},
    }


def _folder_of(findings: Path) -> Path:
    return findings.with_suffix(".precomputed")


def _read_index(path: Path) -> Mapping[str, Any] | None:
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return index if isinstance(index, dict) else None


def _is_file(path: Path, sha256: str) -> bool:
    return path.is_file() and digest(path) == sha256


def _is_plain(value: object) -> bool:
    """Whether JSON gives a value back as it is."""
    if isinstance(value, list):
        return all(isinstance(item, str) for item in value)
    return value is None or isinstance(value, (str, int))
