"""`investigate replay-plan`: what a replay would send, miss, and send too much."""

from __future__ import annotations

import json

import pytest

from investigate.case import Coverage
from investigate.plan_integrity import shape_error
from investigate.replay_plan import SHAPE
from tests.builders import (
    Event,
    at,
    event_row,
    evidence_of,
    function_row,
    mapping_row,
    queue_row,
    raw_row,
    unreadable_row,
)
from tests.commands.conftest import CASES, END, START


@pytest.fixture
def plan(ask):
    def run(*more: str) -> tuple[int, str]:
        code, out, _ = ask(
            "replay-plan", CASES / "midnight-duplicates", "--entity", "window-edge",
            "--start", START, "--end", END, *more,
        )  # fmt: skip
        return code, out

    return run


def test_a_plan_names_what_is_missed_and_what_is_sent_too_much(plan):
    code, out = plan()
    assert code == 0
    assert "nothing is sent" in out.splitlines()[0]
    missed = out.index("SHOULD BE SENT, BUT WOULD NOT BE")
    too_much = out.index("WOULD BE SENT, BUT SHOULD NOT BE")
    assert "2026-03-10T00:00:00.500Z" in out[missed:too_much]
    assert "2026-03-13T00:00:00.250Z" in out[too_much:]


def test_a_plan_as_json_holds_every_row_once_with_its_reason(plan):
    found = json.loads(plan("--format", "json")[1])
    rows = found["send"] + found["leave_out"]
    assert found["schema"] == "investigate.replay-plan/1"
    assert found["entity_id"] == "window-edge"
    assert all(row["reason"] for row in rows)
    assert len({row["sk"] for row in rows}) == len(rows)


def test_the_limit_of_a_plan_cuts_what_is_sent(plan):
    cut, whole = (json.loads(plan("--format", "json", *m)[1]) for m in (["--limit", "1"], []))
    assert len(cut["send"]) == 1 < len(whole["send"])
    assert {row["reason"] for row in cut["leave_out"]} >= {"after the limit"}


def planned(ask, folder, *more):
    _, out, _ = ask(
        "replay-plan", folder, "--entity", "e1", "--start", DAY[0], "--end", DAY[1], *more
    )
    return out


def in_json(ask, folder):
    return json.loads(planned(ask, folder, "--format", "json"))


DAY = ("2026-03-10T00:00:00Z", "2026-03-11T00:00:00Z")
GOOD, GONE, BROKEN, HIDDEN = (
    Event(name, at(hour)) for hour, name in enumerate(("good", "gone", "broken", "hidden"), 1)
)
EVENTS = [event_row(event) for event in (GOOD, GONE, BROKEN, HIDDEN)]
RAW = [raw_row(GOOD), unreadable_row(BROKEN), unreadable_row(HIDDEN, "denied: AccessDenied")]


@pytest.fixture
def troubled(tmp_path):
    """Four events: a good object, none, an unusable one, and one that nobody could look at."""
    return evidence_of(tmp_path, raw=RAW, events=EVENTS).case.folder


def test_a_plan_says_of_every_message_how_it_would_end(ask, troubled):
    plan = in_json(ask, troubled)
    assert [(row["event_id"], row["prospect"], row["why"]) for row in plan["send"]] == [
        (GONE.id, "would fail", "object missing"),
        (BROKEN.id, "would fail", "object unusable (not-json)"),
        (HIDDEN.id, "unknown", "the capture could not look at the object"),
        (GOOD.id, "readable", None),
    ]
    assert plan["counts"]["send"] == 4
    assert (plan["counts"]["would_fail"], plan["counts"]["unknown"]) == (2, 1)


def test_a_plan_as_text_begins_with_the_messages_that_would_fail(ask, troubled):
    out = planned(ask, troubled)
    assert "2 would fail, 1 cannot be told, 1 have a readable raw object" in " ".join(out.split())
    places = [out.index(event.id) for event in (GONE, BROKEN, HIDDEN, GOOD)]
    assert places == sorted(places)
    assert "would fail: object missing" in out
    assert "unknown whether the object can be read" in out


def test_without_raw_evidence_no_message_of_a_plan_is_promised_to_work(ask, tmp_path):
    folder = evidence_of(tmp_path, events=EVENTS).case.folder
    plan = in_json(ask, folder)
    assert {row["prospect"] for row in plan["send"]} == {"unknown"}
    assert plan["counts"]["unknown"] == 4
    assert all("raw: skipped" in row["why"] for row in plan["send"])


def test_a_missing_object_that_may_only_be_late_or_uncaptured_is_not_called_a_failure(
    ask, tmp_path
):
    partly = {"raw": Coverage("partial", "the listing stopped")}
    folder = evidence_of(tmp_path, raw=RAW, events=EVENTS, coverage=partly).case.folder
    ends = {row["event_id"]: row["prospect"] for row in in_json(ask, folder)["send"]}
    assert ends[GONE.id] == "unknown"
    assert ends[BROKEN.id] == "would fail"


def test_a_plan_and_the_check_agree_on_what_would_fail(ask):
    case = CASES / "everything"
    for entity in ("raw-deleted-unprocessed", "raw-corrupt", "customer-1"):
        asked = ("--entity", entity, "--start", START, "--end", END, "--format", "json")
        plan = json.loads(ask("replay-plan", case, *asked)[1])
        checks = json.loads(ask("check", case, "--step", "replay", *asked)[1])["checks"]
        found = next(c["keys"] for c in checks if c["code"] == "replay/would-fail")
        failing = [row["event_id"] for row in plan["send"] if row["prospect"] == "would fail"]
        assert sorted(failing) == found
        assert bool(found) == (entity != "customer-1")


def test_a_plan_says_what_it_should_have_sent(plan):
    head = " ".join(plan()[1].split("\n\n")[1].split())
    assert "should send 8 events" in head
    assert "left out (1 outside by text)" in head


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ({"mappings": [mapping_row()]}, "a processor reads the replay queue"),
        (
            {"mappings": [mapping_row(state="Disabled")]},
            "nobody reads replay-queue (the mapping is Disabled): the messages would wait there",
        ),
        ({"mappings": [], "queue_state": []}, "unknown: queue_state: no queue has the role replay"),
        ({}, "unknown: mappings: skipped (not in this test)"),
        (
            {"mappings": [mapping_row()], "functions": []},
            "unknown: functions: none has the role processor",
        ),
    ],
    ids=["read", "paused", "no queue", "not captured", "no processor"],
)
def test_a_plan_says_who_would_read_what_it_sends(ask, tmp_path, tables, said):
    known = {"queue_state": [queue_row()], "functions": [function_row("processor")], **tables}
    evidence = evidence_of(tmp_path, events=[event_row(Event("a"))], **known)
    lines = planned(ask, evidence.case.folder).splitlines()
    (reader,) = (line for line in lines if line.startswith("  reader"))
    assert reader == f"  reader     {said}"


def test_a_plan_with_a_row_that_lacks_what_a_row_may_lack_is_whole(ask, tmp_path):
    bare = dict.fromkeys(("event_id", "event_time", "event_time_utc", "s3_bucket", "s3_key"))
    rows = [event_row(Event("a")), event_row(Event("b"), **bare)]
    plan = in_json(ask, evidence_of(tmp_path, events=rows, raw=[raw_row(Event("a"))]).case.folder)
    assert [row["event_time"] for row in plan["leave_out"]] == [None]
    assert shape_error(plan, SHAPE) == ""
