"""Asking only the checks that saw what has changed gives what asking all of them gives."""

from __future__ import annotations

from dataclasses import replace

import pytest

from investigate.case import Coverage
from investigate.checks import book
from investigate.evidence import Evidence
from investigate.findings import run_checks
from investigate.tables import TABLES
from tests.builders import evidence_of
from tests.complete import troubled
from tests.observed import Observed, observed

GONE = Coverage("denied", "no permission")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Observed:
    return observed(evidence_of(tmp_path_factory.mktemp("whole"), **troubled()).case)


def test_who_is_observed_says_what_is_said_otherwise(whole):
    assert list(whole.findings.values()) == run_checks(Evidence(whole.case))


def test_all_findings_without_a_table_are_those_of_asking_every_check(whole, tmp_path):
    kept = {name: rows for name, rows in troubled().items() if name != "invocations"}
    case = evidence_of(tmp_path, **kept, coverage={"invocations": GONE}).case
    assert whole.findings_of(case) == run_checks(Evidence(case))
    assert 0 < len(whole.concerned(case)) < len(list(book)) / 2


def test_all_findings_with_other_rows_are_those_of_asking_every_check(whole, tmp_path):
    tables = troubled()
    tables["log_lines"] = tables["log_lines"][::2]
    case = evidence_of(tmp_path, **tables, coverage={"log_lines": Coverage("partial", "cut")}).case
    told = whole.findings_of(case)
    assert told == run_checks(Evidence(case))
    assert told != list(whole.findings.values())


def test_every_table_that_a_check_declares_is_one_it_looked_at_or_was_not_needed(whole):
    seen = {code: {look.table for look in looks} for code, looks in whole.looks.items()}
    for check in book:
        assert {*check.needs, *check.whole} <= seen[check.code]
    assert set().union(*seen.values()) >= set(TABLES)


def test_a_case_that_says_something_else_of_itself_concerns_every_check(whole):
    assert whole.concerned(whole.case) == []
    assert whole.concerned(replace(whole.case, settle_seconds=1)) == list(book)
