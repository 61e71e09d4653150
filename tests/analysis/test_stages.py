from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from investigate.analysis.stages import FLOW, flow, stages
from investigate.case import Coverage
from investigate.errors import NotEvaluable
from investigate.evidence import Evidence, Scope
from investigate.model import Window
from tests.builders import (
    CAPTURED,
    END,
    Event,
    aggregate_row,
    at,
    dedupe_row,
    event_row,
    evidence_of,
    function_row,
    invocation_row,
    log_line,
    message_row,
    queue_row,
    raw_row,
    unreadable_row,
)

A, B, C = Event("a", at(1)), Event("b", at(2)), Event("c", at(3))
STAGES = ("raw", "readable", "row", "refs", "dedupe", "sent", "waiting", "processed", "aggregated")


def loaded(event: Event) -> dict[str, Any]:
    return log_line(
        "processor_record_loaded", at(30), event_id=event.id, entity_id=event.entity_id,
        event_time=event.body["event_time"], s3_key=event.s3_key,
    )  # fmt: skip


def a_case(folder: Path, **tables: Any) -> Evidence:
    """A and B went all the way; a table given as None was not captured."""
    known = {
        "raw": [raw_row(A), raw_row(B)],
        "events": [event_row(A), event_row(B)],
        "dedupe": [dedupe_row(A), dedupe_row(B)],
        "messages": [],
        "queue_state": [queue_row()],
        "aggregates": [aggregate_row([A, B])],
        "functions": [function_row("replay"), function_row("processor")],
        "invocations": [invocation_row("r1", at(30)), invocation_row("p1", at(29))],
        "log_lines": [
            log_line("replay_enqueued", at(29), "p1", scanned=0, sent=0),
            log_line("processor_start", at(30), "r1", records=2),
            loaded(A),
            loaded(B),
        ],
        **tables,
    }
    options = {name: known.pop(name) for name in ("coverage", "scope") if name in known}
    present = {name: rows for name, rows in known.items() if rows is not None}
    return evidence_of(folder, **options, **present)


def entries(evidence: Evidence) -> dict[str, dict[str, Any]]:
    return {row["event_id"]: row for row in evidence.engine.rows(stages(evidence))}


def known_of(event: Event, evidence: Evidence) -> list[bool | None]:
    entry = entries(evidence)[event.id]
    return [entry[stage] for stage in STAGES]


def test_an_event_that_went_all_the_way(tmp_path):
    found = dict(zip(STAGES, known_of(A, a_case(tmp_path)), strict=True))
    assert found == {**dict.fromkeys(STAGES, True), "waiting": False}


def test_every_store_brings_its_ids(tmp_path):
    others = [Event(name, at(5)) for name in ("raw", "row", "gate", "message", "loaded")]
    raw, row, gate, message, seen = others
    evidence = a_case(
        tmp_path, raw=[raw_row(raw)], events=[event_row(row)], dedupe=[dedupe_row(gate)],
        messages=[message_row(message)], log_lines=[loaded(seen)], aggregates=[],
    )  # fmt: skip
    assert set(entries(evidence)) == {event.id for event in others}


def test_an_orphan_of_the_gate_is_nowhere_else(tmp_path):
    evidence = a_case(tmp_path, dedupe=[dedupe_row(A), dedupe_row(B), dedupe_row(C)])
    assert known_of(C, evidence) == [False, False, False, False, True, False, False, False, False]


def test_an_unreadable_object_is_there_and_cannot_be_read(tmp_path):
    evidence = a_case(tmp_path, raw=[raw_row(A), unreadable_row(B)])
    assert known_of(B, evidence)[:2] == [True, False]


def test_an_object_nobody_could_look_into_may_be_readable(tmp_path):
    evidence = a_case(tmp_path, raw=[raw_row(A), unreadable_row(B, "denied")])
    assert known_of(B, evidence)[:2] == [True, None]


def test_a_row_without_references_has_none(tmp_path):
    evidence = a_case(tmp_path, events=[event_row(A), event_row(B, s3_key=None)])
    assert known_of(B, evidence)[2:4] == [True, False]


@pytest.mark.parametrize(
    ("table", "unknown"),
    [
        ("raw", {"raw", "readable"}),
        ("events", {"row", "refs"}),
        ("dedupe", {"dedupe"}),
        ("aggregates", {"aggregated"}),
    ],
)
def test_what_was_not_captured_is_unknown(tmp_path, table, unknown):
    found = dict(zip(STAGES, known_of(A, a_case(tmp_path, **{table: None})), strict=True))
    assert {stage for stage, answer in found.items() if answer is None} == unknown


def test_without_log_lines_only_the_aggregates_tell_what_was_processed(tmp_path):
    evidence = a_case(tmp_path, log_lines=None, raw=[raw_row(A), raw_row(B), raw_row(C)])
    assert known_of(A, evidence)[5:] == [None, False, True, True]
    assert known_of(C, evidence)[5:] == [None, False, False, False]


def test_a_table_captured_in_part_knows_who_is_in_it_and_not_who_is_not(tmp_path):
    part = {"dedupe": Coverage("partial", "stopped early")}
    evidence = a_case(tmp_path, dedupe=[dedupe_row(A)], coverage=part)
    assert [known_of(event, evidence)[4] for event in (A, B)] == [True, None]


def test_unseen_messages_leave_waiting_unknown(tmp_path):
    unseen = {"messages": None, "queue_state": [queue_row(visible=3)]}
    assert known_of(A, a_case(tmp_path, **unseen))[6] is None
    assert known_of(A, a_case(tmp_path, messages=None))[6] is False
    assert known_of(A, a_case(tmp_path, messages=None, queue_state=[]))[6] is None


def test_an_unexplained_version_may_count_what_no_other_does(tmp_path):
    other = Event("x", at(5), entity_id="e2")
    evidence = a_case(
        tmp_path, raw=[raw_row(event) for event in (A, B, C, other)],
        aggregates=[aggregate_row([A, B]), aggregate_row([A], at(31), inputs_hash="f" * 64)],
    )  # fmt: skip
    assert [known_of(event, evidence)[8] for event in (A, C, other)] == [True, None, False]


def test_an_entry_says_whose_event_it_is_and_when_it_came(tmp_path):
    entry = entries(a_case(tmp_path))[A.id]
    assert (entry["entity_id"], entry["source"], entry["day"]) == ("e1", "web", A.day)
    assert entry["event_time_utc"] == A.when.replace(tzinfo=None)
    assert entry["arrived_utc"] == A.ingested.replace(tzinfo=None)


def test_an_event_only_the_log_knows_has_the_logs_entity_and_time(tmp_path):
    entry = entries(a_case(tmp_path, log_lines=[loaded(C)]))[C.id]
    assert (entry["entity_id"], entry["source"], entry["day"]) == ("e1", None, C.day)


def test_without_any_table_that_names_events_there_is_no_stages(tmp_path):
    with pytest.raises(NotEvaluable, match="names an event"):
        stages(evidence_of(tmp_path, functions=[function_row("processor")]))


def stations(evidence: Evidence) -> dict[str, dict[str, int]]:
    return {row["stage"]: row for row in evidence.engine.rows(flow(evidence))}


def test_the_flow_says_where_events_drop_out(tmp_path):
    lost, orphan, queued = Event("lost", at(4)), Event("orphan", at(5)), Event("queued", at(6))
    evidence = a_case(
        tmp_path,
        raw=[raw_row(event) for event in (A, B, C, queued)],
        events=[event_row(event) for event in (A, B, lost, queued)],
        dedupe=[dedupe_row(event) for event in (A, B, C, lost, orphan, queued)],
        messages=[message_row(queued)],
        log_lines=[
            log_line(
                "replay_enqueued", at(29), "p1", scanned=4, sent=4, entity_id="e1",
                start="2026-03-10T00:00:00Z", end="2026-03-11T00:00:00Z",
            ),
            log_line("processor_start", at(30), "r1", records=2),
            loaded(A), loaded(B),
        ],
    )  # fmt: skip
    names = ("reached", "dropped", "waiting", "unknown", "joined")
    assert {stage: [row[name] for name in names] for stage, row in stations(evidence).items()} == {
        "known": [6, 0, 0, 0, 0],
        "readable": [4, 2, 0, 0, 0],
        "refs": [4, 1, 0, 0, 1],
        "sent": [4, 0, 0, 0, 0],
        "processed": [2, 1, 1, 0, 0],
        "aggregated": [2, 0, 0, 0, 0],
    }


@pytest.mark.parametrize("absent", ["raw", "events", "aggregates", "log_lines", "messages"])
def test_every_station_accounts_for_all_that_reached_the_one_before(tmp_path, absent):
    evidence = a_case(tmp_path, **{absent: None})
    rows = stations(evidence)
    for before, after in pairwise(FLOW):
        row = rows[after]
        gone = row["dropped"] + row["waiting"] + row["unknown"]
        assert row["reached"] == rows[before]["reached"] - gone + row["joined"]


def test_the_flow_leaves_out_what_is_not_settled_or_not_in_scope(tmp_path):
    young = Event("young", at(20), lag=CAPTURED - at(20))
    evidence = a_case(tmp_path, raw=[raw_row(A), raw_row(B), raw_row(young)])
    assert stations(evidence)["known"]["reached"] == 2
    scope = Scope(Window(END, END + timedelta(days=1)))
    assert stations(a_case(tmp_path, scope=scope))["known"]["reached"] == 0
