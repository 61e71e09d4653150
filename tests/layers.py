"""The layers of the package: which module may import which, and where each heavy library lives.

`tests/test_layers.py` holds the package to it, `docs/architecture.md` draws it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "investigate"

# Lowest first. A module may import from rows above its own in this list, and from its own package.
LAYERS = [
    {"errors", "layouts", "locks", "secret_patterns"},
    {"in_place", "memory", "model", "parallel", "pipeline", "scratch", "whole_files"},
    {"compact", "designs", "wording"},
    {
        "alarm_rules",
        "invisible_characters",
        "plan_integrity",
        "secret_texts",
        "settings",
        "symptoms",
        "tables",
    },
    {"case", "engine", "aws", "display", "parameters", "terminal_text"},
    {"case_writer", "compact_reading", "injected"},
    {"capture"},
    {"lake"},
    {"evidence"},
    {"analysis", "entities", "figures"},
    {"checks"},
    {"ledger"},
    {"trace"},
    {
        "findings",
        "numbers",
        "process_plan",
        "queries",
        "redrive_plan",
        "replay_plan",
        "symptom_answers",
    },
    {"opening", "own_findings", "shown_findings", "statements", "version_comparison"},
    {"precomputed"},
    {"investigation", "sandbox"},
    {"report"},
    {"notify"},
    {"__init__"},
    {"recovery"},
    {"commands"},
    {"cli"},
    {"__main__"},
]

ONLY_IN = {
    "boto3": {"aws", "sandbox"},
    "botocore": {"aws", "sandbox"},
    "obstore": {"aws"},
    "moto": {"sandbox"},
    "time_machine": {"sandbox"},
    "apprise": {"notify"},
    "plotly": {"figures", "report"},
    "papermill": {"report"},
    "nbclient": {"report"},
    "nbconvert": {"report"},
    "duckdb": {"engine"},
    "pyspark": {"engine"},
    "sqlglot": {"engine", "queries", "statements"},
}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    """The first part of a module's name below the package."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "investigate":
                yield from (f"investigate.{alias.name}" for alias in node.names)
            else:
                yield node.module


def rank(name: str) -> int:
    return next(position for position, layer in enumerate(LAYERS) if name in layer)
