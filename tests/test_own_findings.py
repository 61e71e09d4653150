"""Findings of an analyst's own: kept apart from those of the checks, and saved beside them."""

from __future__ import annotations

import json

import pytest

from investigate import open_investigation
from investigate.errors import UsageError
from investigate.investigation import Investigation
from tests.builders import Event, at, event_row, evidence_of, raw_row

KEPT, LOST = Event("a", at(1)), Event("b", at(2))
ASKED = {
    "step": "events", "key": "event_id", "severity": "suspect", "question": "Which are late?",
}  # fmt: skip


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> str:
    evidence = evidence_of(
        tmp_path_factory.mktemp("cases"),
        raw=[raw_row(KEPT)],
        events=[event_row(KEPT), event_row(LOST)],
    )
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
