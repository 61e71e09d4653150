"""`investigate ledger`: where every event stands, station by station, and where stories break."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import ibis.expr.types as ir

from investigate.commands.console import Console
from investigate.commands.question import evidence_of
from investigate.evidence import Evidence
from investigate.ledger import CELLS, STATIONS, ledger
from investigate.ledger.csv import csv_lines
from investigate.ledger.summary import breaks, broken, cells
from investigate.model import counted
from investigate.terminal_text import printable, table

SHOWN = 50


def run(options: argparse.Namespace, console: Console) -> int:
    """Print the ledger; what the checks make of it is for `investigate check` to say."""
    evidence = evidence_of(options)
    rows = broken(evidence) if options.divergent else evidence.in_scope(ledger(evidence))
    if options.format == "csv":
        for lines in csv_lines(evidence, rows):
            console.out(lines)
    else:
        console.out("\n\n".join(_parts(evidence, rows)))
    return 0


def _parts(evidence: Evidence, rows: ir.Table) -> list[str]:
    total = evidence.engine.count(rows)
    found = evidence.engine.rows(breaks(evidence))
    torn = sum(row["events"] for row in found)
    what = f"{counted(torn, 'story', 'stories')} of events {'breaks' if torn == 1 else 'break'}"
    name = printable(evidence.case.name)
    head = f"LEDGER of {name}: {counted(total, 'event')}; {what}"
    return [head, _stations(evidence), *_breaks(found), *_events(evidence, torn)]


def _stations(evidence: Evidence) -> str:
    known = {
        (row["station"], row["cell"]): row["events"]
        for row in evidence.engine.rows(cells(evidence))
    }
    lines = [
        (station, *(f"{known.get((station, cell), 0) or '·':>8}" for cell in CELLS))
        for station in STATIONS
    ]
    return table([("STATION", *(f"{cell.upper():>8}" for cell in CELLS)), *lines])


def _breaks(found: Sequence[dict[str, Any]]) -> list[str]:
    if not found:
        return ["No check objects to any event's story, as far as the evidence tells."]
    lines = [
        (row["station"], f"{row['events']:>6,}", row["code"], row["reason"], row["example_0"])
        for row in found
    ]
    return [table([("BREAKS AT", "EVENTS", "CHECK", "HOW", "FOR EXAMPLE"), *lines])]


def _events(evidence: Evidence, torn: int) -> list[str]:
    if not torn:
        return []
    rows = broken(evidence).order_by(["event_id"]).limit(SHOWN)
    listed = evidence.engine.rows(rows.select("event_id", "entity_id", "day", "divergence", "code"))
    cells_of = [[row[name] or "–" for name in row] for row in listed]
    rest = "" if torn <= SHOWN else f"\n… {SHOWN} of {torn:,}; --divergent --format csv has all"
    rest += "\nOnly events whose story breaks are listed here; --format csv has every one"
    titles = ("EVENT ID", "ENTITY", "DAY", "BREAKS AT", "CHECK")
    follow = "Follow one with: investigate trace CASE EVENT_ID"
    return [table([titles, *cells_of]) + rest, follow]
