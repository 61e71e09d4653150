"""From the first failure to the recovery, with the three commands, against a pipeline over HTTP."""

from __future__ import annotations

import json

from investigate import pipeline
from tests.recovery.helpers import LIMITS, dead_letters, ingest, plan_file, record_of
from tests.sandbox.pipelines import DAY, depth, rows


def aggregates(ask, case):
    code, out, err = ask("check", case, "--format", "json")
    assert code in (0, 1, 3), err
    return {day["entity_id"]: day for day in json.loads(out)["aggregates"]}


def found(ask, case):
    _, out, _ = ask("check", case, "--format", "json")
    return {one["code"] for one in json.loads(out)["checks"] if one["outcome"] == "found"}


def test_an_incident_is_taken_from_its_first_failure_to_whole_aggregates(ask, trouble):
    sandbox, folder = trouble.sandbox, trouble.folder
    dead_letters(sandbox, "failed", 4)
    ingest(sandbox, "never-sent", 5)
    first = trouble.capture()
    assert {"dead-letters/waiting", "processor/timeouts"} <= found(ask, first)
    assert "failed" not in aggregates(ask, first) or aggregates(ask, first)["failed"]["verdict"] != (
        "complete"
    )

    plan = plan_file(ask, folder, "redrive-plan", first)
    write = ("--allow-writes", "--yes", *LIMITS)
    code, out, err = ask("redrive", first, "--plan", plan, *write, *trouble.aws())
    assert code == 0, err + out
    plan = plan_file(
        ask, folder, "replay-plan", first, "--entity", "never-sent",
        "--start", DAY[0], "--end", DAY[1],
    )  # fmt: skip
    code, out, err = ask("replay", first, "--plan", plan, *write, *trouble.aws())
    assert code == 0, err + out
    assert depth(sandbox) == (9, 0)
    assert depth(sandbox, sandbox.names.dead_letter_queue_urls[0]) == (0, 0)

    second = trouble.capture()
    plan = plan_file(ask, folder, "process-plan", second)
    code, out, err = ask("process-briefly", second, "--plan", plan, *write, *trouble.aws())
    assert code == 0, err + out
    assert [row["State"] for row in sandbox.clients.lambda_.list_event_source_mappings()[
        "EventSourceMappings"]] == ["Disabled"]  # fmt: skip

    last = trouble.capture()
    days = aggregates(ask, last)
    assert {name: day["verdict"] for name, day in days.items()} == {
        "failed": "complete",
        "never-sent": "complete",
    }
    for name, day in days.items():
        inputs = [
            (row["event_time"], row["event_id"], row["payload_sha"])
            for row in rows(sandbox, "events")
            if row["entity_id"] == name
        ]
        hashes = [version["inputs_hash"] for version in day["versions"]]
        assert hashes == [pipeline.inputs_hash(inputs)]
    assert ask("verify", first)[0] == 0
    actions = [(line["action"], line["kind"]) for line in record_of(second)]
    assert actions[0] == ("snapshot", "done")
    assert actions[-1] == ("run", "done")
