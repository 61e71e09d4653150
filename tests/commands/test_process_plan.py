"""`investigate process-plan`: what waits, who would process it, and what speaks against it."""

from __future__ import annotations

import json

import pytest

from tests.builders import (
    Event,
    evidence_of,
    function_row,
    mapping_row,
    message_row,
    queue_row,
    raw_row,
)

EVENT = Event("a")
TABLES = {
    "queue_state": [queue_row(visible=3)],
    "mappings": [mapping_row(state="Disabled")],
    "functions": [function_row("processor")],
    "messages": [message_row(EVENT)],
    "raw": [raw_row(EVENT)],
    "invocations": [],
    "log_lines": [],
}


@pytest.fixture
def lines(ask, tmp_path):
    """The lines that the command prints of a case with other tables than these, by their label."""

    def run(**changes):
        tables = {name: rows for name, rows in {**TABLES, **changes}.items() if rows is not None}
        case = evidence_of(tmp_path, **tables).case
        code, out, err = ask("process-plan", case.folder)
        assert (code, err) == (0, "")
        return {line[2:12].rstrip(): line[13:] for line in out.splitlines()[2:]}

    return run


def test_what_waits_is_told_and_that_nothing_in_the_case_speaks_against_it(lines):
    said = lines()
    assert said["waiting"] == "3 messages in replay-queue: 1 sampled, 0 of them malformed"
    assert said["mapping"] == "Disabled"
    assert said["failures"] == "0 of the code, 0 of them may have passed"
    assert said["against it"].startswith("nothing in the case")


def test_what_speaks_against_it_is_the_rule_that_would_refuse_it(lines):
    said = lines(messages=None, invocations=None, log_lines=None)
    assert said["waiting"].endswith("nobody looked")
    assert said["failures"].startswith("unknown")
    assert said["against it"].startswith("refused (sample-unread)")


@pytest.mark.parametrize(
    ("queues", "said"),
    [
        ([], "no queue has the role replay"),
        ([queue_row(visible=None)], "the number of waiting messages is unknown"),
    ],
)
def test_without_a_counted_replay_queue_there_is_no_plan(ask, tmp_path, queues, said):
    case = evidence_of(tmp_path, **{**TABLES, "queue_state": queues}).case
    code, out, err = ask("process-plan", case.folder)
    assert (code, out) == (3, "")
    assert said in err


def test_a_plan_as_json_is_what_process_briefly_reads(ask, tmp_path):
    case = evidence_of(tmp_path, **TABLES).case
    plan = json.loads(ask("process-plan", case.folder, "--format", "json")[1])
    assert plan["schema"] == "investigate.process-plan/1"
    assert plan["mappings"][0]["state"] == "Disabled"
    assert plan["sample"]["messages"] == 1
