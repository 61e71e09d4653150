from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from investigate import pipeline
from investigate.analysis import candidate_inputs
from investigate.analysis.aggregates import (
    compare,
    day_events,
    days,
    document_rows,
    version_inputs,
    versions,
)
from investigate.case import Coverage
from investigate.errors import NotEvaluable, UsageError
from investigate.evidence import Evidence, Scope
from investigate.model import Window
from investigate.pipeline import REFERENCE
from tests.builders import (
    CAPTURED,
    END,
    START,
    Event,
    aggregate_row,
    at,
    event_row,
    evidence_of,
    log_line,
    message_row,
    raw_row,
)

MANY = [Event(f"n{number:02}", at(1 + number / 4)) for number in range(25)]
A, B, C = MANY[:3]


def a_case(
    folder: Path, stored: Sequence[Event], written: Sequence[dict[str, Any]] = (), /, **tables: Any
) -> Evidence:
    """These events, stored and indexed, and these versions; a table given as None is not there."""
    known = {
        "raw": [raw_row(event) for event in stored],
        "events": [event_row(event) for event in stored],
        "aggregates": list(written),
        **tables,
    }
    return evidence_of(folder, **{name: rows for name, rows in known.items() if rows is not None})


def explained(evidence: Evidence) -> list[tuple[str, str | None]]:
    """How each version was explained, in the order of their versions."""
    rows = versions(evidence).order_by("version", "pk")
    return [(row["explained_by"], row["agrees_with"]) for row in evidence.engine.rows(rows)]


def inputs(evidence: Evidence) -> list[str]:
    rows = version_inputs(evidence).order_by("pk", "sk", "position")
    return [row["event_id"] for row in evidence.engine.rows(rows)]


def ids(*events: Event) -> list[str]:
    return [event.id for event in events]


def without_samples(events: Sequence[Event], **changes: Any) -> dict[str, Any]:
    return aggregate_row(events, sample_event_ids=[], **changes)


def test_up_to_ten_sample_ids_are_the_inputs(tmp_path):
    evidence = a_case(tmp_path, MANY, [aggregate_row([MANY[20], MANY[3], MANY[11]])])
    assert explained(evidence) == [("sample-ids", "both")]
    assert inputs(evidence) == ids(MANY[3], MANY[11], MANY[20])


def test_a_row_that_came_twice_is_no_second_version_and_counts_nothing_twice(tmp_path):
    row, other = aggregate_row([A, B, C]), aggregate_row([C], at(31))
    evidence = a_case(tmp_path, [A, B, C], [row, row, other])
    assert explained(evidence) == [("sample-ids", "both")] * 2
    assert inputs(evidence) == ids(A, B, C, C)


@pytest.mark.parametrize("other", [{"inputs_hash": "f" * 64}, {"value": 9.0}, {"computed_at": "?"}])
def test_a_row_that_came_twice_with_different_contents_tells_nothing(tmp_path, other):
    row = aggregate_row([A, B, C])
    evidence = a_case(tmp_path, [A, B, C], [row, {**row, **other}, aggregate_row([C], at(31))])
    torn = versions(evidence).order_by("version").select("torn", "inputs_hash", "explained_by")
    assert [tuple(row.values()) for row in evidence.engine.rows(torn)] == [
        (True, None, "unexplained"),
        (False, aggregate_row([C])["inputs_hash"], "sample-ids"),
    ]
    assert inputs(evidence) == ids(C)
    (day,) = evidence.engine.rows(days(evidence))
    assert (day["versions"], day["verdict"]) == (2, "pending")


def test_sample_ids_are_taken_in_stored_order(tmp_path):
    listed = [{"event_id": event.id, "payload_sha": event.sha} for event in (B, A)]
    backwards = aggregate_row(
        [A, B], sample_event_ids=ids(B, A),
        inputs_hash=pipeline.sha256(pipeline.canonical_json(listed)),
    )  # fmt: skip
    evidence = a_case(tmp_path, [A, B], [backwards])
    assert explained(evidence) == [("sample-ids", "both")]
    assert inputs(evidence) == ids(B, A)


def test_an_id_that_was_counted_twice_is_an_input_twice(tmp_path):
    evidence = a_case(tmp_path, [A, B, C], [aggregate_row([A, B, B])])
    assert explained(evidence) == [("sample-ids", "both")]
    assert inputs(evidence) == ids(A, B, B)


def test_events_of_one_second_are_ordered_by_id(tmp_path):
    tied = [Event(name, at(6)) for name in "abcdefghijklm"]
    evidence = a_case(tmp_path, tied, [aggregate_row(tied)])
    assert explained(evidence) == [("day-as-of-computed", "both")]
    assert inputs(evidence) == sorted(ids(*tied))


def test_milliseconds_sort_before_the_whole_second_as_text_does(tmp_path):
    whole, fraction = at(6), at(6) + timedelta(milliseconds=500)
    pair = [Event("whole", whole), Event("fraction", fraction)]
    others = [Event(f"o{number}", at(8 + number / 10)) for number in range(10)]
    evidence = a_case(tmp_path, [*pair, *others], [aggregate_row([*pair, *others])])
    assert explained(evidence) == [("day-as-of-computed", "both")]
    assert inputs(evidence)[:2] == ids(pair[1], pair[0])


def test_the_whole_day_is_taken_as_it_stood_when_it_was_computed(tmp_path):
    late = Event("late", at(2.1), lag=timedelta(hours=29))
    evidence = a_case(tmp_path, [*MANY, late], [aggregate_row(MANY), aggregate_row(MANY, at(36))])
    assert explained(evidence)[0] == ("day-as-of-computed", "both")
    assert explained(evidence)[1] == ("unexplained", None)


def test_events_of_another_day_or_entity_take_no_part(tmp_path):
    others = [Event("tomorrow", at(25)), Event("other", at(6), entity_id="e2")]
    evidence = a_case(tmp_path, [*MANY[:12], *others], [aggregate_row(MANY[:12])])
    assert explained(evidence) == [("day-as-of-computed", "both")]


def test_a_sample_id_of_another_day_explains_nothing(tmp_path):
    tomorrow = Event("tomorrow", at(25))
    evidence = a_case(tmp_path, [A, tomorrow], [aggregate_row([A, tomorrow])])
    assert explained(evidence) == [("unexplained", None)]


def test_a_day_without_the_events_whose_objects_are_missing(tmp_path):
    lost, *kept = MANY[:13]
    evidence = a_case(
        tmp_path, MANY[:13], [aggregate_row(kept)], raw=[raw_row(event) for event in kept]
    )
    assert explained(evidence) == [("day-without-missing", "both")]
    assert lost.id not in inputs(evidence)


def test_a_hash_can_agree_with_one_store_only(tmp_path):
    day = MANY[:12]
    conflict = event_row(day[0], payload_sha="e" * 64)
    evidence = a_case(
        tmp_path, day, [aggregate_row(day)], events=[conflict, *map(event_row, day[1:])]
    )
    assert explained(evidence) == [("day-as-of-computed", "raw")]


def test_a_store_that_knows_no_payload_hash_agrees_with_nothing(tmp_path):
    row = event_row(A, payload_sha=None)
    evidence = a_case(tmp_path, [A, B], [aggregate_row([A])], events=[row, event_row(B)])
    assert explained(evidence) == [("sample-ids", "raw")]


@pytest.mark.parametrize("claimed", [None, -5, 10**15])
def test_versions_are_explained_alike_piece_by_piece(tmp_path, monkeypatch, claimed):
    rows = [aggregate_row(MANY[n : n + 3], at(30 + n)) for n in range(6)]
    rows += [without_samples(MANY[5:8], computed=at(50)), without_samples(MANY, computed=at(51))]
    rows += [aggregate_row(MANY[:2], at(52), input_count=claimed, inputs_hash="f" * 64)]
    for place in ("whole", "pieces"):
        (tmp_path / place).mkdir()
    whole = a_case(tmp_path / "whole", MANY, rows)
    known = explained(whole), inputs(whole)
    monkeypatch.setattr(candidate_inputs, "INPUTS_AT_ONCE", 4)
    pieces = a_case(tmp_path / "pieces", MANY, rows)
    assert (explained(pieces), inputs(pieces)) == known


def test_an_id_that_stands_twice_in_a_store_is_still_explained(tmp_path):
    again = raw_row(A, s3_key=raw_row(A)["s3_key"].replace("hour=", "hour=2"))
    evidence = a_case(
        tmp_path, [A, B], [aggregate_row([A, B])], raw=[raw_row(A), again, raw_row(B)]
    )
    assert explained(evidence) == [("sample-ids", "both")]
    assert inputs(evidence) == ids(A, B)


def test_with_an_object_lost_since_the_row_still_knows_its_hash(tmp_path):
    evidence = a_case(tmp_path, [A, B], [aggregate_row([A, B])], raw=[raw_row(A)])
    assert explained(evidence) == [("sample-ids", "events")]


def test_objects_and_rows_together_may_know_what_neither_knows_alone(tmp_path):
    conflict = event_row(A, payload_sha="e" * 64)
    evidence = a_case(
        tmp_path, [A, B], [aggregate_row([A, B])], raw=[raw_row(A)], events=[conflict, event_row(B)]
    )
    assert explained(evidence) == [("sample-ids", "mixed")]


@pytest.mark.parametrize("store", ["raw", "events"])
def test_one_store_is_enough_to_explain(tmp_path, store):
    other = {"raw": "events", "events": "raw"}[store]
    evidence = a_case(tmp_path, MANY, [aggregate_row(MANY)], **{other: None})
    assert explained(evidence) == [("day-as-of-computed", store)]


def test_a_run_of_consecutive_events_is_found_by_its_first_sample(tmp_path, monkeypatch):
    monkeypatch.setattr(candidate_inputs, "RUN_DAY_EVENTS", 0)
    evidence = a_case(tmp_path, MANY, [aggregate_row(MANY[5:20])])
    assert explained(evidence) == [("consecutive-run", "both")]
    assert inputs(evidence) == ids(*MANY[5:20])


def test_without_samples_every_run_is_tried(tmp_path):
    evidence = a_case(tmp_path, MANY, [without_samples(MANY[5:8])])
    assert explained(evidence) == [("consecutive-run", "both")]
    assert inputs(evidence) == ids(*MANY[5:8])


@pytest.mark.parametrize("limit", ["RUN_DAY_EVENTS", "RUN_INPUTS"])
def test_what_the_budget_left_out_is_said(tmp_path, monkeypatch, limit):
    monkeypatch.setattr(candidate_inputs, limit, 20)
    evidence = a_case(tmp_path, MANY, [without_samples(MANY[5:8])])
    assert explained(evidence) == [("unexplained (beyond budget)", None)]
    assert inputs(evidence) == []


def test_a_version_longer_than_its_day_is_not_beyond_the_budget(tmp_path, monkeypatch):
    monkeypatch.setattr(candidate_inputs, "RUN_DAY_EVENTS", 0)
    evidence = a_case(tmp_path, MANY[:4], [aggregate_row(MANY[:12])])
    assert explained(evidence) == [("unexplained", None)]


def test_a_gap_in_a_run_is_no_run(tmp_path):
    evidence = a_case(tmp_path, MANY, [without_samples([*MANY[5:8], MANY[9]])])
    assert explained(evidence) == [("unexplained", None)]


def test_a_day_with_every_event_twice(tmp_path):
    evidence = a_case(tmp_path, MANY[:7], [aggregate_row([*MANY[:7], *MANY[:7]])])
    assert explained(evidence) == [("day-doubled", "both")]
    assert inputs(evidence)[:4] == ids(A, A, B, B)


def test_a_version_of_no_inputs_is_explained_by_having_none(tmp_path):
    empty = aggregate_row(
        [A],
        inputs_hash=REFERENCE.aggregate.inputs_hash([]),
        input_count=0,
        sample_event_ids=[],
    )
    evidence = a_case(tmp_path, [A], [empty])
    assert explained(evidence) == [("sample-ids", "both")]
    assert inputs(evidence) == []


def test_a_hash_that_no_events_have_stays_unexplained(tmp_path):
    rows = [aggregate_row(MANY[:4], inputs_hash="f" * 64), aggregate_row(MANY, at(31))]
    rows.append(aggregate_row(MANY[:4], at(32), inputs_hash=None, input_count=None))
    assert explained(a_case(tmp_path, MANY, rows)) == [
        ("unexplained", None),
        ("day-as-of-computed", "both"),
        ("unexplained", None),
    ]


def test_ids_are_quoted_as_json_quotes_them(tmp_path):
    odd = 'a"b\\c'
    listed = pipeline.canonical_json([{"event_id": odd, "payload_sha": A.sha}])
    version = aggregate_row([A], inputs_hash=pipeline.sha256(listed), sample_event_ids=[odd])
    evidence = a_case(
        tmp_path, [A], [version],
        raw=[raw_row(A, key_event_id=odd)], events=[event_row(A, event_id=odd)],
    )  # fmt: skip
    assert explained(evidence) == [("sample-ids", "both")]
    assert inputs(evidence) == [odd]


def test_days_of_many_entities_are_explained_at_once(tmp_path):
    events = [
        Event(f"n{number}", at(1 + number / 4), entity_id=f"e{entity}")
        for entity in range(6) for number in range(12)
    ]  # fmt: skip
    rows = [
        aggregate_row([event for event in events if event.entity_id == f"e{entity}"])
        for entity in range(6)
    ]
    assert explained(a_case(tmp_path, events, rows)) == [("day-as-of-computed", "both")] * 6


def test_neither_store_captured_is_not_evaluable(tmp_path):
    evidence = evidence_of(tmp_path, aggregates=[aggregate_row([A])])
    with pytest.raises(NotEvaluable, match="raw and events"):
        versions(evidence)


def judged(evidence: Evidence) -> dict[str, Any]:
    (row,) = evidence.engine.rows(days(evidence))
    return row


def loaded(event: Event) -> dict[str, Any]:
    return log_line(
        "processor_record_loaded", at(30), event_id=event.id, entity_id=event.entity_id,
        event_time=event.body["event_time"], s3_key=event.s3_key,
    )  # fmt: skip


def test_a_day_counts_what_its_versions_hold(tmp_path):
    late = Event("late", at(4), lag=timedelta(hours=30))
    rows = [aggregate_row([A, B]), aggregate_row([B], at(31))]
    day = judged(a_case(tmp_path, [A, B, C, late], rows))
    counts = (
        "versions", "distinct_hashes", "unexplained", "expected", "held_by_union",
        "held_by_newest", "left_out", "lost", "arrived_since",
    )  # fmt: skip
    assert [day[name] for name in counts] == [2, 2, 0, 3, 2, 1, 1, 1, 1]
    assert day["verdict"] == "partial"


def test_what_an_unexplained_version_makes_unknowable_is_null(tmp_path):
    day = judged(a_case(tmp_path, [A, B], [aggregate_row([A], inputs_hash="f" * 64)]))
    assert (day["verdict"], day["held_by_union"], day["left_out"]) == ("unexplained", None, None)


def test_an_input_proves_that_its_event_had_arrived(tmp_path):
    late_row = event_row(A, ingest_time="2026-03-11T12:00:00Z", ingest_time_utc=at(36))
    day = judged(a_case(tmp_path, [A], [aggregate_row([A])], raw=None, events=[late_row]))
    assert (day["verdict"], day["expected"], day["arrived_since"]) == ("complete", 1, 0)


WRITTEN = aggregate_row([A])
COLLISION = [
    log_line(
        "processor_aggregate_written", at(30), request, entity_id="e1", day=A.day,
        version=WRITTEN["version"], inputs_hash=inputs_hash,
    )
    for request, inputs_hash in (("r1", "a" * 64), ("r2", "b" * 64))
]  # fmt: skip

VERDICTS: dict[str, dict[str, Any]] = {
    "complete": {"aggregates": [aggregate_row([A, B])]},
    "split": {"aggregates": [aggregate_row([A]), aggregate_row([B], at(31))]},
    "partial": {"aggregates": [aggregate_row([A])]},
    "inflated": {"aggregates": [aggregate_row([A, A])]},
    "overwritten": {"aggregates": [aggregate_row([A, A])], "log_lines": COLLISION},
    "unexplained": {
        "aggregates": [aggregate_row([A], inputs_hash="f" * 64)], "log_lines": COLLISION,
    },
    "missing": {"aggregates": [], "log_lines": [loaded(A)]},
    "pending": {"aggregates": [aggregate_row([A])], "messages": [message_row(B)]},
}  # fmt: skip


@pytest.mark.parametrize("verdict", VERDICTS)
def test_the_worst_that_holds_is_the_verdict(tmp_path, verdict):
    assert judged(a_case(tmp_path, [A, B], **VERDICTS[verdict]))["verdict"] == verdict


def test_events_that_arrived_since_make_a_day_stale(tmp_path):
    late = Event("late", at(4), lag=timedelta(hours=30))
    assert judged(a_case(tmp_path, [A, late], [aggregate_row([A])]))["verdict"] == "stale"


@pytest.mark.parametrize(
    "tables",
    [
        {"aggregates": [], "log_lines": [loaded(A)], "messages": [message_row(B)]},
        {"aggregates": [aggregate_row([A], CAPTURED)]},
        {"aggregates": [aggregate_row([A], CAPTURED, inputs_hash="f" * 64)]},
    ],
    ids=["a message waits", "left out just now", "computed just now"],
)
def test_what_is_still_on_its_way_is_pending(tmp_path, tables):
    lines = tables.get("log_lines", [])
    tables = {**tables, "log_lines": [*lines, *[loaded(B) for _ in lines]]}
    assert judged(a_case(tmp_path, [A, B], **tables))["verdict"] == "pending"


def test_every_event_of_a_day_says_where_it_is(tmp_path):
    evidence = a_case(
        tmp_path, [A, B, C], [aggregate_row([A, B]), aggregate_row([B], at(31))],
        raw=[raw_row(A), raw_row(B)], messages=[message_row(C)],
    )  # fmt: skip
    flags = ("held", "held_by_newest", "expected", "waiting", "has_object")
    rows = evidence.engine.rows(day_events(evidence).order_by("event_time"))
    assert [[row[flag] for flag in flags] for row in rows] == [
        [True, False, True, False, True],
        [True, True, True, False, True],
        [False, False, True, True, False],
    ]


def test_two_versions_differ_by_added_removed_and_repeated_events(tmp_path):
    first, second = aggregate_row([A, B]), aggregate_row([B, B, C], at(31))
    evidence = a_case(tmp_path, [A, B, C], [first, second])
    rows = compare(evidence, "e1", A.day, first["version"], second["version"])
    changes = {row["event_id"]: row["change"] for row in evidence.engine.rows(rows)}
    assert changes == {A.id: "removed", B.id: "counted otherwise", C.id: "added"}


def test_two_versions_differ_by_a_changed_payload(tmp_path):
    changed = event_row(A, payload_sha="e" * 64)
    listed = [(A.body["event_time"], A.id, "e" * 64), (B.body["event_time"], B.id, B.sha)]
    first = aggregate_row([A, B])
    second = aggregate_row([A, B], at(31), inputs_hash=REFERENCE.aggregate.inputs_hash(listed))
    evidence = a_case(tmp_path, [A, B], [first, second], events=[changed, event_row(B)])
    rows = compare(evidence, "e1", A.day, first["version"], second["version"])
    changes = {row["event_id"]: row["change"] for row in evidence.engine.rows(rows)}
    assert changes == {A.id: "payload changed", B.id: "same"}


def test_a_version_that_does_not_exist_cannot_be_compared(tmp_path):
    version = aggregate_row([A])
    evidence = a_case(tmp_path, [A], [version])
    with pytest.raises(UsageError, match=r"unknown version '7'"):
        compare(evidence, "e1", A.day, version["version"], 7)


def test_an_unexplained_version_cannot_be_compared(tmp_path):
    version = aggregate_row([A], inputs_hash="f" * 64)
    evidence = a_case(tmp_path, [A], [version])
    with pytest.raises(NotEvaluable, match="is unexplained"):
        compare(evidence, "e1", A.day, version["version"], version["version"])


def test_the_document_lists_days_and_versions_in_a_fixed_order(tmp_path):
    other = Event("x", at(5), entity_id="a1")
    rows = [aggregate_row([B], at(31)), aggregate_row([A]), aggregate_row([other])]
    listed = document_rows(a_case(tmp_path, [A, B, other], rows))
    assert [(day["entity_id"], day["verdict"]) for day in listed] == [
        ("a1", "complete"),
        ("e1", "split"),
    ]
    assert listed[1]["versions"] == [
        {
            "version": row["version"],
            "inputs_hash": row["inputs_hash"],
            "explained_by": "sample-ids",
        }
        for row in (rows[1], rows[0])
    ]


def test_the_document_keeps_to_the_scope(tmp_path):
    scope = Scope(Window(END, END + timedelta(days=1)))
    assert document_rows(a_case(tmp_path, [A], [aggregate_row([A])], scope=scope)) == []
    scope = Scope(Window(START, END), ("e2",))
    assert document_rows(a_case(tmp_path, [A], [aggregate_row([A])], scope=scope)) == []


@pytest.mark.parametrize("absent", [{"aggregates": None}, {"raw": None, "events": None}])
def test_the_document_has_no_days_where_nobody_looked(tmp_path, absent):
    assert document_rows(a_case(tmp_path, [A], **absent)) == []


def test_a_part_of_the_versions_gives_only_verdicts_that_a_part_proves(tmp_path):
    other = Event("x", at(5), entity_id="e2")
    rows = [aggregate_row([A]), aggregate_row([other, other])]
    part = {"aggregates": Coverage("partial", "stopped early")}
    listed = document_rows(a_case(tmp_path, [A, B, other], rows, coverage=part))
    assert [(day["entity_id"], day["verdict"]) for day in listed] == [("e2", "inflated")]
