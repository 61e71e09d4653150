"""What single figures claim, on inputs whose answer can be seen."""

from __future__ import annotations

from typing import Any

import pytest

from investigate import figures
from investigate.display import Numbers
from investigate.figures import Drawing
from tests.figures.samples import DAY, SAMPLES, VERSION, numbers, per_hour


def title(figure: Drawing) -> str:
    return str(figure.layout.title.text).replace("<br>", " ")


def gap(source: str, seconds: float, **more: Any) -> dict[str, Any]:
    return {
        "source": source, "event_type": "order", "start": "2026-03-10 07:00:00",
        "end": "2026-03-10 09:00:00", "seconds": seconds, "usual_seconds": 60.0, "of": 2, **more,
    }  # fmt: skip


EVENTS = numbers(
    per_hour(source="web", events=3, of_sources=9), per_hour(source="app", events=5, of_sources=9)
)


def test_events_and_sources_are_counted_beyond_those_drawn():
    figure = figures.events_over_time(EVENTS, numbers())
    assert title(figure) == "8 events from 9 sources; no regular source fell silent"


def test_a_silence_is_marked_in_the_row_of_its_source():
    figure = figures.events_over_time(EVENTS, numbers(gap("web", 7200.0)))
    line = next(trace for trace in figure.data if trace.type == "scatter")
    assert line.yaxis == "y2"  # app has more events, so it stands in the first row
    assert figure.layout.shapes[0].yref == "y2 domain"
    assert line.text[0].startswith("web order: silent for 2 hours")


def test_the_longest_silence_stands_in_the_title():
    figure = figures.events_over_time(EVENTS, numbers(gap("web", 600.0), gap("app", 7200.0)))
    assert "2 silences are too long for the source, up to 2 hours" in title(figure)


def test_late_and_skewed_events_are_counted_in_all_not_only_those_marked():
    lags = numbers(per_hour(events=100, median_lag=2.0, longest_lag=9.0))
    mark = {"time": "2026-03-10 06:00:00", "event_id": "e", "lag": -5.0}
    unusual = numbers(
        {**mark, "kind": "late", "of_kind": 40}, {**mark, "kind": "clock skew", "of_kind": 7}
    )
    figure = figures.lag_over_time(lags, unusual)
    assert title(figure) == "40 came too late and 7 before their own time, of 100 events"


def test_an_empty_hour_between_two_duplicates_has_its_place():
    figure = figures.duplicates_over_time(
        numbers(
            per_hour(source="web", duplicates=1),
            per_hour(source="web", duplicates=4, time="2026-03-10 08:00:00"),
        )
    )
    assert (figure.data[0].x0, figure.data[0].dx) == ("2026-03-10 06:30:00", 3_600_000)
    assert [list(row) for row in figure.data[0].z] == [[1, None, 4]]
    assert title(figure) == "5 duplicates refused, up to 4 per hour from one source"


def test_the_main_cause_of_duplicates_is_the_claim():
    rows = [
        {"source": "web", "made_by": "late-repeat", "duplicates": 2},
        {"source": "app", "made_by": "upstream-replay", "duplicates": 5},
    ]
    claim = title(figures.duplicates_by_cause(numbers(*rows)))
    assert claim.startswith("5 of 7 duplicates: replay upstream")


def test_a_replay_sends_what_is_in_by_text_wherever_its_time_is():
    rows = [
        per_hour(entity="e1", reason="in the window", events=7),
        per_hour(entity="e1", reason="outside by time only", events=1),
        per_hour(entity="e1", reason="after the limit", events=2),
    ]
    assert "would send 8 of 10 rows" in title(figures.replay_plan(numbers(*rows)))


@pytest.mark.parametrize(
    ("of", "short", "unknown", "claim"),
    [
        (1, 1, 0, "1 of 1 logged replay stopped before the end of the window"),
        (1, 0, 0, "1 logged replay, none stopped before the end of its window"),
        (1, 0, 1, "1 logged replay, none known to have stopped before the end of its window; "
                  "of 1 it is not known"),
        (3, 1, 2, "1 of 3 logged replays stopped before the end of the window; "
                  "of 2 it is not known"),
    ],
)  # fmt: skip
def test_replays_that_stopped_early_are_the_claim(of, short, unknown, claim):
    row = {
        "logged": "2026-03-11 00:00:00", "entity": "e1", "rows_there": 9, "scanned": 9, "sent": 9,
        "of": of, "of_short": short, "of_unknown": unknown,
    }  # fmt: skip
    rows = [row] * of
    assert title(figures.replays_logged(numbers(*rows))) == claim


def test_rows_of_one_moment_stand_above_each_other():
    row = {
        "event_id": "a", "event_time": "t", "entity": "e1", "edge": "end", "offset_ms": 5,
        "by_time": False, "by_text": False, "of": 2, "of_odd": 0,
    }  # fmt: skip
    figure = figures.replay_edges(numbers(row, {**row, "event_id": "b"}))
    assert list(figure.data[0].y) == [0, 0.09]


def test_an_unknown_number_of_messages_is_not_drawn_as_none():
    row = {
        "queue": "q", "role": "replay", "visible": None, "not_visible": 2, "delayed": 0,
        "oldest_age_s": None, "retention_s": None,
    }  # fmt: skip
    figure = figures.queue_levels(numbers(row))
    assert figure.data[0].x == (None,)
    assert title(figure).startswith("2 messages")


def test_messages_are_poison_from_the_threshold_on():
    rows = [
        {"receives": receives, "well_formed": True, "messages": 3, "poison_receives": 5}
        for receives in (4, 5, 6)
    ]
    claim = title(figures.receive_counts(numbers(*rows)))
    assert claim == "6 of 9 sampled messages received 5 times or more"


@pytest.mark.parametrize(
    ("status", "claim"),
    [
        ("ok", "2 invocations, all of them ended ok"),
        ("timeout", "2 of 2 invocations did not end ok"),
    ],
)
def test_invocations_that_did_not_end_ok_are_the_claim(status, claim):
    row = per_hour(status=status, invocations=2)
    assert title(figures.invocations_over_time(numbers(row))) == claim


def test_deletions_are_claimed_only_where_something_told_of_them():
    loaded = per_hour(what="loaded", records=4)
    assert title(figures.records_over_time(numbers(loaded))) == "4 records loaded, 0 failed"
    both = numbers(loaded, per_hour(what="deleted", records=5))
    assert title(figures.records_over_time(both)).endswith("5 messages deleted")


def test_one_inputs_hash_has_one_colour_within_its_day():
    row = {**VERSION, "input_count": 3, "explained_by": "sample-ids"}
    again = {**row, "version": 8}
    other = {**row, "version": 9, "inputs_hash": "b" * 64}
    marks = figures.aggregate_versions(numbers(row, again, other)).data[0]
    first, second, third = marks.marker.color
    assert first == second != third
    assert list(marks.x) == [1, 2, 3]


def test_a_version_that_was_not_tried_to_the_end_is_unexplained():
    row = {**VERSION, "input_count": 3, "explained_by": "unexplained (beyond budget)"}
    assert title(figures.aggregate_versions(numbers(row))).endswith("1 unexplained")


def test_what_an_unexplained_version_hides_is_unknown_not_left_out():
    row = {
        **DAY, "verdict": "unexplained", "sent": 5, "expected": 5, "held_by_newest": 2,
        "held_by_union": None, "arrived_since": 0,
    }  # fmt: skip
    figure = figures.day_coverage(numbers(row))
    drawn = {trace.name: trace.x[0] for trace in figure.data}
    assert drawn == {"held by the newest version": 2, "unknown: a version is unexplained": 3}
    assert title(figure).startswith("0 of 1 day")


def test_the_days_of_a_long_window_get_smaller_squares():
    first, last = {**DAY, "of_complete": 0}, {**DAY, "of_complete": 0, "day": "2026-06-10"}
    short, long = (
        figures.day_verdicts(numbers(*rows)).data[0] for rows in ((first,), (first, last))
    )
    assert short.marker.size == 24
    assert long.marker.size == 7
    assert long.mode == "markers"


def test_the_largest_loss_on_the_way_is_the_claim():
    base = {"waiting": 0, "unknown": 0, "joined": 0, "why": ""}
    flow = numbers(
        {"stage": "known", "reached": 30, "dropped": 0, **base},
        {"stage": "readable", "reached": 28, "dropped": 2, **base},
        {"stage": "sent", "reached": 18, **base, "dropped": 3, "unknown": 7, "why": "no log"},
        {"stage": "processed", "reached": 17, **base, "dropped": 5, "joined": 4},
        {"stage": "aggregated", "reached": 16, "dropped": 1, **base},
    )
    figure = figures.event_flow(flow)
    assert title(figure) == (
        "16 of 30 events are in an aggregate version; most are lost before “processed” (5); "
        "3 not sent by any replay; 7 not known to have been sent (no log)"
    )
    assert [note.text for note in figure.layout.annotations] == [
        "2 not here", "3 not sent by any replay, 7 not known to have been sent",
        "5 not here, 4 joined here", "1 not here",
    ]  # fmt: skip


def test_days_that_are_not_drawn_are_told_in_the_title():
    first = {**DAY, "of_days": 9, "of_complete": 4}
    claim = title(figures.day_verdicts(numbers(first, {**first, "verdict": "complete"})))
    assert claim == "4 of 9 entity days complete; 3 complete ones and 4 others not drawn"
    whole = {**DAY, "of_days": 1, "of_complete": 0}
    assert title(figures.day_verdicts(numbers(whole))) == "0 of 1 entity day complete"


def test_versions_that_are_not_drawn_are_told_in_the_title():
    row = {**VERSION, "input_count": 3, "explained_by": "sample-ids"}
    assert title(figures.aggregate_versions(numbers(row))).startswith(
        "1 of 30 versions drawn, of the 1 of 9 days that most need a look, with 1 inputs hash"
    )
    whole = {**row, "of_versions": 1, "of_days": 1}
    assert title(figures.aggregate_versions(numbers(whole))).startswith("1 version of 1 day with")


def test_replays_that_are_not_drawn_are_told_in_the_title():
    row = {
        "logged": "2026-03-11 00:00:00", "entity": "e1", "rows_there": 9, "scanned": 9, "sent": 9,
        "of": 82, "of_short": 2, "of_unknown": 0,
    }  # fmt: skip
    assert title(figures.replays_logged(numbers(row))).endswith("; drawn: the 1 that left out most")


def test_what_could_not_be_told_is_counted_beside_the_faults():
    rows = [
        {"step": "raw", "word": word, "checks": 2}
        for word in ("dangerous", "expected", "not-evaluated", "passed")
    ]
    claim = title(figures.checks_by_step(Numbers("verdicts", rows)))
    assert (
        claim == "2 of 8 checks found a fault, 2 found what is expected, 2 could not be evaluated"
    )


def test_storms_are_counted_with_what_the_repeats_were_billed():
    (load,) = SAMPLES["retry_load"]
    assert title(figures.retry_load(load)) == (
        "1 group of 2 that retried is a storm; the repeats were billed 1.50 GB-seconds"
    )


def test_clients_in_step_are_told_from_those_of_which_there_are_too_few():
    (arrivals,) = SAMPLES["retry_arrivals"]
    figure = figures.retry_arrivals(arrivals)
    assert title(figure) == "1 of 2 groups retried in step; of 1 there are too few to tell"
    assert {trace.name for trace in figure.data} == {"in step", "too few to tell"}


def test_each_record_of_a_batch_has_its_sign_in_each_invocation():
    (walk,) = SAMPLES["batch_walk"]
    strip = figures.batch_walk(walk).data[0]
    assert [list(signs) for signs in strip.text] == [["↻", "", "", "↻"], ["✗", "∞", "", "✗"]]


def test_a_walk_that_the_logs_contradict_says_so():
    (walk,) = SAMPLES["batch_walk"]
    other = numbers(*({**row, "agrees": False} for row in walk.rows))
    assert "not as simulated" in figures.batch_walk(other).sentence
    assert "not as simulated" not in figures.batch_walk(walk).sentence


def test_a_failed_attempt_has_another_sign_than_one_that_ended_ok():
    (attempts,) = SAMPLES["attempts_timeline"]
    marks = [t for t in figures.attempts_timeline(attempts).data if t.mode == "markers"]
    assert {t.name: t.marker.symbol for t in marks} == {
        "client: ended ok": "circle",
        "client: failed": "x",
    }


def test_hops_of_which_nobody_knows_how_they_went_are_not_said_to_have_gone_well():
    (sample,) = SAMPLES["trace_hops"]
    well = {**sample.rows[0], "what": "a hop", "status": "ok"}
    assert title(figures.trace_hops(numbers(well))) == "1 hop, none of which went wrong"
    figure = figures.trace_hops(numbers(well, {**well, "place": 1, "status": "unknown"}))
    assert title(figure) == ("2 hops, none known to have gone wrong; how 1 went is not known")
    assert figure.data[0].text[1] == "? not known how it went"
