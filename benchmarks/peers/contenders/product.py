"""The questions as the product's checks: `python -m benchmarks.peers.contenders.product CASE`."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.peers.questions import QUESTIONS, Answers, answers, printed
from investigate.case import open_case
from investigate.checks import answer, book, offending_rows
from investigate.evidence import Evidence

REPEATS = "events/duplicate"


def main(case: Path) -> Answers:
    """Return what the checks find in a case, whose digests are verified as always."""
    evidence = Evidence(open_case(case))
    keys = {code: _keys(evidence, code) for code in QUESTIONS}
    rows = offending_rows(book[REPEATS], evidence).rows
    causes = rows.select("key", "made_by").distinct().group_by("made_by")
    counted = evidence.engine.rows(causes.agg(events=lambda group: group.count()))
    return answers(keys, {row["made_by"]: row["events"] for row in counted})


def _keys(evidence: Evidence, code: str) -> tuple[str, ...]:
    """All keys of a finding, of which the finding itself lists the first ten thousand."""
    finding = answer(book[code], evidence)
    if finding.count == len(finding.keys):
        return finding.keys
    keys = offending_rows(book[code], evidence).rows.select("key").distinct()
    return tuple(str(row["key"]) for row in evidence.engine.rows(keys))


if __name__ == "__main__":
    print(printed(main(Path(sys.argv[1]))))
