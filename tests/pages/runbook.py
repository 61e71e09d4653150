"""What docs/runbook.md takes from the package: the symptoms, what each severity means to do."""

from __future__ import annotations

from investigate.symptoms import SYMPTOMS
from tests.pages.marks import anchor, cell


def parts() -> dict[str, str]:
    """Every generated part of the page by its name."""
    return {"symptoms": _symptoms()}


def _symptoms() -> str:
    rows = ["| you see | `investigate symptoms CASE` | checks, the most telling first | mind |"]
    rows.append("|---|---|---|---|")
    for name, symptom in SYMPTOMS.items():
        checks = ", ".join(f"[`{code}`](findings.md#{anchor(code)})" for code in symptom.checks)
        rows.append(f"| {cell(symptom.seen)} | `{name}` | {checks} | {cell(symptom.mind)} |")
    return "\n".join(rows)
