from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from investigate.analysis import replays
from investigate.evidence import Evidence, Scope
from investigate.model import Window
from tests.builders import (
    END,
    START,
    Event,
    at,
    dedupe_row,
    event_row,
    evidence_of,
    log_line,
    raw_row,
)
from tests.spark import spark_sql

A, B, C = Event("a", at(1)), Event("b", at(2)), Event("c", at(3))
HALF = timedelta(milliseconds=500)
EARLY = Event("early", START + HALF)  # of the window by time, before its start by text
NEXT = Event("next", END + HALF)  # of the next day by time, before the end by text
FROM, TO = "2026-03-10T00:00:00Z", "2026-03-11T00:00:00Z"


def replayed(scanned: int, sent: int, **changes: Any) -> dict[str, Any]:
    fields = {"entity_id": "e1", "start": FROM, "end": TO, **changes}
    return log_line("replay_enqueued", at(30), "p1", scanned=scanned, sent=sent, **fields)


def a_case(folder: Path, rows: list[dict[str, Any]], **tables: Any) -> Evidence:
    return evidence_of(folder, events=rows, **tables)


def rows_of(*events: Event) -> list[dict[str, Any]]:
    return [event_row(event) for event in events]


def sent_by(evidence: Evidence) -> list[str]:
    rows = replays.reconstructed(evidence)
    return [row["event_id"] for row in evidence.engine.rows(rows.order_by("replay", "sk"))]


def mode(evidence: Evidence) -> str | None:
    (row,) = evidence.engine.rows(replays.outcomes(evidence))
    answer: str | None = row["mode"]
    return answer


def decisions(evidence: Evidence, *args: int, **options: bool) -> dict[str, tuple[str, str]]:
    plan = replays.planned(evidence, *args, **options)
    return {
        row["sk"]: (row["decision"], row["reason"])
        for row in evidence.engine.rows(plan.order_by("sk"))
    }


def sk(event: Event) -> str:
    return str(event_row(event)["sk"])


def test_a_logged_replay_is_read_from_its_line(tmp_path: Path) -> None:
    case = a_case(tmp_path, [], log_lines=[replayed(7, 5)])
    (row,) = case.engine.rows(replays.logged(case))
    assert (row["entity_id"], row["start"], row["end"]) == ("e1", FROM, TO)
    assert (row["scanned"], row["sent"], row["request_id"]) == (7, 5, "p1")


def test_the_entity_is_read_from_the_fields_where_its_column_is_empty(tmp_path: Path) -> None:
    case = a_case(tmp_path, [], log_lines=[replayed(1, 1) | {"entity_id": None}])
    (row,) = case.engine.rows(replays.logged(case))
    assert row["entity_id"] == "e1"


def test_a_replay_sent_the_rows_of_its_window(tmp_path: Path) -> None:
    other = Event("d", at(4), entity_id="e2")
    later = Event("e", at(25))
    case = a_case(tmp_path, rows_of(A, B, other, later), log_lines=[replayed(2, 2)])
    assert mode(case) == "without duplicates"
    assert sent_by(case) == [A.id, B.id]


def test_the_window_is_compared_as_text(tmp_path: Path) -> None:
    """D6: the half second after the start is outside, the one after the end inside."""
    case = a_case(tmp_path, rows_of(EARLY, A, NEXT), log_lines=[replayed(2, 2)])
    assert sent_by(case) == [A.id, NEXT.id]


def test_rows_that_arrived_after_the_replay_are_not_its(tmp_path: Path) -> None:
    late = A.but(lag=timedelta(hours=40))
    case = a_case(tmp_path, rows_of(late, B), log_lines=[replayed(1, 1)])
    assert sent_by(case) == [B.id]


def test_a_row_overwritten_after_the_replay_was_in_it(tmp_path: Path) -> None:
    """D1: a duplicate gave the row a later ingest time; the dedupe row remembers the first."""
    again = event_row(B, ingest_time_utc=at(40), status="DUPLICATE")
    case = a_case(
        tmp_path, [event_row(A), again], dedupe=[dedupe_row(A), dedupe_row(B)],
        log_lines=[replayed(2, 2)],
    )  # fmt: skip
    assert sent_by(case) == [A.id, B.id]


def test_the_limit_cuts_before_the_filter(tmp_path: Path) -> None:
    """D7: of three rows two were scanned, and one of these has no key."""
    rows = [event_row(A, s3_key=None), event_row(B), event_row(C)]
    case = a_case(tmp_path, rows, log_lines=[replayed(2, 1)])
    assert sent_by(case) == [B.id]


def twice(event: Event) -> list[dict[str, Any]]:
    """One id on two rows."""
    moved = event.but(when=event.when + timedelta(minutes=5))
    return [event_row(event), event_row(moved, event_id=event.id)]


def test_a_repeated_id_is_sent_once(tmp_path: Path) -> None:
    case = a_case(tmp_path, twice(A), log_lines=[replayed(2, 1)])
    assert mode(case) == "without duplicates"
    assert sent_by(case) == [A.id]


def test_a_repeated_id_was_sent_twice_where_only_that_gives_the_number(tmp_path: Path) -> None:
    """D8: the text "false" asks for duplicates."""
    case = a_case(tmp_path, twice(A), log_lines=[replayed(2, 2)])
    assert mode(case) == "with duplicates"
    assert sent_by(case) == [A.id, A.id]


def test_a_first_row_without_refs_still_hides_the_second_of_its_id(tmp_path: Path) -> None:
    first, second = twice(A)
    case = a_case(tmp_path, [first | {"s3_key": ""}, second], log_lines=[replayed(2, 0)])
    assert mode(case) == "without duplicates"
    assert sent_by(case) == []


@pytest.mark.parametrize(("scanned", "sent"), [(2, 1), (3, 2), (0, 2)])
def test_a_replay_is_not_reconstructed_where_the_numbers_differ(
    tmp_path: Path, scanned: int, sent: int
) -> None:
    case = a_case(tmp_path, rows_of(A, B), log_lines=[replayed(scanned, sent)])
    assert mode(case) is None
    assert sent_by(case) == []


def test_a_replay_of_an_empty_window_sent_nothing(tmp_path: Path) -> None:
    case = a_case(tmp_path, rows_of(A), log_lines=[replayed(0, 0, entity_id="e9")])
    (row,) = case.engine.rows(replays.outcomes(case))
    assert (row["rows_there"], row["mode"]) == (0, "without duplicates")


def test_replays_of_one_second_are_told_apart(tmp_path: Path) -> None:
    other = Event("d", at(4), entity_id="e2")
    lines = [replayed(1, 1), replayed(1, 1, entity_id="e2") | {"request_id": "p2"}]
    case = a_case(tmp_path, rows_of(A, other), log_lines=lines)
    assert sorted(sent_by(case)) == sorted([A.id, other.id])


def test_a_plan_sends_what_is_in_the_window_by_text(tmp_path: Path) -> None:
    case = a_case(tmp_path, rows_of(EARLY, A, NEXT, Event("far", at(30))))
    assert decisions(case) == {
        sk(EARLY): ("leave out", "outside by text"),
        sk(A): ("send", "in the window"),
        sk(NEXT): ("send", "outside by time only"),
    }


def test_an_event_exactly_at_the_start_is_in_and_one_at_the_end_is_not(tmp_path: Path) -> None:
    first, last = Event("first", START), Event("last", END)
    assert decisions(a_case(tmp_path, rows_of(first, last))) == {
        sk(first): ("send", "in the window")
    }


def test_a_plan_applies_the_limit_before_the_filter(tmp_path: Path) -> None:
    rows = [event_row(A, s3_bucket=""), event_row(B), event_row(C)]
    assert list(decisions(a_case(tmp_path, rows), 2).values()) == [
        ("leave out", "no refs"),
        ("send", "in the window"),
        ("leave out", "after the limit"),
    ]


def test_the_limit_holds_for_each_entity(tmp_path: Path) -> None:
    other = Event("d", at(4), entity_id="e2")
    plan = decisions(a_case(tmp_path, rows_of(A, other)), 1)
    assert {decision for decision, _ in plan.values()} == {"send"}


def test_a_plan_leaves_out_repeated_ids_unless_told_to_include_them(tmp_path: Path) -> None:
    case = a_case(tmp_path, twice(A))
    assert list(decisions(case).values()) == [
        ("send", "in the window"),
        ("leave out", "duplicate in this replay"),
    ]
    doubled = decisions(case, include_duplicates=True)
    assert {decision for decision, _ in doubled.values()} == {"send"}


def test_a_row_without_an_id_is_not_sent_and_repeats_no_other(tmp_path: Path) -> None:
    rows = [event_row(A, event_id=None), event_row(B, event_id=None)]
    assert set(decisions(a_case(tmp_path, rows)).values()) == {("leave out", "no refs")}


def test_the_status_plays_no_part(tmp_path: Path) -> None:
    plan = decisions(a_case(tmp_path, [event_row(A, status="DUPLICATE")]))
    assert plan[sk(A)] == ("send", "in the window")


def test_a_plan_says_what_should_have_been_sent(tmp_path: Path) -> None:
    case = a_case(tmp_path, [*rows_of(EARLY, B, NEXT), *twice(A)])
    rows = case.engine.rows(replays.planned(case))
    wanted = [row["event_id"] for row in rows if row["wanted"]]
    assert sorted(wanted) == sorted([EARLY.id, A.id, B.id])


def test_a_plan_is_for_the_entities_and_the_window_asked_about(tmp_path: Path) -> None:
    other = Event("d", at(4), entity_id="e2")
    scope = Scope(Window(at(3.5), at(5)), ("e2",))
    case = a_case(tmp_path, rows_of(A, other, Event("f", at(4))), scope=scope)
    assert set(decisions(case)) == {sk(other)}


def test_every_answer_is_an_expression_of_spark_too(tmp_path: Path) -> None:
    case = a_case(tmp_path, rows_of(A), raw=[raw_row(A)], log_lines=[replayed(1, 1)])
    for build in (replays._build_logged, replays._build_window_rows, replays._build_outcomes):
        assert "SELECT" in spark_sql(build(case))
    plan = replays._plan(case, 5, include_duplicates=False)
    assert "ROW_NUMBER" in spark_sql(plan)
    assert "SELECT" in spark_sql(replays.reconstructed(case))
