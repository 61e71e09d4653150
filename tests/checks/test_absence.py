"""A table of which not every row is listed proves the absence of nothing, in any check."""

from __future__ import annotations

import pytest

from investigate.case import Coverage
from investigate.checks import book, offending_rows
from investigate.errors import NotEvaluable
from investigate.model import Outcome
from tests.builders import evidence_of, finding_of
from tests.complete import troubled

# What each check concludes from the absence of rows in; written out, so that a check that is
# content with less is noticed.
WHOLE = {
    "raw/missing": ("raw",),
    "raw/expired": ("raw",),
    "raw/gap": ("raw",),
    "events/missing-row": ("events",),
    "events/dangling-key": ("raw",),
    "dedupe/orphan": ("raw", "events"),
    "dedupe/missing": ("dedupe",),
    "sqs/backlog": ("mappings",),
    "processor/not-consuming": ("mappings",),
    "aggregates/missing": ("aggregates",),
    "aggregates/partial": ("aggregates",),
    "aggregates/split": ("aggregates",),
    "aggregates/stale": ("aggregates",),
    "configuration/mapping-disabled": ("mappings",),
    "configuration/no-alarm": ("alarms",),
    "metrics/missing": ("metric_points",),
    "metrics/disagree": ("invocations", "log_lines"),
}  # fmt: skip
PAIRS = [(code, table) for code, tables in WHOLE.items() for table in tables]


def test_every_check_that_concludes_from_absence_is_known():
    assert {check.code: check.whole for check in book if check.whole} == WHOLE


@pytest.mark.parametrize(("code", "table"), PAIRS)
def test_what_concludes_from_absence_has_no_answer_where_rows_may_be_missing(tmp_path, code, table):
    cut = {table: Coverage("partial", "cut off")}
    evidence = evidence_of(tmp_path, coverage=cut, **troubled())
    with pytest.raises(NotEvaluable, match=f"absence proves nothing in .*{table}: partial"):
        offending_rows(book[code], evidence)


@pytest.mark.parametrize("code", [check.code for check in book])
def test_every_check_of_a_troubled_case_looks_into_all_that_it_names(tmp_path, code):
    check = book[code]
    named = set(check.tables)
    kept = {name: rows for name, rows in troubled().items() if name not in named}
    finding = finding_of(code, evidence_of(tmp_path, **kept))
    assert finding.outcome is Outcome.NOT_EVALUATED
