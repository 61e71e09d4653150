"""Nothing fetches rows in number with the events: what leaves the engine has a bound."""

from __future__ import annotations

import ibis.expr.types as ir
import pytest

from benchmarks.days_case import EVENTS_A_DAY, write_case
from investigate import numbers
from investigate.analysis import aggregates
from investigate.analysis.aggregates import document_rows, left_out
from investigate.case import open_case
from investigate.checks.registry import MAX_KEYS
from investigate.engine import BATCH_ROWS, DuckDBEngine
from investigate.errors import UsageError
from investigate.evidence import Evidence
from investigate.findings import examine
from investigate.investigation import Investigation
from investigate.ledger import ledger
from investigate.ledger.csv import csv_lines
from investigate.ledger.summary import breaks, cells
from investigate.precomputed import first_rows
from investigate.report.index import _days_told
from investigate.symptoms import SYMPTOMS

EVENTS = 20_000
FIGURE = 2_000  # rows that a figure or a table of a notebook is made of, at most


class Counting(DuckDBEngine):
    """Notes how many rows each fetch brings."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[int] = []

    def _answers(self, table: ir.Table) -> list[tuple[object, ...]]:
        found = super()._answers(table)
        self.fetched.append(len(found))
        return found

    def frame(self, table: ir.Table):
        found = super().frame(table)
        self.fetched.append(len(found))
        return found

    def batches(self, table: ir.Table):
        for batch in super().batches(table):
            self.fetched.append(batch.num_rows)
            yield batch

    def most(self) -> int:
        """The largest fetch since somebody asked."""
        most, self.fetched = max(self.fetched), []
        return most


@pytest.fixture(scope="module")
def incident(tmp_path_factory) -> Investigation:
    """An investigation of a case in which every event is in trouble."""
    folder = tmp_path_factory.mktemp("many") / "case"
    write_case(folder, EVENTS)
    evidence = Evidence(open_case(folder), Counting())
    # Its rows name no raw object, so that each of them is one that cannot be replayed.
    return Investigation(evidence, examine(evidence))


def engine_of(incident: Investigation) -> Counting:
    assert isinstance(incident.evidence.engine, Counting)
    return incident.evidence.engine


def test_the_checks_fetch_their_keys_and_no_more(incident):
    assert engine_of(incident).most() == MAX_KEYS + 1
    (found,) = [one for one in incident.findings if one.code == "events/unreplayable"]
    assert (found.count, len(found.keys)) == (EVENTS, MAX_KEYS)


def test_the_ledger_comes_in_batches_and_its_summary_in_few_rows(incident):
    evidence, engine = incident.evidence, engine_of(incident)
    rows = evidence.in_scope(ledger(evidence))
    assert engine.rows(breaks(evidence))[0]["events"] == EVENTS
    engine.rows(cells(evidence))
    assert engine.most() < FIGURE
    lines = sum(text.count("\n") + 1 for text in csv_lines(evidence, rows))
    assert lines > EVENTS
    assert engine.most() <= BATCH_ROWS


def test_a_trace_fetches_the_rows_of_one_event(incident):
    assert incident.trace().story is not None
    assert engine_of(incident).most() < FIGURE


@pytest.mark.parametrize("name", numbers.__all__)
def test_what_a_figure_is_made_of_does_not_grow_with_the_events(incident, name):
    engine = engine_of(incident)
    engine.fetched = [0]
    rows = incident.numbers(getattr(numbers, name)).rows
    assert engine.most() < FIGURE
    assert len(rows) < FIGURE


def test_what_a_notebook_shows_does_not_grow_with_the_events(incident):
    engine = engine_of(incident)
    first_rows(incident.evidence, "events/unreplayable", 50)
    for name in SYMPTOMS:
        incident.symptom(name)
    incident.query("select * from events").shown()
    incident.breaks()
    assert engine.most() < FIGURE


def test_a_findings_document_lists_the_days_that_are_not_complete_first(incident, monkeypatch):
    every = document_rows(incident.evidence)
    assert len(every) == EVENTS / EVENTS_A_DAY
    worse = sum(row["verdict"] != "complete" for row in every)
    assert left_out(incident.evidence, every) == {}
    monkeypatch.setattr(aggregates, "MOST_DAYS", 5)
    listed = document_rows(incident.evidence)
    assert len(listed) == 5
    assert sum(row["verdict"] != "complete" for row in listed) == min(5, worse)
    assert [row for row in every if row in listed] == listed
    of_all, of_listed = (sum(len(day["versions"]) for day in some) for some in (every, listed))
    lacking = left_out(incident.evidence, listed)
    assert lacking == {"days": len(every) - 5, "versions": of_all - of_listed}
    document = {"aggregates": listed, "aggregates_left_out": lacking}
    assert _days_told(document, 5).startswith(f"At least 5 of {len(every):,} days")


def test_an_answer_of_too_many_rows_becomes_no_frame_unless_it_is_asked_for(incident):
    answer = incident.query("select event_id from events")
    with pytest.raises(UsageError, match="20,000 rows, and more than 19,999") as refused:
        answer.to_pandas(most=19_999)
    assert ".to_pandas(most=20000)" in refused.value.hint
    assert len(answer.to_pandas()) == EVENTS
