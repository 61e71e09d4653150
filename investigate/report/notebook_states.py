"""How each notebook of a run ended, for machines: the file `notebooks.json` of a report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from investigate.report.execute import Executed
from investigate.report.tidy import reason_of

STATES = "notebooks.json"
SCHEMA = "investigate.notebooks/1"


def states_of(executed: Sequence[Executed]) -> list[dict[str, str | None]]:
    """Return for each notebook, in their order, its name, its state (a word of `RunState`), and
    the reason why it did not come to its end, or None."""
    return [
        {"notebook": done.name, "state": done.state.value, "reason": reason_of(done)}
        for done in executed
    ]


def write_states(executed: Sequence[Executed], folder: Path) -> None:
    """Write `notebooks.json` into a folder."""
    document = {"schema": SCHEMA, "notebooks": states_of(executed)}
    text = json.dumps(document, ensure_ascii=False, indent=2) + "\n"
    (folder / STATES).write_text(text, encoding="utf-8")
