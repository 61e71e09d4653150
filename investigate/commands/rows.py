"""The rows that one check objects to, for `investigate check --rows`."""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from typing import Any

from investigate.checks import Check
from investigate.checks.registry import answer, offending_rows
from investigate.commands.console import Console
from investigate.errors import UsageError
from investigate.evidence import Evidence
from investigate.findings import exit_code
from investigate.model import Finding, Outcome, isoformat
from investigate.precomputed import BODIES
from investigate.terminal_text import table


def print_rows(
    check: Check, evidence: Evidence, options: argparse.Namespace, console: Console
) -> int:
    """Print the offending rows of one check, and return the exit code its answer has."""
    if options.limit < 1:
        raise UsageError(f"--limit {options.limit} is not a number of rows", hint="give 1 or more")
    finding = answer(check, evidence)
    total, rows = _read(check, evidence, options.limit, finding)
    if options.format == "json":
        console.out(json.dumps(rows, indent=1, ensure_ascii=False))
        console.say(_told(finding, len(rows), total))
    else:
        console.out(_told(finding, len(rows), total))
        if rows:
            console.out(_as_table(rows))
    return exit_code([finding], options.fail_on, allow_gaps=options.allow_gaps)


def _read(
    check: Check, evidence: Evidence, limit: int, finding: Finding
) -> tuple[int, list[dict[str, Any]]]:
    """Return how many rows there are, and the first of them; whole bodies are left out."""
    if finding.outcome is not Outcome.FOUND:
        return 0, []
    found = offending_rows(check, evidence).rows
    columns = ["key", *(name for name in found.columns if name not in ("key", *BODIES))]
    rows = evidence.engine.rows(found.select(columns).order_by(columns).limit(limit))
    listed = [{name: _plain(value) for name, value in row.items()} for row in rows]
    return evidence.engine.count(found), listed


def _plain(value: Any) -> Any:
    """Return a value as JSON has it; a time in the engine is one of UTC."""
    if isinstance(value, datetime):
        return isoformat(value if value.tzinfo else value.replace(tzinfo=UTC))
    return value


def _told(finding: Finding, shown: int, total: int) -> str:
    if finding.outcome is not Outcome.FOUND:
        return f"{finding.code}: {finding.outcome.value}. {finding.summary}"
    return f"{finding.code}: {shown:,} of {total:,} rows; key is {finding.key}"


def _as_table(rows: list[dict[str, Any]]) -> str:
    cells = [["" if value is None else _cell(value) for value in row.values()] for row in rows]
    return "\n" + table([list(rows[0]), *cells])


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
