"""`investigate ledger` and `investigate trace`: where events stand, and one event's story."""

from __future__ import annotations

import csv
import io
import json

from tests.commands.conftest import HEALTHY, LOST

# Of the fault crash-dedupe-retried: refused by the gate, and never stored.
EVENT = "8b215a0888f5aa37640966c6c53efd5de01028889c2658639469b8c58654a3a8"


def test_the_ledger_counts_cells_and_lists_where_stories_break(ask):
    code, out, _ = ask("ledger", LOST)
    assert code == 0
    assert out.startswith("LEDGER of lost-events: 346 events; 20 stories of events break")
    assert "sqs/lost" in out
    assert EVENT in out


def test_a_healthy_ledger_says_as_far_as_the_evidence_tells(ask):
    assert "No check objects to any event's story, as far as" in ask("ledger", HEALTHY)[1]


def test_the_ledger_as_csv_has_one_line_per_event_and_times_in_utc(ask):
    code, out, _ = ask("ledger", LOST, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 0
    assert len(rows) == 346
    assert [row["event_id"] for row in rows] == sorted(row["event_id"] for row in rows)
    (row,) = [row for row in rows if row["event_id"] == EVENT]
    assert row["event_time_utc"] == "2026-03-10T08:11:00.000000Z"
    assert (row["raw"], row["events"], row["code"]) == ("absent", "present", "raw/missing")


def test_only_events_whose_story_breaks_are_listed_if_that_is_asked(ask):
    rows = list(
        csv.DictReader(io.StringIO(ask("ledger", LOST, "--divergent", "--format", "csv")[1]))
    )
    assert len(rows) == 20
    assert all(row["divergence"] for row in rows)


def test_a_trace_says_first_how_far_the_event_came_and_then_every_hop(ask):
    code, out, _ = ask("trace", LOST, EVENT[:10])
    assert code == 0
    assert out.splitlines()[0] == (
        f"EVENT {EVENT}: accepted and never finished: no version of its day counts it"
    )
    assert "raw absent → events present" in out
    assert "candidate cause" in out
    assert "the guard refused what was never stored" in out


def test_a_trace_as_json_has_the_hops_with_their_ids(ask):
    told = json.loads(ask("trace", LOST, EVENT, "--format", "json")[1])
    assert told["schema"] == "investigate.trace/1"
    assert told["code"] == "raw/missing"
    assert told["hops"][0]["at"] == "2026-03-10T08:11:02Z"
    assert all(hop["joined_by"] for hop in told["hops"])


def test_an_event_that_nobody_knows_is_refused_with_the_way_to_list_them(ask):
    code, out, err = ask("trace", LOST, "0000nothing")
    assert (code, out) == (2, "")
    assert "no captured table names event '0000nothing'" in err
    assert "investigate ledger CASE" in err
