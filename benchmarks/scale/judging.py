"""What a check of a synthetic case said, beside what its truth says: every code, every key."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import ibis

from benchmarks.synthetic.truth import TRUTH, digest_of
from investigate.analysis.aggregate_days import days
from investigate.case import open_case
from investigate.checks import book, offending_rows
from investigate.evidence import Evidence

NOTHING = digest_of(())


def differences(case: Path, findings: Path) -> list[str]:
    """Return in words how the findings document of a synthetic case differs from its truth.

    Compared are the keys of every check, the verdict of every day and the pattern of every group of
    retries; an error of a check is a difference. Keys that the document leaves out for their number
    are asked for again.
    """
    truth = json.loads((case / TRUTH).read_text(encoding="utf-8"))
    document = json.loads(findings.read_text(encoding="utf-8"))
    parts = (
        _of_checks(case, document, truth),
        _of_days(case, document, truth),
        _of_retries(document, truth),
    )
    return [line for part in parts for line in part]


def _of_checks(case: Path, document: Mapping[str, Any], truth: Mapping[str, Any]) -> Iterator[str]:
    evidence: Evidence | None = None
    for entry in document["checks"]:
        code, expected = entry["code"], truth["digests"].get(entry["code"], NOTHING)
        if entry["outcome"] == "error":
            yield f"{code}: failed: {entry['reason']}"
        keys = entry["keys"]
        if entry["count"] > len(keys) and entry["count"] == expected["count"]:
            evidence = evidence or Evidence(open_case(case))
            keys = _all_keys(evidence, code)
        if digest_of(sorted(keys)) != expected or entry["count"] != expected["count"]:
            told = (
                f"{entry['outcome']}, {entry['count']:,} keys where {expected['count']:,} are true"
            )
            yield f"{code}: {told}{_some(set(keys), truth['findings'].get(code, []), expected)}"
    asked = {entry["code"] for entry in document["checks"]}
    yield from (f"{code}: not asked" for code in sorted(set(truth["digests"]) - asked))


def _some(keys: set[str], listed: Sequence[str], expected: Mapping[str, Any]) -> str:
    """Name a few keys that are in one of the two only, where the truth lists all of its own."""
    if len(listed) < expected["count"]:
        return ""
    extra, missed = sorted(keys - set(listed))[:3], sorted(set(listed) - keys)[:3]
    return f"; not true: {', '.join(extra) or 'none'}; not found: {', '.join(missed) or 'none'}"


def _all_keys(evidence: Evidence, code: str) -> list[str]:
    rows = offending_rows(book[code], evidence).rows
    keys = evidence.engine.materialise(rows.select(key=rows.key.fill_null("(no key)")).distinct())
    return [key for batch in evidence.engine.batches(keys) for key in batch.column(0).to_pylist()]


def _of_days(case: Path, document: Mapping[str, Any], truth: Mapping[str, Any]) -> Iterator[str]:
    rows = document["aggregates"]
    if document.get("aggregates_left_out"):
        evidence = Evidence(open_case(case))
        rows = evidence.engine.rows(days(evidence).filter(ibis._.verdict != "complete"))
    told = sorted(
        f"{row['entity_id']} {row['day']} {row['verdict']}"
        for row in rows
        if row["verdict"] != "complete"
    )
    if (found := digest_of(told)) != truth["verdicts"]:
        yield f"verdicts of days: {found['count']:,} of {truth['verdicts']['count']:,}, or others"


def _of_retries(document: Mapping[str, Any], truth: Mapping[str, Any]) -> Iterator[str]:
    told = {(row["group"], row["channel"], row["pattern"]) for row in document["retries"]}
    true = {(row["group"], row["channel"], row["pattern"]) for row in truth["retries"]}
    for row in sorted(told ^ true)[:5]:
        yield f"retries: {' '.join(row)}: {'found' if row in told else 'not found'}"
