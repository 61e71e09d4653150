"""What each aggregate version is, in a word and in a sentence."""

from __future__ import annotations

from datetime import timedelta

import pytest

from investigate import numbers
from investigate.analysis.version_meanings import meanings
from investigate.errors import UsageError
from investigate.findings import Examination
from investigate.investigation import Investigation
from tests.analysis.test_aggregates import MANY, A, B, C, a_case
from tests.builders import Event, aggregate_row, at, log_line, raw_row

LATE = Event("late", at(4), lag=timedelta(hours=30))  # arrives at 34:00, after a version at 30:00


def told(evidence):
    rows = meanings(evidence).order_by("version", "sk")
    return [(row["meaning"], row["held"], row["arrived"]) for row in evidence.engine.rows(rows)]


def sentences(evidence):
    return [row["in words"] for row in numbers.versions_explained(evidence)]


def test_a_version_of_all_events_is_complete(tmp_path):
    evidence = a_case(tmp_path, [A, B], [aggregate_row([A, B])])
    assert told(evidence) == [("complete", 2, 2)]
    assert sentences(evidence) == ["all 2 events of the day"]


def test_a_version_before_the_last_arrival_is_the_day_as_of_then(tmp_path):
    evidence = a_case(tmp_path, [A, B, LATE], [aggregate_row([A, B])])
    assert told(evidence) == [("as of an earlier time", 2, 2)]
    assert sentences(evidence) == ["all 2 that had arrived by then; the day has 3 events now"]


def test_an_event_that_arrived_in_the_second_of_the_version_had_arrived(tmp_path):
    edge = Event("edge", at(4), lag=timedelta(hours=26))
    evidence = a_case(tmp_path, [A, edge], [aggregate_row([A])])
    assert told(evidence) == [("one batch", 1, 2)]


def test_a_version_without_the_events_of_missing_objects_says_so(tmp_path):
    raw = [raw_row(A), raw_row(B)]
    evidence = a_case(tmp_path, [A, B, C], [aggregate_row([A, B])], raw=raw)
    assert told(evidence) == [("without missing objects", 2, 3)]
    assert sentences(evidence) == ["2 of the 3 that had arrived; without a readable object: 1"]


def test_a_day_split_over_two_versions_is_two_batches(tmp_path):
    written = [aggregate_row(MANY[:10]), aggregate_row(MANY[10:15], at(31))]
    evidence = a_case(tmp_path, MANY[:15], written)
    assert told(evidence) == [("one batch", 10, 15), ("one batch", 5, 15)]


def test_an_event_counted_twice_is_doubled(tmp_path):
    evidence = a_case(tmp_path, [A, B], [aggregate_row([A, B, B])])
    assert told(evidence) == [("doubled", 2, 2)]
    assert sentences(evidence) == ["counts 1 of 2 events more than once"]


def test_a_key_that_two_requests_wrote_is_overwritten(tmp_path):
    row = aggregate_row([A])
    lines = [
        log_line("processor_aggregate_written", at(30), request, entity_id="e1", day=row["day"],
                 version=row["version"], inputs_hash=f"{request}-hash")
        for request in ("r1", "r2")
    ]  # fmt: skip
    evidence = a_case(tmp_path, [A, B], [row], log_lines=lines)
    assert told(evidence) == [("overwritten", 1, 2)]


def test_a_hash_that_nothing_gives_is_unexplained_and_holds_nobody_knows_what(tmp_path):
    evidence = a_case(tmp_path, [A, B], [aggregate_row([A], inputs_hash="f" * 64)])
    assert told(evidence) == [("unexplained", None, 2)]
    assert sentences(evidence) == ["no set of the day's 2 events that was tried has its hash"]


def test_a_version_of_nothing_is_empty(tmp_path):
    row = aggregate_row([A]) | {
        "inputs_hash": "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945",
        "input_count": 0, "sample_event_ids": [],
    }  # fmt: skip
    assert told(a_case(tmp_path, [A], [row])) == [("empty", 0, 1)]


# Held side by side


def incident(evidence):
    return Investigation(evidence, Examination((), {}))


def test_two_versions_are_held_side_by_side(tmp_path):
    written = [aggregate_row([A, B]), aggregate_row([B, C], at(31))]
    said = incident(a_case(tmp_path, [A, B, C], written)).compare().text
    first, second = (row["version"] for row in written)
    assert f"version {first} against version {second}: 1 added, 1 removed, 1 same" in said
    assert A.id[:12] in said
    assert C.id[:12] in said
    assert B.id[:12] not in said


def test_the_pair_can_be_named(tmp_path):
    times = (30, 31, 32)
    written = [aggregate_row(MANY[: n + 1], at(hour)) for n, hour in enumerate(times)]
    shown = incident(a_case(tmp_path, MANY[:3], written))
    first, _, last = (row["version"] for row in written)
    assert "2 added, 1 same" in shown.compare("e1", "2026-03-10", first, last).text
    with pytest.raises(UsageError, match="unknown version '7'"):
        shown.compare("e1", "2026-03-10", 7, last)
    with pytest.raises(UsageError, match="'e9' on '2026-03-10' has no version"):
        shown.compare("e9", "2026-03-10")


def test_what_cannot_be_compared_is_said(tmp_path):
    assert "no day in scope has a version" in incident(a_case(tmp_path, [A])).compare().text
    one = incident(a_case(tmp_path, [A], [aggregate_row([A])])).compare()
    assert "has one version" in one.text
    broken = [aggregate_row([A], inputs_hash="f" * 64), aggregate_row([A], at(31))]
    shown = incident(a_case(tmp_path, [A], broken)).compare()
    assert "is unexplained" in shown.text


# Which events a version holds


def test_the_events_of_a_day_are_told_per_version(tmp_path):
    written = [aggregate_row([A, B, B]), aggregate_row([A, B, C], at(31))]
    rows = numbers.version_coverage(a_case(tmp_path, [A, B, C], written))
    first = rows[0]["version"]
    assert [(r["version"] - first, r["part"], r["held"], r["doubled"]) for r in rows] == [
        (0, 0, 1, 0), (0, 1, 1, 1), (0, 2, 0, 0), (3600, 0, 1, 0), (3600, 1, 1, 0), (3600, 2, 1, 0),
    ]  # fmt: skip


def test_many_events_share_a_square(tmp_path, monkeypatch):
    monkeypatch.setattr("investigate.numbers.aggregates.MOST_PARTS", 4)
    rows = numbers.version_coverage(a_case(tmp_path, MANY[:10], [aggregate_row(MANY[:6])]))
    assert [(row["part"], row["events"], row["held"]) for row in rows] == [
        (0, 3, 3), (1, 2, 2), (2, 3, 1), (3, 2, 0),
    ]  # fmt: skip


def test_a_version_without_a_time_is_undated_and_never_complete(tmp_path):
    timeless = {"computed_at": None, "computed_at_utc": None}
    alone = a_case(tmp_path, [A, B, C], [aggregate_row([A], **timeless)])
    assert [meaning for meaning, _, _ in told(alone)] == ["undated"]
    assert "when it was computed is unknown" in sentences(alone)[0]
    versions = [aggregate_row([A], at(29), **timeless), aggregate_row([A, B, C], at(30))]
    two = a_case(tmp_path, [A, B, C], versions)
    assert [meaning for meaning, _, _ in told(two)] == ["undated", "complete"]
