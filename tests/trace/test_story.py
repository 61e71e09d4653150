"""One event's story: its hops, its errors in order, and what the guard did."""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from investigate.case import open_case
from investigate.errors import UsageError
from investigate.evidence import Evidence
from investigate.ledger import STATIONS, ledger
from investigate.ledger.objections import objections
from investigate.trace import Story, document, story_of
from investigate.trace.hops import masked
from tests.builders import (
    Event,
    aggregate_row,
    at,
    dedupe_row,
    event_row,
    evidence_of,
    function_row,
    invocation_row,
    log_line,
    queue_row,
    raw_row,
)

CASES = Path(__file__).resolve().parent.parent.parent / "data" / "cases"
A = Event("a", at(1))
WINDOW = {"start": "2026-03-10T00:00:00Z", "end": "2026-03-11T00:00:00Z"}


def ingested(when: Any, request: str, answer: str) -> dict[str, Any]:
    return log_line("event_ingested", when, request, event_id=A.id, status=answer)


def a_case(folder: Path, **tables: Any) -> Evidence:
    """A was accepted, replayed, loaded and counted; a table given as None was not captured."""
    known = {
        "raw": [raw_row(A)],
        "events": [event_row(A)],
        "dedupe": [dedupe_row(A)],
        "messages": [],
        "queue_state": [queue_row()],
        "aggregates": [aggregate_row([A])],
        "functions": [function_row(role) for role in ("ingest", "replay", "processor")],
        "invocations": [
            invocation_row("i1", A.ingested, function="ingest", trace_id="1-a"),
            invocation_row("p1", at(29), function="replay"),
            invocation_row("r1", at(30)),
        ],
        "log_lines": [
            ingested(A.ingested, "i1", "ACCEPTED"),
            log_line("replay_enqueued", at(29), "p1", entity_id="e1", scanned=1, sent=1, **WINDOW),
            log_line("processor_start", at(30), "r1", records=1),
            log_line("processor_record_loaded", at(30), "r1", event_id=A.id, entity_id="e1"),
        ],
        **tables,
    }
    return evidence_of(folder, **{name: rows for name, rows in known.items() if rows is not None})


def stations(story: Story) -> list[str]:
    return [hop.station for hop in story.hops]


def test_a_whole_story_has_every_hop_in_order_with_the_id_that_joins_it(tmp_path):
    story = story_of(a_case(tmp_path), A.id)
    assert stations(story) == [
        "raw", "ingest", "dedupe", "events", "replay", "processor", "aggregates",
    ] or stations(story) == [
        "ingest", "dedupe", "raw", "events", "replay", "processor", "aggregates",
    ]  # fmt: skip
    joined = {hop.station: (hop.joined_by, hop.join_id) for hop in story.hops}
    assert joined["ingest"] == ("request_id", "i1")
    assert joined["raw"] == ("s3_key", A.s3_key)
    assert joined["processor"] == ("request_id", "r1")
    assert story.divergence is None
    assert story.errors == []
    assert story.finished.startswith("accepted and finished")
    assert story.guard.startswith("the guard was not tried")


def test_a_repetition_that_was_refused_is_the_guard_at_work_and_no_error(tmp_path):
    again = A.ingested + timedelta(seconds=9)
    lines = [ingested(A.ingested, "i1", "ACCEPTED"), ingested(again, "i2", "DUPLICATE")]
    row = event_row(A, status="DUPLICATE", ingest_time_utc=again)
    story = story_of(a_case(tmp_path, log_lines=lines, events=[row]), A.id)
    assert story.guard.startswith("the guard worked")
    assert [hop.status for hop in story.hops if hop.station == "ingest"] == ["ok", "guard"]
    assert story.errors == []


def test_a_refusal_of_what_was_never_stored_is_told_apart_from_the_guard_at_work(tmp_path):
    died = invocation_row("i1", A.ingested, function="ingest", status="error", error_message="503")
    again = A.ingested + timedelta(seconds=9)
    story = story_of(
        a_case(
            tmp_path, raw=[], invocations=[died], log_lines=[ingested(again, "i2", "DUPLICATE")],
            events=[event_row(A, status="DUPLICATE", ingest_time_utc=again)], aggregates=[],
        ),
        A.id,
    )  # fmt: skip
    assert story.guard.startswith("the guard refused what was never stored")
    assert (story.divergence, story.code) == ("raw", "raw/missing")
    assert "503" in story.errors[0].what
    assert story.advice[0]


def test_an_event_that_was_accepted_twice_shows_that_the_guard_failed(tmp_path):
    later = A.but(lag=timedelta(days=1))
    story = story_of(a_case(tmp_path, raw=[raw_row(A), raw_row(later)]), A.id)
    assert story.guard.startswith("the guard failed")
    assert story.effects["raw objects"] == 2


def test_a_version_that_counts_an_event_twice_has_no_guard_behind_the_queue(tmp_path):
    story = story_of(a_case(tmp_path, aggregates=[aggregate_row([A, A])]), A.id)
    assert story.guard.startswith("no guard stands behind the queue")
    assert story.effects["most counts in one version"] == 2
    assert story.code == "aggregates/inflated"


def test_errors_stand_in_order_of_time_and_the_first_is_the_candidate_cause(tmp_path):
    lines = [
        ingested(A.ingested, "i1", "ACCEPTED"),
        log_line("processor_record_loaded", at(30), "r1", event_id=A.id, entity_id="e1"),
        log_line("processor_record_failed", at(30.1), "r1", err="NoSuchKey for a@b.example"),
    ]
    runs = [
        invocation_row("i1", A.ingested, function="ingest", status="timeout"),
        invocation_row("r1", at(30), status="error", error_message="ConditionalCheckFailed"),
    ]
    story = story_of(a_case(tmp_path, log_lines=lines, invocations=runs), A.id)
    told = document(story, "test")["errors"]
    assert [error["role"] for error in told] == ["candidate cause", "later", "later"]
    assert [error["station"] for error in told] == ["ingest", "processor", "processor"]
    assert "a@b.example" not in str(told)


def test_spans_of_the_event_s_traces_are_hops_and_their_absence_is_said(tmp_path):
    span = {
        "trace_id": "1-a", "segment_id": "s1", "name": "DynamoDB", "started_utc": A.ingested,
        "ended_utc": A.ingested + timedelta(milliseconds=4), "error": True, "fault": False,
        "throttle": False,
    }  # fmt: skip
    other = {**span, "trace_id": "1-b", "segment_id": "s2"}
    story = story_of(a_case(tmp_path, spans=[span, other]), A.id)
    (hop,) = [hop for hop in story.hops if hop.station == "x-ray"]
    assert (hop.join_id, hop.status) == ("1-a", "error")
    assert not any("X-Ray" in gap for gap in story.gaps)
    assert any("X-Ray" in gap for gap in story_of(a_case(tmp_path), A.id).gaps)


def test_a_payload_that_changes_on_its_way_is_shown_where_it_does(tmp_path):
    changed = raw_row(A, payload_sha_actual="f" * 64)
    story = story_of(a_case(tmp_path, raw=[changed]), A.id)
    assert ("raw", "f" * 64) in story.digests
    assert ("events", A.sha) in story.digests


def test_who_is_told_names_the_queue_without_a_place_for_failures(tmp_path):
    told = " ".join(story_of(a_case(tmp_path), A.id).told)
    assert "replay-queue has no dead-letter queue" in told
    assert "alarms: not known" in told


def test_what_was_not_captured_is_said_with_what_would_settle_it(tmp_path):
    story = story_of(a_case(tmp_path, log_lines=None, invocations=None, aggregates=None), A.id)
    assert story.cells["replay"] == "unknown"
    assert any(gap.startswith("replay is not known: log_lines would tell") for gap in story.gaps)
    assert "cannot be told" in story.finished


def test_an_id_may_be_given_by_how_it_begins_and_any_table_may_know_it(tmp_path):
    gate = evidence_of(tmp_path, dedupe=[dedupe_row(A)])
    assert story_of(gate, A.id[:8]).event_id == A.id
    with pytest.raises(UsageError, match="too short"):
        story_of(gate, A.id[:3])
    with pytest.raises(UsageError, match="no captured table names event 'ffffffff'"):
        story_of(gate, "ffffffff")


def test_an_ambiguous_beginning_lists_the_ids(tmp_path):
    rows = [event_row(A, event_id=f"same-id-{n}", sk=f"TS#{n}") for n in (1, 2)]
    with pytest.raises(UsageError, match="same-id-1, same-id-2"):
        story_of(evidence_of(tmp_path, events=rows), "same-id")


def test_card_numbers_and_addresses_of_people_are_not_shown():
    assert masked("4111 1111 1111 1111 of jo@example.org failed") == (
        "[card number] of [address] failed"
    )
    assert masked("request 12345678 failed") == "request 12345678 failed"


@cache
def whole(name: str) -> Evidence:
    return Evidence(open_case(CASES / name))


def of_each_kind(name: str) -> list[dict[str, Any]]:
    evidence = whole(name)
    rows = evidence.engine.rows(ledger(evidence))
    kinds: dict[Any, dict[str, Any]] = {}
    for row in sorted(rows, key=lambda row: str(row["event_id"])):
        kinds.setdefault((row["code"], row["queue"]), row)
    return list(kinds.values())


def codes_by_event(name: str) -> dict[str, set[str]]:
    codes: dict[str, set[str]] = {}
    for row in whole(name).engine.rows(objections(whole(name))):
        codes.setdefault(row["event_id"], set()).add(row["code"])
    return codes


@pytest.mark.parametrize("name", ["midnight-duplicates", "lost-events"])
def test_a_story_says_of_its_event_what_the_ledger_of_the_whole_case_says(name):
    kinds = of_each_kind(name)
    assert len(kinds) > 3
    objected = codes_by_event(name)
    later = 0
    for row in kinds:
        story = story_of(whole(name), row["event_id"])
        assert dict(story.cells) == {station: row[station] for station in STATIONS}
        assert (story.divergence, story.code) == (row["divergence"], row["code"])
        assert {*story.further, *filter(None, [story.code])} == objected.get(row["event_id"], set())
        later += len(story.further)
    assert later > 0
