"""Findings of an analyst's own: kept apart from those of the checks, and saved beside them."""

from __future__ import annotations

import errno
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from investigate import open_investigation
from investigate.case import Coverage
from investigate.errors import UsageError
from investigate.evidence import Scope
from investigate.findings import SCHEMA, Examination
from investigate.investigation import Investigation
from investigate.model import Outcome, Window
from tests.builders import (
    END,
    START,
    Event,
    at,
    event_row,
    evidence_of,
    raw_row,
    with_a_lost_object,
)

KEPT, LOST = Event("a", at(1)), Event("b", at(2), entity_id="another")
ASKED = {
    "step": "events", "key": "event_id", "severity": "suspect", "question": "Which are late?",
}  # fmt: skip


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> str:
    evidence = with_a_lost_object(tmp_path_factory.mktemp("cases"), KEPT, LOST)
    return str(evidence.case.folder)


@pytest.fixture(scope="module")
def opened(case: str) -> Investigation:
    return open_investigation(case)


@pytest.fixture
def incident(opened: Investigation) -> Investigation:
    """A new investigation of what was examined once."""
    return Investigation(opened.evidence, opened.examination)


@pytest.mark.parametrize("way", ["sql", "ibis", "answer"])
def test_a_query_becomes_a_finding_with_its_keys_in_order(incident, way):
    sql = "select event_id from events union all select event_id from raw"
    rows = {"sql": sql, "ibis": incident.tables.events, "answer": incident.query(sql)}[way]
    shown = incident.add_finding("own/late", rows, **ASKED)
    assert "own/late | suspect | 2 | Which are late? 2 rows by event_id." in shown.text
    assert incident.own_findings["own/late"].keys == tuple(sorted((KEPT.id, LOST.id)))


def test_no_rows_are_a_finding_that_has_passed(incident):
    shown = incident.add_finding("own/late", "from events limit 0", **ASKED)
    assert "own/late | passed | – | Which are late? There are none." in shown.text


def partly(tmp_path: Path, *, scope: Scope | None = None, **changes: object) -> Investigation:
    """An investigation of two events whose table was captured in part, if nothing else is said."""
    known = {"events": Coverage("partial", "the scan was cut"), **changes}
    rows = [event_row(KEPT), event_row(LOST)]
    evidence = evidence_of(tmp_path, coverage=known, scope=scope, raw=[raw_row(KEPT)], events=rows)
    return Investigation(evidence, Examination((), {}))


GAP = r"events: partial (the scan was cut)"


@pytest.mark.parametrize("way", ["sql", "ibis", "answer of an answer", "ledger", "ibis ledger"])
def test_no_rows_of_a_table_captured_in_part_are_not_evaluated_in_the_words_of_the_checks(
    tmp_path, way
):
    incident = partly(tmp_path)
    events = incident.tables.events
    rows = {
        "sql": "with e as (from events) select event_id from e where event_id = 'gone'",
        "ibis": events.filter(events.event_id == "gone"),
        "answer of an answer": incident.query("from events").table.limit(0),
        "ledger": "from ledger where event_id = 'gone'",
        "ibis ledger": incident.tables.ledger.limit(0),
    }[way]
    incident.add_finding("own/late", rows, **ASKED)
    found = incident.own_findings["own/late"]
    assert found.outcome is Outcome.NOT_EVALUATED
    assert found.reason.startswith("nothing found, but not all could be seen: ")
    assert GAP in found.reason
    assert found.summary == f"This could not be told: {found.reason}."


def test_rows_of_a_table_captured_in_part_say_that_there_may_be_more(tmp_path):
    incident = partly(tmp_path)
    shown = incident.add_finding("own/late", "from events", **ASKED)
    assert incident.own_findings["own/late"].reason == GAP
    assert "There may be more" in shown.html


def test_a_table_that_the_query_does_not_read_is_no_reason(tmp_path):
    incident = partly(tmp_path)
    rows = incident.tables.raw
    for asked in (
        "from raw limit 0",
        rows.limit(0),
        "with events as (from raw) from events limit 0",
    ):
        incident.add_finding("own/late", asked, **ASKED)
        assert incident.own_findings["own/late"].outcome is Outcome.PASSED


def test_rows_without_a_key_count_as_in_the_checks(incident):
    sql = "select null::varchar as code from events"
    incident.add_finding("own/late", sql, **{**ASKED, "key": "code"})
    assert incident.own_findings["own/late"].keys == ("(no key)",)


FIRST_HOUR = Scope(Window(START, START + timedelta(minutes=90)))
OF_LOST = Scope(Window(START, END), (LOST.entity_id,))
WHOLE = "2 rows by event_id. Counted in the whole case: the query returns no "


@pytest.mark.parametrize(
    ("scope", "columns", "summary"),
    [
        (FIRST_HOUR, "event_id, event_time_utc", "1 row by event_id."),
        (FIRST_HOUR, "event_id", WHOLE + "event_time_utc."),
        (FIRST_HOUR, "event_id, 7 as day", WHOLE + "event_time_utc."),
        (OF_LOST, "event_id, entity_id", "1 row by event_id."),
        (OF_LOST, "event_id, event_time_utc", WHOLE + "entity_id."),
        (None, "event_id", "2 rows by event_id."),
    ],
)
def test_only_what_was_asked_about_counts_or_the_finding_says_that_all_does(
    tmp_path, scope, columns, summary
):
    incident = partly(tmp_path, scope=scope, events=Coverage("captured"))
    incident.add_finding("own/late", f"select {columns} from events", **ASKED)  # noqa: S608
    assert incident.own_findings["own/late"].summary == summary


def test_the_same_code_again_takes_the_place_of_the_first(incident):
    for limit in (2, 1):
        incident.add_finding("own/late", f"from events limit {limit}", **ASKED)
    assert [finding.count for finding in incident.own_findings.values()] == [1]


@pytest.mark.parametrize("shown", ["headline", "findings_of"])
def test_own_findings_stand_apart_below_those_of_their_step(incident, shown):
    before = {step: getattr(incident, shown)(step).text for step in ("", "events", "raw")}
    incident.add_finding("own/late", "from events", **ASKED)
    after = {step: getattr(incident, shown)(step).text for step in ("", "events", "raw")}
    assert after["raw"] == before["raw"]
    for step in ("", "events"):
        added = after[step].removeprefix(before[step]).strip().splitlines()
        assert added[0] == "Your own findings, which the verdict above does not count:"
        assert added[-1].startswith("own/late | suspect | 2 |")


def test_own_findings_stand_below_the_findings_in_brief(incident):
    incident.add_finding("own/late", "from events", **ASKED)
    assert incident.findings_in_brief().text.splitlines()[-1].startswith("own/late | suspect")


def test_saved_findings_hold_both_and_open_with_both(incident, case, tmp_path):
    incident.add_finding("own/late", "from events", **ASKED)
    path = tmp_path / "findings.json"
    incident.save_findings(path)
    saved = json.loads(path.read_text(encoding="utf-8"))
    own = saved.pop("own")
    assert saved == incident.examination.document
    assert [(entry["code"], entry["count"]) for entry in own] == [("own/late", 2)]
    again = open_investigation(case, findings=str(path))
    assert again.own_findings == incident.own_findings
    assert again.findings == incident.findings


def test_saving_twice_replaces_what_was_saved(incident, tmp_path):
    path = tmp_path / "findings.json"
    incident.save_findings(path)
    incident.add_finding("own/late", "from events", **ASKED)
    assert "own findings: 1" in incident.save_findings(path).text
    assert [file.name for file in tmp_path.iterdir()] == ["findings.json"]


def test_findings_that_are_saved_at_the_same_time_do_not_disturb_each_other(incident, tmp_path):
    path = tmp_path / "findings.json"
    with ThreadPoolExecutor(8) as pool:
        for saved in [pool.submit(incident.save_findings, path) for _ in range(80)]:
            saved.result()
    assert json.loads(path.read_text(encoding="utf-8"))["schema"] == SCHEMA
    assert [file.name for file in tmp_path.iterdir()] == ["findings.json"]


def test_a_draft_that_cannot_take_the_place_of_the_file_does_not_stay(
    incident, tmp_path, monkeypatch
):
    def refused(draft: Path, target: Path) -> Path:
        raise PermissionError(errno.EACCES, "Permission denied", str(target))

    monkeypatch.setattr(Path, "replace", refused)
    with pytest.raises(UsageError, match="cannot be written: Permission denied"):
        incident.save_findings(tmp_path / "findings.json")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changed", "told"),
    [({"case": "another"}, "its case is 'another', not 'test'"), ({"entities": ["e"]}, "entities")],
)
def test_the_findings_of_another_case_or_question_are_not_replaced(
    incident, tmp_path, changed, told
):
    path = tmp_path / "findings.json"
    path.write_text(json.dumps(incident.examination.document | changed), encoding="utf-8")
    before = path.read_bytes()
    with pytest.raises(UsageError, match="another case or question") as refused:
        incident.save_findings(path)
    assert told in str(refused.value)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", ["[]", "[" * 20_000])
def test_a_file_of_other_json_is_left_alone(incident, case, tmp_path, content):
    path = tmp_path / "thesis.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match="holds no findings"):
        incident.save_findings(path)
    with pytest.raises(UsageError, match="does not answer for this case"):
        open_investigation(case, findings=str(path))
    assert path.read_text(encoding="utf-8") == content


def test_a_file_that_holds_no_findings_is_left_alone(incident, tmp_path):
    path = tmp_path / "thesis.json"
    path.write_text('{"mine": 1}', encoding="utf-8")
    with pytest.raises(UsageError, match="holds no findings"):
        incident.save_findings(path)
    assert path.read_text(encoding="utf-8") == '{"mine": 1}'


def test_a_folder_that_is_not_there_is_one_clear_message(incident, tmp_path):
    with pytest.raises(UsageError, match="cannot be written: No such file"):
        incident.save_findings(tmp_path / "nowhere" / "findings.json")


def test_own_findings_that_somebody_broke_are_refused(incident, case, tmp_path):
    path = tmp_path / "findings.json"
    incident.save_findings(path)
    document = json.loads(path.read_text(encoding="utf-8")) | {"own": [{"code": "own/late"}]}
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(UsageError, match="own finding in the findings document"):
        open_investigation(case, findings=str(path))


@pytest.mark.parametrize(
    ("code", "changed", "told"),
    [
        ("raw/missing", {}, 'name it like "own/late-refunds"'),
        ("own/Late", {}, "no name for a finding"),
        ("own/late", {"step": "event"}, "did you mean 'events'"),
        ("own/late", {"severity": "bad"}, "unknown severity 'bad'"),
        ("own/late", {"key": "id"}, "unknown column 'id'"),
        ("own/late", {"question": "Late events"}, "end it with a question mark"),
        ("own/late", {"question": "Is \ud800 late?"}, "question holds the character U+D800"),
        ("own/late", {"advice": "see \udfff"}, "advice holds the character U+DFFF"),
        ("own/late", {"advice": "use AKIAIOSFODNN7EXAMPLE"}, "looks like an AWS access key id"),
    ],
)
def test_what_cannot_be_a_finding_is_refused_and_nothing_is_kept(incident, code, changed, told):
    with pytest.raises(UsageError) as refused:
        incident.add_finding(code, "from events", **{**ASKED, **changed})
    assert told in str(refused.value)
    assert incident.own_findings == {}


def test_everything_an_investigation_offers_answers_a_question_mark():
    offered = [name for name in vars(Investigation) if not name.startswith("_")]
    silent = [n for n in offered if not getattr(getattr(Investigation, n), "__doc__", "")]
    fields = Investigation.__dataclass_fields__
    assert [name for name in silent if name not in fields] == []
    assert {"tables", "query", "add_finding", "save_findings", "headline"} <= set(offered)
