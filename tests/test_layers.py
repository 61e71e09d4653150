"""Arrows point down only, each heavy library has one room, and the house rules run."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.layers import LAYERS, ONLY_IN, PACKAGE, imported, modules, rank, room


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
