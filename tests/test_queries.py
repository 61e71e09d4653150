"""An analyst's own questions: the tables by name, one SELECT that only reads, and its answer."""

from __future__ import annotations

import ibis
import pytest

from investigate import open_investigation
from investigate.engine import duckdb
from investigate.errors import NotEvaluable, UsageError
from investigate.investigation import Investigation
from investigate.memory import MemoryLimit
from investigate.queries import EXAMPLE, ROWS_OF, CaseTables
from investigate.tables import TABLES
from tests.builders import Event, at, with_a_lost_object
from tests.test_memory import setting

KEPT, LOST = Event("a", at(1)), Event("b", at(2), entity_id="=cmd()")


@pytest.fixture(scope="module")
def incident(tmp_path_factory: pytest.TempPathFactory) -> Investigation:
    """One of two events has lost its raw object; nothing else was captured."""
    evidence = with_a_lost_object(tmp_path_factory.mktemp("cases"), KEPT, LOST)
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
        "with Kept as (from raw) select event_id from events anti join kept using (event_id)",
        "with events as (select event_id from events anti join raw using (event_id)) from events",
        "with a as (select event_id from events), b as (from a anti join raw using (event_id)) "
        "from b",
        "with recursive n(i) as (select 1 union all select i + 1 from n where i < 3) "
        "select event_id from events, n where i = 3 and event_id not in (select event_id from raw)",
        "with events_1 as (select 1), events_2 as (select 1), events_3 as (select 1), "
        "events_4 as (select 1) select event_id from events anti join raw using (event_id)",
        "select event_id from (values (1)) v, unnest([1]) u, lateral (select 1) l, "
        "(events anti join raw using (event_id))",
    ],
    ids=[
        "join",
        "alias",
        "part",
        "ledger",
        "set",
        "capitals",
        "part named like a table",
        "part of a part",
        "recursive",
        "part named like the engine's",
        "other sources",
    ],
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
    "select max from (summarize 'other.csv')",
    "select (select max from (summarize 'other.csv'))",
    "select 1 in (summarize 'other.csv')",
    "select exists(summarize 'other.csv')",
    "with a as (summarize 'other.csv') from a",
    "from events, lateral (summarize 'other.csv')",
    "from events, lateral read_csv('other.csv')",
    "from events join read_csv('other.csv') on true",
    "from (summarize 'http://127.0.0.1:9/x.parquet')",
    "from (describe 'other.csv')",
    "from (show tables)",
    "from (pivot 'other.csv' on a)",
    "select * from (with duckdb_views as (select 1) select 1) a, duckdb_views",
    "with a as (from b), b as (select 1) from a",
    "(with a as (select 1) from a) union all from a",
    "select current_setting('secret_directory')",
    "select main.Current_Setting('secret_directory')",
    "select 'secret_directory'.\"current_setting\"()",
    "select " + "(" * 300 + "1" + ")" * 300,
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


def test_the_engine_fetches_no_extension(incident):
    settings = "autoinstall_known_extensions", "autoload_known_extensions"
    asked = ", ".join(f"current_setting('{name}')" for name in settings)
    assert incident.evidence.engine.select(f"select {asked}").to_pyarrow().to_pylist() == [
        dict.fromkeys((f"current_setting('{name}')" for name in settings), False)
    ]


def test_an_answer_is_run_once_and_stays_the_same(incident):
    answer = incident.query("select random() as luck from events")
    assert set(answer.to_pandas()["luck"]) == set(answer.to_pandas()["luck"])
    rows = incident.tables.events.mutate(luck=ibis.random()).select("luck")
    answer = incident.query(rows)
    assert set(answer.to_pandas()["luck"]) == set(answer.to_pandas()["luck"])


def test_a_time_with_a_zone_is_shown_in_utc(incident):
    answer = incident.query("select timestamptz '2026-03-10 01:00:00+01' as at")
    assert lines(answer) == ["1 row", "at", "2026-03-10T00:00:00Z"]


def test_a_table_of_another_engine_is_refused(incident, tmp_path):
    (tmp_path / "other.csv").write_text("a\nsecret\n", encoding="utf-8")
    with pytest.raises(UsageError, match="of another engine") as refused:
        incident.query(ibis.read_csv(tmp_path / "other.csv"))
    assert "incident.tables" in refused.value.hint


def test_an_own_query_cannot_fill_the_machine_and_the_next_has_room_again(incident, monkeypatch):
    engine = incident.evidence.engine
    engine.shrink(MemoryLimit.parse("200MB"))
    with monkeypatch.context() as patched:
        patched.setattr(duckdb, "SPARING_SPILL", "0B")
        with pytest.raises(UsageError, match="Out of Memory"):
            incident.query(
                "select a.a, b.a from unnest(range(20000)) a(a), unnest(range(20000)) b(a)"
            )
    limit = "select current_setting('memory_limit') as most"
    assert engine.select(limit).to_pyarrow().to_pylist() == [{"most": "95.3 MiB"}]
    assert setting(engine, "memory_limit") == "190.7 MiB"  # what holds between two queries


def test_a_column_that_there_is_not_is_told_in_one_message(incident):
    with pytest.raises(UsageError, match='"nothing" not found') as refused:
        incident.query("select nothing from events")
    assert EXAMPLE in refused.value.hint


def test_a_query_that_is_no_query_is_refused(incident):
    with pytest.raises(UsageError, match="SQL or an Ibis table, not int"):
        incident.query(5)


def test_in_a_terminal_an_answer_and_the_tables_print_what_a_notebook_shows(incident):
    answered = incident.query("select event_id from events")
    assert repr(answered) == answered.shown().text
    assert repr(answered).startswith("2 rows\nevent_id\n")
    assert f"events | {ROWS_OF['events']} | " in repr(incident.tables)
    assert repr(incident).startswith("<Investigation of test: ")
    assert len(repr(incident)) < 250
