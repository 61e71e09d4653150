"""Find out what went wrong in an event pipeline on AWS, and prove it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from investigate.case import open_case
    from investigate.errors import InvestigationError
    from investigate.evidence import Evidence
    from investigate.investigation import Investigation, open_investigation
    from investigate.model import Finding, Outcome, Severity, Step, Window

__all__ = [
    "Evidence", "Finding", "Investigation", "InvestigationError", "Outcome", "Severity", "Step",
    "Window", "open_case", "open_investigation",
]  # fmt: skip

_HOMES = {
    "open_case": "case",
    "InvestigationError": "errors",
    "Evidence": "evidence",
    "Investigation": "investigation",
    "open_investigation": "investigation",
    **dict.fromkeys(("Finding", "Outcome", "Severity", "Step", "Window"), "model"),
}


def __getattr__(name: str) -> Any:
    """Return a public name from its module, loaded only now: most commands need no engine."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
