"""The findings document and the exit code: exact, in a fixed order, and the same twice."""

from __future__ import annotations

import json

import pytest

from investigate.case import Coverage
from investigate.checks import book
from investigate.errors import UsageError
from investigate.evidence import Evidence, Scope
from investigate.findings import (
    Examination,
    document,
    dump,
    examine,
    exit_code,
    read_examination,
    run_checks,
)
from investigate.model import Finding, Outcome, Severity, Step, Window
from investigate.tables import TABLES
from tests.builders import CAPTURED, END, START, Event, at, event_row, evidence_of, raw_row

A, B = Event("a", at(1)), Event("b", at(2), entity_id="e2")


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Evidence:
    """Two events of which one has lost its raw object; nothing but raw and events captured."""
    return evidence_of(
        tmp_path_factory.mktemp("findings"),
        raw=[raw_row(A)],
        events=[event_row(A), event_row(B)],
        coverage={"dedupe": Coverage("denied", "no dynamodb:Scan")},
    )


@pytest.fixture(scope="module")
def examined(small: Evidence) -> Examination:
    return examine(small)


def finding(outcome: Outcome, severity: Severity = Severity.DANGEROUS, code="raw/x") -> Finding:
    found = {"count": 1, "keys": ("k",)} if outcome is Outcome.FOUND else {}
    unsure = outcome in (Outcome.NOT_EVALUATED, Outcome.ERROR)
    step = Step(code.split("/")[0])
    texts = ("Is it?", "It is.", "event_id")
    return Finding(code, step, outcome, severity, *texts, reason="why" if unsure else None, **found)


# the document


def test_the_document_has_the_agreed_shape(examined):
    told = examined.document
    assert list(told) == [
        "schema", "case", "window", "captured_at", "settled_until", "verdict", "steps", "checks",
        "retries", "aggregates", "coverage",
    ]  # fmt: skip
    assert told["schema"] == "investigate.findings/1"
    assert told["case"] == "test"
    assert told["window"] == {"start": "2026-03-10T00:00:00Z", "end": "2026-03-11T00:00:00Z"}
    assert told["captured_at"] == "2026-03-12T00:00:00Z"
    assert told["settled_until"] == "2026-03-11T23:55:00Z"
    assert told["verdict"] == "escalate"


def test_a_finding_is_told_in_full(examined):
    (missing,) = [c for c in examined.document["checks"] if c["code"] == "raw/missing"]
    check = book["raw/missing"]
    assert missing == {
        "code": "raw/missing",
        "step": "raw",
        "outcome": "found",
        "severity": "escalate",
        "question": check.question,
        "summary": "1 event has an EventsTable row but no raw object under any key.",
        "count": 1,
        "key": "event_id",
        "keys": [B.id],
        "keys_shown": 1,
        "reason": None,
        "advice": check.advice,
        "avoid": check.avoid,
    }


def test_every_check_answers_once_in_the_order_of_the_book(examined):
    told = examined.document["checks"]
    assert [entry["code"] for entry in told] == [check.code for check in book]


def test_the_steps_are_summed_up_in_order_chapters_included(examined):
    told = examined.document
    assert [step["step"] for step in told["steps"]] == [step.value for step in Step]
    for summary in told["steps"]:
        own = [c["outcome"] for c in told["checks"] if c["step"] == summary["step"]]
        assert summary["passed"] == own.count("passed")
        assert summary["found"] == own.count("found")
        assert summary["not_evaluated"] == own.count("not-evaluated")
        assert summary["error"] == own.count("error") == 0
    assert told["steps"][0]["verdict"] == "escalate"


def test_a_step_that_nobody_looked_at_is_not_evaluated(small):
    told = document(small, [finding(Outcome.PASSED)], aggregates=[], retries=[])
    verdicts = {step["step"]: step["verdict"] for step in told["steps"]}
    assert verdicts.pop("raw") == "passed"
    assert set(verdicts.values()) == {"not-evaluated"}


def test_coverage_tells_of_every_table(examined):
    coverage = examined.document["coverage"]
    assert list(coverage) == list(TABLES)
    assert coverage["raw"] == {"status": "captured", "reason": None, "horizon": None}
    assert coverage["dedupe"]["status"] == "denied"
    assert coverage["dedupe"]["reason"] == "no dynamodb:Scan"


def test_a_step_without_an_answer_says_that_it_was_not_asked(small):
    told = examine(small, [Step.RAW]).document
    reasons = {step["step"]: step["reason"] for step in told["steps"]}
    assert reasons["raw"] is None
    assert reasons["sqs"] == "not asked"
    assert reasons["retries"] == "not asked"


def test_only_some_steps_can_be_asked(small):
    asked = run_checks(small, [Step.SQS, Step.RAW])
    assert [finding.code for finding in asked] == [
        check.code for check in book if check.step in (Step.RAW, Step.SQS)
    ]


def test_the_entities_of_the_question_stand_in_the_document(small):
    scoped = Evidence(small.case, scope=Scope(Window(START, END), ("e1",)))
    told = examine(scoped, [Step.RAW]).document
    assert told["entities"] == ["e1"]
    assert "entities" not in examine(small, [Step.RAW]).document


def test_two_runs_give_the_same_bytes(small, examined):
    again = examine(Evidence(small.case))
    assert dump(again.document) == dump(examined.document)


def test_the_document_is_json_that_keeps_its_letters(small):
    told = document(small, [], aggregates=[{"entity_id": "é"}], retries=[])
    text = dump(told)
    assert json.loads(text) == told
    assert text.endswith("}\n")
    assert "é" in text


# reading a document back


def test_a_document_can_be_read_instead_of_asking_again(small, examined, tmp_path):
    path = tmp_path / "findings.json"
    path.write_text(dump(examined.document), encoding="utf-8")
    assert read_examination(path, Evidence(small.case)) == examined


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"case": "another"}, "its case is 'another', not 'test'"),
        ({"entities": ["e1"]}, "its entities is"),
        ({"schema": "investigate.findings/2"}, "its schema is"),
        ({"captured_at": "2026-03-13T00:00:00Z"}, "its captured_at is"),
        ({"checks": []}, "it holds other checks"),
        ({"checks": [{}]}, "a check in it is KeyError"),
        ({"checks": None}, "a check in it is TypeError"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_document_of_another_question_is_refused(small, examined, tmp_path, changes, said):
    path = tmp_path / "findings.json"
    path.write_text(dump({**examined.document, **changes}), encoding="utf-8")
    with pytest.raises(UsageError, match="does not answer for this case") as error:
        read_examination(path, small)
    assert said in error.value.message


@pytest.mark.parametrize("content", ["", "[]", "{", "null"])
def test_what_is_no_document_is_refused(small, tmp_path, content):
    path = tmp_path / "findings.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match="does not answer for this case"):
        read_examination(path, small)


def test_a_missing_document_is_refused(small, tmp_path):
    with pytest.raises(UsageError, match="it cannot be read"):
        read_examination(tmp_path / "none.json", small)


# the exit code


FOUND, PASSED = Outcome.FOUND, Outcome.PASSED
UNKNOWN, ERROR = Outcome.NOT_EVALUATED, Outcome.ERROR


@pytest.mark.parametrize(
    ("findings", "code"),
    [
        ([finding(PASSED)], 0),
        ([finding(PASSED), finding(FOUND, Severity.SUSPECT)], 0),
        ([finding(PASSED), finding(FOUND, Severity.DANGEROUS)], 1),
        ([finding(FOUND, Severity.ESCALATE), finding(UNKNOWN)], 1),
        ([finding(PASSED), finding(UNKNOWN)], 3),
        ([finding(PASSED), finding(ERROR)], 3),
        ([finding(FOUND, Severity.SUSPECT), finding(UNKNOWN)], 3),
        ([], 3),
    ],
    ids=[
        "all passed", "below the level", "at the level", "above it, whatever is unknown",
        "something could not be told", "a check failed", "below the level and unknown",
        "nobody looked",
    ],
)  # fmt: skip
def test_the_exit_code_tells_the_worst(findings, code):
    assert exit_code(iter(findings), Severity.DANGEROUS, allow_gaps=False) == code


@pytest.mark.parametrize("severity", Severity, ids=lambda severity: severity.label)
@pytest.mark.parametrize("fail_on", Severity, ids=lambda severity: severity.label)
def test_the_level_can_be_set(severity, fail_on):
    code = exit_code([finding(FOUND, severity)], fail_on, allow_gaps=False)
    assert code == (1 if severity >= fail_on else 0)


def test_gaps_can_be_allowed_and_faults_cannot():
    gaps = [finding(UNKNOWN), finding(ERROR)]
    assert exit_code(gaps, Severity.DANGEROUS, allow_gaps=True) == 0
    assert exit_code([*gaps, finding(FOUND)], Severity.DANGEROUS, allow_gaps=True) == 1


def test_the_case_of_these_tests_was_captured_after_its_window():
    assert CAPTURED > END
