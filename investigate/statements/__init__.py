"""The checks as SQL text for other engines, such as Athena: one statement for each check."""

from __future__ import annotations

from investigate.statements.build import Statement, statement_of
from investigate.statements.dialects import DIALECTS
from investigate.statements.recording import RecordingEngine, recording_evidence
from investigate.statements.table_definitions import table_definitions

__all__ = [
    "DIALECTS",
    "RecordingEngine",
    "Statement",
    "recording_evidence",
    "statement_of",
    "table_definitions",
]
