"""`investigate replay-plan`: what a replay would send, miss, and send too much."""

from __future__ import annotations

import json

import pytest

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
