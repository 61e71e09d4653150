"""What single hops prove, and what they cannot: facts of one event are put together by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from investigate.evidence import Evidence
from investigate.pipeline import REFERENCE
from investigate.trace.facts import MOST, Facts, facts_of
from investigate.trace.hops import Hop, hops_of
from investigate.trace.story import effects_of, story_of, what_is_cut
from tests.builders import (
    Event,
    aggregate_row,
    at,
    event_row,
    evidence_of,
    function_row,
    invocation_row,
    letter_row,
    log_line,
    raw_row,
    unreadable_row,
)

A = Event("a", at(1))
NO_RUN = dict.fromkeys(
    ("started_utc", "ended_utc", "status", "error_type", "error_message", "trace_id")
)


def facts(**known: Any) -> Facts:
    kinds = (
        "attempts", "arrived_in", "gate", "objects", "rows", "replays", "left_out", "messages",
        "dead_letters", "loads", "failures", "versions", "spans",
    )  # fmt: skip
    whole = {"raw_listed": True, "totals": {}, "codes": (), "design": REFERENCE}
    known = {**known, "rows": [{"in_reach": True, **row} for row in known.get("rows", [])]}
    return Facts(
        **{"event_id": A.id, "ledger": {}, **{kind: [] for kind in kinds}, **whole, **known}
    )


def attempt(answer: str | None, status: str | None) -> dict[str, Any]:
    line = {"function": "ingest", "request_id": "i1", "logged_utc": at(1), "s3_key": A.s3_key}
    return {**line, **NO_RUN, "answer": answer, "status": status}


def only_hop(known: Facts) -> Hop:
    (hop,) = hops_of(known)
    return hop


ELSEWHERE = {**raw_row(A), "s3_key": "raw/elsewhere.json"}
NO_OBJECT = "a replay finds the event, and no object under its key"
NOT_CAPTURED = "a replay finds the event; whether an object stands under its key was not captured"


@pytest.mark.parametrize(
    ("listed", "objects", "status", "proves"),
    [
        (True, [ELSEWHERE], "error", NO_OBJECT),
        (True, [], "ok", NO_OBJECT),  # the object's break, not the row's
        (False, [ELSEWHERE], "unknown", NOT_CAPTURED),
        (False, [], "unknown", NOT_CAPTURED),
        (False, [raw_row(A)], "ok", "a replay finds the event and its object"),
    ],
)
def test_an_object_that_was_not_captured_is_not_told_as_absent(listed, objects, status, proves):
    hops = hops_of(facts(rows=[event_row(A)], objects=objects, raw_listed=listed))
    (hop,) = [hop for hop in hops if hop.station == "events"]
    assert (hop.status, hop.proves) == (status, proves)


@pytest.mark.parametrize("objects", [[], [ELSEWHERE]])
def test_an_object_out_of_reach_of_the_capture_is_not_told_as_absent(objects):
    hops = hops_of(facts(rows=[event_row(A, in_reach=False)], objects=objects))
    (hop,) = [hop for hop in hops if hop.station == "events"]
    assert (hop.status, hop.proves) == ("unknown", NOT_CAPTURED)


def row_hop(evidence: Evidence, event: Event, **scope: Any) -> tuple[str, str]:
    """What the row of an event is told to prove in a case that was captured with this scope."""
    hops = story_of(Evidence(replace(evidence.case, **scope)), event.id).hops
    (hop,) = [hop for hop in hops if hop.station == "events"]
    return hop.status, hop.proves


def test_a_key_of_an_event_date_that_was_not_listed_is_not_told_as_absent(tmp_path: Path):
    """The row is of the 16th; the capture listed the raw objects of the 9th to the 11th."""
    late = Event("late", at(6 * 24))
    evidence = evidence_of(tmp_path, events=[event_row(late)], raw=[])
    assert row_hop(evidence, late) == ("ok", NO_OBJECT)
    near, wide = ("2026-03-09", "2026-03-11"), ("2026-03-09", "2026-03-16")
    assert row_hop(evidence, late, event_dates=near) == ("unknown", NOT_CAPTURED)
    assert row_hop(evidence, late, event_dates=wide) == ("ok", NO_OBJECT)


def test_a_key_that_names_another_id_is_not_told_as_absent_in_a_capture_of_entities(
    tmp_path: Path,
):
    """Of the entities asked for, only objects whose key holds a known id were kept."""
    rows = [event_row(A, s3_key=Event("b", at(1)).s3_key)]
    evidence = evidence_of(tmp_path, events=rows, raw=[])
    assert row_hop(evidence, A) == ("ok", NO_OBJECT)
    assert row_hop(evidence, A, scope_entities=("e1",)) == ("unknown", NOT_CAPTURED)


UNSEEN = "whether its payload is as it was accepted was not captured"
AS_ACCEPTED = "the payload is stored as it was accepted"


@pytest.mark.parametrize(
    ("row", "status", "proves"),
    [
        (raw_row(A), "ok", AS_ACCEPTED),
        (raw_row(A, payload_sha_actual="f" * 64), "error",
         "the payload is not the one that was accepted"),
        (raw_row(A, payload_sha=None, payload_sha_actual=None), "unknown", UNSEEN),
        (raw_row(A, payload_sha=None), "unknown", UNSEEN),
        (raw_row(A, payload_sha_actual=None), "unknown", UNSEEN),
        (unreadable_row(A, "AccessDenied: s3:GetObject"), "unknown", UNSEEN),
        (unreadable_row(A, "denied (AccessDenied)"), "unknown", UNSEEN),
        (unreadable_row(A, "archived (GLACIER)"), "unknown", UNSEEN),
        (raw_row(A, readable=False, error=None), "unknown", UNSEEN),
        (unreadable_row(A, "not-json (nested too deeply)"), "error", "nothing of its payload"),
        (unreadable_row(A, "not-utf8"), "error", "nothing of its payload"),
    ],
)  # fmt: skip
def test_an_object_that_nobody_looked_into_did_not_go_wrong(tmp_path: Path, row, status, proves):
    found = facts_of(evidence_of(tmp_path, raw=[row]), A.id)
    hop = only_hop(found)
    assert (hop.station, hop.status, hop.proves) == ("raw", status, proves)
    assert row["readable"] or "cannot be read" in hop.what


def test_a_row_without_a_key_can_be_sent_by_no_replay_whatever_was_captured():
    for listed in (True, False):
        hop = only_hop(facts(rows=[event_row(A, s3_key=None)], raw_listed=listed))
        assert (hop.status, hop.proves) == (
            "error", "no replay can send the event: its row has no key",
        )  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "status", "told", "proves"),
    [
        ("ACCEPTED", "ok", "ok", "the client was told it is accepted"),
        ("ACCEPTED", "timeout", "error", "the client had no answer from ingest"),
        ("ACCEPTED", "error", "error", "the client had no answer from ingest"),
        ("ACCEPTED", None, "unknown", "what the client was told is unknown"),
        (None, "ok", "unknown", "what the client was told is unknown"),
        ("LATER", "ok", "unknown", "what the client was told is unknown"),
        ("DUPLICATE", "ok", "guard", "the gate refused a repetition"),
        ("DUPLICATE", None, "guard", "the gate refused a repetition"),
        ("DUPLICATE", "timeout", "error", "the gate refused a repetition"),
    ],
)
def test_an_attempt_proves_that_the_client_was_told_only_where_somebody_saw_it(
    answer, status, told, proves
):
    hop = only_hop(facts(attempts=[attempt(answer, status)]))
    assert (hop.status, hop.proves) == (told, proves)


@pytest.mark.parametrize(
    ("status", "told", "proves"),
    [
        ("ok", "ok", "its batch was processed"),
        ("error", "error", "its batch failed, and comes back"),
        (None, "unknown", "how its batch ended is unknown"),
    ],
)
def test_a_load_proves_the_end_of_its_batch_only_where_the_invocation_was_seen(
    status, told, proves
):
    hop = only_hop(facts(loads=[attempt(None, status)]))
    assert (hop.status, hop.proves) == (told, proves)


def test_a_line_without_an_answer_is_no_refusal():
    known = [attempt("ACCEPTED", "ok"), attempt(None, "ok"), attempt("DUPLICATE", "ok")]
    effects = effects_of(facts(attempts=known))
    assert effects["requests that ingest accepted"] == 1
    assert effects["requests that ingest refused"] == 1
    assert effects["requests whose answer is unknown"] == 1
    assert "requests whose answer is unknown" not in effects_of(facts(attempts=known[:1]))


def test_more_rows_than_are_shown_are_counted_and_the_cut_is_said(tmp_path):
    many = MOST + 3
    lines = [
        log_line("event_ingested", at(1), f"i{n}", event_id=A.id, status=word)
        for n, word in enumerate(["ACCEPTED", *["DUPLICATE"] * (many - 1)])
    ]
    loads = [
        log_line("processor_record_loaded", at(2), f"r{n}", event_id=A.id) for n in range(many)
    ]
    found = facts_of(evidence_of(tmp_path, log_lines=[*lines, *loads]), A.id)
    assert len(found.loads) == MOST
    effects = effects_of(found)
    assert effects["requests that ingest accepted"] == 1
    assert effects["requests that ingest refused"] == many - 1
    assert effects["loads by the processor"] == many
    assert what_is_cut(found) == [
        f"only the first {MOST} of {many} requests to ingest are shown",
        f"only the first {MOST} of {many} loads by the processor are shown",
    ]
    assert what_is_cut(facts()) == []


def test_what_lies_beyond_the_cut_is_neither_lost_nor_taken_for_a_death_without_a_word(tmp_path):
    """Every attempt failed, left its line, said a warning and has a trace; one more left none."""
    many = MOST + 3
    requests = [f"i{n:03}" for n in range(many)]
    runs = [
        invocation_row(name, at(1), function="ingest", status="error", trace_id=f"1-{name}")
        for name in (*requests, "mute")
    ]
    lines = [log_line("event_ingested", at(1), name, event_id=A.id) for name in requests]
    said = [{**log_line("slow", at(1), name), "level": "WARNING"} for name in requests]
    span = {"name": "DynamoDB", "started_utc": at(1), "ended_utc": at(1)}
    spans = [{**span, "trace_id": f"1-{name}", "segment_id": name} for name in (*requests, "mute")]
    evidence = evidence_of(
        tmp_path, log_lines=[*lines, *said], invocations=runs, spans=spans,
        functions=[function_row("ingest")],
    )  # fmt: skip
    found = facts_of(evidence, A.id)
    assert [row["request_id"] for row in found.arrived_in] == ["mute"]
    assert {kind: found.totals[kind] for kind in ("attempts", "failures", "spans")} == {
        "attempts": many, "failures": many, "spans": many,
    }  # fmt: skip
    assert [row["segment_id"] for row in found.spans] == requests[:MOST]


def test_versions_of_one_key_are_one_object_whether_all_are_shown_or_not(tmp_path):
    """An object that was written again and again is still the one that was accepted once."""
    for many in (2, MOST + 1):
        rows = [raw_row(A, version_id=f"v{n}", last_modified=at(1 + n / 99)) for n in range(many)]
        known = {"raw": rows, "events": [event_row(A)]}
        story = story_of(evidence_of(tmp_path, **known), A.id)
        assert story.effects["raw objects"] == 1
        assert story.guard.startswith("the guard was not tried")
    assert f"only the first {MOST} of {many} writes of raw objects are shown" in story.gaps
    twice = [*rows, raw_row(A.but(lag=at(25) - at(1)))]
    story = story_of(evidence_of(tmp_path, raw=twice, events=[event_row(A)]), A.id)
    assert story.effects["raw objects"] == 2
    assert story.guard.startswith("the guard failed")


def test_an_acceptance_and_a_repetition_beyond_the_cut_are_told_as_well(tmp_path):
    words = [*["DUPLICATE"] * (MOST + 1), "ACCEPTED"]
    lines = [
        log_line("event_ingested", at(1 + n / 99), f"i{n:03}", event_id=A.id, status=word)
        for n, word in enumerate(words)
    ]
    rows = [
        event_row(A, sk=f"{n:03}", ingest_time_utc=at(1 + n / 99), status=word)
        for n, word in enumerate([*["ACCEPTED"] * (MOST + 1), "DUPLICATE"])
    ]
    for name in ("log", "rows"):
        (tmp_path / name).mkdir()
    story = story_of(evidence_of(tmp_path / "log", log_lines=lines), A.id)
    assert story.finished.startswith("accepted")
    marked = story_of(evidence_of(tmp_path / "rows", raw=[raw_row(A)], events=rows), A.id)
    assert marked.guard.startswith("the guard worked")


def test_an_event_that_only_a_line_of_ingest_names_has_a_story_too(tmp_path):
    line = log_line("event_ingested", at(1), "i1", event_id=A.id, status="ACCEPTED")
    other = Event("another")
    stores = {"raw": [raw_row(other)], "events": [event_row(other)], "dedupe": []}
    for name, tables in (("blind", {}), ("stores", stores)):
        (tmp_path / name).mkdir()
        story = story_of(evidence_of(tmp_path / name, log_lines=[line], **tables), A.id)
        word = "absent" if tables else "unknown"
        assert {story.cells[station] for station in ("raw", "events", "dedupe")} == {word}
        assert story.who["entity_id"] is None
        assert story.finished == "accepted; whether it was finished cannot be told"


def test_an_event_that_only_a_dead_letter_names_has_a_story_too(tmp_path):
    tables = {"raw": [], "events": [], "dead_letters": [letter_row(A)]}
    story = story_of(evidence_of(tmp_path, **tables), A.id)
    assert (story.cells["raw"], story.cells["dedupe"]) == ("absent", "unknown")
    assert [hop.told_by for hop in story.hops] == ["dead_letters"]


def test_the_version_that_counts_an_event_most_may_lie_beyond_the_cut(tmp_path):
    times = [1] * MOST + [3]
    rows = [
        aggregate_row([A] * many, computed_at_utc=at(30 + n / 99), sk=f"V#{n:03}")
        for n, many in enumerate(times)
    ]
    evidence = evidence_of(tmp_path, raw=[raw_row(A)], events=[event_row(A)], aggregates=rows)
    effects = effects_of(facts_of(evidence, A.id))
    assert effects["versions that count it"] == len(times)
    assert effects["most counts in one version"] == 3


def test_every_level_from_warning_up_is_a_failure_of_the_request(tmp_path):
    levels = ("INFO", "WARNING", "WARN", "ERROR", "CRITICAL", "FATAL")
    said = [
        {**log_line(f"it is {level}", at(2), "r1"), "level": level} for level in levels
    ]  # fmt: skip
    load = log_line("processor_record_loaded", at(2), "r1", event_id=A.id)
    evidence = evidence_of(
        tmp_path, log_lines=[load, *said], invocations=[invocation_row("r1", at(2))]
    )
    found = facts_of(evidence, A.id)
    assert {row["level"] for row in found.failures} == set(levels) - {"INFO"}
