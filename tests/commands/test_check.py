"""`investigate check`: what it prints, and the exit codes of the contract."""

from __future__ import annotations

import json
import re

import pytest

from investigate import cli
from investigate.checks import book
from investigate.commands.options import STEPS_WITH_CHECKS
from investigate.engine import ENGINES
from investigate.model import CHAPTERS, Severity, Step
from investigate.tables import TABLES
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


def test_a_chapter_without_checks_is_refused_with_the_steps_that_have_some(ask):
    for chapter in (step for step in CHAPTERS if step.value not in STEPS_WITH_CHECKS):
        code, out, err = ask("check", HEALTHY, "--step", f"raw,{chapter.value}")
        assert (code, out) == (2, "")
        assert f"no check of {chapter.value!r}" in err
        assert "raw, events, replay, sqs, processor, aggregates" in err


def test_several_steps_may_be_asked_with_commas(ask):
    _, out, _ = ask("check", HEALTHY, "--step", "raw,sqs", "--step", "events", "--format", "json")
    asked = {check["step"] for check in json.loads(out)["checks"]}
    assert asked == {"raw", "sqs", "events"}


def test_the_help_lists_the_values_that_exist(capsys):
    for command, known in (
        ("check", [*STEPS_WITH_CHECKS, *ENGINES, *(severity.label for severity in Severity)]),
        ("capture", TABLES),
    ):
        with pytest.raises(SystemExit):
            cli.main([command, "--help"])
        said = re.sub(r"-\s+", "-", capsys.readouterr().out)  # a line may end within a name
        assert [name for name in known if name not in said] == []


def test_the_command_line_knows_the_steps_with_checks():
    assert list(STEPS_WITH_CHECKS) == [step.value for step in Step if book.of(step)]


def test_the_rows_of_a_check_are_printed_with_their_columns(ask):
    code, out, _ = ask("check", LOST, "--rows", "replay/would-fail", "--limit", "2")
    lines = out.splitlines()
    assert code == 1
    assert lines[0].startswith("replay/would-fail: 2 of ")
    assert lines[2].split()[0] == "key"
    assert "why" in lines[2].split()
    assert len(lines) == 5


def test_the_rows_of_a_check_as_json_are_a_list_of_objects(ask):
    code, out, err = ask("check", LOST, "--rows", "raw/missing", "--format", "json")
    document = json.loads(ask("check", LOST, "--step", "raw", "--format", "json")[1])
    keys = next(c["keys"] for c in document["checks"] if c["code"] == "raw/missing")
    rows = json.loads(out)
    assert code == 1
    assert sorted({row["key"] for row in rows}) == keys
    assert not {"attributes", "payload"} & rows[0].keys()
    assert f"{len(rows)} of {len(rows)} rows" in err


def test_no_rows_are_told_apart_from_not_knowing_them(ask, case):
    assert ask("check", HEALTHY, "--rows", "raw/missing")[:1] == (0,)
    code, out, _ = ask("check", case, "--rows", "sqs/lost")
    assert code == 3
    assert "not-evaluated" in out
    assert "log_lines: skipped" in out


def test_rows_of_an_unknown_check_or_none_are_refused(ask):
    assert "raw/missing" in ask("check", HEALTHY, "--rows", "raw/mising")[2]
    assert ask("check", HEALTHY, "--rows", "raw/missing", "--limit", "0")[0] == 2
    assert ask("check", HEALTHY, "--rows", "raw/missing", "--step", "raw")[0] == 2
