"""An analyst's own questions: the tables by name, one SELECT that only reads, and its answer."""

from __future__ import annotations

import pytest

from investigate import open_investigation
from investigate.errors import NotEvaluable, UsageError
from investigate.investigation import Investigation
from investigate.queries import EXAMPLE, ROWS_OF, CaseTables
from investigate.tables import TABLES
from tests.builders import Event, at, event_row, evidence_of, raw_row

KEPT, LOST = Event("a", at(1)), Event("b", at(2), entity_id="=cmd()")


@pytest.fixture(scope="module")
def incident(tmp_path_factory: pytest.TempPathFactory) -> Investigation:
    """One of two events has lost its raw object; nothing else was captured."""
    evidence = evidence_of(
        tmp_path_factory.mktemp("cases"),
        raw=[raw_row(KEPT)],
        events=[event_row(KEPT), event_row(LOST)],
    )
    return open_investigation(str(evidence.case.folder))


def lines(answer) -> list[str]:
    return answer.shown().text.splitlines()


def test_every_table_says_what_a_row_of_it_is():
    assert list(ROWS_OF) == [*TABLES, "ledger"]
    assert [
        name for name in ROWS_OF if ROWS_OF[name] not in getattr(CaseTables, name).__doc__
    ] == []


def test_only_what_was_captured_is_offered_and_the_ledger(incident):
    assert set(dir(incident.tables)) == {"raw", "events", "ledger"}


def test_a_table_is_an_ibis_table_under_its_name(incident):
    rows = incident.tables.ledger
    answer = incident.query(rows.filter(rows.code == "raw/missing").select("event_id"))
    assert lines(answer) == ["1 row", "event_id", LOST.id]


def test_a_table_that_was_not_captured_says_why(incident):
    with pytest.raises(NotEvaluable, match=r"aggregates: skipped \(not in this test\)"):
        _ = incident.tables.aggregates
    with pytest.raises(NotEvaluable, match=r"aggregates: skipped \(not in this test\)"):
        incident.query("select * from aggregates")


def test_a_table_that_there_is_not_is_an_error_with_the_names_there_are(incident):
    with pytest.raises(AttributeError, match=r"no table 'event' \(known: raw, events, ledger"):
        _ = incident.tables.event
    with pytest.raises(UsageError, match="did you mean 'events'"):
        incident.query("select * from event")


def test_the_tables_show_themselves_with_what_they_hold(incident):
    text = incident.tables._repr_mimebundle_()["text/plain"]
    assert "raw | one raw object in S3 | s3_key, size, " in text
    assert "aggregates" not in text.split("ledger |")[0]


@pytest.mark.parametrize(
    "query",
    [
        "select events.event_id from events anti join raw using (event_id)",
        "SELECT e.event_id FROM EVENTS e LEFT JOIN raw USING (event_id) WHERE raw.size IS NULL",
        "with kept as (select event_id from raw) "
        "select event_id from events where event_id not in (from kept)",
        "select event_id from ledger where code = 'raw/missing'",
        "select event_id from events except select event_id from raw",
    ],
    ids=["join", "alias", "part", "ledger", "set"],
)
def test_a_select_reads_the_tables_of_the_case(incident, query):
    assert lines(incident.query(query)) == ["1 row", "event_id", LOST.id]


def test_an_answer_is_cut_and_says_how_many_rows_there_are(incident):
    answer = incident.query("from events", limit=1)
    assert lines(answer)[0] == "1 of 2 rows. All of them: .to_pandas()"
    assert set(answer.to_pandas()["event_id"]) == {KEPT.id, LOST.id}
    assert "1 of 2 rows" in answer._repr_mimebundle_()["text/html"]


ELSEWHERE = [
    "select * from 'other.csv'",
    "select * from read_csv('other.csv')",
    "select * from read_text('other.csv')",
    "select * from glob('*')",
    "select (select count(*) from read_blob('other.csv'))",
    "select * from (with \"other.csv\" as (select 1) select 1), \"other.csv\"",
    "select * from query('select 1')",
    "select * from duckdb_settings()",
    "select * from information_schema.tables",
    "copy events to 'stolen.csv'",
    "copy (select 1) to 'stolen.csv'",
    "attach 'stolen.db'",
    "install httpfs",
    "load httpfs",
    "set threads = 1",
    "pragma version",
    "drop view events",
    "create table mine as select 1",
    "delete from events",
    "select 1; drop view events",
    "with gone as (delete from events returning 1) select * from gone",
    "explain select 1",
    "",
    "how many?",
    "select 'unclosed",
]  # fmt: skip


@pytest.mark.parametrize("query", ELSEWHERE)
def test_nothing_but_one_select_over_the_tables_is_run(incident, tmp_path, monkeypatch, query):
    (tmp_path / "other.csv").write_text("a\nsecret\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as refused:
        incident.query(query)
    assert refused.value.hint or "(known: raw, events, ledger)" in str(refused.value)
    assert [path.name for path in tmp_path.iterdir()] == ["other.csv"]


def test_a_column_that_there_is_not_is_told_in_one_message(incident):
    with pytest.raises(UsageError, match='"nothing" not found') as refused:
        incident.query("select nothing from events")
    assert EXAMPLE in refused.value.hint


def test_a_query_that_is_no_query_is_refused(incident):
    with pytest.raises(UsageError, match="SQL or an Ibis table, not int"):
        incident.query(5)
