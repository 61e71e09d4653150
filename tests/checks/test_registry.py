"""The book of checks: how a question is registered and answered, and what holds for all of them."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from investigate.case import Coverage, open_case
from investigate.checks import registry
from investigate.checks.registry import Book, Check, PartialRows, answer, book
from investigate.errors import EngineError, NotEvaluable, UsageError
from investigate.evidence import Evidence, Scope
from investigate.findings import run_checks
from investigate.model import Outcome, Severity, Step, Window
from investigate.tables import TABLES
from tests.builders import END, START, Event, at, event_row, evidence_of, unreadable_row
from tests.complete import FIRST, healthy, troubled
from tests.pages.findings import exact, pinned

A, B, C = Event("a", at(1)), Event("b", at(2)), Event("c", at(3), entity_id="e2")
TEXTS = {"key": "event_id", "found": "{count} row{s} {are} odd.", "advice": "Look.", "avoid": "Go."}


def every_row(evidence: Evidence) -> ibis.Table:
    """Is there a row?"""
    rows = evidence["events"]
    return rows.select("event_time_utc", "entity_id", key="event_id")


def asking(ask=every_row, *, code="events/any", **declared) -> Check:
    """A check that is in no book but its own."""
    own = Book()
    declared = declared or {"needs": ("events",)}
    own.check(code, Severity.SUSPECT, **TEXTS, **declared)(ask)
    return own[code]


def three_rows(folder: Path, **others) -> Evidence:
    return evidence_of(folder, events=[event_row(event) for event in (A, B, C)], **others)


# registering


def test_two_checks_of_one_code_are_refused():
    own = Book()
    own.check("raw/x", Severity.SUSPECT, **TEXTS, needs=("raw",))(every_row)
    with pytest.raises(ValueError, match="two checks have the code 'raw/x'"):
        own.check("raw/x", Severity.SUSPECT, **TEXTS, needs=("raw",))(every_row)


def test_a_check_that_reads_nothing_is_refused():
    with pytest.raises(ValueError, match="reads at least one table"):
        Book().check("raw/x", Severity.SUSPECT, **TEXTS)


@pytest.mark.parametrize("doc", ["This is no question.", None])
def test_a_check_without_a_question_is_refused(doc):
    def ask(evidence):
        return evidence

    ask.__doc__ = doc
    with pytest.raises(ValueError, match="must open with a question"):
        asking(ask)


def test_registering_returns_the_function_untouched():
    assert Book().check("raw/x", Severity.SUSPECT, **TEXTS, needs=("raw",))(every_row) is every_row


def test_checks_stand_by_step_and_first_those_named_after_it():
    own = Book()
    for code in ("sqs/a", "dedupe/b", "events/c", "raw/d", "events/e"):
        own.check(code, Severity.SUSPECT, **TEXTS, needs=("raw",))(every_row)
    assert [check.code for check in own] == ["raw/d", "events/c", "events/e", "dedupe/b", "sqs/a"]
    assert [check.code for check in own.of(Step.EVENTS)] == ["events/c", "events/e", "dedupe/b"]


def test_an_unknown_code_names_the_nearest_and_says_how_to_list_all():
    with pytest.raises(UsageError, match="unknown check 'raw/mising'") as error:
        book["raw/mising"]
    assert error.value.hint.startswith("did you mean 'raw/missing'")
    assert error.value.hint.endswith("list them: investigate checks")


# answering


def test_no_offending_row_with_all_evidence_is_a_pass(tmp_path):
    finding = answer(asking(), evidence_of(tmp_path, events=[]))
    assert finding.outcome is Outcome.PASSED
    assert (finding.count, finding.keys, finding.reason) == (0, (), None)
    assert (finding.advice, finding.avoid) == ("", "")


def test_offending_rows_are_a_finding_with_their_keys_in_order(tmp_path):
    finding = answer(asking(), three_rows(tmp_path))
    assert finding.outcome is Outcome.FOUND
    assert finding.keys == tuple(sorted([A.id, B.id, C.id]))
    assert (finding.count, finding.summary) == (3, "3 rows are odd.")
    assert (finding.advice, finding.avoid) == ("Look.", "Go.")


def test_one_offending_row_is_told_in_the_singular(tmp_path):
    finding = answer(asking(), evidence_of(tmp_path, events=[event_row(A)]))
    assert finding.summary == "1 row is odd."


def test_a_key_counts_once_and_an_unknown_one_is_shown(tmp_path):
    def ask(evidence):
        """Is there a row?"""
        return evidence["events"].select(key="entity_id")

    evidence = evidence_of(
        tmp_path, events=[event_row(A), event_row(B), event_row(C, entity_id=None)]
    )
    finding = answer(asking(ask), evidence)
    assert (finding.count, finding.keys) == (2, ("(no key)", "e1"))


def test_the_count_is_exact_when_the_keys_are_cut(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "MAX_KEYS", 2)
    finding = answer(asking(), three_rows(tmp_path))
    assert finding.count == 3
    assert finding.keys == tuple(sorted([A.id, B.id, C.id])[:2])


def test_what_is_out_of_scope_is_not_found(tmp_path):
    scope = Scope(Window(START, END), entities=("e2",))
    assert answer(asking(), three_rows(tmp_path, scope=scope)).keys == (C.id,)


def test_a_table_that_was_not_captured_is_named_with_its_reason(tmp_path):
    denied = {"events": Coverage("denied", "no dynamodb:Query")}
    finding = answer(asking(), evidence_of(tmp_path, raw=[], coverage=denied))
    assert finding.outcome is Outcome.NOT_EVALUATED
    assert finding.reason == "needs events: denied (no dynamodb:Query)"
    assert finding.summary == f"This could not be told: {finding.reason}."


def test_a_partial_table_can_prove_a_fault_and_no_pass(tmp_path):
    partial = {"events": Coverage("partial", "stopped")}
    assert answer(asking(), three_rows(tmp_path, coverage=partial)).outcome is Outcome.FOUND
    finding = answer(asking(), evidence_of(tmp_path, events=[], coverage=partial))
    assert finding.outcome is Outcome.NOT_EVALUATED
    assert "events: partial (stopped)" in finding.reason


def test_absence_is_not_concluded_from_a_partial_table(tmp_path):
    partial = {"events": Coverage("partial", "stopped")}
    check = asking(whole=("events",))
    finding = answer(check, three_rows(tmp_path, coverage=partial))
    assert finding.outcome is Outcome.NOT_EVALUATED
    assert finding.reason == "absence proves nothing in events: partial (stopped)"


def test_one_of_either_is_enough_to_find_and_not_to_pass(tmp_path):
    check = asking(either=("events", "raw"))
    assert answer(check, three_rows(tmp_path)).outcome is Outcome.FOUND
    assert answer(check, evidence_of(tmp_path, events=[])).outcome is Outcome.NOT_EVALUATED
    assert answer(check, evidence_of(tmp_path, events=[], raw=[])).outcome is Outcome.PASSED
    neither = answer(check, evidence_of(tmp_path, dedupe=[]))
    assert neither.reason.startswith("needs one of events: skipped")


@pytest.mark.parametrize(
    ("rows", "outcome"), [([event_row(A)], Outcome.FOUND), ([], Outcome.NOT_EVALUATED)]
)
def test_a_check_can_say_that_it_saw_not_all(tmp_path, rows, outcome):
    def ask(evidence):
        """Is there a row?"""
        return PartialRows(every_row(evidence), "one was out of sight")

    finding = answer(asking(ask), evidence_of(tmp_path, events=rows))
    assert finding.outcome is outcome
    assert "one was out of sight" in finding.reason


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(NotEvaluable("who knows"), Outcome.NOT_EVALUATED), (EngineError("broken"), Outcome.ERROR)],
)
def test_a_lack_of_evidence_is_not_told_from_a_failure_by_guessing(tmp_path, error, outcome):
    def ask(evidence):
        """Is there a row?"""
        raise error

    finding = answer(asking(ask), three_rows(tmp_path))
    assert (finding.outcome, finding.reason) == (outcome, error.message)


def test_a_query_that_fails_is_an_error_and_never_a_pass(tmp_path):
    def ask(evidence):
        """Is there a row?"""
        return evidence["events"].select(key=evidence["events"].sk.cast("int64").cast("string"))

    finding = answer(asking(ask), three_rows(tmp_path))
    assert finding.outcome is Outcome.ERROR
    assert finding.reason.startswith("the query failed: ConversionException")


def test_a_mistake_in_a_check_is_not_hidden(tmp_path):
    def ask(evidence):
        """Is there a row?"""
        return evidence["events"].no_such_column

    with pytest.raises(AttributeError):
        answer(asking(ask), three_rows(tmp_path))


# what holds for every check in the book

CONTRACT = {
    "raw/missing": ("event_id", "escalate"),
    "raw/corrupt": ("s3_key", "dangerous"),
    "raw/payload-mismatch": ("event_id", "dangerous"),
    "raw/id-mismatch": ("event_id", "dangerous"),
    "raw/overwritten": ("event_id", "dangerous"),
    "raw/duplicate-objects": ("event_id", "dangerous"),
    "raw/misplaced": ("s3_key", "suspect"),
    "raw/gap": ("source type start end", "suspect"),
    "raw/late": ("event_id", "suspect"),
    "raw/clock-skew": ("event_id", "suspect"),
    "events/missing-row": ("event_id", "dangerous"),
    "events/dangling-key": ("event_id", "dangerous"),
    "events/payload-conflict": ("event_id", "dangerous"),
    "events/reused-id": ("event_id", "dangerous"),
    "events/unreplayable": ("event_id, else sk", "dangerous"),
    "events/key-mismatch": ("sk", "suspect"),
    "events/unknown-status": ("sk", "suspect"),
    "events/duplicate": ("event_id", "expected"),
    "events/semantic-duplicate": ("event_id", "suspect"),
    "dedupe/orphan": ("event_id", "escalate"),
    "dedupe/missing": ("event_id", "dangerous"),
    "dedupe/reaccepted": ("event_id", "dangerous"),
    "dedupe/collision-risk": ("event_id", "suspect"),
    "dedupe/expired-block": ("event_id", "suspect"),
    "replay/truncated": ("entity_id", "dangerous"),
    "replay/boundary": ("event_id", "suspect"),
    "replay/would-fail": ("event_id", "dangerous"),
    "replay/nothing-sent": ("entity_id", "suspect"),
    "replay/dry-run": ("function", "suspect"),
    "sqs/malformed": ("message_id", "dangerous"),
    "sqs/poison": ("message_id", "dangerous"),
    "sqs/backlog": ("queue", "suspect"),
    "sqs/expiring": ("queue", "dangerous"),
    "sqs/duplicate-messages": ("event_id", "suspect"),
    "sqs/lost": ("event_id", "escalate"),
    "processor/swallowed-errors": ("event_id", "dangerous"),
    "processor/not-consuming": ("function", "dangerous"),
    "processor/errors": ("request_id", "dangerous"),
    "processor/timeouts": ("request_id", "dangerous"),
    "processor/out-of-memory": ("request_id", "dangerous"),
    "processor/throttles": ("function", "dangerous"),
    "processor/dry-run-loss": ("function", "escalate"),
    "aggregates/missing": ("entity_id day", "dangerous"),
    "aggregates/partial": ("entity_id day", "dangerous"),
    "aggregates/split": ("entity_id day", "suspect"),
    "aggregates/inflated": ("entity_id day", "dangerous"),
    "aggregates/stale": ("entity_id day", "suspect"),
    "aggregates/overwritten": ("entity_id day", "dangerous"),
    "aggregates/unexplained": ("entity_id day", "dangerous"),
    "aggregates/churn": ("entity_id day", "expected"),
}

EVERY_CHECK = pytest.mark.parametrize("check", list(book), ids=lambda check: check.code)


def test_the_codes_keys_and_severities_are_those_that_were_agreed():
    agreed = {code: (book[code].key, book[code].severity.label) for code in CONTRACT}
    assert agreed == CONTRACT


def test_every_check_is_pinned_down_in_the_documentation_and_nothing_else_is():
    said = {check.code for check in book if exact(check)}
    assert pinned().keys() | said == {check.code for check in book}


@EVERY_CHECK
def test_the_texts_of_a_check_are_sentences(check):
    for count in ("one", "many"):
        forms = registry._ONE if count == "one" else registry._MANY
        assert check.found.format(count=count, **forms).endswith(".")
    assert "{count}" in check.found
    assert check.advice.endswith(".")
    assert check.avoid.endswith(".")
    assert check.question[0].isupper()


@EVERY_CHECK
def test_a_check_reads_tables_that_exist(check):
    assert {*check.needs, *check.whole, *check.either} <= set(TABLES)


def not_evaluated(evidence: Evidence, checks: list[Check]) -> list[str]:
    """The checks that answer other than `not-evaluated`."""
    return [c.code for c in checks if answer(c, evidence).outcome is not Outcome.NOT_EVALUATED]


NEEDED = sorted({name for check in book for name in (*check.needs, *check.whole, *check.either)})


@pytest.mark.parametrize("table", NEEDED)
def test_without_a_table_no_check_that_needs_it_passes(tmp_path, table):
    tables = {name: rows for name, rows in healthy().items() if name != table}
    readers = [c for c in book if table in (*c.needs, *c.whole, *c.either)]
    assert not_evaluated(evidence_of(tmp_path, **tables), readers) == []


@pytest.mark.parametrize("table", NEEDED)
def test_with_a_partial_table_no_check_that_needs_it_passes(tmp_path, table):
    partial = {table: Coverage("partial", "interrupted")}
    readers = [c for c in book if table in (*c.needs, *c.whole, *c.either)]
    evidence = evidence_of(tmp_path, **healthy(), coverage=partial)
    assert not_evaluated(evidence, readers) == []


@pytest.mark.parametrize("table", ["log_lines", "invocations", "metric_points"])
def test_where_the_beginning_has_expired_no_check_that_needs_it_passes(tmp_path, table):
    told = {table: Coverage("captured", None, "2026-03-10T12:00:00Z/..")}
    readers = [c for c in book if table in (*c.needs, *c.whole, *c.either)]
    assert readers
    evidence = evidence_of(tmp_path, **healthy(), coverage=told)
    assert not_evaluated(evidence, readers) == []


LISTED = Coverage("partial", "1 denied", listed=True)
OF_LISTINGS = ("raw/missing", "raw/expired", "events/dangling-key", "dedupe/orphan", "sqs/lost")


@pytest.mark.parametrize("error", ["denied (AccessDenied)", "failed (500)", "archived"])
def test_an_object_that_was_listed_and_not_read_is_there(tmp_path, error):
    tables = healthy()
    tables["raw"] = [unreadable_row(FIRST, error), *tables["raw"][1:]]
    evidence = evidence_of(tmp_path, **tables, coverage={"raw": LISTED})
    told = {finding.code: finding for finding in run_checks(evidence)}
    assert {told[code].outcome for code in OF_LISTINGS} == {Outcome.PASSED}
    blind = {code for code, f in told.items() if "could not be fetched" in str(f.reason)}
    assert blind >= {"raw/corrupt", "raw/late", "raw/gap", "events/missing-row"}
    # The index tells of the event that the object holds.
    assert told["aggregates/partial"].outcome is Outcome.PASSED


def test_an_object_that_nobody_read_may_be_any_event_if_its_key_says_nothing(tmp_path):
    tables = healthy()
    nameless = {name: None for name in tables["raw"][0] if name.startswith("key_")}
    hidden = unreadable_row(FIRST, "denied", s3_key="raw/copy.json", **nameless)
    tables["raw"] = [hidden, *tables["raw"][1:]]
    evidence = evidence_of(tmp_path, **tables, coverage={"raw": LISTED})
    finding = answer(book["raw/missing"], evidence)
    assert finding.outcome is Outcome.NOT_EVALUATED
    assert "no object was found for 1 event, but raw: 1 object" in finding.reason


def test_a_healthy_pipeline_passes_every_check(tmp_path):
    findings = run_checks(evidence_of(tmp_path, **healthy()))
    assert {f.code: f.reason for f in findings if f.outcome is not Outcome.PASSED} == {}


def with_rows_reversed(evidence: Evidence) -> Evidence:
    """The same case, with the rows of every table stored from last to first."""
    case = evidence.case
    manifest = json.loads((case.folder / "case.json").read_text(encoding="utf-8"))
    for table in case.tables:
        (path,) = case.paths(table)
        rows = pq.read_table(path)
        pq.write_table(
            rows.take(pa.array(range(rows.num_rows - 1, -1, -1), pa.int64())),
            path,
            row_group_size=7,
        )
        (file,) = manifest["tables"][table]["files"]
        file["bytes"] = path.stat().st_size
        file["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (case.folder / "case.json").write_text(json.dumps(manifest), encoding="utf-8")
    return Evidence(open_case(case.folder))


def test_findings_do_not_depend_on_the_order_of_rows_nor_of_checks(tmp_path):
    evidence = evidence_of(tmp_path, **troubled())
    before = run_checks(evidence)
    assert sum(finding.outcome is Outcome.FOUND for finding in before) > 40
    turned = with_rows_reversed(evidence)
    after = [answer(check, turned) for check in reversed(list(book))]
    assert list(reversed(after)) == before


def test_a_scope_changes_what_is_found_and_never_the_tables(tmp_path):
    everything = evidence_of(tmp_path, **troubled())
    nothing = dataclasses.replace(everything, scope=Scope(Window(START, END), entities=("nobody",)))
    (found,) = answer(book["raw/missing"], everything).keys
    assert answer(book["raw/missing"], nothing).outcome is Outcome.PASSED
    assert answer(book["raw/missing"], everything).keys == (found,)
