"""From the first failure to the recovery, with the three commands, against a pipeline over HTTP."""

from __future__ import annotations

import json

import pytest

from investigate.pipeline import REFERENCE
from tests.recovery.helpers import (
    LIMITS,
    dead_letters,
    ingest,
    mapping_state,
    plan_file,
    record_of,
)
from tests.sandbox.pipelines import DAY, depth, later, rows

WRITE = ("--allow-writes", "--yes", *LIMITS)


def day_verdicts(ask, case):
    _, out, _ = ask("check", case, "--step", "aggregates", "--format", "json")
    return {day["entity_id"]: day for day in json.loads(out)["aggregates"]}


@pytest.fixture
def run(ask, trouble):
    def carried_out(command: str, case, plan) -> str:
        code, out, err = ask(command, case, "--plan", plan, *WRITE, *trouble.aws())
        assert code == 0, out + err
        return out

    return carried_out


def test_an_incident_is_taken_from_its_first_failure_to_whole_aggregates(ask, trouble, run):
    sandbox, folder = trouble.sandbox, trouble.folder
    dead_letters(sandbox, "failed", 4)
    ingest(sandbox, "never-sent", 5)
    later(sandbox, minutes=10)
    sandbox.set_dry_run("processor", False)  # the repair is deployed
    case = trouble.capture()
    assert rows(sandbox, "aggregates") == [], "nothing was ever counted"

    run("redrive", case, plan_file(ask, folder, "redrive-plan", case))
    scope = ("--entity", "never-sent", "--start", DAY[0], "--end", DAY[1])
    run("replay", case, plan_file(ask, folder, "replay-plan", case, *scope))
    assert depth(sandbox) == (9, 0)
    assert depth(sandbox, sandbox.names.dead_letter_queue_urls[0]) == (0, 0)

    again = trouble.capture()
    run("process-briefly", again, plan_file(ask, folder, "process-plan", again))
    assert mapping_state(sandbox) == "Disabled"
    assert depth(sandbox) == (0, 0)

    later(sandbox, minutes=10)
    days = day_verdicts(ask, trouble.capture())
    assert {name: day["verdict"] for name, day in days.items()} == {
        "failed": "complete",
        "never-sent": "complete",
    }
    for name, day in days.items():
        expected = REFERENCE.aggregate.inputs_hash(
            (row["event_time"], row["event_id"], row["payload_sha"])
            for row in rows(sandbox, "events")
            if row["entity_id"] == name
        )
        assert [version["inputs_hash"] for version in day["versions"]] == [expected]
    assert ask("verify", case)[0] == 0, "the record is no damage to a case"
    before, after = record_of(again)[0]["before"], record_of(again)[-1]["after"]
    assert [day["version"] for day in before["aggregates"]] == [None, None]
    assert all(day["version"] for day in after["aggregates"])
