"""`investigate check`: what it prints, and the exit codes of the contract."""

from __future__ import annotations

import json

import pytest

from tests.commands.conftest import HEALTHY, LOST


def test_check_prints_the_verdict_first_and_messages_nowhere(ask):
    code, out, err = ask("check", LOST, "--step", "raw")
    assert code == 1
    assert out.splitlines()[0] == "ESCALATE  lost-events"
    assert err == ""


def test_check_prints_the_findings_document_as_json(ask):
    code, out, _ = ask("check", HEALTHY, "--step", "raw", "--format", "json")
    document = json.loads(out)
    assert code == 0
    assert document["schema"] == "investigate.findings/1"
    assert {check["step"] for check in document["checks"]} == {"raw"}
    assert document["aggregates"] == []


def test_a_window_and_an_entity_cut_the_answer(ask):
    end, start = "2026-03-11T00:00:00Z", "2026-03-10T00:00:00Z"
    _, out, _ = ask(
        "check", HEALTHY, "--step", "events", "--format", "json",
        "--start", start, "--end", end, "--entity", "customer-1",
    )  # fmt: skip
    document = json.loads(out)
    assert document["window"] == {"start": start, "end": end}
    assert document["entities"] == ["customer-1"]


def test_the_thresholds_of_a_configuration_file_hold(ask, tmp_path):
    config = tmp_path / "strict.toml"
    config.write_text("[thresholds]\nlate_seconds = 0\n", encoding="utf-8")
    usual, _, _ = ask("check", HEALTHY, "--step", "raw", "--fail-on", "suspect")
    strict, out, _ = ask(
        "check", HEALTHY, "--step", "raw", "--fail-on", "suspect", "--config", config
    )
    assert (usual, strict) == (0, 1)
    assert "raw/late" in out


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ((HEALTHY,), 0),
        ((HEALTHY, "--fail-on", "expected"), 1),
        ((LOST,), 1),
        ((LOST, "--step", "raw", "--fail-on", "escalate"), 1),
        ((HEALTHY, "--step", "events", "--fail-on", "suspect"), 0),
    ],
    ids=["healthy", "expected-counts", "lost", "worst-only", "nothing-so-bad"],
)
def test_the_exit_code_follows_what_was_found(ask, options, code):
    assert ask("check", *options)[0] == code


def test_what_could_not_be_told_is_an_exit_code_of_its_own(ask, case):
    assert ask("check", case, "--step", "sqs")[0] == 3
    assert ask("check", case, "--step", "sqs", "--allow-gaps")[0] == 0


def test_a_table_left_out_of_the_case_is_a_question_without_answer_not_a_pass(ask, case):
    code, out, _ = ask("check", case, "--step", "aggregates")
    assert code == 3
    assert "NOT-EVALUATED" in out.splitlines()[0]
    assert "aggregates: skipped (not in this test)" in " ".join(out.split())
