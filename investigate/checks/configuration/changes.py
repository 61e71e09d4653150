"""The check of changes: did failures begin shortly after something was deployed?"""

from __future__ import annotations

from investigate.analysis.changes import near_failures
from investigate.checks.registry import PartialRows, check
from investigate.evidence import Evidence
from investigate.model import Severity


@check(
    "configuration/change-before-failure",
    Severity.SUSPECT,
    key="function",
    either=("invocations", "log_lines"),
    needs=("functions",),
    reads=("deployments",),
    found="{count} function{s} began to fail shortly after a change of {their} own.",
    advice="Compare the code or settings with those before. If the fingerprints are new since the "
    "change, roll back first and understand afterwards.",
    avoid="Do not redrive before the function is repaired: what fails for a lasting reason fails "
    "again.",
)
def change_before_failure(evidence: Evidence) -> PartialRows:
    """Did a function begin to fail shortly after it was changed?"""
    rows, gap = near_failures(evidence)
    return PartialRows(rows.mutate(key=rows.function), gap)
