from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pytest

from investigate.analysis.retries import attempts, document_rows, patterns, sequences
from investigate.analysis.retry_patterns import classify
from investigate.engine import DuckDBEngine
from investigate.errors import NotEvaluable
from investigate.evidence import Evidence, Scope
from investigate.model import Window
from tests.builders import (
    END,
    START,
    Event,
    at,
    event_row,
    evidence_of,
    invocation_row,
    log_line,
    raw_row,
)

GAP_COLUMNS = {
    "group": pa.string(), "sequence": pa.string(), "ordinal": pa.int64(), "gap_s": pa.float64(),
}  # fmt: skip
Gaps = Sequence[float]


def classified(groups: dict[str, Sequence[Gaps]]) -> dict[str, dict[str, Any]]:
    """Each group's row, from the gaps of its sequences."""
    rows = [
        {"group": group, "sequence": f"s{number}", "ordinal": position, "gap_s": gap}
        for group, members in groups.items()
        for number, gaps in enumerate(members)
        for position, gap in enumerate(gaps, start=1)
    ]
    engine = DuckDBEngine()
    table = pa.Table.from_pylist(rows, schema=pa.schema(GAP_COLUMNS))
    found = engine.rows(classify(engine.read_arrow(table, "gaps")))
    return {row["group"]: row for row in found}


def pattern(*members: Gaps) -> str:
    return str(classified({"g": members})["g"]["pattern"])


@pytest.mark.parametrize(
    ("gaps", "expected"),
    [
        ([4, 4], "fixed"),
        ([4, 4.1, 3.9, 4, 4.05], "fixed"),
        ([1, 2, 4], "exponential"),
        ([1, 3, 9, 27], "exponential"),
        ([1, 2, 4, 4, 4], "truncated-exponential"),
        ([1, 2, 4, 8, 16, 20, 20, 20], "truncated-exponential"),
        ([0.4, 1.9, 2.2, 7.5, 9, 31, 40, 120], "jittered-exponential"),
        ([5, 2, 8, 3, 7, 4], "randomised"),
        ([4], "insufficient"),
        ([1, 2], "insufficient"),
        ([5, 2, 8], "insufficient"),
    ],
)
def test_one_sequence_is_classified_by_the_shape_of_its_gaps(gaps, expected):
    assert pattern(gaps) == expected


def test_a_few_gaps_that_agree_by_chance_are_not_a_fixed_rule():
    assert pattern((14.713, 11.087, 12.717), (14.005, 17.699, 12.416)) != "fixed"
    assert pattern((10.819, 8.822, 4.308), (8.023, 8.592, 9.346)) != "fixed"


def test_one_slow_attempt_among_many_does_not_hide_a_fixed_rule():
    assert pattern(*[(4.0, 4.1, 3.9, 4.0)] * 3, (4.0, 9.0, 4.0, 4.1)) == "fixed"


def test_a_growing_sequence_too_short_to_tell_growth_from_chance_is_not_claimed():
    assert pattern([1, 5, 3, 40, 30]) == "insufficient"


def test_sequences_of_one_gap_tell_nothing_however_many_there_are():
    assert pattern(*[[4.0]] * 50) == "insufficient"


def test_short_sequences_are_pooled_with_longer_ones():
    assert pattern([1, 2, 4, 8], [1, 2], [1.02], [0.98, 2.03, 3.9], [1]) == "exponential"


def test_one_late_request_does_not_hide_a_fixed_rule():
    assert pattern([4, 4, 9], [4, 4.1, 4], [4.1, 4, 4], [4, 4, 4]) == "fixed"


def test_a_storm_is_judged_by_its_first_gaps():
    assert pattern([4.0] * 2_000) == "fixed"


def test_gaps_of_nothing_are_no_error():
    assert pattern([0, 0, 0]) == "fixed"


def test_no_gaps_give_no_groups():
    assert classified({}) == {}


Rule = Callable[[Random], Gaps]

RULES: dict[str, tuple[str, Rule]] = {
    "constant": ("fixed", lambda _: [4.0] * 5),
    "doubling": ("exponential", lambda _: [2.0**n for n in range(6)]),
    "tripling": ("exponential", lambda _: [0.5 * 3**n for n in range(4)]),
    "capped": ("truncated-exponential", lambda _: [min(16.0, 2.0**n) for n in range(8)]),
    "full jitter": (
        "jittered-exponential", lambda rng: [rng.uniform(0, 2**n) for n in range(8)],
    ),
    "equal jitter": (
        "jittered-exponential", lambda rng: [2**n * rng.uniform(0.5, 1) for n in range(8)],
    ),
    "uniform": ("randomised", lambda rng: [rng.uniform(1, 9) for _ in range(8)]),
    "no memory": ("randomised", lambda rng: [rng.expovariate(0.2) for _ in range(8)]),
}  # fmt: skip
SIMULATED = 40


@pytest.mark.parametrize("rule", RULES)
def test_simulated_clients_are_told_apart(rule):
    expected, gaps = RULES[rule]
    rng = Random(f"{rule} 2026")  # noqa: S311 - a simulation
    groups = {
        f"client {number}": [
            [gap * rng.gauss(1, 0.05) for gap in gaps(rng)] for _ in range(8)
        ]
        for number in range(SIMULATED)
    }  # fmt: skip
    found = [row["pattern"] for row in classified(groups).values()]
    assert found.count(expected) >= SIMULATED - 1, sorted(set(found))


@pytest.mark.parametrize("rule", ["doubling", "capped", "full jitter", "uniform"])
def test_clocks_of_whole_seconds_blur_no_pooled_rule(rule):
    expected, gaps = RULES[rule]
    rng = Random(f"{rule} by the second")  # noqa: S311 - a simulation

    def by_the_second(exact: Gaps) -> Gaps:
        moments = [sum(exact[:n], rng.random()) // 1 for n in range(len(exact) + 1)]
        return [later - moment for moment, later in pairwise(moments)]

    groups = {
        f"client {number}": [by_the_second(gaps(rng)) for _ in range(8)]
        for number in range(SIMULATED)
    }
    found = [row["pattern"] for row in classified(groups).values()]
    assert found.count(expected) >= SIMULATED - 2, {kind: found.count(kind) for kind in found}


@pytest.mark.parametrize(
    ("rule", "least"),
    [("constant", 0.99), ("doubling", 0.99), ("capped", 0.95), ("uniform", 0.9),
     ("full jitter", 0.9), ("equal jitter", 0.8)],
)  # fmt: skip
def test_one_simulated_sequence_is_mostly_enough(rule, least):
    expected, gaps = RULES[rule]
    rng = Random(f"{rule} alone")  # noqa: S311 - a simulation
    groups = {
        f"client {number}": [[gap * rng.gauss(1, 0.02) for gap in gaps(rng)]]
        for number in range(200)
    }
    found = [row["pattern"] for row in classified(groups).values()]
    assert found.count(expected) >= least * len(groups), {kind: found.count(kind) for kind in found}


def test_the_confidence_says_how_much_evidence_there_was():
    rows = classified({"many": [[4, 4, 4]] * 3, "one": [[4, 4]], "none": [[4], [5]]})
    assert rows["many"]["confidence"] == "high: 9 gaps of 3 sequences with at least two gaps"
    assert rows["one"]["confidence"] == "medium: 2 gaps of 1 sequence with at least two gaps"
    assert rows["none"]["confidence"].startswith("none, not enough attempts: 0 gaps")


def tried(event: Event, *seconds: float, start: datetime | None = None) -> list[dict[str, Any]]:
    """The lines of attempts at an event: the first at `start`, then these gaps apart."""
    moment, lines = start or at(6), []
    for number, gap in enumerate((0.0, *seconds)):
        moment += timedelta(seconds=gap)
        lines.append(
            log_line(
                "event_ingested", moment, f"{event.name}-{number}", event_id=event.id,
                status="DUPLICATE" if number else "ACCEPTED", s3_key=event.s3_key,
            )
        )  # fmt: skip
    return lines


def a_case(folder: Path, *lines: dict[str, Any], **tables: Any) -> Evidence:
    return evidence_of(folder, log_lines=lines, **tables)


A, B = Event("a"), Event("b", source="till")


def test_the_document_has_a_row_for_each_source_that_retried(tmp_path):
    evidence = a_case(tmp_path, *tried(A, 4, 4, 4), *tried(B), *tried(Event("c"), 4, 4))
    assert document_rows(evidence) == [
        {
            "group": "web",
            "channel": "client",
            "pattern": "fixed",
            "sequences": 2,
            "attempts": 7,
            "median_gap_s": 4.0,
            "confidence": "high: 5 gaps of 2 sequences with at least two gaps",
        }
    ]


def test_without_a_retry_there_is_no_row(tmp_path):
    assert document_rows(a_case(tmp_path, *tried(A), *tried(B))) == []


def test_without_log_lines_there_is_no_row_and_no_table(tmp_path):
    evidence = evidence_of(tmp_path, events=[event_row(A)])
    assert document_rows(evidence) == []
    with pytest.raises(NotEvaluable):
        patterns(evidence)


def test_what_comes_after_a_long_silence_is_not_a_retry(tmp_path):
    evidence = a_case(tmp_path, *tried(A, 4, 901, 4, 4))
    (row,) = document_rows(evidence)
    assert (row["sequences"], row["attempts"], row["pattern"]) == (1, 2, "insufficient")


def test_an_id_used_again_for_other_data_is_not_a_retry(tmp_path):
    stored, refused = raw_row(A), event_row(A, payload_sha="e" * 64, status="DUPLICATE")
    evidence = a_case(tmp_path, *tried(A, 4, 4), raw=[stored], events=[refused])
    assert document_rows(evidence) == []


def test_a_replay_upstream_is_not_a_retry(tmp_path):
    events = [Event(f"n{number}", at(6)) for number in range(6)]
    lines = [line for event in events for line in tried(event, 7_200)]
    assert document_rows(a_case(tmp_path, *lines)) == []


def test_a_gap_of_exactly_the_threshold_is_a_retry(tmp_path):
    (row,) = document_rows(a_case(tmp_path, *tried(A, 900)))
    assert row["attempts"] == 2


def test_attempts_of_one_request_are_those_of_asynchronous_lambda(tmp_path):
    lines = [{**line, "request_id": "r1"} for line in tried(A, 61, 122)]
    (row,) = document_rows(a_case(tmp_path, *lines))
    assert (row["pattern"], row["confidence"][:4]) == ("lambda-async", "high")


def test_quick_attempts_of_one_request_are_those_of_an_sdk(tmp_path):
    lines = [{**line, "request_id": "r1"} for line in tried(A, 0.4, 0.9)]
    (row,) = document_rows(a_case(tmp_path, *lines))
    assert row["pattern"] == "sdk"


def test_a_gap_runs_from_the_end_of_one_request_to_the_start_of_the_next(tmp_path):
    lines = tried(A, 10)
    runs = [
        invocation_row("a-0", at(6) - timedelta(seconds=1), ended_utc=at(6) + timedelta(seconds=2)),
        invocation_row("a-1", at(6) + timedelta(seconds=9), ended_utc=at(6.1)),
    ]
    evidence = a_case(tmp_path, *lines, invocations=runs)
    gaps = [row["gap_s"] for row in evidence.engine.rows(attempts(evidence).order_by("ordinal"))]
    assert gaps == [None, 7.0]


def test_overlapping_requests_leave_the_distance_of_their_lines(tmp_path):
    runs = [
        invocation_row("a-0", at(6), ended_utc=at(6) + timedelta(seconds=30)),
        invocation_row("a-1", at(6) + timedelta(seconds=9), ended_utc=at(6.1)),
    ]
    (row,) = document_rows(a_case(tmp_path, *tried(A, 10), invocations=runs))
    assert row["median_gap_s"] == 10.0


def test_the_source_is_that_of_the_key_else_that_of_the_row(tmp_path):
    lines = tried(B, 4, 4)
    for line in lines:
        fields = json.loads(line["fields"])
        del fields["s3_key"]
        line["fields"] = json.dumps(fields)
    known = a_case(tmp_path, *lines, events=[event_row(B)])
    assert [row["group"] for row in document_rows(known)] == ["till"]
    unknown = a_case(tmp_path, *lines)
    assert [row["group"] for row in document_rows(unknown)] == ["(unknown source)"]


def test_a_source_may_hold_the_delimiters_of_the_key(tmp_path):
    odd = Event("odd", source="a/b=c")
    assert [row["group"] for row in document_rows(a_case(tmp_path, *tried(odd, 4)))] == ["a/b=c"]


def test_events_outside_the_scope_take_no_part(tmp_path):
    scope = Scope(Window(END, END + timedelta(days=1)))
    evidence = a_case(tmp_path, *tried(A, 4, 4), events=[event_row(A)], scope=scope)
    assert document_rows(evidence) == []
    scope = Scope(Window(START, END), ("e2",))
    evidence = a_case(tmp_path, *tried(A, 4, 4), events=[event_row(A)], scope=scope)
    assert document_rows(evidence) == []


def test_a_sequence_says_when_it_began_and_how_long_it_waited(tmp_path):
    evidence = a_case(tmp_path, *tried(A, 1, 2, 4))
    (row,) = evidence.engine.rows(sequences(evidence))
    assert (row["attempts"], row["requests"], row["longest_gap_s"]) == (4, 4, 4.0)
    assert row["last_utc"] - row["first_utc"] == timedelta(seconds=7)
