"""The way in by what is seen: complete against the guide, and honest about what a case tells."""

from __future__ import annotations

import pytest

from investigate.case import Coverage
from investigate.checks import book, registry
from investigate.cli import main
from investigate.evidence import Evidence
from investigate.findings import examine
from investigate.investigation import Investigation
from investigate.model import Severity
from investigate.symptom_answers import answer_symptoms
from investigate.symptoms import SYMPTOMS, matching
from investigate.tables import TABLES
from tests.builders import Event, event_row, evidence_of, raw_row
from tests.commands.conftest import HEALTHY

# The headings under which the troubleshooting guide (source 001) says what one may see, and the
# rows of the checklist that come from them: 17 and 18 are principles, and from 98 on its golden
# path, what not to do, and when to escalate.
GUIDE = (
    "Ingest returns DUPLICATE unexpectedly", "Ingest accepts but no data appears downstream",
    "Replay returns sent = 0", "Replay scans items but sends nothing",
    "Processor not consuming messages", "Processor runs but aggregates are wrong",
    "Processor errors but queue drains", "Messages disappear", "SQS stays empty after replay",
    "Scan works but query doesn’t", "Unexpected aggregate overwrites", "No logs in CloudWatch",
    "Metrics missing", "Works locally but not in AWS",
)  # fmt: skip
CHECKLIST = range(19, 98)
EVERYTHING = HEALTHY.replace("healthy", "everything")


def test_every_heading_of_the_guide_is_a_symptom_and_no_other_is():
    assert tuple(symptom.heading for symptom in SYMPTOMS.values()) == GUIDE


def test_every_row_of_the_checklist_belongs_to_one_symptom():
    rows = sorted(row for symptom in SYMPTOMS.values() for row in symptom.rows)
    assert rows == list(CHECKLIST)


@pytest.mark.parametrize("name", SYMPTOMS)
def test_a_symptom_leads_to_checks_and_tables_that_there_are(name):
    symptom = SYMPTOMS[name]
    assert symptom.checks
    assert len(set(symptom.checks)) == len(symptom.checks)
    assert {book[code].code for code in symptom.checks} == set(symptom.checks)
    assert set(symptom.tables) <= set(TABLES)
    assert symptom.mind.endswith(".")


def test_what_is_bad_is_the_answer_to_some_symptom():
    led_to = {code for symptom in SYMPTOMS.values() for code in symptom.checks}
    lost = {check.code for check in book if check.severity is Severity.ESCALATE} - led_to
    assert lost == set()


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("DUPLICATE", "ingest-duplicate"), ("sent = 0", "replay-sent-0"),
        ("queue drains", "errors-but-queue-drains"), ("messages disappear", "messages-disappear"),
        ("no logs", "no-logs"), ("metrics", "metrics-missing"), ("locally", "works-locally"),
        ("counts wrong", "counts-wrong"), ("the dashboard is wrong", "counts-wrong"),
        ("duplicates", "ingest-duplicate"), ("events are missing", "accepted-but-gone"),
        ("fewer events", "counts-wrong"), ("queue drains, fewer events", "counts-wrong"),
        ("dashboard of yesterday shows fewer events than the day before", "counts-wrong"),
    ],
)  # fmt: skip
def test_a_symptom_is_found_by_the_words_of_who_sees_it(text, first):
    assert matching(text)[0] == first


@pytest.mark.parametrize("text", ["the", "the frobnicator", "that was not for us", "is it on"])
def test_words_that_every_sentence_has_fit_nothing(text):
    assert not set(matching(f"xyzzy {text}"))


def incident(tmp_path, **tables):
    evidence = evidence_of(tmp_path, **tables)
    return Investigation(evidence, examine(evidence))


def test_a_check_that_found_something_explains_its_symptoms(tmp_path):
    known = incident(tmp_path, raw=[], events=[event_row(Event("a"))])
    answer = known.symptom("accepted-but-gone")
    assert answer.word == "explained"
    assert [finding.code for finding in answer.found] == ["raw/missing"]


def test_what_could_not_be_seen_is_never_not_in_this_case(tmp_path):
    event = Event("a")
    known = incident(tmp_path, raw=[raw_row(event)], events=[event_row(event)])
    answer = known.symptom("messages-disappear")
    assert answer.word == "not told"
    assert "queue_state: skipped (not in this test)" in answer.gaps


def test_no_logs_is_told_by_the_silence_of_the_roles(tmp_path):
    gone = {"log_lines": Coverage("denied", "no permission")}
    known = incident(tmp_path, events=[event_row(Event("a"))], coverage=gone)
    answer = known.symptom("no-logs")
    assert answer.word == "not told"
    assert answer.gaps[0] == "log_lines: denied (no permission)"


def test_what_is_not_in_a_case_warns_of_nothing(capsys):
    assert main(["symptoms", HEALTHY, "queue", "drains"]) == 0
    printed = capsys.readouterr().out
    assert "not in this case" in printed
    assert "mind" not in printed


def test_expected_duplicates_explain_nothing(tmp_path):
    event = Event("a")
    again = event_row(event, status="DUPLICATE")
    known = incident(tmp_path, raw=[raw_row(event)], events=[again])
    assert "events/duplicate" in {f.code for f in known.symptom("ingest-duplicate").passed}


def test_the_table_of_the_overview_has_every_symptom_the_explained_first(tmp_path):
    known = incident(tmp_path, raw=[], events=[event_row(Event("a"))])
    text = known.symptoms().text
    assert all(symptom.seen in text for symptom in SYMPTOMS.values())
    assert text.index("| explained") < text.index("| not told")


def test_the_command_lists_them_all_without_a_case(capsys):
    assert main(["symptoms"]) == 0
    printed = capsys.readouterr().out
    assert all(symptom.seen.upper() in printed for symptom in SYMPTOMS.values())


def test_the_command_answers_for_a_case(capsys):
    assert main(["symptoms", str(EVERYTHING), "queue", "drains"]) == 0
    printed = capsys.readouterr().out
    assert "THE QUEUE DRAINS ALL THE SAME: explained" in printed
    assert "sqs/lost (escalate)" in printed
    assert main(["symptoms", str(HEALTHY), "disappear"]) == 0
    assert "MESSAGES DISAPPEAR FROM THE QUEUE: not in this case" in capsys.readouterr().out


def test_the_command_runs_only_the_checks_of_what_it_shows(monkeypatch, capsys):
    asked, ask = set(), registry._ask
    monkeypatch.setattr(
        registry, "_ask", lambda check, case: asked.add(check.code) or ask(check, case)
    )
    assert main(["symptoms", str(HEALTHY), "processor-idle"]) == 0
    assert asked == set(SYMPTOMS["processor-idle"].checks)


def test_what_is_asked_alone_is_answered_as_among_all(tmp_path):
    known = incident(tmp_path, raw=[], events=[event_row(Event("a"))])
    alone = [answer_symptoms([name], Evidence(known.evidence.case))[0] for name in SYMPTOMS]
    assert alone == [known.symptom(name) for name in SYMPTOMS]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["xyzzy"], "no symptom fits 'xyzzy' (known: ingest-duplicate"),
        ([str(HEALTHY), "xyzzy"], "no symptom fits 'xyzzy'"),
        (["no/such/case", "logs"], "there is no case no/such/case"),
    ],
)
def test_what_is_not_known_is_one_message(capsys, words, said):
    assert main(["symptoms", *words]) != 0
    assert said in capsys.readouterr().err
