"""docs/reliability.md holds what the campaign tries; the fast trials run here.

`make test` makes those of checks; EACH_FAILURE=1 also those that need a pipeline or a report.
"""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.reliability import disks
from benchmarks.reliability.campaign import campaign
from benchmarks.reliability.document import HEADING, NOT_TRIED, faults_of, trials_of, write
from benchmarks.reliability.files import CAPTURE_DIES
from benchmarks.reliability.files_written import REPORT_DIES
from benchmarks.reliability.matrix import REASONS, STAGES, every, pairs
from benchmarks.reliability.trial import BOUNDARIES, FAILURES, Result, Verdict

DOCUMENT = Path(__file__).parents[2] / "docs" / "reliability.md"
ISSUE = {
    "boundaries": "S3, DynamoDB, SQS, Logs, Lambda, file system, kernel, engine, notification",
    "failures": "throttled, denied, timed out, cut off halfway, wrong shape, empty, enormous, "
    "slow, disk full, killed",
}


def test_boundaries_and_failures_are_those_of_the_issue():
    assert ", ".join(BOUNDARIES) == ISSUE["boundaries"]
    assert ", ".join(FAILURES) == ISSUE["failures"]
    assert {one for stage in STAGES.values() for one in stage.trials} == set(BOUNDARIES)


def test_every_failure_of_every_boundary_has_a_trial_or_a_reason():
    tried = {(trial.boundary, trial.failure) for trial in every()}
    assert tried.isdisjoint(REASONS)
    assert tried | set(REASONS) == set(pairs())


def test_every_trial_is_told_from_the_others():
    names = [trial.name for trial in every()]
    assert len(names) == len(set(names)) > 150


def test_the_document_has_a_row_for_every_trial_of_a_boundary_and_names_those_not_tried():
    rows = trials_of(DOCUMENT)
    text = DOCUMENT.read_text(encoding="utf-8")
    said = [line for line in text.splitlines() if line.startswith(NOT_TRIED)]
    lacking = [name for name in BOUNDARIES if name not in rows]
    assert said == ([f"{NOT_TRIED}{', '.join(lacking)}."] if lacking else [])
    told = {
        (boundary, cells[0], cells[1].strip("`"), cells[2])
        for boundary, failures in rows.items()
        for some in failures.values()
        for cells in some
    }
    trials = {(one.boundary, one.failure, one.command, one.injected) for one in every()}
    reasons = {(*pair, "-", reason) for pair, reason in REASONS.items()}
    assert told == {one for one in trials | reasons if one[0] in rows}
    widths = {len(cells) for one in rows.values() for some in one.values() for cells in some}
    assert widths == ({len(HEADING)} if rows else set())


def test_the_document_tells_of_nothing_lost_half_written_wrong_or_unclear():
    counts = [
        (boundary, *cells[:3])
        for boundary, failures in trials_of(DOCUMENT).items()
        for rows in failures.values()
        for cells in rows
        if cells[1] != "-" and cells[4:8] != ["0"] * 4
    ]
    assert counts == []


def made(boundary: str, **verdict: str) -> Result:
    ends = Verdict("exit 2", **verdict)
    return Result(boundary, "denied", "check", "every file", "", ends)


def test_a_fault_is_counted_and_a_section_is_written_alone(tmp_path):
    document = tmp_path / "reliability.md"
    write(document, [made("kernel"), made("engine", lost="a row")])
    write(document, [made("kernel", wrong="exit code 0")])
    (kernel,) = trials_of(document)["kernel"]["denied"]
    (engine,) = trials_of(document)["engine"]["denied"]
    assert kernel[3:8] == ["1", "0", "0", "1", "0"]
    assert engine[3:8] == ["1", "1", "0", "0", "0"]
    assert faults_of([made("engine", lost="a row")]) == [
        "engine, denied, check, every file, : lost: a row"
    ]


def test_a_part_of_a_boundary_is_not_written(capsys, tmp_path):
    document = str(tmp_path / "reliability.md")
    assert main(["reliability", "--failure", "slow", "--write", document]) == 2
    assert "leave out --failure" in capsys.readouterr().err


@pytest.mark.skipif(not disks.can_mount(), reason="no process may mount a disk of its own here")
@pytest.mark.parametrize("boundary", ["file system", "engine"])
def test_the_fast_trials_leave_nothing_to_object_to(boundary):
    results = campaign([boundary], fast=True, at_once=1, stages=("checks",))
    assert len(results) >= 3
    assert faults_of(results) == []


@pytest.mark.skipif(not os.environ.get("EACH_FAILURE"), reason="stages take longer to set up")
@pytest.mark.parametrize("boundary", ["DynamoDB", "Logs", "kernel", "notification"])
def test_the_fast_trials_of_other_boundaries_leave_nothing_to_object_to(boundary):
    results = campaign([boundary], fast=True, at_once=1)
    assert results
    assert faults_of(results) == []


@pytest.mark.parametrize(("module", "name"), [one[1:3] for one in (*CAPTURE_DIES, *REPORT_DIES)])
def test_where_a_command_is_killed_is_a_function_that_there_is(module, name):
    found = import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    assert callable(found)
