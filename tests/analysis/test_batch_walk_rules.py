"""The walk of a batch: the table of the reference, and what holds for every batch."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from investigate.analysis.batch_walk_rules import (
    ENDLESS,
    QueueSettings,
    StreamSettings,
    Walk,
    queue_walk,
    stream_walk,
)

SEVEN = (1,) * 7


def ranges(text: str) -> tuple[tuple[int, int], ...]:
    """Ranges as the reference writes them: "1-10, 8"."""
    parts = [part.strip().split("-") for part in text.split(",")]
    return tuple((int(part[0]), int(part[-1])) for part in parts)


# A batch of records 1 to 10 of which the 8th is bad (aws-facts, section 2.3).
TABLE = {
    "none, 2 retries": (
        StreamSettings(2), "1-10, 1-10, 1-10", "1-10", (3,) * 10,
    ),
    "bisect, no retry": (
        StreamSettings(0, bisect=True), "1-10, 1-5, 6-10, 6-7, 8-10, 8, 9-10", "8",
        (2, 2, 2, 2, 2, 3, 3, 4, 4, 4),
    ),
    "bisect, 2 retries": (
        StreamSettings(2, bisect=True), "1-10, 1-5, 6-10, 6-7, 8-10, 8, 8, 8, 9-10", "8",
        (2, 2, 2, 2, 2, 3, 3, 6, 4, 4),
    ),
    "reported failures, 2 retries, a checkpoint restarts the count": (
        StreamSettings(2, report_failures=True), "1-10, 8-10, 8-10, 8-10", "8-10",
        (*SEVEN, 4, 4, 4),
    ),
    "reported failures, 2 retries, the count goes on": (
        StreamSettings(2, report_failures=True, checkpoint_restarts_count=False),
        "1-10, 8-10, 8-10", "8-10", (*SEVEN, 3, 3, 3),
    ),
    "both, no retry": (
        StreamSettings(0, bisect=True, report_failures=True), "1-10, 8-10, 8, 9-10", "8",
        (*SEVEN, 3, 3, 3),
    ),
    "both, 2 retries": (
        StreamSettings(2, bisect=True, report_failures=True), "1-10, 8-10, 8, 8, 8, 9-10", "8",
        (*SEVEN, 5, 3, 3),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("settings", "walked", "lost", "times"), TABLE.values(), ids=TABLE)
def test_the_walk_is_that_of_the_reference(settings, walked, lost, times):
    walk = stream_walk(settings, 10, {8})
    assert walk == Walk(ranges(walked), times, ranges(lost))


def test_without_a_limit_the_bad_record_comes_for_ever_and_those_behind_it_wait():
    walk = stream_walk(StreamSettings(ENDLESS, bisect=True), 10, {8})
    assert walk.invocations == ranges("1-10, 1-5, 6-10, 6-7, 8-10, 8, 8, 8")
    assert (walk.endless, walk.starved, walk.discarded) == ((8, 8), (8, 9, 10), ())


def test_the_larger_half_may_come_first():
    walk = stream_walk(StreamSettings(0, bisect=True, larger_half_first=True), 10, {8})
    assert walk.invocations == ranges("1-10, 1-5, 6-10, 6-8, 6-7, 8, 9-10")


def test_a_batch_without_a_bad_record_is_delivered_once():
    for settings in (StreamSettings(), StreamSettings(3, bisect=True, report_failures=True)):
        assert stream_walk(settings, 4, ()) == Walk(((1, 4),), (1, 1, 1, 1), ())
    assert queue_walk(QueueSettings(5), 4, ()) == Walk(((1, 4),), (1, 1, 1, 1), ())


def test_a_queue_brings_the_whole_batch_again_and_moves_all_of_it():
    walk = queue_walk(QueueSettings(3), 4, {2})
    assert walk == Walk(ranges("1-4, 1-4, 1-4"), (3, 3, 3, 3), ((1, 4),))


def test_reported_failures_alone_come_again_from_a_queue():
    walk = queue_walk(QueueSettings(3, report_failures=True), 4, {1, 2, 4})
    assert (walk.deliveries, walk.discarded) == ((3, 3, 1, 3), ((1, 2), (4, 4)))


def test_a_queue_without_a_redrive_policy_brings_messages_until_they_expire():
    walk = queue_walk(QueueSettings(), 4, {2})
    assert (walk.endless, walk.starved, walk.discarded) == ((1, 4), (1, 2, 3, 4), ())


@pytest.mark.parametrize(("records", "bad"), [(0, ()), (10_001, ()), (3, {4}), (3, {0})])
def test_records_that_are_not_in_the_batch_are_refused(records, bad):
    with pytest.raises(ValueError, match="batch"):
        stream_walk(StreamSettings(1), records, bad)
    with pytest.raises(ValueError, match="batch"):
        queue_walk(QueueSettings(1), records, bad)


batches = st.integers(1, 50).flatmap(
    lambda records: st.tuples(st.just(records), st.sets(st.integers(1, records)))
)
settings_of_streams = st.builds(
    StreamSettings, st.integers(0, 5), st.booleans(), st.booleans(), st.booleans(), st.booleans()
)


@given(settings_of_streams, batches)
def test_every_record_is_done_or_discarded_and_none_is_forgotten(settings, batch):
    records, bad = batch
    walk = stream_walk(settings, records, bad)
    assert walk.endless is None
    assert walk.starved == ()
    assert walk.invocations[0] == (1, records)
    assert bad <= walk.lost  # no attempt helps a record that always fails
    spans = [last - first + 1 for first, last in walk.invocations]
    assert sum(walk.deliveries) == sum(spans)
    assert min(walk.deliveries) >= 1


@given(settings_of_streams, batches)
def test_only_a_split_batch_loses_no_good_record(settings, batch):
    records, bad = batch
    walk = stream_walk(settings, records, bad)
    if settings.bisect:
        assert walk.lost == bad
    elif settings.report_failures:
        assert walk.lost == (set(range(min(bad), records + 1)) if bad else set())
    else:
        assert walk.lost == (set(range(1, records + 1)) if bad else set())


@given(settings_of_streams, batches)
def test_what_is_discarded_was_tried_once_and_as_often_again_as_allowed(settings, batch):
    records, bad = batch
    walk = stream_walk(settings, records, bad)
    counted_anew = settings.bisect or not settings.report_failures
    for lost in walk.discarded:
        tries = walk.invocations.count(lost)
        if counted_anew or settings.checkpoint_restarts_count:
            assert tries == settings.retry_attempts + 1
        else:
            assert tries <= settings.retry_attempts + 1


@given(st.booleans(), st.booleans(), batches)
def test_without_a_limit_the_first_bad_record_holds_up_all_behind_it(bisect, report, batch):
    records, bad = batch
    walk = stream_walk(StreamSettings(ENDLESS, bisect, report), records, bad)
    assert walk.discarded == ()
    assert (walk.endless is None) == (not bad)
    if bad:
        first = min(bad) if bisect or report else 1
        assert walk.starved == tuple(range(first, records + 1))


@given(st.one_of(st.none(), st.integers(1, 10)), st.booleans(), batches)
def test_a_queue_delivers_what_is_good_once_only_if_failures_are_reported(limit, report, batch):
    records, bad = batch
    walk = queue_walk(QueueSettings(limit, report), records, bad)
    good = set(range(1, records + 1)) - bad
    again = {n for n, times in enumerate(walk.deliveries, 1) if times > 1}
    if report:
        assert again <= bad
        assert walk.lost <= bad
    elif bad and limit:
        assert walk.lost == good | bad
    assert (walk.endless is not None) == (limit is None and bool(bad))
