"""A case as the checks see it: what is settled, what is in scope, and what is shared."""

from __future__ import annotations

from datetime import datetime, timedelta

import ibis
import pyarrow as pa
import pytest

from investigate.case import Coverage
from investigate.errors import CaseDamagedError, NotEvaluable, UsageError
from investigate.evidence import Evidence, Scope, timestamp
from investigate.model import Window, isoformat
from tests.builders import CAPTURED, END, START, Event, at, event_row, evidence_of, raw_row

FIVE_MINUTES = timedelta(minutes=5)
A, B = Event("a", at(1)), Event("b", at(2), entity_id="e2")


@pytest.fixture
def evidence(tmp_path) -> Evidence:
    known = {"dedupe": Coverage("denied", "no dynamodb:Scan"), "raw": Coverage("partial", "cut")}
    return evidence_of(
        tmp_path,
        events=[event_row(A), event_row(B)],
        raw=[raw_row(A)],
        coverage=known,
    )


def rows(evidence: Evidence, table: ibis.Table) -> list[dict]:
    return evidence.engine.rows(table)


def dated(**columns) -> ibis.Table:
    kinds = {"event_time_utc": pa.timestamp("us")}
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in columns])
    return ibis.memtable(pa.table(columns, schema=schema))


# tables and their absence


def test_a_table_is_read_once(evidence):
    assert evidence["events"] is evidence["events"]
    assert len(rows(evidence, evidence["events"])) == 2


def test_a_table_that_was_not_captured_says_why(evidence):
    with pytest.raises(NotEvaluable, match=r"dedupe: denied \(no dynamodb:Scan\)"):
        evidence["dedupe"]


def test_a_table_that_nobody_knows_is_a_mistake_and_no_lack_of_evidence(evidence):
    with pytest.raises(UsageError, match="unknown table 'event'"):
        evidence["event"]


def test_what_was_captured_and_what_is_whole_are_two_things(evidence):
    assert [evidence.has(table) for table in ("events", "raw", "dedupe")] == [True, True, False]
    assert [evidence.is_whole(table) for table in ("events", "raw", "dedupe")] == [
        True, False, False,
    ]  # fmt: skip


def test_a_table_can_be_listed_though_not_all_of_it_was_seen(tmp_path):
    seen = {"raw": Coverage("partial", "of 1 objects could not be read: 1 denied", listed=True)}
    evidence = evidence_of(tmp_path, raw=[raw_row(A)], coverage=seen)
    assert (evidence.is_whole("raw"), evidence.is_listed("raw")) == (False, True)
    assert (evidence.is_listed("events"), evidence.gaps(("raw",))) == (False, [])


def test_every_needed_table_that_is_absent_is_named(evidence):
    evidence.require(("events", "raw"))
    with pytest.raises(NotEvaluable, match=r"needs dedupe: denied .*; messages: skipped"):
        evidence.require(("events", "dedupe", "messages"))


def test_of_several_tables_one_can_be_enough(evidence):
    evidence.require_one(())
    evidence.require_one(("dedupe", "events"))
    with pytest.raises(NotEvaluable, match=r"needs one of dedupe: denied .*; messages: skipped"):
        evidence.require_one(("dedupe", "messages"))


def test_incomplete_tables_are_told_in_words(evidence):
    assert evidence.gaps(("events", "raw")) == ["raw: partial (cut)"]


def test_times_come_without_a_zone_and_in_utc(evidence):
    (row,) = rows(evidence, evidence["raw"])
    assert row["event_time_utc"] == A.when.replace(tzinfo=None)


# the horizon


def with_horizon(tmp_path, told: str | None) -> Evidence:
    known = {"log_lines": Coverage("captured", None, told)}
    return evidence_of(tmp_path, log_lines=[], coverage=known)


@pytest.mark.parametrize(
    ("told", "start", "end"),
    [
        (None, None, None),
        ("../..", None, None),
        ("2026-03-10T01:00:00Z/..", at(1), None),
        ("../2026-03-10T02:00:00Z", None, at(2)),
        ("2026-03-10T01:00:00Z/2026-03-10T02:00:00Z", at(1), at(2)),
        ("2026-03-10T01:00:00Z", at(1), None),
    ],
)
def test_the_horizon_is_an_interval_with_open_ends(tmp_path, told, start, end):
    assert with_horizon(tmp_path, told).horizon("log_lines") == (start, end)


def test_a_horizon_that_is_no_interval_is_a_damaged_case(tmp_path):
    with pytest.raises(CaseDamagedError, match="log_lines has no horizon of the form start/end"):
        with_horizon(tmp_path, "yesterday/today").horizon("log_lines")


def test_before_the_horizon_nothing_is_told_of_the_window(tmp_path):
    late = with_horizon(tmp_path, "2026-03-10T01:00:00Z/..")
    said = "log_lines: tells nothing before 2026-03-10T01:00:00Z"
    assert late.gaps(("log_lines",)) == [said]
    late.scope = Scope(Window(at(1), at(2)))
    assert late.gaps(("log_lines",)) == []


def ending(tmp_path, end: datetime, **tables) -> Evidence:
    """A case whose index is as of an earlier moment than the other tables."""
    known = {"events": Coverage("captured", None, f"../{isoformat(end)}")}
    return evidence_of(tmp_path, events=[event_row(A)], coverage=known, **tables)


def test_after_a_horizon_that_ends_in_the_window_nothing_is_told_of_it(tmp_path):
    early = ending(tmp_path, at(2))
    assert early.gaps(("events",)) == ["events: tells nothing after 2026-03-10T02:00:00Z"]
    assert early.absence_gaps(("events",)) == []  # of what is older, absence still proves something
    early.scope = Scope(Window(START, at(2)))
    assert early.gaps(("events",)) == []


@pytest.mark.parametrize(("late", "gaps"), [(at(30), 1), (at(23), 0)])
def test_after_the_window_a_horizon_may_end_unless_events_of_it_came_later(tmp_path, late, gaps):
    evidence = ending(tmp_path, at(25), raw=[raw_row(B, last_modified=late)])
    assert len(evidence.gaps(("events",))) == gaps


def test_what_arrived_too_late_for_a_table_counts_only_if_it_is_asked_about(tmp_path):
    other = Event("other", END + timedelta(hours=2))
    assert ending(tmp_path, at(25), raw=[raw_row(other)]).gaps(("events",)) == []


def test_a_table_as_new_as_a_capture_can_be_tells_of_the_whole_window(tmp_path):
    evidence = ending(tmp_path, CAPTURED - timedelta(minutes=15))
    evidence.scope = Scope(Window(START, CAPTURED))
    assert evidence.gaps(("events",)) == []


def test_without_the_latest_aggregates_no_absence_among_them_proves_anything(tmp_path):
    known = {"aggregates": Coverage("captured", None, f"../{isoformat(at(25))}")}
    evidence = evidence_of(tmp_path, aggregates=[], coverage=known)
    said = ["aggregates: tells nothing after 2026-03-11T01:00:00Z"]
    assert (evidence.absence_gaps(("aggregates",)), evidence.gaps(("aggregates",))) == (said, said)


def test_what_a_table_does_not_tell_of_settles_after_its_horizon(tmp_path):
    assert with_horizon(tmp_path, "../..").judged_until("log_lines") == CAPTURED - FIVE_MINUTES
    evidence = with_horizon(tmp_path, "../2026-03-10T02:00:00Z")
    assert evidence.judged_until("log_lines") == at(2) - FIVE_MINUTES
    limit = (at(2) - FIVE_MINUTES).replace(tzinfo=None)
    table = dated(key=["at", "after"], event_time_utc=[limit, limit + timedelta(seconds=1)])
    old = evidence.settled(table, "event_time_utc", "log_lines")
    assert [row["key"] for row in rows(evidence, old)] == ["at"]


# what is shared


@pytest.mark.parametrize("share", ["derived", "view", "fact"])
def test_what_several_checks_share_is_built_once(evidence, share):
    built = []

    def build(given: Evidence) -> ibis.Table:
        built.append(given)
        return given["events"].select("event_id")

    first = getattr(evidence, share)("ids", build)
    assert getattr(evidence, share)("ids", build) is first
    assert built == [evidence]


def test_two_cases_in_one_engine_keep_their_tables_apart(tmp_path):
    one = evidence_of(tmp_path, events=[event_row(A)])
    two = evidence_of(tmp_path, events=[event_row(B)])
    two = Evidence(two.case, engine=one.engine)
    first, second = one["events"], two["events"]
    assert [row["event_id"] for row in rows(one, first)] == [A.id]
    assert [row["event_id"] for row in rows(two, second)] == [B.id]


def test_two_looks_at_one_case_share_nothing(evidence):
    other = Evidence(evidence.case)
    assert other.fact("n", lambda _: 1) == 1
    assert evidence.fact("n", lambda _: 2) == 2


# settled


def test_settled_evidence_is_older_than_the_capture_by_the_settling_time(evidence):
    assert evidence.settled_until == CAPTURED - timedelta(seconds=300)


def test_a_row_is_settled_up_to_the_moment_itself_and_without_a_time(evidence):
    limit = evidence.settled_until.replace(tzinfo=None)
    table = dated(
        name=["before", "at", "after", "unknown"],
        event_time_utc=[
            limit - timedelta(seconds=1), limit, limit + timedelta(microseconds=1), None,
        ],
    )  # fmt: skip
    settled = rows(evidence, evidence.settled(table, "event_time_utc"))
    assert sorted(row["name"] for row in settled) == ["at", "before", "unknown"]


# scope


def in_scope(evidence: Evidence, table: ibis.Table, scope: Scope | None = None) -> list[str]:
    evidence.scope = scope
    return sorted(row["key"] for row in rows(evidence, evidence.in_scope(table)))


TIMES = dated(
    key=["before", "start", "inside", "end", "unknown"],
    event_time_utc=[
        moment.replace(tzinfo=None) if moment else None
        for moment in (START - timedelta(microseconds=1), START, at(5), END, None)
    ],
)


def test_the_window_is_half_open_and_what_has_no_time_is_in_it(evidence):
    assert in_scope(evidence, TIMES) == ["inside", "start", "unknown"]


def test_a_scope_takes_the_place_of_the_window_of_the_case(evidence):
    assert in_scope(evidence, TIMES, Scope(Window(at(5), END + timedelta(seconds=1)))) == [
        "end", "inside", "unknown",
    ]  # fmt: skip


def test_a_day_is_in_a_window_that_touches_it(evidence):
    days = ["2026-03-09", "2026-03-10", "2026-03-11", None]
    table = dated(key=["before", "first", "next", "unknown"], day=days)
    assert in_scope(evidence, table) == ["first", "unknown"]
    into_the_next = Scope(Window(at(23), END + timedelta(seconds=1)))
    assert in_scope(evidence, table, into_the_next) == ["first", "next", "unknown"]


def test_the_time_goes_before_the_day(evidence):
    table = dated(key=["k"], day=["1999-01-01"], event_time_utc=[at(1).replace(tzinfo=None)])
    assert in_scope(evidence, table) == ["k"]


def test_entities_are_asked_about_by_name_and_the_unknown_one_stays(evidence):
    table = dated(key=["one", "two", "unknown"], entity_id=["e1", "e2", None])
    window = Window(START, END)
    assert in_scope(evidence, table) == ["one", "two", "unknown"]
    assert in_scope(evidence, table, Scope(window, ("e2",))) == ["two", "unknown"]
    assert in_scope(evidence, table, Scope(window, ("e1", "e2"))) == ["one", "two", "unknown"]


def test_rows_without_scope_columns_are_always_in_scope(evidence):
    assert in_scope(evidence, dated(key=["k"]), Scope(Window(START, END), ("e2",))) == ["k"]


def test_the_scope_is_what_was_asked_else_the_case(evidence):
    assert (evidence.window, evidence.entities) == (Window(START, END), ())
    evidence.scope = Scope(Window(at(1), at(2)), ("e1",))
    assert (evidence.window, evidence.entities) == (Window(at(1), at(2)), ("e1",))


def test_a_time_becomes_a_literal_of_the_engine(evidence):
    moment = at(1).replace(microsecond=123456)
    assert evidence.engine.scalar(timestamp(moment)) == moment.replace(tzinfo=None)


def test_nothing_younger_than_the_oldest_store_is_judged(tmp_path):
    report = CAPTURED - timedelta(hours=7)
    known = {"raw": Coverage("captured", horizon=f"../{isoformat(report)}")}
    for coverage, told in ((known, report), ({}, CAPTURED)):
        folder = tmp_path / str(told.hour)
        folder.mkdir()
        rows = {"raw": [raw_row(A)], "events": [event_row(A)], "coverage": coverage}
        evidence = evidence_of(folder, **rows)
        assert evidence.settled_until == told - FIVE_MINUTES
        assert evidence.judged_until("events") == CAPTURED - FIVE_MINUTES


def test_a_fact_of_the_whole_case_is_asked_of_what_an_evidence_was_cut_from(evidence):
    def count(known: Evidence) -> int:
        return known.engine.scalar(known["events"].count())

    part = evidence.cut({"events": evidence["events"].limit(1)})
    assert part.fact("silence of rows", count) == 1  # a name says nothing
    assert part.fact("all rows", count, of_whole_case=True) == 2
    assert evidence.fact("all rows", count) == 2
