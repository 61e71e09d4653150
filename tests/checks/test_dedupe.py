"""The gate of ingest: what each check objects to, what it lets pass, and when it cannot tell."""

from __future__ import annotations

from datetime import timedelta

import pytest

from investigate.case import Coverage
from investigate.evidence import Evidence
from investigate.model import Outcome
from investigate.pipeline import REFERENCE
from investigate.settings import Thresholds
from tests.builders import (
    CAPTURED,
    Event,
    at,
    dedupe_row,
    event_row,
    evidence_of,
    finding_of,
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


# dedupe/orphan: ingest died behind the gate (D3)


def behind_the_gate(folder, *, raw=(), events=(), dedupe=(A, B), **others):
    return evidence_of(
        folder,
        raw=[raw_row(event) for event in raw],
        events=[event_row(event) for event in events],
        dedupe=[dedupe_row(event) for event in dedupe],
        **others,
    )


def test_a_dedupe_row_whose_event_is_stored_nowhere_is_an_orphan(tmp_path):
    evidence = behind_the_gate(tmp_path, raw=[A], events=[A])
    assert found("dedupe/orphan", evidence) == [B.id]


def test_an_object_or_a_row_is_enough_not_to_be_an_orphan(tmp_path):
    assert found("dedupe/orphan", behind_the_gate(tmp_path, raw=[A], events=[B])) == []


def test_an_unreadable_object_is_still_an_object(tmp_path):
    evidence = evidence_of(
        tmp_path, raw=[unreadable_row(B, "denied")], events=[], dedupe=[dedupe_row(B)]
    )
    assert found("dedupe/orphan", evidence) == []


def test_a_young_dedupe_row_may_still_get_its_event(tmp_path):
    evidence = evidence_of(
        tmp_path, raw=[], events=[], dedupe=[dedupe_row(B, first_seen_utc=YOUNG)]
    )
    assert found("dedupe/orphan", evidence) == []


@pytest.mark.parametrize("table", ["raw", "events"])
def test_nothing_is_an_orphan_while_a_store_is_not_whole(tmp_path, table):
    partial = {table: Coverage("partial", "interrupted")}
    evidence = behind_the_gate(tmp_path, raw=[A], coverage=partial)
    assert outcome("dedupe/orphan", evidence) is Outcome.NOT_EVALUATED


# dedupe/missing


def test_an_accepted_event_without_a_dedupe_row_is_missing_one(tmp_path):
    evidence = behind_the_gate(tmp_path, raw=[A, B], events=[A, B], dedupe=[A])
    assert found("dedupe/missing", evidence) == [B.id]


def test_a_row_alone_or_an_object_alone_proves_acceptance(tmp_path):
    evidence = behind_the_gate(tmp_path, raw=[A], events=[B], dedupe=[])
    assert found("dedupe/missing", evidence) == sorted([A.id, B.id])


@pytest.mark.parametrize("changes", [{"status": "DUPLICATE"}, {"s3_key": None}])
def test_a_refused_row_or_one_without_references_proves_nothing(tmp_path, changes):
    evidence = evidence_of(tmp_path, raw=[], events=[event_row(B, **changes)], dedupe=[])
    assert found("dedupe/missing", evidence) == []


def test_an_event_older_than_the_lifetime_has_lost_its_dedupe_row_rightly(tmp_path):
    old, recent = Event("old", at(1)), Event("recent", at(23))
    limits = Thresholds(dedupe_lifetime_days=1)
    evidence = behind_the_gate(tmp_path, raw=[old, recent], dedupe=[], thresholds=limits)
    assert found("dedupe/missing", evidence) == []  # 23 h before the end of the window, and 1 h
    limits = Thresholds(dedupe_lifetime_days=2)
    evidence = behind_the_gate(tmp_path, raw=[old, recent], dedupe=[], thresholds=limits)
    assert found("dedupe/missing", evidence) == sorted([old.id, recent.id])


@pytest.mark.parametrize(("younger_ms", "is_missing"), [(0, False), (1, True)])
def test_an_event_is_young_up_to_the_lifetime_itself(tmp_path, younger_ms, is_missing):
    seconds = timedelta(seconds=2)
    arrived = CAPTURED - timedelta(days=1) + timedelta(milliseconds=younger_ms)
    edge = Event("edge", arrived - seconds, lag=seconds)
    limits = Thresholds(dedupe_lifetime_days=1)
    evidence = behind_the_gate(tmp_path, raw=[edge], dedupe=[], thresholds=limits)
    assert found("dedupe/missing", evidence) == ([edge.id] if is_missing else [])


def test_the_first_arrival_tells_the_age_and_not_the_last(tmp_path):
    """A duplicate overwrites the row's ingest time (D1)."""
    again = event_row(B.but(lag=timedelta(hours=23)), status="DUPLICATE")
    limits = Thresholds(dedupe_lifetime_days=1)
    evidence = evidence_of(tmp_path, raw=[raw_row(B)], events=[again], dedupe=[], thresholds=limits)
    assert found("dedupe/missing", evidence) == []


def test_a_young_event_may_still_be_captured_without_its_dedupe_row(tmp_path):
    young = Event("y", at(1), lag=YOUNG - at(1))
    assert found("dedupe/missing", behind_the_gate(tmp_path, raw=[young], dedupe=[])) == []


def test_no_dedupe_row_is_missing_from_a_table_that_is_not_whole(tmp_path):
    partial = {"dedupe": Coverage("partial", "interrupted")}
    evidence = behind_the_gate(tmp_path, raw=[A], dedupe=[], coverage=partial)
    assert outcome("dedupe/missing", evidence) is Outcome.NOT_EVALUATED


def test_half_of_the_proof_can_find_and_cannot_pass(tmp_path):
    only_rows = evidence_of(tmp_path, events=[event_row(B)], dedupe=[])
    assert found("dedupe/missing", only_rows) == [B.id]
    nothing_found = evidence_of(tmp_path, events=[event_row(B)], dedupe=[dedupe_row(B)])
    assert outcome("dedupe/missing", nothing_found) is Outcome.NOT_EVALUATED
    no_proof = evidence_of(tmp_path, dedupe=[dedupe_row(B)])
    assert outcome("dedupe/missing", no_proof) is Outcome.NOT_EVALUATED


def test_an_event_that_was_let_in_again_has_the_age_of_the_last_time(tmp_path):
    again = B.but(lag=timedelta(hours=23))
    limits = Thresholds(dedupe_lifetime_days=1)
    for stores in ({"raw": [raw_row(B), raw_row(again)], "events": []},
                   {"raw": [raw_row(B)], "events": [event_row(again)]}):  # fmt: skip
        evidence = evidence_of(tmp_path, **stores, dedupe=[], thresholds=limits)
        assert found("dedupe/missing", evidence) == [B.id]


def test_an_accepted_event_of_unknown_age_is_no_pass(tmp_path):
    undated = event_row(B, ingest_time=None, ingest_time_utc=None)
    finding = finding_of(
        "dedupe/missing", evidence_of(tmp_path, raw=[], events=[undated], dedupe=[])
    )
    assert finding.outcome is Outcome.NOT_EVALUATED
    assert "when 1 accepted event came is unknown" in finding.reason


# dedupe/reaccepted: the dedupe row had gone in between (D4)


def accepted(event: Event, request_id: str, status: str = "ACCEPTED"):
    return log_line("event_ingested", at(1), request_id, event_id=event.id, status=status)


def test_an_event_stored_at_two_ingest_times_was_accepted_twice(tmp_path):
    again = A.but(lag=timedelta(days=1))
    evidence = evidence_of(tmp_path, raw=[raw_row(A), raw_row(again), raw_row(B)])
    assert found("dedupe/reaccepted", evidence) == [A.id]
    assert found("raw/duplicate-objects", evidence) == [A.id]


def test_a_copy_of_an_object_was_not_accepted_again(tmp_path):
    evidence = evidence_of(tmp_path, raw=[raw_row(A), raw_row(A, s3_key="copy")])
    assert found("dedupe/reaccepted", evidence) == []


def test_an_object_with_a_broken_body_proves_no_second_acceptance(tmp_path):
    broken = unreadable_row(A, "bad-time", s3_key="broken", ingest_time="noon", event_id=A.id)
    assert found("dedupe/reaccepted", evidence_of(tmp_path, raw=[raw_row(A), broken])) == []


def test_the_log_tells_of_a_second_acceptance_that_left_no_second_object(tmp_path):
    lines = [
        accepted(A, "r1"),
        accepted(A, "r2"),
        accepted(B, "r3"),
        accepted(B, "r4", "DUPLICATE"),
    ]
    evidence = evidence_of(tmp_path, raw=[raw_row(A), raw_row(B)], log_lines=lines)
    assert found("dedupe/reaccepted", evidence) == [A.id]


def test_an_acceptance_that_left_no_object_at_all_is_found_by_the_log(tmp_path):
    lines = [accepted(A, "r1"), accepted(A, "r2")]
    evidence = evidence_of(tmp_path, raw=[raw_row(B)], log_lines=lines)
    assert found("dedupe/reaccepted", evidence) == [A.id]


def test_two_objects_are_proof_enough_where_the_log_tells_of_one_acceptance(tmp_path):
    again = A.but(lag=timedelta(days=1))
    raw = [raw_row(A), raw_row(again)]
    evidence = evidence_of(tmp_path, raw=raw, log_lines=[accepted(A, "r1")])
    assert found("dedupe/reaccepted", evidence) == [A.id]


def test_acceptances_of_unknown_events_are_those_of_no_event(tmp_path):
    lines = [{**accepted(A, request), "event_id": None} for request in ("r1", "r2")]
    evidence = evidence_of(tmp_path, raw=[raw_row(A)], log_lines=lines)
    assert found("dedupe/reaccepted", evidence) == []


def test_one_request_that_logs_twice_accepted_once(tmp_path):
    lines = [accepted(A, "r1"), accepted(A, "r1")]
    evidence = evidence_of(tmp_path, raw=[raw_row(A)], log_lines=lines)
    assert found("dedupe/reaccepted", evidence) == []


def test_an_object_that_nobody_could_fetch_may_be_a_second_acceptance(tmp_path):
    evidence = evidence_of(tmp_path, raw=[raw_row(A), unreadable_row(B, "archived")])
    assert outcome("dedupe/reaccepted", evidence) is Outcome.NOT_EVALUATED


# dedupe/collision-risk: delimiters are not escaped (D25)


def everywhere(folder, *events):
    return behind_the_gate(folder, raw=events, events=events, dedupe=events)


@pytest.mark.parametrize("mark", REFERENCE.delimiters)
@pytest.mark.parametrize("field", ["source", "event_type", "entity_id"])
def test_a_delimiter_in_a_field_is_a_risk(tmp_path, field, mark):
    risky = Event("r", at(1), **{field: f"a{mark}b"})
    assert found("dedupe/collision-risk", everywhere(tmp_path, A, risky)) == [risky.id]


def test_two_distinct_events_can_get_one_id():
    one = Event("x", at(1), source="a|b", event_type="c")
    other = Event("x", at(1), source="a", event_type="b|c")
    assert one.id == other.id


def test_other_signs_and_absent_fields_are_no_risk(tmp_path):
    plain = Event("p", at(1), source="a-b_c.d:e f", event_type="x+y", entity_id="é")
    evidence = evidence_of(
        tmp_path,
        raw=[raw_row(plain)],
        events=[event_row(plain, source=None)],
        dedupe=[dedupe_row(plain, entity_id=None)],
    )
    assert found("dedupe/collision-risk", evidence) == []


def test_what_has_no_id_cannot_share_one(tmp_path):
    nameless = event_row(Event("r", at(1), source="a|b"), event_id=None)
    evidence = evidence_of(tmp_path, raw=[], events=[nameless], dedupe=[])
    assert found("dedupe/collision-risk", evidence) == []


@pytest.mark.parametrize("table", ["raw", "events", "dedupe"])
def test_any_one_store_can_show_a_risk(tmp_path, table):
    risky = Event("r", at(1), source="a|b")
    row = {"raw": raw_row, "events": event_row, "dedupe": dedupe_row}[table]
    assert found("dedupe/collision-risk", evidence_of(tmp_path, **{table: [row(risky)]})) == [
        risky.id
    ]


def test_the_key_of_an_unreadable_object_shows_the_risk_too(tmp_path):
    risky = Event("r", at(1), source="a=b")
    evidence = evidence_of(tmp_path, raw=[unreadable_row(risky)])
    assert found("dedupe/collision-risk", evidence) == [risky.id]


def test_without_every_store_no_risk_found_is_no_pass(tmp_path):
    evidence = evidence_of(tmp_path, raw=[raw_row(A)], events=[event_row(A)])
    assert outcome("dedupe/collision-risk", evidence) is Outcome.NOT_EVALUATED


# dedupe/expired-block: expired, but DynamoDB had not deleted it yet (D4)


EXPIRY = at(20)


def blocked(folder, ttl_offset: int, *, ingested=EXPIRY, status="DUPLICATE"):
    ttl = int(EXPIRY.timestamp()) + ttl_offset
    row = event_row(A, status=status, ingest_time_utc=ingested)
    gates = [dedupe_row(A, ttl_epoch=ttl), dedupe_row(B)]
    return evidence_of(folder, events=[row, event_row(B)], dedupe=gates)


def test_a_refusal_after_the_expiry_is_an_expired_block(tmp_path):
    assert found("dedupe/expired-block", blocked(tmp_path, -1)) == [A.id]


def test_a_refusal_at_the_moment_of_expiry_is_right(tmp_path):
    assert found("dedupe/expired-block", blocked(tmp_path, 0)) == []
    just_after = blocked(tmp_path, 0, ingested=EXPIRY + timedelta(milliseconds=1))
    assert found("dedupe/expired-block", just_after) == [A.id]


def test_a_row_that_was_accepted_was_not_blocked(tmp_path):
    assert found("dedupe/expired-block", blocked(tmp_path, -1, status="ACCEPTED")) == []


def test_an_expiry_far_beyond_all_times_never_comes(tmp_path):
    row = event_row(A, status="DUPLICATE")
    evidence = evidence_of(tmp_path, events=[row], dedupe=[dedupe_row(A, ttl_epoch=2**62)])
    assert found("dedupe/expired-block", evidence) == []


def test_a_dedupe_row_without_expiry_never_expires(tmp_path):
    row = event_row(A, status="DUPLICATE")
    evidence = evidence_of(tmp_path, events=[row], dedupe=[dedupe_row(A, ttl_epoch=None)])
    assert found("dedupe/expired-block", evidence) == []


def test_a_refusal_that_is_not_settled_is_left_alone(tmp_path):
    assert found("dedupe/expired-block", blocked(tmp_path, -1, ingested=YOUNG)) == []
