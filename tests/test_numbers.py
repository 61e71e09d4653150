"""The small tables behind the figures: right, few, the same on every engine, honest on gaps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from investigate import numbers
from investigate.case import Case
from investigate.display import OTHERS, Row
from investigate.evidence import Evidence, Scope
from investigate.findings import Examination
from investigate.investigation import Investigation
from investigate.model import Window
from investigate.numbers.bins import bin_seconds, moment_text
from investigate.settings import Thresholds
from investigate.tables import TABLES
from tests.builders import (
    CAPTURED,
    END,
    START,
    Event,
    aggregate_row,
    at,
    event_row,
    evidence_of,
    function_row,
    invocation_row,
    log_line,
    message_row,
    queue_row,
    raw_row,
)
from tests.complete import troubled
from tests.observed import Look, ObservedEvidence, differs
from tests.test_portable import SPARK_FUNCTIONS, Bilingual, functions_in

NAMES = sorted(numbers.__all__)
# No figure shows them.
UNUSED = ("dead_letters", "spans", "rescued")
# Without these the numbers tell what the other tables know.
DISPENSABLE = ("dedupe", "metric_points", "deliveries", "deployments")
# What this case has none of: dead letters, clients that tried again, failed batches.
NONE_THERE = {
    "denied_access", "silences", "retry_gaps", "discarded", "letter_deadlines", "letter_groups",
    "attempts_timeline", "collateral_batches", "nested_retries",
    "retry_arrivals", "retry_effects", "retry_load", "retry_synchrony",
}  # fmt: skip
# Spark SQL 3.5 has these too.
OF_FIGURES = {"ABS", "FLOOR", "LEAST", "LOG", "LOWER", "REGEXP_REPLACE", "ROUND"}


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return evidence_of(tmp_path_factory.mktemp("complete"), **troubled()).case


@pytest.fixture(scope="module")
def complete(case: Case) -> ObservedEvidence:
    return ObservedEvidence(case)


@pytest.fixture(scope="module")
def bilingual(case: Case) -> Evidence:
    """What was found for one figure is not asked of Spark again for the next."""
    return Evidence(case, engine=Bilingual())


@pytest.fixture(scope="module")
def looks(complete: ObservedEvidence) -> dict[str, set[Look]]:
    """What the numbers of each figure are made of."""
    found = {}
    for name in NAMES:
        with complete.looking() as found[name]:
            asked(name, complete)
    return found


def asked(name: str, evidence: Evidence) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = getattr(numbers, name)(evidence)
    return rows


def some(rows: Sequence[Row], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in rows]


@pytest.mark.parametrize("name", NAMES)
def test_a_complete_case_has_plain_numbers_for_every_figure(complete, name):
    rows = asked(name, complete)
    assert rows or name in NONE_THERE
    json.dumps(rows)


@pytest.mark.parametrize("name", NAMES)
def test_numbers_can_be_asked_of_spark_and_are_the_same_twice(complete, bilingual, name):
    bilingual.engine.written.clear()
    again = asked(name, bilingual)
    assert json.dumps(again) == json.dumps(asked(name, complete))
    used = set().union(*(functions_in(sql) for sql in bilingual.engine.written))
    assert used - SPARK_FUNCTIONS - OF_FIGURES == set()


@pytest.mark.parametrize("lost", [table for table in TABLES if table not in UNUSED])
def test_a_case_without_a_table_gives_numbers_or_the_reason(case, looks, lost, tmp_path):
    kept = {name: rows for name, rows in troubled().items() if name != lost}
    incident = Investigation(evidence_of(tmp_path, **kept), Examination((), {}))
    # The others see what they saw in the complete case, and say what they said of it.
    concerned = [name for name in NAMES if differs(looks[name], case, incident.evidence.case)]
    assert concerned
    told = [incident.numbers(getattr(numbers, name)) for name in concerned]
    assert [numbers.name for numbers in told if numbers.rows and numbers.unknown] == []
    assert any(lost in numbers.unknown for numbers in told) or lost in DISPENSABLE


def test_a_case_without_any_table_gives_reasons_only(tmp_path):
    incident = Investigation(evidence_of(tmp_path), Examination((), {}))
    told = [incident.numbers(getattr(numbers, name)) for name in NAMES]
    assert [numbers.name for numbers in told if not numbers.unknown] == []


@pytest.mark.parametrize(
    ("hours", "seconds"), [(1 / 3600, 1), (1, 60), (24, 900), (72, 3600), (24 * 90, 86_400)]
)
def test_a_window_is_cut_into_at_most_a_hundred_handy_spans(hours, seconds):
    assert bin_seconds(Window(START, START + timedelta(hours=hours))) == seconds


def test_times_are_texts_in_utc():
    assert moment_text(0) == "1970-01-01 00:00:00"
    assert moment_text(at(1.5)) == "2026-03-10 01:30:00"
    assert moment_text(at(0) + timedelta(milliseconds=250)) == "2026-03-10 00:00:00.250"
    assert moment_text(None) is None


def test_events_are_counted_per_source_and_hour_within_the_scope(tmp_path):
    events = [Event("a", at(1)), Event("b", at(1.1)), Event("c", at(2), source="app")]
    outside = Event("d", at(30))
    evidence = evidence_of(tmp_path, raw=[raw_row(event) for event in (*events, outside)])
    assert some(asked("events_over_time", evidence), "time", "source", "events") == [
        ("2026-03-10 01:00:00", "web", 2),
        ("2026-03-10 02:00:00", "app", 1),
    ]


def test_sources_without_a_place_are_counted_together(tmp_path):
    events = [Event(f"e{n}", at(1), source=f"s{n}") for n in range(9)]
    evidence = evidence_of(tmp_path, raw=[raw_row(event) for event in events])
    rows = asked("events_over_time", evidence)
    assert [row["events"] for row in rows if row["source"] == OTHERS] == [3]
    assert {row["of_sources"] for row in rows} == {9}


def test_a_source_that_fell_silent_is_named_even_if_it_is_small(tmp_path):
    regular = [Event(f"r{n}", at(n / 12), source="quiet") for n in range(30)]
    busy = [Event(f"b{s}-{n}", at(n / 9), source=f"busy{s}") for s in range(8) for n in range(99)]
    evidence = evidence_of(tmp_path, raw=[raw_row(event) for event in (*regular, *busy)])
    assert "quiet" in {row["source"] for row in asked("events_over_time", evidence)}
    silences = asked("silences", evidence)
    assert ("quiet", "2026-03-10 02:25:00") in some(silences, "source", "start")


def test_lags_are_those_of_the_first_arrival(tmp_path):
    event, again = Event("a", at(1)), Event("a", at(1), lag=timedelta(hours=9))
    evidence = evidence_of(
        tmp_path, raw=[raw_row(event)], events=[event_row(again, status="DUPLICATE")]
    )
    lags = asked("lag_over_time", evidence)
    assert some(lags, "events", "median_lag", "longest_lag") == [(1, 2.0, 2.0)]


def test_late_and_skewed_events_are_named_with_their_distance(tmp_path):
    late = Event("late", at(1), lag=timedelta(hours=9))
    skewed = Event("skewed", at(2), lag=-timedelta(seconds=30))
    evidence = evidence_of(tmp_path, raw=[raw_row(late), raw_row(skewed)])
    assert some(asked("unusual_lags", evidence), "kind", "lag", "event_id", "of_kind") == [
        ("late", 32_400.0, late.id, 1),
        ("clock skew", -30.0, skewed.id, 1),
    ]


def test_duplicates_are_counted_by_source_and_by_cause(tmp_path):
    event = Event("a", at(1))
    again = event_row(event.but(lag=timedelta(seconds=60)), status="DUPLICATE")
    evidence = evidence_of(tmp_path, raw=[raw_row(event)], events=[again])
    assert some(asked("duplicates_by_cause", evidence), "source", "made_by", "duplicates") == [
        ("web", "client-retry", 1)
    ]
    assert some(asked("duplicates_over_time", evidence), "time", "duplicates") == [
        ("2026-03-10 01:00:00", 1)
    ]


def test_duplicates_that_came_long_after_the_window_get_wider_bins(tmp_path):
    first, second = Event("a", at(1)), Event("b", at(1))
    rows = [
        event_row(first.but(lag=timedelta(minutes=1)), status="DUPLICATE"),
        event_row(second.but(lag=timedelta(hours=40)), status="DUPLICATE"),
    ]
    raw = [raw_row(first), raw_row(second)]
    evidence = evidence_of(tmp_path, raw=raw, events=rows)
    counted = asked("duplicates_over_time", evidence)
    assert some(counted, "duplicates", "seconds") == [(1, 1800), (1, 1800)]


def test_waits_are_told_per_attempt(tmp_path):
    event = Event("a", at(1))
    lines = [
        log_line("event_ingested", at(1) + timedelta(seconds=s), f"r{s}", event_id=event.id)
        for s in (0, 4, 12)
    ]
    evidence = evidence_of(tmp_path, log_lines=lines, events=[event_row(event)])
    rows = asked("retry_gaps", evidence)
    assert some(rows, "source", "attempt", "median_gap_s") == [("web", 2, 4.0), ("web", 3, 8.0)]


def test_a_replay_leaves_out_what_lies_behind_its_limit(tmp_path):
    events = [Event(f"e{n}", at(1 + n)) for n in range(3)]
    evidence = evidence_of(
        tmp_path,
        events=[event_row(event) for event in events],
        thresholds=Thresholds(replay_limit=2),
    )
    rows = asked("replay_plan", evidence)
    assert some(rows, "entity", "reason", "events") == [
        ("e1", "in the window", 1),
        ("e1", "in the window", 1),
        ("e1", "after the limit", 1),
    ]


def test_rows_at_the_edges_say_what_time_and_text_think_of_them(tmp_path):
    half = timedelta(milliseconds=500)
    inside, outside = Event("in", START + half), Event("out", END + half / 2)
    plain, far = Event("plain", START), Event("far", at(1))
    rows = [event_row(event) for event in (inside, outside, plain, far)]
    edges = asked("replay_edges", evidence_of(tmp_path, events=rows))
    assert some(edges, "edge", "offset_ms", "by_time", "by_text", "of", "of_odd") == [
        ("end", 250, False, True, 3, 2),
        ("start", 500, True, False, 3, 2),
        ("start", 0, True, True, 3, 2),
    ]


def test_the_replay_that_left_out_most_comes_first(tmp_path):
    window = {"start": "2026-03-10T00:00:00Z", "end": "2026-03-11T00:00:00Z"}
    events = [Event(f"e{n}", at(1 + n)) for n in range(3)]
    lines = [
        log_line("replay_enqueued", at(29), "p1", entity_id="e1", scanned=3, sent=3, **window),
        log_line("replay_enqueued", at(30), "p2", entity_id="e1", scanned=1, sent=1, **window),
    ]
    evidence = evidence_of(tmp_path, events=[event_row(e) for e in events], log_lines=lines)
    rows = asked("replays_logged", evidence)
    told = ("rows_there", "scanned", "sent", "of", "of_short", "of_unknown")
    assert some(rows, *told) == [(3, 1, 1, 2, 1, 0), (3, 3, 3, 2, 1, 0)]


def test_replays_whose_line_tells_no_window_are_counted_as_unknown(tmp_path):
    line = {"entity_id": "e1", "end": "2026-03-11T00:00:00Z", "scanned": 100, "sent": 100}
    lines = [log_line("replay_enqueued", at(30), "p1", **line)]
    rows = [event_row(Event("a", at(1)))]
    evidence = evidence_of(tmp_path, events=rows, log_lines=lines)
    told = asked("replays_logged", evidence)
    assert some(told, "rows_there", "of", "of_short", "of_unknown") == [(None, 1, 0, 1)]


def test_the_scope_of_one_entity_holds_for_replays_too(tmp_path):
    rows = [event_row(Event("a", at(1))), event_row(Event("b", at(1), entity_id="e2"))]
    scope = Scope(Window(START, END), ("e2",))
    evidence = evidence_of(tmp_path, events=rows, scope=scope)
    assert some(asked("replay_plan", evidence), "entity", "events") == [("e2", 1)]


def test_messages_are_as_old_as_they_were_at_the_capture(tmp_path):
    sent = CAPTURED - timedelta(hours=5)
    messages = [message_row(Event("a"), "m1", sent_utc=sent, receive_count=30)]
    evidence = evidence_of(tmp_path, messages=messages, queue_state=[queue_row(visible=1)])
    (row,) = asked("message_ages", evidence)
    assert (row["oldest_s"], row["retention_s"], row["messages"]) == (18_000, 345_600, 1)
    assert row["age_s"] <= 18_000 < row["age_s"] + row["seconds"]
    assert some(asked("receive_counts", evidence), "receives", "messages") == [(20, 1)]


def test_no_message_in_the_sample_is_no_row(tmp_path):
    evidence = evidence_of(tmp_path, messages=[], queue_state=[queue_row()])
    assert asked("message_ages", evidence) == asked("receive_counts", evidence) == []


def test_only_the_processor_counts_as_the_processor(tmp_path):
    evidence = evidence_of(
        tmp_path,
        functions=[function_row("processor"), function_row("ingest")],
        invocations=[
            invocation_row("w1", at(30), status="timeout"),
            invocation_row("i1", at(1), function="ingest"),
        ],
    )
    rows = asked("invocations_over_time", evidence)
    assert some(rows, "time", "status", "invocations") == [("2026-03-11 06:00:00", "timeout", 1)]


def test_deleted_messages_are_told_by_the_metric_of_the_replay_queue(tmp_path):
    def deletions(queue: str, value: float) -> dict[str, Any]:
        return {
            "namespace": "AWS/SQS", "metric": "NumberOfMessagesDeleted", "at_utc": at(30),
            "dimensions": json.dumps({"QueueName": queue}), "value": value, "origin": "cloudwatch",
        }  # fmt: skip

    evidence = evidence_of(
        tmp_path,
        queue_state=[queue_row()],
        metric_points=[deletions("replay-queue", 4.0), deletions("another", 9.0)],
        log_lines=[log_line("processor_record_loaded", at(30), "w1", event_id="x")],
    )
    rows = asked("records_over_time", evidence)
    assert some(rows, "what", "records") == [("deleted", 4), ("loaded", 1)]


def test_versions_and_days_tell_what_was_counted(tmp_path):
    day = [Event(f"e{n}", at(1 + n)) for n in range(3)]
    evidence = evidence_of(
        tmp_path,
        raw=[raw_row(event) for event in day],
        events=[event_row(event) for event in day],
        aggregates=[aggregate_row(day[:2], at(30)), aggregate_row(day[2:], at(31))],
    )
    versions = asked("aggregate_versions", evidence)
    assert some(versions, "verdict", "input_count", "explained_by", "computed") == [
        ("split", 2, "sample-ids", "2026-03-11 06:00:00"),
        ("split", 1, "sample-ids", "2026-03-11 07:00:00"),
    ]
    coverage = asked("day_coverage", evidence)
    assert some(coverage, "expected", "held_by_newest", "held_by_union") == [(3, 1, 3)]
    assert some(asked("day_verdicts", evidence), "day", "of_days", "of_complete") == [
        ("2026-03-10", 1, 0)
    ]


def test_many_days_and_versions_stay_few_numbers(tmp_path):
    entities = [Event(f"v{n}", at(1), entity_id=f"e{n:03}") for n in range(60)]
    evidence = evidence_of(
        tmp_path,
        raw=[raw_row(event) for event in entities],
        events=[event_row(event) for event in entities],
        aggregates=[aggregate_row([event], at(30)) for event in entities],
    )
    assert len(asked("aggregate_versions", evidence)) == 20
    assert len(asked("day_verdicts", evidence)) == 30
    assert {row["of_days"] for row in asked("day_verdicts", evidence)} == {60}


def test_the_flow_counts_every_event_once(tmp_path):
    kept, lost = Event("a", at(1)), Event("b", at(2))
    evidence = evidence_of(tmp_path, raw=[raw_row(kept)], events=[event_row(kept), event_row(lost)])
    rows = asked("event_flow", evidence)
    known, readable, refs = some(rows[:3], "reached", "dropped", "joined")
    assert known[0] == 2
    assert readable[:2] == (1, 1)
    assert refs == (2, 0, 1)
