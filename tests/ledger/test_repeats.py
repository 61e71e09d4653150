"""What each repeated event is, and what made it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from investigate.errors import NotEvaluable
from investigate.ledger.repeats import repeats
from tests.builders import CAPTURED, Event, at, dedupe_row, event_row, evidence_of, raw_row

A, B = Event("a"), Event("b", at(7))
SOON = timedelta(seconds=30)


def again(event, after=SOON, **changes):
    """The row that a refused attempt leaves: it has overwritten the accepted one."""
    row = {"ingest_time_utc": event.ingested + after, "status": "DUPLICATE", **changes}
    return event_row(event, **row)


def told(tmp_path, **tables):
    evidence = evidence_of(tmp_path, **tables)
    return {
        row["event_id"]: (row["kind"], row["made_by"], row["refused"])
        for row in evidence.engine.rows(repeats(evidence))
    }


def stores(*events, **others):
    return {
        "raw": [raw_row(event) for event in events],
        "dedupe": [dedupe_row(event) for event in events],
        **others,
    }


def test_the_same_event_again_is_benign(tmp_path):
    rows = [again(A), event_row(B)]
    assert told(tmp_path, **stores(A, B, events=rows)) == {A.id: ("benign", "client-retry", 1)}


def test_a_repeat_sooner_than_any_answer_is_a_double_send(tmp_path):
    quick = again(A, timedelta(milliseconds=300))
    assert told(tmp_path, **stores(A, events=[quick])) == {A.id: ("benign", "double-send", 1)}


def test_a_refusal_that_is_not_settled_is_no_repeat_yet(tmp_path):
    young = again(A, CAPTURED - timedelta(seconds=60) - A.ingested)
    assert told(tmp_path, **stores(A, events=[young])) == {}


def test_a_refusal_of_an_unknown_event_is_the_repeat_of_none(tmp_path):
    nameless = again(A, event_id=None)
    assert told(tmp_path, **stores(A, events=[nameless])) == {}


def test_a_refused_event_without_an_object_hides_a_loss(tmp_path):
    tables = {"raw": [raw_row(B)], "dedupe": [dedupe_row(A), dedupe_row(B)]}
    found = told(tmp_path, **tables, events=[again(A), event_row(B)])
    assert found == {A.id: ("hiding-loss", "client-retry", 1)}


def test_other_data_under_the_same_id_is_a_conflict(tmp_path):
    rows = [again(A, payload_sha="e" * 64)]
    assert told(tmp_path, **stores(A, events=rows)) == {
        A.id: ("payload-conflict", "client-retry", 1)
    }


@pytest.mark.parametrize("other", [{"entity_id": "e2"}, {"source": "till"}])
def test_another_event_under_the_same_id_is_a_collision(tmp_path, other):
    found = told(tmp_path, **stores(A, events=[again(A, **other)]))
    assert found == {A.id: ("id-collision", "client-retry", 1)}


def test_an_id_on_two_rows_is_a_collision(tmp_path):
    later = event_row(
        A, sk="TS#2026-03-10T09:00:00Z#EID#" + A.id, status="DUPLICATE", event_time_utc=at(9),
        ingest_time_utc=at(9),
    )  # fmt: skip
    found = told(tmp_path, **stores(A, events=[event_row(A), later]))
    assert found == {A.id: ("id-collision", "late-repeat", 1)}


def test_a_refusal_by_an_expired_row_is_the_gates_fault(tmp_path):
    gate = dedupe_row(A, ttl_epoch=int(A.ingested.timestamp()) + 10)
    found = told(tmp_path, raw=[raw_row(A)], dedupe=[gate], events=[again(A)])
    assert found == {A.id: ("expired-gate", "client-retry", 1)}


def test_what_was_let_in_twice_is_a_repeat_that_nobody_refused(tmp_path):
    second = A.but(lag=timedelta(hours=20))
    raw = [raw_row(A), raw_row(second, s3_key=second.s3_key + "2")]
    found = told(tmp_path, raw=raw, dedupe=[dedupe_row(A)], events=[event_row(A)])
    assert found == {A.id: ("re-accepted", "not-told", 0)}


def test_the_same_content_under_another_id_is_a_semantic_double(tmp_path):
    first = Event("x", payload={"amount": 5})
    second = Event("x", first.when + timedelta(seconds=3), payload={"amount": 5})
    rows = [event_row(first), event_row(second)]
    found = told(tmp_path, **stores(first, second, events=rows))
    assert found == {second.id: ("semantic", "semantic-double", 0)}


def test_a_lost_object_that_nobody_sent_again_is_no_repeat(tmp_path):
    assert told(tmp_path, raw=[raw_row(B)], events=[event_row(A), event_row(B)]) == {}


def test_without_raw_a_refusal_is_unknown_and_not_benign(tmp_path):
    found = told(tmp_path, events=[again(A)], dedupe=[dedupe_row(A)])
    assert found == {A.id: ("unknown", "client-retry", 1)}


def test_without_the_index_nothing_tells_of_refusals(tmp_path):
    evidence = evidence_of(tmp_path, raw=[raw_row(A)])
    with pytest.raises(NotEvaluable, match="events: skipped"):
        repeats(evidence)
