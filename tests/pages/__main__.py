"""`python -m tests.pages` (`make docs`): write everything in docs/ that comes from the code."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.layers import ROOT
from tests.pages import architecture, findings, guide, permissions, recovery, runbook
from tests.pages.marks import filled

DOCS = ROOT / "docs"
# Pages that are generated whole, and those of which some parts are.
WHOLE: Mapping[str, Callable[[], str]] = {"findings.md": findings.text, "guide.md": guide.text}
IN_PART: Mapping[str, Callable[[], Mapping[str, str]]] = {
    "architecture.md": architecture.parts,
    "permissions.md": permissions.parts,
    "recovery.md": recovery.parts,
    "runbook.md": runbook.parts,
}


def write() -> None:
    """Write every generated page and part anew."""
    for name, parts in IN_PART.items():
        path = DOCS / name
        path.write_text(filled(path.read_text(encoding="utf-8"), parts()), encoding="utf-8")
    for name, text in WHOLE.items():
        (DOCS / name).write_text(text() + "\n", encoding="utf-8")


if __name__ == "__main__":
    write()
