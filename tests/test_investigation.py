"""What a notebook works with: the right case and question, the findings, and honest outputs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from investigate import open_investigation
from investigate.case import Coverage
from investigate.checks import book
from investigate.entities import refuse_unknown_entities
from investigate.errors import CaseError, UsageError
from investigate.evidence import Evidence, Scope
from investigate.findings import Examination, dump, examine
from investigate.investigation import RESULT_MIME, Investigation
from investigate.model import STEPS, Finding, Outcome, Severity, Step
from investigate.tables import TABLES
from tests.builders import Event, at, event_row, evidence_of, queue_row, raw_row, with_a_lost_object

HOSTILE = "<script>alert(1)</script>"
KEPT, LOST = Event("a", at(1)), Event("b", at(2), entity_id=HOSTILE)


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One of two events has lost its raw object; nothing else was captured."""
    evidence = with_a_lost_object(tmp_path_factory.mktemp("cases"), KEPT, LOST)
    return str(evidence.case.folder)


@pytest.fixture(scope="module")
def incident(case: str) -> Investigation:
    return open_investigation(case)


@pytest.fixture
def document(incident: Investigation, tmp_path: Path) -> Path:
    path = tmp_path / "findings.json"
    path.write_text(dump(incident.examination.document), encoding="utf-8")
    return path


def test_the_headline_says_the_verdict_of_the_step_first(incident):
    first, strip, scope = incident.headline("raw").text.splitlines()
    assert first.startswith("raw: escalate (1 found, ")
    assert strip.count("→") == 5
    assert "2026-03-10T00:00:00Z ≤ event time < 2026-03-11T00:00:00Z, all entities" in scope
    assert "younger than 2026-03-11T23:55:00Z is not judged" in scope


def test_the_headline_of_the_case_counts_all_checks(incident):
    assert incident.headline().text.startswith("the case test: escalate (")


def test_the_style_sheet_comes_with_the_headline_only(incident):
    assert "<style>" in incident.headline().html
    assert "<style>" not in incident.findings_of("raw").html


def test_the_coverage_of_a_step_names_the_tables_its_checks_read(incident):
    lines = incident.coverage("raw").text.splitlines()
    assert "raw | captured | 1 | –" in lines
    assert "events | captured | 2 | –" in lines
    assert "invocations | skipped | – | not in this test" in lines
    assert not any(line.startswith("messages") for line in lines)


def test_every_table_stands_in_the_coverage_of_the_case(incident):
    assert len(incident.coverage().text.splitlines()) == 1 + len(TABLES)


def test_findings_stand_open_and_passed_checks_are_folded(incident):
    shown = incident.findings_of("raw")
    loud, quiet = shown.html.split("<details", 1)
    assert "raw/missing" in loud
    assert "raw/corrupt" in quiet
    assert "raw/corrupt" not in loud


def test_in_brief_what_cannot_wait_and_what_is_untold_stand_open(incident):
    shown = incident.findings_in_brief()
    loud, quiet = shown.html.split("<details", 1)
    assert "raw/missing" in loud
    assert loud.count("not-evaluated") >= 10
    assert "raw/corrupt" in quiet
    assert "raw/corrupt" not in loud
    said = [line for line in shown.text.splitlines() if line.startswith("raw/missing")]
    assert said == [
        "raw/missing | escalate | 1 | raw | 1 event has an EventsTable row but no raw object "
        "under any key."
    ]


def test_in_brief_names_each_check_once(incident):
    shown = incident.findings_in_brief().html
    assert all(shown.count(f"<code>{check.code}</code>") == 1 for check in book)


def test_the_rows_of_a_finding_are_shown_with_their_number(incident):
    shown = incident.rows("raw/missing")
    assert shown.text.startswith("1 row. 1 event has an EventsTable row but no raw object")
    assert LOST.id in shown.text
    assert HOSTILE not in shown.html


def test_a_cut_table_says_how_much_there_is_and_where_the_rest_is(tmp_path):
    events = [Event(f"e{n}", at(n / 10)) for n in range(7)]
    evidence = evidence_of(tmp_path, raw=[], events=[event_row(event) for event in events])
    shown = Investigation(evidence, examine(evidence)).rows("raw/missing", limit=3)
    assert shown.text.startswith("3 of 7 rows. ")
    assert "findings.json" in shown.text
    assert len(shown.text.splitlines()) == 5


@pytest.mark.parametrize("limit", [0, -1])
def test_fewer_rows_than_one_cannot_be_asked_for(incident, limit):
    with pytest.raises(UsageError, match=f"the limit is {limit}"):
        incident.rows("raw/missing", limit=limit)


def test_whole_bodies_are_not_shown(tmp_path):
    secret = Event("s", at(1), payload={"card": "4111"})
    evidence = evidence_of(tmp_path, raw=[raw_row(secret, payload_sha_actual="0" * 64)])
    shown = Investigation(evidence, examine(evidence)).rows("raw/payload-mismatch")
    assert shown.text.startswith("1 row.")
    assert "4111" not in shown.html


def test_a_passed_check_has_no_rows_and_says_so(incident):
    assert incident.rows("raw/corrupt").text.startswith("✓ passed: raw/corrupt")


def test_a_check_without_evidence_shows_why_instead_of_rows(incident):
    shown = incident.rows("aggregates/partial")
    assert "not-evaluated" in shown.html
    assert "aggregates" in shown.text


def test_an_unknown_code_is_refused(incident):
    with pytest.raises(UsageError, match="unknown check 'raw/mising'"):
        incident.rows("raw/mising")


def test_an_unknown_step_is_refused(incident):
    with pytest.raises(UsageError, match="unknown step 'row'"):
        incident.headline("row")


def test_the_rows_of_a_step_are_folded_under_their_findings(incident):
    shown = incident.evidence_of("raw")
    assert shown.html.count("<details") == 1
    assert 'id="rows-raw-missing"' in shown.html


def test_a_step_without_findings_has_no_rows_to_show(incident):
    assert incident.evidence_of("sqs").text.startswith("No check found anything")


def test_a_step_of_which_nothing_was_asked_is_not_evaluated(incident):
    silent = Investigation(incident.evidence, Examination((), {}))
    assert "no check asks about this step" in silent.findings_of("dead-letters").text


@pytest.mark.parametrize("step", ["", *(step.value for step in STEPS)])
def test_the_result_is_the_verdict_for_machines(incident, step):
    result: dict[str, Any] = incident.result(step)._repr_mimebundle_()[RESULT_MIME]
    own = [f for f in incident.findings if step in ("", f.step.value)]
    assert result["schema"] == "investigate.result/1"
    assert result["step"] == (step or "overview")
    assert sum(result["counts"].values()) == len(own) > 0
    json.dumps(result)


def test_missing_evidence_gives_numbers_with_a_reason(incident):
    def lags(evidence: Evidence) -> list[dict[str, Any]]:
        evidence.require(("messages",))
        return [{"never": 1}]

    told = incident.numbers(lags)
    assert told.name == "lags"
    assert not told.rows
    assert told.unknown == "needs messages: skipped (not in this test)"


def test_a_mistake_in_a_question_is_not_taken_for_missing_evidence(incident):
    def wrong(evidence: Evidence) -> list[dict[str, Any]]:
        return [{"x": evidence.nothing}]  # type: ignore[attr-defined]

    with pytest.raises(AttributeError):
        incident.numbers(wrong)


def test_verdicts_count_each_check_once(incident):
    assert sum(incident.verdicts().column("checks")) == len(list(book))


def test_a_question_about_one_entity_leaves_the_others_out(case):
    kept = open_investigation(case, entity=KEPT.entity_id)
    assert kept.rows("raw/missing").text.startswith("✓ passed")
    assert "entity e1" in kept.headline().text


def test_a_question_about_a_part_of_the_window_leaves_the_rest_out(case):
    early = open_investigation(case, end="2026-03-10T01:30:00Z")
    assert early.rows("raw/missing").text.startswith("✓ passed")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        pytest.param({"entity": "e2"}, "unknown entity 'e2'", id="entity"),
        pytest.param({"start": "2026-03-10"}, "no offset", id="offset"),
        pytest.param({"end": "2030-01-01T00:00:00Z"}, "beyond what was captured", id="window"),
        pytest.param({"findings": "nowhere.json"}, "cannot be read", id="findings"),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused(case, asked, said):
    with pytest.raises(UsageError, match=said) as refused:
        open_investigation(case, **asked)
    assert refused.value.hint


def test_an_unknown_entity_is_told_the_nearest(case):
    with pytest.raises(UsageError, match="did you mean 'e1'"):
        open_investigation(case, entity="e11")


def test_of_many_entities_the_nearest_is_named_though_not_all_are_listed(tmp_path):
    events = [Event(f"e{n}", at(1), entity_id=f"customer-{n:03}") for n in range(60)]
    evidence = evidence_of(tmp_path, events=[event_row(event) for event in events])
    with pytest.raises(UsageError, match="customer-019 and 40 more") as refused:
        open_investigation(str(evidence.case.folder), entity="customer-59")
    assert "customer-059" in refused.value.hint


def test_an_entity_cannot_be_asked_about_where_no_table_names_any(tmp_path):
    evidence = evidence_of(tmp_path, queue_state=[queue_row()])
    with pytest.raises(UsageError, match="no captured table names entities"):
        open_investigation(str(evidence.case.folder), entity="e1")


def test_a_folder_without_a_case_is_refused(tmp_path):
    with pytest.raises(CaseError, match="there is no case"):
        open_investigation(str(tmp_path / "nothing"))


def test_findings_can_be_taken_from_a_document(case, incident, document):
    again = open_investigation(case, findings=str(document))
    assert again.findings == incident.findings
    assert again.examination.document == incident.examination.document


def changed(path: Path, **values: Any) -> str:
    told = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**told, **values}), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        pytest.param({"schema": "investigate.findings/2"}, "its schema is", id="schema"),
        pytest.param({"case": "other"}, "its case is 'other', not 'test'", id="case"),
        pytest.param({"captured_at": "2026-01-01T00:00:00Z"}, "its captured_at", id="capture"),
        pytest.param({"entities": ["e1"]}, "its entities", id="entities"),
        pytest.param({"window": {}}, "its window", id="window"),
        pytest.param({"checks": []}, "other checks", id="no-checks"),
        pytest.param({"checks": [{"code": "raw/missing"}]}, "KeyError", id="half-a-check"),
    ],
)
def test_findings_of_another_question_are_refused(case, document, values, said):
    with pytest.raises(UsageError, match=said) as refused:
        open_investigation(case, findings=changed(document, **values))
    assert 'findings = ""' in refused.value.hint


@pytest.mark.parametrize("text", ["", "[]", "not json", "\xff"])
def test_findings_that_are_no_document_are_refused(case, tmp_path, text):
    path = tmp_path / "findings.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError, match="does not answer for this case"):
        open_investigation(case, findings=str(path))


def test_a_failed_check_is_shown_with_its_reason(incident):
    failed = Finding(
        "raw/gap", Step.RAW, Outcome.ERROR, Severity.SUSPECT, "Is it?",
        "This failed: the query failed.", "key", reason="the query failed",
    )  # fmt: skip
    broken = Investigation(incident.evidence, Examination((failed,), {}))
    assert "✗" in broken.findings_of("raw").html
    assert broken.rows("raw/gap").text == "✗ error: raw/gap: This failed: the query failed."


def test_a_table_that_was_denied_says_so_in_the_coverage(tmp_path):
    evidence = evidence_of(
        tmp_path, raw=[], coverage={"events": Coverage("denied", "AccessDenied for <role>")}
    )
    shown = Investigation(evidence, examine(evidence)).coverage("events")
    assert "denied | – | AccessDenied for <role>" in shown.text
    assert "<role>" not in shown.html


@pytest.mark.parametrize(
    ("many", "said"),
    [(0, r"\(known: none\)"), (20, r"known: e00, .*, e19\)"), (21, r", e19 and 1 more\)")],
)
def test_an_unknown_entity_is_told_with_the_first_of_those_that_are_known(tmp_path, many, said):
    rows = [event_row(Event(str(n), entity_id=f"e{n:02d}")) for n in range(many)]
    evidence = evidence_of(tmp_path, events=[*rows, event_row(Event("of nobody"), entity_id=None)])
    asked = Evidence(evidence.case, scope=Scope(evidence.window, ("nobody",)))
    with pytest.raises(UsageError, match=said):
        refuse_unknown_entities(asked)


def test_where_no_table_names_entities_none_can_be_looked_up(tmp_path):
    evidence = evidence_of(tmp_path, queue_state=[])
    asked = Evidence(evidence.case, scope=Scope(evidence.window, ("nobody",)))
    with pytest.raises(UsageError, match="no captured table names entities"):
        refuse_unknown_entities(asked)
