"""What docs/architecture.md takes from the layers: the drawing, the modules, the libraries."""

from __future__ import annotations

import ast

from tests.layers import LAYERS, ONLY_IN, PACKAGE
from tests.pages.marks import cell


def parts() -> dict[str, str]:
    """Every generated part of the page by its name."""
    return {"drawing": _drawing(), "modules": _modules(), "libraries": _libraries()}


def purpose(name: str) -> str:
    """Return the first sentence of a module's docstring, or of a package's."""
    path = PACKAGE / f"{name}.py"
    source = path if path.is_file() else PACKAGE / name / "__init__.py"
    said = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or ""
    return " ".join(said.split("\n\n")[0].split())


def _drawing() -> str:
    """Highest first, as a reader meets them; an arrow means "may import from"."""
    drawn = list(enumerate(reversed(LAYERS)))
    boxes = [f'  L{number}["{", ".join(sorted(layer))}"]' for number, layer in drawn]
    arrows = [f"  L{number} --> L{number + 1}" for number, _ in drawn[:-1]]
    return "\n".join(["```mermaid", "flowchart TD", *boxes, *arrows, "```"])


def _modules() -> str:
    rows = ["| layer | module | what it is |", "|---|---|---|"]
    for number, layer in enumerate(reversed(LAYERS), 1):
        rows += [f"| {number} | `{name}` | {cell(purpose(name))} |" for name in sorted(layer)]
    return "\n".join(rows)


def _libraries() -> str:
    rows = ["| library | is imported in |", "|---|---|"]
    for library, rooms in ONLY_IN.items():
        rows.append(f"| `{library}` | {', '.join(f'`{name}`' for name in sorted(rooms))} |")
    return "\n".join(rows)
