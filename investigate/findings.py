"""The findings document: every check's answer, the verdicts, the aggregates and the retries."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from investigate.analysis import aggregates, retries
from investigate.checks import answer, book
from investigate.errors import EngineError, NotEvaluable, UsageError
from investigate.evidence import Evidence
from investigate.model import Finding, Outcome, Severity, Step, isoformat, verdict
from investigate.pipeline import REFERENCE
from investigate.tables import TABLES

SCHEMA = "investigate.findings/1"
NOT_ASKED = "not asked"
# What a findings document answers for: two in which these agree may stand for each other.
IDENTITY = ("schema", "case", "design", "window", "entities", "captured_at", "settled_until")


@dataclass(frozen=True, slots=True)
class Examination:
    """One look at a case: the findings, and the findings document made of them."""

    findings: tuple[Finding, ...]
    document: dict[str, Any]


def examine(evidence: Evidence, steps: Sequence[Step] = tuple(Step)) -> Examination:
    """Return everything there is to say about these steps of a case, computed once."""
    findings = run_checks(evidence, steps)
    parts = {
        "aggregates": _rows(aggregates.document_rows, evidence, asked=Step.AGGREGATES in steps),
        "retries": _rows(retries.document_rows, evidence, asked=Step.RETRIES in steps),
    }
    left_out = aggregates.left_out(evidence, parts["aggregates"])
    return Examination(tuple(findings), document(evidence, findings, **parts, left_out=left_out))


def _rows(
    read: Callable[[Evidence], list[dict[str, Any]]], evidence: Evidence, *, asked: bool
) -> list[dict[str, Any]]:
    try:
        return read(evidence) if asked else []
    except (EngineError, NotEvaluable):
        # The checks read the same tables, and say why there is no answer.
        return []


def read_examination(path: str | Path, evidence: Evidence) -> Examination:
    """Return the examination in a findings document; raise `UsageError` unless it answers for
    exactly this case, this question and these checks."""
    document = _read_document(Path(path))
    if other := unlike(document, _identity(evidence)):
        raise _not_usable(path, other)
    try:
        findings = tuple(from_document(entry) for entry in document["checks"])
    except (KeyError, TypeError, ValueError, UsageError) as error:
        raise _not_usable(path, f"a check in it is {type(error).__name__}: {error}") from error
    if [finding.code for finding in findings] != [check.code for check in book]:
        raise _not_usable(path, "it holds other checks than this version asks")
    return Examination(findings, document)


def unlike(document: Mapping[str, Any], identity: Mapping[str, Any]) -> str:
    """Return in words in what a document answers for another case or question; empty if not."""
    for name in IDENTITY:
        if document.get(name) != identity.get(name):
            return f"its {name} is {document.get(name)!r}, not {identity.get(name)!r}"
    return ""


def run_checks(evidence: Evidence, steps: Sequence[Step] = tuple(Step)) -> list[Finding]:
    """Return the findings of all checks of these steps, in the order of the book."""
    return [answer(check, evidence) for check in book if check.step in steps]


def document(
    evidence: Evidence,
    findings: Sequence[Finding],
    *,
    aggregates: Sequence[dict[str, Any]],
    retries: Sequence[dict[str, Any]],
    left_out: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """Return the findings document (schema investigate.findings/1) as plain values; with
    `aggregates_left_out` if there are more days than it lists.

    It holds nothing but what follows from the case and the scope: two runs give the same bytes.
    """
    return {
        **_identity(evidence),
        "verdict": verdict(findings),
        "steps": [_step_summary(step, findings) for step in Step],
        "checks": [as_document(finding) for finding in findings],
        "retries": list(retries),
        "aggregates": list(aggregates),
        **({"aggregates_left_out": dict(left_out)} if left_out else {}),
        "coverage": {
            table: {"status": known.status, "reason": known.reason, "horizon": known.horizon}
            for table in TABLES
            for known in [evidence.coverage_of(table)]
        },
    }


def dump(findings_document: dict[str, Any]) -> str:
    """Return a findings document as the text that is written to disk."""
    return json.dumps(findings_document, indent=1, ensure_ascii=False) + "\n"


def exit_code(findings: Iterable[Finding], fail_on: Severity, *, allow_gaps: bool) -> int:
    """Return 1 for something found at or above `fail_on`, 3 for something not told, else 0."""
    findings = list(findings)
    if any(f.outcome is Outcome.FOUND and f.severity >= fail_on for f in findings):
        return 1
    unsure = any(f.outcome in (Outcome.NOT_EVALUATED, Outcome.ERROR) for f in findings)
    return 3 if (unsure or not findings) and not allow_gaps else 0


def _identity(evidence: Evidence) -> dict[str, Any]:
    """What the findings document of this evidence says of `IDENTITY`."""
    case, window = evidence.case, evidence.window
    scope = {"entities": list(evidence.entities)} if evidence.entities else {}
    other = {} if evidence.design == REFERENCE else {"design": evidence.design.name}
    return {
        "schema": SCHEMA,
        "case": case.name,
        **other,
        "window": {"start": isoformat(window.start), "end": isoformat(window.end)},
        **scope,
        "captured_at": isoformat(case.captured_at),
        "settled_until": isoformat(evidence.settled_until),
    }


def _read_document(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _not_usable(path, f"it cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise _not_usable(path, "it is not a JSON object")
    return document


def _not_usable(path: str | Path, why: str) -> UsageError:
    return UsageError(
        f"the findings document {path} does not answer for this case and question: {why}",
        hint='run the checks anew: leave findings empty, findings = ""',
    )


def from_document(entry: dict[str, Any]) -> Finding:
    """Return the finding that an entry of a findings document is."""
    severity, outcome = Severity.parse(entry["severity"]), Outcome(entry["outcome"])
    texts = {
        name: entry[name] for name in ("code", "question", "summary", "key", "advice", "avoid")
    }
    known = [*texts.values(), *entry["keys"], entry["reason"] or ""]
    if not all(isinstance(text, str) for text in known) or type(entry["count"]) is not int:
        raise TypeError("a text or a number in it is of another kind")
    return Finding(
        step=Step.parse(entry["step"]), outcome=outcome, severity=severity, count=entry["count"],
        keys=tuple(entry["keys"]), reason=entry["reason"], **texts,
    )  # fmt: skip


def _step_summary(step: Step, findings: Sequence[Finding]) -> dict[str, Any]:
    own = [finding for finding in findings if finding.step is step]
    counted = Counter(finding.outcome for finding in own)
    return {
        "step": step.value,
        "verdict": verdict(own),
        "reason": None if own else NOT_ASKED,
        "passed": counted[Outcome.PASSED],
        "found": counted[Outcome.FOUND],
        "not_evaluated": counted[Outcome.NOT_EVALUATED],
        "error": counted[Outcome.ERROR],
    }


def as_document(finding: Finding) -> dict[str, Any]:
    """Return a finding as an entry of a findings document."""
    return {
        "code": finding.code,
        "step": finding.step.value,
        "outcome": finding.outcome.value,
        "severity": finding.severity.label,
        "question": finding.question,
        "summary": finding.summary,
        "count": finding.count,
        "key": finding.key,
        "keys": list(finding.keys),
        "keys_shown": len(finding.keys),
        "reason": finding.reason,
        "advice": finding.advice,
        "avoid": finding.avoid,
    }
