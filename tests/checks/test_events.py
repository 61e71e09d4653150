"""The EventsTable: what each check objects to, what it lets pass, and when it cannot tell."""

from __future__ import annotations

from datetime import timedelta

import pytest

from investigate.case import Coverage
from investigate.checks import book, offending_rows
from investigate.evidence import Evidence, Scope
from investigate.model import Outcome, Window
from investigate.pipeline import REFERENCE
from investigate.settings import Thresholds
from tests.builders import (
    CAPTURED,
    END,
    START,
    Event,
    at,
    dedupe_row,
    event_row,
    evidence_of,
    finding_of,
    function_row,
    invocation_row,
    log_line,
    raw_row,
    unreadable_row,
)

A, B, C = Event("a", at(1)), Event("b", at(2)), Event("c", at(3), entity_id="e2")
YOUNG = CAPTURED - timedelta(seconds=60)


def found(code: str, evidence: Evidence) -> list[str]:
    """The keys of a finding; a check that could not tell is not an empty list."""
    finding = finding_of(code, evidence)
    assert finding.outcome in (Outcome.FOUND, Outcome.PASSED), finding.reason
    return list(finding.keys)


def outcome(code: str, evidence: Evidence) -> Outcome:
    return finding_of(code, evidence).outcome


def rows(code: str, evidence: Evidence) -> list[dict]:
    return evidence.engine.rows(offending_rows(book[code], evidence).rows)


def rows_only(folder, *rows, **others):
    return evidence_of(folder, events=rows, **others)


def both(folder, objects, rows, **others):
    return evidence_of(folder, raw=objects, events=rows, **others)


@pytest.mark.parametrize("check", book.of(book["events/duplicate"].step), ids=lambda c: c.code)
def test_what_ingest_writes_passes(tmp_path, check):
    known = (A, B, C)
    evidence = evidence_of(
        tmp_path,
        raw=[raw_row(event) for event in known],
        events=[event_row(event) for event in known],
        dedupe=[dedupe_row(event) for event in known],
        log_lines=[
            log_line("event_ingested", e.ingested, e.name, event_id=e.id, status="ACCEPTED")
            for e in known
        ],
    )
    assert found(check.code, evidence) == []


# events/missing-row


def test_an_object_that_no_row_knows_has_no_row(tmp_path):
    evidence = both(tmp_path, [raw_row(A), raw_row(B)], [event_row(A)])
    assert found("events/missing-row", evidence) == [B.id]


def test_a_row_that_names_the_key_knows_the_object(tmp_path):
    other_id = event_row(B, event_id="other")
    assert found("events/missing-row", both(tmp_path, [raw_row(B)], [other_id])) == []


def test_a_row_with_the_id_knows_the_object_under_any_key(tmp_path):
    other_key = event_row(B, s3_key="elsewhere")
    assert found("events/missing-row", both(tmp_path, [raw_row(B)], [other_key])) == []


def test_a_young_object_may_still_get_its_row(tmp_path):
    evidence = both(tmp_path, [raw_row(B, last_modified=YOUNG)], [event_row(A)])
    assert found("events/missing-row", evidence) == []


def test_an_object_that_nobody_could_fetch_does_not_pass(tmp_path):
    evidence = both(tmp_path, [raw_row(A), unreadable_row(B, "denied")], [event_row(A)])
    assert outcome("events/missing-row", evidence) is Outcome.NOT_EVALUATED


def test_no_row_is_missing_from_a_table_that_is_not_whole(tmp_path):
    partial = {"events": Coverage("partial", "stopped after 10 pages")}
    evidence = both(tmp_path, [raw_row(B)], [event_row(A)], coverage=partial)
    assert outcome("events/missing-row", evidence) is Outcome.NOT_EVALUATED


# events/dangling-key: a duplicate on the next day names a key that was never written (D2)


def refused(event: Event, later: timedelta, **changes):
    """The row after the event was sent again: it has overwritten the accepted one (D1)."""
    again = event.but(lag=event.lag + later)
    return event_row(again, status="DUPLICATE", **changes)


def test_a_duplicate_on_another_day_leaves_a_dangling_key(tmp_path):
    evidence = both(
        tmp_path, [raw_row(A), raw_row(B)], [event_row(A), refused(B, timedelta(days=1))]
    )
    evidence.scope = Scope(Window(START, END))
    assert found("events/dangling-key", evidence) == [B.id]
    (row,) = rows("events/dangling-key", evidence)
    assert row["existing_key"] == B.s3_key
    assert row["s3_key"] != B.s3_key
    assert found("raw/missing", evidence) == []


def test_a_row_whose_object_exists_nowhere_is_missing_and_not_dangling(tmp_path):
    evidence = both(tmp_path, [raw_row(A)], [event_row(A), event_row(B)])
    assert found("events/dangling-key", evidence) == []
    assert found("raw/missing", evidence) == [B.id]


def test_a_key_does_not_dangle_in_a_listing_that_is_not_whole(tmp_path):
    evidence = both(
        tmp_path, [raw_row(B)], [event_row(B, s3_key="elsewhere")],
        coverage={"raw": Coverage("partial", "one day was denied")},
    )  # fmt: skip
    assert outcome("events/dangling-key", evidence) is Outcome.NOT_EVALUATED


def test_a_dangling_row_that_is_not_settled_is_left_alone(tmp_path):
    young = event_row(B, s3_key="elsewhere", ingest_time_utc=YOUNG)
    assert found("events/dangling-key", both(tmp_path, [raw_row(B)], [young])) == []


# events/payload-conflict: one idempotency key, two payloads (D5)


def test_a_row_and_an_object_with_different_payloads_conflict(tmp_path):
    conflicting = event_row(B, payload_sha="0" * 64, status="DUPLICATE")
    evidence = both(tmp_path, [raw_row(A), raw_row(B)], [event_row(A), conflicting])
    assert found("events/payload-conflict", evidence) == [B.id]
    (row,) = rows("events/payload-conflict", evidence)
    assert (row["hash_in_row"], row["hash_in_object"]) == ("0" * 64, B.sha)
    assert found("events/duplicate", evidence) == []


def test_a_tampered_payload_is_no_conflict_of_what_was_recorded(tmp_path):
    tampered = raw_row(B, payload_sha_actual="0" * 64)
    assert found("events/payload-conflict", both(tmp_path, [tampered], [event_row(B)])) == []


def test_an_unknown_hash_conflicts_with_nothing(tmp_path):
    evidence = both(tmp_path, [raw_row(B)], [event_row(B, payload_sha=None)])
    assert found("events/payload-conflict", evidence) == []


def test_the_payload_of_an_object_that_nobody_could_fetch_is_unknown(tmp_path):
    evidence = both(tmp_path, [unreadable_row(B, "archived")], [event_row(B)])
    assert outcome("events/payload-conflict", evidence) is Outcome.NOT_EVALUATED


# events/reused-id and events/unreplayable


def test_an_id_on_two_rows_is_reused(tmp_path):
    second = event_row(B, sk="TS#another", event_time="another")
    assert found("events/reused-id", rows_only(tmp_path, event_row(A), event_row(B), second)) == [
        B.id
    ]


def test_only_the_row_that_is_judged_must_be_settled(tmp_path):
    young = event_row(B, sk="TS#another", ingest_time_utc=YOUNG)
    assert found("events/reused-id", rows_only(tmp_path, event_row(B), young)) == [B.id]
    both_young = [event_row(B, ingest_time_utc=YOUNG), young]
    assert found("events/reused-id", rows_only(tmp_path, *both_young)) == []


def test_rows_without_an_id_do_not_reuse_one(tmp_path):
    nameless = [event_row(B, event_id=None, sk=f"TS#{n}") for n in range(2)]
    assert found("events/reused-id", rows_only(tmp_path, *nameless)) == []
    assert found("events/unreplayable", rows_only(tmp_path, *nameless)) == ["TS#0", "TS#1"]


@pytest.mark.parametrize("lacking", ["s3_bucket", "s3_key"])
@pytest.mark.parametrize("nothing", [None, ""])
def test_a_row_without_a_reference_cannot_be_replayed(tmp_path, lacking, nothing):
    evidence = rows_only(tmp_path, event_row(A), event_row(B, **{lacking: nothing}))
    assert found("events/unreplayable", evidence) == [B.id]


def test_a_row_with_an_empty_id_is_named_by_its_sort_key(tmp_path):
    empty = event_row(B, event_id="")
    assert found("events/unreplayable", rows_only(tmp_path, empty)) == [empty["sk"]]


# events/key-mismatch and events/unknown-status


@pytest.mark.parametrize("key", ["pk", "sk", "gsi1pk", "gsi1sk"])
def test_a_key_that_does_not_follow_from_its_row_is_a_mismatch(tmp_path, key):
    wrong = event_row(B, **{key: "wrong"})
    evidence = rows_only(tmp_path, event_row(A), wrong)
    assert found("events/key-mismatch", evidence) == [wrong["sk"]]


@pytest.mark.parametrize("key", ["gsi1pk", "gsi1sk"])
def test_an_absent_index_key_is_no_mismatch(tmp_path, key):
    assert found("events/key-mismatch", rows_only(tmp_path, event_row(B, **{key: None}))) == []


@pytest.mark.parametrize(
    ("part", "key"), [("entity_id", "pk"), ("event_time", "sk"), ("ingest_lag_ms", "gsi1sk")]
)
def test_a_key_whose_parts_are_not_on_the_row_cannot_mismatch(tmp_path, part, key):
    row = event_row(B, **{part: None, key: "anything"})
    assert found("events/key-mismatch", rows_only(tmp_path, row)) == []


def test_the_expected_keys_stand_beside_the_wrong_one(tmp_path):
    (row,) = rows("events/key-mismatch", rows_only(tmp_path, event_row(B, pk="ENTITY#e9")))
    assert (row["pk"], row["expected_pk"]) == ("ENTITY#e9", "ENTITY#e1")
    assert row["expected_gsi1sk"] == row["gsi1sk"]


@pytest.mark.parametrize("status", [None, "", "REJECTED", "accepted"])
def test_a_status_that_ingest_never_writes_is_unknown(tmp_path, status):
    strange = event_row(B, status=status)
    evidence = rows_only(tmp_path, event_row(A), strange, refused(C, timedelta(minutes=1)))
    assert found("events/unknown-status", evidence) == [strange["sk"]]


# events/duplicate and what made it


def made_by(evidence: Evidence) -> dict[str, str]:
    return {row["key"]: row["made_by"] for row in rows("events/duplicate", evidence)}


def sent_again(folder, *events, after: timedelta = timedelta(seconds=30), **others):
    """These events were accepted, and refused when they came again so much later."""
    return evidence_of(
        folder,
        raw=[raw_row(event) for event in events],
        events=[refused(event, after) for event in events],
        dedupe=[dedupe_row(event) for event in events],
        **others,
    )


def test_the_same_event_again_within_minutes_is_a_client_retry(tmp_path):
    evidence = sent_again(tmp_path, A)
    assert found("events/duplicate", evidence) == [A.id]
    (row,) = rows("events/duplicate", evidence)
    assert (row["made_by"], row["gap_seconds"]) == ("client-retry", 30.0)


@pytest.mark.parametrize(
    "changed", ["payload_sha", "event_time", "source", "event_type", "entity_id"]
)
def test_another_event_under_the_same_id_is_no_duplicate(tmp_path, changed):
    evidence = both(
        tmp_path, [raw_row(A)], [refused(A, timedelta(seconds=30), **{changed: "other"})]
    )
    assert found("events/duplicate", evidence) == []


def test_an_event_without_a_source_can_be_a_duplicate_of_itself(tmp_path):
    again = refused(A, timedelta(seconds=30), source=None)
    evidence = both(tmp_path, [raw_row(A, source=None)], [again])
    assert found("events/duplicate", evidence) == [A.id]


def test_a_duplicate_whose_object_is_missing_is_not_an_expected_one(tmp_path):
    evidence = both(tmp_path, [raw_row(B)], [refused(A, timedelta(seconds=30))])
    assert found("events/duplicate", evidence) == []


def test_the_first_arrival_counts_whichever_store_remembers_it(tmp_path):
    hours_later = raw_row(A, ingest_time_utc=A.ingested + timedelta(hours=2))
    row = refused(A, timedelta(hours=2, seconds=5))
    evidence = both(tmp_path, [hours_later], [row], dedupe=[dedupe_row(A)])
    assert made_by(evidence) == {A.id: "late-repeat"}


def ingest(status: str, started=A.ingested - timedelta(seconds=1), request_id="first", **changes):
    ended = started + timedelta(seconds=30)
    return invocation_row(
        request_id, started, function="ingest", status=status, ended_utc=ended, **changes
    )


def told(event: Event, request_id: str, status: str = "ACCEPTED", later: float = 0):
    logged = event.ingested + timedelta(seconds=later)
    return log_line("event_ingested", logged, request_id, event_id=event.id, status=status)


@pytest.mark.parametrize("status", ["timeout", "error", "out-of-memory"])
def test_a_retry_after_a_request_that_failed_is_a_client_timeout_by_the_log(tmp_path, status):
    evidence = sent_again(
        tmp_path,
        A,
        log_lines=[told(A, "first"), told(A, "second", "DUPLICATE", 30)],
        invocations=[ingest(status), ingest("ok", A.ingested + timedelta(seconds=30), "second")],
    )
    assert made_by(evidence) == {A.id: "client-timeout"}


def test_a_second_request_that_failed_does_not_explain_the_first(tmp_path):
    evidence = sent_again(
        tmp_path,
        A,
        log_lines=[told(A, "first"), told(A, "second", "DUPLICATE", 30)],
        invocations=[
            ingest("ok"),
            ingest("timeout", A.ingested + timedelta(seconds=29), "second"),
        ],
        functions=[function_row("ingest")],
    )
    assert made_by(evidence) == {A.id: "client-retry"}


def test_a_request_that_died_without_a_line_is_known_by_its_time(tmp_path):
    """D26: the crash came after the object and before the row, so nothing was logged."""
    evidence = sent_again(
        tmp_path, A, invocations=[ingest("timeout")], functions=[function_row("ingest")]
    )
    assert made_by(evidence) == {A.id: "client-timeout"}


@pytest.mark.parametrize(
    "calls",
    [
        [ingest("timeout"), ingest("ok", request_id="other")],
        [ingest("timeout", A.ingested + timedelta(seconds=1))],
        [ingest("timeout") | {"function": "processor"}],
    ],
    ids=["a request that ended well was running too", "it began later", "another function"],
)
def test_a_failed_request_that_may_have_carried_another_event_explains_nothing(tmp_path, calls):
    evidence = sent_again(
        tmp_path,
        A,
        invocations=calls,
        functions=[function_row("ingest"), function_row("processor")],
    )
    assert made_by(evidence) == {A.id: "client-retry"}


def replayed(count: int, minutes_apart: float, source: str = "web") -> list[Event]:
    return [
        Event(f"{source}{n}", at(2) + timedelta(minutes=n * minutes_apart), source=source)
        for n in range(count)
    ]


HOURS = timedelta(hours=5)


def test_many_late_duplicates_of_one_source_at_once_are_an_upstream_replay(tmp_path):
    evidence = sent_again(tmp_path, *replayed(5, 2.5), after=HOURS)  # 5 within 10 minutes
    assert set(made_by(evidence).values()) == {"upstream-replay"}
    assert len(made_by(evidence)) == 5


def test_few_late_duplicates_are_late_repeats(tmp_path):
    evidence = sent_again(tmp_path, *replayed(4, 1), after=HOURS)
    assert set(made_by(evidence).values()) == {"late-repeat"}


def test_late_duplicates_spread_over_time_are_late_repeats(tmp_path):
    evidence = sent_again(tmp_path, *replayed(5, 2.51), after=HOURS)
    assert set(made_by(evidence).values()) == {"late-repeat"}


def test_late_duplicates_of_different_sources_are_no_one_replay(tmp_path):
    events = replayed(4, 1) + replayed(4, 1, source="app")
    evidence = sent_again(tmp_path, *events, after=HOURS)
    assert set(made_by(evidence).values()) == {"late-repeat"}


def test_a_replay_is_told_from_a_repeat_before_and_after_it(tmp_path):
    events = [*replayed(5, 1), Event("before", at(1)), Event("after", at(4))]
    reasons = made_by(sent_again(tmp_path, *events, after=HOURS))
    others = {event.id for event in events[5:]}
    assert {id for id, reason in reasons.items() if reason == "late-repeat"} == others


def test_client_retries_are_not_counted_among_a_replay(tmp_path):
    late, soon = replayed(4, 1), Event("soon", at(2) + HOURS)
    evidence = evidence_of(
        tmp_path,
        raw=[raw_row(event) for event in [*late, soon]],
        events=[*(refused(event, HOURS) for event in late), refused(soon, timedelta(seconds=1))],
    )
    reasons = made_by(evidence)
    assert reasons.pop(soon.id) == "client-retry"
    assert set(reasons.values()) == {"late-repeat"}


def test_the_size_of_a_replay_can_be_set(tmp_path):
    for size, reason in ((1, "upstream-replay"), (2, "late-repeat")):
        limits = Thresholds(upstream_replay_events=size)
        evidence = sent_again(tmp_path, A, after=HOURS, thresholds=limits)
        assert made_by(evidence) == {A.id: reason}


def test_a_duplicate_that_is_not_settled_is_left_alone(tmp_path):
    evidence = sent_again(tmp_path, A, after=YOUNG - A.ingested)
    assert found("events/duplicate", evidence) == []


# events/semantic-duplicate


def charge(name: str, seconds: float, **changes) -> Event:
    same = {"payload": {"amount": 12}, **changes}
    return Event(name, at(5) + timedelta(seconds=seconds), **same)


def repeats(folder, *rows, **others) -> list[str]:
    return found("events/semantic-duplicate", rows_only(folder, *rows, **others))


def test_the_same_payload_under_another_id_within_seconds_is_a_double_charge(tmp_path):
    first, second = charge("x", 0), charge("x", 10)
    evidence = rows_only(tmp_path, event_row(A), event_row(first), event_row(second))
    assert found("events/semantic-duplicate", evidence) == [second.id]
    (row,) = rows("events/semantic-duplicate", evidence)
    assert row["earlier_event_id"] == first.id


@pytest.mark.parametrize(
    "second",
    [
        charge("x", 10.001),
        charge("x", 5, payload={"amount": 13}),
        charge("x", 5, entity_id="e2"),
        charge("x", 5, event_type="refund"),
        charge("x", 5, source="app"),
    ],
    ids=["later", "another payload", "another entity", "another type", "another source"],
)
def test_what_differs_or_comes_later_is_no_double_charge(tmp_path, second):
    assert repeats(tmp_path, event_row(charge("x", 0)), event_row(second)) == []


def test_of_two_at_one_time_the_greater_id_is_the_later(tmp_path):
    ids = ["1" * 64, "2" * 64]
    pair = [event_row(charge("x", 0), event_id=id, sk=f"TS#{id}") for id in ids]
    assert repeats(tmp_path, *pair) == [ids[1]]


def test_one_id_on_two_rows_is_no_double_charge_of_itself(tmp_path):
    event = charge("x", 0)
    moved = event_row(event, sk="TS#other", event_time_utc=event.when + timedelta(seconds=5))
    assert repeats(tmp_path, event_row(event), moved) == []


def test_a_row_between_two_of_one_id_does_not_hide_the_other_id(tmp_path):
    """first at 0 s, second at 6 s and again at 9 s: both rows are within 10 s of the first."""
    first, second = charge("x", 0), charge("x", 6)
    again = event_row(second, sk="TS#again", event_time_utc=second.when + timedelta(seconds=3))
    late = event_row(second, sk="TS#late", event_time_utc=second.when + timedelta(seconds=5))
    evidence = rows_only(tmp_path, event_row(first), event_row(second), again, late)
    offending = rows("events/semantic-duplicate", evidence)
    assert sorted(row["sk"] for row in offending) == sorted([event_row(second)["sk"], "TS#again"])


def test_each_of_a_series_repeats_the_one_before(tmp_path):
    series = [charge("x", seconds) for seconds in (0, 8, 16)]
    assert repeats(tmp_path, *(event_row(event) for event in series)) == sorted(
        event.id for event in series[1:]
    )


@pytest.mark.parametrize("unknown", ["payload_sha", "event_time_utc", "event_id"])
def test_what_is_unknown_repeats_nothing(tmp_path, unknown):
    pair = [charge("x", 0), charge("x", 5)]
    assert repeats(tmp_path, *(event_row(event, **{unknown: None}) for event in pair)) == []


# what all have in common


def test_rows_are_judged_by_the_status_names_of_the_pipeline():
    assert REFERENCE.statuses == (
        REFERENCE.accepted,
        REFERENCE.duplicate,
    )


FAULTS = {
    "events/payload-conflict": {"payload_sha": "0" * 64},
    "events/unreplayable": {"s3_key": None},
    "events/key-mismatch": {"pk": "ENTITY#e9"},
    "events/unknown-status": {"status": "?"},
}


@pytest.mark.parametrize("code", FAULTS)
def test_a_row_that_was_just_written_is_left_alone(tmp_path, code):
    def judged(**changes):
        row = event_row(B, **FAULTS[code], **changes)
        return found(code, both(tmp_path, [raw_row(B)], [row]))

    assert len(judged()) == 1
    assert judged(ingest_time_utc=YOUNG) == []


def test_a_double_charge_that_was_just_written_is_left_alone(tmp_path):
    """Only the later of the two must be settled; the earlier may be of any age."""
    first, second = event_row(charge("x", 0)), event_row(charge("x", 5))
    young_second = {**second, "ingest_time_utc": YOUNG}
    young_first = {**first, "ingest_time_utc": YOUNG}
    assert repeats(tmp_path, first, young_second) == []
    assert repeats(tmp_path, young_first, second) == [second["event_id"]]


def test_the_scope_keeps_the_rows_of_the_entities_and_the_window(tmp_path):
    three = [event_row(event, status="?") for event in (A, B, C)]
    only_e1 = Scope(Window(START, END), entities=("e1",))
    until_b = Scope(Window(START, at(2)))
    sks = [row["sk"] for row in three]
    assert found("events/unknown-status", rows_only(tmp_path, *three, scope=only_e1)) == sks[:2]
    assert found("events/unknown-status", rows_only(tmp_path, *three, scope=until_b)) == sks[:1]
