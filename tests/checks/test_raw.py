"""The raw objects: what each check objects to, what it lets pass, and when it cannot tell."""

from __future__ import annotations

from datetime import timedelta

import pytest

from investigate import numbers
from investigate.case import Coverage
from investigate.checks import book, offending_rows
from investigate.evidence import Evidence, Scope
from investigate.model import Outcome, Window
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
    raw_row,
    unreadable_row,
)

A, B, C = Event("a", at(1)), Event("b", at(2)), Event("c", at(3), entity_id="e2")
YOUNG = CAPTURED - timedelta(seconds=60)
PARTIAL = {"raw": Coverage("partial", "two partitions were denied")}


def found(code: str, evidence: Evidence) -> list[str]:
    """The keys of a finding; a check that could not tell is not an empty list."""
    finding = finding_of(code, evidence)
    assert finding.outcome in (Outcome.FOUND, Outcome.PASSED), finding.reason
    return list(finding.keys)


def outcome(code: str, evidence: Evidence) -> Outcome:
    return finding_of(code, evidence).outcome


def rows(code: str, evidence: Evidence) -> list[dict]:
    return evidence.engine.rows(offending_rows(book[code], evidence).rows)


# raw/missing and raw/expired


def stored(folder, *events, rows=(A, B, C), **others):
    return evidence_of(
        folder,
        raw=[raw_row(event) for event in events],
        events=[event_row(event) for event in rows],
        **others,
    )


def test_rows_whose_objects_are_there_miss_nothing(tmp_path):
    assert found("raw/missing", stored(tmp_path, A, B, C)) == []


def test_a_row_whose_object_exists_under_no_key_is_missing(tmp_path):
    assert found("raw/missing", stored(tmp_path, A, C)) == [B.id]


def test_an_object_under_another_key_is_not_missing(tmp_path):
    elsewhere = raw_row(B, s3_key="somewhere/else.json", key_event_id=None)
    evidence = evidence_of(tmp_path, raw=[elsewhere], events=[event_row(B)])
    assert found("raw/missing", evidence) == []


@pytest.mark.parametrize("error", ["not-json", "denied"])
def test_an_object_that_cannot_be_read_is_not_missing(tmp_path, error):
    evidence = evidence_of(tmp_path, raw=[unreadable_row(B, error)], events=[event_row(B)])
    assert found("raw/missing", evidence) == []


@pytest.mark.parametrize("lacking", [{"event_id": None}, {"s3_key": ""}, {"s3_bucket": None}])
def test_a_row_without_references_points_at_no_object(tmp_path, lacking):
    evidence = evidence_of(tmp_path, raw=[], events=[event_row(B, **lacking)])
    assert found("raw/missing", evidence) == []


def test_a_row_that_is_not_settled_is_left_alone(tmp_path):
    evidence = evidence_of(tmp_path, raw=[], events=[event_row(B, ingest_time_utc=YOUNG)])
    assert found("raw/missing", evidence) == []


def test_a_row_of_unknown_age_counts_as_settled_and_as_not_expired(tmp_path):
    evidence = evidence_of(tmp_path, raw=[], events=[event_row(B, ingest_time_utc=None)])
    assert found("raw/missing", evidence) == [B.id]
    assert found("raw/expired", evidence) == []


def test_a_row_older_than_the_lifecycle_rule_is_expired_and_not_missing(tmp_path):
    limits = Thresholds(raw_lifetime_days=1)  # B was ingested 46 hours before the capture
    recent = Event("r", at(25))  # and this one 23 hours before it
    evidence = stored(tmp_path, rows=(B, recent), thresholds=limits)
    every = Window(START, CAPTURED)
    evidence.scope = Scope(every)
    assert found("raw/expired", evidence) == [B.id]
    assert found("raw/missing", evidence) == [recent.id]


@pytest.mark.parametrize("code", ["raw/missing", "raw/expired", "raw/gap"])
def test_nothing_is_missing_from_a_listing_that_is_not_whole(tmp_path, code):
    assert outcome(code, stored(tmp_path, A, coverage=PARTIAL)) is Outcome.NOT_EVALUATED


def test_the_scope_is_applied_to_the_row_that_points(tmp_path):
    late_in_the_day = Scope(Window(at(1.5), END))
    assert found("raw/missing", stored(tmp_path, scope=late_in_the_day)) == sorted([B.id, C.id])
    only_e2 = Scope(Window(START, END), entities=("e2",))
    assert found("raw/missing", stored(tmp_path, scope=only_e2)) == [C.id]


# raw/corrupt


def test_readable_objects_are_not_corrupt(tmp_path):
    assert found("raw/corrupt", stored(tmp_path, A, B)) == []


@pytest.mark.parametrize(
    "error",
    ["not-utf8", "not-json: line 1", "not-an-object", "missing-fields: payload", "bad-time"],
)
def test_an_object_without_the_right_content_is_corrupt(tmp_path, error):
    evidence = evidence_of(tmp_path, raw=[raw_row(A), unreadable_row(B, error)])
    assert found("raw/corrupt", evidence) == [B.s3_key]


@pytest.mark.parametrize("error", ["denied", "archived", "failed: timeout", None])
def test_an_object_that_nobody_could_fetch_is_neither_corrupt_nor_whole(tmp_path, error):
    evidence = evidence_of(tmp_path, raw=[raw_row(A), unreadable_row(B, error)])
    finding = finding_of("raw/corrupt", evidence)
    assert finding.outcome is Outcome.NOT_EVALUATED
    assert "1 objects could not be fetched" in finding.reason


@pytest.mark.parametrize("error", ["gone", "deleted"])
def test_what_was_deleted_is_no_object_and_its_event_has_none(tmp_path, error):
    raw = [raw_row(A), unreadable_row(B, error)]
    evidence = evidence_of(tmp_path, raw=raw, events=[event_row(A), event_row(B)])
    assert found("raw/corrupt", evidence) == []
    assert found("raw/missing", evidence) == [B.id]


def deleted_version(event: Event, hours: float, version: str, **changes: object) -> dict:
    return unreadable_row(event, "deleted", last_modified=at(hours), version_id=version, **changes)


def test_what_the_bucket_keeps_of_a_deleted_object_is_told_beside_its_missing_event(tmp_path):
    """B has two versions and a delete marker, C has nothing at all."""
    raw = [
        raw_row(A),
        deleted_version(B, 7, "old"),
        deleted_version(B, 8, "new"),
        deleted_version(B, 9, "zz-marker", etag=None, size=0),
    ]
    evidence = evidence_of(tmp_path, raw=raw, events=[event_row(e) for e in (A, B, C)])
    told = {
        row["key"]: (row["deleted_versions"], row["version_id"], row["deleted_utc"])
        for row in rows("raw/missing", evidence)
    }
    when = at(9).replace(tzinfo=None)
    assert told == {B.id: (2, "new", when), C.id: (None, None, None)}
    assert "can be restored" in finding_of("raw/missing", evidence).advice


def test_a_part_without_deletions_does_not_speak_for_the_whole_case(tmp_path):
    raw = [raw_row(A), deleted_version(B, 8, "new"), deleted_version(B, 9, "zz-marker", etag=None)]
    evidence = evidence_of(tmp_path, raw=raw, events=[event_row(A), event_row(B)])
    kept = evidence["raw"]
    part = evidence.cut({"raw": kept.filter(kept.error.isnull())})
    for asked in (part, evidence):  # the part asks first
        rows = offending_rows(book["raw/missing"], asked).rows
        assert "deleted_versions" in rows.columns


def test_where_nothing_was_deleted_no_version_is_looked_for(tmp_path):
    evidence = evidence_of(tmp_path, raw=[raw_row(A)], events=[event_row(A), event_row(B)])
    (row,) = rows("raw/missing", evidence)
    assert "deleted_versions" not in row


def test_a_corrupt_object_is_found_even_if_another_could_not_be_fetched(tmp_path):
    evidence = evidence_of(tmp_path, raw=[unreadable_row(A), unreadable_row(B, "denied")])
    finding = finding_of("raw/corrupt", evidence)
    assert list(finding.keys) == [A.s3_key]
    assert "could not be fetched" in finding.reason


def test_a_young_corrupt_object_may_still_be_written(tmp_path):
    evidence = evidence_of(tmp_path, raw=[unreadable_row(A, last_modified=YOUNG)])
    assert found("raw/corrupt", evidence) == []


def test_a_corrupt_object_is_in_scope_by_the_date_in_its_key(tmp_path):
    next_day = Event("n", at(30))
    no_layout = unreadable_row(
        C, s3_key="x", key_event_date=None, key_event_id=None, key_ingest_date="no date"
    )
    evidence = evidence_of(tmp_path, raw=[unreadable_row(A), unreadable_row(next_day), no_layout])
    assert found("raw/corrupt", evidence) == sorted([A.s3_key, "x"])


# the content of readable objects

CONTENT_CHECKS = [
    "raw/payload-mismatch", "raw/id-mismatch", "raw/misplaced", "raw/late", "raw/clock-skew",
    "raw/gap",
]  # fmt: skip


@pytest.mark.parametrize("code", CONTENT_CHECKS)
def test_content_that_nobody_could_fetch_does_not_pass(tmp_path, code):
    evidence = evidence_of(tmp_path, raw=[raw_row(A), unreadable_row(B, "denied")])
    assert outcome(code, evidence) is Outcome.NOT_EVALUATED


@pytest.mark.parametrize("code", CONTENT_CHECKS)
def test_a_corrupt_object_is_one_finding_and_not_seven(tmp_path, code):
    evidence = evidence_of(tmp_path, raw=[raw_row(A), unreadable_row(B, "not-json")])
    assert found(code, evidence) == []


@pytest.mark.parametrize("code", ["raw/payload-mismatch", "raw/id-mismatch", "raw/misplaced"])
def test_objects_as_ingest_wrote_them_pass(tmp_path, code):
    assert found(code, stored(tmp_path, A, B, C)) == []


def test_a_changed_payload_is_a_payload_mismatch_and_no_id_mismatch(tmp_path):
    evidence = evidence_of(tmp_path, raw=[raw_row(A), raw_row(B, payload_sha_actual="0" * 64)])
    assert found("raw/payload-mismatch", evidence) == [B.id]
    assert found("raw/id-mismatch", evidence) == []
    (row,) = rows("raw/payload-mismatch", evidence)
    assert (row["recorded"], row["actual"]) == (B.sha, "0" * 64)


@pytest.mark.parametrize("at_odds", ["key_event_id", "event_id", "event_id_actual"])
def test_any_two_ids_of_an_object_at_odds_are_an_id_mismatch(tmp_path, at_odds):
    evidence = evidence_of(tmp_path, raw=[raw_row(A), raw_row(B, **{at_odds: "other"})])
    key = "other" if at_odds == "key_event_id" else B.id
    assert found("raw/id-mismatch", evidence) == [key]


def test_two_ids_are_compared_where_the_third_is_not_known(tmp_path):
    no_body = raw_row(A, event_id=None, event_id_actual="other")
    no_recipe = raw_row(B, event_id="other", event_id_actual=None)
    evidence = evidence_of(tmp_path, raw=[no_body, no_recipe, raw_row(C, event_id_actual=None)])
    assert found("raw/id-mismatch", evidence) == sorted([A.id, B.id])


def test_a_key_without_an_id_leaves_two_ids_to_compare(tmp_path):
    plain = raw_row(A, key_event_id=None)
    edited = raw_row(B, key_event_id=None, event_id_actual="other")
    assert found("raw/id-mismatch", evidence_of(tmp_path, raw=[plain, edited])) == [B.id]


@pytest.mark.parametrize(
    "changes",
    [
        {"key_source": "other"},
        {"key_event_type": "other"},
        {"key_event_date": "2026-03-11"},
        {"key_ingest_date": "2026-03-11"},
        {"key_hour": "03"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_an_object_in_the_wrong_partition_is_misplaced(tmp_path, changes):
    evidence = evidence_of(tmp_path, raw=[raw_row(A), raw_row(B, **changes)])
    assert found("raw/misplaced", evidence) == [B.s3_key]


def test_an_object_without_the_layout_is_misplaced_even_if_unreadable(tmp_path):
    parts = ("event_id", "source", "event_type", "event_date", "ingest_date", "hour")
    nowhere = {f"key_{part}": None for part in parts}
    evidence = evidence_of(tmp_path, raw=[raw_row(A), unreadable_row(B, s3_key="b", **nowhere)])
    assert found("raw/misplaced", evidence) == ["b"]


FAULTS = {
    "raw/payload-mismatch": {"payload_sha_actual": "0" * 64},
    "raw/id-mismatch": {"event_id_actual": "other"},
    "raw/misplaced": {"key_hour": "03"},
}


@pytest.mark.parametrize("code", FAULTS)
def test_an_object_that_was_just_written_is_left_alone(tmp_path, code):
    settled = evidence_of(tmp_path, raw=[raw_row(B, **FAULTS[code])])
    assert len(found(code, settled)) == 1
    young = evidence_of(tmp_path, raw=[raw_row(B, **FAULTS[code], last_modified=YOUNG)])
    assert found(code, young) == []


# raw/overwritten and raw/duplicate-objects


def test_an_object_written_within_its_request_is_not_overwritten(tmp_path):
    slow = raw_row(A, last_modified=A.ingested + timedelta(seconds=60))
    assert found("raw/overwritten", evidence_of(tmp_path, raw=[slow])) == []


def test_an_object_written_after_its_ingest_time_is_overwritten(tmp_path):
    again = raw_row(B, last_modified=B.ingested + timedelta(seconds=61))
    assert found("raw/overwritten", evidence_of(tmp_path, raw=[raw_row(A), again])) == [B.id]


def test_a_key_with_two_versions_is_overwritten(tmp_path):
    versions = [raw_row(B, version_id="v1"), raw_row(B, version_id="v2")]
    evidence = evidence_of(tmp_path, raw=[raw_row(A, version_id="v0"), *versions])
    assert found("raw/overwritten", evidence) == [B.id]
    assert found("raw/duplicate-objects", evidence) == []


def test_the_gate_remembers_when_an_unreadable_object_was_first_written(tmp_path):
    broken = unreadable_row(B, last_modified=B.ingested + timedelta(hours=1))
    with_gate = evidence_of(tmp_path, raw=[broken], dedupe=[dedupe_row(B)])
    assert found("raw/overwritten", with_gate) == [B.id]


def test_without_the_gate_nobody_knows_when_an_unreadable_object_was_first_written(tmp_path):
    finding = finding_of("raw/overwritten", evidence_of(tmp_path, raw=[unreadable_row(B)]))
    assert finding.outcome is Outcome.NOT_EVALUATED
    assert "the first ingest of 1 objects is not known" in finding.reason


def test_what_is_proven_otherwise_leaves_no_doubt(tmp_path):
    twice = [unreadable_row(B, version_id="v1"), unreadable_row(B, version_id="v2")]
    versions = finding_of("raw/overwritten", evidence_of(tmp_path, raw=[raw_row(A), *twice]))
    assert (versions.keys, versions.reason) == ((B.id,), None)
    row = event_row(B, status="DUPLICATE", ingest_time_utc=B.ingested + timedelta(hours=1))
    broken = unreadable_row(B, last_modified=B.ingested + timedelta(hours=3))
    after = finding_of("raw/overwritten", evidence_of(tmp_path, raw=[broken], events=[row]))
    assert (after.keys, after.reason) == ((B.id,), None)


def test_an_accepted_row_remembers_it_too(tmp_path):
    broken = unreadable_row(B, last_modified=B.ingested + timedelta(hours=1))
    evidence = evidence_of(tmp_path, raw=[broken, raw_row(A)], events=[event_row(A), event_row(B)])
    finding = finding_of("raw/overwritten", evidence)
    assert (finding.keys, finding.reason) == ((B.id,), None)


def test_a_duplicates_row_proves_only_what_was_written_after_it(tmp_path):
    again = B.but(lag=timedelta(hours=2))
    row = event_row(B, status="DUPLICATE", ingest_time_utc=again.ingested)
    for hours, proven in ((3, True), (1, False)):
        broken = unreadable_row(B, last_modified=B.ingested + timedelta(hours=hours))
        finding = finding_of("raw/overwritten", evidence_of(tmp_path, raw=[broken], events=[row]))
        assert finding.outcome is (Outcome.FOUND if proven else Outcome.NOT_EVALUATED)


def test_an_overwriting_that_is_not_settled_is_left_alone(tmp_path):
    evidence = evidence_of(tmp_path, raw=[raw_row(B, last_modified=YOUNG)])
    assert found("raw/overwritten", evidence) == []


def test_one_event_under_two_keys_is_a_duplicate_object(tmp_path):
    copy = raw_row(B, s3_key="raw/copy.json")
    evidence = evidence_of(tmp_path, raw=[raw_row(A), raw_row(B), copy])
    assert found("raw/duplicate-objects", evidence) == [B.id]
    (row,) = rows("raw/duplicate-objects", evidence)
    assert [row["first_key"], row["last_key"]] == sorted(["raw/copy.json", B.s3_key])


def test_the_first_of_two_objects_decides_whether_they_are_settled(tmp_path):
    young = raw_row(B, s3_key="raw/copy.json", last_modified=YOUNG)
    old_and_young = evidence_of(tmp_path, raw=[raw_row(B), young])
    assert found("raw/duplicate-objects", old_and_young) == [B.id]
    both_young = evidence_of(tmp_path, raw=[raw_row(B, last_modified=YOUNG), young])
    assert found("raw/duplicate-objects", both_young) == []


def test_objects_without_any_id_are_not_one_event(tmp_path):
    strange = [unreadable_row(B, s3_key=key, key_event_id=None) for key in ("x", "y")]
    assert found("raw/duplicate-objects", evidence_of(tmp_path, raw=strange)) == []
    assert outcome("raw/overwritten", evidence_of(tmp_path, raw=strange)) is Outcome.NOT_EVALUATED


# raw/gap


def every_ten_minutes(*, until: float, source: str = "web", without: range = range(0)):
    """A source that speaks every ten minutes from the start of the window."""
    times = [number for number in range(int(until * 6) + 1) if number not in without]
    return [Event(f"{source}{number}", at(number / 6), source=source) for number in times]


def silences(folder, events, **others):
    return found("raw/gap", evidence_of(folder, raw=[raw_row(e) for e in events], **others))


def test_a_source_that_keeps_its_rhythm_to_the_end_has_no_gap(tmp_path):
    assert silences(tmp_path, every_ten_minutes(until=23.9)) == []


def test_a_silence_in_a_regular_source_is_a_gap(tmp_path):
    events = every_ten_minutes(until=23.9, without=range(37, 44))  # 06:10 to 07:10: 80 min
    assert silences(tmp_path, events) == ["web order 2026-03-10T06:00:00Z 2026-03-10T07:20:00Z"]


def test_six_times_the_usual_is_not_yet_too_long(tmp_path):
    events = every_ten_minutes(until=23.9, without=range(37, 42))  # exactly 60 minutes
    assert silences(tmp_path, events) == []


def test_a_source_that_fell_silent_is_a_gap_up_to_the_end_of_the_window(tmp_path):
    events = every_ten_minutes(until=20)
    assert silences(tmp_path, events) == ["web order 2026-03-10T20:00:00Z 2026-03-11T00:00:00Z"]


def test_the_tail_ends_where_evidence_is_settled(tmp_path):
    scope = Scope(Window(START, CAPTURED + timedelta(days=5)))
    (key,) = silences(tmp_path, every_ten_minutes(until=20), scope=scope)
    assert key == "web order 2026-03-10T20:00:00Z 2026-03-11T23:55:00Z"


def test_a_source_with_too_few_events_has_no_rhythm_to_break(tmp_path):
    assert silences(tmp_path, every_ten_minutes(until=3)) == []  # 19 events, then silence


def test_an_irregular_source_has_no_rhythm_to_break(tmp_path):
    bursts = [Event(f"b{n}-{m}", at(n + m / 3600)) for n in range(10) for m in range(3)]
    assert silences(tmp_path, bursts) == []


def test_a_few_long_pauses_of_a_source_are_part_of_its_rhythm(tmp_path):
    """Three of 27 gaps last an hour, so an hour is the 90th percentile and two are no gap."""
    events = every_ten_minutes(until=4)
    events += [Event(f"p{n}", at(4 + n)) for n in (1, 2, 3, 5)]
    until_then = Scope(Window(START, at(9.5)))
    assert silences(tmp_path, events, scope=until_then) == []
    assert len(silences(tmp_path, events[:-1], scope=until_then)) == 0
    assert len(silences(tmp_path, events[:-4], scope=until_then)) == 1


def test_one_long_pause_does_not_make_the_rhythm(tmp_path):
    events = [*every_ten_minutes(until=3.5), Event("p", at(6))]  # 22 gaps, of which one is long
    scope = Scope(Window(START, at(6.5)))
    assert silences(tmp_path, events, scope=scope) == [
        "web order 2026-03-10T03:30:00Z 2026-03-10T06:00:00Z"
    ]


def test_a_silence_that_has_not_ended_says_nothing_about_the_rhythm(tmp_path):
    """Two of 20 gaps are long; with the last one counted the source would be irregular."""
    events = every_ten_minutes(until=3)
    events += [Event(f"p{n}", at(3 + n * 2)) for n in (1, 2)]
    assert silences(tmp_path, events) == ["web order 2026-03-10T07:00:00Z 2026-03-11T00:00:00Z"]


def test_a_short_silence_is_no_gap_however_fast_the_source(tmp_path):
    seconds = [n for n in range(400) if not 100 < n < 200]
    events = [Event(f"f{n}", START + timedelta(seconds=n)) for n in seconds]
    until_then = Scope(Window(START, START + timedelta(seconds=400)))
    assert silences(tmp_path, events, scope=until_then) == []


def test_each_source_and_type_has_its_own_rhythm(tmp_path):
    calm, silent = every_ten_minutes(until=23.9), every_ten_minutes(until=20, source="app")
    (key,) = silences(tmp_path, calm + silent)
    assert key.startswith("app order ")


def test_events_at_one_time_are_one_beat(tmp_path):
    twins = [Event(f"t{n}-{m}", at(n / 6)) for n in range(19) for m in range(2)]
    assert silences(tmp_path, twins) == []  # 38 events at 19 times


def test_only_silences_that_touch_the_window_count(tmp_path):
    events = every_ten_minutes(until=23.9, without=range(37, 44))
    before, after = Scope(Window(START, at(6))), Scope(Window(at(7.4), END))
    within = Scope(Window(at(6.5), at(7)), entities=("somebody else",))
    assert silences(tmp_path, events, scope=before) == []
    assert silences(tmp_path, events, scope=after) == []
    assert len(silences(tmp_path, events, scope=within)) == 1


# raw/late and raw/clock-skew


def test_an_event_that_arrives_at_the_threshold_is_not_late(tmp_path):
    just = Event("j", at(1), lag=timedelta(hours=6))
    assert found("raw/late", stored(tmp_path, A, just)) == []


def test_an_event_that_arrives_after_the_threshold_is_late(tmp_path):
    late = Event("l", at(1), lag=timedelta(hours=6, milliseconds=1))
    assert found("raw/late", stored(tmp_path, A, late)) == [late.id]


def test_a_second_object_of_an_event_does_not_make_it_late(tmp_path):
    again = B.but(lag=timedelta(days=1))
    assert found("raw/late", stored(tmp_path, B, again)) == []


def test_an_object_nobody_could_fetch_may_tell_of_an_earlier_arrival_of_its_event_only(tmp_path):
    late = Event("l", at(1), lag=timedelta(hours=7))
    own = unreadable_row(late.but(lag=timedelta(days=1)), "denied")
    other = unreadable_row(B, "denied")
    with_other = finding_of("raw/late", evidence_of(tmp_path, raw=[raw_row(late), other]))
    assert with_other.keys == (late.id,)
    with_own = finding_of("raw/late", evidence_of(tmp_path, raw=[raw_row(late), own]))
    assert with_own.outcome is Outcome.NOT_EVALUATED


def test_a_late_event_that_is_not_settled_is_left_alone(tmp_path):
    late = Event("l", at(1), lag=YOUNG - at(1))
    assert found("raw/late", stored(tmp_path, late)) == []


def test_an_event_from_the_future_shows_clock_skew(tmp_path):
    ahead = Event("f", at(5), lag=timedelta(milliseconds=-1))
    level = Event("l", at(5), lag=timedelta(0))
    assert found("raw/clock-skew", stored(tmp_path, A, ahead, level)) == [ahead.id]
    (row,) = rows("raw/clock-skew", stored(tmp_path, ahead))
    assert row["ingested"] < row["event_time_utc"]


def test_a_skew_that_is_not_settled_is_left_alone(tmp_path):
    ahead = raw_row(A, ingest_time_utc=YOUNG, event_time_utc=YOUNG + timedelta(seconds=9))
    evidence = evidence_of(tmp_path, raw=[ahead], scope=Scope(Window(START, CAPTURED)))
    assert found("raw/clock-skew", evidence) == []


def test_the_skew_that_is_allowed_can_be_set(tmp_path):
    ahead = Event("f", at(5), lag=timedelta(seconds=-2))
    evidence = stored(tmp_path, ahead, thresholds=Thresholds(clock_skew_seconds=2))
    assert found("raw/clock-skew", evidence) == []


# raw/ingest-failures


def requests(folder, *rows, roles=("ingest", "processor")):
    functions = [function_row(role) for role in roles]
    return evidence_of(folder, invocations=rows, functions=functions)


def test_requests_that_ended_well_are_no_failures(tmp_path):
    evidence = requests(tmp_path, invocation_row("r1", at(1), function="ingest"))
    assert found("raw/ingest-failures", evidence) == []


@pytest.mark.parametrize("status", ["error", "timeout", "out-of-memory"])
def test_a_failed_request_of_the_ingest_function_is_found(tmp_path, status):
    evidence = requests(
        tmp_path,
        invocation_row("r1", at(1), function="ingest"),
        invocation_row("r2", at(1), function="ingest", status=status),
        invocation_row("r3", at(1), function="processor", status=status),
        invocation_row("r4", at(30), function="ingest", status=status),
        invocation_row("r5", YOUNG, function="ingest", status=status),
    )
    assert found("raw/ingest-failures", evidence) == ["r2", "r4"]  # the window does not cut


def test_without_a_known_ingest_function_nobody_can_tell(tmp_path):
    evidence = requests(tmp_path, invocation_row("r1", at(1)), roles=("processor",))
    assert outcome("raw/ingest-failures", evidence) is Outcome.NOT_EVALUATED


def refused_again(first_days: float, again_days: float) -> tuple[Event, dict]:
    """An event and the row that its last refusal left, by their age at the capture."""
    event = Event("old", CAPTURED - timedelta(days=first_days))
    again = CAPTURED - timedelta(days=again_days)
    return event, event_row(event, status="DUPLICATE", ingest_time_utc=again)


OF_LONG_AGO = Scope(Window(CAPTURED - timedelta(days=150), CAPTURED))


def test_the_first_arrival_tells_whether_an_object_has_expired(tmp_path):
    event, row = refused_again(95, 66)
    evidence = evidence_of(
        tmp_path, raw=[], events=[row], dedupe=[dedupe_row(event)], scope=OF_LONG_AGO
    )
    assert found("raw/missing", evidence) == []
    assert found("raw/expired", evidence) == [event.id]


@pytest.mark.parametrize(
    ("again_days", "told"), [(66, None), (60, None), (59, "raw/missing"), (90, "raw/expired")]
)
def test_a_refusal_alone_does_not_tell_whether_an_object_has_expired(tmp_path, again_days, told):
    event, row = refused_again(95, again_days)
    evidence = evidence_of(tmp_path, raw=[], events=[row], dedupe=[], scope=OF_LONG_AGO)
    for code in ("raw/missing", "raw/expired"):
        if told is None:
            finding = finding_of(code, evidence)
            assert finding.outcome is Outcome.NOT_EVALUATED
            assert "their objects may have expired" in finding.reason
        else:
            assert found(code, evidence) == ([event.id] if code == told else [])


def test_an_object_under_another_id_is_not_missing_if_its_body_or_its_key_is_the_rows(tmp_path):
    renamed = B.s3_key.replace(B.id, "f" * 64)
    strange = raw_row(B, s3_key=renamed, key_event_id="f" * 64)
    evidence = evidence_of(tmp_path, raw=[strange], events=[event_row(B)])
    assert found("raw/missing", evidence) == []
    assert found("events/dangling-key", evidence) == [B.id]
    unlike = {**strange, "event_id": "e" * 64}
    pointed = evidence_of(tmp_path, raw=[unlike], events=[event_row(B, s3_key=renamed)])
    assert found("raw/missing", pointed) == []


def test_an_unknown_first_ingest_outside_the_scope_is_no_gap(tmp_path):
    other = {**unreadable_row(Event("o", at(3), entity_id="e9")), "entity_id": "e9"}
    scope = Scope(Window(START, END), ("e1",))
    evidence = evidence_of(tmp_path, raw=[raw_row(A), other], scope=scope)
    assert found("raw/overwritten", evidence) == []
    assert outcome("raw/overwritten", evidence_of(tmp_path, raw=[raw_row(A), other])) is (
        Outcome.NOT_EVALUATED
    )


def test_silences_can_be_drawn_beside_an_object_that_nobody_could_fetch(tmp_path):
    events = [Event(f"n{n}", at(1 + n / 10)) for n in range(30)] + [Event("z", at(15))]
    hidden = unreadable_row(Event("u", at(2)), "denied")
    evidence = evidence_of(
        tmp_path, raw=[*map(raw_row, events), hidden], events=[*map(event_row, events)]
    )
    assert len(numbers.silences(evidence)) == len(found_keys("raw/gap", evidence)) == 2


def found_keys(code: str, evidence: Evidence) -> list[str]:
    return list(finding_of(code, evidence).keys)


def test_an_ingest_request_without_an_end_is_no_pass(tmp_path):
    calls = [invocation_row("i1", at(2), function="ingest", status=None, ended_utc=None)]
    evidence = evidence_of(tmp_path, invocations=calls, functions=[function_row("ingest")])
    finding = finding_of("raw/ingest-failures", evidence)
    assert finding.outcome is Outcome.NOT_EVALUATED
    assert "the end of 1 ingest invocation is not in the log" in finding.reason
    young = [invocation_row("i1", YOUNG, function="ingest", status=None, ended_utc=None)]
    running = evidence_of(tmp_path, invocations=young, functions=[function_row("ingest")])
    assert found("raw/ingest-failures", running) == []
