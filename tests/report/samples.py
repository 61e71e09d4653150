"""Findings documents and notebooks for the tests of the report: small, with the answer visible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from investigate.investigation import RESULT_MIME
from investigate.model import Step
from investigate.report.notebooks import NOTEBOOKS

HOSTILE = "x</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'`{{7*7}}\x1b[31m\u202e"
HARMLESS = "harmless\u202e"  # is shown by number as well, so it is not offered for copying
END = f"from IPython.display import display\ndisplay({{{RESULT_MIME!r}: {{}}}}, raw=True)"


def entry(code: str, outcome: str = "found", severity: str = "dangerous", **changes: Any) -> Any:
    """One check of a findings document."""
    group = code.split("/")[0]
    found = outcome == "found"
    keys = list(changes.pop("keys", ["k1"] if found else []))
    return {
        "code": code,
        "step": "events" if group == "dedupe" else group,
        "outcome": outcome,
        "severity": severity,
        "question": f"Is there a {code}?",
        "summary": f"{len(keys)} of {code}.",
        "count": len(keys),
        "key": "event_id",
        "keys": keys,
        "keys_shown": len(keys),
        "reason": None if outcome in ("found", "passed") else "raw: denied",
        "advice": f"Mend {code}. Then rest." if found else "",
        "avoid": f"Hide {code}." if found else "",
        **changes,
    }


def document(*entries: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """A findings document of these checks; the verdicts of the steps follow from them."""
    return {
        "schema": "investigate.findings/1",
        "case": "sample",
        "window": {"start": "2026-03-10T00:00:00Z", "end": "2026-03-11T00:00:00Z"},
        "captured_at": "2026-03-12T00:00:00Z",
        "settled_until": "2026-03-11T23:55:00Z",
        "verdict": _verdict(entries),
        "steps": [_step(step.value, entries) for step in Step],
        "checks": list(entries),
        "retries": [],
        "aggregates": [],
        "coverage": {"raw": {"status": "captured", "reason": None, "horizon": None}},
        **changes,
    }


def _step(step: str, entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    own = [one for one in entries if one["step"] == step]
    counted = {
        name: sum(one["outcome"] == word for one in own)
        for name, word in (
            ("passed", "passed"), ("found", "found"), ("not_evaluated", "not-evaluated"),
            ("error", "error"),
        )
    }  # fmt: skip
    return {"step": step, "verdict": _verdict(own), **counted}


def _verdict(entries: Sequence[Mapping[str, Any]]) -> str:
    for severity in ("escalate", "dangerous", "suspect", "expected"):
        if any(e["outcome"] == "found" and e["severity"] == severity for e in entries):
            return severity
    passed = entries and all(one["outcome"] == "passed" for one in entries)
    return "passed" if passed else "not-evaluated"


def notebook(*code: str, end: str = END) -> NotebookNode:
    """A notebook with a title, a cell of parameters, these cells, and its end marker."""
    v4 = nbformat.v4
    cells = [
        v4.new_markdown_cell("# A title\n\nSee [raw](01_raw_data.ipynb).", id="title"),
        v4.new_code_cell(
            'case = "x"\nstart = ""\nend = ""\nentity = ""\nfindings = ""',
            id="parameters",
            metadata={"tags": ["parameters"]},
        ),
        *(v4.new_code_cell(text, id=f"cell-{place}") for place, text in enumerate(code)),
        *([v4.new_code_cell(end, id="result")] if end else []),
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return v4.new_notebook(
        cells=cells, metadata={"kernelspec": kernel, "language_info": {"name": "python"}}
    )


def seven_notebooks(folder: Path, **code: Sequence[str]) -> Path:
    """The seven notebooks of the walk in a folder; those named hold these cells, or end early."""
    folder.mkdir(exist_ok=True)
    for name in NOTEBOOKS:
        nbformat.write(notebook(*code.get(f"nb_{name[:2]}", ())), folder / f"{name}.ipynb")
    return folder
