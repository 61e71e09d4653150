"""Arrows point down only, each heavy library has one room, and the house rules run."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "investigate"

# Lowest first. A module may import from rows above its own in this list, and from its own package.
LAYERS = [
    {"errors", "locks"},
    {"drafts", "in_place", "memory", "model", "pipeline", "scratch", "spread"},
    {"compact"},
    {"alarm_rules", "plans", "secret_texts", "settings", "symptoms", "tables", "unseen"},
    {"case", "engine", "aws", "display", "parameters"},
    {"case_writer", "compact_reading", "injected"},
    {"capture"},
    {"lake"},
    {"evidence"},
    {"analysis", "entities", "figures"},
    {"checks"},
    {"ledger"},
    {"trace"},
    {"findings", "numbers", "process_plan", "queries", "redrive_plan", "symptom_answers"},
    {"opening", "own_findings", "shown_findings", "statements", "versions"},
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


def test_every_module_has_its_layer():
    rooms = {room(path) for path in modules()}
    assert rooms == set().union(*LAYERS)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_from_the_layers_below(path):
    upwards = [
        name
        for name in imported(path)
        if name.startswith("investigate.")
        for target in [name.split(".")[1]]
        if target != room(path) and rank(target) >= rank(room(path))
    ]
    assert upwards == []


@pytest.mark.parametrize("library", ONLY_IN)
def test_a_heavy_library_is_imported_in_its_own_room_only(library):
    rooms = {
        room(path)
        for path in modules()
        if any(name == library or name.startswith(f"{library}.") for name in imported(path))
    }
    assert rooms <= ONLY_IN[library]


def test_importing_the_package_loads_no_heavy_library():
    code = (
        "import sys, investigate; "
        "print([n for n in ('boto3', 'plotly', 'papermill') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_nothing_below_the_command_line_asks_for_the_time():
    below = [path for path in modules() if room(path) not in ("cli", "commands", "sandbox")]
    asking = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for path in below
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in {"now", "utcnow", "today"}
    ]
    assert asking == []


def test_only_the_command_line_prints():
    printing = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for path in modules()
        if room(path) not in ("cli", "commands")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print"
    ]
    assert printing == []


def test_modules_and_functions_are_short():
    long = [str(path.relative_to(PACKAGE)) for path in modules() if lines_of(path) > 400]
    long += [
        f"{path.relative_to(PACKAGE)}:{node.name}"
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
        and (node.end_lineno or node.lineno) - node.lineno >= 40
    ]
    assert long == []


def lines_of(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())
