from __future__ import annotations

import pytest

from investigate.model import Outcome, Severity
from investigate.report import briefing
from tests.report.samples import document, entry


def test_what_was_found_stands_in_order_of_severity_and_then_of_the_steps():
    told = document(
        entry("sqs/lost", severity="escalate"),
        entry("raw/late", severity="suspect"),
        entry("aggregates/partial"),
        entry("raw/corrupt"),
        entry("raw/gap", "passed"),
    )
    codes = [one["code"] for one in briefing.found(told)]
    assert codes == ["sqs/lost", "raw/corrupt", "aggregates/partial", "raw/late"]


def test_the_first_broken_step_is_the_first_that_is_dangerous_not_the_worst():
    told = document(
        entry("raw/late", severity="suspect"),
        entry("events/reused-id", severity="dangerous"),
        entry("sqs/lost", severity="escalate"),
    )
    assert briefing.first_broken_step(told) == "events"


def test_without_danger_the_first_step_of_the_worst_verdict_is_named():
    told = document(
        entry("events/duplicate", severity="expected"), entry("replay/dry-run", severity="suspect")
    )
    assert briefing.first_broken_step(told) == "replay"


@pytest.mark.parametrize(
    "entries",
    [
        [entry("raw/gap", "passed")],
        [entry("raw/gap", "not-evaluated")],
        [entry("events/duplicate", severity="expected")],
        [entry("dead-letters/waiting", severity="dangerous")],
    ],
    ids=["passed", "not-evaluated", "expected", "only-a-chapter"],
)
def test_no_step_is_called_broken_without_a_finding_in_it(entries):
    assert briefing.first_broken_step(document(*entries)) is None


def test_what_has_no_answer_is_listed_the_failed_checks_first():
    told = document(entry("raw/gap", "not-evaluated"), entry("sqs/lost", "error"))
    assert [one["code"] for one in briefing.unanswered(told)] == ["sqs/lost", "raw/gap"]


def test_completeness_names_every_table_that_is_not_whole():
    known = {"reason": None, "horizon": None}
    coverage = {
        "raw": {"status": "captured", **known},
        "messages": {"status": "partial", **known},
        "spans": {"status": "skipped", **known},
        "alarms": {"status": "skipped", **known},
    }
    said = briefing.completeness(document(coverage=coverage))
    assert said == (
        "1 of 4 tables captured wholly; 1 in part (messages); 2 not captured (spans, alarms)"
    )


def test_every_verdict_has_a_meaning():
    words = {severity.label for severity in Severity}
    assert set(briefing.MEANINGS) == words | {Outcome.PASSED.value, Outcome.NOT_EVALUATED.value}
