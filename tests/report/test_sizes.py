"""How large the pages of findings may be, however large the case."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from investigate.checks.registry import book
from investigate.findings import examine
from investigate.opening import evidence_for
from investigate.parameters import Parameters
from investigate.report.notebooks import NOTEBOOKS
from investigate.report.site import Site, pages_of
from tests.report.samples import document, entry, notebook

INDEX, PAGE = 60_000, 250_000  # bytes, without plotly.js
CASES = Path(__file__).resolve().parent.parent.parent / "data" / "cases"


def sizes(told):
    """The sizes of the index and of the page of all findings, in bytes."""
    site = Site(told, pages_of(told, [(name, notebook(), None) for name in NOTEBOOKS]))
    pages = site.index("investigate report CASE"), site.findings()
    return tuple(len(page.encode("utf-8")) for page in pages)


def test_the_demo_case_in_which_everything_went_wrong_has_small_pages():
    told = examine(evidence_for(Parameters(case=str(CASES / "everything")))).document
    index, findings = sizes(told)
    assert index <= INDEX
    assert findings <= PAGE


@pytest.mark.parametrize("outcome", ["found", "not-evaluated"])
def test_a_case_in_which_every_check_speaks_of_ten_thousand_ids_has_small_pages(outcome):
    keys = [f"{number:064x}" for number in range(10_000)]
    reason = "raw: denied (AccessDenied: the role may not do this on that resource) " * 2
    entries = [
        entry(
            check.code,
            outcome,
            keys=keys if outcome == "found" else [],
            count=100_000,
            summary=f"100,000 events are not what {check.code} asks for.",
            advice="Look at the rows of this finding, then mend the cause. " * 5,
            avoid="Do not send them again before the cause is known. " * 3,
            reason=reason,
            step=check.step.value,
        )
        for check in book
    ]
    versions = [
        {"version": number, "inputs_hash": "h" * 64, "explained_by": "all-captured-events"}
        for number in range(100)
    ]
    days = [
        {"entity_id": f"e{number:036}", "day": "2026-03-10", "verdict": "split",
         "versions": versions}
        for number in range(10_000)
    ]  # fmt: skip
    told = document(*entries, aggregates=days)
    assert len(json.dumps(told)) > 1_000_000
    index, findings = sizes(told)
    assert index <= INDEX
    assert findings <= PAGE
