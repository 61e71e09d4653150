"""The ledger: a word per station that the evidence proves, and the first break of each story."""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from investigate.case import Coverage, open_case
from investigate.checks import book, offending_rows
from investigate.errors import NotEvaluable
from investigate.evidence import Evidence
from investigate.ledger import CELLS, STATIONS, ledger
from investigate.ledger.stations import BREAKS
from investigate.ledger.summary import breaks, cells
from tests.builders import (
    CAPTURED,
    Event,
    aggregate_row,
    at,
    dedupe_row,
    event_row,
    evidence_of,
    finding_of,
    function_row,
    invocation_row,
    log_line,
    message_row,
    queue_row,
    raw_row,
)
from tests.spark import spark_sql

CASES = Path(__file__).resolve().parent.parent.parent / "data" / "cases"
A, B = Event("a", at(1)), Event("b", at(2))
WINDOW = {"start": "2026-03-10T00:00:00Z", "end": "2026-03-11T00:00:00Z"}
# The stations at which a key of these checks must break, whatever else is wrong with its event.
OF_EVENTS = {
    known.code: known.station
    for known in BREAKS
    if book[known.code].key == "event_id" and known.station != "replay"
}


def loaded(event: Event, request: str = "r1") -> dict[str, Any]:
    return log_line(
        "processor_record_loaded", at(30), request, event_id=event.id, entity_id=event.entity_id,
        event_time=event.body["event_time"], s3_key=event.s3_key,
    )  # fmt: skip


def replayed(scanned: int, sent: int, request: str = "p1") -> dict[str, Any]:
    return log_line(
        "replay_enqueued", at(29), request, entity_id="e1", scanned=scanned, sent=sent, **WINDOW
    )


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
        "invocations": [
            invocation_row("r1", at(30)), invocation_row("p1", at(29), function="replay"),
        ],
        "log_lines": [
            replayed(2, 2), log_line("processor_start", at(30), "r1", records=2), loaded(A),
            loaded(B),
        ],
        **tables,
    }  # fmt: skip
    coverage = known.pop("coverage", None)
    present = {name: rows for name, rows in known.items() if rows is not None}
    return evidence_of(folder, coverage=coverage, **present)


def entry_of(event: Event, evidence: Evidence) -> dict[str, Any]:
    rows = {row["event_id"]: row for row in evidence.engine.rows(ledger(evidence))}
    return rows[event.id]


def cells_of(event: Event, evidence: Evidence) -> dict[str, str]:
    entry = entry_of(event, evidence)
    return {station: entry[station] for station in STATIONS}


def broken_at(event: Event, evidence: Evidence) -> tuple[str | None, str | None]:
    entry = entry_of(event, evidence)
    return entry["divergence"], entry["code"]


def test_an_event_that_went_all_the_way_is_present_everywhere_and_breaks_nowhere(tmp_path):
    evidence = a_case(tmp_path)
    assert cells_of(A, evidence) == dict.fromkeys(STATIONS, "present")
    assert broken_at(A, evidence) == (None, None)
    assert entry_of(A, evidence)["reason"] is None


def test_a_deleted_object_is_absent_and_the_first_break(tmp_path):
    evidence = a_case(tmp_path, raw=[raw_row(B)])
    assert cells_of(A, evidence)["raw"] == "absent"
    assert broken_at(A, evidence) == ("raw", "raw/missing")


def test_an_event_behind_the_gate_alone_breaks_at_the_raw_objects(tmp_path):
    lost = Event("lost", at(3))
    evidence = a_case(tmp_path, dedupe=[dedupe_row(A), dedupe_row(B), dedupe_row(lost)])
    cell = cells_of(lost, evidence)
    assert (cell["raw"], cell["events"], cell["dedupe"]) == ("absent", "absent", "present")
    assert broken_at(lost, evidence) == ("raw", "dedupe/orphan")


def test_an_object_past_its_lifetime_has_expired_and_is_not_absent(tmp_path):
    old = Event("old", CAPTURED - timedelta(days=91))
    evidence = a_case(tmp_path, events=[event_row(A), event_row(B), event_row(old)])
    assert cells_of(old, evidence)["raw"] == "expired"


def test_a_gate_row_past_its_lifetime_has_expired_and_is_not_absent(tmp_path):
    old = Event("old", CAPTURED - timedelta(days=31))
    evidence = a_case(tmp_path, raw=[raw_row(A), raw_row(B), raw_row(old)])
    assert cells_of(old, evidence)["dedupe"] == "expired"


def test_what_is_too_young_to_be_judged_is_pending(tmp_path):
    young = Event("young", CAPTURED - timedelta(seconds=100))
    evidence = a_case(tmp_path, raw=[raw_row(A), raw_row(B), raw_row(young)])
    cell = cells_of(young, evidence)
    assert (cell["events"], cell["dedupe"]) == ("pending", "pending")
    assert broken_at(young, evidence) == (None, None)


def test_what_no_replay_asked_for_is_pending_and_no_break(tmp_path):
    other = Event("other", at(4), entity_id="e2")
    evidence = a_case(
        tmp_path, raw=[raw_row(A), raw_row(B), raw_row(other)],
        events=[event_row(A), event_row(B), event_row(other)],
        dedupe=[dedupe_row(A), dedupe_row(B), dedupe_row(other)],
    )  # fmt: skip
    cell = cells_of(other, evidence)
    assert [cell[name] for name in STATIONS[3:]] == ["pending"] * 4
    assert broken_at(other, evidence) == (None, None)


def test_a_row_that_a_replay_of_its_window_did_not_reach_breaks_at_the_replay(tmp_path):
    evidence = a_case(
        tmp_path, log_lines=[replayed(1, 1), log_line("processor_start", at(30)), loaded(A)],
        aggregates=[aggregate_row([A])],
    )  # fmt: skip
    assert cells_of(B, evidence)["replay"] == "absent"
    assert broken_at(B, evidence) == ("replay", "replay/truncated")


def test_a_row_outside_a_window_by_text_only_breaks_at_the_replay(tmp_path):
    edge = Event("edge", at(0) + timedelta(milliseconds=500))
    evidence = a_case(
        tmp_path, raw=[raw_row(A), raw_row(B), raw_row(edge)],
        events=[event_row(A), event_row(B), event_row(edge)],
        dedupe=[dedupe_row(A), dedupe_row(B), dedupe_row(edge)],
    )  # fmt: skip
    assert broken_at(edge, evidence) == ("replay", "replay/boundary")


def test_a_row_that_a_later_replay_sent_does_not_break_at_the_first(tmp_path):
    again = [replayed(1, 1, "p0"), replayed(2, 2)]
    lines = [*again, log_line("processor_start", at(30)), loaded(A), loaded(B)]
    assert broken_at(B, a_case(tmp_path, log_lines=lines)) == (None, None)


def test_a_sent_event_that_is_nowhere_breaks_at_the_queue(tmp_path):
    evidence = a_case(
        tmp_path, log_lines=[replayed(2, 2), log_line("processor_start", at(30)), loaded(A)],
        aggregates=[aggregate_row([A])],
    )  # fmt: skip
    cell = cells_of(B, evidence)
    assert (cell["replay"], cell["queue"], cell["processor"]) == ("present", "absent", "absent")
    assert broken_at(B, evidence) == ("queue", "sqs/lost")


def test_a_waiting_event_is_in_the_queue_and_the_rest_is_pending(tmp_path):
    evidence = a_case(
        tmp_path, messages=[message_row(B)], queue_state=[queue_row(visible=1)],
        log_lines=[replayed(2, 2), log_line("processor_start", at(30)), loaded(A)],
        aggregates=[aggregate_row([A])],
    )  # fmt: skip
    cell = cells_of(B, evidence)
    assert [cell[name] for name in STATIONS[4:]] == ["present", "pending", "pending"]
    assert broken_at(B, evidence) == (None, None)


def test_an_event_that_was_loaded_and_is_in_no_version_breaks_at_the_aggregates(tmp_path):
    evidence = a_case(tmp_path, aggregates=[aggregate_row([A])])
    cell = cells_of(B, evidence)
    assert (cell["processor"], cell["aggregates"]) == ("present", "absent")
    assert broken_at(B, evidence) == ("aggregates", "aggregates/partial")


def test_an_event_that_is_counted_twice_breaks_at_the_aggregates(tmp_path):
    evidence = a_case(tmp_path, aggregates=[aggregate_row([A, A, B])])
    assert broken_at(A, evidence) == ("aggregates", "aggregates/inflated")
    assert broken_at(B, evidence) == (None, None)


@pytest.mark.parametrize("table", ["raw", "events", "dedupe"])
def test_what_was_denied_is_denied_and_what_was_not_captured_unknown(tmp_path, table):
    denied = {table: Coverage("denied", "AccessDenied")}
    assert cells_of(A, a_case(tmp_path, **{table: None}, coverage=denied))[table] == "denied"
    assert cells_of(A, a_case(tmp_path, **{table: None}))[table] == "unknown"


def test_without_log_lines_what_no_version_counts_is_unknown_and_no_break(tmp_path):
    evidence = a_case(tmp_path, log_lines=None, invocations=None, aggregates=[])
    cell = cells_of(A, evidence)
    assert [cell[name] for name in STATIONS[3:6]] == ["unknown"] * 3
    assert broken_at(A, evidence) == (None, None)


def test_lines_that_are_no_longer_kept_have_expired(tmp_path):
    kept = {"log_lines": Coverage("captured", "", "2026-03-10T12:00:00Z/..")}
    evidence = a_case(tmp_path, log_lines=[], aggregates=[], coverage=kept)
    assert cells_of(A, evidence)["replay"] == "expired"


def test_without_any_table_that_names_events_there_is_no_ledger(tmp_path):
    with pytest.raises(NotEvaluable, match="no captured table names an event"):
        ledger(evidence_of(tmp_path, functions=[function_row("processor")]))


def test_every_break_names_a_check_and_every_station_has_one_in_order():
    assert [known.station for known in BREAKS] == sorted(
        (known.station for known in BREAKS),
        key=[*STATIONS].index,
    )
    assert {known.station for known in BREAKS} == set(STATIONS)
    assert all(book[known.code] for known in BREAKS)


def test_the_ledger_and_its_summary_can_be_asked_of_spark(tmp_path):
    evidence = a_case(tmp_path)
    for table in (ledger(evidence), cells(evidence), breaks(evidence)):
        assert "SELECT" in spark_sql(table)


@cache
def whole(name: str) -> Evidence:
    return Evidence(open_case(CASES / name))


@pytest.mark.parametrize("name", ["everything", "lost-events", "midnight-duplicates"])
def test_every_event_that_a_check_objects_to_breaks_there_or_before(name):
    evidence = whole(name)
    rows = {row["event_id"]: row for row in evidence.engine.rows(ledger(evidence))}
    objected = 0
    for code, station in OF_EVENTS.items():
        try:
            found = offending_rows(book[code], evidence).rows
        except NotEvaluable:
            continue
        for row in evidence.engine.rows(found.select("key").distinct()):
            objected += 1
            first = rows[row["key"]]["divergence"]
            assert first is not None, (code, row)
            assert STATIONS.index(first) <= STATIONS.index(station)
    assert objected > 5


def test_no_event_of_a_healthy_case_breaks_and_every_cell_is_present():
    evidence = whole("healthy")
    rows = evidence.engine.rows(ledger(evidence))
    assert {row[station] for row in rows for station in STATIONS} == {"present"}
    assert {row["divergence"] for row in rows} == {None}


def test_every_cell_is_one_of_the_words_and_every_event_is_counted_once_per_station():
    evidence = whole("everything")
    counted = evidence.engine.rows(cells(evidence))
    assert {row["cell"] for row in counted} <= set(CELLS)
    totals = dict.fromkeys(STATIONS, 0)
    for row in counted:
        totals[row["station"]] += row["events"]
    assert len(set(totals.values())) == 1


def test_a_replay_that_is_not_settled_breaks_no_story(tmp_path):
    young = CAPTURED - timedelta(seconds=100)
    line = {**replayed(1, 1), "logged_utc": young}
    calls = [invocation_row("p1", young, function="replay")]
    evidence = a_case(
        tmp_path, raw=[raw_row(A), raw_row(B)], events=[event_row(A), event_row(B)],
        dedupe=[dedupe_row(A), dedupe_row(B)], log_lines=[line], invocations=calls, aggregates=[],
    )  # fmt: skip
    assert finding_of("replay/truncated", evidence).keys == ()
    assert broken_at(B, evidence) == (None, None)


def test_the_last_sending_tells_whether_a_message_can_have_expired(tmp_path):
    lines = [
        {**replayed(1, 1, "p0"), "logged_utc": at(2)},
        {**replayed(1, 1), "logged_utc": at(47)},
    ]
    calls = [invocation_row(name, at(2), function="replay") for name in ("p0", "p1")]
    evidence = a_case(
        tmp_path, log_lines=lines, invocations=calls, aggregates=[], messages=[],
        queue_state=[queue_row(retention_s=86_400)], dead_letters=[],
    )  # fmt: skip
    assert cells_of(A, evidence)["queue"] == "absent"
