"""What a scheduler put into a notebook: a misspelt parameter must not be ignored in silence."""

from __future__ import annotations

import ast
import sys
from collections.abc import Sequence
from dataclasses import fields

from investigate.errors import UsageError
from investigate.parameters import Parameters

# Parameters that the first code cell of every notebook has.
_ALWAYS = tuple(known.name for known in fields(Parameters) if "only" not in known.metadata)


def refuse_unknown_injected() -> None:
    """Raise `UsageError` if the notebook that runs now was given a parameter it does not have.

    papermill only logs that, and jupyter-scheduler says nothing: the variable exists, nobody reads
    it, and the answer is that to another question. Does nothing outside of a notebook.
    """
    refuse_unknown(_executed_cells())


def refuse_unknown(cells: Sequence[str]) -> None:
    """Raise `UsageError` for the first name in an injected cell that is no parameter.

    `cells` are the sources executed so far, that which asks the last. An injected cell stands
    between the cell of the parameters and the one that asks, and only assigns.
    """
    if len(cells) < 3:
        return
    declared, injected = (_assigned(cell) for cell in cells[-3:-1])
    if not set(_ALWAYS) <= set(declared):
        return
    for name in injected:
        if name not in declared:
            below = "a variable of your own goes below the cell that opens the case"
            raise UsageError.unknown("parameter", name, declared, hint=below)


def _assigned(cell: str) -> list[str]:
    """Return the names a cell assigns if it does nothing else, in their order."""
    try:
        statements = ast.parse(cell).body
    # A cell may hold IPython's own commands, and what was injected may be anything.
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    names = []
    for statement in statements:
        if not isinstance(statement, ast.Assign):
            return []
        for target in statement.targets:
            if not isinstance(target, ast.Name):
                return []
            names.append(target.id)
    return names


def _executed_cells() -> list[str]:
    """Return the sources of the cells that this kernel was asked to execute, in their order."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return list(shell.user_ns.get("In", ())) if shell else []
